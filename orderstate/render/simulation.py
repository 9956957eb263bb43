"""What a simulation found, from its document: strategies side by side, and the load of each facility.

Amounts are drawn in minor units; programs get them in 1/1000 of the minor unit, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orderstate.render.tables import Column, Row, Table
from orderstate.render.words import moment

Document = Mapping[str, Any]

_EXACT = (
    "scenario",
    "strategy",
    "orders",
    "filled_orders",
    "short_orders",
    "units",
    "filled_units",
    "short_units",
    "cost",
    "cost_per_order",
    "cost_change",
    "metres",
    "shipments",
    "shipments_per_order",
    "split_rate",
    "order_fill_rate",
    "unit_fill_rate",
    "proven_rate",
)
"""The columns of an `outcome` for programs; the JSON shape and --csv have more."""
_LOAD = ("facility", "stock", "units", "shipments", "share", "metres")


def facts(d: Document) -> Iterator[tuple[str, str]]:
    """What was simulated, as (label, value)."""
    yield (
        "orders",
        f"{d['orders']:,} of {d['units']:,} units, {moment(d['first_at'])[:10]} to {moment(d['last_at'])[:10]}",
    )
    yield "from", f"{d['orders_file']}, read as {d['mapping']}"
    for reason, rows in d["left_out"].items():
        yield "left out", f"{rows:,} rows: {reason}"
    if d["bad"]:
        yield "bad", f"{d['bad']:,} rows cannot be used"
    if d["cancellations"]:
        yield "not played", f"{d['cancellations']:,} cancellations"
    if d["skus_never_stocked"]:
        yield "never stocked", f"{d['skus_never_stocked']:,} of {d['skus']:,} SKUs"
    currency = d["settings"]["currency"]
    yield "amounts", f"minor units of {currency}" if currency else "minor units"


def tables(d: Document) -> list[Table]:
    """What a person sees: the costs, what was filled, and the load of each facility in the base scenario."""
    several = len(d["scenarios"]) > 1
    scenario = (Column("scenario", folds=True),) if several else ()
    costs = (
        *scenario,
        Column("strategy", folds=True),
        Column("cost/order", number=True),
        *((Column("vs base", number=True),) if several else (Column("vs first", number=True),)),
        # With a column more at the left, this one would not fit a terminal of 80; the kilometres follow below.
        *(() if several else (Column("km/order", number=True),)),
        Column("shipments", number=True),
        Column("split", number=True),
        Column("proven", number=True, optional=True),
    )
    fills = (
        *scenario,
        Column("strategy", folds=True),
        Column("filled", number=True),
        Column("units", number=True),
        Column("backordered", number=True),
        Column("cost", number=True),
        Column("km", number=True),
    )
    return [
        Table("cost", costs, [_costs(d, o, several) for o in d["outcomes"]]),
        Table("filled", fills, [_filled(o, several) for o in d["outcomes"]]),
        _loads(d),
    ]


def exact_facts(d: Document) -> Iterator[tuple[str, str]]:
    """The same for programs, under the names of the JSON shape."""
    for name, value in d.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{of}", str(one)) for of, one in value.items())
        elif not isinstance(value, list):
            yield name, str(value).lower() if isinstance(value, bool) else str(value)


def exact_tables(d: Document) -> list[Table]:
    """Rows for programs: each outcome, and the load of each facility in each of them."""
    outcomes: list[Row] = [tuple(o[name] for name in _EXACT) for o in d["outcomes"]]
    loads: list[Row] = [
        (o["scenario"], o["strategy"], *(load[name] for name in _LOAD)) for o in d["outcomes"] for load in o["loads"]
    ]
    return [
        Table("outcome", tuple(map(Column, _EXACT)), outcomes),
        Table("load", tuple(map(Column, ("scenario", "strategy", *_LOAD))), loads),
    ]


def timing(d: Document) -> list[str]:
    """How long it took, from the timing's document: sentences, which differ from run to run."""
    lines = [f"planned {d['planned']:,} orders in {d['planning_seconds']:.1f} s, {d['rate']:,.0f} orders a second"]
    lines += [
        f"{pair['strategy']} in {pair['scenario']}: {pair['median_us'] / 1000:.2f} ms an order in the median, "
        f"{pair['p95_us'] / 1000:.2f} ms at the 95th percentile"
        for pair in d["pairs"]
    ]
    return lines


def _costs(d: Document, o: Document, several: bool) -> Row:
    first = d["outcomes"][0]
    base = o["scenario"] == first["scenario"]
    if several:
        versus = "" if base else _signed(o["cost_change"])
    else:
        versus = "" if o is first else _signed(_ratio(o["common_cost"], first["common_cost"]))
    metres = o["metres"] / o["shipped_orders"] if o["shipped_orders"] else 0
    return (
        *((o["scenario"],) if several else ()),
        o["strategy"],
        f"{o['cost_per_order'] / 1000:,.1f}",
        versus,
        *(() if several else (f"{metres / 1000:,.0f}",)),
        f"{o['shipments_per_order']:.2f}",
        _percent(o["split_rate"]),
        None if o["proven_rate"] is None else _percent(o["proven_rate"]),
    )


def _filled(o: Document, several: bool) -> Row:
    return (
        *((o["scenario"],) if several else ()),
        o["strategy"],
        _percent(o["order_fill_rate"]),
        _percent(o["unit_fill_rate"]),
        f"{o['short_units']:,}",
        f"{o['cost'] / 1000:,.0f}",
        f"{o['metres'] / 1000:,.0f}",
    )


def _loads(d: Document) -> Table:
    """Each facility's share of the units shipped, a column for each strategy; of the base scenario."""
    base = [o for o in d["outcomes"] if o["scenario"] == d["outcomes"][0]["scenario"]]
    columns = (
        Column("facility"),
        Column("stock", number=True),
        *(Column(o["strategy"], number=True) for o in base),
    )
    rows: list[Row] = [
        (load["facility"], f"{load['stock']:,}", *(_percent(o["loads"][place]["share"]) for o in base))
        for place, load in enumerate(base[0]["loads"])
    ]
    return Table("load", columns, rows)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole - 1 if whole else None


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _signed(share: float | None) -> str:
    return "" if share is None else f"{100 * share:+.1f} %"
