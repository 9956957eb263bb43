"""A flow on its way from a file: what the file declares, laid over the flow that it extends, and finished."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from orderstate.flow.naming import Places
from orderstate.flow.tree import Mark
from orderstate.model import Flow, GuardUse, State, Transition


@dataclass(frozen=True, slots=True)
class Declared:
    """A transition as it is declared. `sources` None: every state that is not final, whichever these turn out to be."""

    trigger: str
    sources: tuple[str, ...] | None
    target: str
    event: str
    guards: tuple[GuardUse, ...]
    marks: Mapping[tuple[str | int, ...], Mark] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a file declares. None: it does not say. `broken` are triggers of transitions that could not be read."""

    name: str | None = None
    initial: str | None = None
    path: tuple[str, ...] | None = None
    states: Mapping[str, State] = field(default_factory=dict)
    transitions: tuple[Declared, ...] = ()
    places: Places = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    removed_states: frozenset[str] = frozenset()
    removed_triggers: frozenset[str] = frozenset()

    def over(self, base: Draft) -> Draft:
        """This draft laid over the one that it extends: by name it adds, replaces and removes.

        A state replaces the state of its name; the transitions of a trigger replace all transitions of that trigger.
        What is removed goes wherever the base used it: from sources, with the transitions that lead to it, from the
        main path, with the timer that fires it.
        """
        lost = self.removed_states - self.states.keys()
        states = {name: state for name, state in base.states.items() if name not in lost}
        states |= self.states
        transitions = self._transitions(base, lost)
        triggers = {t.trigger for t in transitions} | self.broken | base.broken
        for name, state in states.items():
            if name not in self.states and state.timer is not None and _went(state.timer, base, triggers):
                states[name] = replace(state, after=None, timer=None)
        initial, path = self.initial, self.path
        if initial is None:
            initial = None if base.initial in lost else base.initial
        if path is None and base.path is not None:
            path = tuple(t for t in base.path if not _went(t, base, triggers))
        own = (("initial",), self.initial), (("path",), self.path)
        hidden = {key[0] for key, value in own if value is not None} | {"transition"}
        places = {
            key: mark
            for key, mark in base.places.items()
            if key and key[0] not in hidden and not (key[0] == "state" and key[1] in self.states)
        }
        return replace(
            self,
            initial=initial,
            path=path,
            states=states,
            transitions=transitions,
            places=places | self.places,
            broken=self.broken | base.broken,
        )

    def _transitions(self, base: Draft, lost: frozenset[str]) -> tuple[Declared, ...]:
        own = {t.trigger for t in self.transitions} | self.broken
        found: list[Declared] = []
        placed: set[str] = set()
        for declared in base.transitions:
            if declared.trigger in own:
                if declared.trigger not in placed:  # what replaces stands where it stood
                    found += [t for t in self.transitions if t.trigger == declared.trigger]
                    placed.add(declared.trigger)
            elif declared.trigger not in self.removed_triggers and declared.target not in lost:
                found += _without(declared, lost)
        return (*found, *(t for t in self.transitions if t.trigger not in placed))

    def finished(self, name: str) -> tuple[Flow, Places]:
        """The flow, and where each of its parts stands in its file. Names are as they were given, known or not."""
        states = tuple(self.states.values())
        places = dict(self.places)
        transitions = []
        for index, declared in enumerate(self.transitions):
            sources = declared.sources
            if sources is None:
                sources = tuple(s.name for s in states if not s.final and s.name != declared.target)
            transitions.append(Transition(declared.trigger, sources, declared.target, declared.event, declared.guards))
            places |= {("transition", index, *key): mark for key, mark in declared.marks.items()}
        flow = Flow(self.name or name, self.initial or "", states, tuple(transitions), self.path or ())
        return flow, places


def _went(trigger: str, base: Draft, triggers: set[str]) -> bool:
    """The base declared the trigger, and nothing of it is left. What the base did not know either stays a mistake."""
    return trigger not in triggers and any(t.trigger == trigger for t in base.transitions)


def _without(declared: Declared, lost: frozenset[str]) -> list[Declared]:
    """The transition without the sources that are lost; none where no source is left."""
    if declared.sources is None or lost.isdisjoint(declared.sources):
        return [declared]
    sources = tuple(s for s in declared.sources if s not in lost)
    marks = {key: mark for key, mark in declared.marks.items() if key[:1] != ("from",) or len(key) == 1}
    return [replace(declared, sources=sources, marks=marks)] if sources else []


def drafted(flow: Flow, everywhere: Callable[[Transition], bool]) -> Draft:
    """A flow that stands in no file as what other flows can extend; `everywhere` says which sources are all states."""
    return Draft(
        flow.name,
        flow.initial,
        flow.path,
        {state.name: state for state in flow.states},
        tuple(
            Declared(t.trigger, None if everywhere(t) else t.sources, t.target, t.event, t.guards)
            for t in flow.transitions
        ),
    )
