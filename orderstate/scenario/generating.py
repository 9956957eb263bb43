"""Scenarios made from a flow: the shortest way to each state, every simple path, and what is refused in each state.

    for scenario in generate(load_flow("payment.yaml")):
        assert run(scenario).passed

Each carries what is expected of it, so that together they are a test of the flow: of what it does now, and that it does
the same after the next change. What cannot be made to happen is said in the first of them, never left out in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from orderstate.engine.reading import read
from orderstate.errors import InvalidInput, Refused
from orderstate.flow import check
from orderstate.flow.possible import KNOWN_GUARDS, Ways, told
from orderstate.machine import STANDARD
from orderstate.model import Flow, Refusal
from orderstate.scenario.imagined import SKU
from orderstate.scenario.paths import MOST_PATHS, Arrow, Path, Paths
from orderstate.scenario.playing import Playing
from orderstate.scenario.script import Scenario, World

SHORT = ("backorder", "refuse")
"""What kinds of orders are placed, unless somebody names others. `split` is asked by no guard what these are not."""
_PLACE: Mapping[str, Any] = {"lines": {SKU: 2}, "to": "US@39.95,-75.17"}


@dataclass(frozen=True, slots=True)
class Survey:
    """Every scenario of a flow, and what none of them shows: a sentence each."""

    scenarios: tuple[Scenario, ...]
    left_out: tuple[str, ...]


def generate(
    flow: Flow,
    *,
    name: str | None = None,
    orders: Sequence[Mapping[str, Any]] = (),
    most: int = MOST_PATHS,
    file: str | None = None,
) -> Iterator[Scenario]:
    """Scenarios that together take every transition and see every refusal of a flow, each with what is expected.

    name: what the titles begin with; the flow's name. orders: for guards of one's own, the kinds of orders to try, each
    the fields of `place` that matter, such as {"contact": "VIP"}; lines, to and short are added where they are not
    named. most: how many simple paths are written out. file: what the scenarios call the flow's file, which is written
    into them whole otherwise.

    Raises Refused for a flow that `flow check` does not accept, NotFound and InvalidInput for names that are not known
    and orders that cannot be placed.
    """
    yield from survey(flow, name=name, orders=orders, most=most, file=file).scenarios


def survey(
    flow: Flow,
    *,
    name: str | None = None,
    orders: Sequence[Mapping[str, Any]] = (),
    most: int = MOST_PATHS,
    file: str | None = None,
) -> Survey:
    """The same, all at once, with what was left out."""
    if type(most) is not int or most < 1:
        raise InvalidInput("most", most, "a whole number from 1")
    _sound(flow)
    paths = Paths(flow, list(_places(orders)))
    world = World() if flow == STANDARD else World(flow=flow, flow_file=file)
    writing = _Writing(paths, world, flow.name if name is None else name)
    writing.shortest()
    writing.simple(most)
    writing.others()
    writing.refused()
    writing.timers()
    left_out = tuple(writing.left_out())
    return Survey(tuple(writing.finished(left_out)), left_out)


def _sound(flow: Flow) -> None:
    wrong = [finding for finding in check(flow) if finding.level == "error"]
    if wrong:
        raise Refused(
            f"flow {flow.name} is not sound, so no order can be placed in it",
            code="flow_unsound",
            hint="orderstate flow check FILE says how to mend it",
            blocked=[Refusal(f.code, f"{f.place}: {f.sentence}", f.mend, f.document()) for f in wrong],
            flow=flow.name,
        )


def _places(orders: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The place commands of every kind of order; those that the caller named first.

    Raises InvalidInput for fields that place does not have, or would not take.
    """
    for given in (*orders, {}):
        read({**_PLACE, **given, "command": given.get("command", "place")})
        if "command" in given:
            raise InvalidInput("order", given["command"], "a field of place: it is always that command")
        for short in [given["short"]] if "short" in given else SHORT:
            yield {**_PLACE, **given, "short": short}


class _Writing:
    """The scenarios of one flow as they come about."""

    def __init__(self, paths: Paths, world: World, name: str) -> None:
        self.paths = paths
        self.flow = paths.flow
        self.world = world
        self.name = name
        self.made: list[tuple[str, Playing]] = []
        self.taken: set[Arrow] = set()
        self.walked: set[tuple[Arrow, ...]] = set()
        self.simple_left_out: str | None = None
        self.seen: set[tuple[str, str, str]] = set()
        """(state, trigger, code) of every refusal that a scenario expects."""

    def shortest(self) -> None:
        """A scenario for each state that an order can come to."""
        for state, path in self.paths.shortest().items():
            self.walk(f"the shortest way to {state}", path)

    def simple(self, most: int) -> None:
        """A scenario for each simple path that is not one of those already."""
        found = self.paths.simple(most)
        for path in found.paths:
            if path.arrows not in self.walked:
                title = " → ".join(state for state in (*(source for source, _ in path.arrows), path.end.order.state))
                if any(title == made for made, _ in self.made):
                    title += f" by {', '.join(move.said.trigger for move in path.moves)}"
                self.walk(title, path)
        if found.beyond or not found.counted:
            many = "1 simple path is" if found.beyond == 1 else f"{found.beyond} simple paths are"
            least = "" if found.counted else "at least "
            self.simple_left_out = f"{least}{many} left out: those here are the {len(found.paths)} shortest"

    def others(self) -> None:
        """A scenario for each transition that no path took so far: back to a state where the order has been."""
        for arrow, path in self.paths.arrows().items():
            if arrow not in self.taken:
                move = path.moves[-1]
                self.walk(f"{move.said.trigger} from {arrow[0]} to {move.transition.target}", path)

    def walk(self, title: str, path: Path) -> None:
        """One scenario that takes a path."""
        playing = Playing(self.paths.machine, path)
        self.walked.add(path.arrows)
        self.taken.update(path.arrows)
        self.made.append((title, playing))

    def refused(self) -> None:
        """A scenario for each state, and each kind of order that hears other refusals in it than those before."""
        for state in self.flow.states:
            for number, (path, answers) in enumerate(self.paths.refused(state.name)):
                kind = "" if not number else f" to an order with {_kind(path.start.place)}"
                playing = Playing(self.paths.machine, path)
                playing.refuse(answers)
                self.seen |= {(state.name, said.trigger, code) for said in answers for code in said.codes}
                self.made.append((f"what is refused in {state.name}{kind}", playing))

    def timers(self) -> None:
        """A scenario for each timer that can move an order."""
        for state in self.flow.states:
            if state.after is None or state.timer is None:
                continue
            for path in self.paths.all_to(state.name):
                moves = [m for m in self.paths.moves(path) if m.said.trigger == state.timer]
                answers = [self.paths.by_timer(path, state.timer, move.arrow) for move in moves]
                fired = next((move for move in answers if move is not None), None)
                if fired is not None:
                    playing = Playing(self.paths.machine, path)
                    playing.wait(state.after, fired)
                    self.made.append((f"the timer of {state.name} fires {state.timer}", playing))
                    break

    def left_out(self) -> Iterator[str]:
        """What no scenario shows, a sentence each."""
        if self.simple_left_out is not None:
            yield self.simple_left_out
        ways = Ways(self.flow)
        for state in self.flow.states:
            # What the known guards never allow is no gap: the refusals show it.
            for way in ways.leaving(state.name):
                if (state.name, way.index) not in self.taken:
                    transition = self.flow.transitions[way.index]
                    reason = f"no order that was tried came to {state.name}"
                    if state.name in self.paths.shortest():
                        reasons = [f"{guard} never agreed" for guard in way.agreeing]
                        reason = " or ".join([*reasons, *(f"{guard} never refused" for guard in way.refusing)])
                    yield f"{transition.trigger} from {state.name} to {transition.target} is not taken: {reason}"
        for source, trigger, use in self._silent():
            yield f"{use} never refused {trigger} in {source}"
        yield from self.paths.broken

    def _silent(self) -> Iterable[tuple[str, str, str]]:
        """(state, trigger, guard) of the guards of one's own that were asked and refused nothing."""
        found: dict[tuple[str, str, str], None] = {}
        for transition in self.flow.transitions:
            for use in transition.guards:
                for source in transition.sources:
                    if (
                        use.name not in KNOWN_GUARDS
                        and self.paths.all_to(source)
                        and not self.paths.refuses(source, transition.trigger, use)
                    ):
                        found[source, transition.trigger, told(use)] = None
        return found

    def finished(self, left_out: Sequence[str]) -> Iterator[Scenario]:
        """Every scenario, numbered in its file's name; the first says what is left out."""
        for number, (title, playing) in enumerate(self.made, 1):
            about = "Generated from the flow."
            if number == 1 and left_out:
                about += " Not shown by these scenarios: " + "; ".join(left_out) + "."
            yield Scenario(
                title=f"{self.name}: {title}",
                steps=tuple(playing.steps),
                world=playing.world(self.world),
                about=about,
                source=f"{number:03}-{_slug(title)}.scenario.yaml",
                folder=FilePath(),
            )


def _kind(place: Mapping[str, Any]) -> str:
    """What is special about an order, in words."""
    return ", ".join(f"{key} {value}" for key, value in place.items() if key not in _PLACE)


def _slug(title: str) -> str:
    """`the-shortest-way-to-delivered`: a title as a part of a file name, at most 60 characters."""
    words = re.sub(r"[^a-z0-9]+", "-", title.casefold()).strip("-")
    return words[:60].rstrip("-") or "scenario"
