"""`import_orders`: read the whole file first, complain about it or stage it, then write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from time import perf_counter

from orderstate.engine import Engine
from orderstate.engine.commands import quantity
from orderstate.errors import InvalidInput, NotFound, Refused
from orderstate.history.mapping import OrderMapping
from orderstate.history.network import BadRows
from orderstate.history.reading import Reader
from orderstate.history.replay import Replay
from orderstate.history.report import Report
from orderstate.history.summary import BadRow, Summary
from orderstate.machine import TIE
from orderstate.model import Refusal
from orderstate.store import stock
from orderstate.store.spool import Spool

DAY = 24 * 3_600_000_000
"""Microseconds."""

Progress = Callable[[int, int | None], None]


def import_orders(
    engine: Engine,
    file: str | Path,
    *,
    mapping: str | Path | OrderMapping = "online-retail",
    replay: bool = False,
    ship_after: int | None = DAY,
    deliver_after: int | None = None,
    bad: str = "refuse",
    batch: int = 500,
    report: str | Path | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Place the orders of a CSV file (also .gz) at their dates. Safe to run again: the keys follow from the file.

    mapping: a built-in name, a mapping file, or an OrderMapping. replay: play the file in time order: orders are tied
    at once, shipped `ship_after` microseconds later and delivered `deliver_after` after that (None: never), and
    cancellation invoices take their units from that customer's newest orders that still hold them. bad: `refuse` the
    whole file for one bad row, before anything is written, or `keep` the good rows. batch: commands to a transaction
    at most. report: a CSV file for every row and unit that did not become what the file says. progress(done, total):
    while the file is read, rows and None; then invoices and how many there are.

    No subscriber hears of any of it.

    Raises NotFound (file, mapping, SKUs under `refuse`), InvalidInput (an option, the mapping, a column of the file),
    BadRows (under `refuse`), and what concerns the whole database or disk: what was written until then stays, and a
    second run goes on from there.
    """
    if bad not in ("refuse", "keep"):
        raise InvalidInput("bad", bad, "refuse or keep")
    quantity("batch", batch)
    for name, delay in (("ship-after", ship_after), ("deliver-after", deliver_after)):
        if delay is not None and delay < 0:
            raise InvalidInput(name, delay, "a delay of 0 microseconds or more")
    if deliver_after is not None and ship_after is None:
        raise InvalidInput("deliver-after", deliver_after, "possible where nothing is ever shipped")
    rules = mapping if isinstance(mapping, OrderMapping) else OrderMapping.load(mapping)
    if replay and TIE not in engine.machine.choices(engine.flow.initial):
        raise Refused(
            f"a replay fires {TIE}, which does not lead out of {engine.flow.initial} in flow {engine.flow.name}",
            code="flow_unfit",
            hint="place the orders without --replay, or replay under the standard flow: orderstate flow use standard",
            flow=engine.flow.name,
        )
    started = perf_counter()
    show = progress or (lambda done, total: None)
    with _silence(engine), Spool() as spool, Report(report) as notes:
        reader = Reader(file, rules, on_bad=notes.bad, on_left_out=notes.left_out, on_order=spool.note)
        for _ in spool.add(reader):
            show(reader.rows, None)
        if reader.bad and bad == "refuse":
            raise _refused(reader, notes.first_bad)
        unknown = _unknown_skus(engine, spool)
        if unknown and bad == "refuse":
            raise _unknown(reader, unknown)
        for line, sku in spool.drop(unknown):
            reader.bad += 1
            notes.bad(BadRow(line, rules.columns["sku"], sku, "a SKU of this database"))
        spool.seal()
        orders, cancellations = spool.count()
        total = orders + (cancellations if replay else 0)
        player = Replay(engine, spool, rules, notes, batch=batch, progress=lambda done: show(done, total))
        if replay:
            player.play(ship_after, deliver_after)
        else:
            player.place_all()
        return Summary(
            file=str(file),
            mapping=rules.name,
            replay=replay,
            rows=reader.rows,
            left_out=dict(sorted(reader.left_out.items())),
            bad=reader.bad,
            bad_rows=tuple(notes.first_bad),
            invoices=spool.numbers(),
            orders=orders,
            cancellations=cancellations,
            states=player.states,
            seconds=perf_counter() - started,
            **asdict(player.tally),
        )


@contextmanager
def _silence(engine: Engine) -> Iterator[None]:
    """What is long past is told to nobody: customers know, and goods that left need no stock."""
    before, engine.silent = engine.silent, True
    try:
        yield
    finally:
        engine.silent = before


def _refused(reader: Reader, first: Sequence[BadRow]) -> BadRows:
    number = "1 row" if reader.bad == 1 else f"{reader.bad} rows"
    return BadRows(
        f"{reader.path}: {number} of {reader.rows} cannot be used, so nothing was imported",
        hint="--bad keep imports the good rows; --report FILE.csv lists all the others",
        blocked=[Refusal("bad_row", str(row), None, {"row": row.row, "column": row.column}) for row in first],
        file=str(reader.path),
        rows=reader.rows,
        bad=reader.bad,
    )


def _unknown_skus(engine: Engine, spool: Spool) -> dict[str, int]:
    """SKU to the first line that orders it, by that line: those that the database has never had."""
    with engine.store.read() as tx:
        return {sku: line for sku, line in spool.ordered_skus() if not stock.known(tx, sku)}


def _unknown(reader: Reader, unknown: dict[str, int]) -> NotFound:
    sku, line = next(iter(unknown.items()))
    number = "1 SKU" if len(unknown) == 1 else f"{len(unknown)} SKUs"
    return NotFound(
        f"{reader.path}: {number} are not in this database, the first {sku!r} in row {line}; nothing was imported",
        hint="orderstate stock import FILE brings them in; --bad keep leaves their rows out",
        code="unknown_sku",
        file=str(reader.path),
        row=line,
        column=reader.mapping.columns["sku"],
        name=sku,
        unknown=len(unknown),
    )
