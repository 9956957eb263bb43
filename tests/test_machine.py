"""The standard flow, from every state by every trigger; and flows that the machine must not accept."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from orderstate.errors import InvalidInput, NotFound, OrderstateError, Refused, StockShort
from orderstate.guards import Facts
from orderstate.machine import STANDARD, Choice, Machine, standard
from orderstate.model import (
    Allocation,
    Destination,
    Flow,
    GuardUse,
    Line,
    Order,
    Plan,
    Shipment,
    State,
    Stock,
    Transition,
)

STATES = [state.name for state in STANDARD.states]
TRIGGERS = ["tie_inventory", "untie", "ship", "deliver", "cancel"]
COVERS = Plan("nearest", (Allocation("DEN", "MUG", "primary", 2),), {}, ())
PART = Plan("nearest", (Allocation("DEN", "MUG", "primary", 1),), {"MUG": 1}, ())
NOTHING = Plan("nearest", (), {"MUG": 2}, ())


def order(state: str, short: str = "backorder") -> Order:
    return Order("1001", state, 3, 0, 0, Destination("US"), short, (Line("MUG", 2),))


def facts(state: str, *, role: str = "operator", plan: Plan = COVERS, restricted: bool = False) -> Facts:
    shipped = (Shipment("1001", "DEN", 0, 2),)
    stock = standard().state(state).stock
    return Facts(role, stock, lambda: plan, lambda: shipped, lambda: ("1001-2",), restricted)


def outcome(state: str, trigger: str, short: str = "backorder", role: str = "operator", plan: Plan = COVERS) -> object:
    """The target, or the codes of every refusal."""
    taken, refusals = standard().ask(order(state, short), trigger, facts(state, role=role, plan=plan))
    return taken.target if taken else [refusal.code for refusal in refusals]


FINAL, NO_WAY = ["final"], ["not_from_here"]
GONE = ["goods_still_here", "canceller_may"]
EVERYWHERE: dict[str, dict[str, object]] = {
    "pending": {
        "tie_inventory": "inventory_tied", "untie": NO_WAY, "ship": NO_WAY, "deliver": NO_WAY, "cancel": "cancelled",
    },
    "backordered": {
        "tie_inventory": "inventory_tied", "untie": NO_WAY, "ship": NO_WAY, "deliver": NO_WAY, "cancel": "cancelled",
    },
    "inventory_tied": {
        "tie_inventory": NO_WAY, "untie": "pending", "ship": "shipping", "deliver": NO_WAY, "cancel": "cancelled",
    },
    "shipping": {
        "tie_inventory": NO_WAY, "untie": NO_WAY, "ship": NO_WAY, "deliver": "delivered", "cancel": GONE,
    },
    "delivered": dict.fromkeys(TRIGGERS, FINAL),
    "cancelled": dict.fromkeys(TRIGGERS, FINAL),
}  # fmt: skip


@pytest.mark.parametrize(("state", "trigger"), list(product(STATES, TRIGGERS)))
def test_each_trigger_from_each_state_goes_where_the_flow_says_or_says_why_not(state: str, trigger: str) -> None:
    assert outcome(state, trigger) == EVERYWHERE[state][trigger]


@pytest.mark.parametrize(
    ("state", "short", "plan", "expected"),
    [
        ("pending", "backorder", PART, "backordered"),
        ("pending", "backorder", NOTHING, "backordered"),
        ("pending", "split", PART, "inventory_tied"),
        ("pending", "split", NOTHING, "backordered"),
        ("pending", "refuse", PART, ["stock_covers_order", "may_wait"]),
        ("pending", "refuse", NOTHING, ["stock_covers_order", "may_wait"]),
        ("pending", "refuse", COVERS, "inventory_tied"),
        ("backordered", "backorder", PART, ["stock_covers_order"]),
        ("backordered", "split", PART, "inventory_tied"),
        ("backordered", "split", NOTHING, ["stock_covers_order"]),
    ],
)
def test_a_tie_that_stock_does_not_cover_follows_the_orders_policy(
    state: str, short: str, plan: Plan, expected: object
) -> None:
    assert outcome(state, "tie_inventory", short=short, plan=plan) == expected


@pytest.mark.parametrize(
    ("state", "role", "expected"),
    [
        ("pending", "customer", "cancelled"),
        ("backordered", "customer", "cancelled"),
        ("inventory_tied", "customer", ["canceller_may"]),
        ("inventory_tied", "system", "cancelled"),
        ("shipping", "customer", GONE),
        ("shipping", "system", GONE),
        ("delivered", "customer", FINAL),
    ],
)
def test_a_cancel_depends_on_who_asks(state: str, role: str, expected: object) -> None:
    assert outcome(state, "cancel", role=role) == expected


def test_a_cancel_asks_for_no_plan_and_a_tie_for_no_shipments() -> None:
    def never() -> tuple[str, ...]:
        raise AssertionError("this fact costs a read")

    lazy = Facts("operator", Stock.FREE, never, never, never)  # type: ignore[arg-type]  # nothing may call them
    assert standard().fire(order("pending"), "cancel", lazy).target == "cancelled"
    planned = replace(lazy, plan=lambda: COVERS)
    assert standard().fire(order("pending"), "tie_inventory", planned).target == "inventory_tied"


def test_every_transition_says_which_event_it_writes() -> None:
    assert {(t.trigger, t.target): t.event for t in STANDARD.transitions} == {
        ("tie_inventory", "inventory_tied"): "InventoryTied",
        ("tie_inventory", "backordered"): "OrderBackordered",
        ("untie", "pending"): "InventoryUntied",
        ("ship", "shipping"): "ShippingStarted",
        ("deliver", "delivered"): "OrderDelivered",
        ("cancel", "cancelled"): "OrderCancelled",
    }


def test_the_states_mean_for_stock_what_the_design_says() -> None:
    assert {s.name: (s.stock, s.final) for s in STANDARD.states} == {
        "pending": ("free", False),
        "backordered": ("free", False),
        "inventory_tied": ("tied", False),
        "shipping": ("gone", False),
        "delivered": ("gone", True),
        "cancelled": ("free", True),
    }


def test_the_main_path_leads_from_placing_to_delivery() -> None:
    machine, state, way = standard(), STANDARD.initial, [STANDARD.initial]
    while (trigger := machine.next_step(state)) is not None:
        state = machine.targets(state, trigger)[0]
        way.append(state)
    assert way == ["pending", "inventory_tied", "shipping", "delivered"]
    assert machine.next_step("backordered") == "tie_inventory"
    assert machine.next_step("cancelled") is None


@pytest.mark.parametrize(
    ("state", "ahead"),
    [
        ("pending", ("inventory_tied", "backordered", "shipping", "delivered")),
        ("backordered", ("inventory_tied", "shipping", "delivered")),
        ("inventory_tied", ("shipping", "delivered")),
        ("shipping", ("delivered",)),
        ("delivered", ()),
        ("cancelled", ()),
    ],
)
def test_what_is_ahead_on_the_main_path_never_includes_what_lies_behind(state: str, ahead: tuple[str, ...]) -> None:
    assert standard().ahead(state) == ahead


def test_every_state_can_be_reached_and_every_state_that_is_not_final_can_be_left() -> None:
    reached, edge = {STANDARD.initial}, [STANDARD.initial]
    while edge:
        here = edge.pop()
        found = {t for trigger in standard().choices(here) for t in standard().targets(here, trigger)} - reached
        reached |= found
        edge += found
    assert reached == set(STATES)
    assert {s.name for s in STANDARD.states if not standard().choices(s.name)} == {"delivered", "cancelled"}


# Refusals


def test_all_refusals_are_collected_with_what_would_make_it_possible() -> None:
    with pytest.raises(Refused) as caught:
        standard().fire(order("shipping"), "cancel", facts("shipping", role="customer"))
    error = caught.value
    assert [b.code for b in error.blocked] == ["goods_still_here", "canceller_may"]
    assert error.code == "goods_still_here"
    assert error.hint == "orderstate cancel 1001-2"
    assert error.values == {"order": "1001", "state": "shipping", "version": 3, "trigger": "cancel"}
    assert error.sentence == "1001 is shipping: cancel refused"
    assert all(b.sentence for b in error.blocked)


def test_want_of_stock_alone_is_its_own_error() -> None:
    with pytest.raises(StockShort) as caught:
        standard().fire(order("pending", "refuse"), "tie_inventory", facts("pending", plan=NOTHING))
    assert [b.code for b in caught.value.blocked] == ["stock_covers_order", "may_wait"]
    assert caught.value.exit_status == 5


def test_a_limited_plan_that_is_short_is_said_to_be_limited() -> None:
    with pytest.raises(StockShort) as caught:
        standard().fire(order("pending"), "tie_inventory", facts("pending", plan=PART, restricted=True))
    assert "limited by the caller" in caught.value.blocked[1].sentence


@pytest.mark.parametrize("state", STATES)
def test_a_trigger_that_leads_nowhere_from_here_says_what_is_possible_instead(state: str) -> None:
    machine = standard()
    for trigger in TRIGGERS:
        if trigger in machine.choices(state):
            continue
        with pytest.raises(Refused) as caught:
            machine.fire(order(state), trigger, facts(state))
        (refusal,) = caught.value.blocked
        if machine.state(state).final:
            assert (refusal.code, refusal.values["state"]) == ("final", state)
        else:
            hopeless = {"cancel"} if state == "shipping" else set()
            instead = [choice for choice in machine.choices(state) if choice not in hopeless]
            assert (refusal.code, refusal.values["instead"]) == ("not_from_here", instead)
            assert refusal.sentence.endswith(f"possible from here: {', '.join(instead)}")


def no_way(state: str, trigger: str, role: str = "operator") -> object:
    """What is said to be possible instead of a trigger that does not lead out of the state."""
    _, (refusal,) = standard().ask(order(state), trigger, facts(state, role=role))
    assert refusal.code == "not_from_here"
    return refusal.values["instead"]


def test_what_is_always_refused_to_the_one_who_asks_is_not_called_possible() -> None:
    assert no_way("shipping", "tie_inventory") == ["deliver"]
    assert no_way("inventory_tied", "deliver") == ["untie", "ship", "cancel"]
    assert no_way("inventory_tied", "deliver", role="customer") == ["untie", "ship"]
    assert no_way("pending", "ship", role="customer") == ["tie_inventory", "cancel"]


@pytest.mark.parametrize("named", [None, "ship"])
def test_what_an_explanation_calls_possible_instead_is_possible_in_it(named: str | None) -> None:
    """Also where stock is the reason, which a plain refusal does not look at."""
    machine = standard()
    choices = machine.explain(order("pending", "refuse"), facts("pending", plan=NOTHING), named)
    (ship,) = (choice for choice in choices if choice.trigger == "ship")
    assert ship.refusals[0].values["instead"] == ["cancel"]
    assert ship.refusals[0].sentence == "ship does not lead out of pending; possible from here: cancel"
    assert [choice.trigger for choice in choices] == ([named] if named else TRIGGERS)
    (gone,) = machine.explain(order("shipping"), facts("shipping"), "untie")
    assert gone.refusals[0].values["instead"] == ["deliver"]


@pytest.mark.parametrize("trigger", ["tie_inventry", "", "CANCEL", "to_cancelled", "trigger", "\x00", "ſhip"])
def test_an_unknown_trigger_is_not_found(trigger: str) -> None:
    for ask in (standard().fire, standard().ask):
        with pytest.raises(NotFound) as caught:
            ask(order("pending"), trigger, facts("pending"))
        assert caught.value.code == "unknown_trigger"
    with pytest.raises(NotFound):
        standard().explain(order("pending"), facts("pending"), trigger)


def test_names_come_with_close_matches() -> None:
    with pytest.raises(NotFound) as caught:
        standard().fire(order("pending"), "tie_inventry", facts("pending"))
    assert str(caught.value.hint).startswith("did you mean tie_inventory")
    with pytest.raises(NotFound) as caught:
        standard().state("inventory")
    assert "inventory_tied" in str(caught.value.hint)


def test_explain_answers_for_every_trigger_and_changes_nothing() -> None:
    before = order("shipping")
    choices = standard().explain(before, facts("shipping"))
    assert [(c.trigger, c.target, c.possible) for c in choices] == [
        ("tie_inventory", None, False),
        ("untie", None, False),
        ("ship", None, False),
        ("deliver", "delivered", True),
        ("cancel", None, False),
    ]
    assert [r.code for r in choices[-1].refusals] == GONE
    assert before == order("shipping")
    assert standard().explain(before, facts("shipping"), "deliver") == (Choice("deliver", "delivered"),)


def test_a_way_that_is_taken_after_another_was_refused_carries_no_refusal() -> None:
    (choice,) = standard().explain(order("pending"), facts("pending", plan=NOTHING), "tie_inventory")
    assert choice == Choice("tie_inventory", "backordered")


def test_a_guard_that_raises_is_not_taken_for_a_yes() -> None:
    def broken() -> Plan:
        raise OrderstateError("the plan could not be made")

    with pytest.raises(OrderstateError, match="could not be made"):
        standard().fire(order("pending"), "tie_inventory", replace(facts("pending"), plan=broken))


# Flows that must not be accepted


def flow(**changes: object) -> Flow:
    return replace(STANDARD, **changes)  # type: ignore[arg-type]  # the fields that a test names


def move(*sources: str, to: str = "delivered", guards: tuple[GuardUse, ...] = ()) -> tuple[Transition, ...]:
    return (*STANDARD.transitions, Transition("jump", sources, to, "Jumped", guards))


BROKEN: dict[str, tuple[Flow, str]] = {
    "an initial state that is not there": (flow(initial="pendng"), "unknown_state"),
    "a source that is not there": (flow(transitions=move("shippping")), "unknown_state"),
    "a target that is not there": (flow(transitions=move("shipping", to="deliverd")), "unknown_state"),
    "a main path by a trigger that is not there": (flow(path=("tie_inventory", "sihp")), "unknown_trigger"),
    "a guard that is not there": (flow(transitions=move("shipping", guards=(GuardUse("may_wat"),))), "unknown_guard"),
    "a guard with a parameter that it has not": (
        flow(transitions=move("shipping", guards=(GuardUse("canceller_may", {"custmer": "free"}),))),
        "unknown_parameter_of_guard_canceller_may",
    ),
    "a guard with a value that it does not take": (
        flow(transitions=move("shipping", guards=(GuardUse("canceller_may", {"customer": "always"}),))),
        "invalid_input",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_flow_is_refused_that_has(what: str) -> None:
    broken, code = BROKEN[what]
    with pytest.raises((NotFound, InvalidInput)) as caught:
        Machine(broken)
    assert caught.value.code == code


def test_a_flow_of_ones_own_runs_beside_the_standard_one() -> None:
    own = Machine(
        flow(
            states=(*STANDARD.states, State("on hold", Stock.FREE)),
            transitions=(*STANDARD.transitions, Transition("hold", ("pending",), "on hold", "OrderHeld")),
        )
    )
    assert own.fire(order("pending"), "hold", facts("pending")).event == "OrderHeld"
    assert own.fire(order("pending"), "cancel", facts("pending")).target == "cancelled"
    with pytest.raises(NotFound):
        standard().fire(order("pending"), "hold", facts("pending"))


# One machine for all


def test_the_standard_machine_is_compiled_once_and_knows_no_model() -> None:
    assert standard() is standard()
    assert standard()._library.models == []
    assert not [name for name in standard()._library.events if name.startswith("to_")]


def test_firing_leaves_nothing_behind() -> None:
    def fire_all() -> None:
        for state, trigger in product(STATES, TRIGGERS):
            standard().ask(order(state), trigger, facts(state))

    fire_all()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(200):
        fire_all()
    gc.collect()
    assert len(gc.get_objects()) - before < 100
    assert standard()._library.models == []


def test_many_threads_share_the_machine_and_each_gets_its_own_answer() -> None:
    cases = list(product(STATES, TRIGGERS, ["customer", "operator"], [COVERS, PART, NOTHING]))
    expected = [outcome(s, t, role=r, plan=p) for s, t, r, p in cases]
    wrong: list[object] = []

    def work(first: int) -> None:
        for n in (*range(first, len(cases)), *range(first)) * 3:
            state, trigger, role, plan = cases[n]
            found = outcome(state, trigger, role=role, plan=plan)
            if found != expected[n]:
                wrong.append((cases[n], found))

    threads = [threading.Thread(target=work, args=(n * 20,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def simple_paths(state: str, seen: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every way from a state to an end that visits no state twice, as states."""
    seen = (*seen, state)
    onward = {t for trigger in standard().choices(state) for t in standard().targets(state, trigger)} - set(seen)
    if not onward:
        yield seen
    for target in sorted(onward):
        yield from simple_paths(target, seen)


def test_every_way_through_the_flow_ends_in_a_final_state() -> None:
    ways = list(simple_paths("pending"))
    assert len(ways) > 4
    assert all(standard().state(way[-1]).final for way in ways)
    assert ("pending", "backordered", "inventory_tied", "shipping", "delivered") in ways


def test_no_way_brings_back_goods_that_have_left_but_behind_the_guard() -> None:
    for t in STANDARD.transitions:
        for source in t.sources:
            if standard().effect(source, t.target)[0] is Stock.GONE and standard().state(t.target).stock != "gone":
                assert "goods_still_here" in {g.name for g in t.guards}
            assert standard().effect(source, t.target) != (Stock.FREE, Stock.GONE)
