"""Scenario files as people write them: every mistake is told where it stands, with what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderstate import InvalidInput, NotFound, OrderstateError
from orderstate.model import Allocation
from orderstate.scenario import (
    Expectation,
    Scenario,
    StockRow,
    document,
    dump,
    examine,
    from_document,
    load,
    load_all,
    read,
    read_all,
)

WHOLE = """\
# yaml-language-server: $schema=scenario.schema.json
scenario: Everything that can be said
about: |
  Over several
  lines.
world:
  clock: 2026-01-05T09:00:00Z
  flow: {extends: standard, name: slow, states: {inventory_tied: {stock: tied, after: 48h, trigger: untie}}}
  settings: {short: split, cost.per_km: 0.50}
  facilities:
    DENVER: {at: "39.86,-104.67", country: US, priority: 5, costs: {handling: 2.5}}
    OSLO: {country: NO, closed: true, at: null}
  stock:
    OSLO: {4711: {primary: 0}}
    DENVER:
      MUG: 10
      CUP: {primary: 3, back: 20, safety: {back: 2}, grams: 250}
      HAT: {back: 4, safety: 1}
steps:
  - place: {lines: {MUG: 2, 4711: 1}, to: "US@39.74,-104.99", id: mine}
    as: a
    expect: {state: pending, version: 1, events: OrderPlaced, changed: yes-no}
"""
_PARTS = (Path(__file__).parent / "mistakes.txt").read_text(encoding="utf-8").split("----\n")[1:]
MISTAKES = dict(part.removesuffix("\n").split("\n=> ") for part in _PARTS)
HINTS = {
    "scenario: s\nsteps:\n  - plce: {}": "place",
    "scenario: s\nworld: {settings: {shrt: split}}\nsteps: [{wait: 1h}]": "short",
    "scenario: s\nsteps:\n  - {ship: '1', expect: {state: shiping}}": "shipping",
    "scenario: s\nsteps:\n  - {ship: '1', expect: {events: [ShipingStarted]}}": "ShippingStarted",
    "scenario: s\nsteps:\n  - {ship: '1', as: alpha}\n  - tie: ${alpah}": "alpha",
    "scenario: s\nsteps:\n  - {ship: '1', as: alpha}\n  - repeat: alpah": "alpha",
    "scenario: s\nsteps:\n  - use_flow: stndard": "standard",
}


def one(steps: str) -> Scenario:
    return read(f"scenario: s\nworld: {{facilities: {{D: {{country: US}}}}}}\nsteps:\n{steps}")


@pytest.mark.parametrize("text", MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_names_line_column_field_value_and_what_would_be_right(text: str) -> None:
    with pytest.raises(OrderstateError) as caught:
        read(text, "f.yaml")
    assert caught.value.sentence.startswith(f"f.yaml:{MISTAKES[text]}")
    assert caught.value.exit_status in (2, 3)
    where = MISTAKES[text].split(":")
    assert (caught.value.values["line"], caught.value.values["column"]) == (int(where[0]), int(where[1]))


@pytest.mark.parametrize("text", HINTS, ids=range(len(HINTS)))
def test_an_unknown_name_comes_with_the_nearest_known_one(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(text)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("did you mean")
    assert HINTS[text] in caught.value.hint


def test_everything_that_can_be_said_of_a_world_is_read() -> None:
    found = read(WHOLE.replace("changed: yes-no", "changed: true"))
    world = found.world
    assert (found.title, found.about) == ("Everything that can be said", "Over several\nlines.\n")
    assert world.clock == 1_767_603_600_000_000
    assert world.flow is not None
    assert (world.flow.name, world.flow_file) == ("slow", None)
    assert world.settings == {"short": "split", "cost.per_km": "0.5"}
    assert world.facilities["DENVER"] == {
        "at": "39.86,-104.67", "country": "US", "priority": 5, "costs": {"handling": "2.5"},
    }  # fmt: skip
    assert world.facilities["OSLO"] == {"country": "NO", "closed": True, "at": None}
    assert set(world.stock) == {
        StockRow("OSLO", "4711", 0),
        StockRow("DENVER", "MUG", 10),
        StockRow("DENVER", "CUP", 3, grams=250),
        StockRow("DENVER", "CUP", 20, "back", 2, 250),
        StockRow("DENVER", "HAT", 4, "back", 1),
    }
    assert found.steps[0].fields["lines"] == {"MUG": 2, "4711": 1}
    assert found.steps[0].expect == Expectation(state="pending", version=1, events=("OrderPlaced",), changed=True)


def test_a_number_stays_a_name_where_a_name_belongs() -> None:
    step = one("  - {tie: 1001, expect: {orders: {1001: pending}}}").steps[0]
    assert (step.fields, step.expect.orders) == ({"order": "1001"}, {"1001": "pending"})
    rows = one("  - receive: {facility: D, items: [[4711, 5, back], [MUG, 1]]}").steps[0]
    assert rows.fields["items"] == [["4711", 5, "back"], ["MUG", 1]]
    pairs = one("  - place: {lines: [{sku: 4711, quantity: 2}, [5, 6]], to: NO, if: 1}".replace(", if: 1", ""))
    assert pairs.steps[0].fields["lines"] == [{"sku": "4711", "quantity": 2}, ["5", 6]]


def test_what_is_expected_of_a_plan_is_read_in_the_units_of_the_engine() -> None:
    expect = (
        one("  - {tie: 1001, expect: {cost: 5.3, bound: 5, plan: {allocations: [[D, M, back, 2]]}}}").steps[0].expect
    )
    assert (expect.cost, expect.bound) == (5_300, 5_000)
    assert expect.plan == {"allocations": (Allocation("D", "M", "back", 2),)}


def test_input_that_no_engine_understands_may_be_what_a_step_is_about() -> None:
    for expect in ("{exit: 2}", "{error: invalid_input}"):
        assert one(f"  - {{place: {{lines: {{MUG: 0}}, to: US}}, expect: {expect}}}").steps[0].fields["lines"] == {
            "MUG": 0
        }


MANY = """\
scenario: [many]
world:
  clock: noon
  settings: {shrt: split}
  facilities: {DEN: {country: US}}
  stock: {DNE: {MUG: 1}}
steps:
  - place: {lines: {MUG: 0}, to: US, id: mine}
    as: a
  - tie: ${a}
    expect: {orders: {mine: pendng}}
  - wiat: 1h
  - facility_add: {facility: OSLO, country: NO, closed: no way}
  - tie: ${b}
  - receive: {facility: OSLO, sku: MUG, quantity: 1}
    expect: {stock: {OSLO: {MUG: {on_hand: 1}}, PARIS: {MUG: {on_hand: 1}}}}
  - together: [{tie: "${a}", as: c}, {shp: "${a}"}]
  - ship: ${c}
---
scenario: one more
steps: [{wait: soon}]
"""


def test_every_mistake_is_told_once_and_nothing_because_of_another_one(tmp_path: Path) -> None:
    file = tmp_path / "many.scenario.yaml"
    file.write_text(MANY, encoding="utf-8")
    found, mistakes = examine(file)
    assert found == ()
    assert [(m.values["line"], m.values["field"], m.values["value"]) for m in mistakes] == [
        (1, "scenario", "a list"),
        (3, "world.clock", "noon"),
        (4, "world.settings", "shrt"),
        (6, "world.stock", "DNE"),
        (8, "quantity", 0),
        (11, "expect.orders.mine", "pendng"),
        (12, "field", "wiat"),
        (13, "closed", "no way"),
        (14, "reference", "${b}"),
        (16, "expect.stock", "PARIS"),
        (17, "field", "shp"),
        (21, "step 1.wait", "soon"),
    ]
    with pytest.raises(InvalidInput, match=r":1:11: scenario: 'a list'"):
        load_all(file)


def test_where_the_names_are_unknown_the_steps_that_name_them_are_not_called_wrong(tmp_path: Path) -> None:
    steps = "steps:\n  - tie: '1'\n    expect: {state: on_hold, stock: {DEN: {MUG: {on_hand: 1}}}}\n"
    worlds = ("{flow: none.yaml}", "{facilities: {DEN: {county: US}}, stock: {DEN: {MUG: 1}}}", "{facility: {}}")
    for world in worlds:
        (tmp_path / "s.yaml").write_text(f"scenario: s\nworld: {world}\n{steps}", encoding="utf-8")
        _, (mistake,) = examine(tmp_path / "s.yaml")
        assert mistake.values["line"] == 2
    later = "steps:\n  - use_flow: none.yaml\n  - tie: '1'\n    expect: {state: on_hold}\n"
    (tmp_path / "s.yaml").write_text(f"scenario: s\n{later}", encoding="utf-8")
    assert [m.values["line"] for m in examine(tmp_path / "s.yaml")[1]] == [3]


def test_what_is_sound_is_there_although_something_else_is_not(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("scenario: s\nsteps: [{wait: 1h}]\n---\nscenario: t\n", encoding="utf-8")
    (found,), (mistake,) = examine(tmp_path / "s.yaml")
    assert (found.title, mistake.values["field"]) == ("s", "steps")
    assert [type(m) for m in examine(tmp_path / "none.yaml")[1]] == [NotFound]


def test_a_hint_fits_where_the_mistake_stands() -> None:
    for steps, sentence in (
        ("  - place: {lines: {}, to: US}\n", 'at least one SKU with its quantity, such as {"MUG": 2}'),
        ("  - together: [{tie: '1'}, {tie: '2', expect: {}}]\n", "together with others: write it beside together"),
    ):
        with pytest.raises(InvalidInput) as caught:
            one(steps)
        assert caught.value.sentence.endswith(sentence)
        assert caught.value.hint is None


def test_a_file_may_hold_several_scenarios(tmp_path: Path) -> None:
    file = tmp_path / "two.scenario.yaml"
    file.write_text(
        "---\nscenario: one\nsteps: [{wait: 1h}]\n---\n---\nscenario: two\nsteps: [{wait: 2h}]\n", encoding="utf-8"
    )
    assert [s.title for s in load_all(file)] == ["one", "two"]
    assert {s.source for s in load_all(file)} == {str(file)}
    with pytest.raises(InvalidInput, match=r"6:1.*one scenario"):
        load(file)


def test_an_empty_file_is_no_scenario() -> None:
    for text in ("", "# words\n", "---\n---\n"):
        with pytest.raises(InvalidInput, match="a scenario with a title"):
            read_all(text)


def test_a_file_that_is_not_there_names_those_beside_it(tmp_path: Path) -> None:
    (tmp_path / "cancel.scenario.yaml").write_text("scenario: s\nsteps: [{wait: 1h}]", encoding="utf-8")
    with pytest.raises(NotFound) as caught:
        load(tmp_path / "cancle.scenario.yaml")
    assert caught.value.hint is not None
    assert "cancel.scenario.yaml" in caught.value.hint
    with pytest.raises(InvalidInput, match="is a folder, not a scenario file"):
        load(tmp_path)
    (tmp_path / "cancel.scenario.yaml").write_bytes(b"scenario: \xff")
    with pytest.raises(InvalidInput, match="UTF-8"):
        load(tmp_path / "cancel.scenario.yaml")


def test_a_flow_file_is_found_beside_the_scenario_and_its_faults_are_told_at_its_own_lines(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    flow = tmp_path / "flows" / "mine.yaml"
    script = tmp_path / "s.scenario.yaml"
    script.write_text("scenario: s\nworld: {flow: flows/mine.yaml}\nsteps: [{wait: 1h}]\n", encoding="utf-8")
    flow.write_text("extends: standard\nname: mine\n", encoding="utf-8")
    assert load(script).world.flow_file == "flows/mine.yaml"
    assert read(dump(load(script)), folder=tmp_path) == load(script)
    flow.write_text("extends: standard\ninitial: nowhere\n", encoding="utf-8")
    with pytest.raises(NotFound, match=r"mine\.yaml:2:10"):
        load(script)


def test_a_document_reads_as_its_yaml_does() -> None:
    found = read(WHOLE.replace("changed: yes-no", "changed: true"))
    assert from_document(document(found)) == found
    with pytest.raises(InvalidInput, match=r"mine: step 1\.wait: 'x'"):
        from_document({"scenario": "s", "steps": [{"wait": "x"}]}, name="mine")


_WORDS = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        ": ",
        "- ",
        "\n",
        "~",
        "''",
        "${a}",
        "${",
        "a",
        "0",
        "-1",
        "9" * 30,
        "state",
        "expect",
        "tie",
        "&x ",
        "*x",
    ]
)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([WHOLE, *MISTAKES]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 8), _WORDS), max_size=4),
)
def test_whatever_is_written_is_read_or_refused_with_its_place(text: str, slips: list[tuple[int, int, str]]) -> None:
    for at, gone, come in slips:
        at %= len(text)
        text = text[:at] + come + text[at + gone :]
    refused: OrderstateError | None = None
    found: tuple[Scenario, ...] = ()
    try:
        found = read_all(text, "f.yaml")
    except OrderstateError as error:
        refused = error
    assert refused is None or ("f.yaml" in refused.sentence and refused.exit_status in (2, 3, 4))
    assert all(read(dump(one)) == one for one in found)
