"""What an import of order history did, from its summary's document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orderstate.render.words import count

Document = Mapping[str, Any]

_UNITS = {
    "units_ordered": "ordered",
    "units_tied": "tied",
    "units_cancelled": "cancelled",
    "units_shipped_before": "too late to cancel: shipped before",
    "units_unmatched": "cancelled, but held by no order of that customer",
}


def exact_facts(d: Document) -> Iterator[tuple[str, str]]:
    """Every figure under its name; figures by reason, code or state under `name.reason`. Bad rows one by one."""
    for name, value in d.items():
        if name == "bad_rows":
            yield from (("bad_row", bad) for bad in _bad(d))
        elif isinstance(value, Mapping):
            yield from ((f"{name}.{of}", str(n)) for of, n in value.items())
        else:
            yield name, str(value).lower() if isinstance(value, bool) else str(value)


def facts(d: Document) -> Iterator[tuple[str, str]]:
    """What is to say about an import, as (label, value)."""
    yield "file", f"{d['file']}, read as {d['mapping']}"
    yield "rows", f"{count(d['rows'], 'row')} of {count(d['invoices'], 'invoice')}"
    for reason, rows in d["left_out"].items():
        yield "left out", f"{count(rows, 'row')}: {reason}"
    if d["bad"]:
        yield "bad", f"{count(d['bad'], 'row')} that cannot be used"
        yield from (("", bad) for bad in _bad(d))
    yield "orders", f"{d['placed']:,} placed" + (f", {d['repeated']:,} were there" if d["repeated"] else "")
    for code, orders in d["refused"].items():
        yield "refused", f"{count(orders, 'order')}: {code}"
    if d["replay"]:
        yield "replayed", f"{count(d['cancellations'], 'cancellation')}, {count(d['backordered'], 'order')} put to wait"
        yield "split", f"{d['children']:,} split off, {d['several_facilities']:,} tied to more than one facility"
        for name, what in _UNITS.items():
            yield "units", f"{d[name]:,} {what}"
    for state, orders in d["states"].items():
        if orders:
            yield "now", f"{orders:,} {state}"
    yield "took", f"{d['seconds']:.1f} s, {d['rate']:,.0f} orders a second"


def _bad(d: Document) -> Iterator[str]:
    for bad in d["bad_rows"]:
        place = f"row {bad['row']}" + (f", column {bad['column']}" if bad["column"] else "")
        yield f"{place}: {bad['value']!r} is not {bad['reason']}"
