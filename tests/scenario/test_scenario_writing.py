"""A scenario that is written reads back as the same; a step on one line says what a person would write."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderstate.machine import STANDARD
from orderstate.model import Allocation
from orderstate.scenario import (
    Expectation,
    Scenario,
    Step,
    StockRow,
    World,
    document,
    dump,
    from_document,
    read,
    run,
    schema,
)
from orderstate.scenario.references import escaped, replaced
from orderstate.scenario.vocabulary import COMMANDS, EXPECT, VERBS, moment, moment_text
from orderstate.scenario.writing import amount, title

_TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=20).filter(
    lambda text: "${" not in text and text == text.strip() and text.isprintable()
)
_SKU = st.one_of(st.sampled_from(["MUG", "4711", "null", "yes", "a: b", "1e3", "0x1F", "~", "- x", "#"]), _TEXT)
_PLACE = st.builds(
    lambda lines, contact: {"lines": lines, "to": "US@39.74,-104.99", "contact": contact},
    st.dictionaries(_SKU, st.integers(1, 9), min_size=1, max_size=3),
    _TEXT,
)
_EXPECT = st.builds(
    Expectation,
    exit=st.none() | st.integers(0, 255),
    error=st.none() | _TEXT,
    refused=st.none() | st.sets(_TEXT).map(lambda codes: tuple(sorted(codes))),
    state=st.none() | st.sampled_from([state.name for state in STANDARD.states]),
    version=st.none() | st.integers(1, 99),
    changed=st.none() | st.booleans(),
    repeated=st.none() | st.booleans(),
    events=st.none() | st.lists(st.sampled_from(["OrderPlaced", "InventoryTied"])).map(tuple),
    stock=st.none()
    | st.fixed_dictionaries({"D": st.dictionaries(_SKU, st.just({"on_hand": 3, "back": {"safety": 0}}))}),
    orders=st.none() | st.just({"a": "pending", "1001-2": "shipping"}),
    plan=st.none()
    | st.just({"facilities": ("D",), "allocations": (Allocation("D", "M", "back", 2),), "optimal": True}),
    cost=st.none() | st.integers(0, 10**9),
    bound=st.none() | st.integers(0, 10**9),
    short=st.none() | st.dictionaries(_SKU, st.integers(1, 9)),
    says=st.none() | _TEXT,
)  # fmt: skip


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Any script that a program could put together."""
    held = draw(st.dictionaries(st.tuples(_SKU, st.sampled_from(["primary", "back"])), st.integers(0, 99), max_size=4))
    world = World(
        clock=draw(st.integers(0, 2**52)),
        flow=draw(st.sampled_from([None, STANDARD, replace(STANDARD, name="other")])),
        settings=draw(st.sampled_from([{}, {"short": "split", "markets": ""}])),
        facilities={"D": {"country": "NO", "closed": draw(st.booleans()), "name": draw(_TEXT)}},
        stock=tuple(StockRow("D", sku, units, pool) for (sku, pool), units in held.items()),
    )
    steps = (
        Step("place", draw(_PLACE), "a", draw(_EXPECT)),
        Step("tie", {"order": "${a}", "reason": escaped(draw(_TEXT))}, expect=draw(_EXPECT)),
        Step("wait", {"for": draw(st.integers(1, 10**12))}, expect=Expectation(events=())),
        Step("repeat", {"step": "a"}),
        Step(
            "together",
            members=(Step("tie", {"order": "${a}"}, "b"), Step("repeat", {"step": "a"})),
            expect=Expectation(exits=(0, 5)),
        ),
        Step("use_flow", {"file": "standard", "map": {"pending": "backordered"}}, flow=STANDARD),
        Step("use_flow", {}, flow=replace(STANDARD, name="third")),
        Step("at", {"moment": 2**53}),
    )
    return Scenario(draw(_TEXT), steps, world, draw(st.none() | _TEXT))


@settings(max_examples=60, deadline=None)
@given(scenarios())
def test_what_is_written_reads_back_as_the_same(scenario: Scenario) -> None:
    text = dump(scenario)
    assert read(text) == scenario
    assert dump(read(text)) == text
    assert from_document(document(scenario)) == scenario


def test_a_time_is_told_as_it_was_written() -> None:
    steps = "".join(f"  - wait: {text}\n" for text in ("2d", "48h", "2w", "120m", "60s"))
    scenario = read(f"scenario: s\nsteps:\n{steps}")
    told = [step.title for step in run(scenario).steps]
    assert told == ["wait: 2d", "wait: 48h", "wait: 2w", "wait: 120m", "wait: 60s"]
    assert read(dump(scenario)) == scenario
    assert from_document(document(scenario)) == scenario


def test_a_step_on_one_line_is_what_a_person_would_write() -> None:
    steps = read(
        """\
scenario: s
steps:
  - place: {lines: {MUG: 2}, to: "US@39.74,-104.99", contact: "a: b"}
    as: a
  - tie: ${a}
  - cancel: {order: "${a}", as: customer, reason: 'said "no"'}
  - wait: 48h
  - at: 2026-01-05T09:00:00+01:00
  - repeat: a
  - together: [{tie: "${a}"}, {ship: {order: 1001, if_version: 2}}]
  - use_flow: {flow: {extends: standard, name: other}, map: {pending: backordered}}
  - adjust: {facility: D, sku: M, to_units: 0, untie: true}
"""
    ).steps
    assert [title(step) for step in steps] == [
        'place: {lines: {MUG: 2}, to: "US@39.74,-104.99", contact: "a: b"}',
        "tie: ${a}",
        'cancel: {order: "${a}", as: customer, reason: "said \\"no\\""}',
        "wait: 48h",
        "at: 2026-01-05T08:00:00Z",
        "repeat: a",
        'together: [tie: "${a}", ship: {order: 1001, if_version: 2}]',
        "use_flow: {flow: other, map: {pending: backordered}}",
        "adjust: {facility: D, sku: M, to_units: 0, untie: true}",
    ]


def test_a_step_on_one_line_is_yaml_that_reads_back_as_the_same_step() -> None:
    head = "scenario: s\nsteps:\n  - place: {lines: {MUG: 2}, to: US}\n    as: a\n"
    steps = read(
        f"""{head}\
  - cancel: {{order: "${{a}}", as: customer, reason: 'said "no"'}}
  - together: [{{tie: "${{a}}"}}, {{ship: {{order: "${{a}}", if_version: 2}}}}, {{repeat: a}}]
  - fire: {{order: "${{a.child}}", trigger: tie_inventory, only: [DEN, NYC]}}
"""
    ).steps
    again = read(head + "".join(f"  - {title(step)}\n" for step in steps[1:])).steps
    assert again == steps


def test_a_long_step_is_written_over_several_lines_and_never_in_the_middle_of_a_value() -> None:
    lines = {f"SKU-{number}": 1 for number in range(30)}
    text = dump(Scenario("s", (Step("place", {"lines": lines, "to": "US"}),)))
    assert all(f"SKU-{number}: 1" in text for number in range(30))
    assert "  - place:\n      lines:\n        SKU-0: 1\n" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(5_300, "5.30"), (5_000, "5"), (665_210, "665.21"), (1, "0.001"), (0, "0"), (1_234_500, "1234.50")],
)
def test_money_has_two_decimals_where_that_is_exact(value: int, text: str) -> None:
    assert amount(value) == text


@given(st.integers(0, 2**56))
def test_a_moment_reads_back_to_the_microsecond(at: int) -> None:
    assert moment(moment_text(at)) == at


@pytest.mark.parametrize("text", ["2026-01-05", "2026-01-05 00:00", "2026-01-05T00:00:00Z", "2026-01-05T01:00+01:00"])
def test_a_moment_may_be_written_in_several_ways(text: str) -> None:
    assert moment(text) == 1_767_571_200_000_000


def test_a_reference_is_resolved_wherever_it_stands_unless_it_is_escaped() -> None:
    found = replaced(
        {"${a}": ["x ${b.child}", 3, None], "n": {"k": "$${a} costs $5 {}"}}, lambda name, part: f"<{name}:{part}>"
    )
    assert found == {"<a:None>": ["x <b:child>", 3, None], "n": {"k": "${a} costs $5 {}"}}


@given(st.text("${}a", max_size=12))
def test_escaped_text_comes_out_as_it_went_in(text: str) -> None:
    assert replaced(escaped(text), lambda name, part: "never") == text


def test_the_schema_for_editors_knows_every_word_of_the_language() -> None:
    found = schema()
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(found["$defs"]["step"]["properties"]) == {*VERBS, "as", "expect"}
    assert set(found["$defs"]["expect"]["properties"]) == set(EXPECT)
    for name, fields in COMMANDS.items():
        one = found["$defs"][f"command.{name}"]
        whole = one if "properties" in one else one["anyOf"][1]
        assert set(whole["properties"]) == set(fields), name
    assert not [ref for ref in _references(found) if ref.removeprefix("#/$defs/") not in found["$defs"]]


def _references(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [ref for item in value.values() for ref in _references(item)]
    return [ref for item in value for ref in _references(item)] if isinstance(value, list) else []
