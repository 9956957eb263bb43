"""Guards by themselves: order and facts in, a refusal with its reason and remedy out, or None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NoReturn

import pytest

from orderstate.errors import InvalidInput, NotFound
from orderstate.guards import (
    GUARDS,
    Facts,
    bound,
    canceller_may,
    day,
    goods_still_here,
    may_wait,
    stock_covers_order,
)
from orderstate.model import Allocation, Destination, GuardUse, Line, Order, Plan, Refusal, Shipment, Stock

ORDER = Order(
    id="1001",
    state="pending",
    version=1,
    placed_at=0,
    entered_at=0,
    destination=Destination("US"),
    short="backorder",
    lines=(Line("MUG", 5, cancelled=2), Line("PEN", 1)),
)
DEFAULTS = {"customer": "free", "operator": "tied", "system": "tied"}
DEC_9, DEC_8 = 1_323_388_800_000_000, 1_323_302_400_000_000


def never() -> NoReturn:
    raise AssertionError("this guard must not ask for that")


FACTS = Facts(role="operator", stock=Stock.FREE, plan=never, shipments=never, open_children=never)


def with_plan(*allocations: Allocation, short: Mapping[str, int] | None = None) -> Facts:
    plan = Plan("nearest", allocations, short or {}, ())
    return replace(FACTS, plan=lambda: plan)


A_MUG = Allocation("DEN", "MUG", "primary", 1)


def test_stock_that_covers_refuses_nothing() -> None:
    assert stock_covers_order(ORDER, with_plan(A_MUG), {}) is None


def test_stock_that_is_short_says_of_what_and_how_much_of_what_is_still_wanted() -> None:
    refusal = stock_covers_order(ORDER, with_plan(A_MUG, short={"PEN": 1, "MUG": 2}), {})
    assert refusal is not None
    assert refusal.code == "stock_covers_order"
    assert "MUG (wanted 3, short 2)" in refusal.sentence
    assert "PEN (wanted 1, short 1)" in refusal.sentence
    assert refusal.remedy is not None
    assert refusal.remedy.startswith("orderstate ")
    assert refusal.values["short"] == {"PEN": 1, "MUG": 2}


def test_an_order_that_may_be_split_needs_only_a_part_but_not_nothing() -> None:
    splitting = replace(ORDER, short="split")
    assert stock_covers_order(splitting, with_plan(A_MUG, short={"MUG": 2}), {}) is None
    assert stock_covers_order(splitting, with_plan(short={"MUG": 3, "PEN": 1}), {}) is not None


@pytest.mark.parametrize("short", ["backorder", "split"])
def test_an_order_may_wait_unless_it_said_otherwise(short: str) -> None:
    assert may_wait(replace(ORDER, short=short), FACTS, {}) is None


def test_an_order_that_refuses_to_wait_names_the_way_out() -> None:
    refusal = may_wait(replace(ORDER, short="refuse"), FACTS, {})
    assert refusal is not None
    assert (refusal.code, refusal.remedy) == ("may_wait", "orderstate cancel 1001")


def test_a_search_that_was_narrowed_is_no_reason_to_wait() -> None:
    refusal = may_wait(ORDER, replace(FACTS, restricted=True), {})
    assert refusal is not None
    assert refusal.code == "may_wait"
    assert str(refusal.remedy).startswith("orderstate tie 1001")


@pytest.mark.parametrize("stock", [Stock.FREE, Stock.TIED])
def test_goods_that_are_here_are_not_asked_about_further(stock: Stock) -> None:
    assert goods_still_here(ORDER, replace(FACTS, stock=stock), {}) is None


def gone(*shipments: Shipment, children: tuple[str, ...] = ()) -> Facts:
    return replace(FACTS, stock=Stock.GONE, shipments=lambda: shipments, open_children=lambda: children)


def test_goods_that_left_say_on_which_day_and_in_which_shipments() -> None:
    refusal = goods_still_here(ORDER, gone(Shipment("1001", "DEN", DEC_9, 1), Shipment("1001", "NYC", DEC_8, 2)), {})
    assert refusal == Refusal(
        "goods_still_here",
        "the goods left on 2011-12-08 in 2 shipments: DEN, NYC",
        None,
        {"shipments": ["DEN", "NYC"], "open_children": []},
    )


def test_goods_that_left_name_the_children_that_can_still_be_cancelled() -> None:
    refusal = goods_still_here(ORDER, gone(Shipment("1001", "DEN", DEC_9, 1), children=("1001-2", "1001-3")), {})
    assert refusal is not None
    assert refusal.sentence == "the goods left on 2011-12-09 in 1 shipment: DEN; not yet gone: 1001-2, 1001-3"
    assert refusal.remedy == "orderstate cancel 1001-2 1001-3"
    assert refusal.values["open_children"] == ["1001-2", "1001-3"]


def test_goods_that_left_without_a_shipment_are_gone_all_the_same() -> None:
    refusal = goods_still_here(ORDER, gone(), {})
    assert refusal is not None
    assert refusal.sentence == "the goods have left"


@pytest.mark.parametrize(
    ("role", "stock", "may"),
    [
        ("customer", Stock.FREE, True),
        ("customer", Stock.TIED, False),
        ("customer", Stock.GONE, False),
        ("operator", Stock.FREE, True),
        ("operator", Stock.TIED, True),
        ("operator", Stock.GONE, False),
        ("system", Stock.FREE, True),
        ("system", Stock.TIED, True),
        ("system", Stock.GONE, False),
    ],
)
def test_who_may_cancel_depends_on_the_role_and_on_the_stock(role: str, stock: Stock, may: bool) -> None:
    refusal = canceller_may(ORDER, replace(FACTS, role=role, stock=stock), DEFAULTS)
    assert (refusal is None) is may
    if refusal is not None:
        assert (refusal.code, refusal.values["role"]) == ("canceller_may", role)
        assert role in refusal.sentence


def test_a_customer_who_may_not_cancel_hears_who_may() -> None:
    refusal = canceller_may(ORDER, replace(FACTS, role="customer", stock=Stock.TIED), DEFAULTS)
    assert refusal is not None
    assert refusal.remedy == "orderstate cancel 1001 --as operator"


def test_where_nobody_may_cancel_no_other_role_is_named() -> None:
    refusal = canceller_may(ORDER, replace(FACTS, role="customer", stock=Stock.GONE), DEFAULTS)
    assert refusal is not None
    assert refusal.remedy is None


def test_a_flow_can_move_the_limits_of_a_role() -> None:
    generous = {"customer": "gone"}
    assert canceller_may(ORDER, replace(FACTS, role="customer", stock=Stock.GONE), generous) is None


@pytest.mark.parametrize(
    ("at", "expected"), [(0, "1970-01-01"), (DEC_9, "2011-12-09"), (DEC_9 - 1, "2011-12-08"), (-1, "1969-12-31")]
)
def test_a_day_is_the_utc_day(at: int, expected: str) -> None:
    assert day(at) == expected


def test_every_guard_is_registered_under_its_name_and_tells_its_fact() -> None:
    assert {"stock_covers_order", "may_wait", "goods_still_here", "canceller_may"} <= set(GUARDS)
    for name, guard in GUARDS.items():
        assert guard.name == name
        assert guard.fact
        assert not guard.fact.endswith(".")


def test_a_guard_that_is_not_there_is_not_found_with_close_names() -> None:
    with pytest.raises(NotFound) as caught:
        bound(GuardUse("goods_stil_here"))
    assert caught.value.code == "unknown_guard"
    assert "goods_still_here" in str(caught.value.hint)


def test_a_parameter_that_a_guard_does_not_take_is_not_found() -> None:
    with pytest.raises(NotFound, match="canceller_may"):
        bound(GuardUse("canceller_may", {"costumer": "free"}))


def test_a_parameter_with_a_value_that_it_does_not_take_is_invalid() -> None:
    with pytest.raises(InvalidInput, match=r"canceller_may\.customer: 'shipped'"):
        bound(GuardUse("canceller_may", {"customer": "shipped"}))
