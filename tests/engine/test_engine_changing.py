"""Cancelling all or a part, sending an order elsewhere, splitting a facility off: and every way to be refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from worlds import BERLIN, DENVER, NEW_YORK, World

from orderstate import InvalidInput, NotFound, Refused, StockShort


@pytest.fixture
def two(world: World) -> World:
    """Denver and New York; an order of twelve mugs needs both."""
    world.facility("DEN", "39.74,-104.99", MUG=6, PEN=9, back={"MUG": 4})
    return world.facility("NYC", "40.71,-74.01", MUG=9, PEN=9)


def held(world: World, order: str) -> list[tuple[str, str, str, int]]:
    return [(a.facility, a.sku, a.pool, a.units) for a in world.engine.show(order).allocations]


def lines(world: World, order: str) -> list[tuple[str, int, int]]:
    return [(line.sku, line.quantity, line.cancelled) for line in world.engine.order(order).lines]


# The whole order


@pytest.mark.parametrize("state", ["pending", "backordered", "inventory_tied"])
def test_an_order_can_be_cancelled_until_its_goods_leave(state: str, two: World) -> None:
    order = two.order(MUG=100) if state == "backordered" else two.order(MUG=1)
    if state != "pending":
        two.engine.tie(order)
    answer = two.engine.cancel(order, reason="changed my mind", by="ann")
    assert (answer.command, answer.was, answer.state) == ("cancel", state, "cancelled")
    event = two.engine.history(order).events[-1]
    assert (event.type, event.payload["reason"], event.by) == ("OrderCancelled", "changed my mind", "ann")
    assert held(two, order) == []
    two.check()


def test_a_customer_may_cancel_until_inventory_is_tied(two: World) -> None:
    assert two.engine.cancel(two.order(MUG=1), role="customer").state == "cancelled"
    order = two.tied(MUG=1)
    with two.unchanged("refusal"), pytest.raises(Refused) as caught:
        two.engine.cancel(order, role="customer")
    assert (caught.value.code, caught.value.hint) == ("canceller_may", f"orderstate cancel {order} --as operator")
    assert two.engine.cancel(order).state == "cancelled"


def test_goods_that_left_cannot_be_cancelled_and_the_refusal_says_when_and_in_which_shipments(two: World) -> None:
    order = two.shipped(MUG=12)
    with two.unchanged("refusal"), pytest.raises(Refused) as caught:
        two.engine.cancel(order)
    assert [b.code for b in caught.value.blocked] == ["goods_still_here", "canceller_may"]
    assert "on 2026-01-01 in 2 shipments: DEN, NYC" in caught.value.blocked[0].sentence
    two.engine.deliver(order)
    with pytest.raises(Refused) as caught:
        two.engine.cancel(order)
    assert [b.code for b in caught.value.blocked] == ["final"]


def test_a_refused_cancel_names_the_children_and_their_children_that_can_still_be_cancelled(two: World) -> None:
    two.engine.tie(two.order(id="a", short="split", MUG=30, PEN=1))
    two.engine.receive("DEN", "MUG", 2)
    two.engine.tie("a-2")
    two.engine.receive("DEN", "MUG", 2)
    two.engine.tie("a-2-2")
    for order in ("a", "a-2"):
        two.engine.ship(order)
    assert [two.engine.order(o).state for o in ("a", "a-2", "a-2-2", "a-2-2-2")] == [
        "shipping", "shipping", "inventory_tied", "pending",
    ]  # fmt: skip
    with pytest.raises(Refused) as caught:
        two.engine.cancel("a")
    assert caught.value.blocked[0].values["open_children"] == ["a-2-2", "a-2-2-2"]
    assert caught.value.hint == "orderstate cancel a-2-2 a-2-2-2"
    two.engine.cancel("a-2-2")
    with pytest.raises(Refused) as caught:
        two.engine.cancel("a")
    assert caught.value.hint == "orderstate cancel a-2-2-2"
    two.engine.cancel("a-2-2-2")
    with pytest.raises(Refused) as caught:
        two.engine.cancel("a")
    assert caught.value.blocked[0].values["open_children"] == []
    two.check()


def test_cancelling_a_parent_leaves_its_child_alone(two: World) -> None:
    two.engine.tie(two.order(short="split", MUG=30))
    two.engine.cancel("1001")
    assert two.engine.order("1001-2").state == "pending"


# A part of it


def test_a_part_of_an_order_that_is_not_tied_is_cancelled_on_its_line(two: World) -> None:
    order = two.order(MUG=5, PEN=2)
    answer = two.engine.cancel(order, lines={"MUG": 2}, reason="too many")
    assert (answer.command, answer.state, answer.version, answer.events) == ("cancel", "pending", 2, ("1001:2",))
    event = two.engine.history(order).events[-1]
    assert (event.type, dict(event.payload)) == ("OrderReduced", {"cancelled": [["MUG", 2]], "reason": "too many"})
    assert lines(two, order) == [("MUG", 5, 2), ("PEN", 2, 0)]
    assert two.engine.order(order).open_units == 5
    two.engine.tie(order)
    assert held(two, order) == [("DEN", "MUG", "primary", 3), ("DEN", "PEN", "primary", 2)]
    two.check()


def test_a_part_of_a_tied_order_first_empties_a_facility(two: World) -> None:
    order = two.tied(MUG=12)
    assert held(two, order) == [
        ("DEN", "MUG", "back", 4), ("DEN", "MUG", "primary", 6), ("NYC", "MUG", "primary", 2),
    ]  # fmt: skip
    two.engine.cancel(order, lines={"MUG": 2})
    assert held(two, order) == [("DEN", "MUG", "back", 4), ("DEN", "MUG", "primary", 6)]
    two.check()


def test_then_back_stock_goes_before_primary(two: World) -> None:
    order = two.tied(MUG=10)
    answer = two.engine.cancel(order, lines={"MUG": 5})
    assert answer.document["released"] == [["DEN", "MUG", "back", 4], ["DEN", "MUG", "primary", 1]]
    assert held(two, order) == [("DEN", "MUG", "primary", 5)]
    assert two.rows("SELECT kind, allocated FROM movement WHERE subject = ? AND number = 3 ORDER BY pool", order) == [
        ("released", -4),
        ("released", -1),
    ]
    two.check()


def test_nothing_is_planned_again_for_what_stays(two: World) -> None:
    order = two.tied(NEW_YORK, MUG=12)
    two.engine.receive("NYC", "MUG", 100)
    before = two.engine.show(order).plan
    two.engine.cancel(order, lines={"MUG": 1})
    assert two.event_types(order) == ["OrderPlaced", "InventoryTied", "OrderReduced"]
    assert two.engine.show(order).plan == before
    assert sum(units for *_, units in held(two, order)) == 11


def test_the_last_units_are_a_cancel(two: World) -> None:
    order = two.tied(MUG=3, PEN=1)
    two.engine.cancel(order, lines={"MUG": 2})
    assert two.engine.cancel(order, lines={"PEN": 1}).state == "inventory_tied"
    answer = two.engine.cancel(order, lines={"MUG": 1})
    assert answer.state == "cancelled"
    assert two.event_types(order)[-1] == "OrderCancelled"
    assert two.level("DEN", "MUG")[1] == 0
    two.check()


def test_all_lines_at_once_are_a_cancel(two: World) -> None:
    order = two.order(MUG=3, PEN=1)
    assert two.engine.cancel(order, lines=[("PEN", 1), ("MUG", 2), ("MUG", 1)]).state == "cancelled"
    assert two.event_types(order) == ["OrderPlaced", "OrderCancelled"]


def test_no_lines_to_cancel_are_a_mistake_and_not_the_whole_order(two: World) -> None:
    order = two.order(MUG=3)
    for nothing in (dict[str, int](), list[tuple[str, int]]()):
        with two.unchanged(), pytest.raises(InvalidInput) as caught:
            two.engine.cancel(order, lines=nothing)
        assert caught.value.values["field"] == "lines"


def test_more_than_is_open_cannot_be_cancelled(two: World) -> None:
    order = two.tied(MUG=3, PEN=1)
    two.engine.cancel(order, lines={"MUG": 1})
    with two.unchanged("refusal"), pytest.raises(Refused) as caught:
        two.engine.cancel(order, lines={"MUG": 3})
    assert (caught.value.code, caught.value.hint) == ("more_than_open", f"orderstate cancel {order} --line MUG:2")
    assert two.refusals(order) == {("cancel", "more_than_open"): 1}


def test_one_line_too_many_cancels_none_of_them(two: World) -> None:
    order = two.tied(MUG=3, PEN=1)
    with two.unchanged("refusal"), pytest.raises(Refused):
        two.engine.cancel(order, lines={"MUG": 1, "PEN": 2})
    with two.unchanged(), pytest.raises(NotFound, match="unknown SKU 'CUP'"):
        two.engine.cancel(order, lines={"MUG": 1, "CUP": 1})


def test_the_rules_of_a_cancel_hold_for_a_part_too(two: World) -> None:
    tied = two.tied(MUG=3)
    with two.unchanged("refusal"), pytest.raises(Refused) as caught:
        two.engine.cancel(tied, lines={"MUG": 1}, role="customer")
    assert caught.value.code == "canceller_may"
    two.engine.ship(tied)
    with pytest.raises(Refused) as caught:
        two.engine.cancel(tied, lines={"MUG": 1})
    assert caught.value.code == "goods_still_here"


# Elsewhere


def test_an_order_that_is_not_tied_is_simply_sent_elsewhere(two: World) -> None:
    order = two.order(MUG=1)
    answer = two.engine.redirect(order, BERLIN)
    assert (answer.state, answer.version) == ("pending", 2)
    event = two.engine.history(order).events[-1]
    assert (event.type, dict(event.payload)) == ("OrderRedirected", {"from": DENVER, "destination": BERLIN})
    assert str(two.engine.order(order).destination) == BERLIN
    assert two.engine.order(order).entered_at < two.engine.history(order).events[-1].at


def test_a_tied_order_is_planned_again_in_the_same_transaction(two: World) -> None:
    order = two.tied(MUG=3)
    answer = two.engine.redirect(order, NEW_YORK)
    assert (answer.state, answer.version) == ("inventory_tied", 3)
    assert held(two, order) == [("NYC", "MUG", "primary", 3)]
    assert two.rows("SELECT kind, facility, allocated FROM movement WHERE subject = ? AND number = 3", order) == [
        ("released", "DEN", -3),
        ("allocated", "NYC", 3),
    ]
    shown = two.engine.show(order)
    assert shown.plan is not None
    assert shown.plan.facilities == ("NYC",)
    two.check()


def test_its_own_stock_counts_when_it_is_planned_again(two: World) -> None:
    order = two.tied(MUG=19)
    assert two.engine.redirect(order, NEW_YORK).state == "inventory_tied"
    two.check()


def test_a_tied_order_that_no_plan_covers_elsewhere_stays_as_it_is(two: World) -> None:
    order = two.tied(MUG=19)
    two.engine.set_facility("NYC", closed=True)
    with two.unchanged("refusal"), pytest.raises(StockShort) as caught:
        two.engine.redirect(order, NEW_YORK)
    assert caught.value.blocked[0].values["short"] == {"MUG": 9}
    assert two.refusals(order) == {("redirect", "stock_covers_order"): 1}
    two.check()


def test_the_same_destination_changes_nothing(two: World) -> None:
    order = two.tied(MUG=1)
    with two.unchanged():
        assert not two.engine.redirect(order, " us @ 39.740, -104.990 ".replace(" ", "")).changed


def test_what_has_left_or_is_over_cannot_be_sent_elsewhere(two: World) -> None:
    order = two.shipped(MUG=1)
    with two.unchanged("refusal"), pytest.raises(Refused) as caught:
        two.engine.redirect(order, BERLIN)
    assert [b.code for b in caught.value.blocked] == ["goods_still_here"]
    two.engine.deliver(order)
    with pytest.raises(Refused) as caught:
        two.engine.redirect(order, BERLIN)
    assert [b.code for b in caught.value.blocked] == ["final", "goods_still_here"]


@pytest.mark.parametrize(
    "to", ["", "U", "USA", "US@", "US@91,0", "US@0,181", "US@nan,0", "US@1e400,0", "XX@1,1", "US@1", "\x00"]
)
def test_a_destination_that_cannot_be_read_changes_nothing(to: str, two: World) -> None:
    order = two.order(MUG=1)
    with two.unchanged(), pytest.raises(InvalidInput):
        two.engine.redirect(order, to)
    with two.unchanged(), pytest.raises(InvalidInput):
        two.order(to, MUG=1)


# By itself


def test_what_is_tied_at_one_facility_can_move_by_itself(two: World) -> None:
    order = two.tied(MUG=12, PEN=1)
    answer = two.engine.split(order, "NYC")
    assert (answer.document["child"], answer.document["moved"], answer.version) == ("1001-2", [["MUG", 2]], 3)
    assert answer.events == ("1001:3", "1001-2:1", "1001-2:2")
    assert two.event_types("1001") == ["OrderPlaced", "InventoryTied", "OrderSplit"]
    assert two.event_types("1001-2") == ["OrderPlaced", "InventoryTied"]
    assert held(two, "1001-2") == [("NYC", "MUG", "primary", 2)]
    assert [f for f, *_ in held(two, order)] == ["DEN", "DEN", "DEN"]
    assert (lines(two, order), lines(two, "1001-2")) == ([("MUG", 10, 0), ("PEN", 1, 0)], [("MUG", 2, 0)])
    assert two.rows("SELECT subject, number, kind, allocated FROM movement WHERE facility = 'NYC' AND number > 2") == [
        ("1001", 3, "released", -2),
    ]
    assert two.level("NYC", "MUG") == (9, 2, 0)
    two.check()


def test_parent_and_child_then_go_their_own_ways(two: World) -> None:
    order = two.tied(MUG=12)
    two.engine.split(order, "NYC")
    two.engine.ship(order)
    with pytest.raises(Refused) as caught:
        two.engine.cancel(order)
    assert caught.value.hint == "orderstate cancel 1001-2"
    assert two.engine.cancel("1001-2").state == "cancelled"
    assert two.level("NYC", "MUG") == (9, 0, 0)
    two.check()


def test_what_is_refused_to_a_parent_that_left_is_offered_for_the_child_that_is_still_here(two: World) -> None:
    order = two.tied(MUG=12)
    two.engine.split(order, "NYC")
    two.engine.ship(order)
    refused: dict[str, Callable[[], object]] = {
        f"orderstate redirect 1001-2 --to {BERLIN}": lambda: two.engine.redirect(order, BERLIN),
        "orderstate cancel 1001-2": lambda: two.engine.cancel(order),
        "orderstate cancel 1001-2 --line MUG:1": lambda: two.engine.cancel(order, lines={"MUG": 1}),
        "orderstate cancel 1001-2 --line MUG:2": lambda: two.engine.cancel(order, lines={"MUG": 10}),
        f"orderstate why {order}": lambda: two.engine.split(order, "NYC"),  # the child is all from there
    }
    for hint, ask in refused.items():
        with pytest.raises(Refused) as caught:
            ask()
        assert caught.value.hint == hint
        assert caught.value.blocked[0].remedy == (None if "why" in hint else hint)
        assert caught.value.blocked[0].values["open_children"] == ["1001-2"]
    assert two.engine.cancel("1001-2", lines={"MUG": 1}).state == "inventory_tied"
    assert two.engine.redirect("1001-2", BERLIN).state == "inventory_tied"
    two.check()


def test_a_child_that_has_nothing_of_what_is_to_be_cancelled_is_no_way_out(two: World) -> None:
    two.engine.adjust("DEN", "PEN", to_units=0)
    order = two.tied(MUG=1, PEN=2)
    two.engine.split(order, "NYC")
    two.engine.ship(order)
    with pytest.raises(Refused) as caught:
        two.engine.cancel(order, lines={"MUG": 1})
    assert (caught.value.hint, caught.value.code) == (f"orderstate why {order}", "goods_still_here")
    assert [b.remedy for b in caught.value.blocked] == [None, None]


def test_a_child_that_can_be_split_in_turn_is_offered_for_a_split(two: World) -> None:
    two.engine.tie(two.order(id="a", short="split", MUG=30))
    two.engine.receive("DEN", "MUG", 2)
    two.engine.receive("NYC", "MUG", 2)
    two.engine.tie("a-2")
    two.engine.ship("a")
    with pytest.raises(Refused) as caught:
        two.engine.split("a", "NYC")
    assert caught.value.hint == "orderstate split a-2 --facility NYC"
    assert two.engine.split("a-2", "NYC").document["child"] == "a-2-3"


def test_a_line_that_goes_whole_leaves_the_parent(two: World) -> None:
    two.engine.adjust("DEN", "PEN", to_units=0)
    order = two.tied(MUG=1, PEN=2)
    two.engine.split(order, "NYC")
    assert (lines(two, order), lines(two, "1001-2")) == ([("MUG", 1, 0)], [("PEN", 2, 0)])
    two.check()


@pytest.mark.parametrize(
    ("facility", "says"), [("DEN", "nothing would be left"), ("NYC", "only from DEN"), ("LAX", "only from DEN")]
)
def test_there_must_be_something_to_split_off_and_something_left(facility: str, says: str, two: World) -> None:
    order = two.tied(MUG=1)
    with two.unchanged("refusal"), pytest.raises(Refused, match="split refused") as caught:
        two.engine.split(order, facility)
    assert caught.value.code == "nothing_to_split"
    assert says in caught.value.blocked[0].sentence


def test_an_order_that_is_not_tied_cannot_be_split(two: World) -> None:
    with pytest.raises(Refused) as caught:
        two.engine.split(two.order(MUG=1), "DEN")
    assert caught.value.code == "nothing_to_split"
    with pytest.raises(Refused) as caught:
        two.engine.split(two.shipped(MUG=12), "NYC")
    assert caught.value.code == "goods_still_here"


def test_a_part_that_was_cancelled_before_a_split_stays_with_the_parent(two: World) -> None:
    order = two.tied(MUG=13)
    two.engine.cancel(order, lines={"MUG": 1})
    two.engine.split(order, "NYC")
    assert (lines(two, order), lines(two, "1001-2")) == ([("MUG", 10, 1)], [("MUG", 3, 0)])
    two.check()
