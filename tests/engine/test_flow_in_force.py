"""Putting a flow in force: what becomes of the orders that stand there, and every reason why it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from other_flows import RECEIVED, TO_RECEIVED, renamed, sound, stand, states
from worlds import DENVER, World

from orderstate import Answer, InvalidInput, NotFound, Refused
from orderstate.engine import reading
from orderstate.engine.commands import Place, UseFlow
from orderstate.flow import document, load, read
from orderstate.machine import STANDARD

FLOWS = Path(__file__).parents[2] / "examples" / "flows"


@pytest.fixture
def shop(world: World) -> World:
    """An order in each state of the standard flow, each named after it."""
    stand(world)
    return world


# Putting a flow in force


def test_every_order_goes_where_the_mapping_says_with_an_event_of_its_own(shop: World) -> None:
    before = dict(shop.rows("SELECT id, version FROM orders"))
    stock = shop.level("DEN", "MUG")
    answer = shop.engine.use_flow(RECEIVED, mapping=TO_RECEIVED, by="ann")
    assert answer.document == {
        "command": "use_flow",
        "flow": "received",
        "was": "standard",
        "mapped": [{"from": old, "to": new, "orders": 1} for old, new in TO_RECEIVED.items()],
        "changed": True,
        "exit": 0,
    }
    assert states(shop) == TO_RECEIVED
    assert dict(shop.rows("SELECT id, version FROM orders")) == {order: n + 1 for order, n in before.items()}
    for old, new in TO_RECEIVED.items():
        event = shop.engine.history(old).events[-1]
        assert (event.type, event.source, event.target, event.trigger) == ("FlowChanged", old, new, "use_flow")
        assert (event.payload, event.role, event.by) == ({"flow": "received"}, "operator", "ann")
    assert shop.level("DEN", "MUG") == stock
    assert shop.engine.flow == RECEIVED
    assert sound(shop)


def test_the_flow_is_kept_in_the_database_and_no_setting(shop: World) -> None:
    shop.engine.use_flow(RECEIVED, mapping=TO_RECEIVED)
    assert "flow" not in shop.engine.settings()
    with pytest.raises(NotFound):
        shop.engine.configure("flow", "standard")
    fresh = shop.another()
    assert fresh.flow == RECEIVED
    assert fresh.place({"MUG": 1}, DENVER).state == "received"


def test_the_standard_flow_leaves_nothing_behind_but_what_orders_went_through(shop: World) -> None:
    settings = shop.rows("SELECT * FROM setting")
    shop.engine.use_flow(RECEIVED, mapping=TO_RECEIVED)
    back = {"received": "pending", "waiting": "backordered", "reserved": "inventory_tied"}
    shop.engine.use_flow(STANDARD, mapping={**back, "sent": "delivered", "dropped": "cancelled"})
    kept = [row for row in shop.rows("SELECT * FROM setting") if row not in settings]
    assert [key for key, _ in kept] == ["flow.1", "flow.2"]
    assert [flow for flow, _ in shop.engine.replaced_flows()] == [STANDARD, RECEIVED]
    assert set(settings) <= set(shop.rows("SELECT * FROM setting"))
    shop.check()


def test_only_states_that_hold_orders_need_a_mapping(world: World) -> None:
    assert world.engine.use_flow(RECEIVED).document["mapped"] == []
    world.facility("DEN", "39.74,-104.99", MUG=9)
    order = world.engine.place({"MUG": 1}, DENVER).order
    with world.unchanged(), pytest.raises(Refused):
        world.engine.use_flow(STANDARD)
    world.engine.fire(order, "drop")
    world.engine.use_flow(STANDARD, mapping={"dropped": "cancelled"})
    assert world.engine.order(order).state == "cancelled"


def test_orders_of_a_state_that_both_flows_have_stay_and_keep_their_time(shop: World) -> None:
    entered = shop.rows("SELECT id, version, entered_at FROM orders")
    answer = shop.engine.use_flow(load(FLOWS / "returns.yaml"))
    assert answer.document["mapped"] == []
    assert shop.rows("SELECT id, version, entered_at FROM orders") == entered


def test_the_flow_that_is_in_force_already_changes_nothing(shop: World) -> None:
    with shop.unchanged():
        assert not shop.engine.use_flow(STANDARD).changed
        assert not shop.engine.use_flow("standard").changed  # type: ignore[arg-type]  # as streams of commands name it
    shop.engine.use_flow(RECEIVED, mapping=TO_RECEIVED)
    with shop.unchanged():
        assert not shop.engine.use_flow(document(RECEIVED)).changed


def test_a_mapping_may_move_orders_within_the_same_flow(shop: World) -> None:
    answer = shop.engine.use_flow(STANDARD, mapping={"backordered": "pending"})
    assert answer.changed
    assert states(shop)["backordered"] == "pending"
    shop.check()


def test_chains_are_followed_so_that_no_order_moves_twice(shop: World) -> None:
    chain = {"pending": "backordered", "backordered": "cancelled"}
    answer = shop.engine.use_flow(STANDARD, mapping=chain)
    assert answer.document["mapped"] == [
        {"from": "backordered", "to": "cancelled", "orders": 1},
        {"from": "pending", "to": "backordered", "orders": 1},
    ]
    assert (states(shop)["pending"], states(shop)["backordered"]) == ("backordered", "cancelled")
    assert shop.event_types("pending").count("FlowChanged") == 1


def test_a_circle_is_refused_and_one_state_may_map_to_itself(shop: World) -> None:
    circle = {"pending": "backordered", "backordered": "pending"}
    with shop.unchanged(), pytest.raises(InvalidInput, match="'pending=backordered, backordered=pending' is not free"):
        shop.engine.use_flow(STANDARD, mapping=circle)
    with shop.unchanged():
        assert not shop.engine.use_flow(STANDARD, mapping={"pending": "pending"}).changed


def test_many_orders_move_and_the_number_of_statements_grows_with_them_alone(shop: World) -> None:
    list(shop.engine.run([Place(lines={"MUG": 1}, to=DENVER)] * 1100, batch=1100))
    statements: list[str] = []
    connection = shop.engine.store._writer
    assert connection is not None
    connection.set_trace_callback(statements.append)
    answer = shop.engine.use_flow(STANDARD, mapping={"pending": "backordered"})
    connection.set_trace_callback(None)
    assert answer.document["mapped"] == [{"from": "pending", "to": "backordered", "orders": 1101}]
    per_order = len(shop.rows("SELECT name FROM subscriber")) + 2
    assert len(statements) < 1101 * per_order + 30


def test_a_key_makes_it_safe_to_repeat(shop: World) -> None:
    first = shop.engine.use_flow(RECEIVED, mapping=TO_RECEIVED, key="k")
    with shop.unchanged():
        again = shop.another().use_flow(RECEIVED, mapping=TO_RECEIVED, key="k")
    assert again.repeated
    assert again == first


def test_a_json_command_puts_a_flow_in_force(shop: World) -> None:
    command = reading.read({"command": "use_flow", "flow": document(RECEIVED), "map": TO_RECEIVED, "key": "k"})
    assert isinstance(shop.attempt(command), Answer)
    assert shop.engine.flow == RECEIVED
    small = {"command": "use_flow", "flow": {"extends": "standard", "name": "ours"}}
    assert isinstance(command, UseFlow)
    read_again = reading.read(small)
    assert isinstance(read_again, UseFlow)
    assert read_again.flow == {**document(STANDARD), "name": "ours"}
    for wrong in ({**small, "flow": 5}, {**small, "flow": {"extends": "mine.yaml"}}, {**small, "map": ["a"]}):
        with pytest.raises(InvalidInput):
            reading.read(wrong)
    with pytest.raises(InvalidInput, match="flow is missing"):
        reading.read({"command": "use_flow"})


# Refusals


def test_every_state_that_would_strand_orders_is_named_with_a_mapping_that_fits(shop: World) -> None:
    shop.order(MUG=1)
    with shop.unchanged(), pytest.raises(Refused) as caught:
        shop.engine.use_flow(RECEIVED, mapping={"shipping": "sent"})
    error = caught.value
    assert (error.code, error.exit_status) == ("orders_stand_there", 4)
    assert [(b.code, b.values["state"], b.values["orders"], b.remedy) for b in error.blocked] == [
        ("orders_stand_there", "pending", 2, "--map pending=received"),
        ("orders_stand_there", "backordered", 1, "--map backordered=received"),
        ("orders_stand_there", "inventory_tied", 1, "--map inventory_tied=reserved"),
        ("orders_stand_there", "delivered", 1, "--map delivered=sent"),
        ("orders_stand_there", "cancelled", 1, "--map cancelled=dropped"),
    ]
    assert error.blocked[0].sentence == "2 orders stand in pending: flow received has no state pending"
    assert error.blocked[0].values["fit"] == ["received", "waiting", "dropped"]
    assert error.hint is not None
    words = error.hint.split()
    assert words[:5] == ["orderstate", "flow", "use", "FILE", "--map"]
    given = dict(word.split("=") for word in words if "=" in word)
    assert set(given) == set(TO_RECEIVED)
    assert shop.engine.use_flow(RECEIVED, mapping=given).changed


@pytest.mark.parametrize(
    ("source", "target", "end"), [("cancelled", "pending", "cancelled"), ("delivered", "shipping", "delivered")]
)
def test_orders_that_have_ended_go_on_only_if_it_is_said_that_they_shall(
    shop: World, source: str, target: str, end: str
) -> None:
    with shop.unchanged(), pytest.raises(Refused) as caught:
        shop.engine.use_flow(STANDARD, mapping={source: target})
    error = caught.value
    assert (error.code, error.exit_status) == ("orders_reopened", 4)
    assert [(b.code, b.sentence, b.remedy, b.values["orders"]) for b in error.blocked] == [
        (
            "orders_reopened",
            f"1 order stands in {source}, where orders end: in {target} they would go on",
            f"--map {source}={end}",
            1,
        )
    ]
    assert error.hint == f"orderstate flow use FILE --map {source}={target} --reopen"
    command = reading.read({"command": "use_flow", "flow": "standard", "map": {source: target}, "reopen": True})
    assert isinstance(shop.attempt(command), Answer)
    assert states(shop)[source] == target
    shop.check()


def test_a_mapping_may_end_orders_and_an_empty_final_state_holds_nobody_back(shop: World) -> None:
    answer = shop.engine.use_flow(STANDARD, mapping={"pending": "cancelled", "shipping": "delivered"})
    assert {moved["orders"] for moved in answer.document["mapped"]} == {1}
    assert (states(shop)["pending"], states(shop)["shipping"]) == ("cancelled", "delivered")
    assert shop.engine.use_flow(STANDARD, mapping={"cancelled": "cancelled"}).document["mapped"] == []
    for wrong in ("yes", 1, None):
        with pytest.raises(InvalidInput, match="reopen"):
            reading.read({"command": "use_flow", "flow": "standard", "reopen": wrong})


def test_a_state_whose_stock_means_something_else_must_be_mapped_too(shop: World) -> None:
    swapped = read("extends: standard\nstates: {pending: {stock: free}, shipping: {stock: gone}}\n", "same")
    assert shop.engine.use_flow(swapped).document["mapped"] == []
    assert shop.engine.use_flow(renamed("pending", "backordered")).document["mapped"] == []  # both are free
    with shop.unchanged(), pytest.raises(Refused) as caught:
        shop.engine.use_flow(renamed("inventory_tied", "shipping"))
    assert [b.sentence for b in caught.value.blocked] == [
        "1 order stands in inventory_tied: inventory_tied means something else for stock in flow standard",
        "1 order stands in shipping: shipping means something else for stock in flow standard",
    ]
    assert shop.engine.use_flow(
        renamed("inventory_tied", "shipping"), mapping={"inventory_tied": "shipping", "shipping": "delivered"}
    ).changed


def test_a_flow_that_the_check_refuses_is_refused_with_every_finding(shop: World) -> None:
    broken = read(
        "extends: standard\n"
        "states: {lost: {stock: gone}, limbo: {stock: free}}\n"
        "transitions:\n  - {trigger: lose, from: shipping, to: lost, event: OrderLost}\n"
        "remove: {triggers: [cancel]}\n",
        "broken",
    )
    with shop.unchanged(), pytest.raises(Refused) as caught:
        shop.engine.use_flow(broken)
    assert caught.value.code == "flow_unsound"
    assert {"dead_end", "unreachable_state"} <= {b.code for b in caught.value.blocked}
    assert all(b.remedy for b in caught.value.blocked)
    assert caught.value.hint == "orderstate flow check FILE"


@pytest.mark.parametrize(
    ("mapping", "error", "sentence"),
    [
        ({"pnding": "received"}, NotFound, "unknown state 'pnding'"),
        ({"pending": "receved"}, NotFound, "unknown state 'receved'"),
        ({"pending": "reserved"}, InvalidInput, "from free to free: reserved is tied"),
        ({"inventory_tied": "dropped"}, InvalidInput, "from tied to tied: dropped is free"),
        ({"shipping": "received"}, InvalidInput, "from gone to gone: received is free"),
        ({"pending": 5}, InvalidInput, "map: {'pending': 5"),
        (["pending"], InvalidInput, r"map: \['pending'\] is not"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused(mapping: Any, error: type[Exception], sentence: str, shop: World) -> None:
    with shop.unchanged(), pytest.raises(error, match=sentence):
        shop.engine.use_flow(RECEIVED, mapping={**TO_RECEIVED, **mapping} if isinstance(mapping, dict) else mapping)


PICKY = """
extends: standard
states: {on_hold: {stock: free}, in_doubt: {stock: free}}
transitions:
  - {trigger: hold, from: backordered, to: on_hold, event: OrderHeld}
  - {trigger: release, from: on_hold, to: pending, event: OrderReleased}
  - {trigger: doubt, from: on_hold, to: in_doubt, event: OrderDoubted}
  - {trigger: settle, from: in_doubt, to: pending, event: OrderSettled, guards: [may_wait]}
  - trigger: cancel
    from: [pending, backordered, inventory_tied, shipping]
    to: cancelled
    event: OrderCancelled
    guards: [goods_still_here, canceller_may]
"""
"""Orders that may not wait never come to on_hold; if they did, they could, but for luck, get stuck in in_doubt."""


def test_orders_that_could_never_end_where_they_are_sent_are_refused_by_their_policy(shop: World) -> None:
    shop.order(id="impatient", short="refuse", MUG=1)
    with shop.unchanged(), pytest.raises(Refused) as caught:
        shop.engine.use_flow(read(PICKY, "picky"), mapping={"pending": "on_hold"})
    (blocker,) = caught.value.blocked
    assert (blocker.code, blocker.values) == (
        "orders_never_end",
        {"state": "pending", "orders": 1, "short": ["refuse"]},
    )
    assert "from on_hold such an order can come to where it never ends" in blocker.sentence
    assert caught.value.hint == "orderstate list --state pending"
    shop.engine.cancel("impatient")
    assert shop.engine.use_flow(read(PICKY, "picky"), mapping={"pending": "on_hold"}).changed
