"""Stock counters and their ledger. No counter changes here without a movement beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orderstate.errors import Conflict
from orderstate.model import Allocation, StockLevel
from orderstate.store.sqlite import Transaction

PAGE = 1000


def for_order(tx: Transaction, serial: int) -> list[tuple[str, str, str, int]]:
    """(facility, sku, pool, available units) wherever units of the order's open lines are available."""
    return list(tx.execute(tx.sql.stock_for_order, (serial,)).fetchall())


def take(tx: Transaction, subject: str, number: int, at: int, tied: Sequence[Allocation]) -> bool:
    """Tie the units, row by row in (facility, sku, pool) order; False, and nothing tied, where a row has too few."""
    for done, a in enumerate(tied):
        if tx.execute(tx.sql.stock_take, (a.units, a.sku, a.facility, a.pool, a.units)).rowcount != 1:
            for b in tied[:done]:
                tx.execute(tx.sql.stock_release, (b.units, b.sku, b.facility, b.pool, b.units))
            return False
    _record(tx, [(subject, number, a.facility, a.sku, a.pool, "allocated", 0, a.units, at) for a in tied])
    return True


def release(tx: Transaction, subject: str, number: int, at: int, released: Sequence[Allocation]) -> None:
    """Give tied units back. Raises Conflict where the counter does not hold them."""
    for a in released:
        if tx.execute(tx.sql.stock_release, (a.units, a.sku, a.facility, a.pool, a.units)).rowcount != 1:
            raise _uncovered(subject, a)
    _record(tx, [(subject, number, a.facility, a.sku, a.pool, "released", 0, -a.units, at) for a in released])


def ship(tx: Transaction, subject: str, number: int, at: int, shipped: Sequence[Allocation]) -> None:
    """Take tied units out of the house. Raises Conflict where the counter does not hold them."""
    for a in shipped:
        if tx.execute(tx.sql.stock_ship, (a.units, a.units, a.sku, a.facility, a.pool, a.units)).rowcount != 1:
            raise _uncovered(subject, a)
    _record(tx, [(subject, number, a.facility, a.sku, a.pool, "shipped", -a.units, -a.units, at) for a in shipped])


def hand_over(
    tx: Transaction, source: tuple[str, int], target: tuple[str, int], at: int, moved: Sequence[Allocation]
) -> None:
    """Book tied units from one order's event to another's, each (subject, number). The counters stay as they are."""
    _record(tx, [(*source, a.facility, a.sku, a.pool, "released", 0, -a.units, at) for a in moved])
    _record(tx, [(*target, a.facility, a.sku, a.pool, "allocated", 0, a.units, at) for a in moved])


def receive(
    tx: Transaction, subject: str, number: int, at: int, facility: str, received: Iterable[tuple[str, str, int]]
) -> None:
    """Add (sku, pool, units) to on hand; a SKU that is new becomes known, weighing nothing."""
    movements = []
    for sku, pool, units in received:
        tx.execute(tx.sql.sku_known, (sku, 0))
        tx.execute(tx.sql.stock_receive, (sku, facility, pool, units))
        movements.append((subject, number, facility, sku, pool, "received", units, 0, at))
    _record(tx, movements)


def count(tx: Transaction, subject: str, number: int, at: int, level: StockLevel, on_hand: int) -> bool:
    """Set on hand to what was counted; False, with nothing changed, where that is below what is allocated."""
    row = (on_hand, level.sku, level.facility, level.pool, on_hand)
    if tx.execute(tx.sql.stock_count, row).rowcount != 1:
        return False
    change = on_hand - level.on_hand
    if change:
        _record(tx, [(subject, number, level.facility, level.sku, level.pool, "adjusted", change, 0, at)])
    return True


def keep_safe(tx: Transaction, facility: str, sku: str, pool: str, units: int) -> None:
    """Set the units that are not for sale."""
    tx.execute(tx.sql.stock_safety, (units, sku, facility, pool))


def level(tx: Transaction, facility: str, sku: str, pool: str) -> StockLevel | None:
    """One row, or None."""
    row = tx.execute(tx.sql.stock_row, (sku, facility, pool)).fetchone()
    return None if row is None else StockLevel(facility, sku, pool, *row)


def weigh(tx: Transaction, sku: str, grams: int) -> bool:
    """Set what one unit weighs; a new SKU becomes known. True if that changed anything."""
    row = tx.execute(tx.sql.sku_read, (sku,)).fetchone()
    if row is not None and row[0] == grams:
        return False
    tx.execute(tx.sql.sku_known, (sku, grams))
    tx.execute(tx.sql.sku_weigh, (grams, sku))
    return True


def known(tx: Transaction, sku: str) -> bool:
    """True if the SKU was ever received, imported or weighed."""
    return tx.execute(tx.sql.sku_read, (sku,)).fetchone() is not None


def levels(tx: Transaction, sku: str | None, facility: str | None, after: StockLevel | None) -> list[StockLevel]:
    """One page of at most 1,000 rows by (sku, facility, pool), behind the row `after`."""
    sql = tx.sql
    key = ("", "", "") if after is None else (after.sku, after.facility, after.pool)
    if sku is not None:
        rows = tx.execute(sql.stock_of_sku, (sku,)).fetchall() if after is None else []
        found = [StockLevel(*row) for row in rows]
        return found if facility is None else [row for row in found if row.facility == facility]
    if facility is not None:
        rows = tx.execute(sql.stock_of_facility, (facility, key[0], key[2], PAGE)).fetchall()
    else:
        rows = tx.execute(sql.stock_all, (*key, PAGE)).fetchall()
    return [StockLevel(*row) for row in rows]


def _record(tx: Transaction, movements: Sequence[tuple[object, ...]]) -> None:
    tx.executemany(tx.sql.movement_insert, movements)


def _uncovered(subject: str, a: Allocation) -> Conflict:
    return Conflict(
        f"{a.facility} does not hold the {a.units} x {a.sku} ({a.pool}) that are allocated to {subject}",
        code="ledger_differs",
        hint="orderstate doctor",
    )
