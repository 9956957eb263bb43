"""Does a flow keep its promises in every situation? A proof, or the shortest story in which it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orderstate.errors import OrderstateError
from orderstate.flow.naming import misnamed
from orderstate.flow.possible import Ways
from orderstate.flow.tree import placed
from orderstate.flow.trusting import trusting
from orderstate.flow.world import Breach, Choice, Move, Node, World, standing
from orderstate.model import Flow, Stock

NODE_LIMIT = 100_000
"""Situations of two orders that are looked at; where there are more, one order is looked at alone."""

PROMISES = {
    "unit_lost": "no unit is lost",
    "released_twice": "no unit is released twice",
    "cancelled_after_gone": "no cancel succeeds after the goods are gone",
    "uncovered": "nothing is tied that is not there",
    "stranded": "every order can still end",
}
_START: Node = (0, None, None)
_SKU, _FACILITY = "SKU", "F1"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a story: what happened, as a sentence and as the commands that make it happen.

    `assuming` is what the commands cannot bring about: answers of guards of one's own, and stock elsewhere.
    """

    sentence: str
    commands: tuple[dict[str, object], ...]
    order: str | None = None
    trigger: str | None = None
    state: str | None = None
    """The order's state after the step."""
    assuming: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """Every promise holds in every one of `nodes` situations of `orders` orders; `moves` lead between them."""

    nodes: int
    moves: int
    orders: int
    provided: tuple[str, ...] = ()
    """What guards of one's own must say some day, and where, so that every order can still end."""

    @property
    def sentence(self) -> str:
        """The proof in a line."""
        orders = "up to two orders"
        if self.orders == 1:
            orders = "one order (two have more than can be tried)"
        condition = f", provided that some day {'; '.join(self.provided)}" if self.provided else ""
        return f"proved in {self.nodes} situations of {orders}: {', '.join(PROMISES.values())}{condition}"

    def document(self) -> dict[str, object]:
        """The shape that `--json` prints."""
        return {
            "proved": True,
            "nodes": self.nodes,
            "moves": self.moves,
            "orders": self.orders,
            "promises": list(PROMISES),
            "provided": list(self.provided),
        }


@dataclass(frozen=True, slots=True)
class Counterexample:
    """The shortest story in which a promise is broken; `broken` is a key of PROMISES."""

    broken: str
    sentence: str
    steps: tuple[Step, ...]
    nodes: int

    def commands(self) -> list[dict[str, object]]:
        """The story as commands of `orderstate run`, on a new database in which the flow is in force."""
        first: list[dict[str, object]] = [
            {"command": "facility_add", "facility": _FACILITY, "country": "US", "at": "40,-75"},
            # A SKU is known once it was received; the shelf is empty again before the story begins.
            {"command": "receive", "facility": _FACILITY, "sku": _SKU, "quantity": 1},
            {"command": "adjust", "facility": _FACILITY, "sku": _SKU, "to_units": 0},
        ]
        return [*first, *(command for step in self.steps for command in step.commands)]

    def document(self) -> dict[str, object]:
        """The shape that `--json` prints."""
        return {
            "proved": False,
            "broken": self.broken,
            "promise": PROMISES[self.broken],
            "sentence": self.sentence,
            "nodes": self.nodes,
            "steps": [
                {
                    "sentence": step.sentence,
                    **({"order": step.order, "state": step.state} if step.order else {}),
                    **({"trigger": step.trigger} if step.trigger else {}),
                    **({"assuming": list(step.assuming)} if step.assuming else {}),
                    "commands": list(step.commands),
                }
                for step in self.steps
            ],
        }


def exhaustive(flow: Flow, limit: int = NODE_LIMIT) -> Proof | Counterexample:
    """Try everything that can happen to a flow in a small world (world.py), breadth first.

    A promise that one step breaks is shown before an order that is stranded, and each by the fewest steps. Where two
    orders have more than `limit` situations, one is looked at alone. Raises NotFound and InvalidInput where names of
    the flow are not known; the same flow always gives the same answer.
    """
    for fault in misnamed(flow, {}):
        raise placed(fault.error, fault.mark)
    ways = Ways(flow)
    for orders in (2, 1):
        found = _Search(World(ways, orders)).run(limit if orders == 2 else None)
        if found is not None:
            return found
    raise OrderstateError("one order has more situations than can be counted")  # a bounded world has not


class _Search:
    """One search through a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.number: dict[Node, int] = {_START: 0}
        self.nodes: list[Node] = [_START]
        self.came: list[tuple[int, Move] | None] = [None]
        self.edges: list[tuple[int, int]] = []

    def run(self, limit: int | None) -> Proof | Counterexample | None:
        """The answer; None where there are more nodes than the limit."""
        for at, node in enumerate(self.nodes):  # grows while it is walked
            for move, outcome in self.world.moves(node):
                if isinstance(outcome, Breach):
                    return self.story(at, move, outcome.code, outcome.sentence)
                there = self.number.get(outcome)
                if there is None:
                    there = self.number[outcome] = len(self.nodes)
                    self.nodes.append(outcome)
                    self.came.append((at, move))
                self.edges.append((at, there))
            if limit is not None and len(self.nodes) > limit:
                return None
        provided = tuple(str(trust) for trust in trusting(self.world.ways))
        return self.stranded() or Proof(len(self.nodes), len(self.edges), self.world.orders, provided)

    def stranded(self) -> Counterexample | None:
        """The first node at which an order stands that cannot come to a final state any more."""
        before: list[list[int]] = [[] for _ in self.nodes]
        for at, there in self.edges:
            before[there].append(at)
        worst: tuple[int, int] | None = None
        for slot in range(self.world.orders):
            waiting = [n for n, node in enumerate(self.nodes) if self._ended(node, slot)]
            ending = set(waiting)
            while waiting:
                fresh = [n for n in before[waiting.pop()] if n not in ending]
                ending.update(fresh)
                waiting += fresh
            lost = next((n for n, node in enumerate(self.nodes) if standing(node, slot) and n not in ending), None)
            if lost is not None and (worst is None or lost < worst[0]):
                worst = lost, slot
        if worst is None:
            return None
        at, slot = worst
        order = standing(self.nodes[at], slot)
        assert order is not None
        came = self.came[at]
        assert came is not None
        name = self.world.states[order[0]].name
        return self.story(came[0], came[1], "stranded", f"from {name} the order can never come to a final state")

    def _ended(self, node: Node, slot: int) -> bool:
        order = standing(node, slot)
        return order is not None and order[0] in self.world.final

    def story(self, at: int, last: Move, broken: str, sentence: str) -> Counterexample:
        """The steps that lead to a node, and the one that broke the promise."""
        moves = [last]
        number = at
        while (came := self.came[number]) is not None:
            number, move = came
            moves.append(move)
        moves.reverse()
        return Counterexample(broken, sentence, tuple(self._steps(moves)), len(self.nodes))

    def _steps(self, moves: Sequence[Move]) -> list[Step]:
        steps = []
        node, names = _START, ["a", "b"]
        for move in moves:
            outcome = next(o for m, o in self.world.moves(node) if m == move)
            if move.slot == 0 and not isinstance(outcome, Breach) and node[2] is None and outcome[2] is not None:
                names[1] = "a-2"  # the part that could not be tied is a child now
            steps.append(self._step(node, move, names))
            if not isinstance(outcome, Breach):
                node = outcome
        return steps

    def _step(self, node: Node, move: Move, names: list[str]) -> Step:
        if move.slot is None:
            receive: dict[str, object] = {"command": "receive", "facility": _FACILITY, "sku": _SKU, "quantity": 1}
            return Step("one unit arrives", (receive,))
        name = names[move.slot]
        if move.kind is not None:
            short, wanted = self.world.kinds[move.kind]
            place: dict[str, object] = {
                "command": "place",
                "id": name,
                "lines": {_SKU: wanted},
                "to": "US",
                "short": short,
            }
            units = "1 unit" if wanted == 1 else f"{wanted} units"
            state = self.world.states[self.world.initial].name
            return Step(f"{name} is placed: {units}, --short {short}", (place,), name, None, state)
        assert move.choice is not None
        return self._firing(node, move, move.choice, name)

    def _firing(self, node: Node, move: Move, choice: Choice, name: str) -> Step:
        transition = self.world.ways.flow.transitions[choice.way.index]
        order = standing(node, move.slot or 0)
        assert order is not None
        source = self.world.states[order[0]]
        fire: dict[str, object] = {"command": "fire", "order": name, "trigger": transition.trigger}
        notes = []
        if choice.situation.role != "operator":
            fire["as"] = choice.situation.role
            notes.append(f"as {choice.situation.role}")
        if choice.situation.restricted:
            fire["max_shipments"] = 9
            notes.append("with a narrowed plan")
        commands: tuple[dict[str, object], ...] = (fire,)
        if move.closed:
            closing: dict[str, object] = {"command": "facility_set", "facility": _FACILITY, "closed": True}
            commands = (closing, fire, {**closing, "closed": False})
            notes.append("while the facility is closed")
        assuming = [f"{guard} agrees" for guard in choice.way.agreeing]
        assuming += [f"{guard} refuses" for guard in choice.way.refusing]
        if source.stock is not Stock.FREE and self._asks_for_stock(source.name, transition.trigger):
            assuming.append(f"{'a' if choice.situation.covered else 'no'} plan covers the order")
        notes += assuming
        told = f" ({'; '.join(notes)})" if notes else ""
        sentence = f"{name}: {transition.trigger} leads from {source.name} to {transition.target}{told}"
        return Step(sentence, commands, name, transition.trigger, transition.target, tuple(assuming))

    def _asks_for_stock(self, source: str, trigger: str) -> bool:
        """A plan decides which transition is taken, though it does not depend on the order's own stock."""
        declared = [t for t in self.world.ways.flow.transitions if t.trigger == trigger and source in t.sources]
        return any(use.name == "stock_covers_order" for t in declared for use in t.guards)
