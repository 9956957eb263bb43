"""Events looked up, replayed and skipped: the same id goes out again, and who has had it does nothing."""

from __future__ import annotations

from collections.abc import Iterator

import doers
import pytest
from doers import alone, effects, heard, plan, rows, subscribe
from worlds import World

from orderstate import NotFound
from orderstate.events import replaying, stream
from orderstate.events.outcomes import Never
from orderstate.events.replaying import Replayed, by_filter, by_ids, by_parking, replay, skip
from orderstate.events.subscribing import switch
from orderstate.events.waking import Bell
from orderstate.events.working import Worker
from orderstate.model import Subscriber
from orderstate.store import deliveries


@pytest.fixture(autouse=True)
def _nothing_planned() -> Iterator[None]:
    doers.forget()
    yield
    doers.forget()


@pytest.fixture
def done(world: World) -> World:
    """Three orders, the first cancelled; a local and an outside subscriber that heard of it all."""
    alone(world, ("local", "local"), ("outside", "outside"))
    for _ in range(3):
        world.order(MUG=1)
    world.engine.cancel("1001")
    Worker(world.engine).drain()
    doers.HEARD.clear()
    return world


def outcomes(found: Iterator[Replayed]) -> dict[tuple[str, str], str]:
    return {(one.subscriber, one.event): one.outcome for one in found}


# Replaying


def test_an_outside_one_is_called_again_with_the_same_id_and_a_local_one_is_not(done: World) -> None:
    found = outcomes(replay(done.engine, by_ids(done.engine, ["1001:1", "1001:1"], None)))
    assert found == {("local", "1001:1"): "had it", ("outside", "1001:1"): "delivered"}
    assert heard("outside") == ["1001:1"]
    assert effects(done).count("1001:1") == 1
    assert rows(done, "outside")["1001:1"] == (1, True, False, None)


def test_only_to_one_subscriber(done: World) -> None:
    found = outcomes(replay(done.engine, by_ids(done.engine, ["1002:1", "1001:2"], "outside"), insert=True))
    assert found == {("outside", "1002:1"): "delivered", ("outside", "1001:2"): "delivered"}
    assert heard("outside") == ["1001:2", "1002:1"] or heard("outside") == ["1002:1", "1001:2"]


def test_what_was_never_sent_to_somebody_is_sent_when_he_is_named(done: World) -> None:
    subscribe(done.engine, "distant", "outside", ["StockReceived"])
    assert outcomes(replay(done.engine, by_ids(done.engine, ["1001:1"], "distant"))) == {}
    found = outcomes(replay(done.engine, by_ids(done.engine, ["1001:1"], "distant"), insert=True))
    assert found == {("distant", "1001:1"): "delivered"}
    assert heard("distant") == ["1001:1"]


def test_what_is_parked_is_tried_from_the_first_attempt_and_what_waited_behind_it_follows(world: World) -> None:
    alone(world, ("local", "local"), ("outside", "outside"))
    world.clock.step = 0
    for order in ("1001", "1002"):
        world.order(MUG=1)
        world.engine.cancel(order)
        for name in ("local", "outside"):
            plan(name, f"{order}:1", Never("unreadable"), *[Never("still")] * (order == "1002"))
    Worker(world.engine).drain()
    found = outcomes(replay(world.engine, by_parking(world.engine, None)))
    assert found == {
        ("local", "1001:1"): "delivered",
        ("local", "1002:1"): "parked",
        ("outside", "1001:1"): "delivered",
        ("outside", "1002:1"): "parked",
    }
    assert rows(world, "local")["1002:1"] == (1, False, True, "still")
    assert effects(world) == ["1001:1", "1001:2"]
    assert heard("outside") == ["1001:1", "1002:1", "1001:1", "1002:1", "1001:2"]
    only = outcomes(replay(world.engine, by_parking(world.engine, "outside")))
    assert only == {("outside", "1002:1"): "delivered"}


def test_many_that_are_parked_at_one_moment_are_all_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PAGE", 3)
    monkeypatch.setattr(replaying, "CHUNK", 2)
    alone(world, ("refusing", "outside"), ("distant", "outside"))
    world.clock.step = 0
    for n in range(1, 9):
        world.order(MUG=1)
        plan("distant", f"100{n}:1", Never("no"))
    Worker(world.engine).drain()
    assert len(list(stream.parked(world.engine))) == 16
    found = outcomes(replay(world.engine, by_parking(world.engine, None)))
    assert [found["distant", f"100{n}:1"] for n in range(1, 9)] == ["delivered"] * 8
    assert [found["refusing", f"100{n}:1"] for n in range(1, 9)] == ["parked"] * 8


def test_by_type_and_by_time_in_the_order_in_which_it_happened(done: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PAGE", 2)
    since = done.rows("SELECT at FROM event WHERE subject = '1002'")[0][0]
    found = outcomes(replay(done.engine, by_filter(done.engine, None, type="OrderPlaced", since=since)))
    assert found == {
        (name, event): outcome
        for event in ("1002:1", "1003:1")
        for name, outcome in (("local", "had it"), ("outside", "delivered"))
    }
    assert heard("outside") == ["1002:1", "1003:1"]
    subscribe(done.engine, "distant", "outside", ["OrderCancelled"])
    named = outcomes(replay(done.engine, by_filter(done.engine, "distant", type=None, since=0), insert=True))
    assert named == {("distant", "1001:2"): "delivered"}


def test_only_queued_it_waits_for_a_worker(done: World) -> None:
    found = outcomes(replay(done.engine, by_ids(done.engine, ["1002:1"], None), deliver=False))
    assert found == {("local", "1002:1"): "had it", ("outside", "1002:1"): "queued"}
    assert heard("outside") == []
    assert rows(done, "outside")["1002:1"] == (0, False, False, None)
    Worker(done.engine).drain()
    assert heard("outside") == ["1002:1"]


def test_what_cannot_be_delivered_now_says_for_what_it_waits(done: World) -> None:
    switch(done.engine, "outside", False)
    (off,) = (one for one in replay(done.engine, by_ids(done.engine, ["1002:1"], "outside")))
    assert (off.outcome, off.reason) == ("queued", "outside is off")
    switch(done.engine, "outside", True)
    plan("outside", "1001:1", OSError("no"))
    done.clock.step = 0
    again = by_ids(done.engine, ["1001:1", "1001:2"], "outside")
    found = {one.event: (one.outcome, one.reason) for one in replay(done.engine, again)}
    assert found["1001:1"] == ("later", "OSError: no")
    assert found["1001:2"][0] == "queued"
    with done.engine.unit() as unit:
        deliveries.declare(unit.tx, Subscriber("sink", "relay", "nats://here"))
    done.order(MUG=1)
    (relayed,) = replay(done.engine, by_ids(done.engine, ["1004:1"], "sink"))
    assert relayed == Replayed("sink", "1004:1", "queued", "the relay sends it")


def test_what_a_worker_is_calling_right_now_is_left_to_it(done: World) -> None:
    world = done
    world.order(MUG=1)
    said: list[Replayed] = []
    plan("outside", "1004:1", lambda: said.extend(replay(world.another(), by_ids(world.engine, ["1004:1"], "outside"))))
    Worker(world.engine, ["outside"]).drain()
    assert [(one.outcome, one.reason) for one in said] == [
        ("under way", "a worker is calling it right now: nothing was done; replay it when that is over")
    ]
    assert heard("outside") == ["1004:1"]


@pytest.mark.parametrize("id", ["1009:1", "1001:9", "1001", "1001:", ":1", "1001:x", "facility/DEN:99999999999", ""])
def test_an_event_that_is_not_there_is_told_before_anything_is_done(done: World, id: str) -> None:
    with pytest.raises(NotFound) as missing:
        by_ids(done.engine, ["1001:1", id], None)
    assert missing.value.code == "unknown_event"
    assert heard("outside") == []


# Skipping


def test_what_is_skipped_is_not_told_and_what_waited_goes_on(world: World) -> None:
    alone(world, ("local", "local"))
    world.order(MUG=1)
    world.engine.cancel("1001")
    plan("local", "1001:1", Never("unreadable"))
    Worker(world.engine).drain()
    assert [skip(world.engine, "1001:1", "local", "told by phone") for _ in range(2)] == [True, False]
    Worker(world.engine).drain()
    assert effects(world) == ["1001:2"]
    key, _ = stream.find(world.engine, "1001:1")
    (way,) = stream.ways(world.engine, key)
    assert (way.state, way.delivery.error) == ("skipped", "skipped: told by phone")
    assert outcomes(replay(world.engine, by_ids(world.engine, ["1001:1"], None))) == {("local", "1001:1"): "delivered"}
    assert effects(world) == ["1001:2", "1001:1"], "it never had it, so it may have it after all"


def test_what_was_never_on_its_way_cannot_be_skipped(done: World) -> None:
    with pytest.raises(NotFound) as missing:
        skip(done.engine, "facility/DEN:1", "local", None)
    assert missing.value.code == "not_on_its_way"
    with pytest.raises(NotFound):
        skip(done.engine, "1001:1", "nobody", None)
    assert not skip(done.engine, "1001:1", "local", None)


# Looking


def test_the_newest_come_first_and_no_further_than_asked(done: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PAGE", 2)
    ids = [f"{s}:{n}" for s, n in done.rows("SELECT subject, number FROM event ORDER BY id DESC")]
    assert [e.id for e in stream.newest(done.engine)] == ids
    assert [e.id for e in stream.newest(done.engine, limit=5)] == ids[:5]
    assert [e.id for e in stream.newest(done.engine, subject="1001")] == ["1001:2", "1001:1"]
    assert [e.id for e in stream.newest(done.engine, type="OrderPlaced", limit=2)] == ["1003:1", "1002:1"]
    since = done.rows("SELECT at FROM event WHERE subject = '1003'")[0][0]
    later = done.rows("SELECT subject, number FROM event WHERE at >= ? ORDER BY id DESC", since)
    assert [e.id for e in stream.newest(done.engine, since=since)] == [f"{s}:{n}" for s, n in later]
    facility = [e.id for e in stream.newest(done.engine, subject="facility/DEN", type="StockReceived", limit=3)]
    assert facility == [id for id in ids if id.startswith("facility/DEN")][:3]
    assert [e.id for _, e in stream.oldest(done.engine, type="OrderPlaced")] == ["1001:1", "1002:1", "1003:1"]


def test_a_backdated_event_hides_no_newer_one(done: World) -> None:
    """Numbers tell in which order events were written, not when they happened."""
    since = done.clock.now - 1
    done.engine.place({"MUG": 1}, "US", at=since + 1)
    done.engine.place({"MUG": 1}, "US", at=1_000_000)
    assert [e.id for e in stream.newest(done.engine, since=since)] == ["1004:1"]


def test_the_tail_is_the_newest_in_the_order_in_which_they_happened(done: World) -> None:
    assert [e.id for e in stream.tail(done.engine, 2, type="OrderPlaced")] == ["1002:1", "1003:1"]
    assert list(stream.tail(done.engine, 0)) == []


def test_a_tail_that_follows_gives_each_event_once_until_the_bell(done: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PAGE", 2)
    bell = Bell()
    other = done.another()
    found = []
    for event in stream.tail(done.engine, 1, type="OrderPlaced", bell=bell):
        found.append(event.id)
        if len(found) == 1:
            for _ in range(5):
                other.cancel(other.place({"MUG": 1}, "US").order)
        if len(found) == 6:
            other.place({"MUG": 1}, "US")
        if len(found) == 7:
            bell.ring()
    assert found == ["1003:1", "1004:1", "1005:1", "1006:1", "1007:1", "1008:1", "1009:1"]
    bell.close()


def test_an_event_shows_its_way_to_each_subscriber(world: World) -> None:
    alone(world, ("local", "local"), ("outside", "outside"), ("distant", "outside"), ("refusing", "outside"))
    world.clock.step = 0
    world.order(MUG=1)
    world.engine.cancel("1001")
    key, _ = stream.find(world.engine, "1001:1")
    plan("distant", "1001:1", OSError("no"))
    seen: list[str] = []

    def look() -> None:
        seen.extend(w.state for w in stream.ways(world.another(), key) if w.delivery.subscriber == "outside")

    plan("outside", "1001:1", look)
    assert {w.state for w in stream.ways(world.engine, key)} == {"waiting"}
    Worker(world.engine).drain()
    states = {w.delivery.subscriber: (w.state, w.behind) for w in stream.ways(world.engine, key)}
    assert seen == ["under way"]
    assert states == {
        "distant": ("failing", 1),
        "local": ("delivered", 0),
        "outside": ("delivered", 0),
        "refusing": ("parked", 1),
    }
