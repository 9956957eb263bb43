"""Scenarios run: time and timers, keys, races, names, the database that is kept, and what is left behind: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from worlds import rows

from orderstate import Engine, InvalidInput, NotFound, OrderstateError, Refused
from orderstate.machine import STANDARD
from orderstate.scenario import Coverage, Report, Scenario, moves, read, run

WORLD = """\
scenario: s
world:
  settings: {strategy: nearest}
  facilities: {DEN: {country: US}}
  stock: {DEN: {MUG: 9}}
steps:
"""
TIMED = """\
scenario: timers
world:
  clock: 2026-01-05T09:00:00Z
  flow:
    extends: standard
    name: timed
    states:
      pending: {stock: free, after: 3h, trigger: cancel}
      inventory_tied: {stock: tied, after: 2h, trigger: untie}
  facilities: {DEN: {country: US}}
  stock: {DEN: {MUG: 9}}
steps:
"""


def played(steps: str, world: str = WORLD) -> Report:
    return run(read(world + steps))


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go, empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_time_stands_still_but_for_wait_and_at(tmp_path: Path) -> None:
    steps = """\
  - place: {lines: {MUG: 1}, to: US}
    as: a
  - wait: 90m
  - tie: ${a}
  - at: 2026-02-01
  - ship: ${a}
"""
    report = run(read(WORLD + steps), keep=tmp_path / "kept.db")
    with Engine.open(tmp_path / "kept.db") as engine:
        moments = [event.at for event in engine.history("1001").events]
    begin = report.scenario.world.clock
    assert moments == [begin, begin + 90 * 60_000_000, begin + 31 * 86_400_000_000]
    assert [step.at for step in report.steps] == [moments[0], moments[1], moments[1], moments[2], moments[2]]


def test_subscribers_hear_of_what_happened_when_a_step_says_so(tmp_path: Path) -> None:
    steps = """\
  - place: {lines: {MUG: 1}, to: US}
    as: a
  - work: fulfilment
    expect: {events: [], orders: {a: pending}}
  - work: all
    expect: {events: [InventoryTied], orders: {a: inventory_tied}}
  - work: [sourcing, fulfilment]
    expect: {events: []}
"""
    report = run(read(WORLD + steps))
    assert [difference for step in report.steps for difference in step.differences] == []
    heard = [(o.document["subscriber"], o.document["event"], o.document["outcome"]) for o in report.steps[2].outcomes]
    assert ("sourcing", "1001:1", "delivered") in heard
    assert {name for name, _, _ in heard} <= {"sourcing", "restock"}


def test_a_subscriber_that_nobody_declared_is_named_with_its_place() -> None:
    with pytest.raises(NotFound, match="unknown subscriber 'sorcing'") as missing:
        run(read(WORLD + "  - work: sorcing\n"))
    assert missing.value.hint == "did you mean sourcing?"


def test_timers_fire_at_their_own_moments_in_order_and_what_they_lead_to_fires_as_well() -> None:
    report = played(
        """\
  - place: {lines: {MUG: 1}, to: US}
    as: a
  - tie: ${a}
  - wait: 1h
  - place: {lines: {MUG: 1}, to: US}
    as: b
  - wait: 10h
    expect: {events: [InventoryUntied, OrderCancelled, OrderCancelled], orders: {a: cancelled, b: cancelled}}
""",
        TIMED,
    )
    assert report.passed
    begin, hour = report.scenario.world.clock, 3_600_000_000
    # a is untied after 2 h; b is cancelled at 1 + 3 h; a, pending again since 2 h, is cancelled at 2 + 3 h.
    fired = [(outcome.asked["at"] - begin, outcome.order) for outcome in report.steps[-1].outcomes]
    assert fired == [(2 * hour, "1001"), (4 * hour, "1002"), (5 * hour, "1001")]
    assert report.steps[-1].at == begin + 11 * hour


def test_a_timer_that_is_not_due_yet_does_not_fire() -> None:
    report = played(
        """\
  - place: {lines: {MUG: 1}, to: US}
    as: a
  - tie: ${a}
  - wait: 1h
    expect: {events: []}
  - wait: 59m
    expect: {events: []}
  - wait: 1m
    expect: {events: [InventoryUntied]}
""",
        TIMED,
    )
    assert report.passed


def test_a_timer_that_is_refused_is_told_once_and_fires_when_something_else_makes_it_possible() -> None:
    world = TIMED.replace("name: timed", "name: retied").replace(
        "pending: {stock: free, after: 3h, trigger: cancel}",
        "pending: {stock: free, after: 1h, trigger: tie_inventory}",
    )
    steps = """\
  - place: {lines: {MUG: 9}, to: US}
    as: a
  - tie: ${a}
  - place: {lines: {MUG: 9}, to: US, short: refuse}
    as: b
  - wait: 119m
    expect: {events: [], refused: [stock_covers_order, may_wait]}
  - wait: 1m
    expect: {events: [InventoryUntied, InventoryTied], orders: {a: pending, b: inventory_tied}}
"""
    report = played(steps, world)
    assert report.passed
    assert [outcome.exit_status for outcome in report.steps[3].outcomes] == [5]
    assert ("pending", "tie_inventory", "may_wait") in report.refusals


def test_timers_that_never_come_to_rest_are_stopped_where_the_step_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    # The check finds circles of timers; what guards of one's own lead to it cannot know.
    monkeypatch.setattr("orderstate.scenario.clock.MOST_FIRED", 2)
    place = "  - place: {lines: {MUG: 1}, to: US}\n"
    assert played(2 * place + "  - wait: 3h\n", TIMED).passed
    with pytest.raises(OrderstateError, match=r"f\.yaml:16:5: more than 2 timers") as caught:
        run(read(TIMED + 3 * place + "  - wait: 3h\n", "f.yaml"))
    assert caught.value.code == "timers_never_rest"


def test_every_command_has_a_key_so_that_it_can_be_repeated() -> None:
    report = played(
        """\
  - place: {lines: {MUG: 1}, to: US}
    as: a
  - advance: ${a}
    as: tied
  - advance: ${a}
  - repeat: tied
    expect: {repeated: true, changed: true, state: shipping, events: []}
  - receive: {facility: DEN, sku: MUG, quantity: 5, key: mine}
    as: r
  - repeat: r
    as: again
    expect: {repeated: true, stock: {DEN: {MUG: {on_hand: 13}}}}
  - repeat: again
    expect: {repeated: true}
  - cancel: {order: "${a}", key: mine}
    expect: {exit: 10, error: key_reused}
"""
    )
    assert report.passed, [step.words for step in report.steps]
    assert [outcome.asked.get("key") for step in report.steps for outcome in step.outcomes] == [
        "step-1", "step-2", "step-3", "step-2", "mine", "mine", "mine", "mine",
    ]  # fmt: skip


def test_what_was_refused_is_tried_again_by_a_repeat() -> None:
    report = played(
        """\
  - place: {lines: {MUG: 1}, to: US}
    as: a
  - ship: ${a}
    as: shipped
    expect: {exit: 4}
  - tie: ${a}
  - repeat: shipped
    expect: {repeated: false, state: shipping}
"""
    )
    assert report.passed


def test_names_stand_for_orders_their_children_and_their_versions() -> None:
    report = played(
        """\
  - place: {lines: {MUG: 12}, to: US, short: split, contact: "costs $${a}"}
    as: a
  - tie: ${a}
    expect: {events: [OrderSplit, OrderPlaced, InventoryTied], short: {MUG: 3}}
  - cancel: {order: "${a.child}", if_version: 1, reason: "was part of ${a}"}
    expect: {state: cancelled}
  - ship: {order: "${a}", if_version: "${a.version}"}
    expect: {version: 4, state: shipping}
  - ship: {order: "${a}", if_version: 1}
    as: stale
    expect: {exit: 6, error: stale_version, says: "${a} is at version 4"}
  - deliver: ${stale}
    expect: {state: delivered, orders: {a: delivered, "${a.child}": cancelled, 1001-2: cancelled}}
"""
    )
    assert report.passed, [step.words for step in report.steps]
    assert report.steps[2].outcomes[0].asked["reason"] == "was part of 1001"


def test_a_step_that_needs_what_was_never_made_is_not_tried() -> None:
    report = played(
        """\
  - place: {lines: {CUP: 1}, to: US}
    as: a
  - tie: ${a}
  - tie: "${a.child}"
  - place: {lines: {MUG: 1}, to: US}
    as: b
  - tie: ${b.child}
  - wait: 1h
    expect: {orders: {a: pending}}
"""
    )
    assert [step.passed for step in report.steps] == [False, False, False, True, False, False]
    assert [step.skipped for step in report.steps] == [
        None, "a made no order", "a made no order", None, "b is 1001, which has no child", None,
    ]  # fmt: skip
    assert report.steps[1].words == ("not tried: a made no order",)
    assert report.steps[5].words == ("orders.a: expected pending, seen nothing",)


def test_of_two_that_tie_the_last_unit_together_exactly_one_gets_it_twenty_times() -> None:
    script = read(
        """\
scenario: race
world:
  settings: {short: refuse}
  facilities: {DEN: {country: US}}
  stock: {DEN: {MUG: 1}}
steps:
  - place: {lines: {MUG: 1}, to: US}
    as: a
  - place: {lines: {MUG: 1}, to: US}
    as: b
  - together: [{tie: "${a}"}, {tie: "${b}"}]
    expect: {exits: [0, 5], events: [InventoryTied], stock: {DEN: {MUG: {on_hand: 1, allocated: 1, available: 0}}}}
"""
    )
    for _ in range(20):
        report = run(script)
        assert report.passed, report.steps[-1].words


def test_a_key_that_arrives_twice_at_the_same_time_has_its_effect_once() -> None:
    report = played(
        """\
  - receive: {facility: DEN, sku: MUG, quantity: 1, key: twice}
    as: r
  - together: [{repeat: r}, {repeat: r}, {receive: {facility: DEN, sku: MUG, quantity: 1}}]
    expect: {exits: [0, 0, 0], stock: {DEN: {MUG: {on_hand: 11}}}, events: [StockReceived]}
  - together:
      - place: {lines: {MUG: 1}, to: US, id: own, key: k}
        as: one
      - place: {lines: {MUG: 1}, to: US, id: own, key: k}
        as: two
    expect: {exits: [0, 0], events: [OrderPlaced], orders: {one: pending, two: pending, own: pending}}
"""
    )
    assert report.passed, [step.words for step in report.steps]


def test_what_no_engine_understands_takes_no_part_in_a_race() -> None:
    script = read(WORLD + "  - together: [{place: {lines: {MUG: 1}, to: US}}, {place: {lines: {MUG: 1}, to: US}}]\n")
    (step,) = script.steps
    spoilt = type(step)("place", {"lines": {"MUG": 0}, "to": "US"})
    changed = type(step)("together", members=(spoilt, step.members[1]))
    report = run(Scenario("s", (changed,), script.world))
    assert [outcome.exit_status for outcome in report.steps[0].outcomes] == [2, 0]


def test_another_flow_is_put_in_force_in_the_middle_and_orders_are_moved() -> None:
    report = played(
        """\
  - place: {lines: {MUG: 1}, to: US}
    as: a
  - use_flow:
      flow:
        extends: standard
        name: other
        initial: new
        states: {new: {stock: free}}
        remove: {states: [pending, backordered]}
        transitions:
          - {trigger: tie_inventory, from: new, to: inventory_tied, event: InventoryTied, guards: [stock_covers_order]}
          - {trigger: untie, from: inventory_tied, to: new, event: InventoryUntied}
      map: {pending: new}
    expect: {events: [FlowChanged], orders: {a: new}}
  - tie: ${a}
    expect: {state: inventory_tied}
  - use_flow: standard
    expect: {exit: 0, events: []}
"""
    )
    assert report.passed, [step.words for step in report.steps]
    assert report.taken == {("new", "tie_inventory", "inventory_tied")}
    assert ("new", "tie_inventory", "inventory_tied") in report.coverage.all


def test_stock_that_an_adjustment_frees_is_told_in_the_order_in_which_it_happened() -> None:
    report = played(
        """\
  - place: {lines: {MUG: 5}, to: US}
    as: a
  - tie: ${a}
  - adjust: {facility: DEN, sku: MUG, to_units: 1, untie: true}
    expect: {events: [InventoryUntied, StockAdjusted], orders: {a: pending}}
"""
    )
    assert report.passed, [step.words for step in report.steps]


def test_a_sku_of_which_there_is_none_is_known() -> None:
    world = WORLD.replace("{MUG: 9}", "{MUG: 0, CUP: {primary: 0, back: 2, safety: {back: 1}, grams: 5}}")
    report = played(
        """\
  - place: {lines: {MUG: 1}, to: US}
    as: a
  - tie: ${a}
    expect: {state: backordered, stock: {DEN: {MUG: {on_hand: 0}, CUP: {on_hand: 2, safety: 1, available: 1}}}}
""",
        world,
    )
    assert report.passed, [step.words for step in report.steps]


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ("{country: US}", "{country: XX}", r"4:31: country: 'XX'"),
        ("{country: US}", '{country: US, at: "99,99"}', r"4:39: position: '99,99'"),
        (
            "{country: US}",
            "{country: US, costs: {per_mile: 3}}",
            r"4:42: unknown facility cost 'per_mile'",
        ),
        ("{strategy: nearest}", "{strategy: neerest}", r"3:24: unknown strategy"),
    ],
)
def test_a_world_that_the_engine_refuses_is_told_where_it_stands(was: str, becomes: str, says: str) -> None:
    with pytest.raises(OrderstateError, match=rf"f\.yaml:({says})"):
        run(read(WORLD.replace(was, becomes) + "  - wait: 1h\n", "f.yaml"))


def test_a_flow_that_the_check_refuses_is_told_where_it_stands() -> None:
    flow = "  flow: {extends: standard, states: {lonely: {stock: tied, final: true}}}\nsteps:\n"
    with pytest.raises(Refused, match=r"f\.yaml:6:9: flow"):
        run(read(WORLD.replace("steps:\n", flow) + "  - wait: 1h\n", "f.yaml"))


def test_coverage_counts_what_can_be_taken_and_names_what_was_not() -> None:
    report = played(
        """\
  - place: {lines: {MUG: 1}, to: US}
    as: a
  - advance: ${a}
  - cancel: {order: "${a}", as: customer}
    expect: {refused: canceller_may}
  - advance: ${a}
  - advance: ${a}
"""
    )
    assert report.taken == {
        ("pending", "tie_inventory", "inventory_tied"),
        ("inventory_tied", "ship", "shipping"),
        ("shipping", "deliver", "delivered"),
    }
    assert report.refusals == {("inventory_tied", "cancel", "canceller_may")}
    assert report.coverage.all == moves(STANDARD)
    assert ("shipping", "cancel", "cancelled") not in report.coverage.all
    assert set(report.coverage.missing) == moves(STANDARD) - report.taken
    other = played("  - place: {lines: {MUG: 1}, to: US}\n    as: a\n  - cancel: ${a}\n")
    both = Coverage.of([report, other])
    assert len(both.missing) == len(report.coverage.missing) - 1


def test_the_database_is_kept_when_asked_and_never_over_something(tmp_path: Path, temporary: Path) -> None:
    script = read(WORLD + "  - place: {lines: {MUG: 1}, to: US}\n")
    kept = tmp_path / "kept.db"
    assert run(script, keep=kept).database == kept
    assert rows(kept, "SELECT id, state FROM orders") == [("1001", "pending")]
    before = kept.read_bytes()
    with pytest.raises(Refused) as caught:
        run(script, keep=kept)
    assert (caught.value.code, kept.read_bytes() == before) == ("file_exists", True)
    with pytest.raises(NotFound, match="no folder"):
        run(script, keep=tmp_path / "nowhere" / "kept.db")
    assert run(script).database is None
    assert list(temporary.iterdir()) == []


def test_nothing_is_left_behind_by_a_world_that_cannot_be_made(temporary: Path, tmp_path: Path) -> None:
    script = read(WORLD.replace("{country: US}", "{country: XX}") + "  - wait: 1h\n")
    with pytest.raises(InvalidInput):
        run(script, keep=tmp_path / "kept.db")
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "kept.db").exists()


_LONG = WORLD + "".join(f"  - place: {{lines: {{MUG: 1}}, to: US, id: o{n}}}\n" for n in range(2_000))


def test_a_ctrl_c_in_the_middle_leaves_no_temporary_files(tmp_path: Path) -> None:
    script, temporary = tmp_path / "long.scenario.yaml", tmp_path / "temporary"
    script.write_text(_LONG, encoding="utf-8")
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    process = subprocess.Popen(
        [sys.executable, "-c", _WATCHED, str(script)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"a step was made\n"
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 130, words
    assert words.startswith(b"interrupted")
    assert list(temporary.iterdir()) == []


_WATCHED = """
import sys
from orderstate.cli import run
from orderstate.scenario import running

step = running._Play.step

def told(self, *given):
    found = step(self, *given)
    if len(self.ledger.read) == 20:
        print("a step was made", flush=True)
    return found

running._Play.step = told
raise SystemExit(run(["run", sys.argv[1]]))
"""


def test_the_same_run_gives_the_same_document() -> None:
    steps = "  - place: {lines: {MUG: 1}, to: US}\n    as: a\n  - tie: ${a}\n  - wait: 1h\n"
    assert played(steps).document() == played(steps).document()
