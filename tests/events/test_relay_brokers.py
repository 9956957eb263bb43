"""From one database over a real broker into another one: nothing is lost, nothing counts twice, order is kept."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from servers import Rabbit, Server, kafka_server, nats_server, rabbit_server, redis_server, until
from worlds import World, rows

from orderstate import Engine
from orderstate.events.brokers import sink, source
from orderstate.events.consuming import Consumer, Heard
from orderstate.events.relaying import Relay
from orderstate.store import deliveries

pytest_plugins = ["broker_fixtures"]

__all__ = ["kafka_server", "nats_server", "rabbit_server", "redis_server"]

BROKERS = ["nats_server", "redis_server", "rabbit_server", "kafka_server"]


@pytest.fixture(params=BROKERS)
def server(request: pytest.FixtureRequest) -> Server:
    """Each broker in turn, or the one that a test names."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Server)
    return found


@pytest.fixture
def there(tmp_path: Path) -> Iterator[World]:
    """A second database, with the same goods."""
    Engine.create(tmp_path / "there.db").close()
    made = World(tmp_path / "there.db")
    made.engine.configure("strategy", "nearest")
    yield made.facility("NYC", "40.71,-74.01", MUG=500)
    made.close()


def address(server: Server, name: str) -> str:
    """Where `name` is; at RabbitMQ with the queue of our group, as one that is not there keeps nothing."""
    if not isinstance(server, Rabbit):
        return server.url(name)
    url = server.url(name, groups="there")
    with source(url, "there"):
        pass
    server.restart()  # killed soon after it has made a queue, 3.10 does not always elect a leader for it again
    return url


def lived(world: World, orders: int) -> list[str]:
    placed = [world.order(MUG=2) for _ in range(orders)]
    for order in placed:
        world.engine.tie(order)
    for order in placed[::3]:
        world.engine.cancel(order, lines={"MUG": 1})
    for order in placed[::2]:
        world.engine.ship(order)
    return placed


def consumed(engine: Engine, url: str) -> list[Heard]:
    heard: list[Heard] = []
    opened = source(url, "there")
    first = 20.0 if url.startswith("kafka") else 3.0
    Consumer(engine, opened, told=heard.append).run(1.0, first)
    return heard


def states(world: World) -> list[tuple[object, ...]]:
    return world.rows(
        "SELECT o.id, o.state, o.version, l.quantity - l.cancelled"
        " FROM orders o JOIN order_line l USING (serial) ORDER BY 1"
    )


def test_place_relay_broker_consume_and_the_other_database_is_the_same(
    server: Server, world: World, there: World
) -> None:
    world.facility("NYC", "40.71,-74.01", MUG=500)
    url = address(server, "endtoend")
    lived(world, 30)
    assert Relay(world.engine, sink(url)).run().parked == 0
    heard = consumed(there.engine, url)
    assert {h.outcome for h in heard} <= {"applied", "ignored"}
    assert states(there) == states(world)
    # Everything once more, with the same ids: whatever of it comes through, nothing changes.
    with world.engine.store.write() as tx:
        for key, _ in deliveries.stream(tx, limit=1000):
            deliveries.again(tx, sink(url).name, key, 0)
    before = states(there)
    Relay(world.engine, sink(url)).run()
    again = consumed(there.engine, url)
    assert {h.outcome for h in again} <= {"repeated", "ignored"}
    assert states(there) == before


@contextmanager
def following(url: str, here: World, there: World, *more: str) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """The two commands at work, until they are told to stop; what they print is beside the database."""
    program = [sys.executable, "-m", "orderstate", "--json"]
    commands = {
        "relay": [*program, "--db", str(here.path), "relay", "--to", url, "--follow", *more],
        "consume": [*program, "--db", str(there.path), "consume", "--from", url, "--group", "there", "--follow"],
    }
    found = {}
    for name, command in commands.items():
        with (here.path.parent / f"{name}.out").open("wb") as out, (here.path.parent / f"{name}.err").open("wb") as err:
            found[name] = subprocess.Popen(command, stdout=out, stderr=err)
    try:
        yield found
    finally:
        for process in found.values():
            process.terminate()
        for process in found.values():
            process.wait(30)


def test_a_broker_that_is_restarted_in_the_middle_loses_nothing(server: Server, world: World, there: World) -> None:
    if not server.can_restart:
        pytest.skip("the mock cluster keeps nothing")
    world.facility("NYC", "40.71,-74.01", MUG=500)
    url = address(server, "restarted")
    with following(url, world, there, "--batch", "3") as running:
        first = lived(world, 15)
        until(lambda: rows(there.path, "SELECT 1 FROM orders WHERE id = ?", first[0]), "the first order")
        server.kill()
        lived(world, 15)
        server.start()
        lived(world, 15)
        until(lambda: states(there) == states(world), "everything")
        assert [process.poll() for process in running.values()] == [None, None]
    assert rows(there.path, "SELECT count(*) FROM inbox WHERE parked IS NOT NULL") == [(0,)]
    assert rows(world.path, "SELECT max(attempts) FROM delivery WHERE parked IS NOT NULL") == [(None,)]


@pytest.mark.parametrize("server", ["nats_server"], indirect=True)
def test_the_commands_stop_cleanly_and_only_one_relays(server: Server, world: World, there: World) -> None:
    world.facility("NYC", "40.71,-74.01", MUG=500)
    url = server.url("commands")
    with following(url, world, there) as running:
        lived(world, 5)
        until(lambda: states(there) == states(world), "everything")
        again = [sys.executable, "-m", "orderstate", "--db", str(world.path), "relay", "--to", url]
        second = subprocess.run(again, capture_output=True, text=True, check=False)
        assert second.returncode == 6
        who = running["relay"].pid
        assert second.stderr.startswith(f"error: relay_running: process {who} relays to nats://127.0.0.1:")
        assert server.password not in second.stderr
    for name, process in running.items():
        assert process.returncode == 0
        assert (world.path.parent / f"{name}.err").read_text() == ""
        assert '"stopped": "SIGTERM"' in (world.path.parent / f"{name}.out").read_text()
