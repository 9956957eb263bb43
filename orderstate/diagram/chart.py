"""What every drawing is made from: a flow as numbered nodes and edges, with one order's walk marked on it.

The main path becomes the spine. Names are made safe to print here, once, so that no drawing has to think of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from orderstate.errors import NotFound
from orderstate.model import Tally

if TYPE_CHECKING:
    # Only for its type: importing the machine would load `transitions`, which a drawing does not need.
    from orderstate.machine import Choice
    from orderstate.model import Flow, Stock

Counts = Mapping[str, Tally | int]
"""What each state holds: a Tally, or the number of orders alone."""

ARROW, ARROW_ASCII = "→", "->"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Step:
    """One move of an order: event `number` took it from `source` to `target`. `at` is in UTC microseconds.

    `source` is None for the placing.
    """

    trigger: str | None
    source: str | None
    target: str
    at: int
    number: int


@dataclass(frozen=True, slots=True)
class Walk:
    """One order on the flow: where it is, how it came there (oldest step first), and what each trigger would do now."""

    order_id: str
    state: str
    steps: tuple[Step, ...]
    choices: tuple[Choice, ...] = ()


class Node(NamedTuple):
    """A state as it is drawn. `number` is its place in the drawing order; `tally` is what is in it."""

    number: int
    name: str
    title: str
    stock: Stock
    final: bool
    present: bool
    visited: bool
    tally: Tally | None


class Edge(NamedTuple):
    """One arrow: a trigger from one node to one other. `taken` holds the event numbers that went along it; `possible`
    says that the order which is drawn would go along it now.
    """

    trigger: str
    source: int
    target: int
    guards: tuple[str, ...]
    """The guards of each declaration of this arrow, names joined by commas; nothing for an unguarded one."""
    taken: tuple[int, ...]
    possible: bool = False


class Chart(NamedTuple):
    """A flow ready to be drawn: nodes in drawing order, the spine (main path) first."""

    nodes: tuple[Node, ...]
    spine: int
    """How many of the nodes, from the first, are the main path."""
    edges: tuple[Edge, ...]
    """Edges of the spine first, then in the order of the flow."""
    placed: tuple[int, ...] = ()
    """The number of the event that placed the order; nothing if it was placed in a state that the flow lacks."""
    placed_in: int = 0
    """The node where that was: another than the initial one if another flow was in force then."""


def printable(text: str, *, ascii: bool = False) -> str:
    """The text with everything that is not a visible character (newlines, controls, direction marks) written as an
    escape; with `ascii` also everything outside ASCII. An empty text becomes `""`.
    """
    if not text:
        return '""'
    if text.isprintable() and (not ascii or text.isascii()):
        return text
    return "".join(
        char if char.isprintable() and (not ascii or char.isascii()) else char.encode("unicode_escape").decode()
        for char in text
    )


def moment(at: int) -> str:
    """`2026-11-22 15:02`, from UTC microseconds."""
    return (_EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%d %H:%M")


def orders(count: int) -> str:
    """`1 order`, `1,204 orders`."""
    return "1 order" if count == 1 else f"{count:,} orders"


def age(micros: int) -> str:
    """`45 s`, `12 min`, `5 h`, `3 d`: a time in the unit in which people would tell it, from microseconds."""
    seconds = max(0, micros) // 1_000_000
    for unit, size, most in (("s", 1, 60), ("min", 60, 3600), ("h", 3600, 48 * 3600)):
        if seconds < most:
            return f"{seconds // size} {unit}"
    return f"{seconds // 86_400:,} d"


def tallied(count: Tally | int) -> Tally:
    """A number alone as a Tally."""
    return Tally(count) if isinstance(count, int) else count


def named(trigger: str, taken: Sequence[int]) -> str:
    """`tie_inventory`; `2 tie_inventory` where event 2 went along; `2,5,8+4 tie_inventory` where seven did."""
    if not taken:
        return trigger
    shown = ",".join(map(str, taken[:3]))
    return f"{shown}+{len(taken) - 3} {trigger}" if len(taken) > 3 else f"{shown} {trigger}"


def describe(node: Node, *, ascii: bool = False) -> list[str]:
    """The lines of a box: the state, what it means for stock with its marks, how many orders are in it, how long."""
    marks = [f"stock {node.stock}", *["final"] * node.final, *["now"] * node.present]
    lines = [node.title, (", " if ascii else " · ").join(marks)]
    tally = node.tally
    if tally is None:
        return lines
    lines.append(orders(tally.orders))
    if tally.oldest is None or node.final:  # where an order ends, nobody asks how long it has been there
        return lines
    if tally.orders == 1:
        return [*lines, f"for {age(tally.oldest)}"]
    # A line each: a wider box would cost the drawing its second column on many terminals.
    lines.append(f"oldest {age(tally.oldest)}")
    if tally.median is not None and age(tally.median) != age(tally.oldest):
        lines.append(f"median {age(tally.median)}")
    return lines


def titles(flow: Flow, *, ascii: bool = False) -> dict[str, str]:
    """What each state is called in a drawing: its label, or its name where there is none or two states share one."""
    labels = [state.label or state.name for state in flow.states]
    return {
        state.name: printable(label if labels.count(label) == 1 else state.name, ascii=ascii)
        for state, label in zip(flow.states, labels, strict=True)
    }


def caption(flow: Flow, walk: Walk | None = None, counts: Counts | None = None, *, ascii: bool = False) -> str:
    """What is drawn: `standard flow · 12 orders`, `order 1001 · shipping · since 2026-11-22 15:02 UTC`."""
    parts = [f"{printable(flow.name, ascii=ascii)} flow"]
    if walk is not None:
        parts = [f"order {printable(walk.order_id, ascii=ascii)}", titles(flow, ascii=ascii)[walk.state]]
        if walk.steps:
            parts.append(f"since {moment(walk.steps[-1].at)} UTC")
    if counts is not None:
        parts.append(orders(sum(tallied(count).orders for count in counts.values())))
    return (" - " if ascii else " · ").join(parts)


def chart(flow: Flow, walk: Walk | None = None, counts: Counts | None = None, *, ascii: bool = False) -> Chart:
    """The flow as nodes and edges. Raises NotFound when the walk's present state is not one of the flow's."""
    names = [state.name for state in flow.states]
    if walk is not None and walk.state not in names:
        raise NotFound.named("state", walk.state, names)
    spine = _spine(flow)
    order = spine + _rest(flow, spine)
    number = {name: i for i, name in enumerate(order)}
    shown = titles(flow, ascii=ascii)
    visited = {step.target for step in walk.steps} if walk is not None else set()
    by_name = {state.name: state for state in flow.states}
    nodes = tuple(
        Node(
            number=i,
            name=name,
            title=shown[name],
            stock=by_name[name].stock,
            final=by_name[name].final,
            present=walk is not None and walk.state == name,
            visited=name in visited,
            tally=None if counts is None else tallied(counts.get(name, 0)),
        )
        for i, name in enumerate(order)
    )
    edges = _edges(flow, walk, number, len(spine), ascii=ascii)
    placing = [step for step in (walk.steps if walk is not None else ()) if step.source is None]
    place = number.get(placing[0].target) if placing else None
    if place is None:
        return Chart(nodes, len(spine), edges)
    return Chart(nodes, len(spine), edges, tuple(step.number for step in placing), place)


def _spine(flow: Flow) -> list[str]:
    """The states that `advance` goes through from the initial one, until the path ends or bites its tail."""
    found = [flow.initial]
    while True:
        leaving = {t.trigger: t.target for t in reversed(flow.transitions) if found[-1] in t.sources}
        trigger = next((t for t in flow.path if t in leaving), None)
        if trigger is None or leaving[trigger] in found:
            return found
        found.append(leaving[trigger])


def _rest(flow: Flow, spine: list[str]) -> list[str]:
    """The states beside the spine: as they are reached from it, then those that nothing reaches."""
    seen = list(spine)
    for name in seen:
        for transition in flow.transitions:
            if name in transition.sources and transition.target not in seen:
                seen.append(transition.target)  # grows while it is read: breadth first
    seen += [state.name for state in flow.states if state.name not in seen]
    return seen[len(spine) :]


def _edges(flow: Flow, walk: Walk | None, number: Mapping[str, int], spine: int, *, ascii: bool) -> tuple[Edge, ...]:
    guards: dict[tuple[str, str, str], list[str]] = {}
    for transition in flow.transitions:
        for source in transition.sources:
            kept = guards.setdefault((transition.trigger, source, transition.target), [])
            if transition.guards:
                kept.append(", ".join(printable(use.name, ascii=ascii) for use in transition.guards))
    taken: dict[tuple[str | None, str | None, str], list[int]] = {}
    for step in walk.steps if walk is not None else ():
        taken.setdefault((step.trigger, step.source, step.target), []).append(step.number)
    present = None if walk is None else walk.state
    ahead = {(c.trigger, present, c.target) for c in (walk.choices if walk is not None else ())}
    edges = [
        Edge(
            trigger=printable(key[0], ascii=ascii),
            source=number[key[1]],
            target=number[key[2]],
            guards=tuple(dict.fromkeys(found)),
            taken=tuple(taken.get(key, ())),
            possible=key in ahead,
        )
        for key, found in guards.items()
    ]
    main = [e for e in edges if e.target == e.source + 1 and e.target < spine]
    return tuple(sorted(main, key=lambda e: e.source)) + tuple(e for e in edges if e not in main)
