"""Events per second from the database through `relay` to each broker, and from a broker through `consume` into another.

Each broker is a real one, started for the run on this machine and set to write and sync before it confirms: NATS,
Redis, RabbitMQ, and Kafka's protocol on the mock cluster of librdkafka, which keeps nothing on disk. Those that are not
installed are left out. Beside them a FILE, and a sink in memory that confirms at once: what the relay itself costs.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from bench import world
from bench.report import Table, machine
from orderstate.engine import Engine
from orderstate.engine.commands import Place
from orderstate.events.brokers import Failure, Message, Sink, sink, source
from orderstate.events.brokers.message import Opened
from orderstate.events.consuming import Consumer
from orderstate.events.relaying import Relay

SERVERS = Path(__file__).parents[1] / "tests" / "events" / "servers.py"
"""How the tests start each broker."""

BROKERS = {"NATS": "Nats", "Redis": "Redis", "RabbitMQ": "Rabbit", "Kafka (mock)": "Kafka"}
BATCH = 500


class Memory(Opened):
    """Confirms at once and keeps nothing."""

    name = "memory://"

    def open(self) -> None:
        """Nothing to connect."""

    def publish(self, messages: Sequence[Message]) -> list[Failure | None]:
        """All are confirmed."""
        return [None] * len(messages)

    def close(self) -> None:
        """Nothing to let go of."""


def fill(path: Path, orders: int) -> None:
    """A database with so many orders placed: an event each."""
    world.create(path)
    with Engine.open(path) as engine:
        for _ in engine.run(
            (Place(lines=world.lines(n), to=world.destination(n)) for n in range(orders)), batch=BATCH
        ):  # fmt: skip
            pass


def relayed(path: Path, to: Sink, batch: int = BATCH) -> tuple[int, float]:
    """(events, seconds) of relaying everything, from the first run on: it also puts the past on its way."""
    with Engine.open(path) as engine:
        began = time.perf_counter()
        done = Relay(engine, to, batch=batch).run()
        return done.published, time.perf_counter() - began


def consumed(path: Path, url: str, orders: int) -> tuple[int, float]:
    """(messages, seconds) of following every order into another database, until the last one is there."""
    heard = 0
    with Engine.open(path) as engine:

        def told(_: object) -> None:
            nonlocal heard
            heard += 1

        began = time.perf_counter()
        Consumer(engine, source(url, "bench"), told=told, batch=BATCH, stop=lambda: heard >= orders).run()
        return heard, time.perf_counter() - began


@contextmanager
def started(kind: str, folder: Path) -> Iterator[Any]:
    """A broker of the tests' own making, or None where it cannot be had."""
    spec = spec_from_file_location("servers", SERVERS)
    assert spec is not None
    assert spec.loader is not None
    servers = module_from_spec(spec)
    spec.loader.exec_module(servers)
    running = servers.running(getattr(servers, kind), folder)
    try:
        server = next(running)
    except BaseException as error:
        if type(error).__name__ != "Skipped":
            raise
        yield None
        return
    try:
        yield server
    finally:
        running.close()


def row(table: Table, name: str, orders: int, home: Path, url: str | None) -> None:
    """One line of the table."""
    here, there = home / "here.db", home / "there.db"
    fill(here, orders)
    world.create(there)
    out: Sink = Memory() if url is None else sink(url)
    if url is not None and url.startswith("amqp"):
        with source(url, "bench"):
            pass  # a queue that is not there keeps nothing
    events, seconds = relayed(here, out)
    cells = [name, f"{events:,}", f"{events / seconds:,.0f}", f"{1e6 * seconds / events:,.0f}"]
    if url is None:
        table.add(*cells, "", "")
    else:
        heard, took = consumed(there, url, events)
        table.add(*cells, f"{heard / took:,.0f}", f"{1e6 * took / heard:,.0f}")


def report(orders: int, folder: Path, only: Sequence[str]) -> Table:
    """Every broker that is there."""
    table = Table(
        "Relay and consume: events a second over a broker on this machine, in flight 500 at a time",
        ["broker", "events", "relay/s", "us each", "consume/s", "us each"],
    )
    if not only:
        for name, url in (("none (in memory)", None), ("FILE", str(folder / "out.ndjson"))):
            home = folder / name.split()[0]
            home.mkdir()
            row(table, name, orders, home, url)
    for name, kind in BROKERS.items():
        if only and kind.casefold() not in only:
            continue
        home = folder / kind
        (home / "broker").mkdir(parents=True)
        with started(kind, home / "broker") as server:
            if server is None:
                table.notes.append(f"{name} is not installed here")
                continue
            row(table, name, orders, home, server.url("bench"))
        shutil.rmtree(home)
    table.notes += [
        "relay: read, encode, publish, wait for the confirmation, mark as delivered, 500 to a commit",
        "consume: fetch, read, place the order with the row of the inbox, up to 500 to a commit, acknowledge",
        "brokers write and sync before they confirm (Kafka's mock cluster keeps nothing on disk) and share our cores",
        machine(),
    ]
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.relay", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer events")
    parser.add_argument("--orders", type=int, help="orders to send (20000; quick: 2000)")
    parser.add_argument("--only", nargs="*", default=[], choices=sorted(k.casefold() for k in BROKERS.values()))
    parser.add_argument("--dir", type=Path, help="make the databases in this folder: name one on a real disk")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="orderstate-bench-", dir=given.dir) as folder:
        report(given.orders or (2000 if given.quick else 20_000), Path(folder), given.only).print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
