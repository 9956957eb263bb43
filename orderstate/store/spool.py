"""A temporary spool: rows of order history, staged on disk and given back as whole invoices in time order.

It has nothing to do with the tables of the database. It is an unnamed SQLite file, which the operating system takes
away when the process ends, however it ends; what it keeps in memory does not grow with the rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from orderstate.errors import OrderstateError

_PAGE = 5000
_SCHEMA = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    PRAGMA cache_size = -32000;
    CREATE TABLE entry (number TEXT, cancels INTEGER, at INTEGER, customer TEXT, destination TEXT, sku TEXT,
        units INTEGER, line INTEGER);
    CREATE TABLE number (number TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE invoice (ordinal INTEGER PRIMARY KEY, number TEXT, cancels INTEGER, at INTEGER, customer TEXT,
        destination TEXT);
    CREATE TABLE line (ordinal INTEGER, sku TEXT, units INTEGER, PRIMARY KEY (ordinal, sku)) WITHOUT ROWID;
    CREATE TABLE held (customer TEXT, sku TEXT, placed INTEGER, ordinal INTEGER, units INTEGER,
        PRIMARY KEY (customer, sku, placed, ordinal)) WITHOUT ROWID;
    CREATE TABLE child (ordinal INTEGER PRIMARY KEY, root INTEGER, id TEXT);
"""
# An invoice is one, however its rows lie: its earliest row says when, who and where.
_SEAL = """
    INSERT INTO invoice (number, cancels, at, customer, destination)
        SELECT number, cancels, at, customer, destination FROM (
            SELECT *, row_number() OVER (PARTITION BY number, cancels ORDER BY at, line) AS place FROM entry)
        WHERE place = 1 ORDER BY at, cancels, number;
    CREATE UNIQUE INDEX invoice_number ON invoice (number, cancels);
    INSERT INTO line (ordinal, sku, units)
        SELECT i.ordinal, e.sku, sum(e.units) FROM entry e JOIN invoice i USING (number, cancels)
        GROUP BY i.ordinal, e.sku ORDER BY i.ordinal, e.sku;
    DROP TABLE entry;
    CREATE TEMP TABLE wanted (customer TEXT, sku TEXT, PRIMARY KEY (customer, sku)) WITHOUT ROWID;
    INSERT OR IGNORE INTO wanted
        SELECT i.customer, l.sku FROM invoice i JOIN line l USING (ordinal) WHERE i.cancels AND i.customer IS NOT NULL;
    INSERT INTO held (customer, sku, placed, ordinal, units)
        SELECT i.customer, l.sku, i.ordinal, i.ordinal, l.units FROM invoice i JOIN line l USING (ordinal)
        WHERE NOT i.cancels AND (i.customer, l.sku) IN (SELECT customer, sku FROM wanted);
    DROP TABLE wanted;
"""


@dataclass(frozen=True, slots=True)
class Invoice:
    """One order or one cancellation. `ordinal` counts all of them from 1 by (at, orders first, number)."""

    ordinal: int
    number: str
    cancels: bool
    at: int
    customer: str | None
    destination: str


@dataclass(frozen=True, slots=True)
class Holding:
    """Units of one SKU that a customer ordered and no cancellation has claimed. `placed` is the order's ordinal.

    Of an order that was split, each part has its own ordinal and shares `placed`; `child` is the id of such a part.
    """

    ordinal: int
    placed: int
    number: str
    child: str | None
    units: int


class Spool:
    """Add rows, seal, read. Raises OrderstateError where the folder for temporary files is full."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)
        self._execute = self._connection.execute
        self._children = 0
        with _room():
            self._connection.executescript(_SCHEMA)

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def add(self, rows: Iterable[tuple[str, int, int, str | None, str, str, int, int]]) -> Iterator[int]:
        """Stage rows of (number, cancels, at, customer, destination, sku, units, line); gives the number so far."""
        queue, staged = iter(rows), 0
        while page := list(islice(queue, _PAGE)):
            with _room():
                self._execute("BEGIN")
                self._connection.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)", page)
                self._execute("COMMIT")
            staged += len(page)
            yield staged

    def note(self, number: str) -> None:
        """Remember an invoice's number, whether or not any row of it is staged."""
        with _room():
            self._execute("INSERT OR IGNORE INTO number VALUES (?)", (number,))

    def numbers(self) -> int:
        """How many different numbers were noted."""
        return int(self._execute("SELECT count(*) FROM number").fetchone()[0])

    def ordered_skus(self) -> Iterator[tuple[str, int]]:
        """(SKU, the first line that orders it), by that line. Before the seal."""
        with _room():
            yield from self._execute("SELECT sku, min(line) FROM entry WHERE NOT cancels GROUP BY sku ORDER BY 2")

    def drop(self, skus: Iterable[str]) -> Iterator[tuple[int, str]]:
        """Take the order rows of these SKUs out; gives (line, SKU) of each. Before the seal."""
        for sku in skus:
            with _room():
                yield from self._execute("SELECT line, sku FROM entry WHERE sku = ? AND NOT cancels", (sku,)).fetchall()
                self._execute("DELETE FROM entry WHERE sku = ? AND NOT cancels", (sku,))

    def seal(self) -> None:
        """Make invoices of the rows. Afterwards the spool is read."""
        with _room():
            self._connection.executescript(f"BEGIN; {_SEAL} COMMIT;")

    def count(self) -> tuple[int, int]:
        """(orders, cancellations)."""
        row = self._execute("SELECT count(*), coalesce(sum(cancels), 0) FROM invoice").fetchone()
        return row[0] - row[1], row[1]

    def units(self, *, cancels: bool) -> int:
        """Units on all orders, or on all cancellations."""
        statement = "SELECT coalesce(sum(units), 0) FROM line JOIN invoice USING (ordinal) WHERE cancels = ?"
        return int(self._execute(statement, (cancels,)).fetchone()[0])

    def invoices(self, *, orders_only: bool = False) -> Iterator[Invoice]:
        """Every invoice by its ordinal. Several such passes may be under way at once."""
        statement = f"SELECT * FROM invoice WHERE cancels <= {0 if orders_only else 1} ORDER BY ordinal"
        with _room():
            for ordinal, number, cancels, at, customer, destination in self._execute(statement):
                yield Invoice(ordinal, number, bool(cancels), at, customer, destination)

    def lines(self, ordinal: int) -> list[tuple[str, int]]:
        """(SKU, units) of an invoice, by SKU."""
        return self._execute("SELECT sku, units FROM line WHERE ordinal = ? ORDER BY sku", (ordinal,)).fetchall()

    def holdings(self, customer: str, sku: str, before: int) -> list[Holding]:
        """What the customer's orders placed before an ordinal hold of a SKU: newest order first, children before it.

        Kept for those (customer, SKU) that some cancellation names, for no others.
        """
        rows = self._execute(
            "SELECT h.ordinal, h.placed, i.number, c.id, h.units FROM held h JOIN invoice i ON i.ordinal = h.placed "
            "LEFT JOIN child c ON c.ordinal = h.ordinal WHERE h.customer = ? AND h.sku = ? AND h.placed < ? "
            "AND h.units > 0 ORDER BY h.placed DESC, h.ordinal DESC",
            (customer, sku, before),
        )
        return [Holding(*row) for row in rows]

    def claim(self, customer: str, sku: str, placed: int, ordinal: int, units: int) -> None:
        """A cancellation has claimed units of a holding, so that no other one does."""
        with _room():
            self._execute(
                "UPDATE held SET units = units - ? WHERE customer = ? AND sku = ? AND placed = ? AND ordinal = ?",
                (units, customer, sku, placed, ordinal),
            )

    def split(self, root: Invoice, source: int, child: str, moved: Mapping[str, int]) -> int:
        """Part of an order became an order of its own: units by SKU moved there. Returns the child's ordinal.

        `source` is the ordinal of the part that was split: the root's own, or that of an earlier child.
        """
        with _room():
            if not self._children:
                self._children = int(self._execute("SELECT coalesce(max(ordinal), 0) FROM invoice").fetchone()[0])
            self._children += 1
            self._execute("INSERT INTO child VALUES (?, ?, ?)", (self._children, root.ordinal, child))
            if root.customer is not None:
                for sku, units in moved.items():
                    key = (root.customer, sku, root.ordinal)
                    self._execute(
                        "INSERT INTO held SELECT customer, sku, placed, ?, ? FROM held "
                        "WHERE customer = ? AND sku = ? AND placed = ? AND ordinal = ?",
                        (self._children, units, *key, source),
                    )
                    self.claim(*key, source, units)
        return self._children

    def children(self, root: int) -> list[tuple[int, str]]:
        """(ordinal, id) of the parts that were split off an order, oldest first."""
        return self._execute("SELECT ordinal, id FROM child WHERE root = ? ORDER BY ordinal", (root,)).fetchall()


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OrderstateError(
            f"the temporary copy of the file could not be written: {error}; nothing was imported from here on",
            hint="SQLITE_TMPDIR=FOLDER names a folder with more room",
            code="no_room",
        ) from error
