"""Timers: what is due is fired, oldest first, by the injected clock; what is refused stays due."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from worlds import DENVER, HOUR, NEW_YEAR, Clock, World

from orderstate import Answer, Engine, OrderstateError, Refused, StaleVersion
from orderstate.engine import Due, timers
from orderstate.engine.commands import Fire, Place
from orderstate.engine.timers import PAGE
from orderstate.flow import read
from orderstate.machine import STANDARD

PATIENT = read(
    """
extends: standard
states:
  pending: {stock: free, after: 24h, trigger: cancel}
  inventory_tied: {stock: tied, after: 48h, trigger: untie}
""",
    "patient",
)
RETRYING = read(
    """
extends: standard
states: {backordered: {stock: free, after: 1h, trigger: tie_inventory}}
""",
    "retrying",
)
"""A timer that stock may refuse, again and again."""
ROUND = read(
    """
extends: standard
states:
  pending: {stock: free, after: 1us, trigger: hold}
  on_hold: {stock: free, after: 1us, trigger: release}
transitions:
  - {trigger: hold, from: pending, to: on_hold, event: OrderHeld, guards: [may_wait]}
  - {trigger: release, from: on_hold, to: pending, event: OrderReleased}
""",
    "round",
)
"""Orders go round and round, a step each microsecond."""


@pytest.fixture
def shop(world: World) -> World:
    """A shop where timers end what takes too long; its clock stands still unless a test moves it."""
    world.clock.step = 0
    world.engine.use_flow(PATIENT)
    world.facility("DEN", "39.74,-104.99", MUG=100)
    return world


def fired(outcomes: Iterable[Answer | OrderstateError]) -> list[tuple[str, str]]:
    """(order, state) of what was fired; (order, code) of what was refused."""
    return [(o.order, o.state) if isinstance(o, Answer) else (str(o.values["order"]), o.code) for o in outcomes]


def test_a_tied_order_that_is_not_shipped_in_time_is_untied(shop: World) -> None:
    order = shop.tied(MUG=3)
    entered = shop.clock.now
    shop.clock.now = entered + 48 * HOUR - 1
    assert shop.engine.due() == []
    assert list(shop.engine.fire_due()) == []
    assert shop.level("DEN", "MUG") == (100, 3, 0)
    shop.clock.now += 1
    assert shop.engine.due() == [Due(order, 2, "inventory_tied", "untie", shop.clock.now)]
    (answer,) = shop.engine.fire_due()
    assert isinstance(answer, Answer)
    assert (answer.state, answer.document["released"]) == ("pending", [["DEN", "MUG", "primary", 3]])
    event = shop.engine.history(order).events[-1]
    assert (event.type, event.role, event.by, event.at) == ("InventoryUntied", "system", "timer", shop.clock.now)
    assert shop.level("DEN", "MUG") == (100, 0, 0)
    shop.check()


def test_a_timer_counts_from_the_moment_that_the_state_was_entered_and_not_from_other_changes(shop: World) -> None:
    order = shop.tied(MUG=3)
    due = shop.clock.now + 48 * HOUR
    shop.clock.now += 10 * HOUR
    shop.engine.cancel(order, lines={"MUG": 1})
    shop.engine.redirect(order, "US@40.7,-74")
    waiting = shop.engine.next_due()
    assert waiting == Due(order, 4, "inventory_tied", "untie", due)
    shown = shop.engine.show(order)
    assert shown.timer == waiting
    assert shop.engine.why(order).timer == waiting
    assert shop.engine.show(order, 4).timer == waiting
    assert shop.engine.show(order, 3).timer is None
    asked = (shop.engine.show(order), shop.engine.show(order, 4), shop.engine.why(order))
    assert [one.asked_at for one in asked] == [shop.clock.now] * 3
    shop.engine.ship(order)
    assert shop.engine.show(order).timer is None
    assert shop.engine.next_due() is None


def test_those_due_longest_are_fired_first_whatever_state_they_are_in(shop: World) -> None:
    late = shop.order(MUG=1)
    shop.clock.now += HOUR
    tied = [shop.tied(id=name, MUG=1) for name in ("b", "a")]
    shop.clock.now += 47 * HOUR
    newer = shop.order(MUG=1)
    shop.clock.now += 30 * HOUR
    assert [(d.order, d.trigger) for d in shop.engine.due()] == [
        (late, "cancel"), ("a", "untie"), ("b", "untie"), (newer, "cancel"),
    ]  # fmt: skip
    assert [d.order for d in shop.engine.due(limit=2)] == [late, "a"]
    assert fired(shop.engine.fire_due()) == [
        (late, "cancelled"), ("a", "pending"), ("b", "pending"), (newer, "cancelled"),
    ]  # fmt: skip
    assert tied == ["b", "a"]
    shop.check()


def test_a_timer_that_leads_into_another_timed_state_begins_anew_there(shop: World) -> None:
    order = shop.tied(MUG=1)
    shop.clock.now += 1000 * HOUR
    assert fired(shop.engine.fire_due()) == [(order, "pending")]
    assert shop.engine.due() == []
    waiting = shop.engine.next_due()
    assert waiting is not None
    assert (waiting.trigger, waiting.due_at) == ("cancel", shop.clock.now + 24 * HOUR)
    shop.clock.now = waiting.due_at
    assert fired(shop.engine.fire_due()) == [(order, "cancelled")]
    assert shop.engine.next_due() is None
    assert shop.event_types(order) == ["OrderPlaced", "InventoryTied", "InventoryUntied", "OrderCancelled"]


def test_what_falls_due_while_timers_fire_is_left_for_the_next_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "PAGE", 5)
    world.clock.step = 10  # each reading of the clock is later than the timer that was set at the one before
    world.engine.use_flow(ROUND)
    world.facility("DEN", "39.74,-104.99", MUG=1)
    list(world.engine.run([Place(lines={"MUG": 1}, to=DENVER)] * 12))
    first = fired(world.engine.fire_due())
    assert (len(first), {state for _, state in first}) == (12, {"on_hold"})
    list(world.engine.run([Place(lines={"MUG": 1}, to=DENVER)] * 12))
    second = fired(world.engine.fire_due())  # a page of each state and more, which go to the other one
    assert len(second) == len({order for order, _ in second}) == 24


def test_what_a_guard_refuses_stays_due_and_is_tried_again(world: World) -> None:
    world.clock.step = 0
    world.engine.use_flow(RETRYING)
    world.facility("DEN", "39.74,-104.99", MUG=1)
    order = world.order(MUG=5)
    assert world.engine.tie(order).state == "backordered"
    world.clock.now += HOUR
    for times in (1, 2):
        assert fired(world.engine.fire_due()) == [(order, "stock_covers_order")]
        assert list(world.refusals(order).values()) == [times]
        assert [due.order for due in world.engine.due()] == [order]
    world.engine.receive("DEN", "MUG", 4)
    assert fired(world.engine.fire_due()) == [(order, "inventory_tied")]
    assert world.engine.due() == []


def test_the_refused_keep_nobody_else_waiting_behind_a_limit(world: World) -> None:
    world.clock.step = 0
    world.engine.use_flow(RETRYING)
    world.facility("DEN", "39.74,-104.99", MUG=1, PEN=1)
    first = [world.order(MUG=5), world.order(MUG=5)]
    second = [world.order(PEN=n) for n in (2, 3)]
    for order in (*first, *second):
        world.engine.tie(order)
        world.clock.now += 1
    world.engine.receive("DEN", "PEN", 4)
    world.clock.now += HOUR
    refused = [(order, "stock_covers_order") for order in first]
    assert fired(world.engine.fire_due(limit=1)) == [*refused, (second[0], "inventory_tied")]
    assert fired(world.engine.fire_due(limit=1)) == [*refused, (second[1], "inventory_tied")]
    assert fired(world.engine.fire_due(limit=0)) == []


def test_more_than_a_page_is_fired_each_once_and_a_limit_is_kept(shop: World) -> None:
    number = 2 * PAGE + 30
    orders = [f"o{n:04}" for n in range(number)]
    list(shop.engine.run([Place(lines={"MUG": 1}, to=DENVER, id=order) for order in orders], batch=number))
    shop.clock.now += 24 * HOUR
    assert [due.order for due in shop.engine.due()] == orders
    assert [order for order, _ in fired(shop.engine.fire_due(limit=PAGE + 7))] == orders[: PAGE + 7]
    assert [order for order, _ in fired(shop.engine.fire_due())] == orders[PAGE + 7 :]
    assert set(shop.engine.counts().items()) >= {("cancelled", number), ("pending", 0)}


def test_an_order_that_moved_since_it_was_listed_is_left_alone(shop: World) -> None:
    orders = [shop.tied(id=name, MUG=1) for name in ("a", "b", "c", "d")]
    shop.clock.now += 48 * HOUR
    firing = shop.engine.fire_due()
    first = next(firing)
    assert isinstance(first, Answer)
    other = shop.another()
    other.ship("b")
    other.untie("c")
    other.tie("c")  # it is in the same state as before, but since now
    assert fired(firing) == [("d", "pending")]
    assert [shop.engine.order(order).state for order in orders] == ["pending", "shipping", "inventory_tied", "pending"]
    assert shop.refusals("b") == {}


def test_a_timer_that_a_new_flow_took_away_is_not_fired_any_more(shop: World) -> None:
    for name in ("a", "b"):
        shop.tied(id=name, MUG=1)
    shop.clock.now += 48 * HOUR
    firing = shop.engine.fire_due()
    next(firing)
    shop.another().use_flow(STANDARD)
    assert list(firing) == []
    assert shop.engine.order("b").state == "inventory_tied"


def test_a_timer_in_a_new_flow_counts_from_when_its_orders_entered_their_states(world: World) -> None:
    world.clock.step = 0
    world.facility("DEN", "39.74,-104.99", MUG=9)
    old = world.tied(MUG=1)
    world.clock.now += 100 * HOUR
    mapped = world.tied(MUG=1)
    world.clock.now += HOUR
    world.engine.use_flow(PATIENT)
    assert fired(world.engine.fire_due()) == [(old, "pending")]
    world.clock.now += 47 * HOUR
    assert ("untie", mapped) in [(due.trigger, due.order) for due in world.engine.due()]


def test_a_command_that_says_it_is_a_timer_is_refused_where_nothing_is_due(shop: World) -> None:
    order = shop.tied(MUG=1)
    for trigger in ("untie", "ship"):
        with shop.unchanged(), pytest.raises(StaleVersion, match="not due any more"):
            shop.engine.execute(Fire(order=order, trigger=trigger, timer=True))
    shop.clock.now += 48 * HOUR
    with shop.unchanged(), pytest.raises(StaleVersion):
        shop.engine.execute(Fire(order=order, trigger="ship", timer=True))
    assert shop.engine.execute(Fire(order=order, trigger="untie", timer=True)).state == "pending"


def test_the_clock_is_the_engines_own(shop: World) -> None:
    order = shop.tied(MUG=1)
    early, late = Clock(NEW_YEAR, 0), Clock(NEW_YEAR + 100 * HOUR, 0)
    for clock, expected in ((early, []), (late, [order])):
        with Engine.open(shop.path, clock=clock) as engine:
            assert [due.order for due in engine.due()] == expected


def test_the_canceller_that_a_timer_is_must_be_allowed_to(world: World) -> None:
    strict = read(
        "extends: standard\nstates: {pending: {stock: free, after: 1h, trigger: cancel}}\ntransitions:\n"
        "  - {trigger: cancel, from: any, to: cancelled, event: OrderCancelled,\n"
        "     guards: [goods_still_here, {canceller_may: {customer: gone, operator: gone, system: gone}}]}\n",
        "strict",
    )
    world.clock.step = 0
    world.facility("DEN", "39.74,-104.99", MUG=1)
    world.engine.use_flow(strict)
    order = world.order(MUG=1)
    world.clock.now += HOUR
    assert fired(world.engine.fire_due()) == [(order, "cancelled")]


def test_a_flow_without_timers_asks_nothing_of_the_orders(world: World) -> None:
    world.facility("DEN", "39.74,-104.99", MUG=1)
    world.order(MUG=1)
    assert world.engine.due() == []
    statements: list[str] = []
    reader = world.engine.store._reader
    assert reader is not None
    reader.set_trace_callback(statements.append)
    assert world.engine.due() == []
    assert world.engine.next_due() is None
    reader.set_trace_callback(None)
    assert [s for s in statements if "orders" in s] == []


def test_what_is_due_is_found_without_a_scan_of_the_orders(shop: World) -> None:
    shop.tied(MUG=1)
    shop.clock.now += 48 * HOUR
    statements: list[str] = []
    assert shop.engine.due()
    reader = shop.engine.store._reader
    assert reader is not None
    reader.set_trace_callback(statements.append)
    assert shop.engine.due()
    assert shop.engine.next_due()
    reader.set_trace_callback(None)
    asked = [s for s in statements if "FROM orders" in s]
    assert len(asked) == 4  # two states with timers, a page each; and the first of each
    for statement in asked:
        plan = " ".join(row[3] for row in shop.rows(f"EXPLAIN QUERY PLAN {statement}"))
        assert "SCAN" not in plan
        assert "TEMP B-TREE" not in plan


def test_a_refusal_of_a_timer_is_told_with_every_reason(world: World) -> None:
    world.clock.step = 0
    world.engine.use_flow(RETRYING)
    world.facility("DEN", "39.74,-104.99", MUG=1)
    order = world.order(MUG=2)
    world.engine.tie(order)
    world.clock.now += HOUR
    (outcome,) = world.engine.fire_due()
    assert isinstance(outcome, OrderstateError)
    assert not isinstance(outcome, Refused)
    assert (outcome.exit_status, outcome.values["trigger"]) == (5, "tie_inventory")
    assert [b.code for b in outcome.blocked] == ["stock_covers_order"]
