"""One step of the machine: `Machine.ask` with every guard asked, against the same guards called bare in a loop.

Beside it, for scale, the same trigger through the `transitions` library as it comes: one shared machine of its default
classes, with the guards as conditions and one light model an order; and the same with a machine built for each order.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from transitions import Machine as LibraryMachine

from bench.report import Table, machine
from orderstate.guards import Check, Facts, bound
from orderstate.machine import STANDARD, standard
from orderstate.model import Allocation, Destination, Line, Order, Plan, Refusal, Stock

BUDGET = 2.0
"""Microseconds that a step may take above its guards."""

Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Step:
    """One trigger asked of one order; `taken` is where it leads, None where it is refused."""

    name: str
    trigger: str
    order: Order
    facts: Facts
    taken: str | None


def steps() -> list[Step]:
    """A ship without guards, a tie with a ready plan, a cancel allowed, and a cancel with both its guards refusing."""
    lines = (Line("MUG", 1), Line("PEN", 2))
    order = Order("1001", "pending", 1, 0, 0, Destination("US", 39.74, -104.99), "backorder", lines)
    plan = Plan("nearest", (Allocation("DEN1", "MUG", "primary", 1), Allocation("DEN1", "PEN", "primary", 2)), {}, ())
    facts = Facts("operator", Stock.FREE, lambda: plan, lambda: (), lambda: ())
    tied, gone = replace(order, state="inventory_tied"), replace(order, state="shipping")
    return [
        Step("ship: no guard", "ship", tied, replace(facts, stock=Stock.TIED), "shipping"),
        Step("tie: one guard, plan ready", "tie_inventory", order, facts, "inventory_tied"),
        Step("cancel: two guards", "cancel", order, facts, "cancelled"),
        Step("cancel: two guards refuse", "cancel", gone, replace(facts, stock=Stock.GONE), None),
    ]


def asked(step: Step) -> Work:
    """The engine's step: every guard asked, refusals collected."""
    ask, order, trigger, facts = standard().ask, step.order, step.trigger, step.facts
    taken, _ = ask(order, trigger, facts)
    if (taken.target if taken else None) != step.taken:
        raise AssertionError(f"{step.name} leads to {taken}, not to {step.taken}")
    return lambda: ask(order, trigger, facts)


def guards_of(step: Step) -> list[tuple[Check, dict[str, str]]]:
    """The guards of the first transition that the trigger declares from the order's state."""
    for declared in STANDARD.transitions:
        if declared.trigger == step.trigger and step.order.state in declared.sources:
            return [(bound(use).check, dict(use.params)) for use in declared.guards]
    raise AssertionError(f"{step.trigger} does not lead out of {step.order.state}")


def bare(step: Step) -> Work:
    """The same guards in a loop, their refusals in a list."""
    guards, order, facts = guards_of(step), step.order, step.facts

    def run() -> list[Refusal]:
        refusals = []
        for check, params in guards:
            refusal = check(order, facts, params)
            if refusal is not None:
                refusals.append(refusal)
        return refusals

    return run


class _Model:
    """What the library moves: an order's state, and guards that answer True or False."""

    def __init__(self, step: Step) -> None:
        self.state = step.order.state
        self._order, self._facts = step.order, step.facts

    def asks(self, guard: tuple[Check, dict[str, str]]) -> Callable[[], bool]:
        """The guard as a condition."""
        check, params = guard
        return lambda: check(self._order, self._facts, params) is None


def _library(step: Step, model: _Model) -> LibraryMachine:
    made = LibraryMachine(
        model=None, states=[state.name for state in STANDARD.states], initial="pending", auto_transitions=False
    )
    for declared in STANDARD.transitions:
        for source in declared.sources:
            here = declared.trigger == step.trigger and source == step.order.state
            conditions: list[str | Callable[..., bool | None]] = []
            if here:
                conditions += [model.asks(guard) for guard in guards_of(step)]
            made.add_transition(declared.trigger, source, declared.target, conditions=conditions)
            if here and len(made.events[declared.trigger].transitions[source]) > 1:
                made.events[declared.trigger].transitions[source].pop()  # the bare loop asks one transition too
    return made


def shared(step: Step) -> Work:
    """The library's default classes, one machine for all, a model that is not registered; it stops at a refusal."""
    model = _Model(step)
    event, state = _library(step, model).events[step.trigger], step.order.state

    def run() -> bool:
        model.state = state
        return bool(event.trigger(model))

    if run() != (step.taken is not None):
        raise AssertionError(f"the library does otherwise than the flow: {step.name}")
    return run


def built(step: Step) -> Work:
    """A machine of the library for each order, as its documentation begins."""

    def run() -> bool:
        model = _Model(step)
        return bool(_library(step, model).events[step.trigger].trigger(model))

    return run


def nanoseconds(works: Sequence[Work], calls: int, rounds: int) -> list[float]:
    """Median nanoseconds of a call of each, in alternating rounds."""
    times: list[list[float]] = [[] for _ in works]
    turns = range(calls)
    gc.collect()
    for _ in range(rounds):
        for work, kept in zip(works, times, strict=True):
            started = time.perf_counter_ns()
            for _ in turns:
                work()
            kept.append((time.perf_counter_ns() - started) / calls)
    return [median(kept) for kept in times]


def report(calls: int, rounds: int) -> Table:
    """Every step by every approach."""
    table = Table(
        "Machine step: ns for one trigger asked of one order",
        [
            "trigger",
            "guards bare",
            "Machine.ask",
            "above guards",
            "budget",
            "",
            "library, shared",
            "library, per order",
        ],
    )
    for step in steps():
        guards, ask, default = nanoseconds([bare(step), asked(step), shared(step)], calls, rounds)
        (per_order,) = nanoseconds([built(step)], max(1, calls // 100), rounds)
        above = ask - guards
        table.add(
            step.name,
            f"{guards:,.0f}",
            f"{ask:,.0f}",
            f"{above:,.0f}",
            f"<= {BUDGET * 1000:,.0f}",
            "kept" if above <= BUDGET * 1000 else "MISSED",
            f"{default:,.0f}",
            f"{per_order:,.0f}",
        )
    table.notes += [
        f"medians of {rounds} alternating rounds of {calls:,} calls, each through one empty function",
        "library: transitions as it comes; it stops at the first guard that says no and keeps no reasons",
        machine(),
    ]
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.machine_step", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--calls", type=int, help="calls in a round (10000; quick: 5000)")
    parser.add_argument("--rounds", type=int, help="rounds (15; quick: 7)")
    given = parser.parse_args(argv)
    report(given.calls or (5_000 if given.quick else 10_000), given.rounds or (7 if given.quick else 15)).print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
