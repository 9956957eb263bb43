"""Replays of made-up histories against a plain model: orders, one pile of stock per SKU, and single units."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from histories import SHOP, orders_file, states
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import HOUR, World

from orderstate.history import import_orders

STOCK = {"MUG": 6, "CUP": 4}


@dataclass(frozen=True)
class Invoice:
    number: str
    hour: int
    cancels: bool
    customer: str
    units: dict[str, int]


@dataclass
class Known:
    """An order in the model: each unit of it is here, gone, or claimed by a cancellation."""

    invoice: Invoice
    open: Counter[str]
    claimed: Counter[str]
    state: str = "pending"


class PlainShop:
    """What a replay must come to."""

    def __init__(self, ship_after: int | None) -> None:
        self.free = Counter(STOCK)
        self.orders: list[Known] = []
        self.ship_after = ship_after
        self.units: Counter[str] = Counter(cancelled=0, shipped=0, unmatched=0)

    def play(self, invoices: list[Invoice]) -> None:
        happenings = [(i.hour, int(i.cancels), i.number, i) for i in invoices]
        if self.ship_after is not None:
            happenings += [(i.hour + self.ship_after, 2, i.number, i) for i in invoices if not i.cancels]
        for _, kind, _, invoice in sorted(happenings, key=lambda h: h[:3]):
            (self.place, self.cancel, self.ship)[kind](invoice)

    def place(self, invoice: Invoice) -> None:
        order = Known(invoice, Counter(invoice.units), Counter())
        self.orders.append(order)
        covered = all(self.free[sku] >= n for sku, n in order.open.items())
        order.state = "inventory_tied" if covered else "backordered"
        if covered:
            self.free -= order.open

    def ship(self, invoice: Invoice) -> None:
        for order in self.orders:
            if order.invoice is invoice and order.state == "inventory_tied":
                order.state = "shipping"

    def cancel(self, invoice: Invoice) -> None:
        for sku, wanted in invoice.units.items():
            for _ in range(wanted):
                self.cancel_one(invoice, sku)
        for order in self.orders:
            if not order.open.total():
                order.state = "cancelled"

    def cancel_one(self, invoice: Invoice, sku: str) -> None:
        theirs = [o for o in self.orders if o.invoice.customer == invoice.customer != ""]
        here = [o for o in theirs if o.state != "shipping" and o.open[sku]]
        left = [o for o in theirs if o.state == "shipping" and o.open[sku] > o.claimed[sku]]
        if here:
            order = here[-1]
            order.open[sku] -= 1
            self.free[sku] += order.state == "inventory_tied"
            self.units["cancelled"] += 1
        elif left:
            left[-1].claimed[sku] += 1
            self.units["shipped"] += 1
        else:
            self.units["unmatched"] += 1


UNITS = st.dictionaries(st.sampled_from(sorted(STOCK)), st.integers(1, 3), min_size=1)


@st.composite
def histories(draw: st.DrawFn) -> list[Invoice]:
    made = []
    for number in range(10, 10 + draw(st.integers(1, 10))):
        cancels = draw(st.booleans()) and number > 10
        made.append(
            Invoice(
                f"C{number}" if cancels else f"{number}",
                draw(st.integers(0, 12)),
                cancels,
                draw(st.sampled_from(["", "1", "2"])),
                draw(UNITS),
            )
        )
    return made


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(invoices=histories(), ship_after=st.sampled_from([None, 0, 3, 6]), batch=st.sampled_from([1, 5, 500]))
def test_a_replay_comes_to_what_the_plain_model_says(
    template: Path, invoices: list[Invoice], ship_after: int | None, batch: int
) -> None:
    model = PlainShop(ship_after)
    model.play(invoices)
    lines = [
        f"{i.number},2026-01-01 {i.hour:02}:00,{sku},{-n if i.cancels else n},{i.customer},US"
        for i in invoices
        for sku, n in i.units.items()
    ]
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(shutil.copyfile(template, Path(folder) / "orderstate.db")))
        world.facility("DEN", "39.74,-104.99", MUG=STOCK["MUG"], CUP=STOCK["CUP"])
        done = import_orders(
            world.engine,
            orders_file(Path(folder), *lines),
            mapping=SHOP,
            replay=True,
            ship_after=None if ship_after is None else ship_after * HOUR,
            batch=batch,
        )
        world.check()
        found = states(world.path)
        free = {level.sku: level.available for level in world.engine.stock()}
        kept = {order: _open(world, order) for order, state in found.items() if state != "cancelled"}
        world.close()
    assert found == {f"OR-{o.invoice.number}": o.state for o in model.orders}
    assert free == {sku: model.free[sku] for sku in STOCK}
    assert kept == {f"OR-{o.invoice.number}": +o.open for o in model.orders if o.state != "cancelled"}
    assert (done.units_cancelled, done.units_shipped_before, done.units_unmatched) == (
        model.units["cancelled"],
        model.units["shipped"],
        model.units["unmatched"],
    )
    assert {state: n for state, n in done.states.items() if n} == Counter(found.values())


def _open(world: World, order: str) -> dict[str, int]:
    return {line.sku: line.open for line in world.engine.order(order).lines if line.open}
