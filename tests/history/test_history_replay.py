"""Playing a file in time order: tied at once, shipped and delivered after delays, cancelled as the file says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from histories import SHOP, orders_file, report_rows, states
from worlds import HOUR, World

from orderstate.history import Summary, import_orders

DAY = 24 * HOUR
MONDAY = 1_767_607_200_000_000
"""2026-01-05 10:00 UTC."""


@pytest.fixture
def shop(world: World) -> World:
    return world.facility("DEN", "39.74,-104.99", MUG=10, CUP=2)


def play(shop: World, folder: Path, *lines: str, **options: Any) -> Summary:
    done = import_orders(shop.engine, orders_file(folder, *lines), mapping=SHOP, replay=True, **options)
    shop.check()
    with shop.unchanged():
        again = import_orders(shop.engine, orders_file(folder, *lines), mapping=SHOP, replay=True, **options)
    assert replace(again, seconds=0.0) == replace(done, seconds=0.0, placed=0, repeated=done.placed)
    return done


def history(shop: World, order: str) -> list[tuple[str, int]]:
    return [(event.type, event.at) for event in shop.engine.history(order).events]


def test_an_order_is_tied_at_once_shipped_a_day_later_and_delivered_after_that(shop: World, tmp_path: Path) -> None:
    done = play(shop, tmp_path, "7,2026-01-05 10:00,MUG,2,31,US", deliver_after=72 * HOUR)
    assert history(shop, "OR-7") == [
        ("OrderPlaced", MONDAY),
        ("InventoryTied", MONDAY),
        ("ShippingStarted", MONDAY + DAY),
        ("OrderDelivered", MONDAY + 4 * DAY),
    ]
    assert shop.level("DEN", "MUG") == (8, 0, 0)
    assert done.states["delivered"] == 1
    assert done.units_tied == 2
    keys = [key for (key,) in shop.rows("SELECT key FROM idempotency WHERE key LIKE '%shop:%' ORDER BY at, key")]
    assert keys == ["shop:7", "tie:shop:7", "ship:shop:7", "deliver:shop:7"]


@pytest.mark.parametrize(("ship_after", "state"), [(None, "inventory_tied"), (0, "shipping"), (5 * HOUR, "shipping")])
def test_the_delay_may_be_none_nothing_or_any(shop: World, tmp_path: Path, ship_after: int | None, state: str) -> None:
    done = play(shop, tmp_path, "7,2026-01-05 10:00,MUG,2,31,US", ship_after=ship_after)
    assert states(shop.path) == {"OR-7": state}
    assert history(shop, "OR-7")[-1][1] == MONDAY + (ship_after or 0)
    assert done.states[state] == 1


def test_what_stock_does_not_cover_waits_and_is_not_shipped(shop: World, tmp_path: Path) -> None:
    done = play(shop, tmp_path, "7,2026-01-05,CUP,2,31,US", "8,2026-01-05,CUP,1,32,US", "9,2026-01-06,MUG,1,33,US")
    assert states(shop.path) == {"OR-7": "shipping", "OR-8": "backordered", "OR-9": "shipping"}
    assert (done.backordered, done.states["backordered"], done.states["shipping"]) == (1, 1, 2)


def test_orders_of_one_moment_come_by_their_number(shop: World, tmp_path: Path) -> None:
    play(shop, tmp_path, "8,2026-01-05,CUP,2,31,US", "7,2026-01-05,CUP,1,32,US")
    assert states(shop.path) == {"OR-7": "shipping", "OR-8": "backordered"}


def test_a_cancellation_takes_its_units_from_the_newest_orders_in_part(shop: World, tmp_path: Path) -> None:
    done = play(
        shop,
        tmp_path,
        "7,2026-01-05 10:00,MUG,2,31,US",
        "8,2026-01-05 11:00,MUG,3,31,US",
        "8,2026-01-05 11:00,CUP,1,31,US",
        "9,2026-01-05 11:30,MUG,1,99,US",
        "C1,2026-01-05 12:00,MUG,-4,31,US",
    )
    seven, eight = shop.engine.order("OR-7"), shop.engine.order("OR-8")
    assert [(line.sku, line.open) for line in seven.lines] == [("MUG", 1)]
    assert [(line.sku, line.open) for line in eight.lines] == [("CUP", 1), ("MUG", 0)]
    assert shop.engine.order("OR-9").open_units == 1
    assert (done.units_cancelled, done.units_shipped_before, done.units_unmatched) == (4, 0, 0)
    assert done.states["shipping"] == 3
    reasons = [event.payload["reason"] for event in shop.engine.history("OR-8").events if event.type == "OrderReduced"]
    assert reasons == ["cancellation C1"]


def test_an_order_of_which_nothing_is_left_is_cancelled_and_not_shipped(shop: World, tmp_path: Path) -> None:
    done = play(
        shop,
        tmp_path,
        "7,2026-01-05 10:00,MUG,2,31,US",
        "7,2026-01-05 10:00,CUP,1,31,US",
        "C1,2026-01-05 12:00,CUP,-1,31,US",
        "C2,2026-01-05 13:00,MUG,-2,31,US",
    )
    assert states(shop.path) == {"OR-7": "cancelled"}
    assert (done.units_cancelled, done.states["cancelled"]) == (3, 1)
    assert shop.level("DEN", "MUG") == (10, 0, 0)


def test_units_that_have_left_are_refused_by_the_engine_once(shop: World, tmp_path: Path) -> None:
    report = tmp_path / "report.csv"
    done = play(
        shop,
        tmp_path,
        "7,2026-01-05 10:00,MUG,2,31,US",
        "C1,2026-01-08 10:00,MUG,-1,31,US",
        "C2,2026-01-08 10:00,MUG,-1,31,US",
        "C3,2026-01-09 10:00,MUG,-5,31,US",
        report=report,
    )
    assert (done.units_cancelled, done.units_shipped_before, done.units_unmatched) == (0, 2, 5)
    assert shop.refusals("OR-7") == {("cancel", "goods_still_here canceller_may"): 2}
    assert [row[:1] + row[2:5] for row in report_rows(report)][1:] == [
        ["shipped", "C1", "MUG", "1"],
        ["shipped", "C2", "MUG", "1"],
        ["unmatched", "C3", "MUG", "5"],
    ]


def test_a_delivered_order_refuses_as_one_that_has_left(shop: World, tmp_path: Path) -> None:
    done = play(
        shop, tmp_path, "7,2026-01-05,MUG,2,31,US", "C1,2026-02-08,MUG,-2,31,US", ship_after=0, deliver_after=HOUR
    )
    assert (done.units_shipped_before, done.units_unmatched) == (2, 0)
    assert shop.refusals("OR-7") == {("cancel", "final"): 1}


def test_an_older_order_that_waits_is_cancelled_before_a_newer_one_that_left(shop: World, tmp_path: Path) -> None:
    done = play(
        shop,
        tmp_path,
        "7,2026-01-05 10:00,CUP,3,31,US",
        "8,2026-01-05 11:00,CUP,2,31,US",
        "C1,2026-01-09 10:00,CUP,-4,31,US",
    )
    assert states(shop.path) == {"OR-7": "cancelled", "OR-8": "shipping"}
    assert (done.units_cancelled, done.units_shipped_before) == (3, 1)


@pytest.mark.parametrize(
    "cancellation",
    [
        "C1,2026-01-05 12:00,MUG,-2,,US",
        "C1,2026-01-05 12:00,MUG,-2,99,US",
        "C1,2026-01-05 12:00,CUP,-2,31,US",
        "C1,2026-01-05 09:59,MUG,-2,31,US",
    ],
)
def test_no_customer_another_one_another_sku_or_too_early_matches_nothing(
    shop: World, tmp_path: Path, cancellation: str
) -> None:
    done = play(shop, tmp_path, "7,2026-01-05 10:00,MUG,2,31,US", "8,2026-01-05 10:00,MUG,2,,US", cancellation)
    assert (done.units_cancelled, done.units_shipped_before, done.units_unmatched) == (0, 0, 2)
    assert states(shop.path) == {"OR-7": "shipping", "OR-8": "shipping"}


def test_at_one_moment_orders_come_before_cancellations_and_those_before_shipments(shop: World, tmp_path: Path) -> None:
    done = play(
        shop,
        tmp_path,
        "C0,2026-01-05 10:00,MUG,-1,31,US",
        "7,2026-01-05 10:00,MUG,2,31,US",
        "C1,2026-01-06 10:00,MUG,-1,31,US",
    )
    assert done.units_cancelled == 2
    assert states(shop.path) == {"OR-7": "cancelled"}


def test_what_a_cancellation_frees_can_be_tied_by_the_next_order(shop: World, tmp_path: Path) -> None:
    play(
        shop,
        tmp_path,
        "7,2026-01-05 10:00,CUP,2,31,US",
        "8,2026-01-05 11:00,CUP,1,32,US",
        "C1,2026-01-05 12:00,CUP,-1,31,US",
        "9,2026-01-05 13:00,CUP,1,33,US",
    )
    assert states(shop.path) == {"OR-7": "shipping", "OR-8": "backordered", "OR-9": "shipping"}


def test_with_the_policy_split_what_is_there_goes_and_the_rest_waits_as_a_child(shop: World, tmp_path: Path) -> None:
    shop.engine.configure("short", "split")
    done = play(
        shop,
        tmp_path,
        "7,2026-01-05 10:00,CUP,3,31,US",
        "7,2026-01-05 10:00,MUG,1,31,US",
        "8,2026-01-05 11:00,CUP,1,32,US",
        "C1,2026-01-09 12:00,CUP,-2,31,US",
    )
    assert states(shop.path) == {"OR-7": "shipping", "OR-7-2": "cancelled", "OR-8": "backordered"}
    assert (done.children, done.backordered, done.units_tied) == (1, 2, 3)
    assert (done.units_cancelled, done.units_shipped_before) == (1, 1)
    assert (done.orders, sum(done.states.values())) == (2, 3)


@pytest.mark.parametrize("batch", [1, 3, 500])
def test_a_part_is_not_tied_to_what_a_later_cancellation_frees(shop: World, tmp_path: Path, batch: int) -> None:
    shop.engine.configure("short", "split")
    done = play(
        shop,
        tmp_path,
        "7,2026-01-05 10:00,CUP,2,31,US",
        "C1,2026-01-05 10:30,CUP,-1,31,US",
        "8,2026-01-05 10:40,MUG,1,33,US",
        "9,2026-01-05 11:00,CUP,5,32,US",
        "C2,2026-01-05 12:00,CUP,-1,31,US",
        batch=batch,
        ship_after=None,
    )
    assert states(shop.path)["OR-9-2"] == "backordered"
    assert shop.level("DEN", "CUP") == (2, 1, 0)
    assert done.children == 1


def test_parts_that_find_stock_are_tied_at_once_and_shipped_with_the_order(shop: World, tmp_path: Path) -> None:
    shop.engine.configure("short", "split")
    shop.engine.configure("max_shipments", "1")
    shop.facility("NYC", "40.71,-74.01", PLATE=5)
    lines = ("7,2026-01-05 10:00,MUG,3,31,US", "7,2026-01-05 10:00,PLATE,1,31,US", "8,2026-01-05 10:00,PLATE,5,32,US")
    done = play(shop, tmp_path, *lines, "C9,2026-01-09,PLATE,-2,31,US", deliver_after=HOUR)
    assert states(shop.path) == {
        "OR-7": "delivered", "OR-7-2": "delivered", "OR-8": "delivered", "OR-8-2": "backordered",
    }  # fmt: skip
    assert done.children == 2
    assert (done.units_shipped_before, done.units_unmatched) == (1, 1)
    assert shop.refusals("OR-7-2") == {("cancel", "final"): 1}


def test_an_order_placed_to_be_refused_stays_pending_and_is_not_asked_twice(shop: World, tmp_path: Path) -> None:
    shop.engine.configure("short", "refuse")
    report = tmp_path / "report.csv"
    done = play(shop, tmp_path, "7,2026-01-05,CUP,3,31,US", "8,2026-01-05,CUP,2,31,US", report=report)
    assert [row[:1] + row[2:5] for row in report_rows(report)][1:] == [["refused", "7", "", "tie"]]
    assert states(shop.path) == {"OR-7": "pending", "OR-8": "shipping"}
    assert done.states["pending"] == 1
    assert shop.refusals("OR-7") == {("tie_inventory", "stock_covers_order may_wait"): 1}


def test_what_was_imported_before_can_be_replayed(shop: World, tmp_path: Path) -> None:
    lines = ("7,2026-01-05,CUP,2,31,US", "8,2026-01-06,CUP,2,31,US", "C1,2026-01-09,CUP,-2,31,US")
    import_orders(shop.engine, orders_file(tmp_path, *lines), mapping=SHOP)
    done = import_orders(shop.engine, orders_file(tmp_path, *lines), mapping=SHOP, replay=True)
    assert (done.placed, done.repeated) == (0, 2)
    assert states(shop.path) == {"OR-7": "shipping", "OR-8": "cancelled"}
    shop.check()


def test_without_facilities_in_reach_every_order_waits(shop: World, tmp_path: Path) -> None:
    shop.engine.set_facility("DEN", closed=True)
    done = play(shop, tmp_path, "7,2026-01-05,MUG,1,31,US", "8,2026-01-05,MUG,1,31,DE")
    assert done.states["backordered"] == 2
