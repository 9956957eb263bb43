"""Questions: lists and their pages against a plain sort, orders as they were, why, plans, history, stock."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from worlds import BERLIN, DENVER, HOUR, NEW_YEAR, NEW_YORK, World, comparable

from orderstate import InvalidInput, NotFound, Options, OrderstateError, Refused, Shown
from orderstate.engine.commands import Command, Fire, Place
from orderstate.model import Tally
from orderstate.store.compiled import SQLITE


@pytest.fixture(scope="module")
def many(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A hundred orders, placed and moved at random; several at the same moment. Only to be asked."""
    world = World(Path(shutil.copyfile(template, tmp_path_factory.mktemp("many") / "many.db")))
    chance = random.Random(7)
    world.facility("DEN", "39.74,-104.99", MUG=60, PEN=40)
    world.facility("NYC", "40.71,-74.01", MUG=60, PEN=40)
    commands: list[Command] = []
    for n in range(100):
        own = f"own-{chance.randrange(10**6)}" if n % 5 == 0 else None
        lines = chance.choice([{"MUG": 2}, {"PEN": 3}, {"MUG": 1, "PEN": 9}, {"PEN": 70}])
        at = NEW_YEAR + HOUR + chance.randrange(20) * HOUR
        commands.append(Place(lines=lines, to=chance.choice([DENVER, NEW_YORK]), id=own, short="split", at=at))
    list(world.engine.run(commands, batch=100))
    moves = [
        Fire(order=order, trigger=trigger, at=NEW_YEAR + chance.randrange(60) * HOUR)
        for (order,) in world.rows("SELECT id FROM orders")
        for trigger in ("tie_inventory", "ship", "deliver", "cancel")[: chance.randrange(5)]
    ]
    list(world.engine.run(moves, batch=500))
    world.clock.now = NEW_YEAR + 80 * HOUR
    world.clock.step = 0
    assert len({state for (state,) in world.rows("SELECT DISTINCT state FROM orders")}) == 6
    yield world
    world.check()
    world.close()


def listed(world: World, limit: int, **filters: Any) -> list[str]:
    """All pages of a list, put together."""
    ids: list[str] = []
    after: str | None = None
    while page := world.engine.orders(limit=limit, after=after, **filters):
        assert len(page) <= limit
        ids += [order.id for order in page]
        after = page[-1].id
    return ids


def expected(
    world: World,
    state: str | None = None,
    sku: str | None = None,
    facility: str | None = None,
    waiting: bool = False,
    older_than: int | None = None,
) -> list[str]:
    """The same, sorted by hand from all that there is."""
    serials = dict(world.rows("SELECT id, serial FROM orders"))
    found = []
    for order in (world.engine.show(order) for order in serials):
        o = order.order
        long_ago = older_than is None or (o.entered_at <= world.clock.now - older_than)
        states = {state} if state else {"backordered"} if waiting else None
        if states is None and older_than is not None:
            states = {"pending", "backordered", "inventory_tied", "shipping"}
        if (
            (states is None or o.state in states)
            and (sku is None or sku in {line.sku for line in o.lines})
            and (facility is None or facility in {a.facility for a in order.allocations})
            and long_ago
        ):
            found.append(o)
    if older_than is not None:
        found.sort(key=lambda o: (o.entered_at, o.id))
    elif waiting:
        found.sort(key=lambda o: (o.placed_at, o.id))
    elif state is None and (sku is not None or facility is not None):
        found.sort(key=lambda o: -serials[o.id])
    else:
        found.sort(key=lambda o: (o.placed_at, o.id), reverse=True)
    return [o.id for o in found]


FILTERS = [
    {"state": state, "sku": sku, "facility": facility, "waiting": waiting, "older_than": older_than}
    for state, sku, facility, waiting, older_than in product(
        [None, "pending", "inventory_tied", "cancelled"], [None, "PEN"], [None, "NYC"], [False, True], [None, 40 * HOUR]
    )
]


@pytest.mark.parametrize("filters", FILTERS, ids=lambda f: "+".join(k for k, v in f.items() if v) or "all")
def test_a_list_has_what_is_asked_for_in_order_page_by_page(filters: dict[str, Any], many: World) -> None:
    right = expected(many, **filters)
    assert listed(many, 1000, **filters) == right
    assert listed(many, 7, **filters) == right


def test_a_list_is_read_behind_an_order_that_is_not_in_it(many: World) -> None:
    everything = listed(many, 1000)
    after = everything[30]
    behind = [i for i in everything[31:] if many.engine.order(i).state == "pending"]
    assert [order.id for order in many.engine.orders(state="pending", after=after)] == behind[:50]


def test_a_list_says_how_many_units_are_still_wanted(world: World) -> None:
    world.facility("DEN", "39.74,-104.99", MUG=10, PEN=10)
    order = world.tied(MUG=3, PEN=4)
    world.engine.cancel(order, lines={"PEN": 3})
    (summary,) = world.engine.orders()
    assert (summary.open_units, summary.state, summary.version, summary.destination) == (4, "inventory_tied", 3, DENVER)


@pytest.mark.parametrize("limit", [0, -1, 100_001])
def test_a_page_holds_at_least_one_order_and_not_everything(limit: int, world: World) -> None:
    with pytest.raises(InvalidInput):
        world.engine.orders(limit=limit)


@pytest.mark.parametrize(
    ("filters", "code"),
    [
        ({"state": "pendng"}, "unknown_state"),
        ({"sku": "MGU"}, "unknown_sku"),
        ({"facility": "DNE"}, "unknown_facility"),
        ({"after": "nobody"}, "unknown_order"),
    ],
)
def test_a_list_by_a_name_that_is_not_there_is_not_found(filters: dict[str, Any], code: str, many: World) -> None:
    with pytest.raises(NotFound) as caught:
        many.engine.orders(**filters)
    assert caught.value.code == code


def test_the_counts_of_all_states_are_told_even_where_they_are_nothing(many: World, world: World) -> None:
    assert set(world.engine.counts().values()) == {0}
    assert many.engine.counts() == {
        state.name: len(listed(many, 1000, state=state.name)) for state in many.engine.machine.flow.states
    }


def test_tallies_tell_how_long_orders_have_been_in_each_state(many: World, world: World) -> None:
    assert set(world.engine.tallies().values()) == {Tally(0)}
    found = many.engine.tallies()
    assert {state: tally.orders for state, tally in found.items()} == many.engine.counts()
    for state, tally in found.items():
        rows = many.rows(f"SELECT entered_at FROM orders WHERE state = '{state}' ORDER BY entered_at")
        ages = [NEW_YEAR + 80 * HOUR - at for (at,) in rows]
        assert tally == Tally(len(ages), ages[0], ages[(len(ages) - 1) // 2])
        assert sum(age >= ages[(len(ages) - 1) // 2] for age in ages) * 2 >= len(ages)


def test_tallies_read_nothing_but_the_index_of_states_and_times(many: World) -> None:
    plans = [
        str(row[-1])
        for statement, values in (("count_states", ()), ("count_middle", ("pending", 3)))
        for row in many.rows(f"EXPLAIN QUERY PLAN {getattr(SQLITE, statement)}", *values)
    ]
    assert len(plans) == 2
    assert all("COVERING INDEX ix_orders_state_entered_at_id" in plan for plan in plans)


# Orders as they were


def way(world: World) -> Iterator[Callable[[], object]]:
    """Steps of an order's life in which everything changes that can."""
    engine = world.engine
    yield lambda: engine.cancel("a", lines={"MUG": 1})
    yield lambda: engine.tie("a")
    yield lambda: engine.redirect("a", NEW_YORK)
    yield lambda: engine.untie("a")
    yield lambda: engine.redirect("a", BERLIN)
    yield lambda: engine.tie("a")
    yield lambda: engine.cancel("a", lines={"MUG": 1, "PEN": 2})
    yield lambda: engine.redirect("a", DENVER)
    yield lambda: engine.split("a", engine.show("a").allocations[-1].facility)
    yield lambda: engine.ship("a")
    yield lambda: engine.deliver("a")


def test_every_version_of_an_order_is_shown_as_it_was(world: World) -> None:
    world.facility("DEN", "39.74,-104.99", MUG=6, PEN=3, back={"PEN": 2})
    world.facility("NYC", "40.71,-74.01", MUG=6, PEN=9)
    world.order(id="a", short="split", MUG=16, PEN=7)
    then: dict[int, Shown] = {1: world.engine.show("a")}
    for step in way(world):
        step()
        shown = world.engine.show("a")
        then[shown.order.version] = shown
    assert world.engine.order("a").state == "delivered"
    assert {"OrderReduced", "OrderRedirected", "OrderSplit", "InventoryUntied"} <= set(world.event_types("a"))
    assert len(then) > 10
    for version, shown in then.items():
        assert comparable(world.engine.show("a", version)) == comparable(shown), version


def test_the_version_between_the_two_events_of_a_split_can_be_shown(world: World) -> None:
    world.facility("DEN", "39.74,-104.99", MUG=6)
    world.engine.tie(world.order(short="split", MUG=9))
    between = world.engine.show("1001", 2)
    assert (between.order.state, between.order.open_units, between.children) == ("pending", 6, (("1001-2", ""),))


@pytest.mark.parametrize("version", [0, -1, 2, 99])
def test_a_version_that_never_was_is_invalid(version: int, world: World) -> None:
    world.facility("DEN", "39.74,-104.99", MUG=6)
    with pytest.raises(InvalidInput, match="one of the versions 1 to 1"):
        world.engine.show(world.order(MUG=1), version)


# Why, plan, history


def test_why_says_for_each_trigger_what_would_happen_and_changes_nothing(world: World) -> None:
    world.facility("DEN", "39.74,-104.99", MUG=6)
    order = world.order(short="refuse", MUG=9)
    with world.unchanged():
        explained = world.engine.why(order)
    assert {c.trigger: c.target or [r.code for r in c.refusals] for c in explained.choices} == {
        "tie_inventory": ["stock_covers_order", "may_wait"],
        "untie": ["not_from_here"],
        "ship": ["not_from_here"],
        "deliver": ["not_from_here"],
        "cancel": "cancelled",
    }
    assert all(r.sentence for c in explained.choices for r in c.refusals)


@pytest.mark.parametrize("role", ["customer", "operator", "system"])
def test_why_and_the_command_say_the_same(role: str, many: World) -> None:
    """The check of the question is made again by the command, on the same facts."""
    said = set()
    for order in listed(many, 1000)[::3]:
        (choice,) = many.engine.why(order, "cancel", role=role).choices
        with many.unchanged(), pytest.raises(OrderstateError) as caught:
            many.engine.all_or_nothing([Fire(order=order, trigger="cancel", role=role), NEVER])
        refused = [b.code for b in caught.value.blocked]
        quiet = many.engine.order(order).state == "cancelled"
        assert refused == ([] if quiet else [r.code for r in choice.refusals])
        assert choice.possible == (not refused and not quiet)
        said.add(tuple(refused))
    assert len(said) > 2


NEVER = Fire(order="nobody", trigger="ship")
"""Undoes, by failing, what was done before it in the same transaction."""


def test_why_of_a_trigger_that_is_not_there_is_not_found(many: World) -> None:
    with pytest.raises(NotFound, match="unknown trigger 'shp'"):
        many.engine.why(listed(many, 1)[0], "shp")


def test_the_dry_run_is_the_real_run(world: World) -> None:
    world.facility("DEN", "39.74,-104.99", MUG=6, PEN=1)
    world.facility("NYC", "40.71,-74.01", MUG=6, PEN=9)
    order = world.order(MUG=9, PEN=2)
    with world.unchanged():
        proposed = world.engine.plan(order)
    assert not proposed.stored
    world.engine.tie(order)
    stored = world.engine.plan(order)
    assert stored.stored
    assert stored.plan.document() == proposed.plan.document()
    elsewhere = world.engine.plan(order, options=Options(exclude=frozenset({"DEN"})))
    assert not elsewhere.stored


def test_nothing_is_planned_for_an_order_that_was_cancelled(world: World) -> None:
    world.facility("DEN", "39.74,-104.99", MUG=5)
    order = world.order(MUG=2)
    world.engine.cancel(order)
    with pytest.raises(Refused) as refused:
        world.engine.plan(order)
    assert [blocked.code for blocked in refused.value.blocked] == ["final"]


def test_history_tells_events_in_order_and_what_was_refused(world: World) -> None:
    world.facility("DEN", "39.74,-104.99", MUG=6)
    order = world.shipped(MUG=1)
    with pytest.raises(OrderstateError):
        world.engine.cancel(order)
    history = world.engine.history(order)
    assert [(e.id, e.type, e.source, e.target, e.trigger) for e in history.events] == [
        ("1001:1", "OrderPlaced", None, "pending", None),
        ("1001:2", "InventoryTied", "pending", "inventory_tied", "tie_inventory"),
        ("1001:3", "ShippingStarted", "inventory_tied", "shipping", "ship"),
    ]
    (refusal,) = history.refusals
    assert (refusal.trigger, refusal.codes, refusal.count) == ("cancel", ("goods_still_here", "canceller_may"), 1)


# Stock


def test_stock_is_read_page_by_page_in_order(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orderstate.store.stock.PAGE", 3)
    for code in ("B", "A", "C"):
        world.facility(code, None, MUG=1, PEN=2, CUP=3, back={"MUG": 4})
    everything = [(level.sku, level.facility, level.pool) for level in world.engine.stock()]
    assert everything == sorted(everything)
    assert len(everything) == 12
    assert [(s, p) for s, f, p in everything if f == "A"] == [
        (level.sku, level.pool) for level in world.engine.stock(facility="A")
    ]
    assert [x for x in everything if x[0] == "MUG"] == [
        (level.sku, level.facility, level.pool) for level in world.engine.stock(sku="MUG")
    ]
    assert [level.on_hand for level in world.engine.stock(sku="MUG", facility="A")] == [4, 1]


def test_stock_of_what_is_not_there_is_not_found(world: World) -> None:
    world.facility("DEN", None, MUG=1)
    for wrong in ({"sku": "MGU"}, {"facility": "DNE"}):
        with pytest.raises(NotFound):
            list(world.engine.stock(**wrong))


def test_a_writer_beside_a_list_of_stock_does_not_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orderstate.store.stock.PAGE", 1)
    world.facility("DEN", None, MUG=1, PEN=1)
    levels = world.engine.stock()
    next(levels)
    world.another(timeout=0.1).receive("DEN", "PEN", 5)
    assert [level.on_hand for level in levels] == [6]
