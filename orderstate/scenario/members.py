"""The orders of a story as they stand while it is told again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from orderstate.geo import destination
from orderstate.guards import Facts
from orderstate.machine import CANCEL, Machine
from orderstate.model import (
    PRIMARY,
    Allocation,
    Event,
    Line,
    Order,
    Plan,
    Refusal,
    RefusalCount,
    Shipment,
    Stock,
)
from orderstate.scenario.imagined import ASKINGS, Asking
from orderstate.scenario.script import Step

ELSEWHERE = "CH"
"""Some destination, for a redirect that is refused wherever it leads."""


@dataclass(slots=True)
class Member:
    """One order: what it is called in the scenario, and what it is after the steps so far. Changes as they are told."""

    id: str
    called: str
    state: str
    to: str
    short: str
    lines: dict[str, int]
    """Open units by SKU."""
    version: int = 1
    children: list[str] = field(default_factory=list)
    shipments: tuple[Shipment, ...] = ()

    @classmethod
    def placed(cls, first: Event, called: str) -> Member:
        """An order as its first event tells it."""
        told = first.payload
        return cls(
            id=first.subject,
            called=called,
            state=str(first.target),
            to=told["destination"],
            short=told["short"],
            lines=dict(told["lines"]),
        )

    def apply(self, event: Event) -> None:
        """Take over what one more event says, but for stock."""
        told = event.payload
        for sku, units in (*told.get("cancelled", ()), *told.get("moved", ())):
            self.lines[sku] -= units
        if event.type == "OrderRedirected":
            self.to = told["destination"]
        if "shipments" in told:
            self.shipments = tuple(Shipment(self.id, f, event.at, units) for f, units in told["shipments"])
        self.state = str(event.target)
        self.version = event.number

    def wanted(self) -> dict[str, int]:
        """Units that are still wanted, by SKU."""
        return {sku: units for sku, units in self.lines.items() if units}

    def order(self) -> Order:
        """The order as guards see it; the contact is not known."""
        lines = tuple(Line(sku, units) for sku, units in sorted(self.wanted().items()))
        return Order(self.id, self.state, self.version, 0, 0, destination(self.to), self.short, lines)

    def asked(self, machine: Machine, trigger: str, codes: Sequence[str]) -> tuple[Asking, bool] | None:
        """How the trigger must be asked for to be refused with these codes, and whether a plan is looked at."""
        if self._is_there(machine, trigger):
            return None
        for asking in ASKINGS:
            looked: list[Plan] = []
            taken, refusals = machine.ask(self.order(), trigger, self._facts(machine, asking, looked))
            if taken is None and [refusal.code for refusal in refusals] == list(codes):
                return asking, bool(looked)
        return None

    def _facts(self, machine: Machine, asking: Asking, looked: list[Plan]) -> Facts:
        def plan() -> Plan:
            rows = tuple(Allocation("F", sku, PRIMARY, units) for sku, units in self.wanted().items())
            made = Plan("", rows, {}, ()) if asking.covered else Plan("", (), self.wanted(), ())
            looked.append(made)
            return made

        meaning = machine.state(self.state).stock
        return Facts(asking.role, meaning, plan, lambda: self.shipments, tuple, asking.narrowed)

    def other_command(self, machine: Machine, refusal: RefusalCount, held: Sequence[str]) -> Step | None:
        """A command that is no trigger and is refused with these codes now; None where none is known to be."""
        fields = {"order": self.called}
        found: Step | None = None
        codes = self._still_changeable(machine)
        if refusal.trigger == "redirect" and codes:
            found = Step("redirect", {**fields, "to": ELSEWHERE})
        elif refusal.trigger == "split":
            codes = codes or ["nothing_to_split"]
            facility = held[0] if len(held) == 1 else "-".join(held) or "NOWHERE"
            found = Step("split", {**fields, "facility": facility[:32].rstrip("-")})
        elif refusal.trigger == "advance" and machine.next_step(self.state) is None:
            codes = ["final" if machine.state(self.state).final else "not_on_path"]
            found = Step("advance", fields)
        elif refusal.trigger == CANCEL and self.wanted():
            # Only the cancel of a part is refused where the whole would be cancelled already.
            codes = ["final"] if self._is_there(machine, CANCEL) else ["more_than_open"]
            sku, units = next(iter(self.wanted().items()))
            found = Step("cancel", {**fields, "lines": {sku: units + 1}})
        return found if codes == list(refusal.codes) else None

    def _is_there(self, machine: Machine, trigger: str) -> bool:
        """Whether the trigger finds the order where it would lead, so that nothing is done and nothing refused."""
        return trigger not in machine.choices(self.state) and self.state in machine.arrives(trigger)

    def _still_changeable(self, machine: Machine) -> list[str]:
        ended: Refusal | None = machine.ended(self.order())
        gone = machine.state(self.state).stock is Stock.GONE
        return ["final"] * (ended is not None) + ["goods_still_here"] * gone
