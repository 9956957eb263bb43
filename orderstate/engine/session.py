"""One transaction as the commands see it: the order, the facts, the plan, the event."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from orderstate.allocation import NO_OPTIONS, Network, Options, Problem, check, propose, stored
from orderstate.engine.answer import Answer
from orderstate.engine.listeners import NOBODY, Listeners
from orderstate.errors import InvalidInput, NotFound, NotInstalled, StaleVersion
from orderstate.guards import Facts
from orderstate.machine import STANDARD, Choice, Machine, standard
from orderstate.model import Allocation, Event, Flow, Order, Plan
from orderstate.settings import Settings
from orderstate.store import deliveries, events, network, orders, stock
from orderstate.store.sqlite import Transaction

FLOW = "flow"
"""The key under which the settings keep the flow in force, where it is not the standard one."""


@lru_cache(maxsize=8)
def in_force(document: str | None) -> Machine:
    """The machine of a flow's document in JSON; the standard one where there is none.

    Raises NotInstalled where it names a guard that is not installed here, or that takes other parameters by now.
    """
    if document is None:
        return standard()
    from orderstate.flow.writing import recorded  # the standard flow is there already

    kept = json.loads(document)
    try:
        return Machine(recorded(kept))
    except (NotFound, InvalidInput) as error:
        raise NotInstalled(
            f"the flow in force, {kept['name']}, cannot be used here: {error.sentence}",
            hint="install what offers it (a dotted path: name its folder in PYTHONPATH), or put another flow in force: "
            "orderstate flow use FILE",
            code="flow_unusable",
            flow=kept["name"],
        ) from error


def kept(tx: Transaction) -> Flow:
    """The flow in force as the database keeps it. No guard is looked up, so it is there where `in_force` raises."""
    document = network.setting(tx, FLOW)
    if document is None:
        return STANDARD
    from orderstate.flow.writing import recorded  # the standard flow is there already

    return recorded(json.loads(document))


@dataclass(frozen=True, slots=True)
class Ground:
    """What all commands of a database stand on, and what seldom changes."""

    settings: Settings
    network: Network
    machine: Machine
    listeners: Listeners


@dataclass(slots=True)
class Cache:
    """What an engine keeps between transactions: the ground, until the network's version moves on."""

    instead: Machine | None = None
    """Instead of the flow in force, if somebody set one."""
    silent: bool = False
    """What is done is history: no subscriber hears of it."""
    _ground: tuple[int, Ground] | None = None
    _machine: tuple[int, Machine] | None = None

    def ground(self, tx: Transaction, version: int) -> Ground:
        """The ground at this version of the network; nothing is read while it stays the same."""
        if self._ground is None or self._ground[0] != version:
            self._ground = version, self.fresh(tx)
        return self._ground[1]

    def machine(self, tx: Transaction, version: int) -> Machine:
        """The flow at this version of the network, without the rest: what most questions need."""
        if self.instead is not None:
            return self.instead
        if self._ground is not None and self._ground[0] == version:
            return self._ground[1].machine
        if self._machine is None or self._machine[0] != version:
            self._machine = version, in_force(network.setting(tx, FLOW))
        return self._machine[1]

    def fresh(self, tx: Transaction) -> Ground:
        """The ground, read anew."""
        rows = network.settings(tx)
        settings = Settings.read(rows)
        return Ground(
            settings,
            Network(network.facilities(tx), settings),
            self.instead or in_force(rows.get(FLOW)),
            NOBODY if self.silent else Listeners.of(deliveries.subscribers(tx)),
        )


class Session:
    """One transaction: the store's statements, the machine, the moment, and who asks."""

    __slots__ = ("_cache", "_ground", "_version", "by", "changes_network", "now", "problem", "role", "trace", "tx")

    def __init__(self, tx: Transaction, cache: Cache, now: int) -> None:
        self.tx = tx
        self.now = now
        self.role = "operator"
        self.by: str | None = None
        self.changes_network = False
        """This transaction changed facilities or settings: it may yet be undone, so nobody else may cache them."""
        self.problem: Problem | None = None
        """The problem that the newest plan answers."""
        self.trace: str | None = None
        """W3C traceparent of the command that runs, kept with the events that it writes."""
        self._cache = cache
        self._ground: Ground | None = None
        self._version: int | None = None

    def ground(self) -> Ground:
        """Settings, facilities, flow and subscribers as this transaction sees them."""
        if self.changes_network:
            return self._cache.fresh(self.tx)
        if self._ground is None:  # nobody else can change them while this transaction lasts
            self._ground = self._cache.ground(self.tx, self._seen())
        return self._ground

    def _seen(self) -> int:
        if self._version is None:
            self._version = network.version(self.tx)
        return self._version

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.ground().settings

    @property
    def network(self) -> Network:
        """The facilities, ready for planning."""
        return self.ground().network

    @property
    def machine(self) -> Machine:
        """The flow in force."""
        if self._ground is not None or self.changes_network:
            return self.ground().machine
        return self._cache.machine(self.tx, self._seen())

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
        ground = self.ground()
        problem = ground.network.problem(
            order.destination,
            {line.sku: line.open for line in order.lines if line.open},
            stock.for_order(self.tx, order.serial),
            {line.sku: line.grams for line in order.lines},
            options,
        )
        plan = propose(problem, strategy or ground.settings.strategy)
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
        listeners: Sequence[str] | None = None,
    ) -> str:
        """Write one event; returns its id. `listeners`: who hears of it, if the caller asked that already."""
        event = Event(subject, number, kind, self.now, self.role, self.by, trigger, source, target, payload, self.trace)
        events.insert(self.tx, event, self.ground().listeners.to(kind) if listeners is None else listeners)
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
