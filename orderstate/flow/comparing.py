"""What differs between two flows, and what becomes of the orders that stand in states of the old one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orderstate.errors import InvalidInput, NotFound
from orderstate.flow.possible import told
from orderstate.flow.timing import duration_text
from orderstate.model import Flow, State, Transition

ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `before` and `after` are for people; None where it was not, or is not, there."""

    kind: str
    """initial, state, timer, transition, guard, order or path."""
    how: str
    """added, removed or changed."""
    name: str
    before: str | None = None
    after: str | None = None

    def __str__(self) -> str:
        sign = {ADDED: "+", REMOVED: "-", CHANGED: "~"}[self.how]
        told = " -> ".join(text for text in (self.before, self.after) if text)
        return f"{sign} {self.kind} {self.name}" + (f": {told}" if told else "")

    def document(self) -> dict[str, str | None]:
        """The shape that `--json` prints."""
        return {"kind": self.kind, "how": self.how, "name": self.name, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that differs, and the old states that orders cannot simply stay in."""

    changes: tuple[Change, ...]
    missing: tuple[str, ...]
    """States of the old flow that the new one lacks: orders that stand there must be mapped."""
    changed_stock: tuple[str, ...]
    """States of both whose stock means something else now: orders that stand there must be mapped, too."""

    @property
    def must_map(self) -> tuple[str, ...]:
        """The old states that hold no order, or are mapped, before the new flow can be put in force."""
        return (*self.missing, *self.changed_stock)

    def __bool__(self) -> bool:
        return bool(self.changes)

    def document(self) -> dict[str, object]:
        """The shape that `--json` prints."""
        return {
            "changes": [change.document() for change in self.changes],
            "missing": list(self.missing),
            "changed_stock": list(self.changed_stock),
        }


def compare(old: Flow, new: Flow) -> Difference:
    """What makes the new flow another than the old one. Names of the flows do not count, nor the order of states."""
    before = {state.name: state for state in old.states}
    after = {state.name: state for state in new.states}
    changes = [
        *_initial(old, new),
        *_states(before, after),
        *_timers(before, after),
        *_transitions(old, new),
        *_path(old, new),
    ]
    both = [name for name in before if name in after]
    return Difference(
        tuple(changes),
        tuple(name for name in before if name not in after),
        tuple(name for name in both if before[name].stock is not after[name].stock),
    )


def mapping(old: Flow, new: Flow, pairs: Mapping[str, str]) -> dict[str, str]:
    """`--map OLD=NEW` checked: where orders of each old state go. A state must keep what it means for stock.

    Raises NotFound for a name that the flow has not, and InvalidInput where stock would be lost or made up.
    """
    before = {state.name: state for state in old.states}
    after = {state.name: state for state in new.states}
    for source, target in pairs.items():
        if source not in before:
            raise NotFound.named("state", source, list(before), hint=f"states of {old.name}: {', '.join(before)}")
        if target not in after:
            raise NotFound.named("state", target, list(after), hint=f"states of {new.name}: {', '.join(after)}")
        if before[source].stock is not after[target].stock:
            fit = [state.name for state in new.states if state.stock is before[source].stock]
            raise InvalidInput(
                "map",
                f"{source}={target}",
                f"from {before[source].stock} to {before[source].stock}: {target} is {after[target].stock}",
                hint=f"map {source} to {' or '.join(fit)}" if fit else f"empty {source} first",
            )
    return dict(pairs)


def _initial(old: Flow, new: Flow) -> Iterator[Change]:
    if old.initial != new.initial:
        yield Change("initial", CHANGED, "state", old.initial, new.initial)


def _states(before: Mapping[str, State], after: Mapping[str, State]) -> Iterator[Change]:
    for name, state in before.items():
        if name not in after:
            yield Change("state", REMOVED, name, _meaning(state))
        elif _meaning(state) != _meaning(after[name]):
            yield Change("state", CHANGED, name, _meaning(state), _meaning(after[name]))
    for name, state in after.items():
        if name not in before:
            yield Change("state", ADDED, name, None, _meaning(state))


def _meaning(state: State) -> str:
    final = ", final" if state.final else ""
    return f"{state.stock}{final}" + (f", {state.label!r}" if state.label else "")


def _timers(before: Mapping[str, State], after: Mapping[str, State]) -> Iterator[Change]:
    for name in dict.fromkeys([*before, *after]):
        old, new = (_timer(states.get(name)) for states in (before, after))
        if old != new:
            how = ADDED if old is None else REMOVED if new is None else CHANGED
            yield Change("timer", how, name, old, new)


def _timer(state: State | None) -> str | None:
    if state is None or state.after is None:
        return None
    return f"{state.timer} after {duration_text(state.after)}"


_Edge = tuple[str, str, str]


def _edges(flow: Flow) -> dict[_Edge, Transition]:
    """Each transition from each source: (trigger, source, target). The first counts where one is declared twice."""
    found: dict[_Edge, Transition] = {}
    for transition in flow.transitions:
        for source in transition.sources:
            found.setdefault((transition.trigger, source, transition.target), transition)
    return found


def _transitions(old: Flow, new: Flow) -> Iterator[Change]:
    before, after = _edges(old), _edges(new)
    for edge, transition in before.items():
        if edge not in after:
            yield Change("transition", REMOVED, _told(edge), _carried(transition))
        else:
            yield from _changed(edge, transition, after[edge])
    for edge, transition in after.items():
        if edge not in before:
            yield Change("transition", ADDED, _told(edge), None, _carried(transition))
    for trigger, source in dict.fromkeys(edge[:2] for edge in before):
        tried = [[e for e in edges if e[:2] == (trigger, source)] for edges in (before, after)]
        first, second = ([e[2] for e in one if e in before and e in after] for one in tried)
        if first != second:
            yield Change("order", CHANGED, f"{trigger} from {source}", ", ".join(first), ", ".join(second))


def _changed(edge: _Edge, old: Transition, new: Transition) -> Iterator[Change]:
    if old.event != new.event:
        yield Change("transition", CHANGED, _told(edge), old.event, new.event)
    before, after = ({use.name: told(use) for use in t.guards} for t in (old, new))
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            how = ADDED if name not in before else REMOVED if name not in after else CHANGED
            yield Change("guard", how, f"{name} on {_told(edge)}", _params(before.get(name)), _params(after.get(name)))


def _told(edge: _Edge) -> str:
    return f"{edge[0]} from {edge[1]} to {edge[2]}"


def _carried(transition: Transition) -> str:
    guards = ", ".join(told(use) for use in transition.guards)
    return transition.event + (f" [{guards}]" if guards else "")


def _params(use: str | None) -> str | None:
    """What stands in brackets: the name is told already."""
    return None if use is None or "(" not in use else use[use.index("(") + 1 : -1]


def _path(old: Flow, new: Flow) -> Iterator[Change]:
    if old.path != new.path:
        yield Change("path", CHANGED, "main", ", ".join(old.path), ", ".join(new.path))
