"""Timers of orders: fired when they are due, and not over and over where a guard refuses them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orderstate.engine import Engine
from orderstate.engine.timers import Due
from orderstate.errors import OrderstateError
from orderstate.events.verdicts import SECOND, reason_of

AGAIN, SELDOM = 60, 3600
"""Seconds after which a timer that was refused is tried again: at first, doubled each time, and at most. A timer of an
order that moved on begins anew."""

LOOK = 5
"""Seconds between two looks for other timers, where refused ones hide which is next."""


@dataclass(frozen=True, slots=True)
class Fired:
    """What became of one timer; `refused` says why it was not fired."""

    order: str
    trigger: str
    state: str
    due_at: int
    refused: str | None = None


class Timers:
    """Fires what is due in one database, in one thread."""

    def __init__(
        self,
        engine: Engine,
        *,
        told: Callable[[Fired], None] = lambda _: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._engine = engine
        self._told = told
        self._stop = stop
        self._refused: dict[tuple[str, int, str], tuple[int, int]] = {}
        """When (UTC us) a timer may be tried again, and how many seconds that is, by order, version and trigger."""

    def fire(self) -> int:
        """Fire what is due now; how many orders moved."""
        now = self._engine.clock()
        old = now - 2 * SELDOM * SECOND
        self._refused = {timer: last for timer, last in self._refused.items() if last[0] > old}
        asked: list[Due] = []

        def skipped(due: Due) -> bool:
            asked[:] = [due]
            return self._refused.get(_key(due), (0, 0))[0] > now

        moved = 0
        if self._stop():
            return 0
        for outcome in self._engine.fire_due(skip=skipped):
            (due,) = asked
            if isinstance(outcome, OrderstateError):
                _, before = self._refused.get(_key(due), (0, 0))
                pause = min(2 * before, SELDOM) if before else AGAIN
                self._refused[_key(due)] = now + pause * SECOND, pause
                self._told(Fired(due.order, due.trigger, due.state, due.due_at, reason_of(outcome)))
            else:
                moved += 1
                self._told(Fired(due.order, due.trigger, outcome.state, due.due_at))
            if self._stop():
                break
        return moved

    def next_due(self) -> int | None:
        """When to fire next (UTC us); None where no order waits for a timer."""
        first = self._engine.next_due()
        if first is None:
            return None
        again = self._refused.get(_key(first))
        return first.due_at if again is None else min(again[0], self._engine.clock() + LOOK * SECOND)


def _key(due: Due) -> tuple[str, int, str]:
    return due.order, due.version, due.trigger
