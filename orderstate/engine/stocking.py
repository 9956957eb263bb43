"""Stock and the network: receiving, adjusting, counting, facilities, settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from orderstate.allocation import strategy
from orderstate.engine.answer import Answer
from orderstate.engine.commands import Adjust, Configure, Count, Fire, Receive, SetFacility, quantity, text
from orderstate.engine.moving import fire
from orderstate.engine.session import Session
from orderstate.errors import InvalidInput, NotFound, Refused
from orderstate.geo import country, gateway_text, position
from orderstate.machine import UNTIE, Machine
from orderstate.model import Facility, Refusal, Stock, StockLevel
from orderstate.settings import SETTINGS, facility_cost, parse
from orderstate.store import network, orders, stock

WAITING_SHOWN = 20
"""How many waiting orders an answer names for each SKU."""


def receive(s: Session, c: Receive) -> Answer:
    """Goods came in: StockReceived. Says who waits for them, oldest first."""
    number, subject = _next(s, c.facility)
    received = [(sku, pool, units) for sku, units, pool in c.items]
    stock.receive(s.tx, subject, number, s.now, c.facility, received)
    payload: dict[str, Any] = {"received": [list(item) for item in c.items]}
    event = s.record(subject, number, "StockReceived", payload)
    return _answer(c.name, c.facility, number, [event], **payload, waiting=waiting(s, [sku for sku, _, _ in c.items]))


def waiting(s: Session, skus: list[str]) -> list[dict[str, object]]:
    """The orders that wait for any of the SKUs, oldest first, each with the units that it wants."""
    found: dict[str, dict[str, object]] = {}
    for sku in dict.fromkeys(skus):
        for order_id, placed_at, units in orders.waiting(s.tx, sku, waiting_states(s.machine), WAITING_SHOWN):
            entry = found.setdefault(order_id, {"order": order_id, "placed_at": placed_at, "wants": {}})
            wants = entry["wants"]
            assert isinstance(wants, dict)
            wants[sku] = units
    return sorted(found.values(), key=lambda entry: (entry["placed_at"], entry["order"]))[:WAITING_SHOWN]


def waiting_states(machine: Machine) -> list[str]:
    """The states in which an order waits for stock: where a guard asked whether it may wait."""
    return list(
        dict.fromkeys(t.target for t in machine.flow.transitions if any(guard.name == "may_wait" for guard in t.guards))
    )


def adjust(s: Session, c: Adjust) -> Answer:
    """Correct a counter: StockAdjusted. Below what is allocated it is refused, naming the holders, or unties them."""
    network.facility(s.tx, c.facility)
    level = stock.level(s.tx, c.facility, c.sku, c.pool)
    if level is None:
        if not stock.known(s.tx, c.sku):
            raise orders.unknown_sku(s.tx, c.sku)
        raise NotFound(
            f"{c.facility} has never held {c.sku} in its {c.pool} pool",
            hint=f"orderstate stock receive {c.facility} {c.sku} QTY --pool {c.pool}",
            code="unknown_stock",
        )
    on_hand = level.on_hand
    if c.to_units is not None:
        on_hand = c.to_units
    elif c.by_units is not None:
        on_hand = level.on_hand + c.by_units
    if on_hand < 0:
        raise InvalidInput("by", c.by_units, f"at least {-level.on_hand}: only {level.on_hand} are on hand")
    quantity("on_hand", on_hand, least=0)
    untied: list[str] = []
    if on_hand < level.allocated:
        untied = _make_room(s, c, level, on_hand)
    level = stock.level(s.tx, c.facility, c.sku, c.pool) or level
    if on_hand == level.on_hand and (c.safety is None or c.safety == level.safety):
        return _answer(c.name, c.facility, network.facility(s.tx, c.facility).version, [])
    number, subject = _next(s, c.facility)
    if not stock.count(s.tx, subject, number, s.now, level, on_hand):
        raise AssertionError("room was made for this count inside this transaction")
    if c.safety is not None:
        stock.keep_safe(s.tx, c.facility, c.sku, c.pool, c.safety)
    payload: dict[str, Any] = {
        "sku": c.sku,
        "pool": c.pool,
        "was": level.on_hand,
        "on_hand": on_hand,
        "safety": level.safety if c.safety is None else c.safety,
        "untied": untied,
    }
    if c.reason:
        payload["reason"] = c.reason
    event = s.record(subject, number, "StockAdjusted", payload)
    return _answer(c.name, c.facility, number, [event], **payload)


def _make_room(s: Session, c: Adjust | Count, level: StockLevel, on_hand: int) -> list[str]:
    """Untie the newest holders until the count covers what is allocated; without leave to untie, refuse."""
    tied = [state.name for state in s.machine.flow.states if state.stock is Stock.TIED]
    holders = orders.holders(s.tx, level.facility, level.sku, level.pool, tied)
    if not (isinstance(c, Adjust) and c.untie):
        named = ", ".join(f"{order_id} ({units})" for order_id, units in holders[:10])
        more = f" and {len(holders) - 10} more" if len(holders) > 10 else ""
        refusal = Refusal(
            "allocated",
            f"{level.allocated} of {level.sku} in {level.facility} ({level.pool}) are tied to {named}{more}",
            f"orderstate stock adjust {level.facility} {level.sku} --pool {level.pool} --to {on_hand} --untie",
            {"holders": [list(holder) for holder in holders], "allocated": level.allocated},
        )
        raise Refused(
            f"{level.facility}: {on_hand} of {level.sku} on hand would be fewer than the {level.allocated} allocated",
            hint=refusal.remedy,
            code="allocated",
            blocked=[refusal],
            facility=level.facility,
            sku=level.sku,
        )
    untied: list[str] = []
    allocated = level.allocated
    for order_id, units in holders:
        if allocated <= on_hand:
            break
        order = s.order(order_id)
        trigger = s.machine.untying(order.state)
        if trigger is None:
            sentence = f"{order_id} is {order.state}: no trigger gives its stock back so that it can be tied again"
            remedy = f"orderstate why {order_id}"
            raise s.machine.refused(order, UNTIE, [Refusal("no_way_back", sentence, remedy, {"state": order.state})])
        fire(s, Fire(order=order_id, trigger=trigger, reason=f"stock of {level.sku} in {level.facility} adjusted"))
        allocated -= units
        untied.append(order_id)
    return untied


def count(s: Session, c: Count) -> Answer:
    """A stock count: what is new is received, what differs is adjusted, what is equal is left. Safe to repeat."""
    network.facility(s.tx, c.facility)
    news: list[tuple[str, str, int]] = []
    differing: list[tuple[StockLevel, int]] = []
    safe: list[list[object]] = []
    weighed = False
    for sku, pool, on_hand, safety, grams in c.items:
        if grams is not None:
            weighed |= stock.weigh(s.tx, sku, grams)
        level = stock.level(s.tx, c.facility, sku, pool)
        if level is None:
            if on_hand:
                news.append((sku, pool, on_hand))
        elif level.on_hand != on_hand:
            if on_hand < level.allocated:
                _make_room(s, c, level, on_hand)
            differing.append((level, on_hand))
        if safety is not None and (level is not None or on_hand) and safety != (level.safety if level else 0):
            safe.append([sku, pool, level.safety if level else 0, safety])
    written: list[str] = []
    number = network.facility(s.tx, c.facility).version
    if news:
        number, subject = _next(s, c.facility)
        stock.receive(s.tx, subject, number, s.now, c.facility, news)
        payload: dict[str, Any] = {"received": [[sku, units, pool] for sku, pool, units in news]}
        written.append(s.record(subject, number, "StockReceived", payload))
    if differing or safe:
        number, subject = _next(s, c.facility)
        for level, on_hand in differing:
            stock.count(s.tx, subject, number, s.now, level, on_hand)
        for sku, pool, _, safety in safe:
            stock.keep_safe(s.tx, c.facility, str(sku), str(pool), int(str(safety)))
        payload = {"counted": [[level.sku, level.pool, level.on_hand, on_hand] for level, on_hand in differing]}
        if safe:
            payload["safety"] = safe
        written.append(s.record(subject, number, "StockAdjusted", payload))
    return _answer(
        c.name,
        c.facility,
        number,
        written,
        changed=bool(written) or weighed,
        received=len(news),
        adjusted=len(differing),
        rows=len(c.items),
    )


def set_facility(s: Session, c: SetFacility) -> Answer:
    """Add a facility or change the named fields of one."""
    before = Facility(c.facility, "") if c.new else network.facility(s.tx, c.facility)
    after = before
    for field, value in c.values.items():
        if field not in _FIELDS:
            raise NotFound.named("facility field", field, list(_FIELDS))
        after = _FIELDS[field](after, value)
    s.changes_network = True
    if c.new:
        if not after.country:
            raise InvalidInput("country", None, "an ISO 3166 code such as US", hint="--country CC")
        network.add(s.tx, after)
    elif after != before:
        network.set_facility(s.tx, after)
    return _answer(c.name, c.facility, after.version, [], changed=after != before, new=c.new)


def _at(f: Facility, value: object) -> Facility:
    if value is None:
        return replace(f, latitude=None, longitude=None)
    latitude, longitude = position(str(value))
    return replace(f, latitude=latitude, longitude=longitude)


def _cost(f: Facility, value: object) -> Facility:
    """`value` maps cost names to amounts as text, or to None for the network's own."""
    if not isinstance(value, Mapping):
        raise InvalidInput("cost", value, "a mapping of cost names to amounts")
    costs = dict(f.costs)
    for name, amount in value.items():
        plain = name.removeprefix("cost.")
        if amount is None:
            facility_cost(plain, "0")  # refuses an unknown name
            costs.pop(plain, None)
        else:
            costs[plain] = facility_cost(plain, str(amount))
    return replace(f, costs=costs)


def _closed(f: Facility, value: object) -> Facility:
    if not isinstance(value, bool):
        raise InvalidInput("closed", value, "true or false")
    return replace(f, closed=value)


_FIELDS: Mapping[str, Callable[[Facility, Any], Facility]] = {
    "at": _at,
    "country": lambda f, value: replace(f, country=country(str(value))),
    "name": lambda f, value: replace(f, name=text("name", value)),
    "gateway": lambda f, value: replace(f, gateway=None if value is None else gateway_text(str(value))),
    "priority": lambda f, value: replace(f, priority=_priority(value)),
    "closed": _closed,
    "costs": _cost,
}


def _priority(value: object) -> int:
    return quantity("priority", value, least=0)


def configure(s: Session, c: Configure) -> Answer:
    """Keep a setting, or return it to its default."""
    before = network.settings(s.tx).get(c.setting)
    if c.setting not in SETTINGS:
        raise NotFound.named("setting", c.setting, list(SETTINGS), hint="orderstate config list")
    value = None if c.value is None else parse(c.setting, c.value)
    if c.setting == "strategy" and value is not None:
        strategy(value)  # one that cannot be loaded would break every tie from now on
    s.changes_network = True
    if value != before:
        network.configure(s.tx, c.setting, value)
    return Answer(
        {"command": c.name, "setting": c.setting, "value": value, "was": before, "changed": value != before, "exit": 0}
    )


def _next(s: Session, facility: str) -> tuple[int, str]:
    return network.next_number(s.tx, facility), f"facility/{facility}"


def _answer(
    command: str, facility: str, version: int, events: list[str], *, changed: bool | None = None, **more: Any
) -> Answer:
    return Answer(
        {
            "command": command,
            "facility": facility,
            "version": version,
            "events": events,
            "changed": bool(events) if changed is None else changed,
            "exit": 0,
            **more,
        }
    )
