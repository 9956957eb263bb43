"""What is expected of a step, from its nodes: only what can be said of that step, only names that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from orderstate.errors import InvalidInput
from orderstate.flow.events import RESERVED
from orderstate.flow.tree import Node, placed
from orderstate.model import POOLS, Allocation, Flow
from orderstate.scenario import nodes
from orderstate.scenario.references import references
from orderstate.scenario.script import Expectation, Step
from orderstate.scenario.vocabulary import COUNTERS, EXPECT, PLAN, expectable
from orderstate.settings import fixed

_ROW = "a row [FACILITY, SKU, POOL, UNITS]"
_INSTEAD = {
    "state": "orders: {a: STATE}",
    "exit": "exits: [0, 0]",
    "exits": "exit: 0, or together",
}
"""What says the same of a step that the first cannot be said of."""


class Expecting:
    """Reads expectations against what the scenario knows by then."""

    def __init__(self, flow: Flow, facilities: Iterable[str]) -> None:
        self.flows = [flow]
        self.facilities = list(facilities)
        self.ids: list[str] = []
        self.named: Mapping[str, Step] = {}

    def expectation(self, node: Node, step: Step, named: Mapping[str, Step]) -> Expectation:
        """What stands beside a step. `named`: the steps up to this one that have a name."""
        self.named = named
        given = nodes.fields(node, "expect", EXPECT, "what can be expected")
        allowed = expectable(step.verb)
        found: dict[str, Any] = {}
        for name, field in given.items():
            if name not in allowed:
                use = f"; use {_INSTEAD[name]}" if name in _INSTEAD else ""
                nodes.fail(field.mark, "expect", name, f"what {step.verb} can show: {', '.join(allowed)}{use}")
            found[name] = _READERS[name](self, field.value, f"expect.{name}")
        return Expectation(**found)

    def state(self, node: Node, where: str) -> str:
        """A state of any flow of the scenario."""
        known = dict.fromkeys(state.name for flow in self.flows for state in flow.states)
        return nodes.one_of(node, where, known)

    def version(self, node: Node, where: str) -> int:
        """A version of an order."""
        return nodes.whole(node, where, 1)

    def status(self, node: Node, where: str) -> int:
        """An exit status."""
        return nodes.whole(node, where, 0, 255)

    def statuses(self, node: Node, where: str) -> tuple[int, ...]:
        """Exit statuses, sorted."""
        if node.items is None:
            nodes.fail(node, where, nodes.shown(node), "a list of exit statuses such as [0, 5]")
        return tuple(sorted(self.status(item, where) for item in node.items))

    def words(self, node: Node, where: str) -> str:
        """A text."""
        return nodes.text(node, where, "a text that is not empty")

    def codes(self, node: Node, where: str) -> tuple[str, ...]:
        """Codes of refusals, sorted, each once."""
        found = nodes.texts(node, where, "codes of refusals such as [goods_still_here]")
        return tuple(sorted({code for code, _ in found}))

    def events(self, node: Node, where: str) -> tuple[str, ...]:
        """Types of events, in order."""
        of_flows = (transition.event for flow in self.flows for transition in flow.transitions)
        known = list(dict.fromkeys([*RESERVED, "FlowChanged", *of_flows]))
        found = nodes.texts(node, where, "types of events such as [OrderPlaced]")
        for name, item in found:
            if name not in known:
                nodes.fail(item, where, name, f"an event: {', '.join(known)}", known)
        return tuple(name for name, _ in found)

    def stock(self, node: Node, where: str) -> dict[str, dict[str, dict[str, Any]]]:
        """Counters by facility and SKU; by pool, where pools are named."""
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for code, held in nodes.mapping(node, where, "a mapping of facilities to SKUs and their counters"):
            if code not in self.facilities:
                nodes.fail(held.mark, where, code, self.a_facility(), self.facilities)
            skus = nodes.mapping(held.value, f"{where}.{code}", "a mapping of SKUs to counters")
            found[code] = {sku: self.counters(one.value, f"{where}.{code}.{sku}") for sku, one in skus}
        return found

    def a_facility(self) -> str:
        """What a code should be."""
        return f"a facility: {', '.join(self.facilities)}" if self.facilities else "a facility: the world has none"

    def counters(self, node: Node, where: str) -> dict[str, Any]:
        """`{on_hand: 10, allocated: 2}`, or `{primary: {on_hand: 10}, back: {...}}`."""
        if not node.fields:
            nodes.fail(node, where, nodes.shown(node), "a mapping such as {on_hand: 10, allocated: 2, available: 8}")
        given = nodes.fields(node, where, (*COUNTERS, *POOLS), "what is known of a SKU in a facility")
        found: dict[str, Any] = {}
        for name, field in given.items():
            if name in POOLS:
                of_pool = nodes.fields(field.value, f"{where}.{name}", COUNTERS, "what is known of a pool")
                found[name] = {c: nodes.whole(one.value, f"{where}.{name}.{c}") for c, one in of_pool.items()}
            else:
                found[name] = nodes.whole(field.value, f"{where}.{name}")
        return found

    def orders(self, node: Node, where: str) -> dict[str, str]:
        """Names of steps, or ids of orders, to states."""
        found: dict[str, str] = {}
        known = [*self.named, *self.ids]
        for name, field in nodes.mapping(node, where, "a mapping of names of steps, or ids, to states"):
            # Generated ids begin with a digit; children add to the id of their parent.
            own = any(name == own or name.startswith(f"{own}-") for own in self.ids)
            if name not in known and not own and not name[:1].isdigit() and not list(references(name)):
                nodes.fail(field.mark, where, name, "the name of a step, or the id of an order", known)
            found[name] = self.state(field.value, f"{where}.{name}")
        return found

    def plan(self, node: Node, where: str) -> dict[str, Any]:
        """Facilities, allocations, strategy, optimal."""
        given = nodes.fields(node, where, PLAN, "a plan")
        found: dict[str, Any] = {}
        if "facilities" in given:
            codes = nodes.texts(given["facilities"].value, f"{where}.facilities", "facilities such as [DENVER]")
            for code, item in codes:
                if code not in self.facilities:
                    nodes.fail(item, f"{where}.facilities", code, self.a_facility(), self.facilities)
            found["facilities"] = tuple(sorted({code for code, _ in codes}))
        if "allocations" in given:
            rows = given["allocations"].value
            if rows.items is None:
                nodes.fail(rows, f"{where}.allocations", nodes.shown(rows), f"a list of rows, each {_ROW}")
            found["allocations"] = tuple(sorted(self.allocation(row, f"{where}.allocations") for row in rows.items))
        if "strategy" in given:
            found["strategy"] = nodes.text(given["strategy"].value, f"{where}.strategy", "the name of a strategy")
        if "optimal" in given:
            found["optimal"] = nodes.flag(given["optimal"].value, f"{where}.optimal")
        return found

    def allocation(self, node: Node, where: str) -> Allocation:
        """`[DENVER, MUG, primary, 2]`."""
        if node.items is None or len(node.items) != 4:
            nodes.fail(node, where, nodes.shown(node), _ROW)
        facility, sku, pool, units = node.items
        return Allocation(
            nodes.one_of(facility, where, self.facilities),
            nodes.text(sku, where, "a SKU"),
            nodes.one_of(pool, where, POOLS),
            nodes.whole(units, where, 1),
        )

    def amount(self, node: Node, where: str) -> int:
        """Minor units with up to three decimals, as 1/1000 of them."""
        try:
            return fixed(where, nodes.text(node, where, "an amount in minor units such as 5.30"), 3)
        except InvalidInput as error:
            raise error if "line" in error.values else placed(error, node.mark) from error

    def short(self, node: Node, where: str) -> dict[str, int]:
        """SKUs to the units that are missing; empty: nothing is."""
        pairs = nodes.mapping(node, where, "a mapping of SKUs to the units that are missing")
        return {sku: nodes.whole(one.value, f"{where}.{sku}", 1) for sku, one in pairs}

    def flag(self, node: Node, where: str) -> bool:
        """True or false."""
        return nodes.flag(node, where)


_READERS: Mapping[str, Callable[[Expecting, Node, str], Any]] = {
    "exit": Expecting.status,
    "error": Expecting.words,
    "refused": Expecting.codes,
    "state": Expecting.state,
    "version": Expecting.version,
    "changed": Expecting.flag,
    "repeated": Expecting.flag,
    "events": Expecting.events,
    "stock": Expecting.stock,
    "orders": Expecting.orders,
    "plan": Expecting.plan,
    "cost": Expecting.amount,
    "bound": Expecting.amount,
    "short": Expecting.short,
    "exits": Expecting.statuses,
    "says": Expecting.words,
}
