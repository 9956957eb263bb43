"""Subscribers for tests, found by dotted path, that do as they are told. Imported by processes of their own, too."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from worlds import World

from orderstate import Engine
from orderstate.engine.commands import Receive
from orderstate.engine.unit import Unit
from orderstate.events.outcomes import Later, Never
from orderstate.events.verdicts import SECOND, Told
from orderstate.events.working import Worker
from orderstate.model import Event, Subscriber
from orderstate.store import deliveries

HEARD: list[tuple[str, str]] = []
"""(name, event) of each call, in order."""

PLAN: dict[tuple[str, str], list[BaseException | Callable[[], object]]] = {}
"""What the next calls of a name for an event do; what is not planned for is done."""

OPENED: list[str] = []


BOTH = [("local", "local"), ("outside", "outside")]
"""A subscriber of each kind: (name, kind)."""


def forget() -> None:
    """Begin anew."""
    for kept in (HEARD, PLAN, OPENED):
        kept.clear()


def heard(name: str) -> list[str]:
    """The ids of the events that somebody was called with."""
    return [event for who, event in HEARD if who == name]


def plan(name: str, event: str, *faults: BaseException | Callable[[], object]) -> None:
    """The next calls for an event raise these, or call them."""
    PLAN[name, event] = list(faults)


def _hear(name: str, event: Event) -> None:
    HEARD.append((name, event.id))
    queue = PLAN.get((name, event.id))
    fault = queue.pop(0) if queue else None
    if isinstance(fault, BaseException):
        raise fault
    if fault is not None:
        fault()


def _effect(sku: str, event: Event, unit: Unit) -> None:
    """One unit more of a SKU: what is done twice shows."""
    unit.execute(Receive(facility="DEN", items=[(sku, 1)], role="system", by=event.id))


def local(event: Event, unit: Unit) -> None:
    """Its effect first, so that a failure has something to undo."""
    _effect("LOCAL", event, unit)
    _hear("local", event)


def other(event: Event, unit: Unit) -> None:
    """Another one."""
    _effect("OTHER", event, unit)
    _hear("other", event)


def outside(event: Event, engine: Engine) -> None:
    """Sees no transaction open."""
    assert engine.order(event.subject).id == event.subject
    _hear("outside", event)


def distant(event: Event, engine: Engine) -> None:
    """Another one."""
    _hear("distant", event)


def opened(event: Event, engine: Engine) -> None:
    """Has a connection."""
    raise AssertionError("it is called through what `opened` gives")


@contextmanager
def _connection(engine: Engine) -> Iterator[Callable[[Event], None]]:
    OPENED.append("open")
    queue = PLAN.get(("opened", "open"))
    if queue:
        fault = queue.pop(0)
        assert isinstance(fault, BaseException)
        raise fault
    yield lambda event: _hear("opened", event)
    OPENED.append("close")
    if ("opened", "close") in PLAN:
        raise ConnectionError("it hung up first")


opened.opened = _connection  # type: ignore[attr-defined]  # read by the registry
opened.lease = 7  # type: ignore[attr-defined]  # read by the registry


def killing(event: Event, unit: Unit) -> None:
    """Ends the process for order 1001, after its effect."""
    _effect("LOCAL", event, unit)
    if event.subject == "1001":
        os.kill(os.getpid(), signal.SIGKILL)


def killing_outside(event: Event, engine: Engine) -> None:
    """Ends the process for order 1002."""
    if event.subject == "1002":
        os.kill(os.getpid(), signal.SIGKILL)
    write_down(event, engine)


def write_down(event: Event, engine: Engine) -> None:
    """A line for each call, in a file beside the database."""
    with open(f"{engine.store.path}.told", "a", encoding="utf-8") as out:
        out.write(f"{os.getpid()} {event.id}\n")


def in_and_out(event: Event, engine: Engine) -> None:
    """A line at the beginning and one at the end of each call: calls at the same time would show."""
    log = Path(f"{engine.store.path}.told")
    with log.open("a", encoding="utf-8") as out:
        out.write(f"in {event.id}\n")
    engine.order(event.subject)
    with log.open("a", encoding="utf-8") as out:
        out.write(f"out {event.id}\n")


def count(event: Event, unit: Unit) -> None:
    """One unit more for each call."""
    _effect("LOCAL", event, unit)


def waiting(event: Event, engine: Engine) -> None:
    """Says that it began, and goes on when a file is there."""
    write_down(event, engine)
    gate = Path(f"{engine.store.path}.go")
    while not gate.exists():
        os.sched_yield()


def failing(event: Event, engine: Engine) -> None:
    """Never succeeds."""
    raise OSError("no route to host")


def put_off(event: Event, engine: Engine) -> None:
    """The far side is down."""
    raise Later("the far side is down", counts=False)


def refusing(event: Event, engine: Engine) -> None:
    """Cannot read it."""
    raise Never("unreadable")


def subscribe(engine: Engine, name: str, kind: str, types: Sequence[str] = ("OrderPlaced", "OrderCancelled")) -> None:
    """Declare the function of that name here as a subscriber."""
    with engine.unit() as unit:
        deliveries.declare(unit.tx, Subscriber(name, kind, f"doers:{name}", tuple(types)))


def alone(world: World, *subscribers: tuple[str, str]) -> World:
    """A world with stock, in which only these (name, kind) hear of orders that are placed and cancelled."""
    world.facility("DEN", "39.74,-104.99", MUG=50, LOCAL=1, OTHER=1)
    with world.engine.unit() as unit:
        for found in deliveries.subscribers(unit.tx):
            deliveries.remove(unit.tx, found.name)
    for name, kind in subscribers:
        subscribe(world.engine, name, kind)
    return world


def effects(world: World, sku: str = "LOCAL") -> list[str]:
    """The events that had their effect, in the order in which they had it."""
    found = world.rows(
        "SELECT by FROM event WHERE subject = 'facility/DEN' AND type = 'StockReceived' "
        "AND by IS NOT NULL AND payload LIKE ? ORDER BY id",
        f'%"{sku}"%',
    )
    return [by for (by,) in found]


def rows(world: World, subscriber: str) -> dict[str, tuple[int, bool, bool, str | None]]:
    """(attempts, delivered, parked, error) of each delivery, by the event's id."""
    found = world.rows(
        "SELECT e.subject || ':' || e.number, attempts, delivered IS NOT NULL, parked IS NOT NULL, error "
        "FROM delivery JOIN event e ON e.id = event WHERE subscriber = ? ORDER BY event",
        subscriber,
    )
    return {id: (attempts, bool(done), bool(parked), error) for id, attempts, done, parked, error in found}


async def _coroutine(event: Event, engine: object) -> None:
    _hear("lazy", event)


def _generator(event: Event, engine: object) -> Iterator[int]:
    _hear("lazy", event)
    yield 1


async def _stream(event: Event, engine: object) -> AsyncIterator[int]:
    _hear("lazy", event)
    yield 1


class _Awaited:
    async def __call__(self, event: Event, engine: object) -> None:
        _hear("lazy", event)


LAZY: dict[str, Callable[..., object]] = {
    "lazy_coroutine": _coroutine,
    "lazy_generator": _generator,
    "lazy_stream": _stream,
    "lazy_object": _Awaited(),
    "lazy_partial": partial(partial(_coroutine)),
    "lazy_partial_of_an_object": partial(_Awaited()),
}
"""Subscribers that do nothing when they are called, by name."""
globals().update(LAZY)


def returns_a_coroutine(event: Event, engine: object) -> object:
    """Somebody else was to await it."""
    return _coroutine(event, engine)


def returns_stepwise(event: Event, engine: object) -> object:
    """Somebody else was to go through it."""
    return _generator(event, engine)


def returns_a_stream(event: Event, engine: object) -> object:
    """Somebody else was to go through it."""
    return _stream(event, engine)


def printing(event: Event, engine: Engine) -> None:
    """Says something to whoever reads it."""
    print("hello from", event.id)


def interrupting(event: Event, unit: Unit) -> None:
    """As if somebody had pressed Ctrl-C."""
    raise KeyboardInterrupt("not from a keyboard")


def wandering(event: Event, unit: Unit) -> None:
    """Leaves the whole program in another folder."""
    os.chdir(os.environ["WANDERS_TO"])


def idle(event: Event, unit: Unit) -> None:
    """Does nothing."""


def worker(world: World, told: list[Told] | None = None, **named: Any) -> Worker:
    """One for the world, whose news are kept in `told`."""
    return Worker(world.engine, told=(told if told is not None else []).append, **named)


def pass_time(world: World, seconds: float) -> None:
    """Set the clock forward."""
    world.clock.now += round(seconds * SECOND)
