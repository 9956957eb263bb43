"""A replay that is killed and run again leaves what a clean run leaves, in any batches and from rows in any order."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from histories import SHOP, content, orders_file
from worlds import HOUR, NEW_YEAR, Clock, World, check_database

from orderstate import Engine
from orderstate.history import Summary, import_orders
from orderstate.store import events
from orderstate.store.sqlite import Transaction

SKUS = ("MUG", "CUP", "POT")


def rows_of_a_shop(seed: int) -> list[str]:
    """A month with few customers, few SKUs, many orders at the same time, and every fourth invoice a cancellation."""
    dice = random.Random(seed)
    lines = []
    for number in range(100, 160):
        moment = f"2026-01-{dice.randint(1, 20):02} {dice.choice(('09:00', '12:30'))}"
        cancels = dice.random() < 0.25
        customer = dice.choice(("", "1", "2", "3"))
        for _ in range(dice.randint(1, 3)):
            units = dice.randint(1, 4) * (-1 if cancels else 1)
            lines.append(f"{'C' * cancels}{number},{moment},{dice.choice(SKUS)},{units},{customer},US")
    return lines


@pytest.fixture(params=["backorder", "split", "refuse"])
def scarce(request: pytest.FixtureRequest, world: World) -> Iterator[Path]:
    """A database whose stock covers about half of what is ordered, under each policy."""
    world.facility("DEN", "39.74,-104.99", MUG=25, CUP=10, POT=30)
    world.facility("NYC", "40.71,-74.01", MUG=10, CUP=15, back={"POT": 10})
    world.engine.configure("short", request.param)
    world.close()
    yield world.path
    check_database(world.path)


def replay(database: Path, file: Path, *, batch: int = 40) -> Summary:
    with Engine.open(database, clock=Clock(NEW_YEAR)) as engine:
        return import_orders(
            engine, file, mapping=SHOP, replay=True, ship_after=30 * HOUR, deliver_after=50 * HOUR, batch=batch
        )


def copy(database: Path, name: str) -> Path:
    return Path(shutil.copyfile(database, database.with_name(name)))


def killed(work: Callable[[], object]) -> bool:
    """Run `work` in a forked child; True if it was killed by SIGKILL, False if it ended by itself."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


@contextmanager
def death_at_answer(number: int) -> Iterator[None]:
    """Inside, the process kills itself as the answer `number` is about to be written, in mid-transaction."""
    left = number
    real = events.remember

    def remember(tx: Transaction, key: str, fingerprint: str, answer: Mapping[str, Any], at: int) -> None:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        real(tx, key, fingerprint, answer, at)

    events.remember = remember
    try:
        yield
    finally:
        events.remember = real


def test_a_replay_that_was_killed_is_finished_by_the_next(scarce: Path, tmp_path: Path) -> None:
    file = orders_file(tmp_path, *rows_of_a_shop(1))
    clean = copy(scarce, "clean.db")
    expected = replay(clean, file)
    assert min(expected.units_cancelled, expected.units_shipped_before, expected.units_unmatched) > 0
    deaths = 0
    for number in (1, 30, 31, 77, 120, 10_000):
        broken = copy(scarce, f"broken-{number}.db")

        def die(database: Path = broken, at: int = number) -> None:
            with death_at_answer(at):
                replay(database, file)

        deaths += killed(die)
        found = replay(broken, file)
        check_database(broken)
        assert content(broken) == content(clean), f"killed at answer {number}"
        assert found.states == expected.states
        assert found.units_cancelled == expected.units_cancelled
        assert found.units_shipped_before == expected.units_shipped_before
    assert deaths == 5


def test_several_kills_one_after_the_other_change_nothing_either(scarce: Path, tmp_path: Path) -> None:
    file = orders_file(tmp_path, *rows_of_a_shop(2))
    clean = copy(scarce, "clean.db")
    replay(clean, file)

    def die() -> None:
        with death_at_answer(25):
            replay(scarce, file, batch=7)

    deaths = 0
    while killed(die):
        deaths += 1
        assert deaths < 50
    assert deaths >= 3
    assert content(scarce) == content(clean)


@pytest.mark.parametrize("batch", [1, 3, 500])
def test_the_batch_makes_no_difference(scarce: Path, tmp_path: Path, batch: int) -> None:
    file = orders_file(tmp_path, *rows_of_a_shop(3))
    other = copy(scarce, "other.db")
    replay(scarce, file, batch=40)
    replay(other, file, batch=batch)
    assert content(other) == content(scarce)


def test_the_order_of_the_rows_makes_no_difference(scarce: Path, tmp_path: Path) -> None:
    lines = rows_of_a_shop(4)
    other = copy(scarce, "other.db")
    replay(scarce, orders_file(tmp_path, *lines))
    random.Random(4).shuffle(lines)
    replay(other, orders_file(tmp_path, *lines))
    assert content(other) == content(scarce)
