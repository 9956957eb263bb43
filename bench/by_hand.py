"""The program that the engine is measured against: place, tie and ship written by hand on sqlite3.

It reads what the engine reads, has the same strategy plan on the same network, and writes the same rows to the same
tables in the same order. It leaves out what an engine is for: no machine, no guards, no command values, no answers, no
savepoints, no writer lock, no check of the plan, no translated errors. What it keeps is what no correct program may
leave out: conditional updates with their row counts looked at, foreign keys, and a transaction that begins IMMEDIATE.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from orderstate.allocation import Network, propose, stored
from orderstate.engine import Engine
from orderstate.geo import destination
from orderstate.settings import Settings

NEXT_ID = "UPDATE counter SET value = value + 1 WHERE name = 'order' RETURNING value"
NETWORK = "SELECT value FROM counter WHERE name = 'network'"
NEW_ORDER = (
    "INSERT INTO orders (id, state, version, placed_at, entered_at, destination, short, contact, parent)"
    " VALUES (?, 'pending', 1, ?, ?, ?, 'backorder', NULL, NULL) RETURNING serial"
)
NEW_LINE = "INSERT INTO order_line (serial, sku, quantity, cancelled) VALUES (?, ?, ?, 0)"
NEW_EVENT = (
    'INSERT INTO event (subject, number, type, at, role, "by", "trigger", source, target, payload)'
    " VALUES (?, ?, ?, ?, 'operator', NULL, ?, ?, ?, ?) RETURNING id"
)
NEW_DELIVERY = "INSERT INTO delivery (subscriber, event, subject, due, attempts) VALUES (?, ?, ?, ?, 0)"
ORDER = (
    "SELECT serial, state, version, destination, short, placed_at, entered_at, contact, parent FROM orders WHERE id = ?"
)
LINES = (
    "SELECT order_line.sku, quantity - cancelled, grams FROM order_line JOIN sku ON sku.code = order_line.sku"
    " WHERE serial = ? ORDER BY order_line.sku"
)
AVAILABLE = (
    "SELECT facility, stock.sku, pool, on_hand - allocated - safety FROM stock"
    " JOIN order_line ON order_line.sku = stock.sku"
    " WHERE serial = ? AND quantity > cancelled AND on_hand - allocated - safety > 0 ORDER BY facility, stock.sku, pool"
)
TAKE = (
    "UPDATE stock SET allocated = allocated + ? WHERE sku = ? AND facility = ? AND pool = ?"
    " AND on_hand - allocated - safety >= ?"
)
SHIP = (
    "UPDATE stock SET on_hand = on_hand - ?, allocated = allocated - ? WHERE sku = ? AND facility = ? AND pool = ?"
    " AND allocated >= ?"
)
NEW_MOVEMENT = (
    "INSERT INTO movement (subject, number, facility, sku, pool, kind, on_hand, allocated, at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
NEW_ALLOCATION = "INSERT INTO allocation (serial, facility, sku, pool, units) VALUES (?, ?, ?, ?, ?)"
ALLOCATED = "SELECT facility, sku, pool, units FROM allocation WHERE serial = ? ORDER BY facility, sku, pool"
NEW_SHIPMENT = "INSERT INTO shipment (serial, facility, shipped_at, units) VALUES (?, ?, ?, ?)"
MOVE = "UPDATE orders SET state = ?, version = ?, entered_at = ? WHERE serial = ? AND version = ?"

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class Lost(Exception):
    """A row was not as it was read: impossible for a program that is alone with its database."""


class Program:
    """One connection, set as the engine sets its own, and the network read once."""

    def __init__(self, path: Path) -> None:
        with Engine.open(path) as engine:
            settings = Settings.read(engine.settings())
            self.strategy = settings.strategy
            self.network = Network(engine.facilities(), settings)
        self.connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
        for pragma in ("synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY", "cache_size=-16000"):
            self.connection.execute(f"PRAGMA {pragma}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is inside is committed together, or not at all."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        finally:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    def close(self) -> None:
        """Give the file back."""
        self.connection.close()

    def place(self, lines: Mapping[str, int], to: str) -> str:
        """Record an order as pending; returns its id."""
        execute = self.connection.execute
        now = time.time_ns() // 1000
        order = str(execute(NEXT_ID).fetchone()[0])
        execute(NETWORK).fetchone()
        serial = execute(NEW_ORDER, (order, now, now, to)).fetchone()[0]
        items = sorted(lines.items())
        self.connection.executemany(NEW_LINE, [(serial, sku, units) for sku, units in items])
        payload = _encode({"destination": to, "short": "backorder", "lines": items})
        event = (order, 1, "OrderPlaced", now, None, None, "pending", payload)
        self._record(event, "notify", "sourcing")
        return order

    def tie(self, order: str) -> None:
        """Tie the nearest stock to a pending order."""
        execute = self.connection.execute
        now = time.time_ns() // 1000
        serial, state, version, where, *_ = execute(ORDER, (order,)).fetchone()
        if state != "pending":
            raise Lost(order)
        lines = execute(LINES, (serial,)).fetchall()
        execute(NETWORK).fetchone()
        problem = self.network.problem(
            destination(where),
            {sku: units for sku, units, _ in lines},
            execute(AVAILABLE, (serial,)).fetchall(),
            {sku: grams for sku, _, grams in lines},
        )
        plan = propose(problem, self.strategy)
        tied = plan.allocations
        for a in tied:
            if execute(TAKE, (a.units, a.sku, a.facility, a.pool, a.units)).rowcount != 1:
                raise Lost(order)
        number = version + 1
        self.connection.executemany(
            NEW_MOVEMENT,
            [(order, number, a.facility, a.sku, a.pool, "allocated", 0, a.units, now) for a in tied],
        )
        self.connection.executemany(NEW_ALLOCATION, [(serial, a.facility, a.sku, a.pool, a.units) for a in tied])
        self._move(order, serial, version, "inventory_tied", now)
        payload = _encode({"plan": plan.document(), "problem": stored.document(problem)})
        event = (order, number, "InventoryTied", now, "tie_inventory", state, "inventory_tied", payload)
        self._record(event, "notify")

    def ship(self, order: str) -> None:
        """Send what is tied: one shipment per facility."""
        execute = self.connection.execute
        now = time.time_ns() // 1000
        serial, state, version, *_ = execute(ORDER, (order,)).fetchone()
        if state != "inventory_tied":
            raise Lost(order)
        execute(LINES, (serial,)).fetchall()
        execute(NETWORK).fetchone()
        tied = execute(ALLOCATED, (serial,)).fetchall()
        number = version + 1
        shipped: dict[str, int] = {}
        for facility, sku, pool, units in tied:
            if execute(SHIP, (units, units, sku, facility, pool, units)).rowcount != 1:
                raise Lost(order)
            shipped[facility] = shipped.get(facility, 0) + units
        self.connection.executemany(
            NEW_MOVEMENT,
            [
                (order, number, facility, sku, pool, "shipped", -units, -units, now)
                for facility, sku, pool, units in tied
            ],
        )
        shipments = sorted(shipped.items())
        self.connection.executemany(NEW_SHIPMENT, [(serial, facility, now, units) for facility, units in shipments])
        self._move(order, serial, version, "shipping", now)
        payload = _encode({"shipments": shipments})
        event = (order, number, "ShippingStarted", now, "ship", state, "shipping", payload)
        self._record(event, "notify")

    def _record(self, event: tuple[object, ...], *subscribers: str) -> None:
        execute = self.connection.execute
        key = execute(NEW_EVENT, event).fetchone()[0]
        for subscriber in subscribers:
            execute(NEW_DELIVERY, (subscriber, key, event[0], event[3]))

    def _move(self, order: str, serial: int, version: int, state: str, now: int) -> None:
        moved = self.connection.execute(MOVE, (state, version + 1, now, serial, version))
        if moved.rowcount != 1:
            raise Lost(order)
