"""The ways through a flow that an imagined order can take: the shortest, the simple ones, and what is refused where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orderstate.machine import Machine
from orderstate.model import Flow, GuardUse, Transition
from orderstate.scenario.imagined import ASKINGS, Asking, Imagined, Said

BY_TIMER = (Asking("system"), Asking("system", covered=False))
"""How a timer asks, with stock and without."""
MOST_PATHS = 100
"""Simple paths that are written out unless somebody asks for more."""
MOST_TRIED = 20_000
"""Beginnings of simple paths that are looked at: what is left out is counted only so far."""

Arrow = tuple[str, int]
"""A source, and the place of a transition among those of its flow."""


@dataclass(frozen=True, slots=True)
class Move:
    """One step of a path: what was asked, and the order before and after it."""

    said: Said
    before: Imagined
    after: Imagined
    arrow: Arrow

    @property
    def transition(self) -> Transition:
        """The transition that was taken."""
        assert self.said.taken is not None
        return self.said.taken


@dataclass(frozen=True, slots=True)
class Path:
    """An order from the moment when it is placed, and the moves that it makes."""

    start: Imagined
    moves: tuple[Move, ...] = ()

    @property
    def end(self) -> Imagined:
        """The order at the end."""
        return self.moves[-1].after if self.moves else self.start

    @property
    def arrows(self) -> tuple[Arrow, ...]:
        """The arrows that it takes, in order."""
        return tuple(move.arrow for move in self.moves)

    def then(self, move: Move) -> Path:
        """The path with one move more."""
        return Path(self.start, (*self.moves, move))


@dataclass(frozen=True, slots=True)
class Simple:
    """The simple paths that cannot be made longer, shortest first, and how many of them are `beyond` the bound."""

    paths: tuple[Path, ...]
    beyond: int = 0
    counted: bool = True
    """False: `beyond` is only what was found before the search was given up."""


@dataclass(frozen=True, slots=True)
class _Trail:
    """A path as far as a search must know it: where it has been, and by which arrows."""

    states: tuple[str, ...]
    arrows: tuple[Arrow, ...]


class Paths:
    """Every path of a flow that orders of some kinds can take. `places`: the fields of each kind's place command."""

    def __init__(self, flow: Flow, places: Sequence[Mapping[str, Any]]) -> None:
        self.flow = flow
        self.machine = Machine(flow)
        self.starts = [Imagined.placed(flow, place) for place in places]
        self.broken: dict[str, None] = {}
        """What faulty guards raised."""
        self._numbers = {id(transition): n for n, transition in enumerate(flow.transitions)}
        self._arrows: dict[tuple[int, str], list[tuple[Arrow, str]]] = {}
        self._shortest = [self._reached(start) for start in self.starts]

    def shortest(self) -> dict[str, Path]:
        """State to the shortest path that leads there, in the order of the flow; states that none leads to are left."""
        found: dict[str, Path] = {}
        for state in self.machine.states:
            ways = [reached[state] for reached in self._shortest if state in reached]
            if ways:
                found[state] = min(ways, key=lambda way: len(way.moves))
        return found

    def all_to(self, state: str) -> list[Path]:
        """For each kind of order that can come to a state the shortest path there."""
        return [reached[state] for reached in self._shortest if state in reached]

    def moves(self, path: Path) -> list[Move]:
        """Every way to go on from the end of a path, one move for each arrow: the plainest asking that takes it."""
        here = path.end
        found: dict[Arrow, Move] = {}
        for trigger in self.machine.choices(here.order.state):
            for said in self.answers(here, trigger):
                if said.taken is None:
                    continue
                arrow = here.order.state, self._numbers[id(said.taken)]
                if arrow not in found:
                    found[arrow] = Move(said, here, here.moved(self.machine, said.taken), arrow)
        return list(found.values())

    def answers(self, here: Imagined, trigger: str, askings: Sequence[Asking] = ASKINGS) -> Iterator[Said]:
        """What the machine says to each way of asking; what a faulty guard raised is kept, and no answer."""
        for asking in askings:
            said = here.ask(self.machine, trigger, asking)
            if said.broken is None:
                yield said
            else:
                self.broken[said.broken] = None

    def simple(self, most: int = MOST_PATHS) -> Simple:
        """Paths that come to no state twice and cannot be made longer, the shortest first, at most so many."""
        paths: list[Path] = []
        known: set[tuple[Arrow, ...]] = set()
        beyond = tried = 0
        waiting = [(start, _Trail((start.order.state,), ())) for start in self.starts]
        while waiting:
            longer: list[tuple[Imagined, _Trail]] = []
            for start, trail in waiting:
                tried += 1
                if tried > MOST_TRIED:
                    return Simple(tuple(paths), beyond, counted=False)
                onward = [(arrow, to) for arrow, to in self._onward(start, trail) if to not in trail.states]
                longer += [(start, _Trail((*trail.states, to), (*trail.arrows, arrow))) for arrow, to in onward]
                if onward or trail.arrows in known:
                    continue
                known.add(trail.arrows)
                if len(paths) >= most:
                    beyond += 1
                elif (path := self._walked(start, trail.arrows)) is not None:
                    paths.append(path)
            waiting = longer
        return Simple(tuple(paths), beyond)

    def _onward(self, start: Imagined, trail: _Trail) -> list[tuple[Arrow, str]]:
        """The arrows that leave the end of a trail and where they lead; asked once for a kind of order and a state."""
        key = self.starts.index(start), trail.states[-1]
        if key not in self._arrows:
            path = self._walked(start, trail.arrows)
            moves = [] if path is None else self.moves(path)
            self._arrows[key] = [(move.arrow, move.after.order.state) for move in moves]
        return self._arrows[key]

    def _walked(self, start: Imagined, arrows: Sequence[Arrow]) -> Path | None:
        """The path that takes these arrows; None where a guard that looks at an order's past says otherwise."""
        path = Path(start)
        for arrow in arrows:
            move = next((move for move in self.moves(path) if move.arrow == arrow), None)
            if move is None:
                return None
            path = path.then(move)
        return path

    def refused(self, state: str) -> list[tuple[Path, list[Said]]]:
        """All that is refused in a state, each reason once: for a kind of order the path there, and what is asked.

        A trigger that finds the order where it would lead is among them: nothing is done then.
        """
        known: set[object] = set()
        found = []
        for path in self.all_to(state):
            fresh = []
            for trigger in self.machine.triggers:
                for said in self.answers(path.end, trigger):
                    # The sentence tells apart what one code says of different roles, or for different reasons.
                    key = trigger, tuple((refusal.code, refusal.sentence) for refusal in said.refusals)
                    if said.taken is None and key not in known:
                        known.add(key)
                        fresh.append(said)
            if fresh:
                found.append((path, fresh))
        return found

    def by_timer(self, path: Path, trigger: str, arrow: Arrow) -> Move | None:
        """The move that takes an arrow when the system asks, as timers do; None where it may not."""
        here = path.end
        for said in self.answers(here, trigger, BY_TIMER):
            if said.taken is not None and self._numbers[id(said.taken)] == arrow[1]:
                return Move(said, here, here.moved(self.machine, said.taken), arrow)
        return None

    def refuses(self, state: str, trigger: str, use: GuardUse) -> bool:
        """Whether a guard is among those that refuse the trigger in the state to an order of any kind."""
        return any(
            said.taken is None and not said.quiet and path.end.refused_by(self.machine, use, said.asking)
            for path in self.all_to(state)
            for said in self.answers(path.end, trigger)
        )

    def arrows(self) -> dict[Arrow, Path]:
        """Each arrow that can be taken at all, with a shortest path that ends with it."""
        found: dict[Arrow, Path] = {}
        for state in self.machine.states:
            for path in self.all_to(state):
                for move in self.moves(path):
                    found.setdefault(move.arrow, path.then(move))
        return found

    def _reached(self, start: Imagined) -> dict[str, Path]:
        found = {start.order.state: Path(start)}
        waiting = [Path(start)]
        for path in waiting:
            for move in self.moves(path):
                target = move.after.order.state
                if target not in found:
                    found[target] = path.then(move)
                    waiting.append(found[target])
        return found
