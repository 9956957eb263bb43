"""show, list and tie in the engine: a database of a million orders against one of five thousand, in turns.

The databases are filled by SQL (bench/filling.py). Orders to show and to tie are picked all over the database by a
fixed rule, so that pages far apart are read; every list fills its page at both sizes.
"""

from __future__ import annotations

import argparse
import gc
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from bench.filling import BEGAN, EVERY, FIRST_ID, cancelled_at_first, fill, pending_at_first
from bench.report import Table, against, machine
from bench.world import FACILITIES
from orderstate.engine import Answer, Engine
from orderstate.engine.commands import Fire

BUDGET = 1.2
"""How many times its time at five thousand orders a question may take at a million."""

SMALL, LARGE, QUICK = 5_000, 1_000_000, 50_000
PAGE = 50
TOGETHER = 5
STRIDE = 7_919
"""A prime: stepping by it visits orders all over the database, and each once."""

Question = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Shop:
    """One filled database, open, with its endless picks of orders."""

    orders: int
    engine: Engine
    picks: Iterator[str]
    newest: Iterator[str]
    pending: Iterator[str]
    planned: Iterator[str]
    """Any but those that were cancelled, for which nothing is planned."""

    @classmethod
    def open(cls, path: Path, orders: int) -> Shop:
        """Open a filled database; the clock stands one day after its last order."""
        now = BEGAN + orders * EVERY + 86_400_000_000
        engine = Engine.open(path, clock=lambda: now)
        everywhere = [n * STRIDE % orders for n in range(min(orders, 10_000))]
        picks = cycle([str(FIRST_ID + n) for n in everywhere])
        newest = cycle([str(FIRST_ID + orders - 1 - n % 1000) for n in everywhere])
        pending = iter([str(FIRST_ID + n) for n in everywhere if pending_at_first(n)])
        planned = cycle([str(FIRST_ID + n) for n in everywhere if not cancelled_at_first(n)])
        return cls(orders, engine, picks, newest, pending, planned)

    def questions(self) -> dict[str, Question]:
        """Every question by name. Lists are asked for their first page."""
        ask = self.engine.orders
        middle = 86_400_000_000 + self.orders * EVERY // 2
        after = str(FIRST_ID + self.orders // 2)
        return {
            "show, any order": lambda: self.engine.show(next(self.picks)),
            "show, of the newest 1,000": lambda: self.engine.show(next(self.newest)),
            "list": lambda: ask(limit=PAGE),
            "list, a later page": lambda: ask(limit=PAGE, after=after),
            "list --state pending": lambda: ask(state="pending", limit=PAGE),
            "list --state delivered": lambda: ask(state="delivered", limit=PAGE),
            "list --sku": lambda: ask(sku="SKU-42", limit=PAGE),
            "list --facility": lambda: ask(facility=next(iter(FACILITIES)), limit=PAGE),
            "list --waiting": lambda: ask(waiting=True, limit=PAGE),
            "list --older-than": lambda: ask(older_than=3_600_000_000, limit=PAGE),
            "list --older-than, half of all": lambda: ask(older_than=middle, limit=PAGE),
            "list --state --sku": lambda: ask(state="delivered", sku="SKU-42", limit=PAGE),
            "list --state --facility": lambda: ask(state="delivered", facility="DEN1", limit=PAGE),
            "plan, any order": lambda: self.engine.plan(next(self.planned), strategy="nearest"),
            f"tie, {TOGETHER} in one commit": self.tie_together,
            "tie, durable": lambda: self.engine.tie(next(self.pending)),
        }

    def tie_together(self) -> None:
        """Tie pending orders in one transaction, so that the disk's mood weighs less than the engine's work."""
        ties = [Fire(order=order, trigger="tie_inventory") for order in islice(self.pending, TOGETHER)]
        for outcome in self.engine.run(ties, batch=TOGETHER):
            if not isinstance(outcome, Answer):
                raise outcome


def measure(shops: Sequence[Shop], samples: int) -> dict[str, list[float]]:
    """Median seconds of every question in each shop, asked in turns; a few first times are not counted."""
    found: dict[str, list[float]] = {}
    questions = [shop.questions() for shop in shops]
    for name in questions[0]:
        times: list[list[float]] = [[] for _ in shops]
        gc.collect()
        for turn in range(samples + 5):
            for asked, kept in zip(questions, times, strict=True):
                started = time.perf_counter()
                asked[name]()
                if turn >= 5:
                    kept.append(time.perf_counter() - started)
        found[name] = [median(kept) for kept in times]
    return found


def report(folder: Path, sizes: Sequence[int], samples: int) -> Table:
    """Fill both databases, ask everything of both, and table it."""
    filled = []
    for orders in sizes:
        path, started = folder / f"{orders}.db", time.perf_counter()
        with ProcessPoolExecutor(1, get_context("spawn")) as elsewhere:  # what it takes is not counted as ours
            elsewhere.submit(fill, path, orders).result()
        seconds, size = time.perf_counter() - started, path.stat().st_size / 1e6
        filled.append(f"{orders:,} orders: {size:,.0f} MB, filled in {seconds:,.1f} s")
    before = resident()
    with ExitStack() as stack:
        shops = [Shop.open(folder / f"{orders}.db", orders) for orders in sizes]
        for shop in shops:
            stack.enter_context(shop.engine)
        found = measure(shops, samples)
    columns = ["asked of the engine", *(f"us at {orders:,}" for orders in sizes), "ratio", "budget", ""]
    table = Table("Scale: the same questions of a small and a large database", columns)
    for name, seconds_each in found.items():
        small, large = seconds_each
        table.add(name, f"{small * 1e6:,.0f}", f"{large * 1e6:,.0f}", *against(large / small, BUDGET))
    table.notes += [
        f"medians of {samples}, alternating; lists show pages of {PAGE}; every tie is committed to the disk",
        *filled,
        f"memory of the process that asks: {before:,.0f} MB before the first question, {resident():,.0f} MB at the end",
        machine(),
    ]
    return table


def resident() -> float:
    """Megabytes of memory that this process holds now; on other systems than Linux the most that it ever held."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return pages * resource.getpagesize() / 1e6


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:,} orders instead of {LARGE:,}")
    parser.add_argument("--small", type=int, default=SMALL, help="orders in the small database (5000)")
    parser.add_argument("--large", type=int, help=f"orders in the large one ({LARGE}; quick: {QUICK})")
    parser.add_argument("--samples", type=int, help="times that each question is asked (60; quick: 30)")
    parser.add_argument("--dir", type=Path, help="make the databases in this folder: a million orders take 2 GB")
    given = parser.parse_args(argv)
    large = given.large or (QUICK if given.quick else LARGE)
    samples = given.samples or (30 if given.quick else 60)
    with tempfile.TemporaryDirectory(prefix="orderstate-bench-", dir=given.dir) as folder:
        report(Path(folder), (given.small, large), samples).print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
