"""Planning again what is tied already."""

from __future__ import annotations

from typing import Any

from orderstate.engine.answer import Answer
from orderstate.engine.commands import Fire, Retie, typed
from orderstate.engine.moving import fire
from orderstate.engine.session import Session
from orderstate.errors import Refused, StockShort
from orderstate.model import Order, Refusal, Stock
from orderstate.store import orders


class _AsItWas(Exception):
    """Planning again changes nothing worth changing."""


def retie(s: Session, c: Retie) -> Answer:
    """Untie and tie again in one transaction; says what that saves (negative: costs), in 1/1000 minor unit.

    With `if_saves` an order that would not become cheaper stays as it is. Raises StockShort where the new plan does not
    cover the order, unless `force` lets it end backordered; Refused for an order that is not tied.
    """
    order = s.order(c.order, c.if_version)
    if s.machine.state(order.state).stock is not Stock.TIED:
        sentence = f"{order.id} is {order.state}: only a tied order can be tied again"
        trigger = s.machine.tying(order.state)
        remedy = typed(order.id, trigger) if trigger else f"orderstate why {order.id}"
        raise s.machine.refused(order, "tie", [Refusal("not_tied", sentence, remedy, {"state": order.state})])
    held = orders.allocations(s.tx, order.serial)
    before = s.cost(order, held)
    try:
        with s.tx.savepoint():
            return _again(s, c, order, before, held)
    except _AsItWas:
        return Answer({**_head(c, order, order), "changed": False, "cost": before, "was_cost": before, "saves": 0})


def _again(s: Session, c: Retie, order: Order, before: int, held: tuple[Any, ...]) -> Answer:
    who: dict[str, Any] = {"order": order.id, "role": c.role, "by": c.by}
    untie = s.machine.untying(order.state)
    if untie is None:
        raise _no_way_back(s, order, "no trigger gives its stock back so that it can be tied again")
    freed = fire(s, Fire(trigger=untie, reason="tied again", **who))
    pending = s.order(order.id)
    tie = s.machine.tying(pending.state)
    if tie is None or order.state not in s.machine.targets(pending.state, tie):
        if c.if_saves:
            raise _AsItWas
        raise _no_way_back(s, order, f"{untie} leads to {pending.state}, from where no tie leads back to {order.state}")
    plan = s.plan(pending, c.options, c.strategy)
    if plan.short and not c.force:
        refusal = Refusal(
            "stock_covers_order",
            "no plan within these limits covers it: "
            + ", ".join(f"{k} short {n}" for k, n in sorted(plan.short.items())),
            f"orderstate tie {order.id} --again --force",
            {"short": dict(plan.short)},
        )
        raise StockShort(
            f"{order.id} stays tied as it was",
            hint=refusal.remedy,
            code="stock_covers_order",
            blocked=[refusal],
            order=order.id,
            trigger="tie",
        )
    if not plan.short and (plan.allocations == held or (c.if_saves and plan.cost >= before)):
        raise _AsItWas
    tied = fire(s, Fire(trigger=tie, options=c.options, strategy=c.strategy, force=c.force, **who))
    after = s.order(order.id)
    if c.if_saves and after.state != order.state:
        raise _AsItWas
    document = {
        **tied.document,
        **_head(c, order, after),
        "events": [*freed.events, *tied.events],
        "exit": tied.exit_status,
        "was_cost": before,
    }
    if after.state == order.state:
        cost = s.cost(after, orders.allocations(s.tx, after.serial))
        document |= {"cost": cost, "saves": before - cost}
    return Answer(document)


def _no_way_back(s: Session, order: Order, reason: str) -> Refused | StockShort:
    sentence = f"{order.id} cannot be tied again from {order.state}: {reason}"
    remedy = f"orderstate why {order.id}"
    return s.machine.refused(order, "tie", [Refusal("no_way_back", sentence, remedy, {"state": order.state})])


def _head(c: Retie, before: Order, after: Order) -> dict[str, Any]:
    return {
        "command": c.name,
        "order": after.id,
        "was": before.state,
        "state": after.state,
        "version": after.version,
        "events": [],
        "changed": True,
        "exit": 0,
    }
