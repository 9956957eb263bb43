"""A real order as a scenario: it runs, it passes, and at its end everything is as it was."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lives import TIMED, Changing, Life
from worlds import BERLIN, DENVER, HOUR, NEW_YORK, Clock, World

from orderstate import Engine, NotFound, Options, OrderstateError, Refused
from orderstate.engine.commands import Cancel, Fire, Place
from orderstate.flow import load, read
from orderstate.guards import Facts
from orderstate.machine import STANDARD
from orderstate.model import Event, Flow, Order, Refusal
from orderstate.scenario import Report, Scenario, dump, run
from orderstate.scenario import read as read_scenario
from orderstate.scenario.retelling import from_history

EXAMPLES = Path(__file__).parents[2] / "examples" / "flows"


LATER = """
extends: standard
name: later
initial: open
path: [tie_inventory, ship, deliver]
remove: {states: [pending]}
states: {open: {stock: free}}
transitions:
  - {trigger: tie_inventory, from: [open, backordered], to: inventory_tied, event: InventoryTied,
     guards: [stock_covers_order]}
  - {trigger: tie_inventory, from: open, to: backordered, event: OrderBackordered, guards: [may_wait]}
  - {trigger: untie, from: inventory_tied, to: open, event: InventoryUntied}
"""


def told(engine: Engine, order: str, tmp_path: Path, kept: str = "kept") -> tuple[Scenario, Report, Engine]:
    """The order's scenario, written and read again, its run, and the database that it made. It must pass."""
    made = from_history(engine, order)
    scenario = read_scenario(dump(made))
    assert scenario == made
    database = tmp_path / f"{kept}.db"
    database.unlink(missing_ok=True)
    report = run(scenario, keep=database)
    wrong = [(step.number, step.title, step.words) for step in report.steps if not step.passed]
    assert wrong == [], dump(scenario)
    return scenario, report, Engine.open(database)


def same(events: tuple[Event, ...], again: tuple[Event, ...], *, exact: bool = True) -> None:
    """The same happened: types, states, who, and what was decided; not the moments, and not what orders are called."""

    def plain(event: Event) -> tuple[Any, ...]:
        payload = {k: v for k, v in event.payload.items() if k not in ("child", "parent", "placed_at")}
        if not exact:
            payload = {k: v for k, v in payload.items() if k not in ("plan", "problem", "short")}
        return event.number, event.type, event.role, event.by, event.trigger, event.source, event.target, payload

    assert [plain(event) for event in again] == [plain(event) for event in events]


def verify(engine: Engine, order: str, tmp_path: Path, *, exact: bool = True) -> tuple[Scenario, Report]:
    """Tell an order and its family again, and compare every event."""
    scenario, report, again = told(engine, order, tmp_path)
    with again:
        root = order
        while (parent := engine.order(root).parent) is not None:
            root = parent
        names = {root: report.steps[0].outcomes[0].order or ""}
        for before, after in list(names.items()):
            names |= dict(pairs(engine, again, before, after))
        for before, after in names.items():
            same(engine.history(before).events, again.history(after).events, exact=exact)
            assert engine.show(before).allocations == again.show(after).allocations
    return scenario, report


def pairs(engine: Engine, again: Engine, before: str, after: str) -> Iterator[tuple[str, str]]:
    """(id of a child, id of the same child in the scenario), and so on."""
    children = zip(engine.show(before).children, again.show(after).children, strict=True)
    for (one, _), (other, _) in children:
        yield one, other
        yield from pairs(engine, again, one, other)


@pytest.fixture
def shop(world: World) -> World:
    """Two facilities with mugs and cups."""
    world.engine.configure("strategy", "cheapest")
    world.facility("DEN", "39.86,-104.67", MUG=3, CUP=1, back={"MUG": 5})
    world.facility("NYC", "40.71,-74.01", MUG=4, CUP=5)
    return world


def test_the_whole_way_of_an_order_with_the_stock_that_it_saw(shop: World, tmp_path: Path) -> None:
    order = shop.order(MUG=2, CUP=2)
    shop.tied(MUG=2)  # another order takes something first
    shop.engine.tie(order, by="ann")
    shop.engine.ship(order)
    with pytest.raises(Refused):
        shop.engine.cancel(order, role="customer")
    shop.engine.deliver(order, role="system", by="carrier")
    scenario, report = verify(shop.engine, order, tmp_path)
    assert [step.verb for step in scenario.steps if step.verb != "at"] == ["place", "tie", "ship", "cancel", "deliver"]
    tie = next(step for step in report.steps if step.step.verb == "tie")
    assert tie.step.expect.cost is not None
    assert tie.step.expect.plan is not None
    assert tie.step.expect.plan["allocations"] == shop.engine.show(order).allocations
    refused = next(step.expect for step in scenario.steps if step.verb == "cancel")
    assert refused.refused == ("canceller_may", "goods_still_here")
    rows = {(row.facility, row.sku, row.pool): row.units for row in scenario.world.stock}
    assert rows["DEN", "MUG", "primary"] == 1, "two of the three were tied by another order"
    assert scenario.steps[-1].expect.orders == {"${order}": "delivered"}
    assert scenario.about == "What happened to 1001 up to version 4, with the stock that it saw."


def test_contacts_are_not_in_it(shop: World, tmp_path: Path) -> None:
    order = shop.engine.place({"MUG": 1}, DENVER, contact="ann@example.org").order
    assert "ann@example.org" not in dump(verify(shop.engine, order, tmp_path)[0])


def test_an_id_of_ones_own_is_kept(shop: World, tmp_path: Path) -> None:
    order = shop.tied(MUG=1, id="web-7")
    _, report = verify(shop.engine, order, tmp_path)
    assert report.steps[0].outcomes[0].order == "web-7"


def test_a_part_that_waits_is_told_with_its_parent(shop: World, tmp_path: Path) -> None:
    order = shop.order(to=NEW_YORK, short="split", MUG=15, CUP=1)
    shop.engine.tie(order)
    child = f"{order}-2"
    shop.engine.receive("NYC", "MUG", 20)
    shop.engine.tie(child, by="bob")
    shop.engine.ship(order)
    shop.engine.cancel(child)
    scenario, _ = verify(shop.engine, order, tmp_path)
    assert scenario.steps[-1].expect.orders == {"${order}": "shipping", "${order}-2": "cancelled"}
    assert verify(shop.engine, child, tmp_path)[0].steps == scenario.steps


def test_a_facility_that_is_split_off_moves_by_itself(shop: World, tmp_path: Path) -> None:
    order = shop.tied(to=NEW_YORK, MUG=10)
    shop.engine.split(order, "DEN")
    shop.engine.ship(f"{order}-2")
    shop.engine.deliver(f"{order}-2")
    shop.engine.ship(order)
    verify(shop.engine, order, tmp_path)


def test_an_order_that_waited_and_was_tied_then(shop: World, tmp_path: Path) -> None:
    order = shop.order(MUG=20)
    assert shop.engine.tie(order).exit_status == 5
    shop.engine.receive("DEN", "MUG", 9)
    shop.engine.tie(order)
    scenario, _ = verify(shop.engine, order, tmp_path)
    first = next(step.expect for step in scenario.steps if step.verb == "tie")
    assert (first.exit, first.state, first.short) == (5, "backordered", {"MUG": 8})


def test_what_was_tied_again_redirected_and_cancelled_in_part(shop: World, tmp_path: Path) -> None:
    order = shop.tied(to=NEW_YORK, MUG=4)
    shop.engine.receive("DEN", "MUG", 10)
    shop.engine.redirect(order, BERLIN)
    shop.engine.retie(order, options=Options(exclude=frozenset({"DEN"})))
    shop.engine.adjust("DEN", "MUG", safety=9)
    shop.engine.redirect(order, DENVER, by="ann")
    shop.engine.cancel(order, lines={"MUG": 1}, reason="too many")
    scenario, _ = verify(shop.engine, order, tmp_path)
    verbs = [step.verb for step in scenario.steps]
    assert verbs.count("redirect") == 2
    assert {"untie", "cancel"} <= set(verbs)


def test_an_order_that_a_count_untied(shop: World, tmp_path: Path) -> None:
    order = shop.tied(MUG=3)
    shop.engine.adjust("DEN", "MUG", to_units=0, untie=True)
    shop.engine.tie(order)
    scenario, _ = verify(shop.engine, order, tmp_path)
    untied = next(step for step in scenario.steps if step.verb == "untie")
    assert untied.fields["reason"] == "stock of MUG in DEN adjusted"


def test_options_strategies_and_roles_are_told(shop: World, tmp_path: Path) -> None:
    order = shop.order(to=NEW_YORK, MUG=3)
    options = Options(only=frozenset({"DEN"}), max_shipments=1, whole_lines=True, complete=True)
    shop.engine.tie(order, options=options, strategy="nearest", role="system")
    scenario, _ = verify(shop.engine, order, tmp_path)
    (tie,) = [step.fields for step in scenario.steps if step.verb == "tie"]
    expected = {"only": ["DEN"], "max_shipments": 1, "whole_lines": True, "complete": True, "strategy": "nearest"}
    assert tie == {"order": "${order}", "as": "system", **expected}


def test_facilities_that_closed_or_came_in_between(shop: World, tmp_path: Path) -> None:
    shop.engine.set_facility("DEN", closed=True)
    order = shop.tied(MUG=2)
    shop.engine.set_facility("DEN", closed=False)
    shop.facility("BOS", "42.36,-71.06", MUG=9)
    shop.engine.redirect(order, "US@42.3,-71.1")
    scenario, _ = verify(shop.engine, order, tmp_path)
    assert sorted(scenario.world.facilities) == ["DEN", "NYC"]
    assert scenario.world.facilities["DEN"]["closed"] is True
    assert [step.verb for step in scenario.steps if step.verb.startswith("facility")] == [
        "facility_add",
        "facility_set",
    ]


def test_costs_that_changed_since_are_found_out_where_the_plan_tells_them(shop: World, tmp_path: Path) -> None:
    order = shop.tied(MUG=2)
    shop.engine.configure("cost.handling", "400")
    shop.engine.configure("cost.split_penalty", "1")
    shop.engine.configure("node_limit", "7")
    shop.engine.configure("cost.backorder", "12.5")
    scenario, _ = verify(shop.engine, order, tmp_path)
    assert scenario.world.settings == {}


def test_where_the_network_is_no_longer_known_only_what_was_taken_is_there(shop: World, tmp_path: Path) -> None:
    order = shop.tied(MUG=2)
    shop.engine.set_facility("DEN", at="10,10")
    shop.engine.set_facility("NYC", at="-10,10")
    scenario, _ = verify(shop.engine, order, tmp_path, exact=False)
    assert scenario.about is not None
    assert "the network or the settings have changed: only what it took is in stock there" in scenario.about
    tie = next(step.expect for step in scenario.steps if step.verb == "tie")
    assert tie.cost is None


def test_refusals_are_asked_for_again_as_they_were(shop: World, tmp_path: Path) -> None:
    engine = shop.engine
    order = shop.order(MUG=50, short="refuse")
    attempts: list[Callable[[], object]] = [
        lambda: engine.tie(order),
        lambda: engine.ship(order),
        lambda: engine.split(order, "DEN"),
        lambda: engine.cancel(order, lines={"MUG": 99}),
        lambda: engine.cancel(order, lines={"MUG": 47}),
        lambda: engine.tie(order),
        lambda: engine.cancel(order, role="customer"),
        lambda: engine.split(order, "DEN"),
        lambda: engine.ship(order),
        lambda: engine.redirect(order, BERLIN),
        lambda: engine.cancel(order, role="customer"),
        lambda: engine.deliver(order),
        lambda: list(engine.advance(order)),
        lambda: engine.redirect(order, BERLIN),
    ]
    refused = 0
    for attempt in attempts:
        try:
            attempt()
        except OrderstateError:
            refused += 1
    assert refused == 10
    _, report, again = told(engine, order, tmp_path)
    with again:
        name = report.steps[0].outcomes[0].order or ""
        told_again = {(r.trigger, r.codes) for r in again.history(name).refusals}
    assert told_again == {(r.trigger, r.codes) for r in engine.history(order).refusals}


def test_what_cannot_be_told_again_is_said(shop: World, tmp_path: Path) -> None:
    order = shop.order(MUG=1)
    with pytest.raises(Refused):
        shop.engine.retie(order)
    for _ in range(4):
        with pytest.raises(Refused):
            shop.engine.ship(order)
    scenario, _, again = told(shop.engine, order, tmp_path)
    again.close()
    assert scenario.about is not None
    assert f"That tie was refused to {order} (not_tied) cannot be told again." in scenario.about
    assert f"ship was refused to {order} 4 times, not all told here." in scenario.about


def test_a_flow_of_ones_own_is_in_it(shop: World, tmp_path: Path) -> None:
    shop.engine.use_flow(load(EXAMPLES / "payment.yaml"))
    order = shop.order(MUG=2)
    shop.engine.fire(order, "authorise", role="system", by="provider")
    shop.engine.fire(order, "capture")
    shop.engine.tie(order)
    shop.engine.cancel(order, reason="no longer wanted")
    shop.engine.fire(order, "refund")
    scenario, report = verify(shop.engine, order, tmp_path)
    assert scenario.world.flow == load(EXAMPLES / "payment.yaml")
    assert ("refund_due", "refund", "refunded") in report.taken


def test_timers_are_fired_by_the_time_that_passes(shop: World, tmp_path: Path) -> None:
    shop.engine.use_flow(TIMED)
    order = shop.tied(MUG=2)
    shop.clock.now += 50 * HOUR
    list(shop.engine.fire_due())
    shop.engine.tie(order)
    scenario, report = verify(shop.engine, order, tmp_path)
    assert scenario.world.flow == TIMED
    assert any(step.step.verb == "at" and step.events == ("InventoryUntied",) for step in report.steps)
    assert "Timers that were fired late are fired when they were due." in (scenario.about or "")


def test_a_part_that_a_late_timer_split_off_waits_from_when_the_timer_was_due(shop: World, tmp_path: Path) -> None:
    shop.engine.use_flow(TIMED)
    order = shop.order(short="split", MUG=15)
    shop.clock.now += 32 * HOUR
    list(shop.engine.fire_due())
    child = f"{order}-2"
    shop.clock.now += 29 * HOUR
    assert shop.engine.order(child).state == "pending"
    with pytest.raises(Refused):
        shop.engine.ship(child)
    scenario, _ = verify(shop.engine, order, tmp_path)
    assert "The flow stands here without its timers" in (scenario.about or "")


def test_where_a_timer_was_due_and_nobody_fired_it_the_flow_stands_without_timers(shop: World, tmp_path: Path) -> None:
    shop.engine.use_flow(TIMED)
    order = shop.tied(MUG=2)
    shop.clock.now += 50 * HOUR
    shop.engine.ship(order)
    scenario, _ = verify(shop.engine, order, tmp_path)
    flow = scenario.world.flow
    assert flow is not None
    assert all(state.timer is None for state in flow.states)
    assert "The flow stands here without its timers" in (scenario.about or "")


def test_a_flow_that_came_into_force_on_the_way(shop: World, tmp_path: Path) -> None:
    order = shop.order(MUG=2)
    later = read(LATER)
    shop.engine.use_flow(later, mapping={"pending": "open"})
    shop.engine.tie(order)
    scenario, _ = verify(shop.engine, order, tmp_path)
    assert scenario.flows() == (STANDARD, later)
    (change,) = [step for step in scenario.steps if step.verb == "use_flow"]
    assert change.fields["map"] == {"pending": "open"}


def forget_flows(engine: Engine, database: Path) -> None:
    """Make the database one that did not keep the flows that it replaced."""
    assert engine.replaced_flows()
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM setting WHERE key LIKE 'flow.%'")
    connection.close()
    assert engine.replaced_flows() == []


def test_an_order_that_went_through_a_flow_that_is_gone_is_refused_with_the_reason(
    shop: World, template: Path, tmp_path: Path
) -> None:
    database = Path(shutil.copyfile(template, tmp_path / "forgetful.db"))
    with Engine.open(database) as engine:
        engine.add_facility("DEN", country="US", at=None)
        engine.receive("DEN", "MUG", 9)
        engine.use_flow(load(EXAMPLES / "payment.yaml"))
        order = engine.place({"MUG": 2}, DENVER).order
        engine.fire(order, "authorise")
        engine.fire(order, "decline")
        engine.use_flow(STANDARD)
        forget_flows(engine, database)
        with pytest.raises(Refused, match=f"{order} went through a flow that is no longer there") as caught:
            from_history(engine, order)
    assert caught.value.code == "flow_gone"


def held(name: str, state: str) -> Flow:
    """A flow in which orders can be held, in a state of its own."""
    return read(
        f"name: {name}\nextends: standard\nstates: {{{state}: {{stock: free}}}}\ntransitions:\n"
        f"  - {{trigger: hold, from: pending, to: {state}, event: OrderHeld}}\n"
        f"  - {{trigger: let_go, from: {state}, to: pending, event: OrderReleased}}\n"
    )


def test_an_order_is_told_through_a_flow_that_came_and_went(shop: World, tmp_path: Path) -> None:
    first, second = held("a", "held_a"), held("b", "held_b")
    shop.engine.use_flow(first)
    order = shop.order(MUG=1)
    shop.engine.fire(order, "hold")
    shop.engine.use_flow(second, mapping={"held_a": "held_b"})
    with pytest.raises(Refused):
        shop.engine.ship(order)
    shop.engine.use_flow(first, mapping={"held_b": "held_a"})
    shop.engine.fire(order, "let_go")
    scenario, _ = verify(shop.engine, order, tmp_path)
    changes = [step for step in scenario.steps if step.verb == "use_flow"]
    assert scenario.flows() == (first, second, first)
    assert [step.fields["map"] for step in changes] == [{"held_a": "held_b"}, {"held_b": "held_a"}]
    refused = [step.verb for step in scenario.steps if step.expect.refused]
    assert refused == ["ship"]


def test_an_order_is_told_through_the_standard_flow_between_two_of_ones_own(shop: World, tmp_path: Path) -> None:
    flow = held("a", "held_a")
    shop.engine.use_flow(flow)
    order = shop.order(MUG=1)
    shop.engine.fire(order, "hold")
    shop.engine.use_flow(STANDARD, mapping={"held_a": "backordered"})
    shop.engine.use_flow(flow)
    shop.engine.tie(order)
    scenario, _ = verify(shop.engine, order, tmp_path)
    assert scenario.flows() == (flow, STANDARD, flow)
    assert "flow: standard" in dump(scenario)


def test_what_a_map_made_possible_is_told(shop: World, tmp_path: Path) -> None:
    shop.engine.use_flow(held("a", "held_a"))
    order = shop.order(MUG=1)
    shop.engine.fire(order, "hold")
    with pytest.raises(Refused):
        shop.engine.tie(order)
    shop.engine.use_flow(STANDARD, mapping={"held_a": "backordered"})
    shop.engine.tie(order)
    scenario, _ = verify(shop.engine, order, tmp_path)
    (change,) = [step for step in scenario.steps if step.verb == "use_flow"]
    assert change.fields["map"] == {"held_a": "backordered"}


def test_an_order_that_a_map_reopened_is_told(shop: World, tmp_path: Path) -> None:
    shop.engine.use_flow(load(EXAMPLES / "returns.yaml"))
    order = shop.order(MUG=1)
    shop.engine.cancel(order)
    shop.engine.use_flow(STANDARD, mapping={"cancelled": "backordered"}, reopen=True)
    shop.engine.tie(order)
    scenario, _ = verify(shop.engine, order, tmp_path)
    (change,) = [step for step in scenario.steps if step.verb == "use_flow"]
    assert change.fields == {"file": "standard", "map": {"cancelled": "backordered"}, "reopen": True}


def test_a_timer_of_a_flow_that_was_replaced_by_the_standard_one_is_told(shop: World, tmp_path: Path) -> None:
    shop.engine.use_flow(TIMED)
    order = shop.tied(MUG=1)
    shop.clock.now += 49 * HOUR
    list(shop.engine.fire_due())
    shop.engine.use_flow(STANDARD)
    scenario, report = verify(shop.engine, order, tmp_path)
    assert scenario.world.flow == TIMED
    assert any(step.step.verb == "at" and step.events == ("InventoryUntied",) for step in report.steps)


def test_what_a_timer_did_is_done_by_name_where_its_flow_is_not_known(template: Path, tmp_path: Path) -> None:
    database = Path(shutil.copyfile(template, tmp_path / "forgetful.db"))
    clock = Clock()
    with Engine.open(database, clock=clock) as engine:
        engine.add_facility("DEN", country="US", at=None)
        engine.receive("DEN", "MUG", 9)
        engine.use_flow(TIMED)
        order = engine.place({"MUG": 2}, "US").order
        engine.tie(order)
        clock.now += 49 * HOUR
        list(engine.fire_due())
        engine.use_flow(STANDARD)
        forget_flows(engine, database)
        scenario, _ = verify(engine, order, tmp_path)
    assert scenario.world.flow is None
    assert "Timers fired by a flow that is gone: what they did is done by name." in (scenario.about or "")


def test_where_two_changes_of_an_unknown_flow_moved_it_nothing_wrong_is_told(template: Path, tmp_path: Path) -> None:
    database = Path(shutil.copyfile(template, tmp_path / "forgetful.db"))
    first, second = held("a", "held_a"), held("b", "held_b")
    clock = Clock(step=1_000_000)
    with Engine.open(database, clock=clock) as engine:
        engine.add_facility("DEN", country="US", at=None)
        engine.receive("DEN", "MUG", 9)
        engine.use_flow(first)
        order = engine.place({"MUG": 2}, "US").order
        engine.fire(order, "hold")
        engine.use_flow(second, mapping={"held_a": "held_b"})
        engine.use_flow(first, mapping={"held_b": "held_a"})
        engine.fire(order, "let_go")
        forget_flows(engine, database)
        with pytest.raises(Refused) as caught:
            from_history(engine, order)
    assert caught.value.code == "flow_gone"


def test_flows_that_no_order_went_through_are_not_kept(shop: World) -> None:
    shop.engine.use_flow(TIMED)
    shop.engine.use_flow(STANDARD)
    assert shop.engine.replaced_flows() == []


STUBBORN = """
extends: standard
name: stubborn
transitions:
  - {trigger: ship, from: inventory_tied, to: shipping, event: ShippingStarted, guards: ['test_from_history:moody']}
"""
moods: list[bool] = []


def moody(order: Order, facts: Facts, params: Mapping[str, str]) -> Refusal | None:
    """A guard that changes its mind when somebody takes its mood away."""
    return None if moods else Refusal("moody", "not now")


def test_a_story_that_its_guards_do_not_tell_again_says_so(shop: World) -> None:
    shop.engine.use_flow(read(STUBBORN))
    order = shop.tied(MUG=1)
    moods.append(True)
    shop.engine.ship(order)
    moods.clear()
    scenario = from_history(shop.engine, order)
    report = run(scenario)
    (wrong, *_) = [step.number for step in report.steps if not step.passed]
    assert f"Played again it came out otherwise: see step {wrong}." in (scenario.about or "")


GUARDED = """
extends: standard
name: guarded
transitions:
  - {trigger: ship, from: inventory_tied, to: shipping, event: ShippingStarted, guards: ['test_from_history:labelled']}
"""


def labelled(order: Order, facts: Facts, params: Mapping[str, str]) -> Refusal | None:
    """A guard of one's own."""
    return None if order.open_units < 3 else Refusal("labelled", "too many labels")


def test_guards_of_ones_own_are_asked_again_and_that_is_said(shop: World, tmp_path: Path) -> None:
    shop.engine.use_flow(read(GUARDED))
    order = shop.tied(MUG=3)
    with pytest.raises(Refused):
        shop.engine.ship(order)
    shop.engine.cancel(order, lines={"MUG": 1})
    shop.engine.ship(order)
    scenario, report = verify(shop.engine, order, tmp_path)
    assert ("inventory_tied", "ship", "labelled") in report.refusals
    told = "What these guards knew then is not kept; they are asked again: test_from_history:labelled."
    assert told in (scenario.about or "")


def test_times_that_went_back_are_told_as_if_no_time_had_passed(shop: World, tmp_path: Path) -> None:
    order = shop.engine.place({"MUG": 1}, DENVER, at=9 * HOUR).order
    shop.engine.tie(order, at=5 * HOUR)
    shop.engine.ship(order, at=11 * HOUR)
    scenario, _ = verify(shop.engine, order, tmp_path)
    assert [step.verb for step in scenario.steps] == ["place", "tie", "at", "ship"]
    assert scenario.world.clock == 9 * HOUR
    assert "Times that went back are told as if no time had passed." in (scenario.about or "")


def test_a_batch_at_one_moment_keeps_its_order(shop: World, tmp_path: Path) -> None:
    commands = [
        Place(lines={"MUG": 1}, to=DENVER, id="web-1", at=HOUR),
        Fire(order="web-1", trigger="ship", at=HOUR),
        Fire(order="web-1", trigger="tie_inventory", at=HOUR),
        Cancel(order="web-1", role="customer", at=HOUR),
        Fire(order="web-1", trigger="ship", at=HOUR),
        Cancel(order="web-1", at=HOUR),
    ]
    list(shop.engine.run(commands, batch=10))
    scenario, report = verify(shop.engine, "web-1", tmp_path)
    verbs = ["place", "ship", "tie", "cancel", "ship", "cancel"]
    assert sorted(step.verb for step in scenario.steps) == sorted(verbs)
    expected = {("pending", "ship", "not_from_here"), ("inventory_tied", "cancel", "canceller_may")}
    assert expected <= report.refusals


def test_a_child_keeps_when_its_parent_was_placed(shop: World, tmp_path: Path) -> None:
    order = shop.order(short="split", MUG=99)
    shop.engine.tie(order)
    child = f"{order}-2"
    assert "placed_at" in shop.engine.history(child).events[0].payload
    verify(shop.engine, child, tmp_path)


def test_an_order_that_is_not_there(shop: World) -> None:
    with pytest.raises(NotFound):
        from_history(shop.engine, "9999")


@pytest.mark.parametrize("flow", [None, TIMED], ids=["standard", "timed"])
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 100_000))
def test_any_life_of_any_order_runs_again_and_passes(
    template: Path, tmp_path: Path, flow: Flow | None, seed: int
) -> None:
    database = Path(shutil.copyfile(template, tmp_path / "life.db"))
    life = Life(database, Random(seed), flow)
    try:
        life.live(30)
        assert life.seen > 3
        roots = [order for order in life.orders if life.engine.order(order).parent is None]
        for order in roots[:2]:
            scenario = from_history(life.engine, order)
            exact = "have changed" not in (scenario.about or "")
            verify(life.engine, order, tmp_path, exact=exact)
    finally:
        life.close()
        for left in tmp_path.glob("*.db*"):
            left.unlink()


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 100_000))
def test_any_life_through_changing_flows_is_told_so_that_it_passes(template: Path, tmp_path: Path, seed: int) -> None:
    life = Changing(Path(shutil.copyfile(template, tmp_path / "changing.db")), Random(seed))
    try:
        life.live(40)
        roots = [order for order in life.orders if life.engine.order(order).parent is None]
        for order in roots[:2]:
            _, _, again = told(life.engine, order, tmp_path)
            again.close()
    finally:
        life.close()
        for left in tmp_path.glob("*.db*"):
            left.unlink()
