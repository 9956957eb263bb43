"""Plans in words: from where each unit comes, how far that is, and why that facility and not another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from orderstate.engine import Planned
from orderstate.model import Allocation, Plan, Standing
from orderstate.render.tables import Column, Row, Table
from orderstate.render.words import goods, km, minor

_WHY = {
    "closed": "closed",
    "excluded": "left out by --exclude",
    "not_among_only": "not among --only",
    "no_units": "has none of what is wanted",
    "too_few_units": "has too few units",
    "farther": "farther away",
    "lower_priority": "lower priority",
    "dearer": "dearer",
    "not_needed": "not needed",
    "node_limit": "not looked at within the node limit",
}
_MARKS = {
    "no_position": "its position is not known",
    "gateway_abroad": "its gateway is in another country",
    "country_only": "of the destination only the country is known",
}
_PARTS = {"carrier_base": "carrier", "export_fee": "export"}
_OUT = frozenset({"closed", "excluded", "not_among_only"})

TAKES = (Column("facility"), Column("pool"), Column("sku"), Column("units", number=True))
FROM = (*TAKES, Column("km", number=True), Column("gateway", optional=True), Column("why", folds=True))
FACILITIES = (
    Column("facility"),
    Column("km", number=True),
    Column("gateway", optional=True),
    Column("why", folds=True),
)


def reasons(plan: Plan) -> dict[str, str]:
    """For each facility why it is used, or why not."""
    asked = [s.facility for s in plan.standings if s.why not in _OUT]
    return {s.facility: _reason(plan, s, asked) for s in plan.standings}


def _reason(plan: Plan, standing: Standing, asked: Sequence[str]) -> str:
    if standing.why != "used":
        word = _WHY.get(standing.why, standing.why)
    elif plan.strategy == "nearest":
        word = _closest(asked.index(standing.facility), len(asked))
    elif plan.strategy == "priority":
        word = "comes first by priority, with units"
    elif plan.optimal:
        word = f"in the {plan.strategy} plan, proven"
    else:
        word = f"in the {plan.strategy} plan"
    return "; ".join([word, *(_MARKS.get(mark, mark) for mark in standing.marks)])


def _closest(place: int, among: int) -> str:
    if among == 1:
        return "the only one that may ship"
    if place == 0:
        return f"closest of {among}"
    if place == among - 1 and among == 2:
        return "next closest"
    ordinal = {1: "2nd", 2: "3rd"}.get(place, f"{place + 1}th")
    return f"{ordinal} closest of {among}"


def from_where(allocations: Iterable[Allocation], plan: Plan | None) -> Table:
    """From where each unit comes, how far that is and why from there; without a plan only from where."""
    why = {} if plan is None else reasons(plan)
    standing = {} if plan is None else {s.facility: s for s in plan.standings}
    rows: list[Row] = []
    for a in allocations:
        found = standing.get(a.facility)
        way = (None, None) if found is None else (km(found.way), found.gateway)
        rows.append((a.facility, a.pool, a.sku, a.units, *way, why.get(a.facility)))
    return Table("from", FROM, rows)


def takes(plan: Plan) -> Table:
    """What the plan takes from where."""
    return Table("from", TAKES, [(a.facility, a.pool, a.sku, a.units) for a in plan.allocations])


def facilities(plan: Plan) -> Table:
    """Every facility of the network, in the order of distance: used, or why not."""
    why = reasons(plan)
    rows: list[Row] = [(s.facility, km(s.way), s.gateway, _standing(s, why[s.facility])) for s in plan.standings]
    return Table("facility", FACILITIES, rows)


def costs(found: Planned) -> Table:
    """What each facility that ships costs, by part; the split penalties together, one less than there are shipments."""
    parts = found.costs()
    names = [n for n in dict.fromkeys(n for p in parts.values() for n in p) if n != "split_penalty"]
    names = [n for n in names if any(p.get(n) for p in parts.values())]
    rows: list[Row] = []
    for facility, amounts in parts.items():
        told = [amounts.get(name, 0) for name in names]
        rows.append((facility, *map(minor, told), minor(sum(told))))
    splits = sum(p.get("split_penalty", 0) for p in parts.values())
    if found.problem is not None and splits > found.problem.sites.rebate:
        rows.append(("splits", *["" for _ in names], minor(splits - found.problem.sites.rebate)))
    columns = [Column(_PARTS.get(name, name), number=True) for name in names]
    return Table("cost", (Column("cost of"), *columns, Column("together", number=True)), rows)


def exact_costs(found: Planned) -> Table:
    """(facility, part, amount in 1/1000 minor unit)."""
    rows: list[Row] = [(code, part, amount) for code, parts in found.costs().items() for part, amount in parts.items()]
    return Table("cost", (), rows)


def _standing(standing: Standing, why: str) -> str:
    if standing.why == "used":
        return f"used: {why}"
    return why if standing.floor is None else f"{why}: with it, at least {minor(standing.floor)}"


def exact_tables(plan: Plan) -> list[Table]:
    """What a plan takes, what is short, every facility with metres, gateway, floor (1/1000 minor unit), why, marks."""
    standings: list[Row] = [(s.facility, s.way, s.gateway, s.floor, s.why, *s.marks) for s in plan.standings]
    return [takes(plan), Table("short", (), sorted(plan.short.items())), Table("facility", (), standings)]


def facts(found: Planned, currency: str) -> list[tuple[str, str]]:
    """What is to say about a plan as a whole, as (label, value)."""
    plan = found.plan
    unit = f"minor units of {currency}" if currency else "minor units"
    rows = [
        ("order", f"{found.order.id}, {found.order.state}"),
        ("plan", ("stored when it was tied" if found.stored else "proposed now") + f", by {plan.strategy}"),
        ("to", str(found.order.destination)),
        ("cost", f"{minor(plan.cost)} {unit}"),
    ]
    if plan.optimal:
        rows.append(("bound", "proven: no plan costs less"))
    elif plan.bound is not None:
        gap = f", a gap of {(plan.cost - plan.bound) * 100 / plan.cost:.1f} %" if plan.cost else ""
        rows.append(("bound", f"no plan costs less than {minor(plan.bound)}{gap}"))
    if plan.short:
        rows.append(("short", goods(sorted(plan.short.items()))))
    return rows


def exact_facts(found: Planned) -> list[tuple[str, str]]:
    """The same for programs, under the names of the JSON shape; cost and bound in 1/1000 of the minor unit."""
    plan = found.plan
    return [
        ("order", found.order.id),
        ("state", found.order.state),
        ("stored", "true" if found.stored else "false"),
        ("strategy", plan.strategy),
        ("cost", str(plan.cost)),
        ("bound", "" if plan.bound is None else str(plan.bound)),
        ("optimal", "true" if plan.optimal else "false"),
        ("nodes", str(plan.nodes)),
    ]


def tied(document: Mapping[str, object]) -> list[str]:
    """One line per facility that ships, from a stored plan: `2 MUG from DEN, 8.9 km: closest of 2`."""
    plan = Plan.read(document)
    why = reasons(plan)
    lines = []
    for standing in plan.standings:
        taken = [(_place(a), a.units) for a in plan.allocations if a.facility == standing.facility]
        if taken:
            way = f", {km(standing.way)} km" if standing.way is not None else ""
            gate = f" to {standing.gateway}" if standing.gateway else ""
            lines.append(f"{goods(taken)} from {standing.facility}{way}{gate}: {why[standing.facility]}")
    return lines


def _place(a: Allocation) -> str:
    return a.sku if a.pool == "primary" else f"{a.sku} ({a.pool})"
