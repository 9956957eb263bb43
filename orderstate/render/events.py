"""Events, their way to subscribers, and what a worker did: as rows, as documents, as lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orderstate.events.replaying import Replayed
from orderstate.events.stream import Way
from orderstate.events.subscribing import Standing
from orderstate.events.timing import Fired
from orderstate.events.verdicts import DELIVERED, LATER, OVERTAKEN, PARKED, SCHEDULE, Told
from orderstate.model import Event
from orderstate.render.orders import what
from orderstate.render.tables import Column, Row
from orderstate.render.words import goods, iso, lasting, minute, moment
from orderstate.store.deliveries import Parked

Document = dict[str, Any]

EVENTS = (
    Column("id"),
    Column("at"),
    Column("event"),
    Column("from"),
    Column("to"),
    Column("as"),
    Column("by"),
    Column("what"),
)
EVENTS_DRAWN = (Column("at"), Column("id"), Column("event"), Column("what", folds=True))
SUBSCRIBERS = (
    Column("subscriber"),
    Column("kind"),
    Column("on"),
    Column("waiting", number=True),
    Column("since"),
    Column("failing", number=True),
    Column("parked", number=True),
    Column("due"),
    Column("target"),
    Column("types"),
)
SUBSCRIBERS_DRAWN = (
    Column("subscriber", folds=True),
    Column("kind"),
    Column("on"),
    Column("waiting", number=True),
    Column("oldest", number=True, optional=True),
    Column("failing", number=True),
    Column("parked", number=True),
    Column("hears of", folds=True),
)
WAYS = (
    Column("subscriber"),
    Column("state"),
    Column("attempts", number=True),
    Column("delivered"),
    Column("parked"),
    Column("due"),
    Column("behind", number=True),
    Column("error"),
)
WAYS_DRAWN = (
    Column("subscriber"),
    Column("state"),
    Column("attempts", number=True),
    Column("when", folds=True),
    Column("error", folds=True, optional=True),
)
PARKED_ROWS = (
    Column("what"),
    Column("id"),
    Column("type"),
    Column("attempts", number=True),
    Column("parked"),
    Column("behind", number=True),
    Column("error"),
)
PARKED_DRAWN = (
    Column("to / from", folds=True),
    Column("id", folds=True),
    Column("attempts", number=True),
    Column("behind", number=True),
    Column("error", folds=True),
)
REPLAYED = (Column("subscriber"), Column("event"), Column("outcome"), Column("reason", folds=True, optional=True))
WORKED = (
    Column("subscriber"),
    Column("delivered", number=True),
    Column("later", number=True),
    Column("parked", number=True),
)


def events(found: Iterable[Event]) -> Iterator[Row]:
    """Rows of EVENTS."""
    for e in found:
        yield e.id, iso(e.at), e.type, e.source, e.target, e.role, e.by, said(e)


def events_drawn(found: Iterable[Event]) -> Iterator[Row]:
    """Rows of EVENTS_DRAWN."""
    for e in found:
        yield minute(e.at), e.id, e.type, said(e)


def line(e: Event) -> str:
    """One event as a line of a log that a person watches."""
    return f"{moment(e.at)}  {e.id}  {e.type}" + (f": {text}" if (text := said(e)) else "")


def said(e: Event) -> str:
    """What an event says, in a few words; of a facility too."""
    if "received" in e.payload:
        return f"{goods((sku, units) for sku, units, *_ in e.payload['received'])} to {facility(e)}"
    return what(e)


def facility(e: Event) -> str:
    """The code of the facility that an event is about."""
    return e.subject.removeprefix("facility/")


def subscribers(found: Iterable[Standing]) -> Iterator[Row]:
    """Rows of SUBSCRIBERS."""
    for s in found:
        one = s.subscriber
        behind = (s.waiting, _iso(s.since), s.failing, s.parked, _iso(s.due))
        yield one.name, one.kind, _yes(one.enabled), *behind, one.target, " ".join(one.types)


def subscribers_drawn(found: Iterable[Standing], now: int) -> Iterator[Row]:
    """Rows of SUBSCRIBERS_DRAWN, at that moment (UTC us)."""
    for s in found:
        one = s.subscriber
        age = None if s.since is None else lasting(max(0, now - s.since) // 1_000_000)
        types = f"{len(one.types)} types" if len(one.types) > 2 else " ".join(one.types) or "every one"
        yield one.name, one.kind, _yes(one.enabled), s.waiting, age, s.failing, s.parked, types


def standing(s: Standing) -> Document:
    """`subscribers list`: one subscriber."""
    one = s.subscriber
    return {
        "subscriber": one.name,
        "kind": one.kind,
        "target": one.target,
        "types": list(one.types),
        "on": one.enabled,
        "waiting": s.waiting,
        "since": _iso(s.since),
        "failing": s.failing,
        "parked": s.parked,
        "due": _iso(s.due),
    }


def ways(found: Iterable[Way]) -> Iterator[Row]:
    """Rows of WAYS."""
    for w in found:
        d = way(w)
        yield tuple(d[column.name] for column in WAYS)


def ways_drawn(found: Iterable[Way]) -> Iterator[Row]:
    """Rows of WAYS_DRAWN."""
    for w in found:
        d = w.delivery
        at = d.delivered or d.parked or d.due
        yield d.subscriber, w.state, d.attempts, f"{'due ' if at == d.due else ''}{moment(at)}", d.error or None


def way(w: Way) -> Document:
    """`events show`: an event's way to one subscriber."""
    d = w.delivery
    return {
        "subscriber": d.subscriber,
        "state": w.state,
        "attempts": d.attempts,
        "delivered": _iso(d.delivered),
        "parked": _iso(d.parked),
        "due": None if d.delivered or d.parked else iso(d.due),
        "behind": w.behind,
        "error": d.error or None,
    }


def parked(found: Iterable[Way | Parked]) -> Iterator[Row]:
    """Rows of PARKED_ROWS: events that did not reach a subscriber, and messages of other systems."""
    for one in found:
        if isinstance(one, Parked):
            yield one.source, one.id, one.type, None, iso(one.parked), None, one.error
        else:
            d = one.delivery
            yield d.subscriber, d.event.id, d.event.type, d.attempts, _iso(d.parked), one.behind, d.error


def parked_drawn(found: Iterable[Way | Parked]) -> Iterator[Row]:
    """Rows of PARKED_DRAWN."""
    for one in found:
        if isinstance(one, Parked):
            yield f"from {one.source}", one.id, None, None, one.error
        else:
            d = one.delivery
            yield f"to {d.subscriber}", d.event.id, d.attempts, one.behind, d.error


def parked_document(one: Way | Parked) -> Document:
    """`events parked`: one event or message."""
    if isinstance(one, Parked):
        return {
            "source": one.source,
            "message": one.id,
            "type": one.type,
            "parked": iso(one.parked),
            "error": one.error,
        }
    d = one.delivery
    return {
        "event": d.event.id,
        "type": d.event.type,
        "subscriber": d.subscriber,
        "attempts": d.attempts,
        "parked": _iso(d.parked),
        "behind": one.behind,
        "error": d.error,
    }


def replayed(found: Iterable[Replayed]) -> Iterator[Row]:
    """Rows of REPLAYED."""
    for one in found:
        yield one.subscriber, one.event, one.outcome, one.reason


def replayed_document(one: Replayed) -> Document:
    """`events replay`: one event for one subscriber."""
    return {"subscriber": one.subscriber, "event": one.event, "outcome": one.outcome, "reason": one.reason}


def attempt(told: Told, at: int) -> Document:
    """`work --log json`: one attempt, written down at that moment (UTC us)."""
    return {
        "at": iso(at),
        "level": "info" if told.outcome == DELIVERED else "warning" if told.outcome == LATER else "error",
        "message": sentence(told),
        "subscriber": told.subscriber,
        "event": told.event,
        "type": told.type,
        "outcome": told.outcome,
        "attempt": told.attempt,
        "reason": told.reason,
        "again": told.again,
        "took": round(told.took, 6),
    }


def timer(fired: Fired, at: int) -> Document:
    """`work --log json`: one timer."""
    return {
        "at": iso(at),
        "level": "info" if fired.refused is None else "warning",
        "message": fired_sentence(fired),
        "order": fired.order,
        "trigger": fired.trigger,
        "state": fired.state,
        "due": iso(fired.due_at),
        "reason": fired.refused,
    }


def sentence(told: Told) -> str:
    """What became of one attempt."""
    head = f"{told.event} {told.type} to {told.subscriber}"
    if told.outcome == LATER:
        tried = f"attempt {told.attempt} of {len(SCHEDULE) + 1}" if told.attempt else "not counted"
        return f"{head}: again in {lasting(told.again or 0)}, {tried}: {told.reason}"
    if told.outcome == PARKED:
        return f"{head}: parked, attempt {told.attempt}: {told.reason}"
    if told.outcome == OVERTAKEN:
        return f"{head}: not written down: {told.reason}"
    return f"{head}: delivered"


def fired_sentence(fired: Fired) -> str:
    """What became of one timer."""
    if fired.refused is not None:
        return f"{fired.order} timer {fired.trigger}: refused: {fired.refused}"
    return f"{fired.order} timer {fired.trigger}: {fired.state}"


def worked(tallies: Mapping[str, Mapping[str, int]]) -> Iterator[Row]:
    """Rows of WORKED, from subscribers to how often each outcome came."""
    for name, counted in sorted(tallies.items()):
        yield name, counted.get(DELIVERED, 0), counted.get(LATER, 0), counted.get(PARKED, 0)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _iso(at: int | None) -> str | None:
    return None if at is None else iso(at)
