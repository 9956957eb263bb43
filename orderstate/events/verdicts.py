"""What an attempt to deliver an event came to: delivered, due again on schedule, or parked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orderstate.engine.unit import Unit
from orderstate.errors import Locked, OrderstateError
from orderstate.events.outcomes import Later, Never, one_line
from orderstate.store import deliveries
from orderstate.store.deliveries import Delivery

SCHEDULE = (1, 5, 10, 30, 60, 300, 900)
"""Seconds between one attempt and the next; after the last one a delivery is parked."""

DOWN = 5
"""Seconds until a far side that is down is tried again."""

LONGEST = 86_400
"""Seconds that a far side is left alone at most, whatever it asks for."""

SECOND = 1_000_000
DELIVERED, LATER, PARKED, OVERTAKEN = "delivered", "later", "parked", "overtaken"

DIED = "the process that worked on it ended before it was done"


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one attempt. `again`: seconds until the next one; `took`: seconds that this one took.

    `attempt`: which of them it was, from 1; 0: it is not counted, as the far side as a whole was down.
    `overtaken`: it was made, but somebody else dealt with the delivery meanwhile, so nothing was written down; `reason`
    says what was done.
    """

    subscriber: str
    event: str
    type: str
    outcome: str
    attempt: int
    reason: str | None = None
    again: float | None = None
    took: float = 0.0


Listener = Callable[[Told], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a delivery is to be marked."""

    outcome: str
    attempts: int
    reason: str | None = None
    after: float = 0.0
    down: bool = False
    """The far side as a whole is to be left alone for so long."""


def arrived(delivery: Delivery) -> Verdict:
    """It was told and raised nothing."""
    return Verdict(DELIVERED, delivery.attempts + 1)


def judged(delivery: Delivery, error: BaseException) -> Verdict:
    """What an error means for a delivery: once more on schedule, or parked.

    Whatever a subscriber raises must not take the others with it, `sys.exit` and what cancels a task included; what
    ends the work is another matter (`ends_work`).
    """
    if isinstance(error, Never):
        return Verdict(PARKED, delivery.attempts + 1, reason_of(error))
    if isinstance(error, Locked) or (isinstance(error, Later) and not error.counts):
        return left_alone(delivery, error)
    return failed(delivery, reason_of(error), error.after if isinstance(error, Later) else None)


def ends_work(error: BaseException, database: Path, *, interruptible: bool) -> bool:
    """True for a Ctrl-C, and for what is wrong with this database as a whole: nothing could be written down.

    `interruptible`: Python turns a SIGINT into a KeyboardInterrupt, which it does in the main thread only. Any other
    KeyboardInterrupt was raised by a subscriber.
    """
    if isinstance(error, KeyboardInterrupt):
        return interruptible and threading.current_thread() is threading.main_thread()
    return isinstance(error, OrderstateError) and error.about == str(database)


def failed(delivery: Delivery, reason: str, after: float | None = None) -> Verdict:
    """One more attempt failed; `after`: seconds that the far side asked for."""
    attempts = delivery.attempts + 1
    if attempts > len(SCHEDULE):
        return Verdict(PARKED, attempts, reason)
    return Verdict(LATER, attempts, reason, max(SCHEDULE[attempts - 1], _bounded(after, 0)))


def left_alone(delivery: Delivery, error: BaseException) -> Verdict:
    """The far side as a whole is down or cannot be used: no attempt is counted."""
    after = _bounded(error.after if isinstance(error, Later) else None, DOWN)
    return Verdict(LATER, delivery.attempts, reason_of(error), after, down=True)


def _bounded(seconds: float | None, default: float) -> float:
    """Seconds that somebody else named: nonsense is the default."""
    try:
        asked = 0.0 if seconds is None else float(seconds)  # a header that was passed on as it came is text
    except (TypeError, ValueError, OverflowError):
        return default
    return min(asked, LONGEST) if asked > 0 else default  # NaN, too


def reason_of(error: BaseException) -> str:
    """An error on one line."""
    name = type(error).__name__
    try:
        if isinstance(error, Later | Never):
            return one_line(error.reason) or name
        if isinstance(error, OrderstateError):
            return one_line(f"{error.sentence} ({error.hint})" if error.hint else error.sentence)
        said = str(error)
    except BaseException:  # noqa: BLE001 - a stranger's class, which may raise anything: what it cannot say is left out
        said = ""
    return one_line(f"{name}: {said}" if said else name)


def mark(unit: Unit, delivery: Delivery, verdict: Verdict, now: int, claim: str | None) -> bool:
    """Write a verdict down. False where the claim was lost meanwhile."""
    reason = verdict.reason or ""
    if verdict.outcome == DELIVERED:
        return deliveries.done(unit.tx, delivery, now, claim)
    if verdict.outcome == PARKED:
        return deliveries.park(unit.tx, delivery, verdict.attempts, now, reason, claim)
    due = now + round(verdict.after * SECOND)
    return deliveries.later(unit.tx, delivery, verdict.attempts, due, reason, claim)


def meanwhile(unit: Unit, delivery: Delivery, lease: int) -> str:
    """What was done to a delivery while its subscriber was called for it, so that the claim was lost."""
    found = deliveries.of(unit.tx, delivery.subscriber, delivery.key)
    if found is None:
        return "during this call its subscriber was removed"
    if found.delivered is not None and found.error is not None:
        return f"during this call it was {found.error}"
    if found.delivered is None and found.parked is None and found.claim is None and not found.attempts:
        return "during this call it was put back to the beginning"
    return f"somebody else took it over: this call was longer than its lease of {lease} s"


def as_told(delivery: Delivery, verdict: Verdict, took: float = 0.0) -> Told:
    """The verdict as those hear of it who listen."""
    again = verdict.after if verdict.outcome == LATER else None
    attempt = 0 if verdict.down else verdict.attempts
    event = delivery.event
    return Told(delivery.subscriber, event.id, event.type, verdict.outcome, attempt, verdict.reason, again, took)
