"""What a command did, in one or two lines, and as a row, from the document of its answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orderstate.render.tables import Column, Row
from orderstate.render.words import count, goods, left, minor, released, several

Document = Mapping[str, Any]

ORDER = (Column("order"), Column("was"), Column("state"), Column("version", number=True), Column("child"))
RECEIVED = (Column("facility"), Column("sku"), Column("pool"), Column("units", number=True))
ADJUSTED = (
    Column("facility"),
    Column("sku"),
    Column("pool"),
    Column("was", number=True),
    Column("on_hand", number=True),
    Column("safety", number=True),
)
FACILITY = (Column("facility"), Column("changed"))
CONFIGURED = (Column("setting"), Column("was"), Column("value"))
FLOW = (Column("flow"), Column("was"), Column("changed"), Column("from"), Column("to"), Column("orders", number=True))

_MOST_FACILITIES = 6


def order_row(d: Document) -> Row:
    """A row of ORDER."""
    return d["order"], d.get("was"), d["state"], d["version"], d.get("child")


def rows(d: Document) -> tuple[tuple[Column, ...], list[Row]]:
    """Columns and rows of any answer."""
    if "order" in d:
        return ORDER, [order_row(d)]
    if d["command"] == "receive":
        return RECEIVED, [(d["facility"], sku, pool, units) for sku, units, pool in d["received"]]
    if d["command"] == "adjust":
        if not d["changed"]:
            return ADJUSTED, []
        return ADJUSTED, [(d["facility"], d["sku"], d["pool"], d["was"], d["on_hand"], d["safety"])]
    if d["command"] == "config":
        return CONFIGURED, [(d["setting"], d["was"], d["value"])]
    if d["command"] == "use_flow":
        head = (d["flow"], d["was"], "yes" if d["changed"] else "no")
        moved: list[Row] = [(*head, m["from"], m["to"], m["orders"]) for m in d["mapped"]]
        return FLOW, moved or [(*head, None, None, None)]
    return FACILITY, [(d["facility"], "yes" if d["changed"] else "no")]


def sentences(d: Document) -> list[str]:
    """What happened: the first line says it, lines that follow are indented and give what belongs to it."""
    if "order" in d:
        if not d["changed"]:
            return [_nothing(d)]
        return list(_order(d))
    if not d["changed"]:
        if d["command"] == "use_flow":
            return [f"flow {d['flow']} is in force already; nothing was done"]
        subject = d.get("facility") or d["setting"]
        return [f"{subject}: nothing to change"]
    return list(_SENTENCES[d["command"]](d))


def _nothing(d: Document) -> str:
    if d["command"] == "retie":
        return f"{d['order']}: the plan stays as it is, at {minor(d['cost'])} minor units"
    if d["command"] == "redirect":
        return f"{d['order']} goes to {d['destination']} already; nothing was done"
    return f"{d['order']} is {d['state']} already; nothing was done"


def _order(d: Document) -> Iterator[str]:
    order, was, state = d["order"], d.get("was"), d["state"]
    if was is None:
        yield f"{order}: placed, {state}: {goods((sku, n) for sku, n in d['lines'])} to {d['destination']}"
        return
    if d["command"] == "split":
        yield f"{order}: {goods((sku, n) for sku, n in d['moved'])} split off as {d['child']}, {state}"
        return
    if d["command"] == "redirect":
        yield f"{order}: goes to {d['destination']} instead of {d['from']}, {state}"
    elif d["command"] == "retie" and "saves" in d:
        change = f"saves {minor(d['saves'])}" if d["saves"] >= 0 else f"costs {minor(-d['saves'])} more"
        yield f"{order}: tied again, {change}: {minor(d['cost'])} instead of {minor(d['was_cost'])} minor units"
    elif "cancelled" in d:
        yield f"{order}: cancelled {goods((sku, n) for sku, n in d['cancelled'])}, the rest is {state}"
    else:
        yield f"{order}: {was} -> {state}"
    if d["command"] != "redirect" and d.get("released"):
        yield f"  given back: {released(d['released'])}"
    if d.get("plan"):
        from orderstate.render.plans import tied  # most commands have no plan to tell about

        taken = tied(d["plan"])
        yield from (f"  {line}" for line in taken[:_MOST_FACILITIES])
        if len(taken) > _MOST_FACILITIES:
            yield f"  and from {count(len(taken) - _MOST_FACILITIES, 'more facility')}"
    if d.get("shipments"):
        yield f"  {left(d['shipments'])}"
    if "child" in d:
        yield f"  short: {goods(sorted(d['plan']['short'].items()))}, split off as {d['child']}"
    elif d.get("short"):
        yield f"  stock cannot cover it, short: {goods(sorted(d['short'].items()))}"


def _received(d: Document) -> Iterator[str]:
    yield f"{d['facility']}: received {goods((_in(sku, pool), units) for sku, units, pool in d['received'])}"
    if d["waiting"]:
        waiting = (f"{w['order']} ({goods(sorted(w['wants'].items()))})" for w in d["waiting"])
        yield f"  waiting for it: {several(waiting)}"


def _adjusted(d: Document) -> Iterator[str]:
    where = f"{d['facility']}: {_in(d['sku'], d['pool'])}"
    safe = f", {d['safety']} of them not for sale" if d["safety"] else ""
    yield f"{where}: {d['was']} -> {d['on_hand']} on hand{safe}"
    if d["untied"]:
        yield f"  untied: {several(d['untied'])}"


def _in(sku: str, pool: str) -> str:
    return sku if pool == "primary" else f"{sku} ({pool})"


def _facility(d: Document) -> Iterator[str]:
    yield f"{d['facility']}: " + ("facility added" if d["new"] else "facility changed")


def _configured(d: Document) -> Iterator[str]:
    was = "the default" if d["was"] is None else d["was"]
    now = "the default" if d["value"] is None else d["value"]
    yield f"{d['setting']}: {was} -> {now}"


def _flow(d: Document) -> Iterator[str]:
    yield f"flow {d['flow']} is in force; it was {d['was']}"
    for moved in d["mapped"]:
        yield f"  {count(moved['orders'], 'order')}: {moved['from']} -> {moved['to']}"


_SENTENCES = {
    "receive": _received,
    "adjust": _adjusted,
    "facility": _facility,
    "config": _configured,
    "use_flow": _flow,
}
