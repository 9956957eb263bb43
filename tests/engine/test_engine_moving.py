"""An order's way: placed, tied, shipped, delivered. What each step writes, and what it does to stock."""

from __future__ import annotations

import json

import pytest
from worlds import BERLIN, DENVER, NEW_YEAR, NEW_YORK, World

from orderstate import InvalidInput, NotFound, Options, OrderstateError, Refused, StockShort
from orderstate.engine.commands import MAX_KEY


@pytest.fixture
def two(world: World) -> World:
    """Denver and New York, near and far."""
    world.facility("DEN", "39.74,-104.99", MUG=10, PEN=2, back={"MUG": 5})
    return world.facility("NYC", "40.71,-74.01", MUG=10, PEN=10)


def movements(world: World, order: str) -> list[tuple[object, ...]]:
    """(number, kind, facility, sku, pool, on hand, allocated) of each movement of an order."""
    return world.rows(
        "SELECT number, kind, facility, sku, pool, on_hand, allocated FROM movement WHERE subject = ? ORDER BY id",
        order,
    )


def payload(world: World, order: str, number: int) -> dict[str, object]:
    """What one event says."""
    found = world.rows("SELECT payload FROM event WHERE subject = ? AND number = ?", order, number)
    return dict(json.loads(found[0][0]))


# Placing


def test_a_placed_order_is_pending_and_nothing_is_reserved(two: World) -> None:
    before = two.rows("SELECT * FROM stock"), two.rows("SELECT * FROM movement")
    answer = two.engine.place({"MUG": 2, "PEN": 1}, DENVER, contact="ann@b.example", by="shop", role="customer")
    assert (answer.order, answer.was, answer.state, answer.version) == ("1001", None, "pending", 1)
    assert (answer.events, answer.changed, answer.exit_status) == (("1001:1",), True, 0)
    assert (two.rows("SELECT * FROM stock"), two.rows("SELECT * FROM movement")) == before
    (event,) = two.engine.history("1001").events
    assert (event.type, event.role, event.by, event.target, event.source) == (
        "OrderPlaced", "customer", "shop", "pending", None,
    )  # fmt: skip
    assert event.payload == {"destination": DENVER, "short": "backorder", "lines": [["MUG", 2], ["PEN", 1]]}
    assert two.engine.order("1001").contact == "ann@b.example"


def test_generated_ids_count_from_1001_and_a_failed_place_takes_none(two: World) -> None:
    assert [two.order(MUG=1), two.order(MUG=1)] == ["1001", "1002"]
    with pytest.raises(NotFound):
        two.order(CUP=1)
    assert two.order(id="web-7", MUG=1) == "web-7"
    assert two.order(MUG=1) == "1003"


def test_an_id_that_is_taken_is_refused(two: World) -> None:
    two.order(id="web-7", MUG=1)
    with two.unchanged(), pytest.raises(Refused) as caught:
        two.order(id="web-7", MUG=1)
    assert (caught.value.code, caught.value.exit_status) == ("order_exists", 4)


@pytest.mark.parametrize(
    "own", ["1001", "7", "00", "a b", "a/b", "", "-a", ".a", "é", "１２", "a" * 65, "a\n", "a@2", "a:1"]
)
def test_an_id_of_ones_own_is_no_number_and_has_no_odd_signs(own: str, two: World) -> None:
    with two.unchanged(), pytest.raises(InvalidInput) as caught:
        two.order(id=own, MUG=1)
    assert caught.value.values["field"] == "id"


@pytest.mark.parametrize("own", ["a", "1001-2", "0x1F", "a" * 64, "A.b_c-9"])
def test_any_other_id_will_do(own: str, two: World) -> None:
    assert two.engine.tie(two.order(id=own, MUG=1)).order == own


def test_an_unknown_sku_is_not_found_with_those_that_are_close(two: World) -> None:
    with two.unchanged(), pytest.raises(NotFound) as caught:
        two.engine.place({"MUG": 1, "PNE": 1}, DENVER)
    assert (caught.value.code, caught.value.hint, caught.value.exit_status) == ("unknown_sku", "did you mean PEN?", 3)


def test_the_same_sku_twice_is_summed(two: World) -> None:
    order = two.engine.place([("MUG", 2), ("PEN", 1), ("MUG", 3)], DENVER).order
    assert [(line.sku, line.quantity) for line in two.engine.order(order).lines] == [("MUG", 5), ("PEN", 1)]


def test_the_policy_is_the_orders_own_or_else_the_settings_at_that_time(two: World) -> None:
    first = two.order(MUG=1)
    two.engine.configure("short", "refuse")
    second, third = two.order(MUG=1), two.order(short="split", MUG=1)
    assert [two.engine.order(o).short for o in (first, second, third)] == ["backorder", "refuse", "split"]


# Tying


def test_a_tie_reserves_from_the_nearest_and_from_primary_before_back(two: World) -> None:
    answer = two.engine.tie(two.order(MUG=17, PEN=1))
    assert (answer.state, answer.version, answer.events) == ("inventory_tied", 2, ("1001:2",))
    assert [[a.facility, a.sku, a.pool, a.units] for a in two.engine.show("1001").allocations] == [
        ["DEN", "MUG", "back", 5],
        ["DEN", "MUG", "primary", 10],
        ["DEN", "PEN", "primary", 1],
        ["NYC", "MUG", "primary", 2],
    ]
    assert movements(two, "1001") == [
        (2, "allocated", "DEN", "MUG", "back", 0, 5),
        (2, "allocated", "DEN", "MUG", "primary", 0, 10),
        (2, "allocated", "DEN", "PEN", "primary", 0, 1),
        (2, "allocated", "NYC", "MUG", "primary", 0, 2),
    ]
    assert two.level("DEN", "MUG") == (10, 10, 0)
    two.check()


def test_inventory_tied_carries_the_plan_and_so_does_the_order(two: World) -> None:
    answer = two.engine.tie(two.order(NEW_YORK, MUG=1))
    shown = two.engine.show("1001")
    assert shown.plan is not None
    assert json.loads(json.dumps(shown.plan.document())) == payload(two, "1001", 2)["plan"] == answer.document["plan"]
    assert {s.facility: s.why for s in shown.plan.standings} == {"DEN": "farther", "NYC": "used"}
    assert two.engine.plan("1001").stored


def test_safety_stock_is_not_for_sale(two: World) -> None:
    two.engine.adjust("DEN", "MUG", safety=9)
    two.engine.tie(two.order(MUG=2), options=Options(only=frozenset({"DEN"})))
    assert [(a.pool, a.units) for a in two.engine.show("1001").allocations] == [("back", 1), ("primary", 1)]


def test_safety_stock_above_what_there_is_makes_nothing_available_and_nothing_negative(two: World) -> None:
    two.engine.adjust("NYC", "PEN", safety=1000)
    (level,) = two.engine.stock(sku="PEN", facility="NYC")
    assert (level.on_hand, level.safety, level.available) == (10, 1000, 0)
    with pytest.raises(StockShort):
        two.engine.tie(two.order(short="refuse", PEN=3))


def test_a_closed_facility_ties_nothing_until_it_opens(two: World) -> None:
    two.engine.set_facility("DEN", closed=True)
    two.engine.tie(two.order(MUG=1))
    shown = two.engine.show("1001")
    assert [a.facility for a in shown.allocations] == ["NYC"]
    assert shown.plan is not None
    assert {s.facility: s.why for s in shown.plan.standings} == {"DEN": "closed", "NYC": "used"}
    two.engine.set_facility("DEN", closed=False)
    two.engine.tie(two.order(MUG=1))
    assert [a.facility for a in two.engine.show("1002").allocations] == ["DEN"]


def test_an_order_that_stock_does_not_cover_waits_and_the_answer_says_5(two: World) -> None:
    answer = two.engine.tie(two.order(MUG=26, PEN=1))
    assert (answer.state, answer.exit_status, answer.changed) == ("backordered", 5, True)
    assert two.event_types("1001") == ["OrderPlaced", "OrderBackordered"]
    assert payload(two, "1001", 2) == {"short": {"MUG": 1}}
    assert movements(two, "1001") == []
    assert two.engine.show("1001").allocations == ()


def test_an_order_that_waits_goes_on_waiting_and_the_error_says_5(two: World) -> None:
    two.engine.tie(two.order(MUG=26))
    for _ in range(2):
        with two.unchanged("refusal"), pytest.raises(StockShort) as caught:
            two.engine.tie("1001")
    assert caught.value.exit_status == 5
    assert two.refusals("1001") == {("tie_inventory", "stock_covers_order"): 2}
    two.engine.receive("DEN", "MUG", 1)
    assert two.engine.tie("1001").state == "inventory_tied"


def test_an_order_that_does_not_wait_is_refused_and_stays_pending(two: World) -> None:
    order = two.order(short="refuse", MUG=26)
    with two.unchanged("refusal"), pytest.raises(StockShort) as caught:
        two.engine.tie(order)
    assert [b.code for b in caught.value.blocked] == ["stock_covers_order", "may_wait"]
    assert two.refusals(order) == {("tie_inventory", "stock_covers_order may_wait"): 1}


def test_a_plan_that_the_caller_limited_is_no_reason_to_wait(two: World) -> None:
    order = two.order(MUG=12)
    with two.unchanged("refusal"), pytest.raises(StockShort):
        two.engine.tie(order, options=Options(only=frozenset({"NYC"})))
    assert two.engine.tie(order, options=Options(exclude=frozenset({"NYC"}))).state == "inventory_tied"
    assert {a.facility for a in two.engine.show(order).allocations} == {"DEN"}


def test_an_unknown_facility_in_the_options_is_not_found(two: World) -> None:
    order = two.order(MUG=1)
    with two.unchanged(), pytest.raises(NotFound, match="DNE"):
        two.engine.tie(order, options=Options(only=frozenset({"DNE"})))


def test_an_order_abroad_leaves_through_the_gateway_that_is_nearest_to_a_facility(world: World) -> None:
    world.facility("DEN", "39.74,-104.99", MUG=1)
    world.facility("NYC", "40.71,-74.01", MUG=1)
    world.tied(BERLIN, MUG=1)
    plan = world.engine.show("1001").plan
    assert plan is not None
    assert all(s.gateway and s.metres for s in plan.standings)
    nearest = min(plan.standings, key=lambda s: s.metres or 0)
    assert [s.facility for s in plan.standings if s.why == "used"] == [nearest.facility]


# What cannot be tied becomes a child


def test_what_cannot_be_tied_moves_to_a_child_with_its_own_history(two: World) -> None:
    order = two.order(short="split", MUG=28, PEN=1)
    answer = two.engine.tie(order, by="bob")
    assert (answer.document["child"], answer.version) == ("1001-2", 3)
    assert answer.events == ("1001:2", "1001-2:1", "1001:3")
    assert two.event_types("1001") == ["OrderPlaced", "OrderSplit", "InventoryTied"]
    assert two.event_types("1001-2") == ["OrderPlaced"]
    child = two.engine.order("1001-2")
    assert (child.parent, child.state, child.version) == ("1001", "pending", 1)
    assert [(line.sku, line.quantity) for line in child.lines] == [("MUG", 3)]
    assert [(line.sku, line.quantity) for line in two.engine.order("1001").lines] == [("MUG", 25), ("PEN", 1)]
    assert payload(two, "1001", 2) == {"child": "1001-2", "moved": [["MUG", 3]]}
    assert payload(two, "1001-2", 1)["parent"] == "1001"
    assert two.engine.show("1001").children == (("1001-2", "pending"),)
    assert (child.placed_at, child.destination, child.short) == (
        two.engine.order("1001").placed_at, two.engine.order("1001").destination, "split",
    )  # fmt: skip
    two.check()


def test_a_whole_line_may_move_and_a_child_may_split_again(two: World) -> None:
    two.engine.tie(two.order(short="split", MUG=1, PEN=20))
    assert [line.sku for line in two.engine.order("1001-2").lines] == ["PEN"]
    two.engine.receive("NYC", "PEN", 3)
    two.engine.tie("1001-2")
    assert two.engine.order("1001-2-2").parent == "1001-2"
    assert two.engine.order("1001-2-2").open_units == 5
    two.check()


def test_a_child_keeps_the_contact_of_its_parent(two: World) -> None:
    two.engine.place({"MUG": 30}, DENVER, short="split", contact="ann@b.example")
    two.engine.tie("1001")
    assert two.engine.order("1001-2").contact == "ann@b.example"


def test_a_child_takes_the_next_number_where_its_id_is_taken(two: World) -> None:
    two.order(id="1001-2", MUG=1)
    assert two.engine.tie(two.order(short="split", MUG=30)).document["child"] == "1001-3"


def test_a_child_of_the_longest_id_can_be_used_like_any_other(two: World) -> None:
    child = two.engine.tie(two.order(id="x" * 64, short="split", MUG=30)).document["child"]
    assert two.engine.tie(child).state == "backordered"
    assert two.engine.cancel(child).state == "cancelled"


def test_where_nothing_can_be_tied_nothing_is_split(two: World) -> None:
    two.tied(MUG=25)
    assert two.engine.tie(two.order(short="split", MUG=3)).state == "backordered"
    assert two.event_types("1002") == ["OrderPlaced", "OrderBackordered"]


# Untying, shipping, delivering


def test_an_untie_gives_everything_back(two: World) -> None:
    order = two.tied(MUG=12)
    answer = two.engine.untie(order)
    assert (answer.state, answer.document["released"]) == (
        "pending",
        [["DEN", "MUG", "back", 2], ["DEN", "MUG", "primary", 10]],
    )
    assert movements(two, order)[2:] == [
        (3, "released", "DEN", "MUG", "back", 0, -2),
        (3, "released", "DEN", "MUG", "primary", 0, -10),
    ]
    assert two.engine.show(order).plan is None
    two.check()


def test_shipping_consumes_and_makes_one_shipment_per_facility(two: World) -> None:
    answer = two.engine.ship(two.tied(MUG=17, PEN=1))
    assert answer.document["shipments"] == [["DEN", 16], ["NYC", 2]]
    assert [(s.facility, s.units) for s in two.engine.show("1001").shipments] == [("DEN", 16), ("NYC", 2)]
    assert [(kind, on_hand, allocated) for _, kind, *_, on_hand, allocated in movements(two, "1001")[4:]] == [
        ("shipped", -5, -5), ("shipped", -10, -10), ("shipped", -1, -1), ("shipped", -2, -2),
    ]  # fmt: skip
    assert two.level("DEN", "MUG") == (0, 0, 0)
    assert two.engine.deliver("1001").state == "delivered"
    two.check()


def test_who_asked_and_in_which_role_is_kept_with_each_event(two: World) -> None:
    order = two.engine.place({"MUG": 1}, DENVER, role="customer", by="ann").order
    two.engine.tie(order, role="system")
    two.engine.ship(order, by="bob")
    assert [(e.role, e.by) for e in two.engine.history(order).events] == [
        ("customer", "ann"), ("system", None), ("operator", "bob"),
    ]  # fmt: skip


@pytest.mark.parametrize("trigger", ["untie", "ship", "deliver", "cancel", "tie_inventory"])
def test_asking_again_for_the_state_that_is_there_succeeds_quietly(trigger: str, two: World) -> None:
    order = two.tied(MUG=1)
    ways = {
        "tie_inventory": (), "untie": ("untie",), "ship": ("ship",), "deliver": ("ship", "deliver"),
        "cancel": ("cancel",),
    }  # fmt: skip
    for step in ways[trigger]:
        two.engine.fire(order, step)
    with two.unchanged():
        answer = two.engine.fire(order, trigger)
    assert (answer.changed, answer.events, answer.exit_status, answer.was) == (False, (), 0, answer.state)


def test_a_refusal_is_counted_once_for_each_set_of_reasons_with_first_and_last(two: World) -> None:
    order = two.shipped(MUG=1)
    for role in ("customer", "operator", "customer"):
        with two.unchanged("refusal"), pytest.raises(Refused):
            two.engine.cancel(order, role=role)
    with pytest.raises(Refused):
        two.engine.untie(order)
    assert two.refusals(order) == {("cancel", "goods_still_here canceller_may"): 3, ("untie", "not_from_here"): 1}
    first, second = two.engine.history(order).refusals
    assert first.first_at < first.last_at < second.first_at == second.last_at


def test_a_command_to_nobody_is_not_found_with_ids_that_begin_alike(two: World) -> None:
    two.order(id="web-77", MUG=1)
    with two.unchanged(), pytest.raises(NotFound) as caught:
        two.engine.ship("web-78")
    assert (caught.value.code, caught.value.hint) == ("unknown_order", "did you mean web-77?")


def test_an_unknown_trigger_or_strategy_is_not_found(two: World) -> None:
    order = two.order(MUG=1)
    with two.unchanged(), pytest.raises(NotFound, match="unknown trigger 'shp'"):
        two.engine.fire(order, "shp")
    with two.unchanged(), pytest.raises(NotFound, match="unknown strategy 'nearst'"):
        two.engine.tie(order, strategy="nearst")


# Advancing


def test_advance_takes_the_one_main_step_from_each_state(two: World) -> None:
    order = two.order(MUG=1)
    states = [next(two.engine.advance(order)).state for _ in range(3)]
    assert states == ["inventory_tied", "shipping", "delivered"]
    with two.unchanged("refusal"), pytest.raises(Refused) as caught:
        next(two.engine.advance(order))
    assert caught.value.code == "final"


def test_one_step_is_made_whether_or_not_its_answer_is_asked_for(two: World) -> None:
    order = two.order(MUG=1)
    two.engine.advance(order)
    assert two.engine.order(order).state == "inventory_tied"


def test_advance_until_is_one_transaction_a_step(two: World) -> None:
    order = two.order(MUG=1)
    steps = two.engine.advance(order, until="delivered")
    assert next(steps).state == "inventory_tied"
    assert two.another().order(order).state == "inventory_tied"
    assert [step.state for step in steps] == ["shipping", "delivered"]
    assert [e.number for e in two.engine.history(order).events] == [1, 2, 3, 4]


def test_advance_until_the_state_that_is_there_does_nothing(two: World) -> None:
    order = two.tied(MUG=1)
    with two.unchanged():
        assert list(two.engine.advance(order, until="inventory_tied")) == []


@pytest.mark.parametrize("until", ["pending", "backordered", "cancelled", "inventory_tied"])
def test_advance_until_a_state_that_is_not_ahead_is_refused_before_anything_moves(until: str, two: World) -> None:
    order = two.shipped(MUG=1)
    with two.unchanged(), pytest.raises(Refused) as caught:
        list(two.engine.advance(order, until=until))
    assert caught.value.code == "not_on_path"


def test_advance_until_an_unknown_state_is_not_found(two: World) -> None:
    with pytest.raises(NotFound, match="unknown state 'deliverd'"):
        list(two.engine.advance(two.order(MUG=1), until="deliverd"))


def test_what_stops_an_advance_midway_leaves_the_steps_that_were_made(two: World) -> None:
    order = two.order(MUG=26)
    steps = list(two.engine.advance(order, until="shipping"))
    assert [(step.state, step.exit_status) for step in steps] == [("backordered", 5)]
    with pytest.raises(StockShort) as caught:
        list(two.engine.advance(order, until="shipping"))
    assert caught.value.exit_status == 5
    two.engine.receive("DEN", "MUG", 1)
    assert [step.state for step in two.engine.advance(order, until="shipping")] == ["inventory_tied", "shipping"]


def test_advance_with_a_key_keeps_each_step_under_a_key_of_its_own(two: World) -> None:
    order = two.order(MUG=1)
    first = [step.document for step in two.engine.advance(order, until="shipping", key="go")]
    with two.unchanged():
        again = list(two.engine.advance(order, until="shipping", key="go"))
    assert [step.document for step in again] == first
    assert all(step.repeated for step in again)
    assert two.rows("SELECT key FROM idempotency ORDER BY key") == [("go#1",), ("go#2",)]


def test_a_key_too_long_for_steps_is_said_to_be_so_before_anything_moves(two: World) -> None:
    order = two.order(MUG=1)
    with two.unchanged(), pytest.raises(InvalidInput) as caught:
        list(two.engine.advance(order, until="delivered", key="k" * MAX_KEY))
    assert caught.value.values["field"] == "key"


def test_advance_names_its_version_for_the_first_step_only(two: World) -> None:
    order = two.order(MUG=1)
    assert len(list(two.engine.advance(order, until="delivered", if_version=1))) == 3
    with pytest.raises(OrderstateError) as caught:
        list(two.engine.advance(two.order(MUG=1), until="delivered", if_version=2))
    assert caught.value.code == "stale_version"


# The clock


def test_the_clock_is_the_callers(two: World) -> None:
    two.clock.now, two.clock.step = NEW_YEAR + 5, 0
    order = two.order(MUG=1)
    two.engine.tie(order, at=NEW_YEAR + 7)
    happened = two.engine.history(order).events
    assert [event.at for event in happened] == [NEW_YEAR + 5, NEW_YEAR + 7]
    found = two.engine.order(order)
    assert (found.placed_at, found.entered_at) == (NEW_YEAR + 5, NEW_YEAR + 7)
    assert two.rows("SELECT DISTINCT at FROM movement WHERE subject = ?", order) == [(NEW_YEAR + 7,)]
