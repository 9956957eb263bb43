"""The proof, and the shortest story in which a promise breaks: told, runnable, and always the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from worlds import World

from orderstate.engine.reading import read as command
from orderstate.errors import NotFound, OrderstateError
from orderstate.flow import PROMISES, Counterexample, Proof, Step, check, exhaustive, load
from orderstate.flow.possible import KNOWN_GUARDS, Ways
from orderstate.flow.trusting import MOST_ASKED
from orderstate.flow.world import Breach
from orderstate.flow.world import World as Small
from orderstate.guards import GUARDS
from orderstate.machine import STANDARD, Machine
from orderstate.model import Flow, GuardUse, State, Stock, Transition
from orderstate.store.doctor import examine

FAULTY = Path(__file__).parent / "faulty"


def without_guards(*triggers: str) -> Flow:
    """The standard flow, with nothing asked at these triggers."""
    return replace(
        STANDARD,
        transitions=tuple(replace(t, guards=()) if t.trigger in triggers else t for t in STANDARD.transitions),
    )


def faulty(name: str) -> Callable[[], Flow]:
    """A faulty flow by the code of its finding."""
    return lambda: load(FAULTY / f"{name}.yaml")


STORIES: dict[str, tuple[Callable[[], Flow], str, list[str]]] = {
    "cancel after the goods are gone": (
        lambda: without_guards("cancel"),
        "cancelled_after_gone: the order is cancelled in shipping, where its goods have left",
        [
            "one unit arrives",
            "a is placed: 1 unit, --short backorder",
            "a: tie_inventory leads from pending to inventory_tied",
            "a: ship leads from inventory_tied to shipping",
            "a: cancel leads from shipping to cancelled",
        ],
    ),
    "gone and back": (
        faulty("gone_comes_back"),
        "released_twice: the units that left in shipping count as here again in pending",
        [
            "one unit arrives",
            "a is placed: 1 unit, --short backorder",
            "a: tie_inventory leads from pending to inventory_tied",
            "a: ship leads from inventory_tied to shipping",
            "a: recall leads from shipping to pending",
        ],
    ),
    "tied for ever": (
        faulty("final_tied"),
        "unit_lost: the order ends in kept with its units tied, and nobody can free them",
        [
            "one unit arrives",
            "a is placed: 1 unit, --short backorder",
            "a: tie_inventory leads from pending to inventory_tied",
            "a: keep leads from inventory_tied to kept",
        ],
    ),
    "shipped but never tied": (
        faulty("free_to_gone"),
        "unit_lost: the order's units leave in delivered, but none was tied, so none is missed",
        ["a is placed: 1 unit, --short backorder", "a: give_away leads from pending to delivered"],
    ),
    "tied without stock": (
        lambda: without_guards("tie_inventory"),
        "uncovered: the order is inventory_tied with 0 of its 1 units",
        ["a is placed: 1 unit, --short backorder", "a: tie_inventory leads from pending to inventory_tied"],
    ),
    "begun as tied": (
        faulty("initial_not_free"),
        "uncovered: the order begins in reserved with its stock tied, but none was tied",
        ["a is placed: 1 unit, --short backorder"],
    ),
    "nowhere to go": (
        faulty("dead_end"),
        "stranded: from lost the order can never come to a final state",
        [
            "one unit arrives",
            "a is placed: 1 unit, --short backorder",
            "a: tie_inventory leads from pending to inventory_tied",
            "a: ship leads from inventory_tied to shipping",
            "a: lose leads from shipping to lost",
        ],
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_the_story_is_the_shortest_and_says_which_promise_breaks(name: str) -> None:
    make, broken, steps = STORIES[name]
    found = exhaustive(make())
    assert isinstance(found, Counterexample)
    assert f"{found.broken}: {found.sentence}" == broken
    assert [step.sentence for step in found.steps] == steps
    assert exhaustive(make()) == found


def test_every_promise_is_broken_by_some_story() -> None:
    assert {broken.partition(":")[0] for _, broken, _ in STORIES.values()} == set(PROMISES)


REFUSED = {
    "cancel after the goods are gone": "refused",
    "gone and back": "refused",
    "shipped but never tied": "flow_broken",
}
"""What the engine itself refuses, whatever a flow declares, with the code of its error."""


@pytest.mark.parametrize("name", STORIES)
def test_the_story_runs_on_the_engine_and_what_it_would_lose_the_engine_refuses(name: str, world: World) -> None:
    flow = STORIES[name][0]()
    story = exhaustive(flow)
    assert isinstance(story, Counterexample)
    world.engine.machine = Machine(flow)
    documents = story.commands()
    told = [document for step in story.steps for document in step.commands]
    assert documents[-len(told) :] == told
    for document in documents[: -len(told)]:
        world.engine.execute(command(document))
    for step in story.steps:
        last = step is story.steps[-1]
        assert attempted(world, step) == (REFUSED.get(name) if last else None)
        if step.order is not None and not (last and name in REFUSED):
            assert world.engine.show(step.order).order.state == step.state
    examined = examine(world.engine.store, tied_states=world.engine.tied_states())
    assert "wrong" not in {found.level for found in examined}


def attempted(world: World, step: Step) -> str | None:
    """Run the commands of a step; the code of the error that stops them."""
    try:
        for document in step.commands:
            world.engine.execute(command(document))
    except OrderstateError as error:
        return error.code
    return None


def test_the_standard_flow_is_proved_and_the_situations_are_counted() -> None:
    proof = exhaustive(STANDARD)
    assert proof == Proof(nodes=2961, moves=12247, orders=2)
    assert proof.sentence == (
        "proved in 2961 situations of up to two orders: no unit is lost, no unit is released twice, "
        "no cancel succeeds after the goods are gone, nothing is tied that is not there, every order can still end"
    )
    assert proof.document()["promises"] == list(PROMISES)


def test_where_two_orders_are_too_many_one_is_proved() -> None:
    proof = exhaustive(STANDARD, limit=100)
    assert isinstance(proof, Proof)
    assert proof.orders == 1
    assert proof.nodes < 200
    assert "of one order (two have more than can be tried)" in proof.sentence


def test_names_that_are_unknown_are_refused_before_anything_is_tried() -> None:
    with pytest.raises(NotFound, match="unknown state 'pendng'"):
        exhaustive(replace(STANDARD, initial="pendng"))


def guarded(trigger: str, *guards: GuardUse) -> Flow:
    """The standard flow with other guards on one trigger."""
    return replace(
        STANDARD,
        transitions=tuple(replace(t, guards=guards) if t.trigger == trigger else t for t in STANDARD.transitions),
    )


def test_a_policy_that_strands_an_order_is_in_the_story() -> None:
    found = exhaustive(guarded("deliver", GuardUse("may_wait")))
    assert isinstance(found, Counterexample)
    assert (found.broken, found.steps[1].sentence) == ("stranded", "a is placed: 1 unit, --short refuse")


def test_what_only_a_role_or_a_lucky_guard_allows_is_told_as_an_assumption() -> None:
    flow = guarded(
        "cancel", GuardUse("canceller_may", {"customer": "gone", "operator": "free"}), GuardUse("random_flows:lucky")
    )
    found = exhaustive(flow)
    assert isinstance(found, Counterexample)
    last = found.steps[-1]
    assert last.commands == ({"command": "fire", "order": "a", "trigger": "cancel", "as": "customer"},)
    assert last.assuming == ("random_flows:lucky agrees",)
    assert last.sentence == "a: cancel leads from shipping to cancelled (as customer; random_flows:lucky agrees)"


def test_a_guard_that_must_refuse_and_a_closed_facility_are_told_too() -> None:
    rest = tuple(t for t in STANDARD.transitions if t.trigger != "tie_inventory")
    lucky = Transition("tie_inventory", ("pending",), "inventory_tied", "InventoryTied", (GUARDED, LUCKY))
    lost = Transition("tie_inventory", ("pending",), "pit", "OrderLost", (GUARDED,))
    wait = Transition("tie_inventory", ("pending",), "inventory_tied", "InventoryTied", ())
    flow = replace(
        STANDARD,
        states=(*(s for s in STANDARD.states if s.name != "backordered"), State("pit", Stock.FREE)),
        transitions=(lucky, lost, *(_without(t, "backordered") for t in rest)),
    )
    found = exhaustive(flow)
    assert isinstance(found, Counterexample)
    assert found.steps[-1].assuming == ("random_flows:lucky refuses",)
    closed = exhaustive(replace(flow, transitions=(lucky, wait, *(_without(t, "backordered") for t in rest))))
    assert isinstance(closed, Counterexample)
    assert closed.broken == "uncovered"


GUARDED, LUCKY = GuardUse("stock_covers_order"), GuardUse("random_flows:lucky")


def _without(transition: Transition, state: str) -> Transition:
    return replace(transition, sources=tuple(s for s in transition.sources if s != state))


def test_stock_that_is_there_but_closed_in_is_a_story_of_its_own() -> None:
    """Only an order that was tied once can fall into the pit, and only while no plan covers it."""
    hold = Transition("hold", ("inventory_tied",), "held", "OrderHeld")
    back = Transition("tie_inventory", ("held",), "inventory_tied", "InventoryTied", (GUARDED,))
    pit = Transition("tie_inventory", ("held",), "pit", "OrderLost", (GuardUse("may_wait"),))
    flow = replace(
        STANDARD,
        states=(*STANDARD.states, State("held", Stock.FREE), State("pit", Stock.FREE)),
        transitions=(*STANDARD.transitions, hold, back, pit),
    )
    found = exhaustive(flow)
    assert isinstance(found, Counterexample)
    assert found.steps[-1].sentence.endswith("tie_inventory leads from held to pit (while the facility is closed)")
    closing = {"command": "facility_set", "facility": "F1", "closed": True}
    assert found.steps[-1].commands[0] == closing
    assert found.steps[-1].commands[2] == {**closing, "closed": False}


def test_the_part_that_a_split_makes_is_an_order_of_its_own() -> None:
    """Only an order of which a part was split off, and its child waits, is stranded: two orders, one placing."""
    flow = replace(STANDARD, transitions=tuple(t for t in STANDARD.transitions if t.trigger != "cancel"))
    world = Small(Ways(flow))
    placed = next(o for m, o in world.moves((1, None, None)) if m.kind is not None and world.kinds[m.kind] == SPLIT)
    assert not isinstance(placed, Breach)
    tied = [o for m, o in world.moves(placed) if m.choice is not None and not isinstance(o, Breach) and o[2]]
    assert len(tied) == 1
    on_hand, parent, child = tied[0]
    assert parent is not None
    assert child is not None
    assert (on_hand, parent[1], child[1]) == (1, 1, 0)
    assert [world.states[order[0]].name for order in (parent, child)] == ["inventory_tied", "pending"]
    assert [world.kinds[order[2]] for order in (parent, child)] == [("split", 1), ("split", 1)]


SPLIT = ("split", 2)


def test_the_story_is_a_document_for_programs() -> None:
    found = exhaustive(without_guards("cancel"))
    assert isinstance(found, Counterexample)
    document = found.document()
    assert (document["proved"], document["broken"]) == (False, "cancelled_after_gone")
    assert document["promise"] == "no cancel succeeds after the goods are gone"
    assert json.loads(json.dumps(document))["steps"][4] == {
        "sentence": "a: cancel leads from shipping to cancelled",
        "order": "a",
        "state": "cancelled",
        "trigger": "cancel",
        "commands": [{"command": "fire", "order": "a", "trigger": "cancel"}],
    }


def test_the_guards_that_the_proof_asks_itself_are_the_built_in_ones() -> None:
    assert set(GUARDS) == KNOWN_GUARDS


def test_ways_know_who_may_go_where() -> None:
    ways = Ways(STANDARD)
    assert ways.targets("inventory_tied") == ("pending", "shipping", "cancelled")
    assert ways.targets("inventory_tied", "customer") == ("pending", "shipping")
    assert ways.targets("pending", "refuse") == ("inventory_tied", "cancelled")
    assert ways.targets("shipping") == ("delivered",)


def lost(*guards: GuardUse, more: tuple[Transition, ...] = ()) -> Flow:
    """The standard flow with parcels that are lost, and found only if these guards agree."""
    lose = Transition("lose", ("shipping",), "lost", "ParcelLost")
    find = Transition("find", ("lost",), "delivered", "ParcelFound", guards)
    return replace(
        STANDARD,
        states=(*STANDARD.states, State("lost", Stock.GONE)),
        transitions=(*STANDARD.transitions, lose, find, *more),
    )


def provided(flow: Flow) -> tuple[str, ...]:
    """Under which conditions the flow is proved; the check must warn of each of them, and of nothing else."""
    found = exhaustive(flow)
    assert isinstance(found, Proof)
    findings = check(flow)
    assert [f.code for f in findings] == ["guard_may_strand"] * len(found.provided), findings
    assert {f.level for f in findings} <= {"warning"}
    return found.provided


def test_an_end_that_rests_on_a_guard_of_ones_own_is_proved_under_that_condition_only() -> None:
    assert provided(lost(LUCKY)) == ("random_flows:lucky agrees in lost",)
    proof = exhaustive(lost(LUCKY))
    assert isinstance(proof, Proof)
    assert proof.sentence.endswith(
        "every order can still end, provided that some day random_flows:lucky agrees in lost"
    )
    assert proof.document()["provided"] == ["random_flows:lucky agrees in lost"]


def test_a_way_that_asks_no_guard_of_ones_own_makes_the_end_certain() -> None:
    assert provided(lost()) == ()
    give_up = Transition("give_up", ("lost",), "delivered", "OrderGivenUp")
    assert provided(lost(LUCKY, more=(give_up,))) == ()
    fallback = Transition("find", ("lost",), "shipping", "ParcelSentAgain")
    assert provided(lost(LUCKY, more=(fallback,))) == ()


def test_a_guard_that_must_refuse_is_a_condition_too_and_several_are_told_together() -> None:
    pit = Transition("find", ("lost",), "lost", "ParcelMissed", (LUCKY,))
    way = Transition("find", ("lost",), "delivered", "ParcelFound")
    flow = lost()
    flow = replace(flow, transitions=(*flow.transitions[:-1], pit, way))
    assert provided(flow) == ("random_flows:lucky refuses in lost",)
    other = GuardUse("random_flows:stern")
    either = Transition("write_off", ("lost",), "delivered", "ParcelWrittenOff", (other,))
    assert provided(lost(LUCKY, more=(either,))) == ("random_flows:lucky agrees or random_flows:stern agrees in lost",)
    assert provided(lost(LUCKY, other)) == ("random_flows:lucky agrees and random_flows:stern agrees in lost",)


def test_a_condition_is_told_where_it_is_decided_and_each_of_several_is() -> None:
    flow = guarded("deliver", LUCKY)
    flow = replace(
        flow,
        transitions=tuple(
            replace(t, guards=(*t.guards, LUCKY)) if t.trigger == "cancel" else t for t in flow.transitions
        ),
    )
    assert provided(flow) == ("random_flows:lucky agrees in shipping",)
    late = replace(
        lost(LUCKY),
        transitions=tuple(t for t in lost(LUCKY).transitions if t.trigger != "deliver"),
        path=("tie_inventory", "ship", "lose", "find"),
    )
    assert provided(late) == ("random_flows:lucky agrees in lost",)
    twice = replace(
        late, transitions=tuple(replace(t, guards=(LUCKY,)) if t.trigger == "lose" else t for t in late.transitions)
    )
    assert provided(twice) == ("random_flows:lucky agrees in shipping", "random_flows:lucky agrees in lost")


def test_more_guards_than_can_be_tried_together_are_not_trusted() -> None:
    many = tuple(
        Transition(f"find{n}", ("lost",), "delivered", "ParcelFound", (GuardUse("random_flows:stern", {"n": str(n)}),))
        for n in range(MOST_ASKED + 1)
    )
    assert len(provided(lost(LUCKY, more=many))) == 1
    give_up = Transition("give_up", ("lost",), "delivered", "OrderGivenUp")
    assert provided(lost(LUCKY, more=(*many, give_up))) == ()
