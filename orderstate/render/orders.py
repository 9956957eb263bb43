"""One order, what happened to it, what is possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from orderstate.engine import Due, Explanation, History, Shown
from orderstate.machine import Choice
from orderstate.model import Event, RefusalCount
from orderstate.render.plans import from_where, tied
from orderstate.render.tables import Column, Row, Table
from orderstate.render.words import folded, goods, iso, lasting, left, moment, plain, released

LINES = (Column("sku"), Column("quantity", number=True), Column("cancelled", number=True), Column("open", number=True))
SHIPMENTS = (Column("shipped from"), Column("units", number=True), Column("at"))
CHILDREN = (Column("split off as"), Column("state"))
HISTORY = (
    Column("number", number=True),
    Column("at"),
    Column("event"),
    Column("from"),
    Column("to"),
    Column("as"),
    Column("by"),
    Column("what"),
)
WHY = (
    Column("trigger"),
    Column("possible"),
    Column("target"),
    Column("code"),
    Column("sentence"),
    Column("remedy"),
)
BY_ITSELF = "by itself, as system: "
"""What stands before a timer, where it is told among triggers that somebody fires."""
_FIRES = "orderstate advance --due"
_NOW = 1_000_000
"""Microseconds: a timer that is nearer than this is due now."""


def facts(found: Shown, carried: Callable[[str], str]) -> list[tuple[str, str]]:
    """What is to say about an order as a whole, as (label, value); `carried` completes a command."""
    order = found.order
    rows = [
        ("order", order.id),
        ("state", f"{order.state}, since {moment(order.entered_at)}"),
        ("version", str(order.version)),
        ("placed", moment(order.placed_at)),
        ("to", str(order.destination)),
        ("if short", order.short),
    ]
    if order.contact:
        rows.append(("contact", order.contact))
    if order.parent:
        rows.append(("parent", order.parent))
    if found.timer:
        rows.append(("timer", timer_line(found.timer, found.asked_at, carried)))
    return rows


def timer_line(timer: Due, now: int, carried: Callable[[str], str]) -> str:
    """When a timer is due, and if that is over what fires it; `carried` completes a command. now: UTC microseconds."""
    fires = f": run {carried(_FIRES)}" if timer.overdue(now) else ""
    return timer_told(timer, now) + fires


def timer_told(timer: Due, now: int) -> str:
    """`untie is due in 3 h, at 2026-11-24 18:59:37`, or how long ago it was due. now: UTC microseconds."""
    left = timer.due_at - now
    when = f"is due in {lasting(left / 1e6)}" if left > 0 else f"was due {lasting(-left / 1e6)} ago"
    return f"{timer.trigger} {'is due now' if abs(left) < _NOW else when}, at {moment(timer.due_at)}"


def exact_facts(found: Shown) -> list[tuple[str, str]]:
    """The same for programs: one value each, under the names of the JSON shape."""
    order = found.order
    return [
        ("order", order.id),
        ("state", order.state),
        ("version", str(order.version)),
        ("placed_at", iso(order.placed_at)),
        ("entered_at", iso(order.entered_at)),
        ("destination", str(order.destination)),
        ("short", order.short),
        ("contact", order.contact or ""),
        ("parent", order.parent or ""),
        ("next", found.next_step or ""),
        ("timer", found.timer.trigger if found.timer else ""),
        ("due_at", iso(found.timer.due_at) if found.timer else ""),
        ("overdue", ("yes" if found.timer.overdue(found.asked_at) else "no") if found.timer else ""),
    ]


def tables(found: Shown, *, exact: bool) -> list[Table]:
    """Lines, from where each unit comes and why, shipments, children; `exact`: as programs read them."""
    time = iso if exact else moment
    return [
        Table("line", LINES, [(x.sku, x.quantity, x.cancelled, x.open) for x in found.order.lines]),
        exact_from(found) if exact else from_where(found.allocations, found.plan),
        Table("shipment", SHIPMENTS, [(s.facility, s.units, time(s.shipped_at)) for s in found.shipments]),
        Table("child", CHILDREN, [(child, state or None) for child, state in found.children]),
    ]


def exact_from(found: Shown) -> Table:
    """From where each unit comes, with metres, gateway and the word of the plan for why."""
    plan = {} if found.plan is None else {s.facility: (s.way, s.gateway, s.why) for s in found.plan.standings}
    unknown = (None, None, None)
    return Table(
        "from", (), [(a.facility, a.pool, a.sku, a.units, *plan.get(a.facility, unknown)) for a in found.allocations]
    )


def history(found: History) -> Iterator[Row]:
    """Rows of HISTORY: the events, then what was refused, without a number, at the last time."""
    for e in found.events:
        yield e.number, iso(e.at), e.type, e.source, e.target, e.role, e.by, what(e)
    for r in found.refusals:
        yield None, iso(r.last_at), "refused", None, None, None, None, f"{r.trigger}: {refused(r, iso(r.first_at))}"


def history_drawn(found: History, width: int) -> Iterator[str]:
    """Each event on a line with its number, time and state, and below it what it says; then what was refused."""
    wide = len(str(found.order.version))
    for e in found.events:
        who = f"{e.role} {e.by}" if e.by else e.role
        yield from _entry(str(e.number).rjust(wide), e.at, f"{e.type}: {e.target} ({who})", what(e), width)
    for r in found.refusals:
        yield from _entry("-".rjust(wide), r.last_at, f"{r.trigger} refused", refused(r, moment(r.first_at)), width)


def _entry(number: str, at: int, head: str, text: str, width: int) -> Iterator[str]:
    hanging = " " * (len(number) + 2)
    yield from folded(plain(f"{moment(at)}  {head}"), width, f"{number}  ", hanging)
    if text:
        yield from folded(plain(text), width, hanging + "  ")


def refused(r: RefusalCount, first: str) -> str:
    """`goods_still_here, 3 times since 2026-11-22 15:04:02`."""
    times = "" if r.count == 1 else f", {r.count} times since {first}"
    return f"{', '.join(r.codes)}{times}"


def what(event: Event) -> str:
    """What an event says, in a few words."""
    p = event.payload
    parts: list[str] = []
    if event.type == "OrderPlaced":
        parts.append(f"{goods((sku, units) for sku, units in p['lines'])} to {p['destination']}")
        if "parent" in p:
            parts.append(f"split off {p['parent']}")
    if "destination" in p and event.type == "OrderRedirected":
        parts.append(f"to {p['destination']} instead of {p['from']}")
    if "moved" in p:
        parts.append(f"{goods((sku, units) for sku, units in p['moved'])} to {p['child']}")
    if "cancelled" in p:
        parts.append(f"cancelled {goods((sku, units) for sku, units in p['cancelled'])}")
    if p.get("released"):
        parts.append("given back " + released(p["released"]))
    if "plan" in p:
        parts.append("; ".join(tied(p["plan"])))
    if isinstance(p.get("short"), Mapping):  # elsewhere it is the order's policy
        parts.append(f"short of {goods(sorted(p['short'].items()))}")
    if "shipments" in p:
        parts.append(left(p["shipments"]))
    if event.type == "FlowChanged":
        parts.append(f"flow {p['flow']}")
    if "reason" in p:
        parts.append(f"reason: {p['reason']}")
    return "; ".join(parts)


def why(found: Explanation, carried: Callable[[str], str]) -> Iterator[Row]:
    """Rows of WHY: one for what is possible, one for each reason where it is not; `carried` completes a command."""
    for choice in found.choices:
        if choice.possible:
            yield choice.trigger, "yes", choice.target, None, None, None
        for r in choice.refusals:
            yield choice.trigger, "no", None, r.code, r.sentence, None if r.remedy is None else carried(r.remedy)


def why_drawn(found: Explanation, role: str, width: int, carried: Callable[[str], str]) -> Iterator[str]:
    """What is possible, and what is not with every reason, as lines of text; `carried` completes a command."""
    order = found.order
    yield f"{order.id} is {order.state}; asked as {role}"
    if found.timer:
        yield from folded(BY_ITSELF + timer_told(found.timer, found.asked_at), width, hanging="    ")
        if found.timer.overdue(found.asked_at):
            yield f"    try: {carried(_FIRES)}"
    for choice in sorted(found.choices, key=lambda c: not c.possible):
        yield ""
        yield from _choice(choice, width, carried, f"orderstate why {order.id}")


def _choice(choice: Choice, width: int, carried: Callable[[str], str], itself: str) -> Iterator[str]:
    if choice.possible:
        yield f"{choice.trigger}: possible, leads to {choice.target}"
        return
    yield f"{choice.trigger}: refused"
    for r in choice.refusals:
        yield from folded(f"{r.code}: {r.sentence}", width, "  ", "    ")
        if r.remedy and r.remedy != itself:
            yield f"    try: {carried(plain(r.remedy))}"
