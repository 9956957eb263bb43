"""Changes to an order that are no moves: cancelling a part of it, sending it elsewhere, splitting a facility off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from shlex import join
from typing import Any

from orderstate.allocation.reduce import reduce
from orderstate.engine.answer import Answer
from orderstate.engine.commands import Cancel, Fire, Redirect, Split, typed
from orderstate.engine.moving import fire, release, split_off, without
from orderstate.engine.session import Session, answer
from orderstate.errors import Blocker, Conflict, NotFound, Refused
from orderstate.geo import destination
from orderstate.guards import goods_still_here
from orderstate.model import Allocation, Order, Plan, Refusal, Standing, Stock
from orderstate.store import events, orders, stock

_LEFT = "goods_still_here"


def cancel(s: Session, c: Cancel) -> Answer:
    """Cancel the whole order, or some units of it: OrderCancelled, or OrderReduced. The last unit is a cancel."""
    if c.lines:
        order = s.order(c.order, c.if_version)
        if dict(c.lines) != {line.sku: line.open for line in order.lines if line.open}:
            return _reduce(s, c, order)
    try:
        done = fire(
            s, Fire(order=c.order, trigger="cancel", reason=c.reason, if_version=c.if_version, role=c.role, by=c.by)
        )
    except Refused as refused:
        if not c.lines:
            raise
        raise s.machine.refused(order, "cancel", _still_there(s, refused.blocked, c.lines)) from refused
    return Answer({**done.document, "command": c.name})


def _reduce(s: Session, c: Cancel, order: Order) -> Answer:
    facts = s.facts(order)
    taken, refusals = s.machine.ask(order, "cancel", facts)
    if taken is None:
        raise s.machine.refused(order, "cancel", _still_there(s, refusals, c.lines))
    open_units = {line.sku: line.open for line in order.lines}
    for sku, units in c.lines:
        if sku not in open_units:
            raise NotFound.named("SKU", sku, list(open_units), hint=f"orderstate show {order.id}")
        if units > open_units[sku]:
            raise Refused(
                f"{order.id} has only {open_units[sku]} of {sku} left to cancel, not {units}",
                code="more_than_open",
                hint=f"orderstate cancel {order.id} --line {sku}:{open_units[sku]}"
                if open_units[sku]
                else f"orderstate show {order.id}",
                order=order.id,
                trigger="cancel",
                sku=sku,
                open=open_units[sku],
            )
    number = order.version + 1
    cancelled = dict(c.lines)
    payload: dict[str, Any] = {"cancelled": [[sku, units] for sku, units in c.lines]}
    if c.reason:
        payload["reason"] = c.reason
    if facts.stock is Stock.TIED:
        payload["released"] = _release_some(s, order, number, cancelled)
    lines = tuple(replace(line, cancelled=line.cancelled + cancelled.get(line.sku, 0)) for line in order.lines)
    orders.update_lines(s.tx, order, [line for line in lines if line.sku in cancelled])
    after = _stay(s, order, replace(order, lines=lines), "OrderReduced", "cancel", payload)
    return answer(c.name, order, after, [f"{order.id}:{number}"], **payload)


def _still_there(s: Session, refusals: Iterable[Blocker], lines: Iterable[tuple[str, int]]) -> list[Refusal]:
    """The refusals of a partial cancel: where goods have left, a child that still has some of these units is named."""
    found = []
    for r in refusals:
        remedy = r.remedy
        if r.code == _LEFT:
            parts = ((child, _part_of(s, child, lines)) for child in _children(r))
            remedy = next((f"orderstate cancel {join([child, *words])}" for child, words in parts if words), None)
        found.append(Refusal(r.code, r.sentence, remedy, r.values))
    return found


def _part_of(s: Session, child: str, lines: Iterable[tuple[str, int]]) -> list[str]:
    """The options that cancel what an order has of these lines."""
    there = {line.sku: line.open for line in orders.read(s.tx, child).lines}
    units = [(sku, min(n, there.get(sku, 0))) for sku, n in lines]
    return [word for sku, n in units if n for word in ("--line", f"{sku}:{n}")]


def _children(refusal: Blocker) -> list[str]:
    """The orders split off that are still here, of a refusal by goods_still_here."""
    found = refusal.values.get("open_children")
    return [str(child) for child in found] if isinstance(found, list) else []


def _release_some(s: Session, order: Order, number: int, cancelled: Mapping[str, int]) -> list[list[object]]:
    held = orders.allocations(s.tx, order.serial)
    cost = s.network.unit_cost(order.destination, {line.sku: line.grams for line in order.lines})
    released = reduce(held, cancelled, cost)
    stock.release(s.tx, order.id, number, s.now, released)
    orders.reduce(s.tx, order.serial, held, released)
    return [[a.facility, a.sku, a.pool, a.units] for a in released]


def redirect(s: Session, c: Redirect) -> Answer:
    """Send the order elsewhere: OrderRedirected. A tied order is planned again, whole or not at all."""
    order = s.order(c.order, c.if_version)
    to = destination(c.to)
    _still_changeable(s, order, c.name, "--to", c.to)
    if to == order.destination:
        return answer(c.name, order, order, [], destination=c.to)
    number = order.version + 1
    after = replace(order, destination=to)
    payload: dict[str, Any] = {"from": str(order.destination), "destination": c.to}
    if s.machine.state(order.state).stock is Stock.TIED:
        payload["released"] = release(s, order, number, orders.allocations(s.tx, order.serial))
        plan = s.plan(after)
        if plan.short:
            untie = s.machine.untying(order.state)
            refusal = Refusal(
                "stock_covers_order",
                f"no plan covers {order.id} at {c.to}, so it stays as it is",
                typed(order.id, untie) if untie else f"orderstate why {order.id}",
                {"short": dict(plan.short)},
            )
            raise s.machine.refused(order, c.name, [refusal])
        if not stock.take(s.tx, order.id, number, s.now, plan.allocations):
            raise Conflict(f"{order.id}: another order took the stock", hint="try again; nothing was changed")
        orders.allocate(s.tx, order.serial, plan.allocations)
        payload |= s.decided(plan)
    after = _stay(s, order, after, "OrderRedirected", c.name, payload)
    payload.pop("problem", None)
    return answer(c.name, order, after, [f"{order.id}:{number}"], **payload)


def split(s: Session, c: Split) -> Answer:
    """Let one facility's part of a tied order move by itself: OrderSplit; the child's OrderPlaced, InventoryTied."""
    order = s.order(c.order, c.if_version)
    _still_changeable(s, order, c.name, "--facility", c.facility)
    held = orders.allocations(s.tx, order.serial)
    moved = [a for a in held if a.facility == c.facility]
    if not moved or len(moved) == len(held):
        raise _nothing_to_split(s, order, c.facility, held)
    written: list[str] = []
    units: dict[str, int] = {}
    for a in moved:
        units[a.sku] = units.get(a.sku, 0) + a.units
    for a in moved:
        s.tx.execute(s.tx.sql.allocation_delete, (order.serial, a.facility, a.sku, a.pool))
    handed_over = [[a.facility, a.sku, a.pool, a.units] for a in moved]
    child = split_off(s, order, units, written, handed_over=handed_over)
    stock.hand_over(s.tx, (order.id, order.version + 1), (child.id, 2), s.now, moved)
    orders.allocate(s.tx, child.serial, moved)
    after = replace(order, version=order.version + 1, lines=without(order.lines, units))
    _write(s, order, after)
    document = _part(s, order, moved).document()
    tied = replace(child, state=order.state, version=2)
    _write(s, child, tied)
    written.append(
        s.record(
            child.id, 2, "InventoryTied", {"plan": document}, trigger=c.name, source=child.state, target=tied.state
        )
    )
    return answer(c.name, order, after, written, child=child.id, moved=[[sku, n] for sku, n in sorted(units.items())])


def _part(s: Session, order: Order, moved: list[Allocation]) -> Plan:
    """The part of the order's plan that goes with one facility. Nothing is proven about a part."""
    stored = events.newest_with(s.tx, order.id, "plan")
    whole = Plan.read(stored["plan"]) if stored else None
    facility = moved[0].facility
    standing = next((x for x in whole.standings if x.facility == facility), None) if whole else None
    return Plan(
        strategy=whole.strategy if whole else "split",
        allocations=tuple(moved),
        short={},
        standings=(standing or Standing(facility, "used"),),
    )


def _nothing_to_split(s: Session, order: Order, facility: str, held: tuple[Allocation, ...]) -> Refused | Exception:
    here = sorted({a.facility for a in held})
    if not here:
        sentence = f"{order.id} is {order.state}: nothing is tied, so nothing can be split off"
    elif facility in here:
        sentence = f"everything of {order.id} comes from {facility}: nothing would be left"
    else:
        sentence = f"nothing of {order.id} comes from {facility}, only from {', '.join(here)}"
    refusal = Refusal("nothing_to_split", sentence, f"orderstate show {order.id}", {"facilities": here})
    return s.machine.refused(order, "split", [refusal])


def _still_changeable(s: Session, order: Order, command: str, *words: str) -> None:
    """Refuse what is final or has left. The same command, with these words, is the remedy for a child still here."""
    left = goods_still_here(order, s.facts(order), {})
    if left is not None:
        children = (child for child in _children(left) if command != "split" or _has_to_split(s, child, words[-1]))
        child = next(children, None)
        left = replace(left, remedy=f"orderstate {command} {join([child, *words])}" if child else None)
    refusals = [refusal for refusal in (s.machine.ended(order), left) if refusal is not None]
    if refusals:
        raise s.machine.refused(order, command, refusals)


def _has_to_split(s: Session, order_id: str, facility: str) -> bool:
    """True where something, but not everything, of an order comes from the facility."""
    held = orders.allocations(s.tx, orders.read(s.tx, order_id).serial)
    return 0 < sum(a.facility == facility for a in held) < len(held)


def _stay(s: Session, before: Order, after: Order, kind: str, trigger: str, payload: Mapping[str, Any]) -> Order:
    """Raise the version and write the event; the state stays."""
    after = replace(after, version=before.version + 1)
    _write(s, before, after)
    s.record(after.id, after.version, kind, payload, trigger=trigger, source=before.state, target=after.state)
    return after


def _write(s: Session, before: Order, after: Order) -> None:
    orders.move(s.tx, before, after)
