"""Telling again what was told, or given up; and counting as told what nobody is to be told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from itertools import islice

from orderstate.engine import Engine
from orderstate.errors import NotFound
from orderstate.events import stream
from orderstate.events.subscribing import named
from orderstate.events.verdicts import DELIVERED, LATER, PARKED, Told
from orderstate.events.working import Worker
from orderstate.model import Event, Subscriber
from orderstate.store import deliveries
from orderstate.store.sqlite import Transaction

CHUNK = 100
"""Deliveries that are reset in one transaction, and then made."""

HAD_IT, QUEUED, UNDER_WAY = "had it", "queued", "under way"

_CONSUMING = "orderstate.events.consuming"

Pair = tuple[str, int, Event]
"""A subscriber's name, an event's number in the database, and the event."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one event for one subscriber.

    `outcome`: delivered, later, parked; `had it` (a local one, whose effect is there); `queued` (it waits, and `reason`
    says for what); `under way` (a worker is calling it right now: nothing was done).
    """

    subscriber: str
    event: str
    outcome: str
    reason: str | None = None


def by_ids(engine: Engine, ids: Sequence[str], to: str | None) -> Iterator[Pair]:
    """The events of these ids, for all to whom they were sent, or for one, whether it was sent them or not.

    Raises NotFound before anything is given.
    """
    found = [stream.find(engine, id) for id in dict.fromkeys(ids)]
    return _pairs(engine, found, to)


def by_filter(engine: Engine, to: str | None, *, type: str | None, since: int) -> Iterator[Pair]:
    """Every event of a type, or since a moment (UTC us), for all to whom it was sent, or for one who wants it."""
    wants = named(engine, to).wants if to else None
    found = stream.oldest(engine, type=type, since=since)
    return _pairs(engine, (one for one in found if wants is None or wants(one[1].type)), to)


def by_parking(engine: Engine, to: str | None) -> Iterator[Pair]:
    """What is parked now, for all or for one."""
    seen: set[tuple[str, int]] = set()  # one that fails at once is parked again, behind those that we have yet to see
    for way in stream.parked(engine, lambda d: to is None or d.subscriber == to):
        pair = way.delivery.subscriber, way.delivery.key
        if pair not in seen:
            seen.add(pair)
            yield *pair, way.delivery.event


def _pairs(engine: Engine, events: Iterable[tuple[int, Event]], to: str | None) -> Iterator[Pair]:
    names = [to] if to else [s.name for s in engine.subscribers()]
    for key, event in events:
        for name in names:
            yield name, key, event


def replay(
    engine: Engine,
    pairs: Iterable[Pair],
    *,
    insert: bool = False,
    deliver: bool = True,
    stop: Callable[[], bool] = lambda: False,
    interruptible: bool = True,
) -> Iterator[Replayed]:
    """Put deliveries back to the beginning, as if they had never been tried, and make them now unless told not to.

    A local subscriber that has an event is not called again. `insert`: also where it was never sent there. What else is
    due to the same subscribers is delivered with it, as events of one order go out in order. `interruptible`: as in
    Worker.
    """
    queue = iter(pairs)
    while not stop() and (chunk := list(islice(queue, CHUNK))):
        with engine.unit() as unit:
            known = {s.name: s for s in deliveries.subscribers(unit.tx)}
            reset = [(pair, _reset(unit.tx, known, pair, unit.now, insert)) for pair in chunk if pair[0] in known]
        outcomes = [(pair, outcome) for pair, outcome in reset if outcome is not None]
        names = {name for (name, _, _), one in outcomes if one.outcome == QUEUED}
        told = _delivered(engine, names, stop, interruptible) if deliver else {}
        for (name, key, event), outcome in outcomes:
            if outcome.outcome == QUEUED and deliver:
                yield _after(engine, outcome, key, told.get((name, event.id)))
            else:
                yield outcome


def _reset(tx: Transaction, known: dict[str, Subscriber], pair: Pair, now: int, insert: bool) -> Replayed | None:
    name, key, event = pair
    subscriber = known[name]
    found = deliveries.of(tx, name, key)
    if found is None:
        if not insert:
            return None
        deliveries.insert(tx, name, key, event.subject, now)
    else:
        state = stream.state_of(found, now)
        if state == "delivered" and subscriber.kind == "local":
            return Replayed(name, event.id, HAD_IT)
        if state == UNDER_WAY:
            reason = "a worker is calling it right now: nothing was done; replay it when that is over"
            return Replayed(name, event.id, UNDER_WAY, reason)
        deliveries.again(tx, name, key, now)
    waits = f"{name} is off" if not subscriber.enabled else None
    if subscriber.kind == "relay":
        waits = "the relay sends it"
    return Replayed(name, event.id, QUEUED, waits)


def _delivered(
    engine: Engine, names: set[str], stop: Callable[[], bool], interruptible: bool
) -> dict[tuple[str, str], Told]:
    """What became of each attempt for these subscribers, the newest of each."""
    told: dict[tuple[str, str], Told] = {}

    def hear(one: Told) -> None:
        told[one.subscriber, one.event] = one

    if names:
        Worker(engine, names, told=hear, stop=stop, interruptible=interruptible).drain()
    return told


def _after(engine: Engine, queued: Replayed, key: int, told: Told | None) -> Replayed:
    if told is not None and told.outcome in (DELIVERED, LATER, PARKED):
        return Replayed(queued.subscriber, queued.event, told.outcome, told.reason)
    with engine.store.read() as tx:
        now = deliveries.of(tx, queued.subscriber, key)
    if now is not None and now.delivered is not None:
        return Replayed(queued.subscriber, queued.event, DELIVERED)
    return Replayed(
        queued.subscriber, queued.event, QUEUED, queued.reason or "it waits for an older event, or is due later"
    )


def skip(engine: Engine, id: str, to: str, reason: str | None) -> bool:
    """Count an event as told to a subscriber without telling it; False where it had it, or was skipped, already.

    What waited behind it goes on. Raises NotFound where there is no such event or subscriber, or it was never sent.
    """
    named(engine, to)
    key, event = stream.find(engine, id)
    with engine.unit() as unit:
        if deliveries.of(unit.tx, to, key) is None:
            raise NotFound(
                f"{event.id} was never on its way to {to}",
                code="not_on_its_way",
                hint=f"orderstate events show {event.id}",
                event=event.id,
                subscriber=to,
            )
        return deliveries.skip(unit.tx, to, key, unit.now, f"skipped: {reason}" if reason else "skipped")


def parked_messages(engine: Engine, limit: int = 100_000) -> list[deliveries.Parked]:
    """The messages of other systems that could not be applied, the first first."""
    with engine.store.read() as tx:
        return deliveries.parked_messages(tx, limit)


def retry_messages(engine: Engine) -> Iterator[tuple[deliveries.Parked, str | None]]:
    """Try each parked message of other systems again; with the reason where it stays parked."""
    waiting = parked_messages(engine)
    if not waiting or find_spec(_CONSUMING) is None:
        return
    retry = import_module(_CONSUMING).retry  # it reads schemas, which nobody else here needs
    for message in waiting:
        yield message, retry(engine, message)
