"""What happened to an order and to those split off it, as the commands that made it happen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from orderstate.engine import History
from orderstate.engine.commands import VERBS
from orderstate.model import Event, Flow

TIMER = "timer"
"""Under whose name the engine fires a timer, as the role system."""
USE_FLOW = "use_flow"


@dataclass(frozen=True, slots=True)
class Deed:
    """One command: when, to which order, and the events that it wrote: `own` to that order, `written` in all.

    `fields` are the command's, without the order. `timed`: a timer fired it. `era`: which flow was in force, from 0.
    """

    at: int
    order: str
    verb: str
    own: tuple[Event, ...]
    written: tuple[str, ...]
    fields: Mapping[str, Any] = field(default_factory=dict)
    timed: bool = False
    era: int = 0

    @property
    def last(self) -> Event:
        """The newest of the order's events."""
        return self.own[-1]

    @property
    def split(self) -> Mapping[str, Any] | None:
        """What an OrderSplit among the events says."""
        return next((event.payload for event in self.own if event.type == "OrderSplit"), None)


def deeds(family: Sequence[History]) -> list[Deed]:
    """Every command to a family of orders, in the order of time; the parent comes first in `family`.

    Where an `at` of a caller's own went back in time, the deed is told at the time of the one before it.
    """
    found: list[Deed] = []
    for told in family:
        latest = 0
        for deed in _of(told.events):
            latest = max(latest, deed.at)
            found.append(replace(deed, at=latest))
    return sorted(found, key=lambda deed: deed.at)


def _of(events: Sequence[Event]) -> Iterator[Deed]:
    waiting: list[Event] = []
    for event in events:
        if event.number == 1 and "parent" in event.payload:
            continue  # the split that made it wrote this
        if event.trigger == "split" and event.type == "InventoryTied" and event.number == 2:
            continue
        waiting.append(event)
        if event.type == "OrderSplit" and "handed_over" not in event.payload:
            continue  # the tie that left something short follows
        yield _deed(tuple(waiting))
        waiting = []


def _deed(own: tuple[Event, ...]) -> Deed:
    event = own[-1]
    payload = event.payload
    fields: dict[str, Any] = {}
    if payload.get("reason"):
        fields["reason"] = payload["reason"]
    written = tuple(kind for one in own for kind in _kinds(one))
    if event.number == 1:
        verb = "place"
        fields = {"lines": dict(payload["lines"]), "to": payload["destination"], "short": payload["short"]}
    elif event.type == "OrderSplit":
        verb, fields = "split", {"facility": payload["handed_over"][0][0]}
        written = ("OrderSplit", "OrderPlaced", "InventoryTied")
    elif event.type == "OrderReduced":
        verb, fields = "cancel", {"lines": dict(payload["cancelled"]), **fields}
    elif event.type == "OrderRedirected":
        verb, fields = "redirect", {"to": payload["destination"]}
    elif event.trigger == USE_FLOW:
        verb = USE_FLOW
    else:
        verb = VERBS.get(event.trigger or "", "fire")
        if verb == "fire":
            fields = {"trigger": event.trigger, **fields}
    timed = event.role == "system" and event.by == TIMER and verb not in ("place", USE_FLOW)
    return Deed(event.at, event.subject, verb, own, written, _asked_by(event, fields), timed)


def _kinds(event: Event) -> tuple[str, ...]:
    return ("OrderSplit", "OrderPlaced") if event.type == "OrderSplit" else (event.type,)


def _asked_by(event: Event, fields: dict[str, Any]) -> dict[str, Any]:
    if event.role != "operator":
        fields["as"] = event.role
    if event.by is not None:
        fields["by"] = event.by
    return fields


def fits(flow: Flow, deed: Deed) -> bool:
    """Whether the flow could have done it: it has the states, and the transition if it is one."""
    states = {state.name for state in flow.states}
    if deed.verb == USE_FLOW:
        return True
    for event in deed.own:
        if not {event.source or event.target, event.target} <= states:
            return False
    event = deed.last
    if deed.verb == "place":
        return event.target == flow.initial
    if deed.verb in ("split", "redirect") or event.type == "OrderReduced":
        return True
    return any(
        (t.trigger, t.target, t.event) == (event.trigger, event.target, event.type) and event.source in t.sources
        for t in flow.transitions
    )


def on_time(flow: Flow, found: Sequence[Deed], family: Sequence[History], end: int) -> list[Deed] | None:
    """The deeds with every timer at the moment when it was due; None where an order stayed although one was due.

    A timer that was fired late is fired on time when the story is played again; what came after it must still come
    before the next one is due.
    """
    after = {state.name: (state.after, state.timer) for state in flow.states if state.after is not None}
    standing: dict[str, tuple[str, int]] = {}
    events = {told.order.id: told.events for told in family}
    moved: list[Deed] = []
    for deed in found:
        event, at = deed.last, deed.at
        state, entered = standing.get(deed.order, ("", 0))
        due = entered + (after[state][0] or 0) if state in after else None
        if deed.timed and (due is None or due > deed.at or event.trigger != after[state][1]):
            return None
        if deed.timed and due is not None:
            at = due
        elif due is not None and due <= deed.at:
            return None
        if deed.verb not in ("split", "redirect") and event.type != "OrderReduced":
            standing[deed.order] = str(event.target), at
        if deed.split is not None:
            # It begins when its parent's deed is told; a part that was handed over is tied in the same moment.
            first, *more = events[deed.split["child"]]
            begins = more[0] if more and more[0].trigger == "split" else first
            standing[first.subject] = str(begins.target), at
        moved.append(replace(deed, at=at))
    if any(state in after and entered + (after[state][0] or 0) <= end for state, entered in standing.values()):
        return None
    # A stable sort keeps what one order did in its order: no timer is moved before what came before it.
    return sorted(moved, key=lambda deed: deed.at)
