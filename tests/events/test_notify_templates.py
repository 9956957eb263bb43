"""Templates: the language, the messages that the built-in ones make, templates of one's own, and hostile values."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notices import notice

from orderstate.events.notify import Message, check, mustache, render
from orderstate.events.notify.facts import facts
from orderstate.events.notify.mustache import TemplateError, parse
from orderstate.events.notify.rendering import BUILT_IN
from orderstate.events.notify.samples import samples
from orderstate.events.outcomes import Later, Never
from orderstate.model import Line

GOLDEN = Path(__file__).parent / "golden"
TOLD = [
    "OrderPlaced", "InventoryTied", "OrderBackordered", "ShippingStarted", "OrderReduced", "OrderRedirected",
    "OrderSplit", "OrderCancelled",
]  # fmt: skip


def filled(text: str, values: dict[str, Any], parts: dict[str, str] | None = None, *, html: bool = False) -> str:
    """The text of a template with these values and parts."""

    def part(name: str) -> mustache.Template | None:
        return parse(name, parts[name]) if parts and name in parts else None

    return mustache.render(parse("t", text), values, part, html=html)


# The language


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        # from the specification of Mustache: interpolation, sections, inverted, comments, partials
        ("Hello, {{subject}}!\n", {"subject": "world"}, "Hello, world!\n"),
        ("{{a.b.c}}", {"a": {"b": {"c": 5}}}, "5"),
        ("| {{ string }} |", {"string": "---"}, "| --- |"),
        ("I ({{cannot}}) be seen!", {"cannot": None}, "I () be seen!"),
        ('"{{#list}}{{item}}{{/list}}"', {"list": [{"item": 1}, {"item": 2}, {"item": 3}]}, '"123"'),
        ('"{{#list}}({{.}}){{/list}}"', {"list": ["a", "b"]}, '"(a)(b)"'),
        ('"{{#boolean}}This should not be rendered.{{/boolean}}"', {"boolean": False}, '""'),
        ('"{{^boolean}}This should be rendered.{{/boolean}}"', {"boolean": False}, '"This should be rendered."'),
        ('"{{^list}}none{{/list}}"', {"list": []}, '"none"'),
        ('"{{#context}}Hi {{name}}.{{/context}}"', {"context": {"name": "Joe"}}, '"Hi Joe."'),
        ("{{#a}}{{one}}{{#b}}{{one}}{{two}}{{/b}}{{/a}}", {"a": {"one": 1}, "b": {"two": 2}}, "112"),
        (
            "| This Is\n{{#boolean}}\n|\n{{/boolean}}\n| A Line\n",
            {"boolean": True},
            "| This Is\n|\n| A Line\n",
        ),
        ("| {{#boolean}}\t|\t{{/boolean}} |", {"boolean": True}, "| \t|\t |"),
        ("#{{#boolean}}\n/\n  {{/boolean}}", {"boolean": True}, "#\n/\n"),
        ("Begin.\n  {{! Indented Comment }}\nEnd.\n", {}, "Begin.\nEnd.\n"),
        ("12345{{!\n  multi-line\n}}67890\n", {}, "1234567890\n"),
        ("  12 {{! 34 }}\n", {}, "  12 \n"),
        ("\n{{#a}}\n{{/a}}\n", {"a": True}, "\n"),
    ],
)
def test_the_language_is_a_part_of_mustache(text: str, values: dict[str, Any], expected: str) -> None:
    assert filled(text, values) == expected


def test_a_part_stands_where_its_tag_is_and_sees_the_values() -> None:
    parts = {"row": "{{n}},\n"}
    assert filled("<{{#rows}}{{> row}}{{/rows}}>", {"rows": [{"n": 1}, {"n": 2}]}, parts) == "<1,\n2,\n>"
    assert filled("a\n  {{> row}}\nb", {"n": 1}, parts) == "a\n1,\nb"


def test_values_are_escaped_in_html_and_only_there() -> None:
    values = {"x": "<b title='\"'>&"}
    assert filled("{{x}}", values, html=True) == "&lt;b title=&#x27;&quot;&#x27;&gt;&amp;"
    assert filled("{{x}}", values) == values["x"]


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("a\n\n{{ordre}}", 3, "unknown name 'ordre'; did you mean order?"),
        ("{{lines.sku}}", 1, "unknown name 'lines.sku'"),
        ("{{lines}}", 1, "'lines' is a list: write {{#lines}} ... {{/lines}}"),
        ("{{yes}}", 1, "'yes' is a flag: write {{#yes}} ... {{/yes}}"),
        ("\n{{#lines}}", 2, "{{#lines}} is never closed"),
        ("{{/lines}}", 1, "{{/lines}} closes what was never opened"),
        ("{{#lines}}\n{{/yes}}", 2, "{{/yes}} where {{/lines}} of line 1 is due"),
        ("{{{order}}}", 1, "values are always escaped: write {{order}}"),
        ("{{& order}}", 1, "values are always escaped: write {{order}}"),
        ("{{=<% %>=}}", 1, "the delimiters are always {{ and }}"),
        ("{{}}", 1, "a tag without a name"),
        ("\n{{a b}}", 2, "'a b' is no name"),
        ("{{> ../../etc/passwd}}", 1, "'../../etc/passwd' is no name"),
        ("{{> nobody}}", 1, "there is no part 'nobody'"),
        ("{{order", 1, "{{ without its other half"),
        ("x\ny }} {{order}}", 2, "}} without its other half"),
        ("{{#yes}}" * 9 + "{{/yes}}" * 9, 1, "more than 8 sections within each other"),
        ("{{> again}}", 1, "more than 8 parts within each other: again holds itself"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, why: str) -> None:
    values = {"order": "1001", "lines": [{"sku": "MUG"}], "yes": True}
    with pytest.raises(TemplateError) as raised:
        filled(text, values, {"again": "{{> again}}"})
    assert (raised.value.line, raised.value.why) == (line, why)


def test_what_a_template_may_cost_is_counted() -> None:
    many = list(range(1000))
    with pytest.raises(TemplateError, match=r"grows longer than 200,000 characters"):
        filled("{{#a}}{{#a}}0123456789{{/a}}{{/a}}", {"a": many})
    with pytest.raises(TemplateError, match=r"more than 200,000 items"):
        filled("{{#a}}{{#a}}{{#a}}{{/a}}{{/a}}{{/a}}", {"a": many})
    with pytest.raises(TemplateError, match=r"longer than 200,000 characters"):
        parse("t", "x" * 200_001)


@given(st.text(alphabet="{}#^/>!&= ab.\n", max_size=40))
def test_any_text_is_a_template_or_has_a_line_that_is_wrong(text: str) -> None:
    try:
        filled(text, {"a": [{"b": "x"}], "b": "y"}, {"a": "{{b}}"})
        line = 1
    except TemplateError as error:
        line = error.line
    assert 1 <= line <= text.count("\n") + 1


# The built-in templates


def shown(message: Message) -> str:
    """A message as the golden files keep it."""
    return f"Subject: {message.subject}\n\n{message.text}\n{'-' * 20}\n\n{message.html}"


def golden() -> dict[str, str]:
    """File name to content: each event's message that says most."""
    found = {}
    for name in TOLD:
        message = render(samples()[name][0])
        assert message is not None
        found[f"{name}.txt"] = shown(message)
    return found


@pytest.mark.parametrize("name", TOLD)
def test_the_built_in_words_are_those_that_people_have_read(name: str) -> None:
    assert golden()[f"{name}.txt"] == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8"), (
        "run: python tests/events/test_notify_templates.py"
    )


def test_what_tells_the_customer_is_what_has_a_template() -> None:
    told = {name for name, pair in samples().items() if render(pair[0]) is not None}
    assert told == set(TOLD)
    assert {file.stem for file in BUILT_IN.glob("Order*.html")} == {name for name in TOLD if name.startswith("Order")}
    assert render(notice("StockReceived")) is None
    assert render(notice("../../x")) is None


def test_the_built_in_templates_pass_their_own_check() -> None:
    found = list(check())
    assert [c.name for c in found] == sorted(TOLD)
    assert [c.problem for c in found] == [None] * len(TOLD)
    assert all(len(c.messages) == 2 for c in found)


def test_the_id_is_unique_in_the_world_and_every_name_follows_from_it() -> None:
    one, again, other = render(notice()), render(notice(state="shipping")), render(notice(id="1002"))
    assert one is not None
    assert again is not None
    assert other is not None
    assert one.id == "/orderstate/4f0c9d2b6a1e4c7f8d3b5a9e0c1d2f3a/1001:2"
    assert (one.message_id, one.file_name, one.webhook_id) == (again.message_id, again.file_name, again.webhook_id)
    assert re.fullmatch(r"<1001-2\.[0-9a-f]{16}@[0-9a-f]{16}\.orderstate>", one.message_id)
    for name in ("message_id", "file_name", "webhook_id"):
        assert getattr(one, name) != getattr(other, name)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,255}", fullmatch=True))
def test_any_order_id_makes_names_that_fit_everywhere(order: str) -> None:
    made = render(notice(id=order))
    assert made is not None
    assert re.fullmatch(r"[A-Za-z0-9_-]*\.[0-9a-f]{16}", made.file_name)
    assert len(made.file_name) <= 90
    assert re.fullmatch(r"<[A-Za-z0-9_-]*\.[0-9a-f]{16}@[0-9a-f]{16}\.orderstate>", made.message_id)
    assert "." not in made.webhook_id
    folded = render(notice(id=order.swapcase()))
    assert folded is not None
    assert order.isdigit() or order == order.swapcase() or made.file_name.lower() != folded.file_name.lower()


def test_what_was_placed_is_told_even_if_it_was_changed_since() -> None:
    placed = render(notice("OrderPlaced", {"lines": [["MUG", 7]]}))
    assert placed is not None
    assert "  7 x MUG\n" in placed.text
    now = render(notice("InventoryTied"))
    assert now is not None
    assert "  1 x CUP\n  2 x MUG\n" in now.text


def test_a_part_that_was_split_off_is_told_once_by_its_parent() -> None:
    assert render(notice("OrderPlaced", {"lines": [["MUG", 1]], "parent": "1001"}, id="1001-2")) is None
    assert render(notice("InventoryTied", trigger="split", id="1001-2")) is None
    split = render(notice("OrderSplit", {"child": "1001-2", "moved": [["MUG", 1]]}))
    assert split is not None
    assert "as order 1001-2" in split.text


def test_several_parcels_are_told_as_such() -> None:
    one, two = (
        render(notice("ShippingStarted", {"shipments": [[facility, 1] for facility in facilities]}))
        for facilities in (["DEN"], ["DEN", "NYC"])
    )
    assert one is not None
    assert two is not None
    assert "in 2 parcels" in two.text
    assert "parcels" not in one.text
    assert "DEN" not in one.text + two.text, "where the goods lay is nothing to the customer"


@pytest.mark.parametrize(
    "payload",
    [
        {"cancelled": [["MUG"]]},
        {"cancelled": 7},
        {"cancelled": [["MUG", "two"]]},
        {"cancelled": [[7, 2]]},
        {"reason": ["x"]},
        {"from": "nowhere"},
    ],
)
def test_a_payload_that_cannot_be_read_is_parked(payload: dict[str, Any]) -> None:
    with pytest.raises(Never, match=r"^the payload of 1001:2 \(OrderReduced\) cannot be read: "):
        render(notice("OrderReduced", payload))


# Templates of one's own


def test_a_template_of_ones_own_replaces_the_built_in_one_of_its_name_with_its_html(tmp_path: Path) -> None:
    (tmp_path / "InventoryTied.txt").write_text("Bestellung {{order}} liegt bereit\n\n{{> lines}}\n", encoding="utf-8")
    made = render(notice(), tmp_path)
    assert made is not None
    assert made.subject == "Bestellung 1001 liegt bereit"
    assert made.text == "  1 x CUP\n  2 x MUG\n"
    assert made.html is None
    other = render(notice("OrderCancelled"), tmp_path)
    assert other is not None
    assert other.subject == "Your order 1001 is cancelled"
    assert other.html is not None
    (tmp_path / "InventoryTied.html").write_text("\ufeff<p>{{shop}}</p>\r\n", encoding="utf-8")
    both = render(notice(shop="B & B"), tmp_path)
    assert both is not None
    assert both.html == "<p>B &amp; B</p>\n"


def test_a_part_of_ones_own_changes_every_message(tmp_path: Path) -> None:
    (tmp_path / "foot.txt").write_text("Ring us: 555-0100\n", encoding="utf-8")
    for name in TOLD:
        made = render(samples()[name][0], tmp_path)
        assert made is not None
        assert made.text.endswith("\nRing us: 555-0100\n")
    assert [c.problem for c in check(tmp_path)] == [None] * len(TOLD)


def test_an_empty_template_silences_an_event(tmp_path: Path) -> None:
    (tmp_path / "InventoryTied.txt").write_text("\n", encoding="utf-8")
    assert render(notice(), tmp_path) is None
    assert render(notice("OrderCancelled"), tmp_path) is not None


def test_an_event_of_ones_own_flow_is_told_by_a_template_of_its_name(tmp_path: Path) -> None:
    assert render(notice("PaymentCaptured"), tmp_path) is None
    (tmp_path / "PaymentCaptured.txt").write_text("Thank you\nPaid: {{order}}\n", encoding="utf-8")
    made = render(notice("PaymentCaptured"), tmp_path)
    assert made is not None
    assert (made.subject, made.text) == ("Thank you", "Paid: 1001\n")


def test_a_folder_that_is_not_there_is_no_reason_to_use_other_words(tmp_path: Path) -> None:
    with pytest.raises(Later, match=r"the folder of templates .* is not there"):
        render(notice(), tmp_path / "missing")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"Subject\n\n{{ordr}}\n", r"InventoryTied\.txt:3: unknown name 'ordr'; did you mean order\?"),
        (b"\n{{order}}\n", r"InventoryTied\.txt:1: the first line is the subject, and it is empty"),
        (b"a\n\xff\n", r"InventoryTied\.txt:2: not UTF-8"),
        (b"x" * 200_001, r"InventoryTied\.txt:1: longer than 200,000 characters"),
        (b"a {{#lines}}", r"InventoryTied\.txt:1: \{\{#lines\}\} is never closed"),
    ],
)
def test_a_template_with_an_error_is_parked_with_file_and_line(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "InventoryTied.txt").write_bytes(content)
    with pytest.raises(Never, match=problem):
        render(notice(), tmp_path)
    (found,) = (c for c in check(tmp_path) if c.problem)
    assert found.name == "InventoryTied"
    assert re.search(problem, str(found.problem))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_template_that_may_not_be_read_is_parked(tmp_path: Path) -> None:
    (tmp_path / "InventoryTied.txt").write_text("x", encoding="utf-8")
    (tmp_path / "InventoryTied.txt").chmod(0)
    with pytest.raises(Never, match="cannot be read: Permission denied"):
        render(notice(), tmp_path)


def test_the_check_finds_what_only_some_orders_would_show(tmp_path: Path) -> None:
    (tmp_path / "OrderCancelled.txt").write_text("x\n{{^name}}{{nme}}{{/name}}\n", encoding="utf-8")
    (found,) = (c for c in check(tmp_path) if c.problem)
    assert found.problem is not None
    assert "unknown name 'nme'; did you mean name" in found.problem


def test_the_check_finds_files_that_nothing_uses(tmp_path: Path) -> None:
    for name in ("InventoryTide.txt", "notes.md", "OrderPlaced.html", "PaymentCaptured.txt", "mine.txt"):
        (tmp_path / name).write_text("x\ny\n", encoding="utf-8")
    (tmp_path / "OrderCancelled.txt").write_text("x\n{{> mine}}\n", encoding="utf-8")
    found = {Path(c.file).name: c.problem for c in check(tmp_path, ["PaymentCaptured"]) if c.problem}
    assert found == {
        "InventoryTide.txt": "no event is called InventoryTide; did you mean InventoryTied or InventoryUntied?",
        "notes.md": "templates end in .txt or .html",
        "OrderPlaced.html": "needs OrderPlaced.txt beside it: the text, with the subject in its first line",
    }
    assert "PaymentCaptured" in {c.name for c in check(tmp_path, ["PaymentCaptured"])}
    assert [c.problem for c in check(tmp_path / "missing")] == ["there is no such folder"]


# Hostile values

anything = st.text(max_size=60) | st.sampled_from(
    [
        "x\r\nBcc: evil@example.org",
        "<script>alert(1)</script>",
        '" onload="x',
        "\u202egnp.exe",
        "\x1b[2J",
        "a\u2028b",
        "{{order}}",
    ]
)


class Tags(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(f"{tag} {' '.join(name for name, _ in attrs)}".strip())

    def handle_data(self, data: str) -> None:
        self.words += data


def tags(page: str) -> Tags:
    """What a browser would see."""
    found = Tags()
    found.feed(page)
    found.close()
    return found


@given(sku=anything, shop=anything, name=anything)
def test_no_value_breaks_out_of_its_line_or_becomes_markup(sku: str, shop: str, name: str) -> None:
    plain = notice("OrderReduced", {"cancelled": [["X", 1]]}, shop="S", contact=None, lines=(Line("X", 1),))
    told = notice("OrderReduced", {"cancelled": [[sku, 1]]}, shop=shop, contact=name, lines=(Line(sku, 1),))
    expected, made = render(plain), render(told)
    assert expected is not None
    assert made is not None
    assert made.html is not None
    assert expected.html is not None
    lost = 0 if facts(told)["shop"] else 1  # an empty name of the shop takes its line with it
    assert made.text.count("\n") == expected.text.count("\n") - lost
    assert all(line == "" or line.isprintable() or set("\u200c\u200d") & set(line) for line in made.text.split("\n"))
    assert [t for t in tags(made.html).tags if t != "br"] == [t for t in tags(expected.html).tags if t != "br"]
    if shown_sku := facts(told)["lines"][0]["sku"]:
        assert shown_sku in tags(made.html).words


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for file, content in golden().items():
        (GOLDEN / file).write_text(content, encoding="utf-8")
