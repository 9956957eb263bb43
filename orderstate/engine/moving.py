"""Placing an order and moving it through the flow. What a move does to stock follows from what the two states mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from orderstate.engine.answer import Answer
from orderstate.engine.commands import Advance, Fire, Place
from orderstate.engine.session import Session, answer
from orderstate.engine.timers import still_due
from orderstate.errors import Conflict, OrderstateError, Refused, StaleVersion
from orderstate.geo import destination
from orderstate.model import Allocation, Line, Order, Plan, Refusal, Shipment, Stock, Transition
from orderstate.store import orders, stock

ATTEMPTS = 3
"""How often a tie that lost its stock to another order is planned again."""

_LONGEST_COUNTED = 18
"""Digits that an id counted here never has: nobody places so many orders."""


def place(s: Session, c: Place) -> Answer:
    """Record a new order in the initial state: OrderPlaced. Nothing is reserved."""
    if c.theirs and c.id is not None and c.id.isdigit() and len(c.id) < _LONGEST_COUNTED:
        orders.count_past(s.tx, int(c.id))
    order = new_order(
        s,
        c.id or orders.generated_id(s.tx),
        to=c.to,
        short=c.short or s.settings.short,
        lines=[Line(sku, units) for sku, units in c.lines],
        contact=c.contact,
    )
    return answer(c.name, None, order, [f"{order.id}:1"], destination=c.to, lines=[list(line) for line in c.lines])


def new_order(
    s: Session,
    order_id: str,
    *,
    to: str,
    short: str,
    lines: Sequence[Line],
    contact: str | None = None,
    parent: str | None = None,
    placed_at: int | None = None,
    state: str | None = None,
) -> Order:
    """Insert an order with its OrderPlaced; in the initial state of the flow, unless a state is named.

    Raises Refused where the id is taken, NotFound for an unknown SKU.
    """
    order = Order(
        id=order_id,
        state=state or s.machine.flow.initial,
        version=1,
        placed_at=s.now if placed_at is None else placed_at,
        entered_at=s.now,
        destination=destination(to),
        short=short,
        lines=tuple(lines),
        contact=contact,
        parent=parent,
    )
    serial = orders.insert(s.tx, order)
    payload: dict[str, Any] = {
        "destination": to,
        "short": short,
        "lines": [[line.sku, line.quantity] for line in lines],
    }
    if parent is not None:
        payload["parent"] = parent
    if order.placed_at != s.now:
        payload["placed_at"] = order.placed_at
    s.record(order.id, 1, "OrderPlaced", payload, target=order.state)
    return order.moved(order.state, 1, s.now, serial)


def fire(s: Session, c: Fire) -> Answer:
    """Fire one trigger. Asking for the state that the order is in already changes nothing and succeeds."""
    order = s.order(c.order, c.if_version)
    if c.timer and not still_due(s, order, c.trigger):
        raise StaleVersion(f"{order.id}: {c.trigger} is not due any more", hint=f"orderstate show {order.id}")
    if order.state in s.machine.arrives(c.trigger) and c.trigger not in s.machine.choices(order.state):
        return answer(c.name, order, order, [], trigger=c.trigger)
    return _move(s, c, order, c.trigger, c.reason)


def advance(s: Session, c: Advance) -> Answer:
    """Fire the one main-path trigger that leaves the order's state."""
    order = s.order(c.order, c.if_version)
    trigger = s.machine.next_step(order.state)
    if trigger is None:
        off = f"{order.id} is {order.state}, which the main path does not leave"
        refusal = s.machine.ended(order) or Refusal("not_on_path", off, None, {"state": order.state})
        raise s.machine.refused(order, c.name, [refusal])
    return _move(s, c, order, trigger, None)


def _move(s: Session, c: Fire | Advance, order: Order, trigger: str, reason: str | None) -> Answer:
    for _ in range(ATTEMPTS):
        facts = s.facts(order, c.options, c.strategy, forced=isinstance(c, Fire) and c.force)
        taken = s.machine.fire(order, trigger, facts)
        effect = s.machine.effect(order.state, taken.target)
        if effect != (Stock.FREE, Stock.TIED):
            plan = facts.plan() if s.machine.short_of_stock(order.state, taken) else None
            return _carry_out(s, order, taken, effect, reason, plan, c.name)
        done = _tie(s, order, taken, facts.plan(), reason, c.name)
        if done is not None:
            return done
    raise Conflict(f"{order.id}: other orders took the stock {ATTEMPTS} times", hint="try again; nothing was changed")


def _tie(s: Session, order: Order, taken: Transition, plan: Plan, reason: str | None, command: str) -> Answer | None:
    """Reserve what the plan says; None where another order took it first. What is short becomes a child order."""
    number = order.version + (2 if plan.short else 1)
    if not stock.take(s.tx, order.id, number, s.now, plan.allocations):
        return None
    written: list[str] = []
    more: dict[str, Any] = {}
    before = order
    if plan.short:
        child = split_off(s, order, plan.short, written)
        more["child"] = child.id
        order = replace(order, version=order.version + 1, lines=without(order.lines, plan.short))
    orders.allocate(s.tx, order.serial, plan.allocations)
    payload = s.decided(plan)
    if reason:
        payload["reason"] = reason
    after = _arrive(s, before, order, number, taken, payload, written)
    return answer(command, before, after, written, trigger=taken.trigger, plan=payload["plan"], **more)


def _carry_out(
    s: Session,
    order: Order,
    taken: Transition,
    effect: tuple[Stock, Stock],
    reason: str | None,
    plan: Plan | None,
    command: str,
) -> Answer:
    """Every move that is no tie: release, ship, or nothing, as the two states mean for stock."""
    number = order.version + 1
    payload: dict[str, Any] = {"reason": reason} if reason else {}
    source, target = effect
    if source is Stock.TIED and target is not Stock.TIED:
        held = orders.allocations(s.tx, order.serial)
        if target is Stock.FREE:
            payload["released"] = release(s, order, number, held)
        else:
            payload["shipments"] = _ship(s, order, number, held)
    elif source is Stock.GONE and target is not Stock.GONE:
        raise Refused(f"{order.id}: the goods have left, so {taken.trigger} cannot lead to {taken.target}")
    elif (source, target) == (Stock.FREE, Stock.GONE):
        raise OrderstateError(f"{taken.trigger} would ship what was never tied; the flow is broken", code="flow_broken")
    short = {}
    if plan is not None:
        short = dict(plan.short)
        payload["short"] = short
    written: list[str] = []
    after = _arrive(s, order, order, number, taken, payload, written)
    status = 5 if short else 0
    return answer(command, order, after, written, exit_status=status, trigger=taken.trigger, **payload)


def _arrive(
    s: Session, before: Order, order: Order, number: int, taken: Transition, payload: dict[str, Any], written: list[str]
) -> Order:
    after = order.moved(taken.target, number, s.now)
    orders.move(s.tx, before, after)
    written.append(
        s.record(
            after.id,
            after.version,
            taken.event,
            payload,
            trigger=taken.trigger,
            source=before.state,
            target=after.state,
        )
    )
    return after


def release(s: Session, order: Order, number: int, held: Sequence[Allocation]) -> list[list[object]]:
    """Give back everything that the order holds."""
    stock.release(s.tx, order.id, number, s.now, held)
    orders.deallocate(s.tx, order.serial)
    return [[a.facility, a.sku, a.pool, a.units] for a in held]


def _ship(s: Session, order: Order, number: int, held: Sequence[Allocation]) -> list[list[object]]:
    stock.ship(s.tx, order.id, number, s.now, held)
    units: dict[str, int] = {}
    for a in held:
        units[a.facility] = units.get(a.facility, 0) + a.units
    orders.ship(s.tx, order.serial, [Shipment(order.id, facility, s.now, n) for facility, n in sorted(units.items())])
    return [[facility, n] for facility, n in sorted(units.items())]


def split_off(s: Session, order: Order, moved: Mapping[str, int], written: list[str], **more: Any) -> Order:
    """Move units by SKU from the order to a new child, under the order's next number: OrderSplit, OrderPlaced.

    `more` goes into the OrderSplit's payload; the events' ids are added to `written`.
    """
    count = len(orders.children(s.tx, order.id)) + 2
    while orders.exists(s.tx, f"{order.id}-{count}"):
        count += 1
    child_id = f"{order.id}-{count}"
    payload = {"child": child_id, "moved": [[sku, units] for sku, units in sorted(moved.items())], **more}
    written.append(s.record(order.id, order.version + 1, "OrderSplit", payload, source=order.state, target=order.state))
    left = {line.sku: line for line in without(order.lines, moved)}
    gone = [left.get(sku) or Line(sku, 0) for sku in sorted(moved)]
    orders.update_lines(s.tx, order, gone)
    child = new_order(
        s,
        child_id,
        to=str(order.destination),
        short=order.short,
        lines=[Line(sku, units) for sku, units in sorted(moved.items())],
        contact=order.contact,
        parent=order.id,
        placed_at=order.placed_at,
        # What was asked of the customer on the way here (a payment, say) was asked for the whole order.
        state=order.state if s.machine.state(order.state).stock is Stock.FREE else None,
    )
    written.append(f"{child.id}:1")
    return child


def without(lines: Sequence[Line], moved: Mapping[str, int]) -> tuple[Line, ...]:
    """The lines after units by SKU went to another order; a line of which nothing is left goes."""
    kept = (replace(line, quantity=line.quantity - moved.get(line.sku, 0)) for line in lines)
    return tuple(line for line in kept if line.quantity)
