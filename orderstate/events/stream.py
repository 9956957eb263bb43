"""What happened in the whole database: newest first, or as it happens; and each event's way to its subscribers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from orderstate.engine import Engine
from orderstate.errors import NotFound
from orderstate.events.waking import Alarm, Bell
from orderstate.model import Event
from orderstate.store import deliveries
from orderstate.store.deliveries import Delivery

PAGE = 500
"""Events that are read at once."""

Numbered = tuple[int, Event]
"""An event with its number in the database."""


@dataclass(frozen=True, slots=True)
class Way:
    """One event's way to one subscriber, as a person asks for it. `state` is one of: delivered, skipped, parked,
    under way (somebody is calling it now), failing (failed before, due again), waiting."""

    delivery: Delivery
    state: str
    behind: int
    """How many later events of the same order wait for this one."""


def newest(
    engine: Engine, *, subject: str | None = None, type: str | None = None, since: int = 0, limit: int = 50
) -> Iterator[Event]:
    """The newest events, the newest first, read page by page.

    subject: of this order, or of `facility/CODE`; type: of this type; since: that happened then or later (UTC us).
    """
    before = 2**63 - 1
    while limit > 0:
        wanted = min(limit, PAGE)
        with engine.store.read() as tx:
            if subject is None:
                page = deliveries.newest(tx, before=before, limit=wanted, type=type, since=since)
            else:
                page = deliveries.about(tx, subject, before=before, limit=wanted, type=type, since=since)
        yield from (event for _, event in page)
        if len(page) < wanted:
            return
        limit -= wanted
        before = page[-1][0] if subject is None else page[-1][1].number


def oldest(engine: Engine, *, type: str | None = None, since: int = 0, upto: int | None = None) -> Iterator[Numbered]:
    """Events in the order in which they were written, up to the newest that is there now, or to the number `upto`."""
    with engine.store.read() as tx:
        end = deliveries.last(tx) if upto is None else upto
    after = 0
    while True:
        with engine.store.read() as tx:
            page = deliveries.stream(tx, after=after, limit=PAGE, type=type, since=since)
        yield from (one for one in page if one[0] <= end)
        if len(page) < PAGE or page[-1][0] > end:
            return
        after = page[-1][0]


def tail(engine: Engine, number: int, *, type: str | None = None, bell: Bell | None = None) -> Iterator[Event]:
    """The `number` newest events, the oldest of them first; with a bell each one as it is committed, until it rings."""
    with engine.store.read() as tx:
        after = deliveries.last(tx)
        last = deliveries.newest(tx, before=after + 1, limit=number, type=type) if number else []
    yield from (event for _, event in reversed(last))
    if bell is None:
        return
    with Alarm(engine.store.path, engine.store.commits, bell) as alarm:
        while not bell.rung:
            alarm.arm()
            full = True
            while full and not bell.rung:
                with engine.store.read() as tx:
                    page = deliveries.stream(tx, after=after, limit=PAGE, type=type)
                    full = len(page) == PAGE
                    # Where nothing more is asked for, what was left out need not be looked at again.
                    after = page[-1][0] if full else deliveries.last(tx)
                yield from (event for _, event in page)
            alarm.wait(None)


def find(engine: Engine, id: str) -> Numbered:
    """The event of that id: `1001:3`, `facility/DEN:2`. Raises NotFound."""
    subject, _, number = id.rpartition(":")
    found = None
    if number.isascii() and number.isdigit() and len(number) < 10:
        with engine.store.read() as tx:
            found = deliveries.event_at(tx, subject, int(number))
    if found is None:
        hint = "orderstate events list" if not subject else f"orderstate events list --order {subject}"
        if subject.startswith("facility/"):
            hint = f"orderstate events list --facility {subject.removeprefix('facility/')}"
        raise NotFound(f"there is no event {id!r}", code="unknown_event", hint=hint, name=id)
    return found


def ways(engine: Engine, key: int) -> list[Way]:
    """An event's way to each subscriber to which it was sent, by the subscriber's name."""
    with engine.store.read() as tx:
        now = engine.clock()
        found = (deliveries.of(tx, s.name, key) for s in deliveries.subscribers(tx))
        return [
            Way(d, state_of(d, now), 0 if d.delivered is not None else deliveries.behind(tx, d))
            for d in found
            if d is not None
        ]


def state_of(delivery: Delivery, now: int) -> str:
    """In one word."""
    if delivery.delivered is not None:
        return "skipped" if delivery.error is not None else "delivered"
    if delivery.parked is not None:
        return "parked"
    if delivery.claim is not None and delivery.due > now:
        return "under way"
    return "failing" if delivery.attempts or delivery.error else "waiting"


def parked(engine: Engine, wanted: Callable[[Delivery], bool] = lambda _: True) -> Iterator[Way]:
    """What was given up, the first first, read page by page."""
    last: Delivery | None = None
    while True:
        with engine.store.read() as tx:
            page = deliveries.parked(tx, PAGE, last)
            found = [Way(d, "parked", deliveries.behind(tx, d)) for d in page if wanted(d)]
        yield from found
        if len(page) < PAGE:
            return
        last = page[-1]
