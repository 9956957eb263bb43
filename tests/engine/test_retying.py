"""Planning again what is tied, and serving who waits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orderstate import Answer, Engine, Options, Refused, StockShort
from orderstate.store.doctor import examine

DENVER, NEW_YORK = "US@39.74,-104.99", "US@40.71,-74.01"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine.create(tmp_path / "orders.db") as opened:
        opened.configure("strategy", "nearest")
        opened.add_facility("DEN", country="US", at="39.74,-104.99")
        opened.add_facility("NYC", country="US", at="40.71,-74.01")
        opened.receive("NYC", "MUG", 10)
        yield opened
        wrong = [f for f in examine(opened.store, tied_states=opened.tied_states()) if f.level == "wrong"]
        assert wrong == []


def tied(engine: Engine, units: int = 2, to: str = DENVER) -> str:
    order = engine.place({"MUG": units}, to).order
    assert engine.tie(order).state == "inventory_tied"
    return order


def sources(engine: Engine, order: str) -> list[tuple[str, int]]:
    return [(a.facility, a.units) for a in engine.show(order).allocations]


def test_stock_that_came_nearer_is_used_and_the_saving_is_told(engine: Engine) -> None:
    order = tied(engine)
    engine.receive("DEN", "MUG", 2)
    answer = engine.retie(order)
    assert sources(engine, order) == [("DEN", 2)]
    assert answer.document["saves"] == answer.document["was_cost"] - answer.document["cost"] > 0
    assert [e.type for e in engine.history(order).events] == [
        "OrderPlaced",
        "InventoryTied",
        "InventoryUntied",
        "InventoryTied",
    ]


def test_where_the_plan_stays_the_same_nothing_is_written(engine: Engine) -> None:
    order = tied(engine)
    answer = engine.retie(order)
    assert not answer.changed
    assert engine.order(order).version == 2


def test_an_excluded_facility_costs_and_that_is_told(engine: Engine) -> None:
    engine.receive("DEN", "MUG", 2)
    order = tied(engine)
    answer = engine.retie(order, options=Options(exclude=frozenset({"DEN"})))
    assert sources(engine, order) == [("NYC", 2)]
    assert answer.document["saves"] < 0


def test_it_ends_backordered_only_by_force(engine: Engine) -> None:
    order = tied(engine)
    nowhere = Options(exclude=frozenset({"DEN", "NYC"}))
    with pytest.raises(StockShort):
        engine.retie(order, options=nowhere)
    assert sources(engine, order) == [("NYC", 2)]
    assert engine.order(order).version == 2
    forced = engine.retie(order, options=nowhere, force=True)
    assert (forced.state, forced.exit_status) == ("backordered", 5)


def test_only_a_tied_order_can_be_tied_again(engine: Engine) -> None:
    order = engine.place({"MUG": 1}, DENVER).order
    with pytest.raises(Refused) as caught:
        engine.retie(order)
    assert caught.value.blocked[0].code == "not_tied"


def test_the_dry_run_of_all_says_what_the_real_run_does_and_changes_nothing(engine: Engine) -> None:
    orders = [tied(engine) for _ in range(3)]
    engine.receive("DEN", "MUG", 4)
    planned = [a.document["saves"] for a in engine.retie_all(dry_run=True) if isinstance(a, Answer)]
    assert [engine.order(o).version for o in orders] == [2, 2, 2]
    done = [a.document["saves"] for a in engine.retie_all() if isinstance(a, Answer)]
    assert done == planned
    assert [s > 0 for s in done] == [True, True, False]
    assert [sources(engine, o) for o in orders] == [[("DEN", 2)], [("DEN", 2)], [("NYC", 2)]]


def test_waiting_orders_are_served_oldest_first(engine: Engine) -> None:
    clock = iter(range(1, 100))
    engine.clock = lambda: next(clock)
    engine.adjust("NYC", "MUG", to_units=0)
    orders = [engine.place({"MUG": units}, DENVER).order for units in (6, 3, 3)]
    for order in orders:
        assert engine.tie(order).exit_status == 5
    engine.receive("NYC", "MUG", 9)
    served = list(engine.tie_waiting(sku="MUG"))
    assert [a.state if isinstance(a, Answer) else a.code for a in served] == [
        "inventory_tied",
        "inventory_tied",
        "stock_covers_order",
    ]
    assert [o.id for o in engine.orders(waiting=True)] == [orders[2]]


def test_an_older_order_that_stock_does_not_complete_does_not_hold_back_a_younger_one(engine: Engine) -> None:
    engine.adjust("NYC", "MUG", to_units=0)
    older, younger = (engine.place({"MUG": units}, DENVER).order for units in (6, 3))
    engine.tie(older)
    engine.tie(younger)
    received = engine.receive("NYC", "MUG", 4)
    assert [entry["order"] for entry in received.document["waiting"]] == [older, younger]
    list(engine.tie_waiting())
    assert [engine.order(o).state for o in (older, younger)] == ["backordered", "inventory_tied"]
