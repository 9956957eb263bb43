"""Scenarios made from a flow: they pass, and together they take every transition and see every refusal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from random_flows import made

from orderstate.errors import InvalidInput, Refused
from orderstate.flow import check, load, read
from orderstate.flow.possible import Ways
from orderstate.guards import Facts
from orderstate.machine import STANDARD, Machine
from orderstate.model import ROLES, SHORT_POLICIES, Destination, Flow, Line, Order, Plan, Refusal, Shipment, Stock
from orderstate.scenario import Coverage, Report, Scenario, document, dump, from_document, generate, run
from orderstate.scenario import read as read_scenario
from orderstate.scenario.generating import survey

FOLDER = Path(__file__).parents[2] / "examples" / "flows"
EXAMPLES = sorted({*FOLDER.glob("*.yaml")} - {*FOLDER.glob("*.scenario.yaml")})
FLOWS = [STANDARD, *(load(path) for path in EXAMPLES)]
LUCKY: Sequence[Mapping[str, Any]] = ({"contact": "lucky"},)


def passed(scenarios: Sequence[Scenario]) -> Coverage:
    """What the scenarios took together; each must pass."""
    reports: list[Report] = []
    for scenario in scenarios:
        report = run(scenario)
        wrong = [(step.title, step.words) for step in report.steps if not step.passed]
        assert (scenario.title, wrong) == (scenario.title, [])
        reports.append(report)
    return Coverage.of(reports)


def possible(flow: Flow) -> set[tuple[str, str, str]]:
    """Every arrow that some order in some situation can take, coming from the initial state."""
    ways = Ways(flow)
    reached = {s for short in SHORT_POLICIES for s in ways.reached([flow.initial], short)}
    return {
        (name, flow.transitions[way.index].trigger, ways.target(way)) for name in reached for way in ways.leaving(name)
    }


def everything(flow: Flow, contacts: Sequence[str | None]) -> Coverage:
    """What orders of every kind can do and hear from the initial state on: the machine asked, in every situation."""
    machine = Machine(flow)
    taken: set[tuple[str, str, str]] = set()
    refused: set[tuple[str, str, str]] = set()
    for short, contact in product(("backorder", "refuse"), contacts):
        arrived = [flow.initial]
        for state in arrived:
            order = Order("1001", state, 1, 0, 0, Destination("US"), short, (Line("MUG", 2),), contact)
            for trigger in machine.triggers:
                if trigger not in machine.choices(state) and state in machine.arrives(trigger):
                    continue  # it is there already: nothing is refused
                for facts in situations(machine.state(state).stock):
                    transition, refusals = machine.ask(order, trigger, facts)
                    if transition is None:
                        refused |= {(state, trigger, refusal.code) for refusal in refusals}
                        continue
                    taken.add((state, trigger, transition.target))
                    if transition.target not in arrived:
                        arrived.append(transition.target)
    return Coverage(frozenset(), frozenset(taken), frozenset(refused))


def situations(stock: Stock) -> Iterator[Facts]:
    """Whatever guards may ask about."""
    gone = (Shipment("1001", "DEPOT", 0, 2),) if stock is Stock.GONE else ()
    for role, short, narrowed in product(ROLES, ({}, {"MUG": 2}), (False, True)):
        plan = Plan("", (), short, ())
        yield Facts(role, stock, lambda plan=plan: plan, lambda: gone, tuple, narrowed)  # type: ignore[misc]  # mypy knows no defaults of lambdas


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_together_they_take_every_transition_and_see_every_refusal(flow: Flow) -> None:
    found = survey(flow)
    coverage = passed(found.scenarios)
    assert found.left_out == ()
    assert set(coverage.taken) == possible(flow)
    arrived = {flow.initial} | {target for _, _, target in coverage.taken}
    assert arrived == {state.name for state in flow.states}
    assert coverage.refusals == everything(flow, [None]).refusals


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_what_is_written_reads_back_as_the_same_scenario(flow: Flow) -> None:
    for scenario in generate(flow):
        assert read_scenario(dump(scenario)) == scenario
        assert from_document(document(scenario)) == scenario


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(st.integers(0, 10_000))
def test_so_it_is_with_flows_that_nobody_thought_of(seed: int) -> None:
    flow = made(Random(seed))
    assume(all(finding.level != "error" for finding in check(flow)))
    found = survey(flow, orders=LUCKY, most=12)
    coverage = passed(found.scenarios)
    all_of_it = everything(flow, [None, "lucky"])
    assert coverage.taken == all_of_it.taken
    assert coverage.refusals == all_of_it.refusals
    # One order cannot be lucky and unlucky: what would need that is told.
    missing = {f"{trigger} from {source} to {target}" for source, trigger, target in possible(flow) - coverage.taken}
    told = {sentence.split(" is not taken: ")[0] for sentence in found.left_out if " is not taken: " in sentence}
    assert missing <= told


def open_on_weekdays(order: Order, facts: Facts, params: Mapping[str, str]) -> Refusal | None:
    """A guard that no order of any kind moves."""
    return Refusal("closed_today", "the office is closed")


OWN = (
    "extends: standard\nname: office\nstates: {approved: {stock: free}}\ntransitions:\n"
    "  - {trigger: approve, from: pending, to: approved, event: OrderApproved,"
    " guards: ['test_generating:open_on_weekdays']}\n"
    "  - {trigger: back, from: approved, to: pending, event: OrderReturned}\n"
)


def test_what_a_guard_of_ones_own_prevents_is_named_and_never_left_out_in_silence() -> None:
    found = survey(read(OWN))
    assert found.left_out == (
        "approve from pending to approved is not taken: test_generating:open_on_weekdays never agreed",
        "cancel from approved to cancelled is not taken: no order that was tried came to approved",
        "back from approved to pending is not taken: no order that was tried came to approved",
    )
    about = found.scenarios[0].about
    assert about is not None
    assert all(sentence in about for sentence in found.left_out)
    coverage = passed(found.scenarios)
    assert ("pending", "approve", "closed_today") in coverage.refusals


def test_a_guard_of_ones_own_that_never_refuses_is_named() -> None:
    text = OWN.replace("open_on_weekdays", "always")
    assert survey(read(text)).left_out == ("test_generating:always never refused approve in pending",)


def always(order: Order, facts: Facts, params: Mapping[str, str]) -> Refusal | None:
    """A guard that agrees to everything."""
    return None


def vip(order: Order, facts: Facts, params: Mapping[str, str]) -> Refusal | None:
    """The order is a large one."""
    return None if order.open_units >= 10 else Refusal("vip", "too few units")


def test_kinds_of_orders_steer_guards_of_ones_own() -> None:
    flow = read(OWN.replace("open_on_weekdays", "vip"))
    assert survey(flow).left_out != ()
    found = survey(flow, orders=[{"lines": {"MUG": 12}}])
    assert found.left_out == ()
    coverage = passed(found.scenarios)
    assert ("pending", "approve", "approved") in coverage.taken
    assert ("pending", "approve", "vip") in coverage.refusals


def raising(order: Order, facts: Facts, params: Mapping[str, str]) -> Refusal | None:
    """A faulty guard."""
    raise KeyError("customer")


def test_what_a_faulty_guard_raises_is_named() -> None:
    found = survey(read(OWN.replace("open_on_weekdays", "raising")))
    assert any("raised KeyError: 'customer'" in sentence for sentence in found.left_out)
    passed(found.scenarios)


def test_the_number_of_simple_paths_is_bounded_and_the_rest_is_counted() -> None:
    few = survey(STANDARD, most=3)
    assert few.left_out == ("3 simple paths are left out: those here are the 3 shortest",)
    assert few.scenarios[0].about is not None
    assert few.left_out[0] in few.scenarios[0].about
    assert set(passed(few.scenarios).taken) == possible(STANDARD)
    with pytest.raises(InvalidInput, match="most: 0 is not a whole number from 1"):
        survey(STANDARD, most=0)


def test_a_flow_with_more_paths_than_can_be_counted_says_at_least_how_many() -> None:
    names = [f"s{n}" for n in range(9)]
    states = "".join(f"  {name}: {{stock: free}}\n" for name in names)
    ways = "".join(
        f"  - {{trigger: go-{target}, from: [{', '.join(n for n in names if n != target)}, pending], to: {target},"
        " event: Gone}\n"
        for target in names
    )
    flow = read(f"extends: standard\nname: web\nstates:\n{states}transitions:\n{ways}")
    (told,) = survey(flow, most=5).left_out
    assert told.startswith("at least ")


def test_every_scenario_has_a_file_name_of_its_own_and_says_what_it_is() -> None:
    found = survey(STANDARD, name="shop")
    names = [scenario.source for scenario in found.scenarios]
    assert names[3] == "004-the-shortest-way-to-shipping.scenario.yaml"
    assert len(set(names)) == len(names)
    assert found.scenarios[3].title == "shop: the shortest way to shipping"
    assert any(scenario.title == "shop: what is refused in shipping" for scenario in found.scenarios)


def test_a_timer_is_fired_by_letting_the_time_pass() -> None:
    flow = load(FOLDER / "payment.yaml")
    fired = [scenario for scenario in generate(flow) if "the timer of" in scenario.title]
    assert [scenario.title for scenario in fired] == [
        "payment: the timer of pending fires cancel",
        "payment: the timer of backordered fires cancel",
        "payment: the timer of authorised fires lapse",
        "payment: the timer of void_due fires lapse",
    ]
    assert fired[0].steps[-1].verb == "wait"
    assert fired[0].steps[-1].fields == {"for": 86_400_000_000}
    passed(fired)


def test_a_flow_that_the_check_refuses_gets_no_scenarios() -> None:
    faulty = read("extends: standard\nstates: {stuck: {stock: free}}\n")
    with pytest.raises(Refused) as caught:
        list(generate(faulty))
    assert caught.value.code == "flow_unsound"
    assert [blocked.code for blocked in caught.value.blocked] == [f.code for f in check(faulty) if f.level == "error"]
