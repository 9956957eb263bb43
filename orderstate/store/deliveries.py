"""Subscribers, deliveries and the inbox: rows in and out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orderstate.model import Event, Subscriber
from orderstate.store import events
from orderstate.store.network import changed
from orderstate.store.sqlite import Transaction


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event's way to one subscriber. `key` is the event's number in its database; times are UTC microseconds.

    `claim` is the mark of the worker that is calling an outside subscriber for it, until `due`; one that is due and
    still marked was never written down: its worker died, or took longer than it may.
    """

    subscriber: str
    key: int
    attempts: int
    due: int
    error: str | None
    delivered: int | None
    parked: int | None
    claim: str | None
    event: Event


@dataclass(frozen=True, slots=True)
class Parked:
    """A message of another system that could not be applied, and why."""

    source: str
    id: str
    at: int
    type: str | None
    body: str | None
    error: str | None
    parked: int


def subscribers(tx: Transaction) -> list[Subscriber]:
    """Every subscriber, by name."""
    return [
        Subscriber(name, kind, target, tuple(types.split()), bool(enabled))
        for name, kind, target, types, enabled in tx.execute(tx.sql.subscribers_read).fetchall()
    ]


def declare(tx: Transaction, subscriber: Subscriber) -> None:
    """Write a subscriber, new or changed. Every engine hears of it at its next command."""
    s = subscriber
    tx.execute(tx.sql.subscriber_set, (s.name, s.kind, s.target, " ".join(s.types), int(s.enabled)))
    changed(tx)


def remove(tx: Transaction, name: str) -> None:
    """Forget a subscriber, and whatever was on its way to it."""
    tx.execute(tx.sql.deliveries_drop, (name,))
    tx.execute(tx.sql.subscriber_delete, (name,))
    changed(tx)


def fill(tx: Transaction, name: str, after: int, upto: int, types: Sequence[str] = ()) -> int:
    """Put events of the past on their way to a subscriber that was declared after them; how many.

    Those with numbers above `after` up to `upto`; `types`: only these. What is on its way there already stays as it is.
    """
    sql = tx.sql.deliveries_fill
    return sum(tx.execute(sql, (name, after, upto, kind, kind, name)).rowcount for kind in types or (None,))


def eligible(tx: Transaction, name: str, now: int, limit: int) -> list[Delivery]:
    """What may be delivered now: of each order the oldest event that is not, if it is due."""
    return [_delivery(row) for row in tx.execute(tx.sql.deliveries_next, (name, now, limit)).fetchall()]


def oldest(tx: Transaction, name: str, limit: int, after: int = 0) -> list[Delivery]:
    """The oldest events that are on their way to a relay, due or not, several of one order among them."""
    return [_delivery(row) for row in tx.execute(tx.sql.deliveries_oldest, (name, after, limit)).fetchall()]


def next_due(tx: Transaction, name: str) -> int | None:
    """When the next delivery may be tried (UTC us); None where nothing is on its way."""
    row = tx.execute(tx.sql.delivery_due, (name,)).fetchone()
    return None if row is None else int(row[0])


def claim(tx: Transaction, delivery: Delivery, mark: str, until: int, attempts: int | None = None) -> None:
    """Keep other workers from a delivery until then (UTC us); `attempts`: counted beforehand."""
    counted = delivery.attempts if attempts is None else attempts
    tx.execute(tx.sql.delivery_claim, (until, counted, mark, delivery.subscriber, delivery.key))


def release(tx: Transaction, delivery: Delivery, mark: str) -> bool:
    """Give a claim back unused. False where it was lost meanwhile."""
    row = (delivery.due, delivery.subscriber, delivery.key, mark)
    return tx.execute(tx.sql.delivery_release, row).rowcount == 1


def skip(tx: Transaction, name: str, key: int, at: int, reason: str) -> bool:
    """Count an event as delivered without telling it. False where it is, or never was on its way there."""
    return tx.execute(tx.sql.delivery_skip, (reason, at, name, key)).rowcount == 1


def done(tx: Transaction, delivery: Delivery, at: int, mark: str | None = None) -> bool:
    """It arrived. False where the claim was lost meanwhile."""
    row = (delivery.attempts + 1, at, delivery.subscriber, delivery.key, mark)
    return tx.execute(tx.sql.delivery_done, row).rowcount == 1


def later(tx: Transaction, delivery: Delivery, attempts: int, due: int, error: str, mark: str | None = None) -> bool:
    """It is to be tried again when `due`. False where the claim was lost meanwhile."""
    row = (due, attempts, error, delivery.subscriber, delivery.key, mark)
    return tx.execute(tx.sql.delivery_later, row).rowcount == 1


def park(tx: Transaction, delivery: Delivery, attempts: int, at: int, error: str, mark: str | None = None) -> bool:
    """It is given up until somebody asks for it again. False where the claim was lost meanwhile."""
    row = (attempts, error, at, delivery.subscriber, delivery.key, mark)
    return tx.execute(tx.sql.delivery_park, row).rowcount == 1


def again(tx: Transaction, name: str, key: int, due: int) -> bool:
    """Deliver an event once more, as if it had never been tried. False where it never was on its way there."""
    return tx.execute(tx.sql.delivery_again, (due, name, key)).rowcount == 1


def insert(tx: Transaction, name: str, key: int, subject: str, due: int) -> None:
    """Put one event on its way to one subscriber."""
    tx.execute(tx.sql.delivery_insert, (name, key, subject, due))


def of(tx: Transaction, name: str, key: int) -> Delivery | None:
    """One event's way to one subscriber, or None where it never was on its way there."""
    row = tx.execute(tx.sql.deliveries_of, (name, key)).fetchone()
    return None if row is None else _delivery(row)


def parked(tx: Transaction, limit: int, after: Delivery | None = None) -> list[Delivery]:
    """What was given up, the first first; `after`: the last of the page before."""
    place = (-1, "", 0) if after is None else (after.parked, after.subscriber, after.key)
    return [_delivery(row) for row in tx.execute(tx.sql.deliveries_parked, (place[0], *place, limit)).fetchall()]


def behind(tx: Transaction, delivery: Delivery) -> int:
    """How many later events of the same order or facility wait for this one to arrive."""
    row = (delivery.subscriber, delivery.event.subject, delivery.key)
    return int(tx.execute(tx.sql.delivery_behind, row).fetchone()[0])


def failing(tx: Transaction, name: str) -> int:
    """How many of those on their way to a subscriber failed at least once."""
    return int(tx.execute(tx.sql.delivery_failing, (name,)).fetchone()[0])


def held(tx: Transaction, name: str) -> set[str]:
    """The subjects of what was given up: their later events wait until it is delivered after all."""
    return {row[0] for row in tx.execute(tx.sql.delivery_held, (name,))}


def backlog(tx: Transaction, name: str) -> tuple[int, int | None, int, int]:
    """(on their way, the oldest event's time in UTC us, attempts that failed, parked) of a subscriber."""
    waiting, since, failed = tx.execute(tx.sql.delivery_backlog, (name,)).fetchone()
    (given_up,) = tx.execute(tx.sql.delivery_parked_count, (name,)).fetchone()
    return waiting, since, failed, given_up


def event_at(tx: Transaction, subject: str, number: int) -> tuple[int, Event] | None:
    """(its number in this database, the event), or None."""
    row = tx.execute(tx.sql.event_at, (subject, number)).fetchone()
    return None if row is None else (row[0], _event(row[1:]))


def stream(
    tx: Transaction, *, after: int = 0, limit: int, type: str | None = None, since: int = 0
) -> list[tuple[int, Event]]:
    """Events of the whole database in the order in which they were written, each with its number there.

    `type`: only these; `since`: only what happened then or later (UTC us).
    """
    rows = tx.execute(tx.sql.events_after, (after, type, type, since, limit)).fetchall()
    return [(row[0], _event(row[1:])) for row in rows]


def newest(
    tx: Transaction, *, before: int = 2**63 - 1, limit: int, type: str | None = None, since: int = 0
) -> list[tuple[int, Event]]:
    """The newest events of the whole database, the newest first, each with its number there."""
    rows = tx.execute(tx.sql.events_before, (before, type, type, since, limit)).fetchall()
    return [(row[0], _event(row[1:])) for row in rows]


def about(
    tx: Transaction, subject: str, *, before: int = 2**63 - 1, limit: int, type: str | None = None, since: int = 0
) -> list[tuple[int, Event]]:
    """The newest events of one order or facility, the newest first, those with numbers below `before`."""
    rows = tx.execute(tx.sql.events_about, (subject, before, type, type, since, limit)).fetchall()
    return [(row[0], _event(row[1:])) for row in rows]


def last(tx: Transaction) -> int:
    """The number of the newest event in this database; 0 where nothing has happened."""
    return int(tx.execute(tx.sql.event_last).fetchone()[0])


def received(tx: Transaction, source: str, id: str) -> tuple[int | None, int | None] | None:
    """(applied at, parked at) of a message, or None where it is new."""
    row = tx.execute(tx.sql.inbox_read, (source, id)).fetchone()
    return None if row is None else (row[0], row[1])


def receive(
    tx: Transaction,
    source: str,
    id: str,
    at: int,
    *,
    type: str | None = None,
    body: str | None = None,
    error: str | None = None,
    parked: bool = False,
) -> None:
    """Remember a message as applied, or as parked with its body and the reason."""
    row = (source, id, at, type, body, error, None if parked else at, at if parked else None)
    tx.execute(tx.sql.inbox_write, row)


def parked_messages(tx: Transaction, limit: int) -> list[Parked]:
    """The messages that could not be applied, the first first."""
    return [Parked(*row) for row in tx.execute(tx.sql.inbox_parked, (limit,)).fetchall()]


def _delivery(row: Sequence[Any]) -> Delivery:
    subscriber, key, attempts, due, error, delivered, parked, claim, *event = row
    return Delivery(subscriber, key, attempts, due, error, delivered, parked, claim, _event(event))


def _event(row: Sequence[Any]) -> Event:
    subject, number, kind, at, role, by, trigger, source, target, kept = row
    return Event(subject, number, kind, at, role, by, trigger, source, target, *events.read(kept))
