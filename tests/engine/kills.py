"""Killing a process at a chosen statement: what the children do, and what the parent may see afterwards."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from worlds import fork

from orderstate import Answer, Engine, OrderstateError
from orderstate.engine.commands import Command
from orderstate.store.sqlite import SqliteStore, Transaction

AT = 1_767_300_000_000_000
"""The moment of every command here, so that the same command writes the same rows in every run."""


def statements(work: Callable[[], object]) -> list[str]:
    """What `work` sends to connections that may write, each statement cut to its first words."""
    sent: list[str] = []
    real = sqlite3.connect
    try:
        sqlite3.connect = _watching(real, lambda sql: sent.append(" ".join(sql.split()[:3])))
        work()
    finally:
        sqlite3.connect = real
    return sent


@contextmanager
def running(work: Callable[[int], object]) -> Iterator[BinaryIO]:
    """Run `work(out)` in a forked child; gives what it writes to `out`, and kills it at the end."""
    read, write = os.pipe()
    child = fork()
    if child == 0:
        try:
            os.close(read)
            work(write)
        finally:
            os._exit(3)
    os.close(write)
    with open(read, "rb") as said:
        try:
            yield said
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def killed_before(number: int, work: Callable[[], object]) -> None:
    """Run `work` in a forked child that is killed just before its statement `number` (from 1), or right after the last.

    A child that is killed right after has done all its work, but told nobody.
    """
    child = fork()
    if child == 0:
        try:
            _die_before(number, work)
        except BaseException as error:  # noqa: BLE001 - the child must not go on as a second pytest
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
        finally:
            os._exit(3)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the child was to be killed at statement {number}, and ended with {status:#x}"
    assert os.WTERMSIG(status) == signal.SIGKILL


def _die_before(number: int, work: Callable[[], object]) -> None:
    left = [number]

    def count(_: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sqlite3.connect = _watching(sqlite3.connect, count)
    work()
    os.kill(os.getpid(), signal.SIGKILL)


class Spilling(sqlite3.Connection):
    """A connection with next to no cache: pages reach the log before they are committed, and must be undone."""

    def execute(self, sql: str, values: Any = (), /) -> sqlite3.Cursor:
        """Run one statement; a cache size is what we say."""
        return super().execute("PRAGMA cache_size=1" if sql.startswith("PRAGMA cache_size") else sql, values)


def _watching(real: Any, callback: Callable[[str], None]) -> Any:
    def connect(*arguments: Any, **named: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = real(*arguments, factory=Spilling, **named)
        if "mode=ro" not in str(arguments[0]):
            connection.set_trace_callback(callback)
        return connection

    return connect


class WithoutTransaction(SqliteStore):
    """The store without its transactions: each statement is committed by itself. For the control of the kills."""

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """No transaction at all."""
        if self._writer is None:
            self._open_writer()
        assert self._writer is not None
        yield Transaction(self._writer, self.path)


def run_without_transaction(path: Path, commands: Sequence[Command]) -> list[Answer | OrderstateError]:
    """As `run`, but with nothing that holds the statements together."""
    with Engine(WithoutTransaction(path)) as engine:
        return [engine.execute(command) for command in commands]


def acknowledge(path: Path, out: int) -> None:
    """Place, tie and ship order after order, and write each id to `out` once it is durable."""
    with Engine.open(path) as engine:
        while True:
            order = engine.place({"PEN": 1}, "US").order
            for step in (engine.tie, engine.ship):
                os.write(out, f"{order} {step(order).state}\n".encode())


def run(path: Path, commands: Sequence[Command], *, close: bool = False) -> list[Answer | OrderstateError]:
    """Run the commands in one transaction. Unless told so it leaves the engine open, for the kill to find it so."""
    engine = Engine.open(path)
    OPEN.append(engine)
    outcomes = list(engine.run(commands, batch=len(commands)))
    if close:
        engine.close()
    return outcomes


OPEN: list[Engine] = []
"""Engines of children that wait to be killed: were they forgotten, they would be closed, and a close may checkpoint."""
