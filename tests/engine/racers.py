"""What the processes of a race run. Imported by each of them, so it imports nothing of pytest."""

from __future__ import annotations

import multiprocessing
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from worlds import DENVER, NEW_YORK, check_database

from orderstate import Answer, Engine, NotFound, OrderstateError, Refused, StockShort
from orderstate.engine.commands import Place
from orderstate.store.sqlite import SqliteStore, Transaction

SPAWN = multiprocessing.get_context("spawn")
PATIENCE = 120
"""Seconds after which a race is given up: only a hang takes so long."""


def race(racer: Callable[..., Any], *runners: tuple[Any, ...]) -> list[Any]:
    """What `racer(*arguments)` gives in one new process per tuple of arguments, all of them let off at once."""
    start = SPAWN.Barrier(len(runners))
    ends, processes = [], []
    for arguments in runners:
        here, there = SPAWN.Pipe(duplex=False)
        process = SPAWN.Process(target=_run, args=(racer, arguments, start, there))
        process.start()
        there.close()
        ends.append(here)
        processes.append(process)
    try:
        results = [end.recv() if end.poll(PATIENCE) else "hangs" for end in ends]
    finally:
        for process in processes:
            process.join(PATIENCE)
            process.close()
    return results


def _run(racer: Callable[..., Any], arguments: tuple[Any, ...], start: Barrier, end: Connection) -> None:
    start.wait(PATIENCE)
    try:
        end.send(racer(*arguments))
    except BaseException as error:
        end.send(f"{type(error).__name__}: {error}")
        raise


class Unprotected(SqliteStore):
    """The store without its writer lock, and as Python's sqlite3 works by default: it begins at the first write, so
    that what was read before may be old. `conditional` keeps or drops the condition of the stock update; the checks of
    the tables are dropped."""

    def __init__(self, path: Path, *, conditional: bool) -> None:
        super().__init__(path, timeout=60)
        self.conditional = conditional

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """One transaction, without BEGIN IMMEDIATE and without the lock."""
        if self._writer is None:
            self._open_writer()
            assert self._writer is not None
            self._writer.execute("PRAGMA ignore_check_constraints=ON")
        connection = self._writer
        tx = Transaction(connection, self.path)

        def execute(sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
            word = sql.split(maxsplit=1)[0]
            if word in ("BEGIN", "SAVEPOINT", "RELEASE"):
                return connection.cursor()
            if word == "ROLLBACK":
                connection.rollback()
                return connection.cursor()
            if word != "SELECT" and not connection.in_transaction:
                connection.execute("BEGIN IMMEDIATE")
            return connection.execute(sql, values)

        def executemany(sql: str, values: Any) -> sqlite3.Cursor:
            if not connection.in_transaction:
                connection.execute("BEGIN IMMEDIATE")
            return connection.executemany(sql, values)

        tx.execute, tx.executemany = execute, executemany
        if not self.conditional:
            taking = "UPDATE stock SET allocated=allocated + ? WHERE sku = ? AND facility = ? AND pool = ? AND ? > 0"
            tx.sql = tx.sql._replace(stock_take=taking)
        yield tx
        connection.commit()


def opened(path: Path, how: str) -> Engine:
    """An engine that is protected; or `unprotected`; or has only the `conditional` update left."""
    if how == "protected":
        return Engine.open(f"sqlite:///{path}?timeout=60")
    return Engine(Unprotected(path, conditional=how == "conditional"))


def grab(path: Path, name: str, how: str) -> dict[str, Any]:
    """Place and tie orders of 3, 2, 1, 3, ... units until not even one is left.

    Gives units tied, and how often each error came by its code.
    """
    tied = 0
    ended: dict[tuple[str, int], int] = {}
    with opened(path, how) as engine:
        size = 3
        while size:
            order = engine.place({"MUG": size}, DENVER, short="refuse", by=name).order
            try:
                engine.tie(order, by=name)
                tied += size
                size = size - 1 or 3
            except StockShort as short:
                ended[short.code, short.exit_status] = ended.get((short.code, short.exit_status), 0) + 1
                size -= 1
    return {"tied": tied, "ended": ended}


def place_until(path: Path, name: str, last: int) -> int:
    """Place orders until the generated ids reach `last`; how many."""
    with opened(path, "protected") as engine:
        for placed in range(last):
            if int(engine.place({"MUG": 1}, DENVER, by=name).order) >= last:
                return placed
    return last


def place_with_key(path: Path, key: str, units: int) -> tuple[dict[str, Any], bool] | tuple[str, int]:
    """(document, repeated) of one place, or (code, exit status)."""
    with opened(path, "protected") as engine:
        outcome = next(engine.run([Place(lines={"MUG": units}, to=DENVER, key=key)]))
        if isinstance(outcome, Answer):
            return dict(outcome.document), outcome.repeated
        return outcome.code, outcome.exit_status


def tie_with_key(path: Path, order: str, key: str | None) -> tuple[int, bool, bool] | str:
    """(version, changed, repeated) of one tie, or the error's code."""
    with opened(path, "protected") as engine:
        try:
            answer = engine.tie(order, key=key)
        except OrderstateError as error:
            return error.code
        return answer.version, answer.changed, answer.repeated


def fire_at_version(path: Path, order: str, version: int) -> str:
    """`done`, or the code of the error, of one untie of an order that must be at `version`."""
    with opened(path, "protected") as engine:
        try:
            engine.untie(order, if_version=version)
        except OrderstateError as error:
            return error.code
        return "done"


def churn(path: Path, name: str, rounds: int) -> int:
    """Tie, split, redirect, ship, cancel: everything that moves stock, beside others who do the same."""
    done = 0
    with opened(path, "protected") as engine:
        for n in range(rounds):
            order = engine.place({"MUG": 2, "PEN": 1 + n % 4}, DENVER, short="split", by=name).order
            steps: tuple[Callable[[], Answer], ...] = (
                partial(engine.tie, order),
                partial(engine.redirect, order, NEW_YORK),
                partial(engine.cancel, order, lines={"PEN": 1}),
                partial(engine.untie, order),
                partial(engine.receive, "DEN", "MUG", 1),
                partial(engine.tie, order),
                partial(engine.adjust, "NYC", "PEN", to_units=n % 5 + 1, untie=True),
                partial(engine.ship, order),
                partial(engine.cancel, order),
            )
            for step in steps:
                try:
                    step()
                    done += 1
                except (Refused, StockShort, NotFound):  # NotFound: all of the PEN went to a child
                    continue
    return done


def churn_or_watch(path: Path, name: str | None, number: int) -> int:
    """`churn` that many rounds under a name; without a name `watch` until there are that many orders."""
    return watch(path, number) if name is None else churn(path, name, number)


def watch(path: Path, orders: int) -> int:
    """Check the whole database over and over while others write, until there are so many orders; how often."""
    looks = 0
    with opened(path, "protected") as engine:
        while True:
            check_database(path)
            looks += 1
            if sum(engine.counts().values()) >= orders:
                return looks


def create(path: Path) -> str:
    """`made`, or the error's code."""
    try:
        Engine.create(path).close()
    except OrderstateError as error:
        return error.code
    return "made"
