"""What telemetry costs where nobody asked for it: one attribute asked for each command, no import, no statement."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from seen import Seen, alone
from worlds import DENVER, World

from orderstate import Engine
from orderstate.engine.commands import Place
from orderstate.engine.observing import Observer
from orderstate.events.working import Worker

CODE = """
import sys
from orderstate.cli import run
status = run(["--db", sys.argv[1], *sys.argv[2:]])
sys.stderr.write("\\n" + " ".join(sys.modules))
raise SystemExit(status)
"""


def test_nothing_of_it_is_imported_unless_asked_for(world: World) -> None:
    world.facility("DEN", MUG=9)
    for command in (("place", "--line", "MUG:1", "--to", "US"), ("work",), ("events", "list")):
        done = subprocess.run(
            [sys.executable, "-c", CODE, str(world.path), *command],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        found = set(done.stderr.splitlines()[-1].split())
        assert "orderstate.engine.observing" in found
        unwanted = {m for m in found if m.startswith(("opentelemetry", "orderstate.telemetry", "requests", "uuid"))}
        assert unwanted <= {"uuid"}


class Asked(Engine):
    """Counts how often it is asked for its observer."""

    asked: ClassVar[int] = 0

    @property
    def observer(self) -> Observer | None:  # type: ignore[override]  # to be counted
        """Nobody."""
        Asked.asked += 1
        return None


def test_a_command_asks_once_whether_anybody_watches(world: World) -> None:
    world.facility("DEN", MUG=9)
    with Asked.open(world.path) as engine:
        Asked.asked = 0
        engine.place({"MUG": 1}, DENVER)
        assert Asked.asked == 1
        list(engine.run([Place(lines={"MUG": 1}, to=DENVER) for _ in range(5)], batch=5))
        assert Asked.asked == 6


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """The statements of the engine's writing connection."""
    found: list[str] = []
    connection = engine.store._writer
    assert connection is not None
    connection.set_trace_callback(found.append)
    yield found
    connection.set_trace_callback(None)


def test_who_is_watched_runs_the_same_statements(world: World) -> None:
    world.facility("DEN", MUG=9)
    alone(world, "sourcing")
    world.clock.step = 0

    def life() -> list[str]:
        with statements(world.engine) as found:
            order = world.order(MUG=1)
            Worker(world.engine).drain()
            world.engine.ship(order)
        return [re.sub(r"'(?:[^']|'')*'|\d+", "?", sql) for sql in found]

    life()  # what is read once is known from now on
    plain = life()
    with Seen().watch(world.engine):
        assert life() == plain
    assert len(plain) > 10
