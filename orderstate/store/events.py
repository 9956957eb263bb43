"""Events, refusals and idempotency keys: rows in and out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from orderstate.model import Event, RefusalCount
from orderstate.store.sqlite import Transaction

TRACE = "traceparent"
"""The key under which a payload keeps the trace of an event; outside this room it is never part of a payload."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def insert(tx: Transaction, event: Event, listeners: Sequence[str] = ()) -> None:
    """One event, and its way to each of the subscribers. The database refuses a number that the subject has already."""
    payload = event.payload if event.trace is None else {**event.payload, TRACE: event.trace}
    inserted = tx.execute(
        tx.sql.event_insert,
        (
            event.subject, event.number, event.type, event.at, event.role, event.by, event.trigger, event.source,
            event.target, _encode(payload),
        ),
    ).fetchone()  # fmt: skip
    for name in listeners:
        tx.execute(tx.sql.delivery_insert, (name, inserted[0], event.subject, event.at))


def of(tx: Transaction, subject: str, last: int = 2**63 - 1) -> list[Event]:
    """The events of an order or a facility, up to the number `last`, in order."""
    rows = tx.execute(tx.sql.events_read, (subject, last)).fetchall()
    return [
        Event(subject, number, kind, at, role, by, trigger, source, target, *read(payload))
        for subject, number, kind, at, role, by, trigger, source, target, payload in rows
    ]


def read(payload: str) -> tuple[dict[str, Any], str | None]:
    """(payload, trace) of an event, from its column."""
    found: dict[str, Any] = json.loads(payload)
    trace = found.pop(TRACE, None)
    return found, trace


def newest_with(tx: Transaction, subject: str, key: str) -> dict[str, Any] | None:
    """The payload of the subject's newest event that has `key` in it, or None. Reads and parses no older one."""
    sign = f'"{key}":'
    for (payload,) in tx.execute(tx.sql.payloads_back, (subject,)):
        if sign in payload:
            found, _ = read(payload)
            if key in found:
                return found
    return None


def count_refusal(tx: Transaction, serial: int, trigger: str, codes: Sequence[str], at: int) -> None:
    """Count a refusal; the only thing that a refused trigger changes."""
    tx.execute(tx.sql.refusal_count, (serial, trigger, " ".join(codes), at, at))


def refusals(tx: Transaction, serial: int) -> list[RefusalCount]:
    """What was refused to the order, oldest first."""
    rows = tx.execute(tx.sql.refusals_read, (serial,)).fetchall()
    return [RefusalCount(trigger, tuple(codes.split()), *rest) for trigger, codes, *rest in rows]


def first_answer(tx: Transaction, key: str) -> tuple[str, dict[str, Any]] | None:
    """(fingerprint, answer) under the key, or None."""
    row = tx.execute(tx.sql.key_read, (key,)).fetchone()
    return None if row is None else (row[0], json.loads(row[1]))


def remember(tx: Transaction, key: str, fingerprint: str, answer: Mapping[str, Any], at: int) -> None:
    """Keep the first answer to a key."""
    tx.execute(tx.sql.key_insert, (key, fingerprint, _encode(answer), at))
