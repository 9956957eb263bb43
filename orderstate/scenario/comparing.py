"""What was expected of a step against what was seen: only what differs, each thing by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orderstate.model import Allocation, Order, StockLevel
from orderstate.scenario.report import Difference, Outcome
from orderstate.scenario.script import AT, TOGETHER, WAIT, WORK, Expectation, Step
from orderstate.scenario.writing import amount, jsonable, row

_SUCCESS, _SHORT = 0, 5


@dataclass(frozen=True, slots=True)
class Seen:
    """What can be looked at after a step. `order` and `level` ask the database; None for what is not there."""

    outcomes: tuple[Outcome, ...]
    events: tuple[str, ...]
    order: Callable[[str], Order | None]
    levels: Callable[[str, str], Sequence[StockLevel]]
    """(facility, SKU) to the levels of its pools."""


def differences(expect: Expectation, step: Step, seen: Seen) -> tuple[Difference, ...]:
    """Everything that was expected and is otherwise; without `exit`, `error` or `refused` also a step that failed."""
    found = [*_unasked(expect, step, seen.outcomes)]
    for name, expected in expect.given():
        found.extend(_COMPARED[name](name, expected, step, seen))
    return tuple(found)


def _unasked(expect: Expectation, step: Step, outcomes: Sequence[Outcome]) -> Iterator[Difference]:
    """A step must succeed that nobody said would not. Timers and subscribers may be refused: nobody asked for that."""
    if step.verb in (WAIT, AT, WORK) or any(
        said is not None for said in (expect.exit, expect.error, expect.refused, expect.exits, expect.says)
    ):
        return
    for number, outcome in enumerate(outcomes, 1):
        status = outcome.exit_status
        # An order that waits for stock is what was asked for only where its state is expected.
        if status != _SUCCESS and not (status == _SHORT and outcome.error is None and expect.state is not None):
            yield Difference(f"{number}.exit" if step.verb == TOGETHER else "exit", _SUCCESS, status)


def _same(name: str, expected: Any, seen: Any) -> Iterator[Difference]:
    if expected != seen:
        yield Difference(name, jsonable(expected), jsonable(seen))


def _exit(name: str, expected: int, step: Step, seen: Seen) -> Iterator[Difference]:
    return _same(name, expected, seen.outcomes[0].exit_status)


def _exits(name: str, expected: tuple[int, ...], step: Step, seen: Seen) -> Iterator[Difference]:
    return _same(name, sorted(expected), sorted(outcome.exit_status for outcome in seen.outcomes))


def _error(name: str, expected: str, step: Step, seen: Seen) -> Iterator[Difference]:
    error = seen.outcomes[0].error
    return _same(name, expected, None if error is None else error["code"])


def _refused(name: str, expected: tuple[str, ...], step: Step, seen: Seen) -> Iterator[Difference]:
    return _same(name, sorted(expected), sorted({code for outcome in seen.outcomes for code in outcome.refused}))


def _order(name: str, expected: Any, step: Step, seen: Seen) -> Iterator[Difference]:
    """`state` and `version`, as they are after the step; what is answered to a repeat is what they were."""
    order_id = seen.outcomes[0].order
    order = None if order_id is None else seen.order(order_id)
    return _same(name, expected, None if order is None else getattr(order, name))


def _changed(name: str, expected: bool, step: Step, seen: Seen) -> Iterator[Difference]:
    return _same(name, expected, bool(seen.outcomes[0].document.get("changed", False)))


def _repeated(name: str, expected: bool, step: Step, seen: Seen) -> Iterator[Difference]:
    return _same(name, expected, seen.outcomes[0].repeated)


def _events(name: str, expected: tuple[str, ...], step: Step, seen: Seen) -> Iterator[Difference]:
    if step.verb == TOGETHER:  # in which order they came is nobody's promise
        return _same(name, sorted(expected), sorted(seen.events))
    return _same(name, list(expected), list(seen.events))


def _stock(name: str, expected: Mapping[str, Any], step: Step, seen: Seen) -> Iterator[Difference]:
    for code, skus in expected.items():
        for sku, counters in skus.items():
            levels = seen.levels(code, sku)
            for counter, value in counters.items():
                where = f"{name}.{code}.{sku}.{counter}"
                if isinstance(value, Mapping):
                    of_pool = [level for level in levels if level.pool == counter]
                    for inner, units in value.items():
                        yield from _same(f"{where}.{inner}", units, _sum(of_pool, inner))
                else:
                    yield from _same(where, value, _sum(levels, counter))


def _sum(levels: Sequence[StockLevel], counter: str) -> int:
    return sum(getattr(level, counter) for level in levels)


def _orders(name: str, expected: Mapping[str, str], step: Step, seen: Seen) -> Iterator[Difference]:
    for order_id, state in expected.items():
        order = seen.order(order_id)
        yield from _same(f"{name}.{order_id}", state, None if order is None else order.state)


def _planned(seen: Seen) -> Mapping[str, Any]:
    plan: Mapping[str, Any] | None = seen.outcomes[0].document.get("plan")
    return {} if plan is None else plan


def _plan(name: str, expected: Mapping[str, Any], step: Step, seen: Seen) -> Iterator[Difference]:
    plan = _planned(seen)
    for part, value in expected.items():
        where = f"{name}.{part}"
        if not plan:
            found: Any = None
        elif part == "facilities":
            found = sorted({line[0] for line in plan["allocations"]})
        elif part == "allocations":
            found = sorted(list(line) for line in plan["allocations"])
        else:
            found = plan[part]
        if part == "allocations":
            value = sorted(row(one) if isinstance(one, Allocation) else list(one) for one in value)
        yield from _same(where, sorted(value) if part == "facilities" else value, found)


def _amount(name: str, expected: int, step: Step, seen: Seen) -> Iterator[Difference]:
    found = _planned(seen).get(name)
    if expected != found:
        yield Difference(name, amount(expected), None if found is None else amount(found))


def _short(name: str, expected: Mapping[str, int], step: Step, seen: Seen) -> Iterator[Difference]:
    outcome = seen.outcomes[0]
    found = outcome.document.get("short") or _planned(seen).get("short") or {}
    for blocked in () if outcome.error is None else outcome.error.get("blocked", ()):
        missing = blocked["values"].get("short")
        found = missing if isinstance(missing, Mapping) else found
    for sku in sorted({*expected, *found}):
        yield from _same(f"{name}.{sku}", expected.get(sku, 0), found.get(sku, 0))


def _says(name: str, expected: str, step: Step, seen: Seen) -> Iterator[Difference]:
    said = [sentence for outcome in seen.outcomes for sentence in outcome.sentences()]
    if not any(expected in sentence for sentence in said):
        yield Difference(name, expected, said or None)


_COMPARED: Mapping[str, Callable[[str, Any, Step, Seen], Iterator[Difference]]] = {
    "exit": _exit,
    "error": _error,
    "refused": _refused,
    "state": _order,
    "version": _order,
    "changed": _changed,
    "repeated": _repeated,
    "events": _events,
    "stock": _stock,
    "orders": _orders,
    "plan": _plan,
    "cost": _amount,
    "bound": _amount,
    "short": _short,
    "exits": _exits,
    "says": _says,
}
