"""kill -9 while events are delivered: a local effect is there once, an outside call is made again, nothing is lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import doers
import pytest
from doers import alone, effects, rows
from kills import OPEN, WithoutTransaction, killed_before, statements
from worlds import World, check_database, fork, snapshot

from orderstate import Engine
from orderstate.events.recorder import Recorder
from orderstate.events.working import Worker

DAY = 86_400_000_000
TODAY = 23_000
"""Days since 1970 as these tests begin."""


def made(template: Path, path: Path, *subscribers: tuple[str, str], orders: int = 2) -> Path:
    """A closed database with undelivered events."""
    world = World(Path(shutil.copyfile(template, path)))
    alone(world, *subscribers)
    for _ in range(orders):
        world.order(MUG=1)
    world.engine.cancel("1001")
    world.close()
    return path


def work(path: Path, day: int, *, close: bool = False) -> None:
    """Drain. Each day is so far on that nothing has to wait any longer for what was done the day before."""
    engine = Engine.open(path, clock=lambda: day * DAY)
    OPEN.append(engine)
    Worker(engine).drain()
    if close:
        engine.close()


def again(ground: Path, scene: Path) -> Path:
    for left in scene.parent.glob("killed.db*"):
        left.unlink()
    return Path(shutil.copyfile(ground, scene))


def kill_everywhere(ground: Path, scene: Path, then: Callable[[World, int], None]) -> int:
    """Kill a worker before each of its statements and after the last; each time start another and look; how often."""
    points = statements(lambda: work(again(ground, scene), TODAY, close=True))
    whole = snapshot(scene, ["event", "movement", "delivery"])
    for point in range(1, len(points) + 2):
        killed_before(point, lambda: work(again(ground, scene), TODAY))
        check_database(scene)
        for day in (TODAY + 1, TODAY + 2):  # an event over which a worker died is put off like one that failed
            work(scene, day, close=True)
        check_database(scene)
        assert snapshot(scene, ["event", "movement", "delivery"]) == whole, points[min(point, len(points)) - 1]
        world = World(scene)
        then(world, point)
        world.close()
    return len(points) + 1


def test_a_local_effect_is_there_once_wherever_its_worker_is_killed(template: Path, tmp_path: Path) -> None:
    ground = made(template, tmp_path / "ground.db", ("local", "local"), ("other", "local"))

    def look(world: World, point: int) -> None:
        for name in ("local", "other"):
            assert sorted(effects(world, name.upper())) == ["1001:1", "1001:2", "1002:1"]
            assert all(row[1] for row in rows(world, name).values())
        order = [id for id in effects(world) if id.startswith("1001")]
        assert order == ["1001:1", "1001:2"]

    assert kill_everywhere(ground, tmp_path / "killed.db", look) > 30


def test_an_outside_call_is_made_at_least_once_wherever_its_worker_is_killed(template: Path, tmp_path: Path) -> None:
    ground = made(template, tmp_path / "ground.db", ("write_down", "outside"))

    def look(world: World, point: int) -> None:
        told = Path(f"{world.path}.told").read_text(encoding="utf-8").split("\n")
        called = [line.split()[1] for line in told if line]
        Path(f"{world.path}.told").unlink()
        assert set(called) == {"1001:1", "1001:2", "1002:1"}
        assert called.index("1001:1") < called.index("1001:2")
        assert len(called) <= 3 + 2, "what was written down is not called again"
        assert all(row[1] for row in rows(world, "write_down").values())

    assert kill_everywhere(ground, tmp_path / "killed.db", look) > 10


def test_without_a_transaction_the_same_kills_double_effects(template: Path, tmp_path: Path) -> None:
    """The control: what the tests above look for is there to be found."""
    ground, scene = made(template, tmp_path / "ground.db", ("local", "local"), orders=1), tmp_path / "killed.db"

    def work_without(day: int) -> None:
        engine = Engine(WithoutTransaction(scene), clock=lambda: day * DAY)
        OPEN.append(engine)
        Worker(engine).drain()

    again(ground, scene)
    points = statements(lambda: work_without(TODAY))
    doubled = 0
    for point in range(1, len(points) + 2):
        again(ground, scene)
        killed_before(point, lambda: work_without(TODAY))
        for day in (TODAY + 1, TODAY + 2):
            work(scene, day, close=True)
        world = World(scene)
        doubled += len(effects(world)) != len(set(effects(world)))
        world.close()
    assert doubled


@pytest.mark.parametrize(("name", "kind"), [("killing", "local"), ("killing_outside", "outside")])
def test_an_event_that_ends_every_process_is_parked_and_the_others_are_delivered(
    template: Path, tmp_path: Path, name: str, kind: str
) -> None:
    path = made(template, tmp_path / "orders.db", (name, kind), orders=3)
    deaths = 0
    for day in range(TODAY, TODAY + 20):
        child = fork()
        if child == 0:
            try:
                work(path, day)
                os._exit(0)
            finally:
                os._exit(3)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
        else:
            deaths += 1
    world = World(path)
    guilty = "1001:1" if kind == "local" else "1002:1"
    found = rows(world, name)
    assert deaths == 8
    assert found[guilty][:3] == (8, False, True)
    assert "ended before it was done" in str(found[guilty][3])
    innocent = {"1002:1", "1003:1"} if kind == "local" else {"1001:1", "1001:2", "1003:1"}
    assert {id for id, row in found.items() if row[1]} == innocent
    if kind == "local":
        assert sorted(effects(world)) == sorted(innocent)
    else:
        calls = Path(f"{path}.told").read_text(encoding="utf-8").split()[1::2]
        assert set(calls) == innocent
        assert len(calls) <= len(innocent) + 2, "after the first death each is called alone and written down"
    world.check()
    world.close()


def test_a_note_of_another_time_does_no_harm(world: World) -> None:
    alone(world, ("local", "local"))
    world.order(MUG=1)
    for subscriber, key in (("gone", 1), ("local", 999), ("local\n7 x", 1), ("é" * 600, 5)):
        with Recorder(world.path) as recorder:
            recorder.note(subscriber, key)
    assert Worker(world.engine).drain() == 1
    with Recorder(world.path) as recorder:
        assert recorder.left() is None
        recorder.note("local", 1)
        assert recorder.left() == ("local", 1)
    world.order(MUG=1)
    assert Worker(world.engine).drain() == 1, "what was delivered after all is left as it is"
    assert effects(world) == ["1001:1", "1002:1"]
    for rubbish in (
        b"",
        b"\xff\xfe\n",
        b"12 \xff\n",
        b"no number here\n",
        b"99999999999999999999 x\n",
        b"5 unfinished",
    ):
        Path(f"{world.path}-lock").write_bytes(rubbish)
        with Recorder(world.path) as recorder:
            left = recorder.left()
            assert left is None or left[1] == 12


def test_the_doers_are_found_by_path() -> None:
    assert doers.local.__module__ == "doers"
