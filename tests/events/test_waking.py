"""Waiting for a commit: woken by every one, whatever the moment, and idle otherwise."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from worlds import World

from orderstate import Engine
from orderstate.events import waking
from orderstate.events.waking import Alarm, Bell


@pytest.fixture
def bell() -> Iterator[Bell]:
    made = Bell()
    yield made
    made.close()


@pytest.fixture(params=["inotify", "polling"])
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to wait. A sleep that nobody ends would go on for an hour."""
    monkeypatch.setattr(waking, "LONGEST_SLEEP", 3600.0)
    if request.param == "polling":
        monkeypatch.setattr(waking._Inotify, "opened", classmethod(lambda cls: None))
    elif waking._Inotify.opened() is None:
        pytest.skip("this system has no inotify")
    return str(request.param)


def alarm(world: World, bell: Bell) -> Alarm:
    return Alarm(world.path, world.engine.store.commits, bell)


def test_a_commit_before_the_wait_is_not_missed(world: World, bell: Bell, how: str) -> None:
    world.facility("DEN", MUG=1)
    with alarm(world, bell) as waiting:
        for _ in range(3):
            waiting.arm()
            world.another().place({"MUG": 1}, "US")
            waiting.wait(None)


def test_a_commit_during_the_wait_ends_it(world: World, bell: Bell, how: str) -> None:
    world.facility("DEN", MUG=1)
    begin = threading.Event()

    def place() -> None:
        with Engine.open(world.path) as engine:
            begin.wait()
            engine.place({"MUG": 1}, "US")

    other = threading.Thread(target=place)
    other.start()
    with alarm(world, bell) as waiting:
        waiting.arm()
        begin.set()
        waiting.wait(None)
    assert world.rows("SELECT count(*) FROM orders") == [(1,)]
    other.join()


def test_a_transaction_that_is_undone_wakes_nobody_but_the_next_commit_does(world: World, bell: Bell, how: str) -> None:
    world.facility("DEN", MUG=1)
    other = world.another()
    with alarm(world, bell) as waiting:
        waiting.arm()
        seen = world.engine.store.commits()
        with other.store.write() as tx:
            tx.execute("PRAGMA cache_size=1")
            for n in range(2000):  # more than the cache holds, so that the log is written to
                tx.execute("INSERT INTO sku (code, grams) VALUES (?, 0)", (f"SKU {n} {'x' * 100}",))
            tx.execute("ROLLBACK")
            tx.execute("BEGIN")
        waiting.wait(0.01)
        assert world.engine.store.commits() == seen
        other.place({"MUG": 1}, "US")
        waiting.wait(None)
        assert world.engine.store.commits() != seen


def test_the_bell_ends_every_wait_at_once_and_for_good(world: World, bell: Bell, how: str) -> None:
    ended = []

    def wait() -> None:
        with Engine.open(world.path) as engine, Alarm(world.path, engine.store.commits, bell) as waiting:
            waiting.arm()
            waiting.wait(None)
            waiting.wait(None)
            ended.append(True)

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    bell.ring()
    bell.ring()
    for thread in threads:
        thread.join()
    assert ended == [True] * 3


def test_who_waits_does_next_to_nothing(world: World, bell: Bell, monkeypatch: pytest.MonkeyPatch) -> None:
    if waking._Inotify.opened() is None:
        pytest.skip("this system has no inotify")
    looks = []

    def commits() -> int:
        looks.append(True)
        return world.engine.store.commits()

    with Alarm(world.path, commits, bell) as waiting:
        waiting.arm()
        looks.clear()
        waiting.wait(0.6)
    assert 1 <= len(looks) <= 2


def test_a_wait_for_a_moment_that_has_passed_is_none(world: World, bell: Bell, how: str) -> None:
    with alarm(world, bell) as waiting:
        waiting.arm()
        waiting.wait(-5.0)
        waiting.wait(0.0)


def test_a_log_that_cannot_be_watched_is_asked_for(world: World, bell: Bell, monkeypatch: pytest.MonkeyPatch) -> None:
    world.facility("DEN", MUG=1)
    monkeypatch.setattr(waking._Inotify, "watch", lambda self, path: False)
    with alarm(world, bell) as waiting:
        waiting.arm()
        world.another().place({"MUG": 1}, "US")
        waiting.wait(None)
        waiting.arm()
        assert waiting._inotify is None


def test_only_what_is_there_can_be_watched(tmp_path: Path) -> None:
    watching = waking._Inotify.opened()
    if watching is None:
        pytest.skip("this system has no inotify")
    assert not watching.watch(str(tmp_path / "nothing"))
    assert watching.watch(str(tmp_path))
    watching.close()
