"""Named guards: facts that must hold before a transition. Each takes values, returns a refusal or None; all are asked.

A guard never touches a database. What it must know beyond the order comes in as `Facts`, whose costlier parts are
callables, so that a cancel plans nothing and a tie reads no shipments.

Guards of one's own come by entry point or by dotted path; they are found and validated when a flow that names them is
compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache

from orderstate.errors import InvalidInput, NotFound, OrderstateError
from orderstate.model import GuardUse, Order, Plan, Refusal, Shipment, Stock
from orderstate.plugins import demand, load, path_of


@dataclass(frozen=True, slots=True)
class Facts:
    """What guards may ask about, beside the order itself."""

    role: str
    """Who asks: customer, operator or system."""
    stock: Stock
    """What the order's present state means for stock."""
    plan: Callable[[], Plan]
    """The plan that a tie would carry out now."""
    shipments: Callable[[], tuple[Shipment, ...]]
    """What has left for this order."""
    open_children: Callable[[], tuple[str, ...]]
    """Ids of child orders that could still be cancelled."""
    restricted: bool = False
    """The caller limited the plan (--only, --exclude), so a shortfall does not mean that stock is missing."""


Check = Callable[[Order, Facts, Mapping[str, str]], Refusal | None]

GROUP = "orderstate.guards"
"""The entry point group in which an installed package offers guards."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A registered guard: its check, and the parameters that it takes with the words that each may be (none: any)."""

    name: str
    check: Check
    fact: str
    """The fact that must hold, as a sentence fragment for people."""
    params: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def day(at: int) -> str:
    """`2011-12-09`, from UTC microseconds."""
    return datetime.fromtimestamp(at / 1_000_000, UTC).strftime("%Y-%m-%d")


def stock_covers_order(order: Order, facts: Facts, params: Mapping[str, str]) -> Refusal | None:
    """The plan leaves nothing short; or the order may be split and at least a part of it can be tied."""
    plan = facts.plan()
    if not plan.short or (order.short == "split" and plan.allocations):
        return None
    wanted = {line.sku: line.open for line in order.lines}
    parts = ", ".join(
        f"{sku} (wanted {wanted.get(sku, units)}, short {units})" for sku, units in sorted(plan.short.items())
    )
    sku, units = next(iter(sorted(plan.short.items())))
    return Refusal(
        "stock_covers_order",
        f"stock does not cover {parts}",
        f"orderstate stock receive FACILITY {sku} {units}",
        {"short": dict(plan.short)},
    )


def may_wait(order: Order, facts: Facts, params: Mapping[str, str]) -> Refusal | None:
    """The order's policy lets it wait for stock, and nobody narrowed the search."""
    if order.short == "refuse":
        return Refusal(
            "may_wait",
            f"{order.id} was placed with --short refuse, so it does not wait for stock",
            f"orderstate cancel {order.id}",
            {"short": order.short},
        )
    if facts.restricted:
        return Refusal(
            "may_wait",
            "the plan was limited by the caller, so a shortfall is no reason to wait",
            f"orderstate tie {order.id}",
        )
    return None


def goods_still_here(order: Order, facts: Facts, params: Mapping[str, str]) -> Refusal | None:
    """Nothing of the order has left."""
    if facts.stock is not Stock.GONE:
        return None
    shipments = facts.shipments()
    if shipments:
        left = f"the goods left on {day(min(s.shipped_at for s in shipments))}"
        word = "shipment" if len(shipments) == 1 else "shipments"
        left += f" in {len(shipments)} {word}: {', '.join(s.facility for s in shipments)}"
    else:
        left = "the goods have left"
    children = facts.open_children()
    remedy = f"orderstate cancel {' '.join(children)}" if children else None
    if children:
        left += f"; not yet gone: {', '.join(children)}"
    return Refusal(
        "goods_still_here",
        left,
        remedy,
        {"shipments": [s.facility for s in shipments], "open_children": list(children)},
    )


_REACH = {Stock.FREE: 0, Stock.TIED: 1, Stock.GONE: 2}


def canceller_may(order: Order, facts: Facts, params: Mapping[str, str]) -> Refusal | None:
    """Whoever cancels may still do so. A parameter per role names the last meaning of stock at which that role may."""
    limit = Stock(params.get(facts.role, Stock.TIED))
    if _REACH[facts.stock] <= _REACH[limit]:
        return None
    who = f"a {facts.role}" if facts.role != "operator" else "an operator"
    until = "inventory is tied" if limit is Stock.FREE else "the goods leave"
    others = [r for r, last in params.items() if r != facts.role and _REACH[facts.stock] <= _REACH[Stock(last)]]
    remedy = f"orderstate cancel {order.id} --as {others[0]}" if others else None
    return Refusal(
        "canceller_may", f"{who} may cancel only until {until}", remedy, {"role": facts.role, "limit": limit.value}
    )


_STOCK_WORDS = tuple(s.value for s in Stock)

GUARDS: dict[str, Guard] = {
    g.name: g
    for g in (
        Guard("stock_covers_order", stock_covers_order, "stock covers the order, or the part of it that may go alone"),
        Guard("may_wait", may_wait, "the order may wait for stock"),
        Guard("goods_still_here", goods_still_here, "nothing of the order has left"),
        Guard(
            "canceller_may",
            canceller_may,
            "whoever cancels may still do so",
            {"customer": _STOCK_WORDS, "operator": _STOCK_WORDS, "system": _STOCK_WORDS},
        ),
    )
}


def bound(use: GuardUse) -> Guard:
    """The guard that a flow names, its parameters checked: built in, an entry point of GROUP, or `package.module:name`.

    Raises NotFound for an unknown guard or parameter and InvalidInput for a value that the parameter does not take, or
    a guard of one's own that cannot be loaded or called.
    """
    guard = GUARDS.get(use.name) or _own(use.name)
    for key, value in use.params.items():
        if key not in guard.params:
            raise NotFound.named(f"parameter of guard {use.name}", key, list(guard.params))
        if guard.params[key] and value not in guard.params[key]:
            raise InvalidInput(f"{use.name}.{key}", value, "one of " + ", ".join(guard.params[key]))
    return guard


@cache
def _own(name: str) -> Guard:
    path = path_of("guard", name, GROUP, GUARDS)
    found = load("guard", name, path)
    guard = found if isinstance(found, Guard) else Guard(name, found, _first_line(found) or name)
    expected = "a Guard, or a callable that takes an order, facts and parameters"
    demand("guard", name, path, guard.check, 3, expected)
    return replace(guard, name=name, check=_watched(name, guard.check))


def _first_line(found: object) -> str:
    return ((found.__doc__ or "").strip().splitlines() or [""])[0].rstrip(".")


def _watched(name: str, check: Check) -> Check:
    """The check of a plug-in, held to its contract: True for "it holds" would otherwise count as a refusal."""

    def watched(order: Order, facts: Facts, params: Mapping[str, str]) -> Refusal | None:
        try:
            answer: object = check(order, facts, params)
        except OrderstateError:
            raise
        except Exception as cause:
            raise OrderstateError(
                f"guard {name} raised {type(cause).__name__}: {cause}",
                code="guard_broken",
                hint="mend the guard: orderstate --debug COMMAND shows where it raised",
            ) from cause
        if answer is None or isinstance(answer, Refusal):
            return answer
        raise OrderstateError(
            f"guard {name} returned {type(answer).__name__}, where a Refusal or None is due",
            code="guard_broken",
            hint="mend the guard: it returns None where its fact holds, and a Refusal where it does not",
        )

    return watched
