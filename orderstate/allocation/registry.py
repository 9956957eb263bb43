"""Strategies by name: built in, by entry point, or by dotted path; validated when they are resolved.

The built-in ones are found without importlib.metadata, which costs some 40 ms to import and read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from orderstate.allocation.problem import Problem
from orderstate.errors import InvalidInput, NotFound, OrderstateError, PlanRejected
from orderstate.model import Plan

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
    path = BUILT_IN.get(name)
    if path is None and ":" in name:
        path = name
    if path is None:
        path = _entry_points().get(name)
    if path is None:
        raise NotFound.named("strategy", name, sorted({*BUILT_IN, *_entry_points()}))
    found = _load(name, path)
    if name not in BUILT_IN:
        _validate(name, path, found)
    return found


def strategies() -> dict[str, str]:
    """Every registered name with the first line of its documentation, built-in ones first."""
    names = [*BUILT_IN, *sorted(set(_entry_points()) - set(BUILT_IN))]
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


@cache
def _entry_points() -> dict[str, str]:
    from importlib.metadata import entry_points  # only for names that are not built in

    return {point.name: point.value for point in entry_points(group=GROUP)}


def _load(name: str, path: str) -> Strategy:
    module, _, attribute = path.partition(":")
    try:
        found: Any = import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as cause:
        raise InvalidInput(
            "strategy", name, "a strategy that can be loaded", hint=f"{path}: {type(cause).__name__}: {cause}"
        ) from cause
    return found  # type: ignore[no-any-return]  # `_validate` looks at what a plug-in is


def _validate(name: str, path: str, found: Callable[..., object]) -> None:
    expected = "a callable that takes one argument, the problem"
    if not callable(found) or isinstance(found, type):
        raise InvalidInput("strategy", name, expected, hint=f"{path} is a {type(found).__name__}")
    from inspect import signature  # only for plug-ins

    try:
        signature(found).bind(None)
    except ValueError:
        return  # a builtin without a signature shows itself when it is called
    except TypeError as cause:
        raise InvalidInput("strategy", name, expected, hint=f"{path}: {cause}") from cause
