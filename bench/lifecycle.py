"""Place + tie + ship: the engine against the same rows by hand, three durable commits an order and in batches.

Both work on databases of the same schema and the same beginning, in turns, round by round. After the clock has stopped
the rows of both are counted, summed and compared, all but their times.
"""

from __future__ import annotations

import argparse
import gc
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import world
from bench.by_hand import Program
from bench.report import Table, against, machine
from orderstate.engine import Answer, Engine
from orderstate.engine.commands import Command, Fire, Place
from orderstate.settings import DEFAULTS

DURABLE, BATCHED = 1.5, 2.0
"""Budgets: how many times the hand-written program's time the engine may take."""

BATCH = 500
PAGES = 12
"""About the pages that one commit of either program appends to the write-ahead log."""

TABLES = {
    "orders": "serial, id, state, version, destination, short, contact, parent",
    "order_line": "serial, sku, quantity, cancelled",
    "allocation": "serial, facility, sku, pool, units",
    "shipment": "serial, facility, units",
    "movement": "id, subject, number, facility, sku, pool, kind, on_hand, allocated",
    "event": 'id, subject, number, type, role, "by", "trigger", source, target, payload',
    "delivery": "subscriber, event, subject, attempts",
    "stock": "sku, facility, pool, on_hand, allocated, safety",
    "counter": "name, value",
}
"""Every table that a lifecycle writes, with all columns but the times."""

Round = Callable[[range], None]


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds an order took, round by round, and the rows that both programs left."""

    engine: list[float]
    hand: list[float]
    rows: dict[str, int]

    @property
    def ratio(self) -> float:
        """The engine's median over the hand-written program's."""
        return median(self.engine) / median(self.hand)


class WrongRows(Exception):
    """A program did not write what a lifecycle has to write, so its time means nothing."""


def engine_one_by_one(engine: Engine) -> Round:
    """Three durable commits for each order."""

    def run(numbers: range) -> None:
        for number in numbers:
            order = engine.place(world.lines(number), world.destination(number)).order
            engine.tie(order)
            engine.ship(order)

    return run


def engine_batched(engine: Engine) -> Round:
    """All places in one transaction, then all ties, then all ships."""

    def execute(commands: Iterable[Command]) -> list[Answer]:
        answers = []
        for outcome in engine.run(commands, batch=BATCH):
            if not isinstance(outcome, Answer):
                raise outcome
            answers.append(outcome)
        return answers

    def run(numbers: range) -> None:
        placed = execute(Place(lines=world.lines(n), to=world.destination(n)) for n in numbers)
        execute(Fire(order=answer.order, trigger="tie_inventory") for answer in placed)
        execute(Fire(order=answer.order, trigger="ship") for answer in placed)

    return run


def hand_one_by_one(program: Program) -> Round:
    """Three durable commits for each order."""

    def run(numbers: range) -> None:
        for number in numbers:
            with program.transaction():
                order = program.place(world.lines(number), world.destination(number))
            with program.transaction():
                program.tie(order)
            with program.transaction():
                program.ship(order)

    return run


def hand_batched(program: Program) -> Round:
    """All places in one transaction, then all ties, then all ships."""

    def run(numbers: range) -> None:
        with program.transaction():
            placed = [program.place(world.lines(n), world.destination(n)) for n in numbers]
        with program.transaction():
            for order in placed:
                program.tie(order)
        with program.transaction():
            for order in placed:
                program.ship(order)

    return run


def measure(folder: Path, orders: int, rounds: int, *, batched: bool, strategy: str | None = None) -> Measured:
    """Alternate rounds of `orders` orders on two fresh databases; the first round of each is not counted."""
    paths = folder / "engine.db", folder / "hand.db"
    world.create(paths[0], strategy)
    shutil.copy(*paths)
    times: tuple[list[float], list[float]] = [], []
    with Engine.open(paths[0]) as engine, closing(Program(paths[1])) as program:
        takes: list[tuple[Round, list[float]]] = [
            ((engine_batched if batched else engine_one_by_one)(engine), times[0]),
            ((hand_batched if batched else hand_one_by_one)(program), times[1]),
        ]
        for turn in range(rounds + 1):
            numbers = range(turn * orders, (turn + 1) * orders)
            for run, kept in takes:
                gc.collect()
                started = time.perf_counter()
                if batched:
                    for first in range(numbers.start, numbers.stop, BATCH):
                        run(range(first, min(first + BATCH, numbers.stop)))
                else:
                    run(numbers)
                if turn:
                    kept.append((time.perf_counter() - started) / orders)
            takes.reverse()
    rows = compare(*paths, orders * (rounds + 1))
    for path in paths:
        for file in folder.glob(f"{path.name}*"):
            file.unlink()
    return Measured(*times, rows)


def compare(engine: Path, hand: Path, orders: int) -> dict[str, int]:
    """Rows by table, after every row of both is found equal, times aside, and complete. Raises WrongRows."""
    counts = {}
    with closing(sqlite3.connect(engine)) as one, closing(sqlite3.connect(hand)) as other:
        for name, columns in TABLES.items():
            found = [sorted(c.execute(f"SELECT {columns} FROM {name}"), key=repr) for c in (one, other)]
            if found[0] != found[1]:
                first = next((a, b) for a, b in zip(*found, strict=False) if a != b) if all(found) else ()
                raise WrongRows(f"{name}: the engine wrote {len(found[0])} rows, by hand {len(found[1])}: {first}")
            counts[name] = len(found[0])
        complete(one, orders)
    return counts


def complete(connection: sqlite3.Connection, orders: int) -> None:
    """Raise WrongRows unless every order is shipped, with all its rows and sums."""
    units = sum(world.UNITS) * orders
    expected: dict[str, tuple[int, ...]] = {
        "SELECT count(*) FROM orders WHERE state = 'shipping' AND version = 3": (orders,),
        "SELECT count(*), sum(quantity) FROM order_line": (2 * orders, units),
        "SELECT count(*), sum(units) FROM allocation": (2 * orders, units),
        "SELECT sum(units) FROM shipment": (units,),
        "SELECT count(*), sum(on_hand), sum(allocated) FROM movement WHERE kind <> 'received'": (4 * orders, -units, 0),
        "SELECT count(*), sum(number) FROM event WHERE subject NOT LIKE 'facility/%'": (3 * orders, 6 * orders),
        "SELECT sum(on_hand) - (SELECT sum(on_hand) FROM movement), sum(allocated) FROM stock": (0, 0),
    }
    for statement, row in expected.items():
        found = connection.execute(statement).fetchone()
        if found != row:
            raise WrongRows(f"{statement}: {found}, where {row} is due")


def sync_seconds(folder: Path, times: int = 100) -> float:
    """The median cost of appending one commit's pages to a file and syncing it."""
    path, frames = folder / "sync", os.urandom(PAGES * 4120)
    taken = []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        for turn in range(times):
            os.pwrite(descriptor, frames, turn % 80 * len(frames))  # a log is written over again, as SQLite does
            started = time.perf_counter()
            os.fdatasync(descriptor)
            taken.append(time.perf_counter() - started)
    finally:
        os.close(descriptor)
        path.unlink()
    return median(taken)


def report(folder: Path, orders: int, durable: int, rounds: int) -> Table:
    """Both ways of committing, with the strategy in force by default and with the plainest, measured and tabled."""
    table = Table(
        "Lifecycle: place + tie + ship of two-line orders, 8 facilities, against the same rows by hand",
        [
            "commits",
            "strategy",
            "engine us",
            "by hand us",
            "syncs us",
            "engine/s",
            "by hand/s",
            "ratio",
            "rounds",
            "",
            "",
        ],
    )
    for strategy in dict.fromkeys((DEFAULTS.strategy, "nearest")):
        for batched in (False, True):
            sync = 3 * sync_seconds(folder) / (min(orders, BATCH) if batched else 1)
            found = measure(folder, orders if batched else durable, rounds, batched=batched, strategy=strategy)
            pairs = sorted(e / h for e, h in zip(found.engine, found.hand, strict=True))
            engine, hand = median(found.engine), median(found.hand)
            ratio, limit, verdict = against(found.ratio, BATCHED if batched else DURABLE)
            table.add(
                f"3 for {min(orders, BATCH)} orders" if batched else "3 for each order",
                strategy,
                f"{engine * 1e6:,.0f}",
                f"{hand * 1e6:,.0f}",
                f"{sync * 1e6:,.0f}",
                f"{1 / engine:,.0f}",
                f"{1 / hand:,.0f}",
                ratio,
                f"{pairs[0]:.2f}-{pairs[-1]:.2f}",
                f"<= {limit}",
                verdict,
            )
            table.notes.append(", ".join(f"{n:,} {name}" for name, n in found.rows.items()))
    table.notes = [
        f"microseconds an order: medians of {rounds} alternating rounds, of {durable} orders or of {orders} in batches",
        f"syncs: what three syncs of {PAGES} pages cost on this disk at that moment, an order; part of both times",
        "rows of both programs, compared table by table and found equal:",
        *("  " + rows for rows in dict.fromkeys(table.notes)),
        machine(),
    ]
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.lifecycle", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--orders", type=int, help="orders in a round of batches (1000; quick: 500)")
    parser.add_argument("--durable", type=int, help="orders in a round of three commits each (300; quick: 60)")
    parser.add_argument("--rounds", type=int, help="rounds of each program (15; quick: 5)")
    parser.add_argument("--dir", type=Path, help="make the databases in this folder: name one on a real disk")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="orderstate-bench-", dir=given.dir) as folder:
        report(
            Path(folder),
            given.orders or (500 if given.quick else 1000),
            given.durable or (60 if given.quick else 300),
            given.rounds or (5 if given.quick else 15),
        ).print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
