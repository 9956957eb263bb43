"""The timers of the flow in force: which are due, and when the next one is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orderstate.engine.session import Session
from orderstate.model import Flow, Order, State
from orderstate.store import orders

PAGE = 200
"""Timers that are read at once."""


@dataclass(frozen=True, slots=True)
class Due:
    """A timer of an order: the version that it was seen at, its state, and what is fired when (UTC us)."""

    order: str
    version: int
    state: str
    trigger: str
    due_at: int

    def overdue(self, now: int) -> bool:
        """True from the moment on at which it may be fired. now: UTC us."""
        return self.due_at <= now


def timed(flow: Flow) -> list[State]:
    """The states that orders leave by themselves after a while."""
    return [state for state in flow.states if state.after is not None and state.timer is not None]


def timer(s: Session, order: Order) -> Due | None:
    """The timer of an order in the state that it is in, due or not; None where the flow in force has none there."""
    state = s.machine.states.get(order.state)
    return None if state is None else _due(state, order.id, order.version, order.entered_at)


def still_due(s: Session, order: Order, trigger: str) -> bool:
    """True if the flow in force says that the trigger is due now: another flow may be there than when it was listed."""
    found = timer(s, order)
    return found is not None and found.trigger == trigger and found.overdue(s.now)


def due_in(s: Session, state: State, now: int, after: Due | None) -> list[Due]:
    """A page of the timers of one state that are due at `now`, those due longest first, behind `after`."""
    assert state.after is not None
    behind = (-1, "") if after is None else (after.due_at - state.after, after.order)
    page = orders.entered(s.tx, state.name, before=now - state.after, behind=behind, limit=PAGE)
    found = (_due(state, order_id, version, at) for _, order_id, version, at in page)
    return [due for due in found if due is not None]


def next_due(s: Session) -> Due | None:
    """The timer that is due next, or is due longest; None where no order waits in a state with a timer."""
    return min(_earliest(s), key=lambda due: (due.due_at, due.order), default=None)


def _earliest(s: Session) -> Iterator[Due]:
    for state in timed(s.machine.flow):
        for _, order_id, version, at in orders.entered(s.tx, state.name, limit=1):
            due = _due(state, order_id, version, at)
            if due is not None:
                yield due


def _due(state: State, order_id: str, version: int, entered_at: int) -> Due | None:
    if state.after is None or state.timer is None:
        return None
    return Due(order_id, version, state.name, state.timer, entered_at + state.after)
