"""A database full of orders in every state, written by SQL alone: a million in a minute, and sound by the doctor.

Every order has two lines and whatever its state implies: events with payloads, allocations, movements, shipments.
Of a hundred orders 10 are pending, 4 backordered, 6 tied, 10 shipping, 5 cancelled and 65 delivered, evenly mixed.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from bench.world import FACILITIES
from orderstate.allocation import Problem, stored
from orderstate.engine import Engine
from orderstate.engine.commands import Receive
from orderstate.model import Plan, Standing

ARTICLES = 100
ON_HAND = 1_000_000_000
FIRST_ID = 1001
BEGAN = 1_735_689_600_000_000
"""2025-01-01, UTC microseconds: when the first order was placed. One followed every 30 seconds."""

EVERY = 30_000_000

_COUNT = "WITH RECURSIVE count(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM count WHERE n + 1 < :orders)"

# One row an order, with all that the rows of the other tables are made of.
_ORDERS = f"""
    CREATE TEMP TABLE filling AS {_COUNT}
    SELECT n + 1 AS serial, CAST(n + {FIRST_ID} AS TEXT) AS id, {BEGAN} + n * {EVERY} AS at,
        (SELECT code FROM codes WHERE number = n % (SELECT count(*) FROM codes)) AS facility,
        printf('SKU-%02d', n * 7 % {ARTICLES}) AS one, printf('SKU-%02d', (n * 7 + 31) % {ARTICLES}) AS other,
        printf('US@%g,%g', 30 + n % 170 / 10.0, -75 - n % 450 / 10.0) AS destination,
        CASE WHEN mixed < 10 THEN 'pending' WHEN mixed < 14 THEN 'backordered' WHEN mixed < 20 THEN 'inventory_tied'
             WHEN mixed < 30 THEN 'shipping' WHEN mixed < 35 THEN 'cancelled' ELSE 'delivered' END AS state
    FROM (SELECT n, (n * 37 + n / 100 * 13) % 100 AS mixed FROM count)
"""

_TABLES = (
    """
    INSERT INTO orders (serial, id, state, version, placed_at, entered_at, destination, short, contact, parent)
    SELECT serial, id, state,
        CASE state WHEN 'pending' THEN 1 WHEN 'shipping' THEN 3 WHEN 'delivered' THEN 4 ELSE 2 END,
        at, at + 1000000, destination, 'backorder', NULL, NULL
    FROM filling
    """,
    """
    INSERT INTO order_line (serial, sku, quantity, cancelled)
    SELECT serial, one, 1, 0 FROM filling UNION ALL SELECT serial, other, 2, 0 FROM filling ORDER BY 1, 2
    """,
    """
    INSERT INTO allocation (serial, facility, sku, pool, units)
    SELECT serial, facility, sku, 'primary', quantity FROM filling JOIN order_line USING (serial)
    WHERE state IN ('inventory_tied', 'shipping', 'delivered')
    """,
    """
    INSERT INTO shipment (serial, facility, shipped_at, units)
    SELECT serial, facility, at + 2000000, 3 FROM filling WHERE state IN ('shipping', 'delivered')
    """,
    """
    INSERT INTO movement (subject, number, facility, sku, pool, kind, on_hand, allocated, at)
    SELECT id, 2, facility, sku, 'primary', 'allocated', 0, quantity, at + 1000000
    FROM filling JOIN order_line USING (serial) WHERE state IN ('inventory_tied', 'shipping', 'delivered')
    """,
    """
    INSERT INTO movement (subject, number, facility, sku, pool, kind, on_hand, allocated, at)
    SELECT id, 3, facility, sku, 'primary', 'shipped', -quantity, -quantity, at + 2000000
    FROM filling JOIN order_line USING (serial) WHERE state IN ('shipping', 'delivered')
    """,
    """
    WITH moved AS (SELECT sku, facility, sum(on_hand) AS left, sum(allocated) AS tied FROM movement
                   WHERE kind <> 'received' GROUP BY sku, facility)
    UPDATE stock SET on_hand = on_hand + moved.left, allocated = allocated + moved.tied
    FROM moved WHERE moved.sku = stock.sku AND moved.facility = stock.facility AND stock.pool = 'primary'
    """,
    f"UPDATE counter SET value = {FIRST_ID} - 1 + :orders WHERE name = 'order'",
)

_EVENT = """
    INSERT INTO event (subject, number, type, at, role, "by", "trigger", source, target, payload)
    SELECT id, {number}, '{type}', at + {number} * 1000000 - 1000000, 'operator', NULL, {trigger}, {source}, '{target}',
        {payload}
    FROM filling WHERE state IN ({states})
"""
_MOVED = "'inventory_tied', 'shipping', 'delivered'"
_ANY = f"'pending', 'backordered', 'cancelled', {_MOVED}"
_PLACED = """printf('{"destination":"%s","short":"backorder","lines":[["%s",1],["%s",2]]}',
    destination, min(one, other), max(one, other))"""
_TIED = """printf('{"plan":%s,"allocations":[["%s","%s","primary",%d],["%s","%s","primary",%d]]},"problem":%s}', :plan,
    facility, min(one, other), iif(one < other, 1, 2), facility, max(one, other), iif(one < other, 2, 1), :problem)"""
_EVENTS = (
    ("OrderPlaced", 1, "NULL", "NULL", "pending", _PLACED, _ANY),
    ("InventoryTied", 2, "'tie_inventory'", "'pending'", "inventory_tied", _TIED, _MOVED),
    (
        "OrderBackordered",
        2,
        "'tie_inventory'",
        "'pending'",
        "backordered",
        """printf('{"short":{"%s":1}}', one)""",
        "'backordered'",
    ),
    ("OrderCancelled", 2, "'cancel'", "'pending'", "cancelled", "'{}'", "'cancelled'"),
    (
        "ShippingStarted",
        3,
        "'ship'",
        "'inventory_tied'",
        "shipping",
        """printf('{"shipments":[["%s",3]]}', facility)""",
        "'shipping', 'delivered'",
    ),
    ("OrderDelivered", 4, "'deliver'", "'shipping'", "delivered", "'{}'", "'delivered'"),
)

_DELIVERED = """
    INSERT INTO delivery (subscriber, event, subject, due, attempts, delivered)
    SELECT subscriber.name, event.id, event.subject, event.at, 1, event.at + 1000
    FROM subscriber JOIN event ON instr(' ' || types || ' ', ' ' || type || ' ')
    WHERE enabled AND event.subject NOT LIKE 'facility/%' ORDER BY 1, 2
"""
"""Every subscriber has heard of everything, as where `work` runs all the time."""


def pending_at_first(number: int) -> bool:
    """Whether the order with that number, counted from 0, is filled in as pending."""
    return _mixed(number) < 10


def cancelled_at_first(number: int) -> bool:
    """Whether the order with that number, counted from 0, is filled in as cancelled."""
    return 30 <= _mixed(number) < 35


def _mixed(number: int) -> int:
    return (number * 37 + number // 100 * 13) % 100


def fill(path: Path, orders: int) -> None:
    """Create the database with its facilities and stock, and put so many orders into it."""
    with Engine.create(path) as engine:
        for code, position in FACILITIES.items():
            engine.add_facility(code, country="US", at=position)
            items = [(f"SKU-{article:02d}", ON_HAND) for article in range(ARTICLES)]
            engine.execute(Receive(facility=code, items=items))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("synchronous=OFF", "cache_size=-400000", "temp_store=FILE"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TEMP TABLE codes (number INTEGER PRIMARY KEY, code TEXT)")
        connection.executemany("INSERT INTO codes VALUES (?, ?)", list(enumerate(FACILITIES)))
        connection.execute(_ORDERS, {"orders": orders})
        connection.execute("BEGIN IMMEDIATE")
        for statement in _TABLES:
            connection.execute(statement, {"orders": orders})
        for kind, number, trigger, source, target, payload, states in _EVENTS:
            text = _EVENT.format(
                type=kind, number=number, trigger=trigger, source=source, target=target, payload=payload, states=states
            )
            connection.execute(text, _decided())
        connection.execute(_DELIVERED)
        connection.execute("COMMIT")
        connection.execute("PRAGMA synchronous=FULL")  # so that nobody's measurement waits for these pages
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _decided() -> dict[str, str]:
    """What a tie's event says beside its allocations, of the size that `nearest` makes it for eight facilities."""
    standings = tuple(Standing(code, "farther", 1_234_567 + place) for place, code in enumerate(FACILITIES))
    plan = Plan("nearest", (), {}, standings, cost=1_950_000).document()
    del plan["allocations"]
    rows = [(code, sku, "primary", ON_HAND, 0) for code in FACILITIES for sku in ("SKU-00", "SKU-31")]
    metres = {code: 1_234_567 + place for place, code in enumerate(FACILITIES)}
    problem = Problem.explicit(dict.fromkeys(FACILITIES, 1_950_000), rows, {"SKU-00": 1, "SKU-31": 2}, metres=metres)
    encode = json.JSONEncoder(separators=(",", ":")).encode
    return {"plan": encode(plan)[:-1], "problem": encode(stored.document(problem))}
