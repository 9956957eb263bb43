"""The sections of a report that compare strategies, and networks, by figures. The maps are in sections_flows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orderstate.history.simulating.charts import Bars, bars, changes
from orderstate.history.simulating.figures import Money, count, few, km, percent, points, signed_percent
from orderstate.history.simulating.hypertext import Best, Cell, beside, legend, section, table
from orderstate.history.simulating.result import PARTS, Outcome, Simulation

_PARTS = {
    "distance": "Freight by distance",
    "handling": "Handling in the facility",
    "carrier_base": "Carrier, before the first km",
    "split_penalty": "Further shipments of an order",
    "air": "Air freight",
    "export_fee": "Export papers and customs",
    "weight": "Freight by weight",
    "pick": "Picking",
    "back_penalty": "Taken from back stock",
    "backorder": "Units not filled",
}
_WAITS = {
    "backorder": "An order that stock does not cover waits, whole, and takes nothing from the others.",
    "split": "Of an order that stock does not cover, what there is ships; the rest waits.",
    "refuse": "An order that stock does not cover is refused, whole.",
}
_MANY = 4
"""Orders of more shipments than this are shown together."""
_BUSIEST = 14
"""Facilities whose load is shown."""

Rows = list[tuple[str, Sequence[Cell]]]


@dataclass(frozen=True, slots=True)
class Compared:
    """A result as a page sees it: the strategies by name, and their outcomes in the base scenario."""

    found: Simulation
    names: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    money: Money

    @classmethod
    def base(cls, found: Simulation) -> Compared:
        """What to compare first."""
        outcomes = tuple(found.outcome(name) for name in found.strategies)
        return cls(found, found.strategies, outcomes, Money(found.currency))


def headline(seen: Compared) -> str:
    """The table that compares the strategies."""
    money = seen.money
    kinds: list[tuple[str, Callable[[Outcome], float | None], Callable[[float], str], int]] = [
        (f"Cost of an order, {money.unit}", lambda o: o.cost_per_order, money.each, -1),
        (f"Cost of all orders, {money.unit}", lambda o: o.cost, money.total, -1),
        ("Shipments of an order", lambda o: o.shipments_per_order, few, -1),
        ("Orders in several shipments", lambda o: o.split_rate, percent, -1),
        ("Kilometres of all shipments", lambda o: o.metres, km, -1),
        ("Orders filled", lambda o: o.order_fill_rate, percent, 1),
        ("Units filled", lambda o: o.unit_fill_rate, percent, 1),
        ("Plans proven to be the best", lambda o: o.proven_rate, percent, 0),
    ]
    if any(o.common_orders != o.shipped_orders for o in seen.outcomes):
        fair = f"… of the {count(seen.outcomes[0].common_orders)} that all strategies filled"
        kinds.insert(1, (fair, lambda o: o.common_cost_per_order, money.each, -1))
    rows: Rows = [
        (name, _marked([read(o) for o in seen.outcomes], shown, better)) for name, read, shown, better in kinds
    ]
    caption = "The best value of each row is marked" if len(seen.names) > 1 else "All orders"
    content = table(caption, ["", *seen.names], rows, compared=len(seen.names))
    return section("headline", "Side by side", "", f'<div class="headline">{content}</div>\n')


def _marked(values: Sequence[float | None], shown: Callable[[float], str], better: int) -> list[Cell]:
    """Cells, the best marked: the least for -1, the most for 1, none for 0 or where all look alike."""
    texts = ["–" if value is None else shown(value) for value in values]
    known = [value for value in values if value is not None]
    if not better or len(set(texts)) == 1 or not known:
        return list(texts)
    best = shown(min(known) if better < 0 else max(known))
    return [Best(text) if text == best else text for text in texts]


def costs(seen: Compared) -> str:
    """What an order costs and what that is made of."""

    def each(amount: int, outcome: Outcome) -> float:
        return amount / outcome.shipped_orders if outcome.shipped_orders else 0.0

    used = [part for part in PARTS if any(o.parts.get(part) for o in seen.outcomes)]
    rows = [
        Bars("Everything", [each(o.cost, o) for o in seen.outcomes]),
        *(Bars(_PARTS[part], [each(o.parts.get(part, 0), o) for o in seen.outcomes]) for part in used),
    ]
    title = f"Cost of a shipped order, in {seen.money.unit}"
    lead = f"{title}, and what it is made of."
    return section("costs", "What an order costs", lead, _pictured(seen, "costs", title, rows, seen.money.each))


def shipments(seen: Compared) -> str:
    """In how many shipments orders came."""
    rows = []
    for number in range(1, _MANY + 2):
        last = number > _MANY
        shares = []
        for o in seen.outcomes:
            orders = sum(n for many, n in o.orders_by_shipments.items() if many == number or (last and many > number))
            shares.append(orders / o.shipped_orders if o.shipped_orders else 0.0)
        name = f"{number} or more" if last else "1 shipment" if number == 1 else f"{number} shipments"
        rows.append(Bars(name, shares))
    title = "Share of the shipped orders by the number of their shipments"
    lead = "A shipment is everything that one facility sends for one order."
    content = _pictured(seen, "shipments", title, rows, percent)
    return section("shipments", "How many shipments an order takes", lead, content)


def filled(seen: Compared) -> str:
    """What could be shipped, and what waits."""
    rows = [
        Bars("Orders filled", [o.order_fill_rate for o in seen.outcomes]),
        Bars("Units filled", [o.unit_fill_rate for o in seen.outcomes]),
    ]
    drawing = bars("filled", _in_words(seen, "Share of all orders and all units", rows, percent), rows, percent)
    numbers: Rows = [
        ("Orders", [count(o.orders) for o in seen.outcomes]),
        ("filled", [count(o.filled_orders) for o in seen.outcomes]),
        ("not covered by stock", [count(o.short_orders) for o in seen.outcomes]),
        ("Units", [count(o.units) for o in seen.outcomes]),
        ("filled", [count(o.filled_units) for o in seen.outcomes]),
        ("waiting with their order", [count(o.units - o.filled_units) for o in seen.outcomes]),
        ("of these, lacking (backordered)", [count(o.short_units) for o in seen.outcomes]),
    ]
    lead = _WAITS[seen.found.short_policy]
    if len(seen.outcomes) > 1 and len({(o.filled_orders, o.filled_units) for o in seen.outcomes}) == 1:
        lead += " All strategies fill the same: stock covers an order or it does not, wherever the stock lies."
    content = beside(drawing, table("Orders and units", ["", *seen.names], numbers, compared=len(seen.names)))
    return section("filled", "What was filled", lead, legend(seen.names) + content)


def loads(seen: Compared) -> str:
    """How much of the work each facility does."""
    first = {load.facility: load for load in seen.outcomes[0].loads}
    held = sum(load.stock for load in first.values()) or 1
    shares = {
        code: [o.load_share(load) for o in seen.outcomes for load in o.loads if load.facility == code] for code in first
    }
    busiest = sorted(first, key=lambda code: (-max(shares[code]), code))[:_BUSIEST]
    named = {f.code: f"{f.code} · {f.name}" if f.name else f.code for f in seen.found.facilities}
    rows = [Bars(named[code], shares[code], first[code].stock / held) for code in busiest]
    numbers: Rows = []
    for code in busiest:
        shipped = [load.shipments for o in seen.outcomes for load in o.loads if load.facility == code]
        numbers.append((named[code], [count(first[code].stock), *map(count, shipped)]))
    lead = "Each facility's share of the units shipped, beside its share of the stock before the first order."
    if len(first) > _BUSIEST:
        lead += f" The {_BUSIEST} busiest of {len(first)} are shown."
    drawing = bars("loads", _in_words(seen, "Share of the units shipped", rows, percent), rows, percent)
    head = ["Facility", "Stock", *seen.names]
    caption = "Units in stock before the first order; shipments by strategy"
    content = beside(drawing, table(caption, head, numbers, compared=len(seen.names)))
    return section("loads", "Who ships", lead, legend(seen.names, "share of the stock") + content)


def scenarios(seen: Compared) -> str:
    """What closing or adding a facility would do."""
    found = seen.found
    others = [scenario.name for scenario in found.scenarios[1:]]
    if not others:
        return ""
    base = {o.strategy: o for o in seen.outcomes}
    by_name = {name: [found.outcome(strategy, name) for strategy in seen.names] for name in others}
    costs_change = [Bars(name, [o.cost_change for o in by_name[name]]) for name in others]
    drawings = _change(seen, "cost-change", "Cost of an order", "on the orders filled in both", costs_change)
    fills = [
        Bars(name, [o.order_fill_rate - base[o.strategy].order_fill_rate for o in by_name[name]]) for name in others
    ]
    if any(value for row in fills for value in row.values):
        drawings += _change(seen, "fill-change", "Orders filled", "in percentage points", fills, points)
    else:
        parcels = [Bars(name, [_ratio(o, base[o.strategy]) for o in by_name[name]]) for name in others]
        drawings += _change(seen, "shipments-change", "Shipments of an order", "as many orders are filled", parcels)
    rows: Rows = []
    for scenario in found.scenarios:
        for strategy in seen.names:
            o = found.outcome(strategy, scenario.name)
            change = "–" if scenario is found.scenarios[0] or o.cost_change is None else signed_percent(o.cost_change)
            each = [change, few(o.shipments_per_order), km(o.metres)]
            each += [percent(o.order_fill_rate), percent(o.unit_fill_rate)]
            rows.append((f"{scenario.name}, {strategy}", each))
    head = ["Network and strategy", "Cost of an order", "Shipments of an order", "km", "Orders filled", "Units filled"]
    every = table("Every network with every strategy", head, rows)
    lead = "The same orders on another network. " + (
        "What a closed facility held goes to the nearest that stays open."
        if found.move_stock
        else "What a closed facility held stays behind, so less can be filled."
    )
    return section(
        "scenarios",
        "What closing or adding a facility would do",
        lead if any(scenario.closed for scenario in found.scenarios) else "The same orders on another network.",
        f'{legend(seen.names)}<div class="beside">{drawings}</div>\n<div class="wide">{every}</div>\n',
    )


def _change(
    seen: Compared,
    key: str,
    title: str,
    note: str,
    rows: Sequence[Bars],
    shown: Callable[[float], str] = signed_percent,
) -> str:
    """Bars of what changes against the network as it is."""
    drawing = changes(key, _in_words(seen, f"Change of: {title}, {note}", rows, shown), rows, shown)
    caption = f"Change against the network as it is, {note}"
    return f"<figure><h3>{title}</h3>{drawing}<figcaption>{caption}</figcaption></figure>\n"


def _ratio(outcome: Outcome, base: Outcome) -> float | None:
    """By how much an order takes more shipments than in the base."""
    return outcome.shipments_per_order / base.shipments_per_order - 1 if base.shipments else None


def _pictured(seen: Compared, key: str, title: str, rows: Sequence[Bars], shown: Callable[[float], str]) -> str:
    """Bars for each strategy, with the same figures in a table beside them."""
    drawing = bars(key, _in_words(seen, title, rows, shown), rows, shown)
    numbers: Rows = [(row.name, [shown(v) for v in row.values if v is not None]) for row in rows]
    return legend(seen.names) + beside(drawing, table(title, ["", *seen.names], numbers, compared=len(seen.names)))


def _in_words(seen: Compared, title: str, rows: Sequence[Bars], shown: Callable[[float], str]) -> str:
    """What a drawing shows, for who does not see it."""
    said = []
    for row in rows:
        figures = [
            f"{name} {shown(value)}" for name, value in zip(seen.names, row.values, strict=True) if value is not None
        ]
        said.append(f"{row.name}: {', '.join(figures)}")
    return f"Bars. {title}. {'; '.join(said)}."
