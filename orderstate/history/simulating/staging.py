"""The orders of a history on disk, in time order, so that every process reads them without keeping them."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from orderstate.errors import OrderstateError
from orderstate.store.spool import Spool

_PAGE = 500
"""Orders that are read, and so kept in memory, at once."""


class Order(NamedTuple):
    """One order as it is played: its number, its destination as text, and (SKU, units), each SKU once."""

    number: str
    destination: str
    lines: tuple[tuple[str, int], ...]


class Staged(NamedTuple):
    """What was staged. `first_at` and `last_at` are UTC microseconds; `lines` counts SKUs over the orders."""

    orders: int
    lines: int
    units: int
    first_at: int
    last_at: int


def stage(spool: Spool, file: Path, progress: Callable[[int], None]) -> Staged:
    """Write the orders of a sealed spool to a file, oldest first. Raises OrderstateError where the disk is full."""
    orders = lines = units = first_at = last_at = 0
    with room(), file.open("wb") as out:
        page: list[Order] = []
        for invoice in spool.invoices(orders_only=True):
            order = Order(invoice.number, invoice.destination, tuple(spool.lines(invoice.ordinal)))
            first_at = invoice.at if not orders else first_at
            last_at = invoice.at
            orders += 1
            lines += len(order.lines)
            units += sum(wanted for _, wanted in order.lines)
            page.append(order)
            if len(page) == _PAGE:
                _write(page, out)
                page = []
                progress(orders)
        _write(page, out)
    return Staged(orders, lines, units, first_at, last_at)


def _write(page: list[Order], out: BinaryIO) -> None:
    if page:
        pickle.dump([tuple(order) for order in page], out, protocol=pickle.HIGHEST_PROTOCOL)


def staged_orders(file: Path) -> Iterator[Order]:
    """The orders that `stage` wrote, in their order."""
    with file.open("rb") as stream:
        while True:
            try:
                page = pickle.load(stream)
            except EOFError:
                return
            yield from map(Order._make, page)


@contextmanager
def room() -> Iterator[None]:
    """Say which folder is full, where one is."""
    try:
        yield
    except OSError as error:
        raise OrderstateError(
            f"the temporary copy of the orders could not be written: {error.strerror}; nothing was simulated",
            hint="TMPDIR=FOLDER names a folder with more room",
            code="no_room",
        ) from error
