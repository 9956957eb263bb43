"""Time inside a scenario: it stands still during a step, and moves only when a step says so, past timers on the way."""

from __future__ import annotations

from orderstate.engine import Answer, Engine
from orderstate.errors import OrderstateError

MOST_FIRED = 10_000
"""A step in which more timers fire than this is stopped: two states that send orders to and fro never come to rest."""


class Clock:
    """The engine's clock: UTC microseconds, wherever it was set."""

    __slots__ = ("now",)

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def pass_until(engine: Engine, clock: Clock, end: int) -> list[tuple[int, Answer | OrderstateError]]:
    """Move the clock to `end`; (moment, outcome) of each timer that fell due on the way and fired at that moment.

    What a guard refuses stays due: it is tried again whenever something else has changed at a moment, as a worker does
    that looks again and again, and told once. Raises OrderstateError where the timers do not come to rest.
    """
    found: list[tuple[int, Answer | OrderstateError]] = []
    refused: set[tuple[str, int, str]] = set()
    begin, fired = clock.now, 0
    while True:
        clock.now = end
        waiting = engine.due(limit=len(refused) + 1)
        moment = next((due.due_at for due in waiting if (due.order, due.version, due.trigger) not in refused), None)
        if moment is None:
            return found
        clock.now = max(begin, moment)
        moved = True
        while moved:
            moved = False
            for outcome in engine.fire_due():
                if isinstance(outcome, Answer):
                    found.append((clock.now, outcome))
                    moved, fired = True, fired + 1
                elif (seen := _seen(outcome)) not in refused:
                    found.append((clock.now, outcome))
                    refused.add(seen)
                if fired > MOST_FIRED:
                    clock.now = end
                    raise OrderstateError(
                        f"more than {MOST_FIRED:,} timers fired while time passed; the states send orders to and fro",
                        code="timers_never_rest",
                        hint="orderstate flow check FILE",
                    )
        begin = clock.now
        refused |= {(due.order, due.version, due.trigger) for due in engine.due(limit=100_000)}


def _seen(error: OrderstateError) -> tuple[str, int, str]:
    values = error.values
    version = values.get("version")
    return str(values.get("order")), version if isinstance(version, int) else 0, str(values.get("trigger"))
