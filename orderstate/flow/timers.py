"""Timers that can do nothing, do it for ever, or wait for what cannot happen."""

from __future__ import annotations

from collections.abc import Iterator

from orderstate.flow.finding import ERROR, WARNING, Examined, Finding
from orderstate.flow.timing import LONGEST, duration_text
from orderstate.model import State


def timers(examined: Examined) -> Iterator[Finding]:
    """Every timer that is faulty, then timers that hand an order round in a circle."""
    faulty = set()
    for state in examined.flow.states:
        finding = _alone(examined, state)
        if finding is not None:
            faulty.add(state.name)
            yield finding
    yield from _races(examined, faulty)


def _alone(examined: Examined, state: State) -> Finding | None:
    """What is wrong with one timer by itself."""
    name, after, trigger = state.name, state.after, state.timer
    if after is None and trigger is None:
        return None
    if after is None or trigger is None or not 1 <= after <= LONGEST:
        untimed = after is None or not 1 <= after <= LONGEST
        return examined.at_state(
            "timer_incomplete",
            name,
            f"the timer of {name} says {'no time up to ten years' if untimed else 'no trigger'}",
            "give both after and trigger, or neither",
        )
    due = f"{trigger}, due after {duration_text(after)} in {name},"
    if state.final:
        return examined.at_state(
            "timer_final", name, f"{due} is never fired: {name} is final", "remove the timer", "trigger"
        )
    declared = [t for t in examined.flow.transitions if t.trigger == trigger and name in t.sources]
    if not declared:
        return examined.at_state(
            "timer_no_way",
            name,
            f"{due} does not lead out of {name}",
            f"name a trigger that leads out of {name}, or add {name} to the sources of {trigger}",
            "trigger",
        )
    taken = _taken(examined, state)
    if not taken:
        return examined.at_state(
            "timer_refused",
            name,
            f"{due} is always refused: its guards never let the system fire it there",
            "let its guards allow the role system, or name another trigger",
            "trigger",
        )
    if taken == [name]:
        return examined.at_state(
            "timer_stays",
            name,
            f"{due} leads back to {name}, so it is due again and again",
            "name a trigger that leads to another state",
            "trigger",
        )
    return None


def _taken(examined: Examined, state: State) -> list[str]:
    """Where the timer of a state can lead, fired by the system."""
    ways = examined.ways
    leaving = ways.leaving(state.name, "system")
    return list(
        dict.fromkeys(ways.target(w) for w in leaving if examined.flow.transitions[w.index].trigger == state.timer)
    )


def _races(examined: Examined, faulty: set[str]) -> Iterator[Finding]:
    """Circles of timers, each told once, at the first of its states."""
    timed = {s.name: s for s in examined.flow.states if s.timer is not None and s.name not in faulty}
    follows = {name: [t for t in _taken(examined, state) if t in timed and t != name] for name, state in timed.items()}
    told: set[str] = set()
    for start in timed:
        circle = _circle(start, follows)
        if not circle or not told.isdisjoint(circle):
            continue
        told |= set(circle)
        guarded = any(
            t.guards for t in examined.flow.transitions for name in circle
            if name in t.sources and t.trigger == timed[name].timer
        )  # fmt: skip
        steps = ", ".join(f"{timed[name].timer} from {name}" for name in circle)
        yield examined.at_state(
            "timers_race",
            start,
            f"the timers hand an order round and round: {steps}, and again from {start}",
            "let one of these timers lead out of the circle",
            "trigger",
            WARNING if guarded else ERROR,  # where guards have a say, the world may end it
        )


def _circle(start: str, follows: dict[str, list[str]]) -> list[str]:
    """The shortest way from a state back to itself, by timers only; empty where there is none."""
    ways = [[start]]
    seen: set[str] = set()
    for way in ways:
        for target in follows[way[-1]]:
            if target == start:
                return way
            if target not in seen:
                seen.add(target)
                ways.append([*way, target])
    return []
