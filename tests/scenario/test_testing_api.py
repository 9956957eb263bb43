"""orderstate.testing: a shop in three lines, short words, a clock that a test moves, and what the flow was taken."""

from __future__ import annotations

from pathlib import Path

import pytest

import orderstate.testing
from orderstate import InvalidInput, NotFound, OrderstateError, Refused, StockShort
from orderstate.flow import load, read
from orderstate.model import StockLevel
from orderstate.testing import Shop, world

EXAMPLES = Path(__file__).parents[2] / "examples" / "flows"
NETWORK = {"DENVER": "US@39.86,-104.67", "NEW_YORK": {"country": "US", "at": "40.71,-74.01"}}
STOCK = {"DENVER": {"MUG": 2}, "NEW_YORK": {"MUG": {"primary": 3, "back": 20, "safety": {"primary": 1}}}}
NEAR = "US@39.74,-104.99"
TIMED = "extends: standard\nstates: {inventory_tied: {stock: tied, after: 48h, trigger: untie}}\n"


def test_the_story_of_an_order() -> None:
    with world(facilities=NETWORK, stock=STOCK) as shop:
        order = shop.place({"MUG": 2}, NEAR)
        assert shop.state(order) == "pending"
        assert shop.tie(order).state == "inventory_tied"
        assert shop.taken_from(order) == {"DENVER": 2}
        assert shop.stock("DENVER", "MUG") == StockLevel("DENVER", "MUG", "primary", 2, 2, 0)
        shop.refused("cancel", order, "canceller_may", role="customer")
        shop.ship(order, by="ann")
        shop.refused("cancel", order, "goods_still_here", "canceller_may", role="customer")
        shop.deliver(order)
        assert shop.events(order) == ["OrderPlaced", "InventoryTied", "ShippingStarted", "OrderDelivered"]


def test_stock_is_what_was_said_down_to_pools_and_safety_stock() -> None:
    with world(facilities=NETWORK, stock=STOCK) as shop:
        assert shop.stock("NEW_YORK", "MUG") == StockLevel("NEW_YORK", "MUG", "primary", 3, 0, 1)
        assert shop.stock("NEW_YORK", "MUG", "back").available == 20
        assert shop.stock("DENVER", "MUG", "back") == StockLevel("DENVER", "MUG", "back", 0, 0, 0)
        shop.receive("DENVER", "MUG", 5, pool="back")
        assert shop.stock("DENVER", "MUG", "back").on_hand == 5


def test_the_clock_stands_still_until_the_test_moves_it_and_timers_fire_on_the_way() -> None:
    with world(facilities=NETWORK, stock=STOCK, flow=read(TIMED), clock="2026-03-01T12:00:00Z") as shop:
        order = shop.place({"MUG": 1}, NEAR)
        shop.tie(order)
        assert shop.wait("47h") == []
        assert shop.state(order) == "inventory_tied"
        (fired,) = shop.wait("1h")
        assert not isinstance(fired, OrderstateError)
        assert (fired.order, fired.state) == (order, "pending")
        assert shop.engine.order(order).entered_at == shop.clock.now
        shop.until("2026-03-09")
        assert shop.clock.now - shop.engine.order(order).placed_at == (7 * 24 + 12) * 3_600_000_000


def test_an_own_flow_comes_as_a_flow_a_document_or_a_file() -> None:
    from orderstate.flow import document

    file = EXAMPLES / "payment.yaml"
    for flow in (load(file), document(load(file)), file, str(file)):
        with world(facilities=NETWORK, stock=STOCK, flow=flow) as shop:
            order = shop.place({"MUG": 1}, NEAR)
            shop.refused("tie", order, "not_from_here")
            shop.do("authorise", order, role="system")
            shop.fire(order, "capture")
            assert shop.tie(order).state == "inventory_tied"


def test_settings_are_in_force() -> None:
    with world(facilities=NETWORK, stock=STOCK, settings={"short": "refuse", "strategy": "nearest"}) as shop:
        order = shop.place({"MUG": 99}, NEAR)
        error = shop.refused("tie", order, "stock_covers_order", "may_wait")
        assert isinstance(error, StockShort)


def test_refused_fails_where_it_is_done_or_refused_for_another_reason() -> None:
    with world(facilities=NETWORK, stock=STOCK) as shop:
        order = shop.place({"MUG": 1}, NEAR)
        with pytest.raises(AssertionError, match=f"ship of {order} was refused with not_from_here, not with final: "):
            shop.refused("ship", order, "final")
        assert isinstance(shop.refused("ship", order), Refused)
        with pytest.raises(AssertionError, match=f"tie of {order} was not refused: it led to inventory_tied"):
            shop.refused("tie", order, "stock_covers_order")
        shop.cancel(order)
        with pytest.raises(AssertionError, match="it changed nothing"):
            shop.refused("cancel", order)


def test_parts_of_orders_move_by_themselves() -> None:
    with world(facilities=NETWORK, stock=STOCK) as shop:
        order = shop.place({"MUG": 23}, NEAR)
        shop.tie(order)
        child = str(shop.split(order, "DENVER").document["child"])
        assert shop.children(order) == [child]
        shop.redirect(order, "US@40.7,-74.1")
        shop.cancel(order, lines={"MUG": 1})
        shop.untie(child)
        assert (shop.state(order), shop.state(child)) == ("inventory_tied", "pending")


def test_the_coverage_says_what_was_taken_what_was_not_and_what_was_refused() -> None:
    with world(facilities=NETWORK, stock=STOCK) as shop:
        order = shop.place({"MUG": 2}, NEAR)
        assert shop.coverage.taken == frozenset()
        shop.refused("ship", order, "not_from_here")
        shop.tie(order)
        shop.cancel(order, lines={"MUG": 1})
        coverage = shop.coverage
        assert coverage.taken == {("pending", "tie_inventory", "inventory_tied")}
        assert coverage.refusals == {("pending", "ship", "not_from_here")}
        assert ("shipping", "deliver", "delivered") in coverage.missing


def test_the_coverage_of_two_flows_is_that_of_both() -> None:
    with world(facilities=NETWORK, stock=STOCK) as shop:
        shop.use_flow(load(EXAMPLES / "returns.yaml"))
        order = shop.place({"MUG": 2}, NEAR)
        for step in ("tie", "ship", "deliver", "close"):
            shop.do(step, order)
        assert ("delivered", "close", "closed") in shop.coverage.taken


def test_every_shop_is_its_own() -> None:
    with world(facilities=NETWORK) as one, world() as other:
        assert len(one.engine.facilities()) == 2
        assert other.engine.facilities() == []


@pytest.mark.parametrize(
    ("given", "error", "sentence"),
    [
        ({"facilities": {"DENVER": "@1,2"}}, InvalidInput, "facilities.DENVER: '@1,2' is not COUNTRY@LAT,LON"),
        ({"facilities": {"DENVER": "US@91,0"}}, InvalidInput, "'91,0' is not LAT,LON"),
        ({"stock": {"NOWHERE": {"MUG": 1}}}, InvalidInput, "NOWHERE"),
        ({"settings": {"shrt": "split"}}, InvalidInput, "shrt"),
        ({"clock": "tomorrow"}, InvalidInput, "clock: 'tomorrow' is not a time such as"),
        ({"flow": "nowhere.yaml"}, InvalidInput, "nowhere.yaml"),
        ({"flow": {"extends": "standard", "states": {"x": {"stock": "free"}}}}, Refused, "cannot be put in force"),
    ],
)  # fmt: skip
def test_a_world_that_cannot_be_is_named(given: dict[str, object], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as caught, world(**given):  # type: ignore[arg-type]  # what is wrong with it is the point
        pass
    assert sentence in str(caught.value)


def test_time_does_not_go_back_and_is_told_in_words() -> None:
    with world() as shop:
        with pytest.raises(InvalidInput, match="until: '2025-12-31' is not a time from 2026-01-01T00:00:00Z on"):
            shop.until("2025-12-31")
        with pytest.raises(InvalidInput, match="wait: 'a while' is not a time such as 30m, 48h"):
            shop.wait("a while")
        shop.until("9999-12-31T23:59:59Z")
        assert shop.wait("999ms") == []
        with pytest.raises(InvalidInput, match="wait: '1s' is not a time that ends in the year 9999"):
            shop.wait("1s")
        with pytest.raises(InvalidInput, match="from 1970 to 9999"):
            shop.until(shop.clock.now + 1_000_000)


def test_what_the_words_do_not_know_is_said() -> None:
    with world(facilities=NETWORK, stock=STOCK) as shop:
        order = shop.place({"MUG": 1}, NEAR)
        with pytest.raises(InvalidInput, match="'shipp' is not one of"):
            shop.do("shipp", order)
        with pytest.raises(NotFound):
            shop.tie("9999")


def test_its_names_are_the_public_ones() -> None:
    assert orderstate.testing.__all__ == sorted(orderstate.testing.__all__) == dir(orderstate.testing)
    assert orderstate.testing.Shop is Shop


def test_another_flow_is_used_by_its_file_its_document_and_its_name() -> None:
    with world(facilities=NETWORK, stock=STOCK) as shop:
        shop.use_flow(EXAMPLES / "payment.yaml")
        assert shop.engine.flow == load(EXAMPLES / "payment.yaml")
        shop.use_flow("standard")
        assert shop.engine.flow.name == "standard"
        shop.use_flow({"extends": "standard", "name": "mine"})
        assert shop.engine.flow.name == "mine"
        assert shop.place({"MUG": 1}, NEAR) == "1001"


def test_a_command_that_is_not_known_lists_the_triggers_of_the_flow() -> None:
    with world(facilities=NETWORK, stock=STOCK, flow=EXAMPLES / "payment.yaml") as shop:
        order = shop.place({"MUG": 1}, NEAR)
        with pytest.raises(InvalidInput, match=r"'nope' is not one of .*authorise.*capture.*untie"):
            shop.do("nope", order)
