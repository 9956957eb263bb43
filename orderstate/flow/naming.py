"""Names that a flow uses and that are not there: of states, triggers, guards, parameters; each with the nearest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from orderstate.errors import InvalidInput, NotFound, OrderstateError
from orderstate.flow.tree import Mark, wrong
from orderstate.guards import bound
from orderstate.model import Flow, Transition

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}", re.ASCII)
"""States, triggers and flows; `--map OLD=NEW` and lists with commas must be able to hold them."""
EVENT = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", re.ASCII)
EVERYWHERE = "any"
"""As a source: every state that is not final."""
NAME_EXPECTED = "a name: a letter, then letters, digits, '_' or '-', at most 64"

Key = tuple[str | int, ...]
"""Where in a flow: ("state", NAME, FIELD), ("transition", INDEX, FIELD, INDEX), ("path", INDEX), ("initial",)."""
Places = dict[Key, Mark]
"""Where in a file each part of a flow stands; () is the file as a whole."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that cannot be read, or a name that is not there: where in the flow, where in the file, and what."""

    place: str
    mark: Mark | None
    error: OrderstateError


def mark_of(places: Places, key: Key) -> Mark | None:
    """Where a part stands, or else the whole that it belongs to."""
    while key not in places and key:
        key = key[:-1]
    return places.get(key)


def place_of(transition: Transition, *sources: str) -> str:
    """`cancel from pending, backordered`, for people."""
    named = ", ".join(sources or transition.sources)
    return f"transition {transition.trigger} from {named}" if named else f"transition {transition.trigger}"


def misnamed(flow: Flow, places: Places, elsewhere: frozenset[str] = frozenset()) -> Iterator[Fault]:
    """Every name that is unknown, given twice or unfit, in the order of the flow.

    `elsewhere`: triggers that the file declares in transitions which could not be read, so that one mistake is told
    once.
    """
    states = list(dict.fromkeys(state.name for state in flow.states))
    triggers = [*dict.fromkeys(t.trigger for t in flow.transitions), *sorted(elsewhere)]
    if not flow.initial:
        sentence = "no initial state is named: initial says in which state every order begins"
        missing = wrong("no_initial_state", sentence, "initial", None, "initial: pending, or another state")
        yield Fault("initial", mark_of(places, ()), missing)
    elif flow.initial not in states:
        unknown = NotFound.named("state", flow.initial, states)
        yield Fault("initial", mark_of(places, ("initial",)), unknown)
    for name, count in Counter(state.name for state in flow.states).items():
        if count > 1:
            twice = wrong("duplicate_state", f"state {name} is declared twice", "states", name, "one state of the name")
            yield Fault(f"state {name}", mark_of(places, ("state", name)), twice)
    for state in flow.states:
        mark = mark_of(places, ("state", state.name))
        if not NAME.fullmatch(state.name) or state.name == EVERYWHERE:
            yield Fault(f"state {state.name}", mark, _unfit("state", state.name))
        if state.timer is not None and state.timer not in triggers:
            mark = mark_of(places, ("state", state.name, "trigger"))
            yield Fault(f"state {state.name}", mark, NotFound.named("trigger", state.timer, triggers))
    for index, transition in enumerate(flow.transitions):
        yield from _in_transition(transition, index, places, states)
    for index, trigger in enumerate(flow.path):
        if trigger not in triggers:
            yield Fault("path", mark_of(places, ("path", index)), NotFound.named("trigger", trigger, triggers))


def _in_transition(transition: Transition, index: int, places: Places, states: list[str]) -> Iterator[Fault]:
    place = place_of(transition)
    here: Key = ("transition", index)
    for field, name in (("trigger", transition.trigger), ("event", transition.event)):
        if not (EVENT if field == "event" else NAME).fullmatch(name):
            yield Fault(place, mark_of(places, (*here, field)), _unfit(field, name))
    for number, source in enumerate(transition.sources):
        if source not in states:
            yield Fault(place, mark_of(places, (*here, "from", number)), NotFound.named("state", source, states))
        elif source in transition.sources[:number]:
            sentence = f"{transition.trigger} names the source {source} twice"
            twice = wrong("duplicate_transition", sentence, "from", source, "each state once")
            yield Fault(place, mark_of(places, (*here, "from", number)), twice)
    if transition.target not in states:
        yield Fault(place, mark_of(places, (*here, "to")), NotFound.named("state", transition.target, states))
    for number, use in enumerate(transition.guards):
        try:
            bound(use)
        except (NotFound, InvalidInput) as error:
            key: Key = (*here, "guards", number)
            if error.code.startswith("unknown_parameter"):
                error.code = "unknown_parameter"
                key = (*key, str(error.values["name"]))
            elif "field" in error.values and str(error.values["field"]).startswith(f"{use.name}."):
                error.code = "guard_value"
                key = (*key, str(error.values["field"]).removeprefix(f"{use.name}."), "value")
            elif isinstance(error, InvalidInput):
                error.code = "unusable_guard"
            yield Fault(place, mark_of(places, key), error)


def _unfit(field: str, name: str) -> InvalidInput:
    error = InvalidInput(field, name, NAME_EXPECTED + (f" (and not {EVERYWHERE})" if field == "state" else ""))
    error.code = "unfit_name"
    return error
