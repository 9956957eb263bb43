"""A small world to try a flow in: one SKU in one facility, up to two units at a time, and one or two orders of it.

What a move does to stock is what the engine does (DESIGN.md, "The standard flow"): free to tied reserves, tied to free
releases, tied to gone takes the units out of the house. Nobody is trusted: goods arrive or do not, the facility may be
closed, any role asks, plans are narrowed, and guards of one's own agree or refuse as it suits the worst case.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orderstate.flow.possible import SITUATIONS, Situation, Way, Ways
from orderstate.flow.stock_rules import CANCEL
from orderstate.model import SHORT_POLICIES, Stock

MOST_UNITS = 2

PlacedOrder = tuple[int, int, int]
"""The number of its state, the units that it holds, and the number of its kind (policy, units wanted)."""
Node = tuple[int, PlacedOrder | None, PlacedOrder | None]
"""Units on hand, and the two orders. Plain tuples: a proof makes many thousands of them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A transition that can be taken from a state, and the first situation that allows it."""

    way: Way
    situation: Situation


@dataclass(frozen=True, slots=True)
class Move:
    """What happened between two nodes: goods arrived, an order was placed (slot, kind), or a trigger was fired."""

    slot: int | None = None
    kind: int | None = None
    choice: Choice | None = None
    closed: bool = False
    """Stock is there, but the facility is closed."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise that a move breaks."""

    code: str
    sentence: str


class World:
    """Every move of a flow in the small world. `orders` is how many there may be: 1 or 2."""

    def __init__(self, ways: Ways, orders: int = 2) -> None:
        self.ways = ways
        self.orders = orders
        self.states = ways.flow.states
        self.number = {state.name: n for n, state in enumerate(self.states)}
        self.initial = self.number[ways.flow.initial]
        self.final = frozenset(n for n, state in enumerate(self.states) if state.final)
        policies = _told_apart(ways)
        self.kinds = tuple((short, wanted) for short in policies for wanted in range(1, MOST_UNITS + 1))
        self.targets = [self.number[t.target] for t in ways.flow.transitions]
        self._choices = {
            (n, short, covered): _choices(ways, state.name, short, covered)
            for n, state in enumerate(self.states)
            for short in policies
            for covered in (True, False)
        }

    def moves(self, node: Node) -> Iterator[tuple[Move, Node | Breach]]:
        """Everything that can happen next, always in the same order."""
        on_hand, *orders = node
        if on_hand < MOST_UNITS:
            yield Move(), (on_hand + 1, orders[0], orders[1])
        for slot in range(self.orders):
            order = orders[slot]
            if order is None:
                for kind in range(len(self.kinds)):
                    yield Move(slot, kind), self._placed(node, slot, kind)
                break  # the second is placed after the first
        for slot, order in enumerate(orders):
            if order is not None:
                yield from self._fired(node, slot, order)

    def _placed(self, node: Node, slot: int, kind: int) -> Node | Breach:
        state = self.states[self.initial]
        if state.stock is not Stock.FREE:
            code = "uncovered" if state.stock is Stock.TIED else "unit_lost"
            return Breach(code, f"the order begins in {state.name} with its stock {state.stock}, but none was tied")
        return _with(node, slot, (self.initial, 0, kind))

    def _fired(self, node: Node, slot: int, order: PlacedOrder) -> Iterator[tuple[Move, Node | Breach]]:
        number, _, kind = order
        short, wanted = self.kinds[kind]
        free = self.states[number].stock is Stock.FREE
        available = node[0] - sum(o[1] for o in node[1:] if o is not None)
        alone = short == "split" and available > 0 and self.orders == 2 and node[2] is None
        covers = not free or available >= wanted or alone
        for covered in (True, False) if covers else (False,):
            for choice in self._choices[number, short, covered]:
                yield Move(slot, None, choice, free and covers and not covered), self._moved(node, slot, order, choice)

    def _moved(self, node: Node, slot: int, order: PlacedOrder, choice: Choice) -> Node | Breach:
        """What the two states mean for stock, done; or the promise that this breaks."""
        number, held, kind = order
        target = self.targets[choice.way.index]
        before, after = self.states[number], self.states[target]
        trigger = self.ways.flow.transitions[choice.way.index].trigger
        if before.stock is Stock.GONE and trigger == CANCEL:
            return Breach("cancelled_after_gone", f"the order is cancelled in {before.name}, where its goods have left")
        if before.stock is Stock.GONE and after.stock is not Stock.GONE:
            return Breach("released_twice", f"the units that left in {before.name} count as here again in {after.name}")
        if before.stock is Stock.FREE and after.stock is Stock.GONE:
            return Breach("unit_lost", f"the order's units leave in {after.name}, but none was tied, so none is missed")
        if after.final and after.stock is Stock.TIED:
            return Breach("unit_lost", f"the order ends in {after.name} with its units tied, and nobody can free them")
        if before.stock is Stock.FREE and after.stock is Stock.TIED:
            return self._tied(node, slot, kind, target, choice)
        if before.stock is Stock.TIED and after.stock is not Stock.TIED:
            left = held if after.stock is Stock.GONE else 0
            return _with((node[0] - left, node[1], node[2]), slot, (target, 0, kind))
        return _with(node, slot, (target, held, kind))

    def _tied(self, node: Node, slot: int, kind: int, target: int, choice: Choice) -> Node | Breach:
        short, wanted = self.kinds[kind]
        available = node[0] - sum(o[1] for o in node[1:] if o is not None)
        taken = min(wanted, available) if choice.situation.covered else 0
        if taken == wanted:
            return _with(node, slot, (target, taken, kind))
        if taken == 0 or short != "split":
            name = self.states[target].name
            return Breach("uncovered", f"the order is {name} with {taken} of its {wanted} units")
        tied = _with(node, slot, (target, taken, self.kinds.index((short, taken))))
        return _with(tied, 1, (self.initial, 0, self.kinds.index((short, wanted - taken))))


def standing(node: Node, slot: int) -> PlacedOrder | None:
    """The first order of a node (slot 0), or the second."""
    return node[1] if slot == 0 else node[2]


def _with(node: Node, slot: int, order: PlacedOrder) -> Node:
    return (node[0], order, node[2]) if slot == 0 else (node[0], node[1], order)


def _choices(ways: Ways, state: str, short: str, covered: bool) -> tuple[Choice, ...]:
    found = []
    for way in ways.leaving(state, short):
        fits = [s for s in way.situations() if s.short == short and s.covered is covered]
        if fits:
            found.append(Choice(way, fits[0]))
    return tuple(found)


def _told_apart(ways: Ways) -> tuple[str, ...]:
    """The policies that make a difference to this flow: what it cannot tell apart is tried once."""
    width = len(SITUATIONS) // len(SHORT_POLICIES)
    stock = {state.name: state.stock for state in ways.flow.states}
    ties = any(
        stock[source] is Stock.FREE and stock[t.target] is Stock.TIED
        for t in ways.flow.transitions
        for source in t.sources
    )
    found: dict[object, str] = {}
    for n, short in enumerate(SHORT_POLICIES):
        looks = tuple(
            (state, way.index, way.mask >> n * width & (1 << width) - 1)
            for state in stock
            for way in ways.leaving(state, short)
        )
        found.setdefault((looks, ties and short == "split"), short)
    return tuple(found.values())
