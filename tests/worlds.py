"""Small worlds for tests: a database of its own, a clock that can be set, and a check that everything adds up."""

from __future__ import annotations

import os
import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from orderstate import Answer, Engine, OrderstateError, Shown
from orderstate.engine.commands import Command

DENVER, NEW_YORK, BERLIN = "US@39.74,-104.99", "US@40.71,-74.01", "DE@52.52,13.4"
HOUR = 3_600_000_000
NEW_YEAR = 1_767_225_600_000_000
"""2026-01-01 00:00 UTC in microseconds."""

TABLES = (
    "facility", "sku", "stock", "orders", "order_line", "allocation", "shipment", "movement", "event", "refusal",
    "idempotency", "setting", "counter",
)  # fmt: skip


class Clock:
    """A clock for tests: each reading is `step` microseconds after the one before."""

    def __init__(self, now: int = NEW_YEAR, step: int = 1_000_000) -> None:
        self.now = now
        self.step = step

    def __call__(self) -> int:
        self.now += self.step
        return self.now


class World:
    """One database with an engine on it.

    world.facility("DEN", "39.74,-104.99", MUG=10)
    world.facility("NYC", "40.71,-74.01", MUG=5, back={"MUG": 20})
    order = world.order(MUG=2)
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self.engine = Engine.open(path, clock=self.clock)
        self._others: list[Engine] = []

    def facility(
        self,
        code: str,
        at: str | None = None,
        *,
        country: str = "US",
        back: Mapping[str, int] | None = None,
        safety: Mapping[str, int] | None = None,
        **primary: int,
    ) -> World:
        """Add a facility with its stock: SKU to units in the primary pool; `back` stock; `safety` of the primary."""
        self.engine.add_facility(code, country=country, at=at)
        for pool, stock in (("primary", primary), ("back", back or {})):
            for sku, units in stock.items():
                self.engine.receive(code, sku, units, pool=pool)
        for sku, units in (safety or {}).items():
            self.engine.adjust(code, sku, safety=units)
        return self

    def order(self, to: str = DENVER, *, id: str | None = None, short: str | None = None, **lines: int) -> str:
        """Place an order; its id."""
        return self.engine.place(lines, to, id=id, short=short).order

    def tied(self, to: str = DENVER, *, id: str | None = None, short: str | None = None, **lines: int) -> str:
        """Place an order and tie it; its id."""
        order = self.order(to, id=id, short=short, **lines)
        assert self.engine.tie(order).state == "inventory_tied"
        return order

    def shipped(self, to: str = DENVER, **lines: int) -> str:
        """Place an order, tie and ship it; its id."""
        order = self.tied(to, id=None, short=None, **lines)
        self.engine.ship(order)
        return order

    def another(self, **query: float) -> Engine:
        """One more engine on the same database, closed with the world; `timeout=0.2` in seconds."""
        url = f"sqlite:///{self.path}?timeout={query['timeout']}" if query else self.path
        engine = Engine.open(url, clock=self.clock)
        self._others.append(engine)
        return engine

    def attempt(self, command: Command, engine: Engine | None = None) -> Answer | OrderstateError:
        """The answer or the error of one command."""
        (outcome,) = (engine or self.engine).run([command])
        return outcome

    def level(self, facility: str, sku: str, pool: str = "primary") -> tuple[int, int, int]:
        """(on hand, allocated, safety)."""
        (row,) = self.rows(
            "SELECT on_hand, allocated, safety FROM stock WHERE facility = ? AND sku = ? AND pool = ?",
            facility, sku, pool,
        )  # fmt: skip
        return row[0], row[1], row[2]

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What a plain sqlite3 connection sees, which shares no code with the engine."""
        return rows(self.path, sql, *values)

    def event_types(self, subject: str) -> list[str]:
        """The types of a subject's events, in order."""
        return [r[0] for r in self.rows("SELECT type FROM event WHERE subject = ? ORDER BY number", subject)]

    def refusals(self, order: str) -> dict[tuple[str, str], int]:
        """(trigger, codes) to how often it was refused."""
        found = self.rows(
            'SELECT r."trigger", r.codes, r.count FROM refusal r JOIN orders o USING (serial) WHERE o.id = ?', order
        )
        return {(trigger, codes): count for trigger, codes, count in found}

    @contextmanager
    def unchanged(self, *but: str) -> Iterator[None]:
        """What runs inside must change no table, but those named."""
        before = snapshot(self.path, but)
        yield
        assert snapshot(self.path, but) == before

    def check(self) -> None:
        """Everything adds up: the database by itself, and what the engine shows against what its events say."""
        check_database(self.path)
        for (order,) in self.rows("SELECT id FROM orders"):
            shown = self.engine.show(order)
            assert comparable(self.engine.show(order, shown.order.version)) == comparable(shown)

    def close(self) -> None:
        """Close every engine."""
        for engine in (*self._others, self.engine):
            engine.close()


def fork() -> int:
    """os.fork. Python 3.12 warns where there are threads; what the child does here takes no lock of theirs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def rows(path: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Rows through a plain read-only connection."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(sql, values).fetchall()


def snapshot(path: Path, but: Sequence[str] = ()) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, without the tables named."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return {t: connection.execute(f"SELECT * FROM {t}").fetchall() for t in TABLES if t not in but}


def comparable(shown: Shown) -> Shown:
    """What events can tell: they carry no contact, and a child's state is told by the child's own events."""
    children = tuple((child, "") for child, _ in shown.children)
    return replace(shown, order=replace(shown.order, contact=None), children=children)


_NONE_OF = {
    "a counter that the ledger does not explain": """
        SELECT k.sku, k.facility, k.pool, k.on_hand, k.allocated, sum(m.on_hand), sum(m.allocated)
        FROM stock k LEFT JOIN movement m USING (sku, facility, pool) GROUP BY k.sku, k.facility, k.pool
        HAVING k.on_hand <> coalesce(sum(m.on_hand), 0) OR k.allocated <> coalesce(sum(m.allocated), 0)""",
    "oversold": "SELECT * FROM stock WHERE allocated > on_hand OR allocated < 0",
    "allocated, but not to the orders that are tied": """
        SELECT k.sku, k.facility, k.pool, k.allocated, sum(held.units) FROM stock k
        LEFT JOIN (SELECT a.* FROM allocation a JOIN orders o USING (serial) WHERE o.state = 'inventory_tied') held
        USING (sku, facility, pool) GROUP BY k.sku, k.facility, k.pool
        HAVING k.allocated <> coalesce(sum(held.units), 0)""",
    "an order whose allocations are not its open units": """
        SELECT o.id, o.state, l.sku, l.quantity - l.cancelled, sum(a.units)
        FROM orders o JOIN order_line l USING (serial) LEFT JOIN allocation a USING (serial, sku)
        GROUP BY o.serial, l.sku HAVING coalesce(sum(a.units), 0) <>
        CASE WHEN o.state IN ('inventory_tied', 'shipping', 'delivered') THEN l.quantity - l.cancelled ELSE 0 END""",
    "an order without an open line": """
        SELECT o.id FROM orders o LEFT JOIN order_line l USING (serial)
        GROUP BY o.serial HAVING coalesce(sum(l.quantity - l.cancelled), 0) < 1""",
    "a shipment that is not its allocations": """
        SELECT o.id, a.facility, sum(a.units), s.units FROM orders o JOIN allocation a USING (serial)
        LEFT JOIN shipment s USING (serial, facility) WHERE o.state IN ('shipping', 'delivered')
        GROUP BY o.serial, a.facility HAVING s.units IS NOT sum(a.units)""",
    "a shipment of an order that is still here": """
        SELECT o.id FROM shipment JOIN orders o USING (serial) WHERE o.state NOT IN ('shipping', 'delivered')""",
    "an order whose events have gaps, or are not its version": """
        SELECT o.id, o.version, count(e.id), max(e.number) FROM orders o LEFT JOIN event e ON e.subject = o.id
        GROUP BY o.serial HAVING o.version IS NOT max(e.number) OR o.version <> count(e.id)""",
    "a facility whose events have gaps, or are not its version": """
        SELECT f.code, f.version, count(e.id), max(e.number) FROM facility f
        LEFT JOIN event e ON e.subject = 'facility/' || f.code
        GROUP BY f.code HAVING f.version <> coalesce(max(e.number), 0) OR f.version <> count(e.id)""",
    "an order that is not where its last event left it": """
        SELECT o.id, o.state, e.target FROM orders o JOIN event e ON e.subject = o.id AND e.number = o.version
        WHERE e.target IS NOT o.state""",
    "an event that does not begin where the one before ended": """
        SELECT e.subject, e.number FROM event e LEFT JOIN event b ON b.subject = e.subject AND b.number = e.number - 1
        WHERE e.subject NOT LIKE 'facility/%' AND e.source IS NOT b.target""",
    "an order that does not begin with OrderPlaced": """
        SELECT id FROM orders o WHERE NOT EXISTS
        (SELECT 1 FROM event e WHERE e.subject = o.id AND e.number = 1 AND e.type = 'OrderPlaced')""",
    "a movement without its event": """
        SELECT * FROM movement m LEFT JOIN event e USING (subject, number) WHERE e.id IS NULL""",
    "a contact in an event": """
        SELECT e.subject FROM event e JOIN orders o ON o.id = e.subject
        WHERE o.contact IS NOT NULL AND instr(e.payload, o.contact)""",
}


def check_database(path: Path) -> None:
    """Integrity, foreign keys, ledger equals counters, allocations equal orders, events without gaps."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        for what, sql in _NONE_OF.items():
            assert (what, connection.execute(sql).fetchall()) == (what, [])
