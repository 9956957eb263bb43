"""What the four services are made of: parts that run side by side in one process until it is told to stop."""

from __future__ import annotations

import json
import select
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orderstate import Engine
from orderstate.events.brokers import Message, Sink, sink, source
from orderstate.events.consuming import Consumer, Heard, own_group
from orderstate.events.following import Duty, follow
from orderstate.events.outcomes import Later
from orderstate.events.relaying import Relay
from orderstate.events.waking import Alarm, Bell

ORDERS, INVENTORY, DESK = "orders", "inventory", "desk"
"""The streams: what the order service says, what the inventory service says, and what others ask of the latter."""

ARTICLES = ("MUG", "CUP", "POT")

Part = Callable[[Bell], None]


class Stopped(Exception):
    """The service was told to stop before this was done: whoever is told of it again does it then."""


def say(text: str) -> None:
    """One line of a service's log."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def serve(*parts: Part) -> int:
    """Run every part in a thread of its own until SIGTERM or Ctrl-C; 1 where one of them failed."""
    bell, failed = Bell(), list[BaseException]()

    def run(part: Part) -> None:
        try:
            part(bell)
        except Stopped as stopped:
            say(f"{stopped}: stopped before it was done")
        except BaseException as error:  # noqa: BLE001 - said below, and ends the whole service
            failed.append(error)
            say(f"{type(error).__name__}: {error}")
            bell.ring()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: bell.ring())
    threads = [threading.Thread(target=run, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bell.close()
    return 1 if failed else 0


def rest(bell: Bell, seconds: float) -> None:
    """Until the bell rings, at most so many seconds."""
    select.select([bell.fileno()], [], [], seconds)


def relaying(database: Path, url: str) -> Part:
    """`orderstate relay --to URL --follow`."""

    def part(bell: Bell) -> None:
        with Engine.open(database) as engine, Alarm(database, engine.store.commits, bell) as alarm:
            Relay(engine, sink(url), said=say, stop=lambda: bell.rung, give_up=None).run(alarm)

    return part


def consuming(database: Path, url: str) -> Part:
    """`orderstate consume --from URL --follow`."""

    def part(bell: Bell) -> None:
        with Engine.open(database) as engine:
            opened = source(url, own_group(engine))

            def told(heard: Heard) -> None:
                say(f"{heard.type} {heard.id}: {heard.outcome} {heard.reason or ''}")

            Consumer(engine, opened, told=told, said=say, stop=lambda: bell.rung, give_up=None).run()

    return part


def working(database: Path, *subscribers: str) -> Part:
    """`orderstate work --follow --subscriber ...`."""

    def part(bell: Bell) -> None:
        with Engine.open(database) as engine:
            follow(engine, Duty(subscribers, timers=False), bell, lambda: Engine.open(database))

    return part


def listening(url: str, group: str, hear: Callable[[dict[str, Any]], None]) -> Part:
    """Hear every message of a stream at least once, and acknowledge it when `hear` has done its work.

    `hear` raises Stopped where the bell rings before that.
    """

    def part(bell: Bell) -> None:
        with source(url, group) as opened:
            while not bell.rung:
                try:
                    got = opened.receive(100, 1.0)
                except Later as error:
                    say(f"{error.reason}; trying again")
                    rest(bell, 1.0)
                    continue
                for one in got:
                    hear(json.loads(one.body))
                    one.done()

    return part


def send(to: Sink, bell: Bell, origin: str, id: str, kind: str, subject: str, data: dict[str, Any]) -> None:
    """One message, sent until the broker has it. The id says what is meant, so a repeat is seen for one.

    Raises Stopped where the bell rings before that.
    """
    document = {
        "specversion": "1.0", "id": id, "source": origin, "type": kind, "subject": subject,
        "partitionkey": subject, "datacontenttype": "application/json", "data": data,
    }  # fmt: skip
    message = Message(f"{origin}/{id}", subject, kind, json.dumps(document).encode())
    while (failure := to.publish([message])[0]) is not None:
        say(f"{id}: {failure.reason}; trying again")
        rest(bell, 0.5)
        if bell.rung:
            raise Stopped(id)


def echo(document: dict[str, Any]) -> bool:
    """Whether a database says this only because it followed another one, which has said it already."""
    return str(document["data"].get("by", "")).startswith("/orderstate/")
