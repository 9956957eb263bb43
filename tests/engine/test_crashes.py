"""kill -9 at each statement of each command: all or nothing, everything adds up, and a retry has exactly one effect."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
from kills import AT, acknowledge, killed_before, run, run_without_transaction, running, statements
from worlds import BERLIN, DENVER, World, check_database, rows, snapshot

from orderstate import Answer, Engine, OrderstateError
from orderstate.engine.commands import (
    Adjust,
    Advance,
    Cancel,
    Command,
    Configure,
    Count,
    Fire,
    Place,
    Receive,
    Redirect,
    Retie,
    SetFacility,
    Split,
    UseFlow,
)
from orderstate.engine.runner import HANDLERS
from orderstate.flow import document
from orderstate.machine import STANDARD

RENAMED = json.loads(json.dumps(document(STANDARD)).replace('"pending"', '"received"'))
"""The standard flow with its initial state under another name."""

COMMANDS: dict[str, list[Command]] = {
    "place": [Place(lines={"MUG": 2, "PEN": 1}, to=DENVER, contact="a@b.example", key="k", at=AT)],
    "tie": [Fire(order="pending", trigger="tie_inventory", key="k", at=AT)],
    "tie, and wait": [Fire(order="waiting", trigger="tie_inventory", key="k", at=AT)],
    "tie, and split": [Fire(order="splitting", trigger="tie_inventory", key="k", at=AT)],
    "tie, refused": [Fire(order="refusing", trigger="tie_inventory", key="k", at=AT)],
    "untie": [Fire(order="tied", trigger="untie", reason="why not", key="k", at=AT)],
    "ship": [Fire(order="tied", trigger="ship", key="k", at=AT)],
    "deliver": [Fire(order="gone", trigger="deliver", key="k", at=AT)],
    "advance": [Advance(order="tied", key="k", at=AT)],
    "cancel": [Cancel(order="tied", reason="no", key="k", at=AT)],
    "cancel a part": [Cancel(order="tied", lines={"MUG": 5, "PEN": 1}, key="k", at=AT)],
    "redirect": [Redirect(order="tied", to=BERLIN, key="k", at=AT)],
    "split": [Split(order="tied", facility="NYC", key="k", at=AT)],
    "retie": [Retie(order="far", key="k", at=AT)],
    "receive": [Receive(facility="DEN", items=[("MUG", 3), ("NEW", 1, "back")], key="k", at=AT)],
    "adjust, and untie": [Adjust(facility="DEN", sku="MUG", to_units=1, safety=1, untie=True, key="k", at=AT)],
    "count": [Count(facility="NYC", items=[("PEN", "back", 9, 2, 30), ("CUP", "primary", 4, 1, 9)], key="k", at=AT)],
    "facility": [SetFacility(facility="LAX", values={"country": "US", "at": "33.94,-118.4"}, new=True, key="k", at=AT)],
    "setting": [Configure(setting="short", value="split", key="k", at=AT)],
    "flow": [UseFlow(flow=RENAMED, mapping={"pending": "received"}, key="k", at=AT)],
    "batch": [
        Place(lines={"MUG": 1}, to=DENVER, id="batched", key="k1", at=AT),
        Fire(order="batched", trigger="tie_inventory", key="k2", at=AT),
        Fire(order="gone", trigger="cancel", key="k3", at=AT),
        Receive(facility="NYC", items=[("MUG", 1)], key="k4", at=AT),
        Fire(order="batched", trigger="ship", key="k5", at=AT),
    ],
}


@pytest.fixture(scope="module")
def ground(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed database with an order in every situation that a command here needs."""
    path = tmp_path_factory.mktemp("ground") / "ground.db"
    world = World(Path(shutil.copyfile(template, path)))
    world.facility("DEN", "39.74,-104.99", MUG=4)
    world.facility("NYC", "40.71,-74.01", MUG=9, back={"PEN": 20})
    world.order(id="pending", MUG=5)
    world.order(id="waiting", MUG=50)
    world.order(id="splitting", short="split", MUG=20, PEN=1)
    world.order(id="refusing", short="refuse", MUG=50)
    world.engine.ship(world.tied(id="gone", PEN=1))
    world.tied(id="tied", MUG=6, PEN=2)
    world.tied(id="far", MUG=1)
    world.engine.receive("DEN", "MUG", 2)
    world.check()
    world.close()
    return path


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """Where a copy of that database is put before each kill."""
    return tmp_path / "killed.db"


def fresh(ground: Path, scene: Path) -> Path:
    for left in scene.parent.glob("killed.db*"):
        left.unlink()
    return Path(shutil.copyfile(ground, scene))


def same(first: list[Answer | OrderstateError], second: list[Answer | OrderstateError]) -> bool:
    """True if the outcomes are equal, whether given for the first time or again."""
    plain = [[o.document if isinstance(o, Answer) else o.document() for o in side] for side in (first, second)]
    return plain[0] == plain[1]


def kill_and_retry(ground: Path, scene: Path, commands: list[Command]) -> int:
    """Kill at each statement, and right after the commit, before the answer; how many times."""
    path = fresh(ground, scene)
    before = snapshot(path)
    outcomes: list[Answer | OrderstateError] = []
    points = statements(lambda: outcomes.extend(run(path, commands, close=True)))
    after = snapshot(path)
    assert points[-1] == "COMMIT"
    assert before != after
    last = len(points)
    for point in range(1, last + 2):
        fresh(ground, scene)
        killed_before(point, lambda: run(scene, commands))
        where = f"killed before {point} of {last}: {(*points, 'the answer')[point - 1]}"
        check_database(path)
        assert snapshot(path) == (after if point > last else before), where
        with Engine.open(path) as engine:
            again = list(engine.run(commands, batch=len(commands)))
        check_database(path)
        assert snapshot(path, ["refusal"]) == {t: r for t, r in after.items() if t != "refusal"}, where
        assert same(again, outcomes), where
        assert {o.repeated for o in again if isinstance(o, Answer)} <= {point > last}, where
    return last + 1


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_killed_at_any_statement_happened_whole_or_not_at_all_and_its_retry_has_one_effect(
    name: str, ground: Path, scene: Path
) -> None:
    assert kill_and_retry(ground, scene, COMMANDS[name]) > 10


def test_without_a_transaction_the_same_kills_leave_halves(ground: Path, scene: Path) -> None:
    """The control: what the test above looks for is there to be found."""
    commands = COMMANDS["ship"]
    path = fresh(ground, scene)
    before = snapshot(path)
    points = statements(lambda: run_without_transaction(path, commands))
    after = snapshot(path)
    halves = 0
    for point in range(1, len(points) + 2):
        fresh(ground, scene)
        killed_before(point, lambda: run_without_transaction(scene, commands))
        halves += snapshot(path) not in (before, after)
    assert halves > 5


def test_every_command_there_is_gets_killed() -> None:
    assert {type(command) for commands in COMMANDS.values() for command in commands} == set(HANDLERS)


def test_a_database_whose_making_is_killed_is_there_whole_or_not_at_all(scene: Path) -> None:
    def create() -> None:
        Engine.create(scene).close()

    points = len(statements(create))
    assert points > 30
    for point in range(1, points + 2, 2):
        scene.unlink(missing_ok=True)
        killed_before(point, create)
        if scene.exists():
            check_database(scene)
        else:
            create()
        with Engine.open(scene) as engine:
            engine.add_facility("DEN", country="US")
            assert [f.code for f in engine.facilities()] == ["DEN"]


def keep_what_was_acknowledged(ground: Path, scene: Path, after: int) -> None:
    """Kill a busy writer once so many steps are acknowledged."""
    path = fresh(ground, scene)
    with Engine.open(path) as engine:
        engine.receive("DEN", "PEN", 10_000)
    with running(lambda out: acknowledge(path, out)) as said:
        told = [said.readline().decode().split() for _ in range(after)]
    check_database(path)
    states = dict(rows(path, "SELECT id, state FROM orders"))
    further = {"inventory_tied": {"inventory_tied", "shipping"}, "shipping": {"shipping"}}
    assert told
    for order, state in told:
        assert states[order] in further[state]


@pytest.mark.parametrize("after", [1, 2, 5, 40])
def test_what_was_acknowledged_survives_the_kill_of_its_writer(after: int, ground: Path, scene: Path) -> None:
    keep_what_was_acknowledged(ground, scene, after)


@pytest.mark.heavy
def test_what_was_acknowledged_survives_a_hundred_kills(ground: Path, scene: Path) -> None:
    for after in range(1, 201, 2):
        keep_what_was_acknowledged(ground, scene, after)


def test_a_writer_that_is_killed_in_its_transaction_holds_up_nobody(ground: Path, scene: Path) -> None:
    path = fresh(ground, scene)

    def hold(out: int) -> None:
        with Engine.open(path).store.write() as tx:
            tx.execute("UPDATE stock SET safety = 9")
            os.write(out, b"held\n")
            signal.pause()

    held, let_go = os.pipe()

    def wait(out: int) -> None:
        os.read(held, 1)
        os.write(out, b"waiting\n")
        with Engine.open(f"sqlite:///{path}?timeout=60") as engine:
            os.write(out, engine.place({"PEN": 1}, DENVER).order.encode() + b"\n")

    with running(wait) as said:
        with running(hold) as holder:
            assert holder.readline() == b"held\n"
            os.write(let_go, b"!")
            assert said.readline() == b"waiting\n"
        assert said.readline() == b"1001\n"
    os.close(held)
    os.close(let_go)
    assert rows(path, "SELECT count(*) FROM stock WHERE safety = 9") == [(0,)]
    check_database(path)
