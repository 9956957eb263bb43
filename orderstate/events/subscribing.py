"""Who hears of events: listed, added, changed, switched on and off, removed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from orderstate.engine import Engine
from orderstate.errors import InvalidInput, NotFound, Refused
from orderstate.events.registry import handler
from orderstate.events.working import KINDS
from orderstate.flow.events import RESERVED
from orderstate.machine import STANDARD
from orderstate.model import Subscriber
from orderstate.store import deliveries

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_CHUNK = 2000
"""Events of the past that are looked at in one transaction."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a subscriber is behind.

    `waiting`: events on their way to it; `since`: when the oldest of them happened; `failing`: how many of them failed
    before; `due`: when the next may be tried. Times are UTC microseconds.
    """

    subscriber: Subscriber
    waiting: int
    since: int | None
    failing: int
    parked: int
    due: int | None


def standings(engine: Engine) -> list[Standing]:
    """Every subscriber, by name, in one view of the database."""
    with engine.store.read() as tx:
        found = []
        for subscriber in deliveries.subscribers(tx):
            waiting, since, _, parked = deliveries.backlog(tx, subscriber.name)
            failing = deliveries.failing(tx, subscriber.name)
            due = deliveries.next_due(tx, subscriber.name)
            found.append(Standing(subscriber, waiting, since, failing, parked, due))
        return found


def named(engine: Engine, name: str) -> Subscriber:
    """One subscriber. Raises NotFound with close matches."""
    known = {s.name: s for s in engine.subscribers()}
    if name not in known:
        raise NotFound.named("subscriber", name, list(known), hint="orderstate subscribers list")
    return known[name]


def checked_types(engine: Engine, types: Iterable[str]) -> tuple[str, ...]:
    """The types, sorted, each once. Raises NotFound with close matches for one that nobody writes."""
    known = {*RESERVED, *(t.event for flow in (STANDARD, engine.flow) for t in flow.transitions)}
    wanted = sorted(set(types))
    for kind in wanted:
        if kind not in known:
            raise NotFound.named("event type", kind, sorted(known), hint=f"one of {', '.join(sorted(known))}")
    return tuple(wanted)


def add(
    engine: Engine,
    name: str,
    target: str,
    kind: str,
    types: Sequence[str] = (),
    *,
    from_start: bool = False,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> tuple[Subscriber, int]:
    """Declare a subscriber of your own: it and how many events of the past are on their way to it.

    target: an entry point's name or `package.module:function`, which is loaded and looked at. It hears of what happens
    from now on, unless `from_start`: then of everything that ever happened and that it wants. That is put on its way in
    many transactions, and it is switched on in the last one, so that it hears of each order in order; the same call
    goes on after a break. Raises InvalidInput, NotFound, Refused where the name is taken.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput("name", name, "small letters, digits, dots and dashes, at most 63, such as my-crm")
    if kind not in KINDS:
        raise InvalidInput("kind", kind, f"one of {', '.join(KINDS)}")
    new = Subscriber(name, kind, target, checked_types(engine, types))
    handler(target, kind)
    with engine.unit() as unit:
        found = next((s for s in deliveries.subscribers(unit.tx) if s.name == name), None)
        if found is not None and (replace(found, enabled=True) != new or (found.enabled and from_start)):
            raise Refused(
                f"there is a subscriber {name} already",
                code="subscriber_exists",
                hint=f"orderstate subscribers remove {name}",
                name=name,
            )
        if found is None:
            deliveries.declare(unit.tx, replace(new, enabled=not from_start))
        elif not from_start and not found.enabled:
            deliveries.declare(unit.tx, new)
    return new, _fill(engine, new, progress) if from_start else 0


def _fill(engine: Engine, new: Subscriber, progress: Callable[[int, int | None], None]) -> int:
    filled = after = 0
    while True:
        with engine.unit() as unit:
            newest = deliveries.last(unit.tx)
            upto = min(after + _CHUNK, newest)
            filled += deliveries.fill(unit.tx, new.name, after, upto, new.types)
            if upto == newest:
                deliveries.declare(unit.tx, new)
        after = upto
        progress(after, newest)
        if upto == newest:
            return filled


def switch(engine: Engine, name: str, on: bool) -> bool:
    """Switch a subscriber on or off; False where it was so already.

    While it is off events do not reach it, later neither; what was on its way stays there until it is on again.
    """
    return _declare(engine, name, lambda s: replace(s, enabled=on))


def set_types(engine: Engine, name: str, types: Sequence[str]) -> bool:
    """From now on it hears of these types only, or with none of every one; False where it was so already."""
    wanted = checked_types(engine, types)
    return _declare(engine, name, lambda s: replace(s, types=wanted))


def _declare(engine: Engine, name: str, change: Callable[[Subscriber], Subscriber]) -> bool:
    named(engine, name)
    with engine.unit() as unit:
        for found in deliveries.subscribers(unit.tx):
            if found.name == name and change(found) != found:
                deliveries.declare(unit.tx, change(found))
                return True
    return False


def remove(engine: Engine, name: str) -> int:
    """Forget a subscriber and what was on its way to it; how many events that were."""
    named(engine, name)
    with engine.unit() as unit:
        waiting, _, _, parked = deliveries.backlog(unit.tx, name)
        deliveries.remove(unit.tx, name)
    return waiting + parked
