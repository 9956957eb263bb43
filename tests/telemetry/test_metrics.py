"""Metrics: what is counted, and how far subscribers are behind."""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path

import pytest
from seen import Seen, alone, consume
from worlds import NEW_YEAR, World

from orderstate import Engine, Refused
from orderstate.events.brokers import sink
from orderstate.events.relaying import Relay
from orderstate.events.subscribing import switch
from orderstate.events.verdicts import SCHEDULE
from orderstate.events.working import Worker

MINUTE = 60_000_000
DOCS = Path(__file__).parents[2] / "docs" / "telemetry.md"


@pytest.fixture
def seen(world: World) -> Seen:
    """What is measured of the world, whose clock stands still; it has 10 MUG in Denver and nobody who listens."""
    world.clock.step, world.clock.now = 0, NEW_YEAR
    world.facility("DEN", "39.74,-104.99", MUG=10)
    alone(world)
    found = Seen()
    found.watch(world.engine)
    return found


def by_subscriber(seen: Seen, name: str) -> dict[str, float]:
    return {attributes["subscriber"]: value for attributes, value in seen.metric(name)}


def test_the_backlog_of_each_subscriber_is_read_from_the_database(world: World, seen: Seen) -> None:
    alone(world, "quoting", "sourcing")
    world.order(MUG=1)
    world.clock.now += 5 * MINUTE
    world.order(MUG=1)
    world.clock.now += MINUTE
    assert by_subscriber(seen, "backlog.undelivered") == {"quoting": 2, "sourcing": 2}
    assert by_subscriber(seen, "backlog.oldest") == {"quoting": 360.0, "sourcing": 360.0}
    assert by_subscriber(seen, "backlog.parked") == {"quoting": 0, "sourcing": 0}
    Worker(world.engine, ["sourcing"]).drain()
    assert by_subscriber(seen, "backlog.undelivered") == {"quoting": 2, "sourcing": 0}
    assert by_subscriber(seen, "backlog.oldest") == {"quoting": 360.0, "sourcing": 0.0}


def test_attempts_are_counted_by_outcome_until_the_event_is_parked(world: World, seen: Seen) -> None:
    alone(world, "quoting")
    world.order(MUG=1)
    for _ in range(len(SCHEDULE) + 1):
        Worker(world.engine).drain()
        world.clock.now += 60 * MINUTE
    attempts = {(a["subscriber"], a["outcome"]): n for a, n in seen.metric("delivery.attempts")}
    assert attempts == {("quoting", "later"): len(SCHEDULE), ("quoting", "parked"): 1}
    assert by_subscriber(seen, "backlog.parked") == {"quoting": 1}
    assert by_subscriber(seen, "backlog.undelivered") == {"quoting": 0}


def test_one_that_is_switched_off_is_still_measured(world: World, seen: Seen) -> None:
    alone(world, "sourcing")
    world.order(MUG=1)
    switch(world.engine, "sourcing", False)
    assert by_subscriber(seen, "backlog.undelivered") == {"sourcing": 1}


def test_commands_are_counted_by_exit_status_and_error(world: World, seen: Seen) -> None:
    order = world.tied(MUG=1)
    with pytest.raises(Refused):
        world.engine.deliver(order)
    assert world.engine.tie(world.order(MUG=50)).exit_status == 5
    found = {(a["command"], a["exit"], a.get("error.type")): n for a, n in seen.metric("commands")}
    assert found == {
        ("place", 0, None): 2, ("tie", 0, None): 1, ("tie", 5, None): 1, ("deliver", 4, "not_from_here"): 1,
    }  # fmt: skip


def test_what_a_relay_published_and_what_was_consumed_is_counted(world: World, seen: Seen, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    world.order(MUG=1)
    name = sink(str(file)).name
    Relay(world.engine, sink(str(file))).run()
    assert seen.metric("relay.published") == [({"sink": name, "outcome": "delivered"}, 2)]
    consume(world.engine, file)
    assert [(a["outcome"], n) for a, n in seen.metric("messages.consumed")] == [("ignored", 2)], "they are our own"


def test_gauges_are_read_in_any_thread_and_never_by_the_engine_itself(world: World, seen: Seen) -> None:
    alone(world, "sourcing")
    world.order(MUG=1)
    found: list[dict[str, float]] = []
    with world.engine.store.write():  # somebody is in the middle of something
        thread = threading.Thread(target=lambda: found.append(by_subscriber(seen, "backlog.undelivered")))
        thread.start()
        thread.join()
    assert found == [{"sourcing": 1}]


def test_several_engines_of_one_database_are_measured_once_until_the_last_is_closed(world: World, seen: Seen) -> None:
    alone(world, "sourcing")
    world.order(MUG=1)
    second = seen.watch(world.another())
    assert [value for _, value in seen.metric("backlog.undelivered")] == [1]
    second.close()
    assert [value for _, value in seen.metric("backlog.undelivered")] == [1]
    assert world.engine.observer is not None
    world.engine.observer.close()  # type: ignore[attr-defined]  # it is a Watch
    assert seen.metric("backlog.undelivered") == []


def test_databases_are_told_apart(world: World, seen: Seen, tmp_path: Path) -> None:
    with Engine.create(tmp_path / "second.db") as second, seen.watch(second):
        assert len(seen.metric("backlog.undelivered")) == len(second.subscribers())
    assert seen.metric("backlog.undelivered") == []


def test_a_database_that_is_gone_has_no_backlog_and_disturbs_nobody(
    world: World, seen: Seen, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = Path(shutil.copyfile(world.path, tmp_path / "copy.db"))
    alone(world, "sourcing")
    with Engine.open(copy) as second, seen.watch(second):
        copy.unlink()
        assert [attributes["subscriber"] for attributes, _ in seen.metric("backlog.parked")] == ["sourcing"]
    assert caplog.records == []


def test_every_metric_is_documented_with_its_unit(world: World, seen: Seen, tmp_path: Path) -> None:
    alone(world, "sourcing")
    world.order(MUG=1)
    Worker(world.engine).drain()
    Relay(world.engine, sink(str(tmp_path / "events.ndjson"))).run()
    consume(world.engine, tmp_path / "events.ndjson")
    table = dict(re.findall(r"^\| `(orderstate\.[a-z._]+)` \| [a-z]+ \| `([^`]+)` \|", DOCS.read_text("utf-8"), re.M))
    assert seen.units() == table
    assert len(table) == 7
