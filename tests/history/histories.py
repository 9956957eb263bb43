"""Small files of orders for tests, a mapping that reads them, and what an import left in a database."""

from __future__ import annotations

import csv
import gzip
import re
from pathlib import Path
from typing import Any

from worlds import rows

from orderstate.history import OrderMapping
from orderstate.history.mapping import LeaveOut

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "online_retail" / "online_retail.csv.gz"
HEADER = "Order,Date,Item,Qty,Customer,Country"
COLUMNS = {
    "order": "Order", "date": "Date", "sku": "Item", "quantity": "Qty", "customer": "Customer", "country": "Country",
}  # fmt: skip
SHOP = OrderMapping(
    name="shop",
    columns=COLUMNS,
    cancellation=re.compile("C.*"),
    leave_out=(LeaveOut("quantity", "adjustment", at_most=0), LeaveOut("sku", "not goods", matches=re.compile("POST"))),
)


def orders_file(folder: Path, *lines: str, name: str = "orders.csv") -> Path:
    """A CSV file with HEADER and these lines; packed where the name ends in .gz."""
    path = folder / name
    text = "\n".join((HEADER, *lines)) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def report_rows(report: Path) -> list[list[str]]:
    """The rows of a report, its header first."""
    return [*csv.reader(report.read_text(encoding="utf-8").splitlines())]


_CONTENT = (
    "SELECT id, state, version, placed_at, entered_at, destination, short, parent FROM orders",
    "SELECT o.id, l.sku, l.quantity, l.cancelled FROM order_line l JOIN orders o USING (serial)",
    "SELECT o.id, a.facility, a.sku, a.pool, a.units FROM allocation a JOIN orders o USING (serial)",
    "SELECT o.id, s.facility, s.shipped_at, s.units FROM shipment s JOIN orders o USING (serial)",
    "SELECT facility, sku, pool, on_hand, allocated, safety FROM stock",
    "SELECT subject, number, type, at, role, source, target, payload FROM event WHERE subject NOT LIKE 'facility/%'",
    "SELECT subject, number, facility, sku, pool, kind, on_hand, allocated, at FROM movement"
    " WHERE subject NOT LIKE 'facility/%'",
    'SELECT o.id, r."trigger", r.codes, r.first_at, r.last_at, r.count FROM refusal r JOIN orders o USING (serial)',
    "SELECT key, fingerprint, answer, at FROM idempotency",
)


def content(database: Path) -> list[list[tuple[Any, ...]]]:
    """Everything that orders, stock, history and keys say, whatever the order in which rows came to be."""
    return [sorted(rows(database, statement), key=repr) for statement in _CONTENT]


def states(database: Path) -> dict[str, str]:
    """The state of every order."""
    return dict(rows(database, "SELECT id, state FROM orders ORDER BY id"))
