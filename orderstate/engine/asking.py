"""Questions: what an order is and was, what is possible, what would be planned, what there is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from orderstate.allocation import NO_OPTIONS, Options, Problem, stored
from orderstate.engine.session import Session
from orderstate.engine.timers import Due, timer
from orderstate.errors import InvalidInput, NotFound
from orderstate.geo import destination
from orderstate.machine import Choice
from orderstate.model import Allocation, Event, Line, Order, Plan, RefusalCount, Shipment, Stock
from orderstate.store import events, orders


@dataclass(frozen=True, slots=True)
class Shown:
    """One order with everything around it. `plan` is the one that it was last tied with, if it holds or held stock."""

    order: Order
    allocations: tuple[Allocation, ...]
    shipments: tuple[Shipment, ...]
    children: tuple[tuple[str, str], ...]
    plan: Plan | None
    next_step: str | None
    timer: Due | None = None
    """What the state fires by itself, and when."""
    asked_at: int = field(default=0, compare=False)
    """The moment of the question (UTC us), for which the timer is overdue or not; no part of what the order is."""


@dataclass(frozen=True, slots=True)
class History:
    """What happened to an order, and what was refused to it."""

    order: Order
    events: tuple[Event, ...]
    refusals: tuple[RefusalCount, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is possible for an order now, and what is not, with every reason."""

    order: Order
    choices: tuple[Choice, ...]
    timer: Due | None = None
    """What the state fires by itself, and when."""
    asked_at: int = field(default=0, compare=False)
    """The moment of the question (UTC us)."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan: `stored` with the order when it was tied, or proposed now; and the problem that it answers."""

    order: Order
    plan: Plan
    stored: bool
    problem: Problem | None

    def costs(self) -> dict[str, dict[str, int]]:
        """What each facility that ships costs, by part, in 1/1000 minor unit; `goods` is what its units cost.

        Every facility carries a split penalty; the plan's cost has one less, `Problem.sites.rebate`, for the first.
        """
        if self.problem is None:
            return {}
        sites = self.problem.sites
        found = {code: dict(sites.parts[sites.rank_of[code]]) for code in self.plan.facilities}
        for a in self.plan.allocations:
            parts = found[a.facility]
            parts["goods"] = parts.get("goods", 0) + a.units * self.problem.unit_cost(a)
        return found

    def check(self) -> tuple[list[str], str]:
        """What an independent checker finds wrong with the plan and its claims, and how far its word reaches."""
        from orderstate.allocation.verify import extent, verify  # no other question needs the checker

        if self.problem is None:
            return [], "nothing is proven about a part that was split off"
        return verify(self.problem, self.plan), extent(self.plan)

    def prove(self) -> Plan:
        """The plan with its gap closed by HiGHS, or a cheaper one. Raises NotInstalled without the extra `prove`."""
        from orderstate.allocation.prove import prove  # imports a solver

        return self.plan if self.problem is None or self.plan.optimal else prove(self.problem, self.plan)


def show(s: Session, order_id: str) -> Shown:
    """The order as it stands. Raises NotFound."""
    order = orders.read(s.tx, order_id)
    held = orders.allocations(s.tx, order.serial)
    decided = events.newest_with(s.tx, order_id, "plan") if held else None
    return Shown(
        order=order,
        allocations=held,
        shipments=orders.shipments(s.tx, order),
        children=tuple(orders.children(s.tx, order_id)),
        plan=Plan.read(decided["plan"]) if decided else None,
        next_step=s.machine.next_step(order.state),
        timer=timer(s, order),
        asked_at=s.now,
    )


def show_at(s: Session, order_id: str, version: int) -> Shown:
    """The order as it was at one of its versions, folded from its events. Raises NotFound, InvalidInput.

    The contact is not in the events, so it is not told. Children are those split off until then, without their states.
    """
    now = orders.read(s.tx, order_id)
    if not 1 <= version <= now.version:
        raise InvalidInput("version", version, f"one of the versions 1 to {now.version} of {order_id}")
    found = fold(order_id, events.of(s.tx, order_id, version))
    waiting = timer(s, found.order) if version == now.version else None
    return replace(found, next_step=s.machine.next_step(found.order.state), timer=waiting, asked_at=s.now)


def fold(order_id: str, happened: list[Event]) -> Shown:
    """The order that a list of its events makes, beginning with OrderPlaced."""
    first = happened[0]
    placed = first.payload
    lines = {sku: Line(sku, units) for sku, units in placed["lines"]}
    order = Order(
        order_id,
        str(first.target),
        1,
        placed.get("placed_at", first.at),
        first.at,
        destination(placed["destination"]),
        placed["short"],
        (),
        parent=placed.get("parent"),
    )
    held: dict[tuple[str, str, str], int] = {}
    children: list[tuple[str, str]] = []
    shipments: tuple[Shipment, ...] = ()
    plan: Plan | None = None
    for event in happened:
        payload = event.payload
        for sku, units in payload.get("cancelled", ()):
            lines[sku] = replace(lines[sku], cancelled=lines[sku].cancelled + units)
        for facility, sku, pool, units in payload.get("released", ()):
            held[facility, sku, pool] -= units
        if event.type == "OrderSplit":
            children.append((payload["child"], ""))
            for sku, units in payload["moved"]:
                lines[sku] = replace(lines[sku], quantity=lines[sku].quantity - units)
            for facility, sku, pool, units in payload.get("handed_over", ()):
                held[facility, sku, pool] -= units
        if event.type == "OrderRedirected":
            order = replace(order, destination=destination(payload["destination"]))
        if "plan" in payload:
            plan = Plan.read(payload["plan"])
            held = {(a.facility, a.sku, a.pool): a.units for a in plan.allocations}
        shipments = (
            tuple(Shipment(order_id, f, event.at, units) for f, units in payload.get("shipments", ())) or shipments
        )
        moved = event.target != order.state
        order = replace(
            order,
            state=str(event.target),
            version=event.number,
            entered_at=event.at if moved else order.entered_at,
        )
    allocations = tuple(Allocation(*row, units) for row, units in sorted(held.items()) if units)
    order = replace(order, lines=tuple(line for _, line in sorted(lines.items()) if line.quantity))
    return Shown(order, allocations, shipments, tuple(children), plan if allocations else None, None)


def stored_plan(s: Session, order: Order) -> Planned | None:
    """The plan of the newest InventoryTied or OrderRedirected, or None."""
    decided = events.newest_with(s.tx, order.id, "plan")
    if decided is None:
        return None
    problem = stored.read(decided["problem"]) if "problem" in decided else None
    return Planned(order, Plan.read(decided["plan"]), stored=True, problem=problem)


def history(s: Session, order_id: str) -> History:
    """Events and counted refusals of an order. Raises NotFound."""
    order = orders.read(s.tx, order_id)
    return History(order, tuple(events.of(s.tx, order_id)), tuple(events.refusals(s.tx, order.serial)))


def why(s: Session, order_id: str, trigger: str | None) -> Explanation:
    """Each trigger, or the one named: would it go, and if not, why. Raises NotFound."""
    order = orders.read(s.tx, order_id)
    if trigger is not None and trigger not in s.machine.triggers:
        raise NotFound.named("trigger", trigger, s.machine.triggers)
    return Explanation(order, s.explain(order, trigger), timer(s, order), s.now)


def plan(s: Session, order_id: str, options: Options, strategy: str | None) -> Planned:
    """Before the tie what would be tied; after it the stored plan, unless options or a strategy ask for another.

    Raises NotFound; Refused for an order that ended without stock.
    """
    order = orders.read(s.tx, order_id)
    if options == NO_OPTIONS and strategy is None and s.machine.state(order.state).stock is not Stock.FREE:
        found = stored_plan(s, order)
        if found is not None:
            return found
    ended = s.machine.ended(order)
    if ended is not None and s.machine.state(order.state).stock is Stock.FREE:
        raise s.machine.refused(order, "plan", [ended])
    proposed = s.plan(order, options, strategy)
    return Planned(order, proposed, stored=False, problem=s.problem)
