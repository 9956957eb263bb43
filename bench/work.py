"""Events a second through `work`, against the same commands without events; and how soon `work --follow` hears of one.

Local: `sourcing` ties each order inside the transaction that marks its delivery. Outside: a function that does nothing
is called with no transaction open, so what is measured is claiming and writing down.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median, quantiles
from time import monotonic, perf_counter

from bench import world
from bench.report import Table, machine
from orderstate.engine import Engine
from orderstate.engine.commands import Fire, Place
from orderstate.events.working import Worker
from orderstate.model import Event, Subscriber
from orderstate.store import deliveries

BATCHES = (1, 100, 500)
FOLLOWED = 3.0
"""Seconds that an idle follower is watched."""


def nothing(event: Event, engine: Engine) -> None:
    """An outside subscriber that has nothing to do."""


@contextmanager
def placed(folder: Path, orders: int) -> Iterator[tuple[Engine, list[str]]]:
    """A shop with so many pending orders, whose OrderPlaced are on their way to `sourcing` and to `nothing`."""
    path = folder / "work.db"
    world.create(path, "nearest")
    with Engine.open(path) as engine:
        with engine.unit() as unit:
            for subscriber in engine.subscribers():
                if subscriber.name != "sourcing":
                    deliveries.declare(
                        unit.tx, Subscriber(subscriber.name, subscriber.kind, subscriber.target, (), False)
                    )
            deliveries.declare(unit.tx, Subscriber("nothing", "outside", "bench.work:nothing", ("OrderPlaced",)))
        places = [Place(lines=world.lines(n), to=world.destination(n)) for n in range(orders)]
        answers = list(engine.run(places, batch=500))
        yield engine, [answer.order for answer in answers if not isinstance(answer, Exception)]


def timed(orders: int, work: Callable[[Engine, list[str]], object]) -> float:
    """Orders a second that `work` gets through, on a database of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="orderstate-bench-") as folder,
        placed(Path(folder), orders) as (engine, ids),
    ):
        begun = perf_counter()
        work(engine, ids)
        return orders / (perf_counter() - begun)


def by_commands(batch: int) -> Callable[[Engine, list[str]], object]:
    """The same ties without deliveries: what `sourcing` is measured against."""
    return lambda engine, ids: list(
        engine.run([Fire(order=order, trigger="tie_inventory", role="system") for order in ids], batch=batch)
    )


def by_worker(name: str, batch: int) -> Callable[[Engine, list[str]], object]:
    """All deliveries of one subscriber."""
    return lambda engine, _: Worker(engine, [name], batch=batch).drain()


def throughput(orders: int, rounds: int) -> Table:
    """A row for each batch."""
    table = Table(
        "Events a second through `work`",
        ["batch", "sourcing", "ties alone", "ratio", "outside, does nothing"],
    )
    for batch in BATCHES:
        some = max(200, orders // 5) if batch == 1 else orders
        ties, local, outside = [], [], []
        for _ in range(rounds):
            ties.append(timed(some, by_commands(batch)))
            local.append(timed(some, by_worker("sourcing", batch)))
            outside.append(timed(some, by_worker("nothing", batch)))
        ratio = median(alone / worked for alone, worked in zip(ties, local, strict=True))
        table.add(
            str(batch), f"{median(local):,.0f}", f"{median(ties):,.0f}", f"{ratio:.2f}x", f"{median(outside):,.0f}"
        )
    table.notes += [f"medians of {rounds} rounds; ratio: a delivery with its tie against the tie alone"]
    return table


def heard(path: Path, order: str) -> int:
    """The order's version, by a reader of its own, until it is tied."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
        until = monotonic() + 10
        while monotonic() < until:
            (version,) = reader.execute("SELECT version FROM orders WHERE id = ?", (order,)).fetchone()
            if version > 1:
                return int(version)
    raise TimeoutError(f"{order} was not tied within 10 s")


def cpu(process: subprocess.Popen[bytes]) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def latency(orders: int) -> Table:
    """From a commit in one process to the tie, committed by `work --follow` in another; and what waiting costs."""
    table = Table(
        "`work --follow`: milliseconds from a commit to the tie that it leads to", ["", "median", "95 %", "most"]
    )
    with tempfile.TemporaryDirectory(prefix="orderstate-bench-") as folder:
        path = Path(folder) / "follow.db"
        world.create(path, "nearest")
        command = [
            sys.executable,
            "-m",
            "orderstate",
            "--db",
            str(path),
            "work",
            "--follow",
            "--subscriber",
            "sourcing",
        ]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as follower:
            try:
                with Engine.open(path) as engine:
                    heard(path, engine.place(world.lines(0), world.destination(0)).order)  # it is up
                    found = []
                    for number in range(1, orders + 1):
                        order = engine.place(world.lines(number), world.destination(number)).order
                        begun = perf_counter()
                        heard(path, order)
                        found.append((perf_counter() - begun) * 1000)
                before, until = cpu(follower), monotonic() + FOLLOWED
                time.sleep(until - monotonic())
                idle = (cpu(follower) - before) / FOLLOWED
            finally:
                follower.terminate()
    table.add(f"{orders} orders", f"{median(found):.1f}", f"{quantiles(found, n=20)[-1]:.1f}", f"{max(found):.1f}")
    table.notes += [f"idle it uses {idle:.1%} of one processor, watched for {FOLLOWED:g} s", machine()]
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.work", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer orders and rounds")
    given = parser.parse_args(argv)
    throughput(1000 if given.quick else 5000, 1 if given.quick else 5).print()
    latency(50 if given.quick else 300).print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
