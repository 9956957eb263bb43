"""What guards may say: which transitions of a flow can ever be taken, by whom, and in what situation.

The guards of this package are asked themselves, with facts made up for each situation. What a guard of one's own would
say cannot be known, so it may agree or refuse whenever that makes a difference.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orderstate.guards import Facts, bound
from orderstate.model import (
    SHORT_POLICIES,
    Destination,
    Flow,
    GuardUse,
    Line,
    Order,
    Plan,
    Stock,
    Transition,
)

KNOWN_GUARDS = frozenset({"stock_covers_order", "may_wait", "goods_still_here", "canceller_may"})
"""The guards whose answer follows from the situation."""

_ROLES = ("operator", "customer", "system")  # the default role first, so that examples name another only if they must
_FULL = Plan("imagined", (), {}, ())
_SHORT = Plan("imagined", (), {"SKU": 1}, ())


@dataclass(frozen=True, slots=True)
class Situation:
    """The facts that the known guards look at, beside the state."""

    role: str
    short: str
    """The order's policy: it was fixed when the order was placed."""
    covered: bool
    """Stock covers the order, or the part of it that may go alone."""
    restricted: bool
    """The caller narrowed the plan."""


SITUATIONS = tuple(
    Situation(role, short, covered, restricted)
    for short in SHORT_POLICIES
    for role in _ROLES
    for restricted in (False, True)
    for covered in (True, False)
)
_ALL = (1 << len(SITUATIONS)) - 1
_OF = {
    word: sum(1 << n for n, situation in enumerate(SITUATIONS) if word in (situation.role, situation.short))
    for word in (*_ROLES, *SHORT_POLICIES)
}


@dataclass(frozen=True, slots=True)
class Way:
    """One transition as it can be taken from one state."""

    index: int
    """Its place in the flow's transitions."""
    mask: int
    """The situations in which it can be taken, a bit each, as SITUATIONS lists them."""
    agreeing: tuple[str, ...] = ()
    """Guards of one's own that must agree."""
    refusing: tuple[str, ...] = ()
    """Guards of one's own that must refuse, so that an earlier transition is not taken instead."""

    def situations(self) -> list[Situation]:
        """The situations in which it can be taken."""
        return [situation for n, situation in enumerate(SITUATIONS) if self.mask >> n & 1]


class Ways:
    """Every way that a flow offers. The flow's names must all be known."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.states = {state.name: state for state in flow.states}
        self._answers: dict[tuple[str, tuple[tuple[str, str], ...], Stock], int] = {}
        self._from: dict[str, list[Way]] = {name: [] for name in self.states}
        self._declared: dict[tuple[str, str], list[int]] = {}
        for index, transition in enumerate(flow.transitions):
            for source in transition.sources:
                self._declared.setdefault((source, transition.trigger), []).append(index)
        for (source, _), indices in self._declared.items():
            self._from[source] += self._taken(self.states[source].stock, indices)

    def leaving(self, state: str, who: str | None = None) -> list[Way]:
        """The ways out of a state; `who` is a policy that the order was placed with, or the role that asks."""
        wanted = _ALL if who is None else _OF[who]
        return [way for way in self._from[state] if way.mask & wanted]

    def targets(self, state: str, who: str | None = None) -> tuple[str, ...]:
        """The states that can follow on a state, in the order of the flow."""
        return tuple(dict.fromkeys(self.target(way) for way in self.leaving(state, who)))

    def target(self, way: Way) -> str:
        """Where a way leads."""
        return self.flow.transitions[way.index].target

    def asked(self, state: str) -> tuple[str, ...]:
        """The guards of one's own that some way out of the state asks, or would have to get past."""
        own = (_own(self.flow.transitions[way.index]) + way.refusing for way in self._from[state])
        return tuple(dict.fromkeys(name for names in own for name in names))

    def answered(self, state: str, agreeing: frozenset[str], who: str) -> set[str]:
        """The states that can follow for one policy or role, where of the guards of one's own just these agree."""
        stock, wanted = self.states[state].stock, _OF[who]
        found = set()
        for (source, _), indices in self._declared.items():
            if source != state:
                continue
            left = wanted
            for transition in (self.flow.transitions[index] for index in indices):
                if agreeing.issuperset(_own(transition)):
                    mask = self._agree(transition.guards, stock)
                    if mask & left:
                        found.add(transition.target)
                    left &= ~mask
        return found

    def alone(self, index: int, source: str) -> bool:
        """The transition could be taken from the state if no other were tried first."""
        return self._agree(self.flow.transitions[index].guards, self.states[source].stock) != 0

    def before(self, index: int, source: str) -> list[int]:
        """The transitions of the same trigger that are tried earlier from the same state."""
        declared = self._declared[source, self.flow.transitions[index].trigger]
        return declared[: declared.index(index)]

    def reached(self, start: Iterable[str], who: str | None = None) -> dict[str, None]:
        """The states that can be reached, nearest first, the start included."""
        found = dict.fromkeys(start)
        waiting = list(found)
        for state in waiting:
            fresh = [target for target in self.targets(state, who) if target not in found]
            found |= dict.fromkeys(fresh)
            waiting += fresh
        return found

    def leading(self, goals: Iterable[str], who: str | None = None) -> set[str]:
        """The states from which one of the goals can be reached, the goals included."""
        found = set(goals)
        growing = True
        while growing:
            left = self.states.keys() - found
            more = {name for name in left if not found.isdisjoint(self.targets(name, who))}
            found |= more
            growing = bool(more)
        return found

    def _taken(self, stock: Stock, indices: list[int]) -> list[Way]:
        """How each of the transitions can be the first that every guard allows."""
        found = []
        for place, index in enumerate(indices):
            transition = self.flow.transitions[index]
            own = _own(transition)
            mask = self._agree(transition.guards, stock)
            refusing: list[str] = []
            for earlier in (self.flow.transitions[i] for i in indices[:place]):
                # A guard of one's own that only the earlier one asks may refuse there; without any, known ones decide.
                hindering = [name for name in _own(earlier) if name not in own]
                if hindering:
                    refusing.append(hindering[0])
                else:
                    mask &= ~self._agree(earlier.guards, stock)
            if mask:
                found.append(Way(index, mask, own, tuple(dict.fromkeys(refusing))))
        return found

    def _agree(self, guards: tuple[GuardUse, ...], stock: Stock) -> int:
        """The situations in which the known ones among the guards all agree."""
        mask = _ALL
        for use in guards:
            if use.name in KNOWN_GUARDS:
                mask &= self._answer(use, stock)
        return mask

    def _answer(self, use: GuardUse, stock: Stock) -> int:
        key = (use.name, tuple(sorted(use.params.items())), stock)
        if key not in self._answers:
            check = bound(use).check
            mask = 0
            for n, situation in enumerate(SITUATIONS):
                order = Order("a", "", 1, 0, 0, Destination("US"), situation.short, (Line("SKU", 1),))
                plan = _FULL if situation.covered else _SHORT
                facts = Facts(situation.role, stock, lambda plan=plan: plan, tuple, tuple, situation.restricted)  # type: ignore[misc]  # mypy knows no defaults of lambdas
                if check(order, facts, use.params) is None:
                    mask |= 1 << n
            self._answers[key] = mask
        return self._answers[key]


def _own(transition: Transition) -> tuple[str, ...]:
    """The guards of one's own, with their parameters, as text that is equal for equal uses."""
    return tuple(dict.fromkeys(told(use) for use in transition.guards if use.name not in KNOWN_GUARDS))


def told(use: GuardUse) -> str:
    """A guard's use in a line: `canceller_may(customer=free)`."""
    params = ", ".join(f"{key}={value}" for key, value in use.params.items())
    return f"{use.name}({params})" if params else use.name
