"""Pictures: every label whole and in its place, nothing over anything else, the same without a font on the machine."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from svg_reading import Picture, Text, covered
from test_diagram import (
    BACK,
    COUNTS,
    GIFTS,
    HOUR,
    MINUTE,
    MOVED,
    NOON,
    PAID,
    PAYMENT,
    RETURNS,
    SENT,
    SHOP_RETURNS,
    WAITED,
    WAITING,
    walk,
)
from test_diagram_any_flow import flows
from test_diagram_tools import ODD, SHOWN

from orderstate.diagram import Step, Walk, dot, palette, picture, pictures
from orderstate.diagram.chart import Counts, chart, moment, titles
from orderstate.errors import NotFound, NotInstalled, OrderstateError
from orderstate.flow import load
from orderstate.machine import STANDARD
from orderstate.model import Flow, State, Stock, Transition

pytest.importorskip("pygraphviz")

EXAMPLES = Path(__file__).parents[2] / "examples" / "flows"
FLOWS = Path(__file__).parent / "flows"


class Drawn(NamedTuple):
    """What is drawn."""

    flow: Flow
    walk: Walk | None = None
    counts: Counts | None = None


LONG_NAMES = Flow(
    "long",
    "a",
    (
        State("a", Stock.FREE, label="1 i"),
        State("b", Stock.FREE, label="a state whose label is so long that it takes two lines of a note"),
    ),
    (
        Transition("there", ("a",), "b", "Went"),
        Transition("back_" * 16, ("b",), "a", "CameBack"),
        Transition("again", ("a",), "a", "Stayed"),
    ),
    ("there",),
)
_ROUND = (("there", "a", "b"), ("back_" * 16, "b", "a"), ("again", "a", "a"))
TO_AND_FRO = Walk(
    "1001",
    "b",
    (
        Step(None, None, "a", NOON, 1),
        *(Step(*_ROUND[n % 3], NOON + n * 5 * HOUR + n * 11 * MINUTE, 8 + n) for n in range(13)),
    ),
)
"""An order that took a dozen steps, with numbers of one digit and of two."""


def _drawings() -> Iterator[tuple[str, Drawn]]:
    for path in sorted({*EXAMPLES.glob("*.yaml")} - {*EXAMPLES.glob("*.scenario.yaml")}):
        yield path.stem, Drawn(load(path))
    for name in ("hold", "florist"):
        yield name, Drawn(load(FLOWS / f"{name}.yaml"))
    yield "gifts", Drawn(GIFTS.flow)
    yield "placed elsewhere", Drawn(GIFTS.flow, MOVED)
    yield "tangled", Drawn(RETURNS)
    yield "in progress", Drawn(STANDARD, WAITED)
    yield "refused", Drawn(STANDARD, SENT)
    yield "ended", Drawn(STANDARD, walk("7", "delivered"))
    yield "paid", Drawn(PAYMENT.flow, PAID)
    yield "coming back", Drawn(SHOP_RETURNS.flow, BACK)
    yield "counted", Drawn(STANDARD, None, WAITING)
    yield "counted in progress", Drawn(STANDARD, WAITED, COUNTS)


DRAWINGS = dict(_drawings())
LARGE = {"tangled", "gifts", "placed elsewhere"}


@cache
def seen(name: str) -> Picture:
    return Picture(picture(*DRAWINGS[name]))


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_state_and_every_trigger_is_there(name: str) -> None:
    flow = DRAWINGS[name].flow
    drawn = seen(name)
    heads = {box.name: box.texts[0].text for box in drawn.boxes if box.texts}
    assert heads == titles(flow)
    starts = sum(arrow.name.startswith("start->") for arrow in drawn.arrows)
    assert starts == (2 if name == "placed elsewhere" else 1)
    labels = sorted(
        (arrow.name, arrow.texts[-1].text.strip(" \u00a0").split(" ")[-1]) for arrow in drawn.arrows[starts:]
    )
    assert labels == sorted((f"{source}->{t.target}", t.trigger) for t in flow.transitions for source in t.sources)


@pytest.mark.parametrize("name", DRAWINGS)
def test_text_lies_inside_its_box_even_in_a_wider_font(name: str) -> None:
    for box in seen(name).boxes:
        for text in box.texts:
            assert box.room.holds(text.room), text
            spare = text.width * 0.08  # on each side: Verdana and DejaVu Sans are that much wider than our font
            assert box.room.left <= text.room.left - spare, text
            assert text.room.right + spare <= box.room.right, text


@pytest.mark.parametrize("name", DRAWINGS)
def test_the_length_of_each_text_is_what_the_font_says(name: str) -> None:
    for text in seen(name).texts:
        assert text.measured == pytest.approx(text.width, rel=0.04, abs=1.5), text


@pytest.mark.parametrize("name", DRAWINGS)
def test_no_two_boxes_and_no_two_texts_overlap(name: str) -> None:
    drawn = seen(name)
    rooms = [(box.name, box.room) for box in drawn.boxes]
    inside = {text for box in drawn.boxes for text in box.texts}
    rooms += [(text.text, text.room) for text in drawn.texts if text not in inside]
    for i, (one, room) in enumerate(rooms):
        for other, place in rooms[i + 1 :]:
            assert not room.meets(place), (one, other)


@pytest.mark.parametrize("name", DRAWINGS)
def test_everything_lies_on_the_card(name: str) -> None:
    drawn = seen(name)
    for place in (*(box.room for box in drawn.boxes), *(text.room for text in drawn.texts)):
        assert place.left > 8
        assert place.top > 8
        assert place.right < drawn.width - 8
        assert place.bottom < drawn.height - 8
    assert all(0 < x < drawn.width and 0 < y < drawn.height for arrow in drawn.arrows for x, y in arrow.line)


@pytest.mark.parametrize("name", DRAWINGS)
def test_no_arrow_runs_through_a_label_or_a_box(name: str) -> None:
    drawn = seen(name)
    for arrow in drawn.arrows:
        ends = arrow.name.split("->")
        for x, y in arrow.line:
            crossed = [
                text.text
                for other in drawn.arrows
                for text in other.texts
                if text.room.left - 1 < x < text.room.right + 1 and text.room.top - 1 < y < text.room.bottom + 1
            ]
            assert not crossed, arrow.name
            for box in drawn.boxes:
                if box.name not in ends:
                    assert not (box.room.left < x < box.room.right and box.room.top < y < box.room.bottom), arrow.name


@pytest.mark.parametrize("name", [name for name in DRAWINGS if name not in LARGE])
def test_a_picture_fits_a_page_and_a_download(name: str) -> None:
    drawn = seen(name)
    assert drawn.width < 900
    assert drawn.height < 1300
    assert len(picture(*DRAWINGS[name])) < 40_000


def test_the_main_path_is_straight_and_other_states_stand_beside_it() -> None:
    middle = {box.name: (box.room.left + box.room.right) / 2 for box in seen("standard").boxes}
    path = [middle[name] for name in ("start", "pending", "inventory_tied", "shipping", "delivered")]
    assert max(path) - min(path) < 8
    assert min(middle["backordered"], middle["cancelled"]) > max(path) + 60


def test_an_order_is_marked_on_its_way() -> None:
    arrows = {
        (a.name, a.texts[0].text.strip(" \u00a0") if a.texts else ""): a.style for a in seen("in progress").arrows
    }
    thick = {key for key, style in arrows.items() if style.get("stroke-width") == "3"}
    solid = {key for key, style in arrows.items() if "stroke-dasharray" not in style} - thick
    assert thick == {
        ("start->pending", "1 placed"),
        ("pending->backordered", "2 tie_inventory"),
        ("backordered->inventory_tied", "4 tie_inventory"),
    }
    assert {key for key, style in arrows.items() if style["stroke"] == palette.TAKEN} == thick
    assert solid == {
        ("inventory_tied->pending", "untie"),
        ("inventory_tied->shipping", "ship"),
        ("inventory_tied->cancelled", "cancel"),
    }
    assert {key for key, style in arrows.items() if style["stroke"] == palette.POSSIBLE} == solid


def test_an_order_that_was_placed_under_another_flow_is_marked_where_that_was() -> None:
    thick = {
        (a.name, a.texts[0].text.strip(" \u00a0") if a.texts else "")
        for a in seen("placed elsewhere").arrows
        if a.style.get("stroke-width") == "3"
    }
    assert thick == {("start->pending", "1 placed"), ("pending->inventory_tied", "2 tie_inventory")}


def test_an_order_is_told_with_its_times_and_with_what_blocks_it() -> None:
    said = seen("in progress").said()
    assert said[0] == "order 1001 · inventory tied · since 2026-11-22 15:02 UTC"
    assert {"2", "backordered", "2026-11-22", "12:02", "tie_inventory"} <= set(said)
    assert "stock tied · now" in said
    refused = seen("refused").said()
    assert "try: orderstate cancel 1002-2" in refused
    assert "a customer may cancel only until inventory is tied" in refused


PATHS = {name: drawn for name, drawn in DRAWINGS.items() if drawn.walk is not None and drawn.walk.steps}
PATHS["to and fro"] = Drawn(LONG_NAMES, TO_AND_FRO)


@pytest.mark.parametrize("name", PATHS)
def test_the_columns_of_the_path_taken_stand_under_each_other(name: str) -> None:
    """Number, state, day, time, trigger: letters and digits differ in width, so no spaces could do that."""
    flow, walk, _ = PATHS[name]
    assert walk is not None
    texts = Picture(picture(*PATHS[name])).texts
    title = next(text for text in texts if text.text == "path taken (UTC)")
    ends = (text.room.top for text in texts if text.room.top > title.room.bottom and is_title(text, texts))
    below = min(ends, default=float("inf"))
    rows: dict[float, list[Text]] = {}
    for text in texts:
        if title.room.bottom < text.room.top < below:
            rows.setdefault(text.room.top, []).append(text)
    table = [sorted(rows[top], key=lambda text: text.room.left) for top in sorted(rows) if len(rows[top]) == 5]
    shown = titles(flow)
    assert [[text.text for text in (row[0], *row[2:4])] for row in table] == [
        [str(step.number), *moment(step.at).split()] for step in walk.steps
    ]
    assert all(row[1].text in shown[step.target] for row, step in zip(table, walk.steps, strict=True))
    numbers, *columns = zip(*table, strict=True)
    rights = [text.room.right for text in numbers]
    assert max(rights) - min(rights) < 1
    for column in columns:
        assert len({text.room.left for text in column}) == 1, column
    # What is told below begins at the same two places.
    assert title.room.left == pytest.approx(min(text.room.left for text in numbers), abs=4)
    assert columns[1][0].room.left == next(text for text in texts if text.text == "neither").room.left
    # The state stands close by its number, and the trigger by the time, however wide the other notes are.
    assert 4 < columns[0][0].room.left - max(rights) < 12
    assert 4 < columns[3][0].room.left - max(text.room.right for text in columns[2]) < 12


def is_title(text: Text, texts: Sequence[Text]) -> bool:
    """Whether a note begins here: its title stands alone in its line, and at the edge."""
    edge = next(other for other in texts if other.text == "arrows").room.left
    alone = sum(other.room.top == text.room.top for other in texts) == 1
    return text.room.left == edge and alone and not text.text.startswith(("\u00a0", " "))


def test_counts_are_told_with_how_long() -> None:
    boxes = {box.name: [text.text for text in box.texts[2:]] for box in seen("counted").boxes}
    assert boxes["pending"] == ["12 orders", "oldest 3 d", "median 5 h"]
    assert boxes["backordered"] == ["1 order", "for 20 h"]
    assert boxes["inventory_tied"] == ["0 orders"]
    assert boxes["delivered"] == ["20,311 orders"]


def test_timers_and_guards_are_told_below() -> None:
    said = seen("payment").said()
    assert "after 24h: cancel" in said
    assert "[stock_covers_order]" in said


# Light and dark


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """From 1 to 21 (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_text_and_lines_stand_out_on_their_ground(dark: bool) -> None:
    def shown(colour: str) -> str:
        return palette.DARK[colour] if dark else colour

    for paint in palette.STATES.values():
        assert contrast(shown(paint.text), shown(paint.fill)) > 4.5
        assert contrast(shown(paint.frame), shown(palette.PAPER)) > 3
    for text in (palette.INK, palette.QUIET, palette.TAKEN, palette.POSSIBLE):
        assert contrast(shown(text), shown(palette.PAPER)) > 4.5
    assert contrast(shown(palette.FAINT), shown(palette.PAPER)) > 3


def test_lines_stand_out_on_any_page() -> None:
    for line in (palette.TAKEN_ANYWHERE, palette.POSSIBLE_ANYWHERE, palette.QUIET):
        assert contrast(line, "#ffffff") > 3
        assert contrast(line, "#0d1117") > 3


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_colour_has_another_in_the_dark(name: str) -> None:
    found = seen(name).root
    style = next(part.text or "" for part in found.iter() if part.tag.endswith("style"))
    used = {(use, part.get(use)) for part in found.iter() for use in ("fill", "stroke")}
    wanted = {(use, colour) for use, colour in used if colour not in (None, "none")}
    turned = {(use, colour): to for use, colour, _, to in re.findall(r"\[(\w+)='(#\w+)'\] \{ (\w+): (#\w+) \}", style)}
    assert set(turned) == wanted
    assert all(palette.DARK[str(colour)] == to for (_, colour), to in turned.items())


def test_a_picture_has_its_own_ground_and_says_what_it_shows() -> None:
    found = seen("in progress").root
    title, _, card = list(found)[:3]
    assert (title.text or "").startswith("order 1001")
    assert found.get("role") == "img"
    assert card.get("fill") == palette.PAPER
    assert float(card.get("width", "0")) == pytest.approx(seen("in progress").width - 1)


# PNG and PDF


def test_a_png_has_two_pixels_for_each_of_an_ordinary_screen() -> None:
    drawn = picture(STANDARD, format="png")
    assert drawn.startswith(b"\x89PNG\r\n\x1a\n")
    assert drawn.endswith(b"IEND\xaeB`\x82")
    width, height = struct.unpack(">II", drawn[16:24])
    assert width == pytest.approx(seen("standard").width * pictures.DENSITY / 72, abs=3)
    assert height == pytest.approx(seen("standard").height * pictures.DENSITY / 72, abs=3)
    assert len(drawn) < 600_000


def test_a_pdf_is_one() -> None:
    drawn = picture(STANDARD, WAITED, format="pdf")
    assert drawn.startswith(b"%PDF-")
    assert b"OrderstateSans" in drawn or b"FontFile" in drawn


# The font


def test_the_font_has_every_sign_that_we_say_it_has() -> None:
    said = {code for code in range(0x20, 0x3000) if pictures._COVERED.fullmatch(chr(code))}
    assert len(said) > 500
    assert said <= covered()


def test_the_font_comes_with_its_licence_and_nothing_is_written_beside_it() -> None:
    before = sorted(pictures.FONT.parent.iterdir())
    picture(STANDARD)
    assert sorted(pictures.FONT.parent.iterdir()) == before
    assert "SIL OPEN FONT LICENSE Version 1.1" in (pictures.FONT.parent / "OFL.txt").read_text(encoding="utf-8")
    assert pictures.FONT.stat().st_size < 60_000


@pytest.mark.parametrize("form", ["svg", "png"])
def test_a_machine_without_fonts_draws_the_same_and_says_nothing(form: str, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    done = subprocess.run(
        [sys.executable, "-m", "orderstate", "diagram", "--format", form],
        capture_output=True,
        check=True,
        cwd=tmp_path,
        env=os.environ | {"FONTCONFIG_FILE": nowhere, "FONTCONFIG_PATH": nowhere, "HOME": nowhere},
        timeout=60,
    )
    assert done.stderr == b""
    assert done.stdout == picture(STANDARD, format=form)


# What goes wrong


def test_without_pygraphviz_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(NotInstalled) as caught:
        picture(STANDARD)
    assert caught.value.exit_status == 9
    assert "pip install 'orderstate[diagram]'" in str(caught.value.hint)


def pretend(monkeypatch: pytest.MonkeyPatch, folder: Path, source: str) -> None:
    """Put a module before the real pygraphviz, for us and for the process that paints."""
    (folder / "pygraphviz.py").write_text(source, encoding="utf-8")
    monkeypatch.delitem(sys.modules, "pygraphviz", raising=False)
    monkeypatch.syspath_prepend(str(folder))


def test_a_pygraphviz_that_does_not_load_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend(monkeypatch, tmp_path, "raise ImportError('libcgraph is missing')\n")
    with pytest.raises(NotInstalled, match="cannot be loaded: libcgraph is missing"):
        picture(STANDARD)


def test_a_graphviz_that_fails_is_one_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend(monkeypatch, tmp_path, "def AGraph(string):\n    raise ValueError('out of ink')\n")
    with pytest.raises(OrderstateError, match="out of ink") as caught:
        picture(STANDARD)
    assert caught.value.code == "picture"


def test_a_module_in_the_working_directory_is_not_taken_for_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pygraphviz.py").write_text("raise SystemExit(77)\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    monkeypatch.delitem(sys.modules, "pygraphviz", raising=False)
    assert picture(STANDARD).startswith(b"<svg")


def test_an_order_in_a_state_that_the_flow_lacks_is_not_found() -> None:
    with pytest.raises(NotFound, match="unknown state 'shiping'"):
        picture(STANDARD, Walk("1001", "shiping", ()))


# Any flow


def texts_of(svg: bytes) -> set[str]:
    """Every text of a picture, in whatever letters."""
    return {
        (part.text or "").strip(" \u00a0") for part in ElementTree.fromstring(svg).iter() if part.tag.endswith("text")
    }


def test_every_odd_name_is_drawn_as_it_is() -> None:
    found = texts_of(picture(ODD))
    assert {shown.replace("\n", "\\n") for shown in SHOWN.values()} <= found
    assert {t.trigger for t in ODD.transitions} <= found


def test_letters_that_the_font_lacks_are_in_the_text() -> None:
    flow = Flow("日本", "a", (State("a", Stock.FREE, label="在庫あり"),), (), ())
    assert "在庫あり" in texts_of(picture(flow))
    assert picture(flow, format="png").startswith(b"\x89PNG")


@settings(max_examples=12, deadline=None)  # each starts a process
@given(flows())
def test_any_flow_becomes_a_picture_with_every_label(flow: Flow) -> None:
    drawn = Picture(picture(flow))
    assert {box.name: box.texts[0].text for box in drawn.boxes if box.texts} == titles(flow)
    for box in drawn.boxes:
        assert all(box.room.holds(text.room) for text in box.texts)


# Large flows


def large(states: int, more: int) -> Flow:
    """A chain of states, each of which can be cancelled, and arrows across it."""
    names = [f"s{n}" for n in range(states)]
    chain = [Transition(f"go{n}", (names[n],), names[n + 1], "OrderMoved") for n in range(states - 1)]
    across = [Transition(f"x{n}", (names[n * 7 % states],), names[n * 11 % states], "OrderMoved") for n in range(more)]
    cancel = Transition("cancel", tuple(names), "void", "OrderCancelled")
    void = State("void", Stock.FREE, final=True)
    return Flow(
        "large",
        "s0",
        (*(State(name, Stock.FREE) for name in names), void),
        (*chain, *across, cancel),
        ("go0", "go1"),
    )


def test_in_a_large_flow_what_leads_to_one_state_from_many_is_told_in_a_line() -> None:
    flow = large(80, 0)
    drawn = Picture(picture(flow))
    assert pictures.told_in_words(flow) == 80
    assert len(drawn.arrows) == 1 + 79
    assert "80 of 159 arrows, told instead of drawn" in drawn.said()
    assert "\u2192 void, from 80 states" in drawn.said()
    assert len(drawn.boxes) == 82


def test_a_dense_flow_is_boxes_in_rows_and_its_arrows_in_words() -> None:
    flow = large(40, 200)
    drawn = Picture(picture(flow))
    assert [arrow.name for arrow in drawn.arrows] == ["start->s0", "s0->s1", "s1->s2"]
    assert len(drawn.boxes) == 42
    assert drawn.width < 1100
    told = pictures.told_in_words(flow)
    total = len(chart(flow).edges)
    assert told == total - 2
    assert f"{told} of {total} arrows, told instead of drawn" in drawn.said()
    words = " ".join(drawn.said())
    assert all(t.trigger in words for t in flow.transitions)


def test_an_orders_way_is_drawn_however_many_arrows_there_are() -> None:
    flow = large(40, 200)
    walk = Walk("1", "s3", tuple(Step(f"go{n - 1}", f"s{n - 1}", f"s{n}", n, n + 1) for n in range(1, 4)))
    drawn = {arrow.name for arrow in Picture(picture(flow, walk)).arrows}
    assert {"s0->s1", "s1->s2", "s2->s3"} <= drawn
    assert len(drawn) < 6


def test_a_flow_of_usual_size_is_drawn_whole_and_dot_always_is() -> None:
    assert pictures.told_in_words(PAYMENT.flow) == 0
    assert "told instead of drawn" not in dot(large(80, 0))


def test_signs_that_the_font_lacks_are_known() -> None:
    flow = Flow("x", "a", (State("a", Stock.FREE, label="\u5728\u5eab \u00e9"),), (), ())
    assert pictures.unseen(flow) == "\u5728\u5eab"
    assert pictures.unseen(STANDARD) == ""
