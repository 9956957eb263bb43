"""The JSON shapes of what is asked. They are stable: docs/cli.md shows each, and programs rely on them.

Ids and states are text, units are integers, times are ISO 8601 in UTC with microseconds and Z; what is not there is
null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orderstate.engine import Due, Explanation, History, Planned, Shown
from orderstate.model import Event, Facility, Order, OrderSummary, Plan, Refusal, StockLevel
from orderstate.render.words import iso, published
from orderstate.settings import SETTINGS, facility_cost_text

Document = dict[str, Any]


def order(found: Order) -> Document:
    """One order, without what is around it."""
    return {
        "order": found.id,
        "state": found.state,
        "version": found.version,
        "placed_at": iso(found.placed_at),
        "entered_at": iso(found.entered_at),
        "destination": str(found.destination),
        "short": found.short,
        "contact": found.contact,
        "parent": found.parent,
        "lines": [
            {"sku": line.sku, "quantity": line.quantity, "cancelled": line.cancelled, "open": line.open}
            for line in found.lines
        ],
    }


def shown(found: Shown) -> Document:
    """`show`: an order and everything around it. `next` is the trigger of the main path, or null."""
    return {
        **order(found.order),
        "allocations": [
            {"facility": a.facility, "sku": a.sku, "pool": a.pool, "units": a.units} for a in found.allocations
        ],
        "shipments": [
            {"facility": s.facility, "shipped_at": iso(s.shipped_at), "units": s.units} for s in found.shipments
        ],
        "children": [{"order": child, "state": state or None} for child, state in found.children],
        "plan": None if found.plan is None else plan(found.plan),
        "next": found.next_step,
        "timer": timer(found.timer, found.asked_at),
    }


def timer(found: Due | None, now: int) -> Document | None:
    """What an order's state fires by itself, and when; null where the flow has no timer there. now: UTC us."""
    if found is None:
        return None
    return {"trigger": found.trigger, "due_at": iso(found.due_at), "overdue": found.overdue(now)}


def plan(found: Plan) -> Document:
    """A plan. `cost`, `bound` and `floor` are in 1/1000 of the minor unit."""
    return {
        "strategy": found.strategy,
        "cost": found.cost,
        "bound": found.bound,
        "optimal": found.optimal,
        "nodes": found.nodes,
        "short": dict(found.short),
        "allocations": [
            {"facility": a.facility, "sku": a.sku, "pool": a.pool, "units": a.units} for a in found.allocations
        ],
        "facilities": [
            {
                "facility": s.facility,
                "why": s.why,
                "metres": s.way,
                "gateway": s.gateway,
                "floor": s.floor,
                "marks": list(s.marks),
            }
            for s in found.standings
        ],
        "certificate": None if found.certificate is None else dict(found.certificate),
    }


def planned(found: Planned) -> Document:
    """`plan`: `stored` is true for the plan that the order was tied with, false for one proposed now."""
    return {
        "order": found.order.id,
        "state": found.order.state,
        "stored": found.stored,
        "plan": plan(found.plan),
        "costs": found.costs(),
    }


def summary(found: OrderSummary) -> Document:
    """`list`: one order."""
    return {
        "order": found.id,
        "state": found.state,
        "version": found.version,
        "placed_at": iso(found.placed_at),
        "entered_at": iso(found.entered_at),
        "destination": found.destination,
        "units": found.open_units,
        "parent": found.parent,
    }


def event(found: Event) -> Document:
    """One event; `payload` depends on its type."""
    return {
        "id": found.id,
        "number": found.number,
        "type": found.type,
        "at": iso(found.at),
        "as": found.role,
        "by": found.by,
        "trigger": found.trigger,
        "from": found.source,
        "to": found.target,
        "payload": published(found.payload),
    }


def history(found: History) -> Document:
    """`history`: the events of an order, and what was refused to it."""
    return {
        "order": found.order.id,
        "state": found.order.state,
        "version": found.order.version,
        "events": [event(e) for e in found.events],
        "refusals": [
            {
                "trigger": r.trigger,
                "codes": list(r.codes),
                "first_at": iso(r.first_at),
                "last_at": iso(r.last_at),
                "count": r.count,
            }
            for r in found.refusals
        ],
    }


def refusal(found: Refusal, carried: Callable[[str], str]) -> Document:
    """One reason that a trigger would not go, and the command that would help, as `carried` completes it."""
    return {
        "code": found.code,
        "sentence": found.sentence,
        "remedy": None if found.remedy is None else carried(found.remedy),
        "values": published(found.values),
    }


def explanation(found: Explanation, role: str, carried: Callable[[str], str]) -> Document:
    """`why`: what each trigger would do now."""
    return {
        "order": found.order.id,
        "state": found.order.state,
        "version": found.order.version,
        "as": role,
        "timer": timer(found.timer, found.asked_at),
        "choices": [
            {
                "trigger": c.trigger,
                "possible": c.possible,
                "target": c.target,
                "refusals": [refusal(r, carried) for r in c.refusals],
            }
            for c in found.choices
        ],
    }


def facility(found: Facility) -> Document:
    """`facility list`: one facility. `costs` are amounts as text, in minor units."""
    return {
        "facility": found.code,
        "country": found.country,
        "at": position(found),
        "name": found.name,
        "gateway": found.gateway,
        "priority": found.priority,
        "closed": found.closed,
        "costs": costs(found.costs),
        "version": found.version,
    }


def position(found: Facility) -> str | None:
    """`LAT,LON` as `--at` takes it."""
    if found.latitude is None or found.longitude is None:
        return None
    return f"{found.latitude:.10g},{found.longitude:.10g}"


def costs(found: Mapping[str, int]) -> dict[str, str]:
    """The costs that a facility overrides, as text in minor units."""
    return {name: facility_cost_text(name, value) for name, value in sorted(found.items())}


def stock(found: StockLevel) -> Document:
    """`stock list`: one pool of one facility for one SKU."""
    return {
        "facility": found.facility,
        "sku": found.sku,
        "pool": found.pool,
        "on_hand": found.on_hand,
        "allocated": found.allocated,
        "safety": found.safety,
        "available": found.available,
    }


def setting(key: str, value: str) -> Document:
    """`config get` and `config list`: one setting with the value in force."""
    declared = SETTINGS[key]
    return {
        "setting": key,
        "value": value,
        "default": declared.default,
        "unit": declared.unit,
        "doc": declared.doc,
    }
