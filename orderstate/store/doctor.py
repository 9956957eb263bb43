"""The doctor: recomputes what can be recomputed and says what differs. Repairs nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from orderstate.store import deliveries
from orderstate.store.sqlite import SqliteStore, Transaction

HOUR = 3_600_000_000
OVERDUE = HOUR
"""Microseconds after which somebody should have tried a delivery."""

SHOWN = 5
"""How many of the rows that differ a finding names."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `level` is ok, note (worth knowing) or wrong; `rows` are the first that differ."""

    code: str
    level: str
    sentence: str
    rows: tuple[tuple[Any, ...], ...] = ()

    def document(self) -> dict[str, Any]:
        """The JSON shape."""
        return {"code": self.code, "level": self.level, "sentence": self.sentence, "rows": [list(r) for r in self.rows]}


def examine(
    store: SqliteStore, *, tied_states: Sequence[str], states: Sequence[str] | None = None, now: int | None = None
) -> list[Finding]:
    """Every check of one database, in one consistent view. Raises what opening raises.

    tied_states: those in which orders hold stock; `states`: all that the flow in force has, if that is to be checked;
    now: the moment (UTC us), if it is to be checked whether events wait for their subscribers.
    """
    with store.read() as tx:
        orders, happened, movements, stock, facilities, skus = tx.execute(tx.sql.count_all).fetchone()
        return [
            Finding(
                "contents",
                "ok",
                f"{orders} orders, {happened} events, {movements} movements, {stock} stock rows, "
                f"{facilities} facilities, {skus} SKUs",
            ),
            _integrity(tx),
            _foreign_keys(tx),
            _differs("ledger", "the ledger explains every counter", tx.execute(tx.sql.check_ledger).fetchall()),
            _differs("oversold", "nothing is oversold", tx.execute(tx.sql.check_oversold).fetchall()),
            _differs("allocations", "what orders hold is what counters hold", _held(tx, tied_states)),
            _differs("numbers", "events are numbered without gaps", tx.execute(tx.sql.check_numbers).fetchall()),
            _differs(
                "states", "each order is in the state of its last event", tx.execute(tx.sql.check_states).fetchall()
            ),
            *([] if states is None else [_known(tx, states)]),
            *([] if now is None else [_undelivered(tx, now)]),
            _journal(tx),
            _version(),
        ]


def _differs(code: str, good: str, rows: Sequence[tuple[Any, ...]]) -> Finding:
    if not rows:
        return Finding(code, "ok", good)
    named = "; ".join(" ".join(str(value) for value in row) for row in rows[:SHOWN])
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return Finding(code, "wrong", f"it does not hold that {good}: {named}{more}", tuple(rows[:SHOWN]))


def _known(tx: Transaction, states: Sequence[str]) -> Finding:
    rows = [(state, number) for state, number, _ in tx.execute(tx.sql.count_states).fetchall() if state not in states]
    return _differs("flow", "each order is in a state of the flow in force", rows)


def _held(tx: Transaction, states: Iterable[str]) -> list[tuple[Any, ...]]:
    held: dict[tuple[str, str, str], int] = {}
    for state in states:
        for sku, facility, pool, units in tx.execute(tx.sql.check_held, (state,)).fetchall():
            held[facility, sku, pool] = held.get((facility, sku, pool), 0) + units
    counted = {(f, sku, pool): units for sku, f, pool, units in tx.execute(tx.sql.check_allocated).fetchall()}
    return [
        (*row, f"orders hold {held.get(row, 0)}, the counter says {counted.get(row, 0)}")
        for row in sorted(held.keys() | counted.keys())
        if held.get(row, 0) != counted.get(row, 0)
    ]


def _undelivered(tx: Transaction, now: int) -> Finding:
    """What was given up, and what nobody delivers though it is long due. Worth knowing, and no damage."""
    rows: list[tuple[Any, ...]] = []
    for subscriber in deliveries.subscribers(tx):
        *_, parked = deliveries.backlog(tx, subscriber.name)
        if parked:
            rows.append((subscriber.name, f"{parked} parked: orderstate events parked"))
        due = deliveries.next_due(tx, subscriber.name) if subscriber.enabled else None
        if due is not None and now - due > OVERDUE:
            work = "relay" if subscriber.kind == "relay" else "work"
            rows.append((subscriber.name, f"due for {(now - due) // HOUR} h: does orderstate {work} --follow run?"))
    messages = len(deliveries.parked_messages(tx, 1000))
    if messages:
        rows.append(("messages of other systems", f"{messages} parked: orderstate events parked"))
    if not rows:
        return Finding("deliveries", "ok", "no event waits for long, none is parked")
    return Finding("deliveries", "note", "; ".join(f"{who}: {what}" for who, what in rows), tuple(rows[:SHOWN]))


def _integrity(tx: Transaction) -> Finding:
    rows = tx.execute("PRAGMA integrity_check(5)").fetchall()
    return _differs("integrity", "the file is whole", [] if rows == [("ok",)] else rows)


def _foreign_keys(tx: Transaction) -> Finding:
    return _differs(
        "references", "no row refers to one that is missing", tx.execute("PRAGMA foreign_key_check").fetchall()
    )


def _journal(tx: Transaction) -> Finding:
    mode = tx.execute("PRAGMA journal_mode").fetchone()[0]
    if mode == "wal":
        return Finding("journal", "ok", "commits go through a write-ahead log")
    return Finding("journal", "wrong", f"the journal mode is {mode}, not wal: a power cut may lose the last commit")


def _version() -> Finding:
    version = sqlite3.sqlite_version_info
    fixed = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    if fixed:
        return Finding("sqlite", "ok", f"SQLite {sqlite3.sqlite_version}")
    return Finding(
        "sqlite",
        "note",
        f"SQLite {sqlite3.sqlite_version} has the WAL-reset bug (3.7.0 to 3.51.2): orderstate itself checkpoints only "
        "behind its writer lock, which avoids it; let no other program write to, or checkpoint, this file",
    )
