"""Lines, labels and boxes keep off each other: what touches is found, and labels move to where they are free."""

from __future__ import annotations

import json
from functools import cache
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from test_diagram import PAYMENT
from test_diagram_any_flow import dense, flows
from test_diagram_pictures import DRAWINGS, Drawn, large

from orderstate.diagram import dot, picture, pictures
from orderstate.diagram.clearing import Area, Piece, Sketch, Touch, crossings
from orderstate.diagram.placing import pinned, placed
from orderstate.machine import STANDARD
from orderstate.model import Flow, State, Stock, Tally, Transition

pytest.importorskip("pygraphviz")

EMPTY = {state.name: Tally(0) for state in PAYMENT.flow.states}
NOTES = Flow(
    "notes",
    "a",
    (State("a", Stock.FREE), State("b", Stock.FREE)),
    (
        *(Transition(trigger, ("a",), "b", "Went") for trigger in ("go", "hurry", "run")),
        *(Transition(trigger, ("a",), "a", "Noted") for trigger in ("remind", "write_note", "call")),
        *(Transition(trigger, ("b",), "b", "Waited") for trigger in ("wait", "wait_more")),
        Transition("back", ("b",), "a", "CameBack"),
    ),
    ("go",),
)
"""States with several loops, and several arrows from one to the other."""
ALL = DRAWINGS | {"notes": Drawn(NOTES), "large": Drawn(large(40, 200))}


def laid_out(text: str) -> dict[str, Any]:
    """A drawing as Graphviz lays it out by itself."""
    found: dict[str, Any] = json.loads(pictures.paint(text, "json")[0])
    return found


@cache
def by_itself(name: str) -> tuple[str, dict[str, Any]]:
    """One of our drawings in Graphviz's language, and how Graphviz lays it out."""
    text = dot(*ALL[name], face=pictures._FACE, most=pictures.MOST_DRAWN)
    return text, laid_out(text)


def touches(flow: Flow) -> list[Touch]:
    """What touches in the picture that is shown in the end."""
    return Sketch(json.loads(pictures._clearest(flow, None, None, "svg")[1])).touches()


# What touches


@pytest.mark.parametrize(
    ("line", "near", "found"),
    [
        ((-5, 5, 15, 5), 0, True),
        ((3, 3, 4, 4), 0, True),
        ((-5, 12, 15, 12), 0, False),
        ((-5, 12, 15, 12), 2, True),
        ((-8, 5, 5, 18), 0, False),
        ((-8, 5, 5, 18), 3, True),
        ((11, -5, 11, 15), 0.4, False),
        ((11, -5, 11, 15), 0.6, True),
        ((5, 11, 5, 30), 0, False),
    ],
)
def test_a_straight_piece_cuts_a_rectangle_or_passes_it(
    line: tuple[float, float, float, float], near: float, found: bool
) -> None:
    """The rectangle is 10 by 10, from 0; the line is 1 wide."""
    assert Piece(0, *line, half=0.5).cuts(Area(0, 0, 10, 10), near) is found


@pytest.mark.parametrize(
    ("box", "label", "found"),
    [
        (0, 1, {"box 2", "label 2->1 ship"}),
        (10, 30, {"box 2"}),
        (60, 1, {"label 2->1 ship"}),
        (60, 4, set()),
        (60, -20, {"label 2->1 ship"}),
    ],
)
def test_a_line_across_a_box_and_across_the_label_of_another_arrow_is_found(
    box: int, label: int, found: set[str]
) -> None:
    """The line goes straight up at 0; a box of 54 points has its middle at `box`, a label of 40 begins at `label`."""
    up = {"_gvid": 0, "tail": 0, "head": 1, "_draw_": [{"op": "b", "points": [[0, 0], [0, 60], [0, 120], [0, 180]]}]}
    font = {"op": "F", "size": 12.0}
    text = {"op": "T", "pt": [label, 140], "align": "l", "width": 40, "text": "ship"}
    other = {"_gvid": 1, "tail": 2, "head": 1, "_ldraw_": [font, text]}
    places = {0: "0,0", 1: "0,180", 2: f"{box},90"}
    boxes = [{"_gvid": n, "name": str(n), "pos": pos, "width": "0.75", "height": "0.5"} for n, pos in places.items()]
    layout = {"objects": [{"_gvid": 9}, *boxes], "edges": [up, other]}
    assert {touch.touched for touch in Sketch(layout).touches()} == found
    assert {touch.by for touch in Sketch(layout).touches()} <= {"line 0->1"}
    assert crossings(layout) == len(found)


@pytest.mark.parametrize(("apart", "found"), [(3, True), (9, True), (11, False)])
def test_labels_that_read_as_one_are_found(apart: int, found: bool) -> None:
    font = {"op": "F", "size": 12.0}
    texts = [
        {"op": "T", "pt": [at, 140], "align": "l", "width": 40, "text": text}
        for text, at in (("weiter", 0), ("halt", 40 + apart))
    ]
    edges = [{"_gvid": n, "tail": n, "head": 1 - n, "_ldraw_": [font, text]} for n, text in enumerate(texts)]
    boxes = [{"_gvid": n, "name": name} for n, name in enumerate("ab")]
    layout = {"objects": boxes, "edges": edges}
    expected = {Touch("label a->b weiter", "label b->a halt"), Touch("label b->a halt", "label a->b weiter")}
    assert set(Sketch(layout).touches()) == (expected if found else set())


def test_graphviz_by_itself_leads_lines_through_labels() -> None:
    """The measure sees what a person saw: else nothing below would prove anything."""
    found = Sketch(by_itself("hold")[1]).touches()
    assert Touch("label waiting_hold->pending resume", "line pending->waiting_hold halt") in found
    assert Touch("label pending->waiting_hold halt", "line inventory_tied->pending untie") in found
    read_as_one = Sketch(by_itself("florist")[1]).touches()
    assert Touch("label wartet->pending weiter", "label pending->wartet halt") in read_as_one
    own = Sketch(by_itself("gifts")[1]).touches()
    assert Touch("label draft->deposit_due preorder", "line draft->deposit_due preorder") in own


# Labels that move


@pytest.mark.parametrize("name", DRAWINGS)
def test_in_the_end_nothing_touches_a_label_or_a_box(name: str) -> None:
    assert Sketch(json.loads(pictures._clearest(*DRAWINGS[name], "svg")[1])).touches() == []


@pytest.mark.parametrize("name", ["hold", "florist", "gifts", "placed elsewhere", "tangled"])
def test_a_label_that_moved_stands_beside_its_own_line_and_the_others_stay(name: str) -> None:
    sketch = Sketch(by_itself(name)[1])
    before = dict(sketch.labels)
    moves = placed(sketch)
    assert moves
    for edge, label in sketch.labels.items():
        if edge not in moves:
            assert label == before[edge]
            continue
        across, up = moves[edge]
        for moved, old, by in zip(label.area, before[edge].area, (across, up, across, up), strict=True):
            assert moved == pytest.approx(old + by)
        near = label.area.grown(8)
        assert any(near.left < x < near.right and near.low < y < near.high for x, y in sketch.lines[edge])


@pytest.mark.parametrize("name", ["hold", "gifts", "in progress", "tangled", "notes", "large"])
def test_only_labels_move_and_the_picture_stays_as_large(name: str) -> None:
    text, layout = by_itself(name)
    moves = {edge["_gvid"]: (3.0, -2.0) for edge in layout["edges"] if "lp" in edge}
    again = json.loads(pictures.paint(pinned(text, layout, moves), "json", placed=True)[0])
    old, new = Sketch(layout), Sketch(again)
    (dx, dy) = (new.boxes[next(iter(new.boxes))][side] - old.boxes[next(iter(old.boxes))][side] for side in (0, 1))
    for number, box in old.boxes.items():
        assert new.boxes[number] == pytest.approx(box.moved(dx, dy), abs=0.1)
    for edge, line in old.lines.items():
        assert new.lines[edge] == [pytest.approx((x + dx, y + dy), abs=0.1) for x, y in line]
    for edge, label in old.labels.items():
        assert new.labels[edge].text == label.text
        assert new.labels[edge].area == pytest.approx(label.area.moved(dx + 3, dy - 2), abs=0.1)
    once, pinned_there = (
        ElementTree.fromstring(pictures.paint(drawn, "svg", placed=there)[0])
        for drawn, there in ((text, False), (pinned(text, layout, {}), True))
    )
    for side in ("width", "height"):
        size, other = (float(root.get(side, "").removesuffix("pt")) for root in (once, pinned_there))
        assert size - 1 <= other <= size + 5  # a line that swings out may count a little wider


def test_a_drawing_that_is_clean_at_once_stays_as_it_is() -> None:
    flow = Flow(
        "plain",
        "a",
        (State("a", Stock.FREE), State("b", Stock.FREE)),
        (Transition("go", ("a",), "b", "Went"),),
        ("go",),
    )
    once = pictures.paint(dot(flow, face=pictures._FACE), "dot")[0]
    assert pictures._clearest(flow, None, None, "dot")[0] == once


def test_another_room_is_tried_where_no_label_finds_a_place() -> None:
    flow = dense(1, 6, 6)
    first = Sketch(laid_out(dot(flow, face=pictures._FACE)))
    placed(first)
    assert first.touches() != []
    assert touches(flow) == []


def test_the_same_drawing_has_its_labels_in_the_same_places() -> None:
    assert picture(PAYMENT.flow, None, EMPTY) == picture(PAYMENT.flow, None, EMPTY)
    assert picture(STANDARD) == picture(STANDARD)


def test_several_loops_of_a_state_are_led_around_their_labels() -> None:
    assert touches(NOTES) == []


@pytest.mark.parametrize(("states", "triggers"), [(5, 5), (8, 8), (12, 10), (16, 18)])
def test_dense_flows_are_clean_too(states: int, triggers: int) -> None:
    for seed in range(4):
        assert touches(dense(seed, states, triggers)) == [], seed


def loops(flow: Flow) -> int:
    """Arrows from a state to itself."""
    return sum(t.target in t.sources for t in flow.transitions)


@settings(max_examples=12, deadline=None)  # each starts a few processes
@given(flows(most=6).filter(lambda flow: loops(flow) < 2))
def test_nothing_touches_in_any_flow_without_several_loops(flow: Flow) -> None:
    assert touches(flow) == []


@settings(max_examples=8, deadline=None)  # each starts up to ten processes
@given(flows())
def test_with_several_loops_no_more_labels_are_touched_than_there_are_loops(flow: Flow) -> None:
    assert len({touch.touched for touch in touches(flow)}) <= loops(flow)
