"""Orders through a real broker while every process is killed at random: does each have its effect exactly once?

    python tests/events/chaos.py --broker nats --orders 20000 --kills 100 [--restarts 3] [--without-inbox] [--seed N]

One process places orders of three units and cancels one unit of each, one relays what happened to the broker, one
follows it into another database. The kills come as SIGKILL, at random moments; beside them the last two kill themselves
now and then at the worst moment, when something is done and not yet acknowledged. --restarts kills the broker as well.
A unit that is cancelled twice shows: the second cancel of the same event leaves one unit where two are due.
--without-inbox is the control, in which the follower forgets what it has had: it must show such orders, or the whole
proves nothing.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parent), str(HERE)]

import servers  # noqa: E402 - beside this file, also when it is run as a script
from worlds import check_database, rows  # noqa: E402 - as above

from orderstate import Engine, OrderstateError  # noqa: E402 - as above
from orderstate.engine.commands import Cancel, Command, Place  # noqa: E402 - as above
from orderstate.events.brokers import sink, source  # noqa: E402 - as above
from orderstate.events.consuming import Consumer, own_group  # noqa: E402 - as above
from orderstate.events.relaying import Relay  # noqa: E402 - as above
from orderstate.events.waking import Alarm, Bell  # noqa: E402 - as above
from orderstate.store import deliveries  # noqa: E402 - as above

KINDS = {"nats": servers.Nats, "redis": servers.Redis, "rabbit": servers.Rabbit, "kafka": servers.Kafka}
PARTS = ("place", "relay", "consume")
UNITS, LEFT = 3, 2
STANDSTILL = 120.0
"""Seconds without progress after which it is given up."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was seen: `wrong` are orders whose event had another effect than one."""

    orders: int
    kills: int
    restarts: int
    wrong: int
    repeats: int
    seconds: float


def place(database: Path, orders: int, bell: Bell) -> None:
    """Place and reduce, each with a key, from a little before where an earlier process ended."""
    with Engine.open(database) as engine:
        done = max(0, sum(engine.counts().values()) - 40)

        def commands() -> Iterator[Command]:
            for number in range(done, orders):
                if bell.rung:
                    return
                yield Place(lines={"MUG": UNITS}, to="US", id=f"o{number}", key=f"p{number}")
                yield Cancel(order=f"o{number}", lines={"MUG": UNITS - LEFT}, key=f"c{number}")

        for outcome in engine.run(commands(), batch=20):
            if isinstance(outcome, OrderstateError):
                raise outcome


def die(one_in: float) -> None:
    """Now and then: end here as a kill would, at a moment that a kill from outside seldom meets."""
    if random.random() * one_in < 1:
        os.kill(os.getpid(), signal.SIGKILL)


def relay(database: Path, url: str, bell: Bell, orders: int) -> None:
    """`orderstate relay --to URL --follow`; dies now and then when the broker has it and the database does not know."""

    class Deadly(Relay):
        def _write(self) -> None:
            if self._settled:
                die(max(60, orders / 10))
            super()._write()

    with Engine.open(database) as engine, Alarm(database, engine.store.commits, bell) as alarm:
        Deadly(engine, sink(url), stop=lambda: bell.rung, give_up=None).run(alarm)


def consume(database: Path, url: str, bell: Bell, tally: Path, orders: int) -> None:
    """`orderstate consume --from URL --follow`; dies now and then between the commit and the acknowledgement.

    It also writes down what it saw twice.
    """
    with Engine.open(database) as engine, tally.open("a") as seen:

        def told(heard: object) -> None:
            if getattr(heard, "outcome", "") in ("repeated", "parked"):
                seen.write(f"{heard}\n")
                seen.flush()
            die(max(300, orders / 2))

        Consumer(
            engine, source(url, own_group(engine)), told=told, stop=lambda: bell.rung, give_up=None
        ).run()  # fmt: skip


def part(name: str, folder: Path, url: str, orders: int, without_inbox: bool) -> int:
    """One of the processes."""
    bell = Bell()
    signal.signal(signal.SIGTERM, lambda *_: bell.ring())
    if without_inbox:
        deliveries.received = lambda *_: None  # the control: it remembers nothing
    if name == "place":
        place(folder / "here.db", orders, bell)
    elif name == "relay":
        relay(folder / "here.db", url, bell, orders)
    else:
        consume(folder / "there.db", url, bell, folder / "repeats", orders)
    return 0


def prepare(folder: Path, server: servers.Server, stream: str) -> str:
    """Two databases, and the group of the second one at the broker: a queue that is not there keeps nothing."""
    url = server.url(stream)
    for name in ("here.db", "there.db"):
        with Engine.create(folder / name) as engine:
            engine.add_facility("DEN", country="US")
            engine.receive("DEN", "MUG", 1)
            if name == "there.db" and isinstance(server, servers.Rabbit):
                url = server.url(stream, groups=own_group(engine))
                with source(url, own_group(engine)):
                    pass
                server.restart()  # killed while it makes a queue, 3.10 does not always elect a leader for it again
    return url


@contextmanager
def running(folder: Path, url: str, orders: int, without_inbox: bool) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """The processes; what is left of them in the end is told to stop, and must do so cleanly."""
    found = {name: started(name, folder, url, orders, without_inbox) for name in PARTS}
    try:
        yield found
    finally:
        for process in found.values():
            process.send_signal(signal.SIGTERM)
        for process in found.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(30)


def started(name: str, folder: Path, url: str, orders: int, without_inbox: bool) -> subprocess.Popen[bytes]:
    """One process, again from the beginning."""
    control = ["--without-inbox"] if without_inbox else []
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [
                sys.executable,
                __file__,
                "--part",
                name,
                "--dir",
                folder,
                "--url",
                url,
                "--orders",
                str(orders),
                *control,
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )


def chaos(
    server: servers.Server,
    folder: Path,
    *,
    orders: int,
    kills: int,
    restarts: int = 0,
    seed: int = 1,
    without_inbox: bool = False,
    told: bool = False,
) -> Outcome:
    """Send the orders through while processes, and the broker, are killed. Raises AssertionError when nothing moves."""
    dice, began = random.Random(seed), time.monotonic()
    url = prepare(folder, server, f"chaos{seed}")
    strikes = ["broker"] * restarts + [dice.choice(PARTS) for _ in range(kills)]
    dice.shuffle(strikes)
    # Spread over the whole way, so that every part meets them, the last orders too.
    due = sorted(dice.uniform(0, 2 * orders) for _ in strikes)
    seen, last, struck = -1, time.monotonic(), 0
    with running(folder, url, orders, without_inbox) as processes:
        while True:
            followed = rows(folder / "there.db", "SELECT count(*) FROM event WHERE subject LIKE 'o%'")[0][0]
            if followed != seen:
                seen, last = followed, time.monotonic()
            assert time.monotonic() - last < STANDSTILL, f"nothing has moved: {followed} of {2 * orders} events"
            while struck < len(strikes) and due[struck] <= followed:
                strike(strikes[struck], server, processes)
                struck += 1
                break
            else:
                complete = rows(
                    folder / "there.db", "SELECT count(DISTINCT subject) FROM event WHERE type = 'OrderReduced'"
                )
                if complete[0][0] >= orders and struck == len(strikes) and not waiting(folder):
                    break
            for name, process in processes.items():
                if process.poll() not in (None, 0):
                    processes[name] = started(name, folder, url, orders, without_inbox)
            if told and sys.stdout.isatty():
                print(f"\r{followed} of {2 * orders} events, {struck} of {len(strikes)} strikes", end="", flush=True)
            time.sleep(dice.uniform(0.02, 0.2))
    if told:
        print(flush=True)
    # Told to stop while it starts, or dead just then: but none may have failed.
    ended = {name: process.returncode for name, process in processes.items()}
    assert set(ended.values()) <= {0, -signal.SIGTERM, -signal.SIGKILL}, ended
    wrong = rows(
        folder / "there.db",
        "SELECT count(*) FROM orders o JOIN order_line l USING (serial)"
        " WHERE l.quantity - l.cancelled <> ? OR o.version <> 2",
        LEFT,
    )[0][0]
    repeats = (folder / "repeats").read_text().count("outcome='repeated'")
    return Outcome(
        rows(folder / "there.db", "SELECT count(*) FROM orders")[0][0],
        kills, restarts, wrong, repeats, time.monotonic() - began,
    )  # fmt: skip


def strike(what: str, server: servers.Server, processes: dict[str, subprocess.Popen[bytes]]) -> None:
    """Kill one of the processes, or the broker, which is started again at once."""
    if what != "broker":
        processes[what].kill()
        processes[what].wait()
    elif server.can_restart:
        server.kill()
        server.start()


def waiting(folder: Path) -> int:
    """Events that the relay has not yet written down as published."""
    sql = (
        "SELECT count(*) FROM delivery JOIN subscriber ON subscriber = name WHERE kind = 'relay' AND delivered IS NULL"
    )
    return int(rows(folder / "here.db", sql)[0][0])


def check(folder: Path, orders: int) -> None:
    """Both databases add up, and every order is there once, with one unit cancelled once."""
    for name in ("here.db", "there.db"):
        check_database(folder / name)
        assert rows(folder / name, "SELECT count(*), min(version), max(version) FROM orders") == [(orders, 2, 2)], name
    assert rows(folder / "there.db", "SELECT count(*) FROM inbox WHERE parked IS NOT NULL") == [(0,)]


def main(argv: Sequence[str] | None = None) -> int:
    """0 where it shows what it is to show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", choices=KINDS, default="nats")
    parser.add_argument("--orders", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--restarts", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-inbox", action="store_true")
    parser.add_argument("--dir", type=Path)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.part:
        return part(given.part, given.dir, given.url, given.orders, given.without_inbox)
    with tempfile.TemporaryDirectory(prefix="orderstate-chaos-") as made:
        home = Path(made)
        (home / "broker").mkdir()
        with closing_server(given.broker, home / "broker") as server:
            folder = given.dir or home / "work"
            folder.mkdir()
            found = chaos(
                server,
                folder,
                orders=given.orders,
                kills=given.kills,
                restarts=given.restarts,
                seed=given.seed,
                without_inbox=given.without_inbox,
                told=True,
            )
        print(f"{given.broker}: {found}", flush=True)
        if given.without_inbox:
            print("the control shows what the inbox is for" if found.wrong else "THE CONTROL SHOWS NOTHING")
            return 0 if found.wrong else 1
        check(folder, given.orders)
        print("each order had its effect exactly once")
        return 1 if found.wrong else 0


@contextmanager
def closing_server(kind: str, folder: Path) -> Iterator[servers.Server]:
    """A broker of its own."""
    with closing(servers.running(KINDS[kind], folder)) as server:  # type: ignore[type-var]  # a generator
        yield next(server)


if __name__ == "__main__":
    sys.exit(main())
