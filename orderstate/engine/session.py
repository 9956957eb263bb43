"""One transaction as the commands see it: the order, the facts, the plan, the event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orderstate.allocation import NO_OPTIONS, Network, Options, Problem, check, propose, stored
from orderstate.engine.answer import Answer
from orderstate.errors import StaleVersion
from orderstate.guards import Facts
from orderstate.machine import Choice, Machine
from orderstate.model import Allocation, Event, Order, Plan
from orderstate.settings import Settings
from orderstate.store import events, network, orders, stock
from orderstate.store.sqlite import Transaction


@dataclass(slots=True)
class Cache:
    """What an engine keeps between transactions: the network, until its version moves on."""

    version: int = 0
    settings: Settings | None = None
    network: Network | None = None

    def read(self, tx: Transaction) -> tuple[Settings, Network]:
        """Settings and network as this transaction sees them; one small read while nothing changed."""
        version = network.version(tx)
        if version != self.version or self.settings is None or self.network is None:
            self.settings, self.network = _fresh(tx)
            self.version = version
        return self.settings, self.network


def _fresh(tx: Transaction) -> tuple[Settings, Network]:
    settings = Settings.read(network.settings(tx))
    return settings, Network(network.facilities(tx), settings)


class Session:
    """One transaction: the store's statements, the machine, the moment, and who asks."""

    __slots__ = ("_cache", "_ground", "by", "changes_network", "machine", "now", "problem", "role", "tx")

    def __init__(self, tx: Transaction, machine: Machine, cache: Cache, now: int) -> None:
        self.tx = tx
        self.machine = machine
        self.now = now
        self.role = "operator"
        self.by: str | None = None
        self.changes_network = False
        """This transaction changed facilities or settings: it may yet be undone, so nobody else may cache them."""
        self.problem: Problem | None = None
        """The problem that the newest plan answers."""
        self._cache = cache
        self._ground: tuple[Settings, Network] | None = None

    def ground(self) -> tuple[Settings, Network]:
        """The settings in force, and the facilities, ready for planning."""
        if self.changes_network:
            return _fresh(self.tx)
        if self._ground is None:  # nobody else can change them while this transaction lasts
            self._ground = self._cache.read(self.tx)
        return self._ground

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.ground()[0]

    @property
    def network(self) -> Network:
        """The facilities, ready for planning."""
        return self.ground()[1]

    def order(self, order_id: str, if_version: int | None = None) -> Order:
        """The order, locked for this transaction. Raises NotFound, StaleVersion."""
        order = orders.read(self.tx, order_id, lock=True)
        if if_version is not None and order.version != if_version:
            raise StaleVersion(
                f"{order_id} is at version {order.version}, not {if_version}",
                hint=f"orderstate show {order_id}",
                order=order_id,
                version=order.version,
                if_version=if_version,
            )
        return order

    def plan(self, order: Order, options: Options = NO_OPTIONS, strategy: str | None = None) -> Plan:
        """The strategy's plan for the order's open units on the stock that is there now, checked.

        Raises NotFound for an unknown strategy, PlanRejected for a strategy that raises or breaks the rules.
        """
        settings, sites = self.ground()
        problem = sites.problem(
            order.destination,
            {line.sku: line.open for line in order.lines if line.open},
            stock.for_order(self.tx, order.serial),
            {line.sku: line.grams for line in order.lines},
            options,
        )
        plan = propose(problem, strategy or settings.strategy)
        check(problem, plan)
        self.problem = problem
        return plan

    def decided(self, plan: Plan) -> dict[str, Any]:
        """What an event keeps of a plan that was just made: the plan, and the problem that it answers."""
        assert self.problem is not None
        return {"plan": plan.document(), "problem": stored.document(self.problem)}

    def cost(self, order: Order, allocations: Sequence[Allocation]) -> int:
        """What these allocations cost under the cost model now, in 1/1000 minor unit; the first split is free."""
        if not allocations:
            return 0
        sites = self.network.sites(order.destination)
        unit = self.network.unit_cost(order.destination, {line.sku: line.grams for line in order.lines})
        fixed = sum(sites.fixed[sites.rank_of[code]] for code in {a.facility for a in allocations})
        return fixed - sites.rebate + sum(a.units * unit(a) for a in allocations)

    def facts(
        self, order: Order, options: Options = NO_OPTIONS, strategy: str | None = None, *, forced: bool = False
    ) -> Facts:
        """What guards may ask about this order now; the plan is made once, when first asked for."""
        made: list[Plan] = []

        def plan() -> Plan:
            if not made:
                made.append(self.plan(order, options, strategy))
            return made[0]

        return Facts(
            role=self.role,
            stock=self.machine.state(order.state).stock,
            plan=plan,
            shipments=lambda: orders.shipments(self.tx, order),
            open_children=lambda: self.open_children(order.id),
            restricted=not forced and options is not NO_OPTIONS and options != NO_OPTIONS,
        )

    def open_children(self, order_id: str) -> tuple[str, ...]:
        """Ids of the orders split off this one (or off those) that could still be cancelled."""
        found: list[str] = []
        for child, state in orders.children(self.tx, order_id):
            declared = self.machine.state(state)
            if not declared.final and declared.stock != "gone":
                found.append(child)
            found.extend(self.open_children(child))
        return tuple(found)

    def explain(self, order: Order, trigger: str | None = None) -> tuple[Choice, ...]:
        """Each trigger (or the one named) asked of the order as it stands."""
        return self.machine.explain(order, self.facts(order), trigger)

    def record(
        self,
        subject: str,
        number: int,
        kind: str,
        payload: Mapping[str, Any],
        *,
        trigger: str | None = None,
        source: str | None = None,
        target: str | None = None,
    ) -> str:
        """Write one event; returns its id."""
        event = Event(subject, number, kind, self.now, self.role, self.by, trigger, source, target, payload)
        events.insert(self.tx, event)
        return event.id


def answer(
    command: str, before: Order | None, after: Order, events: list[str], *, exit_status: int = 0, **more: Any
) -> Answer:
    """The answer to a command about an order."""
    return Answer(
        {
            "command": command,
            "order": after.id,
            "was": before.state if before else None,
            "state": after.state,
            "version": after.version,
            "events": events,
            "changed": bool(events),
            "exit": exit_status,
            **more,
        }
    )
