"""What an attempt to deliver an event came to: delivered, due again on schedule, or parked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orderstate.engine.unit import Unit
from orderstate.errors import Damaged, Locked, OrderstateError, ReadOnly
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
    `overtaken`: it was made, but somebody else dealt with the delivery meanwhile, so nothing was written down.
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

    Whatever a subscriber raises must not take the others with it, `sys.exit` and what cancels a task included. Raises
    the error where it is a Ctrl-C, or of the database itself, in which nothing could be written down.
    """
    if isinstance(error, KeyboardInterrupt | Damaged | ReadOnly):
        raise error
    if isinstance(error, Never):
        return Verdict(PARKED, delivery.attempts + 1, error.reason)
    if isinstance(error, Locked) or (isinstance(error, Later) and not error.counts):
        return left_alone(delivery, error)
    return failed(delivery, reason_of(error), error.after if isinstance(error, Later) else None)


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
    if seconds is None or not seconds > 0:  # NaN, too
        return default
    return min(seconds, LONGEST)


def reason_of(error: BaseException) -> str:
    """An error on one line."""
    if isinstance(error, Later | Never):
        return error.reason
    if isinstance(error, OrderstateError):
        return one_line(f"{error.sentence} ({error.hint})" if error.hint else error.sentence)
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 - a stranger's class: what it cannot say is left out
        said = ""
    return one_line(f"{type(error).__name__}: {said}" if said else type(error).__name__)


def mark(unit: Unit, delivery: Delivery, verdict: Verdict, now: int, claim: str | None) -> bool:
    """Write a verdict down. False where the claim was lost meanwhile."""
    reason = verdict.reason or ""
    if verdict.outcome == DELIVERED:
        return deliveries.done(unit.tx, delivery, now, claim)
    if verdict.outcome == PARKED:
        return deliveries.park(unit.tx, delivery, verdict.attempts, now, reason, claim)
    due = now + round(verdict.after * SECOND)
    return deliveries.later(unit.tx, delivery, verdict.attempts, due, reason, claim)


def as_told(delivery: Delivery, verdict: Verdict, took: float = 0.0) -> Told:
    """The verdict as those hear of it who listen."""
    again = verdict.after if verdict.outcome == LATER else None
    attempt = 0 if verdict.down else verdict.attempts
    event = delivery.event
    return Told(delivery.subscriber, event.id, event.type, verdict.outcome, attempt, verdict.reason, again, took)
