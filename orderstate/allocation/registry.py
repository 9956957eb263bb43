"""Strategies by name: built in, by entry point, or by dotted path; validated when they are resolved."""

from __future__ import annotations

from functools import cache
from typing import Protocol

from orderstate.allocation.problem import Problem
from orderstate.errors import InvalidInput, OrderstateError, PlanRejected
from orderstate.model import Plan
from orderstate.plugins import demand, load, offered, path_of

GROUP = "orderstate.strategies"
"""The entry point group in which an installed package offers strategies."""

BUILT_IN = {
    "nearest": "orderstate.allocation.nearest:plan",
    "priority": "orderstate.allocation.priority:plan",
    "cheapest": "orderstate.allocation.cheapest:plan",
    "fewest-shipments": "orderstate.allocation.fewest_shipments:plan",
}


class Strategy(Protocol):
    """A strategy: any callable from a problem to a plan. The same problem must always give the same plan.

    `Problem.plan` finishes a plan from what the strategy takes. The engine checks each plan before it is used.
    """

    def __call__(self, problem: Problem, /) -> Plan: ...


@cache
def strategy(name: str) -> Strategy:
    """The strategy of that name: built in, an entry point of GROUP, or a path `package.module:function`.

    Raises NotFound with close matches for an unknown name, and InvalidInput for a plug-in that cannot be loaded or
    cannot be called with one problem.
    """
    path = BUILT_IN.get(name) or path_of("strategy", name, GROUP, BUILT_IN)
    found: Strategy = load("strategy", name, path)
    if name not in BUILT_IN:
        demand("strategy", name, path, found, 1, "a callable that takes one argument, the problem")
    return found


def strategies() -> dict[str, str]:
    """Every registered name with the first line of its documentation, built-in ones first."""
    names = [*BUILT_IN, *sorted(set(offered(GROUP)) - set(BUILT_IN))]
    found = {}
    for name in names:
        try:
            doc = (strategy(name).__doc__ or "").strip()
        except InvalidInput as broken:
            doc = f"cannot be used: {broken.sentence}"
        found[name] = doc.splitlines()[0] if doc else ""
    return found


def propose(problem: Problem, name: str) -> Plan:
    """The plan of the named strategy, not yet checked.

    Raises what `strategy` raises, and PlanRejected for a strategy that raises or returns something else than a plan, or
    a plan with values that a plan cannot have.
    """
    chosen = strategy(name)
    try:
        plan = chosen(problem)
    except (Exception, SystemExit) as cause:
        shown = cause.sentence if isinstance(cause, OrderstateError) else f"{type(cause).__name__}: {cause}"
        raise PlanRejected(
            f"strategy {name} raised {shown}",
            hint="nothing was tied; plan with another strategy: --strategy nearest",
            strategy=name,
        ) from cause
    if not isinstance(plan, Plan):
        raise PlanRejected(f"strategy {name} returned {type(plan).__name__}, where a Plan is due", strategy=name)
    if name not in BUILT_IN:
        from orderstate.allocation.checking import check_shape  # only for plug-ins, whose values nobody has typed

        check_shape(plan, name)
    return plan
