"""Events a second into each broker, each confirmed: one at a time, and 500 in flight together.

Without URLs the servers of the tests are started, set as docs/brokers.md says: on this machine, with one node each.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from uuid import uuid4

from bench.report import Table, machine
from orderstate.errors import OrderstateError
from orderstate.events.brokers import Message, Sink, sink

TOGETHER = 500
SERVERS = ("Nats", "Redis", "Rabbit", "Kafka")
"""Classes of tests/events/servers.py."""

_TESTS = Path(__file__).parents[1] / "tests" / "events"


def events(number: int) -> list[Message]:
    """So many events of as many orders, of the size of an OrderPlaced with two lines, never published before."""
    run = uuid4().hex
    found = []
    for order in range(number):
        data = {
            "lines": [{"sku": f"SKU-{n}", "quantity": n} for n in (1, 2)],
            "to": "US@39.74,-104.99",
            "as": "operator",
        }
        head = {"specversion": "1.0", "id": f"{order}:1", "source": f"urn:uuid:{run}", "type": "OrderPlaced"}
        more = {
            "subject": str(order),
            "partitionkey": str(order),
            "sequence": "1",
            "time": "2026-01-01T00:00:00.000000Z",
        }
        body = json.dumps({**head, **more, "datacontenttype": "application/json", "data": data}).encode()
        found.append(Message(f"urn:uuid:{run}/{order}:1", str(order), "OrderPlaced", body))
    return found


def rate(out: Sink, number: int, together: int) -> float:
    """Events a second, `together` in each call. Raises what was not confirmed."""
    messages = events(number)
    calls = [messages[start : start + together] for start in range(0, number, together)]
    begun = perf_counter()
    for call in calls:
        for answer in out.publish(call):
            if answer is not None:
                raise answer
    return number / (perf_counter() - begun)


@contextmanager
def server(kind: str, folder: Path) -> Iterator[Any]:
    """One of the servers of the tests, running; None where it is not installed."""
    if str(_TESTS) not in sys.path:
        sys.path.insert(0, str(_TESTS))
    servers = import_module("servers")
    found = getattr(servers, kind)(folder)
    try:
        found.start()
    except servers.pytest.skip.Exception:
        yield None
        return
    try:
        yield found
    finally:
        found.stop()
        if hasattr(found, "close"):
            found.close()


def measure(table: Table, title: str, url: str, rounds: int) -> None:
    """A row for one sink: medians over so many rounds, after one that does not count."""
    with sink(url) as out:
        rate(out, TOGETHER, TOGETHER)
        single = median(rate(out, 100, 1) for _ in range(rounds))
        many = median(rate(out, 4 * TOGETHER, TOGETHER) for _ in range(rounds))
    table.add(title, f"{single:,.0f}", f"{many:,.0f}", f"{many / single:.1f}x")


def report(urls: Sequence[str], rounds: int) -> Table:
    """Every sink in turn."""
    table = Table("Confirmed events a second", ["sink", "one by one", f"{TOGETHER} in flight", "ratio"])
    for url in urls:
        measure(table, sink(url).name, url, rounds)
    if urls:
        return table
    for kind in SERVERS:
        with tempfile.TemporaryDirectory(prefix="orderstate-bench-") as folder, server(kind, Path(folder)) as found:
            if found is None:
                table.add(kind, "not installed", "", "")
            else:
                measure(table, kind, found.url("bench"), rounds)
    with tempfile.TemporaryDirectory(prefix="orderstate-bench-") as folder:
        measure(table, "a file", f"{folder}/events.ndjson", rounds)
    table.notes += ["Kafka is the mock cluster of librdkafka, which stores nothing: the limit of the client only"]
    table.notes += [
        "NATS, Redis, RabbitMQ and the file have every event on disk (fsync) before they confirm",
        machine(),
    ]
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.brokers", description=__doc__)
    parser.add_argument("urls", nargs="*", metavar="URL", help="sinks to measure in place of servers of our own")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    given = parser.parse_args(argv)
    try:
        report(given.urls, 1 if given.quick else 5).print()
    except OrderstateError as error:
        parser.error(error.sentence)
    return 0


if __name__ == "__main__":
    sys.exit(main())
