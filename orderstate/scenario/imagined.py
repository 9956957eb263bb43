"""One order on its way through a flow, imagined: what the machine says of it in every situation that a script can make.

The guards of the flow are asked themselves, those of one's own too, with the facts that the engine would give them in
the small world that generated scenarios play in: one facility, which holds all that is wanted, or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from orderstate.engine.commands import line_items
from orderstate.errors import OrderstateError
from orderstate.geo import destination
from orderstate.guards import Facts, bound
from orderstate.machine import Machine
from orderstate.model import (
    PRIMARY,
    Allocation,
    Flow,
    GuardUse,
    Line,
    Order,
    Plan,
    Refusal,
    Shipment,
    Standing,
    Stock,
    Transition,
)
from orderstate.scenario.script import BEGINNING

FACILITY = "DEPOT"
SKU = "MUG"
ORDER_ID = "1001"
"""What the engine calls the first order of a database."""
STRATEGY = "cheapest"


@dataclass(frozen=True, slots=True)
class Asking:
    """How a trigger is asked for: by which role, with stock that covers the order or none, with a narrowed plan."""

    role: str = "operator"
    covered: bool = True
    narrowed: bool = False


ASKINGS = tuple(
    Asking(role, covered, narrowed)
    for narrowed in (False, True)
    for role in (
        "operator",
        "customer",
        "system",
    )  # the default role first, so that scripts name another only if need be
    for covered in (True, False)
)


@dataclass(frozen=True, slots=True)
class Said:
    """What the machine says to one asking.

    planned: somebody looked at the plan, so that it mattered whether stock covers the order. quiet: the order is where
    the trigger would take it, so that nothing is done and nothing refused. broken: what a faulty guard raised.
    """

    trigger: str
    asking: Asking
    taken: Transition | None = None
    refusals: tuple[Refusal, ...] = ()
    planned: bool = False
    quiet: bool = False
    broken: str | None = None

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of its refusals."""
        return tuple(refusal.code for refusal in self.refusals)


@dataclass(frozen=True, slots=True)
class Imagined:
    """One order as it would stand. `place` are the fields of the command that placed it."""

    place: Mapping[str, Any]
    order: Order
    left: bool = False
    """Its goods have left."""

    @classmethod
    def placed(cls, flow: Flow, place: Mapping[str, Any]) -> Imagined:
        """The order that a place command makes. Raises InvalidInput for fields that it would refuse."""
        order = Order(
            id=str(place.get("id", ORDER_ID)),
            state=flow.initial,
            version=1,
            placed_at=BEGINNING,
            entered_at=BEGINNING,
            destination=destination(str(place["to"])),
            short=str(place["short"]),
            lines=tuple(Line(sku, units) for sku, units in line_items(place["lines"])),
            contact=place.get("contact"),
        )
        return cls(place, order)

    def wanted(self) -> dict[str, int]:
        """Units by SKU."""
        return {line.sku: line.open for line in self.order.lines}

    def ask(self, machine: Machine, trigger: str, asking: Asking) -> Said:
        """What the machine says when the trigger is asked for like that."""
        order, state = self.order, self.order.state
        if trigger not in machine.choices(state) and state in machine.arrives(trigger):
            return Said(trigger, asking, quiet=True)
        looked: list[Plan] = []
        try:
            taken, refusals = machine.ask(order, trigger, self._facts(machine, asking, looked))
        except OrderstateError as error:
            return Said(trigger, asking, broken=error.sentence)
        ties = taken is not None and machine.effect(state, taken.target) == (Stock.FREE, Stock.TIED)
        planned = bool(looked) or ties or (taken is not None and machine.short_of_stock(state, taken))
        return Said(trigger, asking, taken, () if taken else tuple(refusals), planned)

    def refused_by(self, machine: Machine, use: GuardUse, asking: Asking) -> bool:
        """Whether one guard refuses it, alone."""
        return bound(use).check(self.order, self._facts(machine, asking, []), use.params) is not None

    def moved(self, machine: Machine, taken: Transition) -> Imagined:
        """The order after a transition; no time passes."""
        _, after = machine.effect(self.order.state, taken.target)
        order = self.order.moved(taken.target, self.order.version + 1, BEGINNING)
        return replace(self, order=order, left=after is Stock.GONE)

    def _facts(self, machine: Machine, asking: Asking, looked: list[Plan]) -> Facts:
        """What guards may ask about; `looked` takes every plan that one of them looks at."""

        def plan() -> Plan:
            looked.append(self._plan(asking.covered))
            return looked[-1]

        meaning = machine.state(self.order.state).stock
        return Facts(asking.role, meaning, plan, self._shipments, tuple, asking.narrowed)

    def _plan(self, covered: bool) -> Plan:
        wanted = self.wanted()
        rows = tuple(Allocation(FACILITY, sku, PRIMARY, units) for sku, units in wanted.items()) if covered else ()
        standing = Standing(FACILITY, "used" if covered else "no_units")
        return Plan(STRATEGY, rows, {} if covered else wanted, (standing,), optimal=True)

    def _shipments(self) -> tuple[Shipment, ...]:
        if not self.left:
            return ()
        return (Shipment(self.order.id, FACILITY, BEGINNING, self.order.open_units),)
