"""What a subscriber may be, and whatever it may raise: a failed attempt with its reason, and nothing else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import doers
import pytest
from doers import BOTH, alone, effects, pass_time, plan, rows, worker
from worlds import World

from orderstate import Engine, InvalidInput, NotFound
from orderstate.errors import Conflict, Damaged, ReadOnly, StaleVersion
from orderstate.events.outcomes import Later
from orderstate.events.registry import handler
from orderstate.events.verdicts import LONGEST, SCHEDULE, Told
from orderstate.events.working import Worker
from orderstate.model import Subscriber
from orderstate.store import deliveries

pytest_plugins = ["working_fixtures"]
pytestmark = pytest.mark.usefixtures("nothing_planned")


FAULTS: list[tuple[BaseException, str]] = [
    (OSError("no\n\x1b[31mroute"), "OSError: no [31mroute"),
    (SystemExit(3), "SystemExit: 3"),
    (asyncio.CancelledError(), "CancelledError"),
    (GeneratorExit(), "GeneratorExit"),
    (asyncio.CancelledError(), "CancelledError"),
    (GeneratorExit(), "GeneratorExit"),
    (Later("busy"), "busy"),
    (NotFound("nobody", hint="ask"), "nobody (ask)"),
    (StaleVersion("moved on"), "moved on"),
    (RecursionError(), "RecursionError"),
    (KeyError("k" * 900), "KeyError: '" + "k" * 486 + "..."),
]


@pytest.mark.parametrize(("name", "kind"), BOTH)
@pytest.mark.parametrize(("fault", "reason"), FAULTS, ids=lambda v: type(v).__name__)
def test_whatever_a_subscriber_raises_is_one_failed_attempt_with_its_reason(
    still: World, name: str, kind: str, fault: BaseException, reason: str
) -> None:
    alone(still, (name, kind))
    still.order(MUG=1)
    still.order(MUG=1)
    plan(name, "1001:1", fault)
    worker(still).drain()
    assert rows(still, name) == {"1001:1": (1, False, False, reason), "1002:1": (1, True, False, None)}
    if kind == "local":
        assert effects(still) == ["1002:1"]
    still.check()


class Speechless(Exception):
    def __str__(self) -> str:
        raise self.args[0]


@pytest.mark.parametrize("fault", [RuntimeError("even this fails"), SystemExit(9), KeyboardInterrupt()])
def test_an_error_that_cannot_be_shown_is_told_by_its_name(still: World, fault: BaseException) -> None:
    alone(still, ("local", "local"))
    still.order(MUG=1)
    plan("local", "1001:1", Speechless(fault))
    worker(still).drain()
    assert rows(still, "local")["1001:1"][3] == "Speechless"


@pytest.mark.parametrize(("name", "kind"), BOTH)
def test_an_interrupt_ends_the_worker_and_loses_nothing(still: World, name: str, kind: str) -> None:
    alone(still, (name, kind))
    for _ in range(3):
        still.order(MUG=1)
    plan(name, "1002:1", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        worker(still).drain()
    done = {"1001:1"} if kind == "outside" else set()
    assert {id for id, row in rows(still, name).items() if row[1]} == done
    assert still.rows("SELECT count(*) FROM delivery WHERE claim IS NOT NULL") == [(0,)]
    worker(still).drain()
    assert all(row == (1, True, False, None) for row in rows(still, name).values())
    if kind == "local":
        assert effects(still) == ["1001:1", "1002:1", "1003:1"]


@pytest.mark.parametrize(("name", "kind"), BOTH)
def test_an_interrupt_that_a_subscriber_raised_itself_is_a_failed_attempt(still: World, name: str, kind: str) -> None:
    """Where the caller handles SIGINT, Python raises none."""
    alone(still, (name, kind))
    still.order(MUG=1)
    still.order(MUG=1)
    plan(name, "1001:1", KeyboardInterrupt("mine"))
    worker(still, interruptible=False).drain()
    reason = "KeyboardInterrupt: mine"
    assert rows(still, name) == {"1001:1": (1, False, False, reason), "1002:1": (1, True, False, None)}


def test_an_interrupt_in_another_thread_than_the_main_one_is_never_a_ctrl_c(now: World) -> None:
    alone(now, ("outside", "outside"))
    now.order(MUG=1)
    plan("outside", "1001:1", KeyboardInterrupt())

    def work() -> None:
        with Engine.open(now.path) as engine:
            Worker(engine).drain()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert rows(now, "outside")["1001:1"] == (1, False, False, "KeyboardInterrupt")


@pytest.mark.parametrize(("name", "kind"), BOTH)
def test_a_damaged_database_ends_the_worker_and_that_of_another_does_not(still: World, name: str, kind: str) -> None:
    alone(still, (name, kind))
    still.order(MUG=1)
    ours = Damaged("cut")
    ours.about = str(still.path)
    plan(name, "1001:1", ours, Damaged("the other one is cut"), ReadOnly("that file is mine"))
    with pytest.raises(Damaged):
        worker(still).drain()
    assert rows(still, name) == {"1001:1": (0, False, False, None)}
    for attempt, reason in [(1, "the other one is cut"), (2, "that file is mine")]:
        worker(still).drain()
        assert rows(still, name) == {"1001:1": (attempt, False, False, reason)}
        pass_time(still, SCHEDULE[attempt - 1])


def test_a_local_one_that_opens_its_own_database_and_writes_is_told_so_at_once(still: World) -> None:
    alone(still, ("local", "local"))
    still.order(MUG=1)

    def place() -> None:
        with Engine.open(still.path) as second:
            second.place({"MUG": 1}, "US")

    plan("local", "1001:1", place)
    worker(still).drain()
    attempts, _, _, reason = rows(still, "local")["1001:1"]
    assert attempts == 1, "it is to blame, not another writer"
    assert "work through the open unit" in str(reason)
    assert still.another(timeout=0).place({"MUG": 1}, "US").order == "1002", "the lock is free"


@pytest.mark.parametrize(("after", "waits"), [("soon", 1), ("30", 30), (b"x", 1), ([], 1), ("1e999", LONGEST)])
def test_a_time_to_wait_that_makes_no_sense_is_left_out(still: World, after: Any, waits: float) -> None:
    alone(still, ("outside", "outside"))
    still.order(MUG=1)
    plan("outside", "1001:1", Later("busy", after=after))
    told: list[Told] = []
    worker(still, told).drain()
    assert [(t.attempt, t.again) for t in told] == [(1, waits)]


class Bare(Later):
    def __init__(self) -> None:
        """As if it forgot what it is made of."""


def test_an_outcome_that_lacks_its_parts_is_a_failed_attempt(still: World) -> None:
    alone(still, ("outside", "outside"))
    still.order(MUG=1)
    plan("outside", "1001:1", Bare())
    worker(still).drain()
    assert rows(still, "outside")["1001:1"] == (1, False, False, "Bare")


def test_a_transaction_that_the_database_gave_up_is_not_gone_on_with(still: World) -> None:
    """SQLite undoes everything by itself when the disk is full: what followed would be committed row by row."""
    alone(still, ("local", "local"))
    still.order(MUG=1)
    still.order(MUG=1)

    def full() -> None:
        writer = still.engine.store._writer
        assert writer is not None
        writer.execute("ROLLBACK")
        raise OSError("disk full")

    plan("local", "1001:1", full)
    with pytest.raises(Damaged) as lost:
        worker(still).drain()
    assert lost.value.code == "transaction_lost"
    assert rows(still, "local") == dict.fromkeys(("1001:1", "1002:1"), (0, False, False, None))
    assert effects(still) == []
    worker(still).drain()
    assert effects(still) == ["1001:1", "1002:1"]


# What can be a subscriber

BAD: list[tuple[str, str, Callable[[], type[Exception]]]] = [
    ("sourcing", "outside", lambda: InvalidInput),
    ("notify", "local", lambda: InvalidInput),
    ("sourcng", "local", lambda: NotFound),
    ("doers:HEARD", "local", lambda: InvalidInput),
    ("doers:forget", "outside", lambda: InvalidInput),
    ("worlds:World", "local", lambda: InvalidInput),
    *((f"doers:{name}", "outside", lambda: InvalidInput) for name in doers.LAZY),
]


@pytest.mark.parametrize(("target", "kind", "error"), BAD)
def test_what_cannot_be_called_is_refused_when_it_is_loaded(
    target: str, kind: str, error: Callable[[], type[Exception]]
) -> None:
    with pytest.raises(error()):
        handler(target, kind)


@pytest.mark.parametrize(("name", "kind"), BOTH)
@pytest.mark.parametrize("lazy", ["a_coroutine", "stepwise", "a_stream"])
def test_what_only_returns_something_to_be_run_has_failed(still: World, name: str, kind: str, lazy: str) -> None:
    """A plain function in front of an async one cannot be told from others before it is called."""
    alone(still, (name, kind))
    with still.engine.unit() as unit:
        deliveries.declare(unit.tx, Subscriber(name, kind, f"doers:returns_{lazy}"))
    still.order(MUG=1)
    worker(still).drain()
    attempts, delivered, _, reason = rows(still, name)["1001:1"]
    assert (attempts, delivered) == (1, False)
    assert "nothing was done" in str(reason)


@pytest.mark.parametrize("lease", [0, "60", 1.5, True, 10**9])
def test_a_lease_is_whole_seconds(lease: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doers.distant, "lease", lease, raising=False)
    handler.cache_clear()
    with pytest.raises(InvalidInput, match="lease"):
        handler("doers:distant", "outside")
    handler.cache_clear()


def test_another_error_of_the_conflict_kind_counts_as_an_attempt(still: World) -> None:
    alone(still, ("local", "local"))
    still.order(MUG=1)
    plan("local", "1001:1", Conflict("always"))
    worker(still).drain()
    assert rows(still, "local")["1001:1"][0] == 1
