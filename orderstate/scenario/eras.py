"""Which flow was in force when an order was told what to do: known since flows are kept when they are replaced.

In a database that replaced flows before it kept them, the flow is found out as far as the events tell it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from orderstate.engine.reader import Reader
from orderstate.errors import InvalidInput, NotFound, Refused
from orderstate.machine import STANDARD, Machine
from orderstate.model import Flow
from orderstate.scenario.deeds import USE_FLOW, Deed, fits


@dataclass(frozen=True, slots=True)
class Eras:
    """The deeds of a story, each with the number of the flow that it was done under, and these flows.

    `found` has a deed `use_flow` for each flow but the first under which something was done or refused. Flows under
    which nothing was are None.
    """

    flows: tuple[Flow | None, ...]
    found: tuple[Deed, ...]
    kept: bool
    """The flows were kept; otherwise they were found out."""

    @property
    def used(self) -> tuple[Flow, ...]:
        """The flows that the story goes through, in order."""
        return tuple(flow for flow in self.flows if flow is not None)


def eras(engine: Reader, found: Sequence[Deed], refused: Sequence[int]) -> Iterator[Eras]:
    """Every way to understand the deeds, the best first. `refused`: when something was refused, UTC microseconds.

    Raises Refused at the end, where the flow in force and the standard one do not explain them either.
    """
    known = _kept(engine, found, refused)
    if known is not None:
        yield known
    yield _guessed(engine.flow, found)


def _kept(engine: Reader, found: Sequence[Deed], refused: Sequence[int]) -> Eras | None:
    """As the database knows it; None where that cannot be: commands may say that they were given long ago."""
    before = engine.replaced_flows()
    flows = [*(flow for flow, _ in before), engine.flow]
    begins = [0, *(until for _, until in before)]
    ends: list[float] = [*(until for _, until in before), float("inf")]
    placed: list[Deed] = []
    reached: dict[str, int] = {}
    for deed in found:
        number = _number(deed, flows, begins, ends, reached.get(deed.order, 0))
        if number is None:
            return None
        reached[deed.order] = number
        placed.append(replace(deed, era=number))
    used = {deed.era for deed in placed}
    used |= {next(n for n, end in enumerate(ends) if at < end) for at in refused if at >= placed[0].at}
    first = min(used)
    told = {deed.era for deed in placed if deed.verb == USE_FLOW}
    for number in sorted(used - told - {first}):
        # What changed no order of the story wrote no event either.
        change = replace(placed[0], at=begins[number], verb=USE_FLOW, own=(), written=(), timed=False, era=number)
        index = next((n for n, deed in enumerate(placed) if deed.era >= number), len(placed))
        placed.insert(index, change)
    try:
        for number in used:
            Machine(flows[number])
    except (NotFound, InvalidInput):
        return None  # a guard that is not installed here any more
    placed.sort(key=lambda deed: (deed.era, deed.at))
    return Eras(tuple(flow if n in used else None for n, flow in enumerate(flows)), tuple(placed), kept=True)


def _number(deed: Deed, flows: Sequence[Flow], begins: Sequence[int], ends: Sequence[float], least: int) -> int | None:
    """Which of the flows a deed was done under: the first that was in force at the time and could have done it."""
    for number in range(least, len(flows)):
        if deed.verb == USE_FLOW:
            if number and begins[number] == deed.at and flows[number].name == deed.last.payload["flow"]:
                return number
        elif begins[number] <= deed.at <= ends[number] and fits(flows[number], deed):
            return number
    return None


def _guessed(now: Flow, found: Sequence[Deed]) -> Eras:
    """As the events let one guess: under the flow in force all along, or under the standard one before it."""
    changes = [number for number, deed in enumerate(found) if deed.verb == USE_FLOW]
    if not changes and all(fits(now, deed) for deed in found):
        return Eras((now,), tuple(found), kept=False)
    if len({found[number].at for number in changes}) > 1:
        raise gone(found[0].order, "it was moved from flow to flow more than once, and the flows between were not kept")
    at = changes[0] if changes else next(n for n in range(len(found) + 1) if all(fits(now, d) for d in found[n:]))
    for flow in (STANDARD, now):
        if all(fits(flow, deed) for deed in found[:at]) and all(fits(now, deed) for deed in found[at:]):
            if at == len(found):
                return Eras((flow,), tuple(found), kept=False)
            later = [replace(deed, era=1) for deed in found[at:]]
            if later[0].verb != USE_FLOW:
                later.insert(0, replace(later[0], verb=USE_FLOW, own=(), written=(), timed=False))
            return Eras((flow, now), (*found[:at], *later), kept=False)
    lost = next((deed for deed in found if not fits(now, deed)), found[0]).last
    raise gone(
        lost.subject,
        f"neither the flow in force nor the standard one has {lost.trigger or lost.type} "
        f"from {lost.source} to {lost.target}",
    )


def gone(order: str, why: str) -> Refused:
    """The error for an order whose flow is not known any more."""
    return Refused(
        f"{order} went through a flow that is no longer there: {why}",
        code="flow_gone",
        hint="orderstate flow use FILE puts the flow that it had in force, in a copy of the database",
        order=order,
    )
