"""The work loop: order per order whatever fails, the schedule, parking, claims, and what a subscriber may raise."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import doers
import pytest
from doers import alone, effects, heard, plan, rows
from worlds import World

from orderstate import Engine, InvalidInput, NotFound
from orderstate.engine.reader import microseconds
from orderstate.errors import Conflict, Damaged, Locked, ReadOnly, StaleVersion
from orderstate.events import working
from orderstate.events.outcomes import Later, Never
from orderstate.events.registry import handler
from orderstate.events.replaying import skip
from orderstate.events.subscribing import remove
from orderstate.events.verdicts import LONGEST, SCHEDULE, SECOND, Told
from orderstate.events.working import Worker
from orderstate.flow import document
from orderstate.machine import STANDARD
from orderstate.model import Subscriber
from orderstate.render.events import sentence
from orderstate.store import deliveries


@pytest.fixture(autouse=True)
def _nothing_planned() -> Iterator[None]:
    doers.forget()
    yield
    doers.forget()


def worker(world: World, told: list[Told] | None = None, **named: Any) -> Worker:
    return Worker(world.engine, told=(told if told is not None else []).append, **named)


def pass_time(world: World, seconds: float) -> None:
    world.clock.now += round(seconds * SECOND)


@pytest.fixture
def still(world: World) -> World:
    """A world whose clock stands still unless a test moves it."""
    world.clock.step = 0
    return world


@pytest.fixture
def now(world: World) -> World:
    """A world whose clock is the system's, for two threads at once."""
    world.engine.clock = microseconds
    return world


BOTH = [("local", "local"), ("outside", "outside")]


@pytest.mark.parametrize(("name", "kind"), BOTH)
def test_each_event_is_told_once_and_in_order(world: World, name: str, kind: str) -> None:
    alone(world, (name, kind))
    first, second = world.order(MUG=1), world.order(MUG=1)
    world.engine.cancel(first)
    told: list[Told] = []
    assert worker(world, told).drain() == 3
    assert heard(name) == [f"{first}:1", f"{second}:1", f"{first}:2"]
    assert {t.outcome for t in told} == {"delivered"}
    assert rows(world, name) == dict.fromkeys(heard(name), (1, True, False, None))
    assert worker(world).drain() == 0
    world.check()


@pytest.mark.parametrize(("name", "kind"), BOTH)
def test_a_failing_event_holds_back_only_later_events_of_its_own_order(still: World, name: str, kind: str) -> None:
    alone(still, (name, kind))
    for order in ("1001", "1002"):
        still.order(MUG=1)
        still.engine.cancel(order)
    plan(name, "1001:1", OSError("no"))
    worker(still).drain()
    assert heard(name) == ["1001:1", "1002:1", "1002:2"]
    pass_time(still, SCHEDULE[0])
    worker(still).drain()
    assert heard(name)[3:] == ["1001:1", "1001:2"]
    if kind == "local":
        assert effects(still) == ["1002:1", "1002:2", "1001:1", "1001:2"]
    still.check()


@pytest.mark.parametrize(("name", "kind"), BOTH)
def test_a_failing_event_is_tried_on_schedule_and_parked_after_the_last_attempt(
    still: World, name: str, kind: str
) -> None:
    alone(still, (name, kind))
    still.order(MUG=1)
    plan(name, "1001:1", *[OSError(f"no {n}") for n in range(1, 9)])
    told: list[Told] = []
    one = worker(still, told)
    for number, seconds in enumerate(SCHEDULE, 1):
        one.drain()
        assert len(heard(name)) == number
        assert one.next_due() == still.clock.now + seconds * SECOND
        pass_time(still, seconds - 0.000001)
        assert one.drain() == 0
        pass_time(still, 0.000001)
    one.drain()
    assert rows(still, name) == {"1001:1": (8, False, True, "OSError: no 8")}
    assert [(t.outcome, t.attempt, t.again) for t in told] == [
        *(("later", n, s) for n, s in enumerate(SCHEDULE, 1)), ("parked", 8, None),
    ]  # fmt: skip
    pass_time(still, 1e6)
    assert one.drain() == 0
    assert one.next_due() is None


@pytest.mark.parametrize(("name", "kind"), BOTH)
def test_a_parked_event_holds_its_order_back_until_it_is_skipped_or_replayed(
    still: World, name: str, kind: str
) -> None:
    alone(still, (name, kind))
    for order in ("1001", "1002"):
        still.order(MUG=1)
        still.engine.cancel(order)
    plan(name, "1001:1", Never("unreadable"))
    plan(name, "1002:1", Never("unreadable"))
    worker(still).drain()
    assert rows(still, name)["1001:1"] == (1, False, True, "unreadable")
    pass_time(still, 1e6)
    assert worker(still).drain() == 0
    with still.engine.unit() as unit:
        (key, _), (other, _) = (deliveries.event_at(unit.tx, order, 1) for order in ("1001", "1002"))  # type: ignore[misc]  # both are there
        assert deliveries.again(unit.tx, name, key, unit.now)
        assert deliveries.skip(unit.tx, name, other, unit.now, "skipped: told by phone")
    worker(still).drain()
    assert sorted(heard(name)) == ["1001:1", "1001:1", "1001:2", "1002:1", "1002:2"]
    assert rows(still, name)["1002:1"] == (1, True, False, "skipped: told by phone")


def test_one_failing_subscriber_holds_up_no_other(still: World) -> None:
    alone(still, ("local", "local"), ("other", "local"), ("outside", "outside"))
    still.order(MUG=1)
    plan("local", "1001:1", OSError("no"))
    worker(still).drain()
    assert (effects(still), effects(still, "OTHER"), heard("outside")) == ([], ["1001:1"], ["1001:1"])


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


@pytest.mark.parametrize("fault", [Later("down", counts=False), Locked("in use")])
@pytest.mark.parametrize(("name", "kind"), BOTH)
def test_a_far_side_that_is_down_costs_no_attempt_and_is_left_alone_for_a_while(
    still: World, name: str, kind: str, fault: Exception
) -> None:
    alone(still, (name, kind))
    for _ in range(5):
        still.order(MUG=1)
    plan(name, "1001:1", fault)
    one = worker(still)
    one.drain()
    assert heard(name) == ["1001:1"]
    assert rows(still, name)["1001:1"][:3] == (0, False, False)
    assert one.next_due() == still.clock.now + 5 * SECOND
    assert one.drain() == 0
    pass_time(still, 5)
    one.drain()
    assert sorted(heard(name)[1:]) == [f"100{n}:1" for n in range(1, 6)]


@pytest.mark.parametrize(
    ("asked", "waits"),
    [(20, 20), (0.001, 1), (None, 1), (float("nan"), 1), (float("inf"), LONGEST), (-5, 1), (1e300, LONGEST)],
)
def test_a_far_side_may_ask_for_more_time_but_not_for_ever(still: World, asked: float | None, waits: float) -> None:
    alone(still, ("outside", "outside"))
    still.order(MUG=1)
    plan("outside", "1001:1", Later("slow down", after=asked))
    one = worker(still)
    one.drain()
    assert one.next_due() == still.clock.now + waits * SECOND


def test_a_batch_of_local_deliveries_is_one_commit_and_a_failed_one_undoes_only_itself(still: World) -> None:
    alone(still, ("local", "local"))
    for _ in range(7):
        still.order(MUG=1)
    plan("local", "1003:1", OSError("no"))
    with statements(still) as sent:
        assert worker(still, batch=5).drain() == 7
    assert sent.count("COMMIT") == 2
    assert effects(still) == [f"100{n}:1" for n in (1, 2, 4, 5, 6, 7)]


class statements:
    """What the writing connection is sent."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __enter__(self) -> list[str]:
        sent: list[str] = []
        writer = self._world.engine.store._writer
        assert writer is not None
        writer.set_trace_callback(sent.append)
        self._writer = writer
        return sent

    def __exit__(self, *_: object) -> None:
        self._writer.set_trace_callback(None)


def test_a_local_delivery_costs_three_statements_beside_its_work(still: World) -> None:
    alone(still, ("idle", "local"))
    for _ in range(20):
        still.order(MUG=1)
    with statements(still) as sent:
        worker(still).drain()
    per_batch = ["BEGIN IMMEDIATE", "SELECT", "COMMIT"]
    assert [s for s in sent if not s.startswith(("SAVEPOINT", "RELEASE", "UPDATE delivery"))] == [
        per_batch[0], sent[1], per_batch[2],
    ]  # fmt: skip
    assert len(sent) == 3 + 3 * 20


def test_an_outside_delivery_costs_two_statements(still: World) -> None:
    alone(still, ("distant", "outside"))
    for _ in range(20):
        still.order(MUG=1)
    with statements(still) as sent:
        worker(still).drain()
    assert len(sent) == 2 + 1 + 2 + 2 * 20


def test_an_idle_turn_takes_no_lock(still: World) -> None:
    alone(still, ("local", "local"), ("outside", "outside"))
    still.order(MUG=1)
    worker(still).drain()
    with statements(still) as sent:
        worker(still).drain()
    assert sent == []


def test_a_slow_local_batch_lets_other_writers_in(still: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(still, ("local", "local"))
    for _ in range(4):
        still.order(MUG=1)
    monkeypatch.setattr(working, "TURN", -1.0)
    with statements(still) as sent:
        assert worker(still).turn(still.engine.subscribers()[0]) == 0
    assert sent[-1] == "COMMIT"


def test_who_waits_for_the_writer_lock_gets_in_between_two_slow_local_batches(
    now: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock goes to whoever asks first, and the worker is awake: so it rests until the other one is, too."""
    alone(now, ("local", "local"))
    for _ in range(3):
        now.order(MUG=1)
    begun, entered, never = threading.Event(), threading.Event(), threading.Event()
    heard_before: list[int] = []
    rests: list[float] = []

    def place() -> None:
        with Engine.open(now.path) as engine:
            begun.wait()
            engine.place({"MUG": 1}, "US")
            heard_before.append(len(heard("local")))
            entered.set()

    def slow() -> None:
        begun.set()
        assert not never.wait(2 * working.LONG)

    def rest(seconds: float) -> None:
        rests.append(seconds)
        assert entered.wait(10), "nobody gets in while the worker rests"

    clocks = {name: getattr(time, name) for name in ("monotonic", "perf_counter")}
    monkeypatch.setattr(working, "time", SimpleNamespace(sleep=rest, **clocks))
    for order in ("1001", "1002"):
        plan("local", f"{order}:1", slow)
    other = threading.Thread(target=place)
    other.start()
    worker(now, batch=1).drain()
    other.join()
    assert heard_before == [1]
    assert len(rests) >= 2
    assert all(0 < seconds <= working.REST for seconds in rests)
    assert len(heard("local")) == 4


def test_after_a_quick_local_batch_a_worker_does_not_rest(still: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(still, ("local", "local"))
    still.order(MUG=1)
    rests: list[float] = []
    stopped = SimpleNamespace(sleep=rests.append, monotonic=lambda: 7.0, perf_counter=lambda: 7.0)
    monkeypatch.setattr(working, "time", stopped)
    assert worker(still).drain() == 1
    assert rests == []


@pytest.mark.parametrize(("name", "kind"), BOTH)
def test_what_is_not_counted_is_told_as_that_after_an_earlier_failure_too(still: World, name: str, kind: str) -> None:
    alone(still, (name, kind))
    still.order(MUG=1)
    plan(name, "1001:1", OSError("no"), Later("wrong password", counts=False))
    told: list[Told] = []
    worker(still, told).drain()
    pass_time(still, 1)
    worker(still, told).drain()
    assert [sentence(t).partition("again in ")[2] for t in told] == [
        "1 s, attempt 1 of 8: OSError: no",
        "5 s, not counted: wrong password",
    ]
    assert rows(still, name)["1001:1"][0] == 1


# Claims of outside subscribers


def claims(world: World) -> list[tuple[str, int, str | None]]:
    return [
        (f"{subject}:{number}", due, claim)
        for subject, number, due, claim in world.rows(
            "SELECT e.subject, e.number, due, claim FROM delivery JOIN event e ON e.id = event ORDER BY event"
        )
    ]


def test_what_is_being_called_is_claimed_and_no_other_worker_takes_it(still: World) -> None:
    alone(still, ("outside", "outside"))
    still.order(MUG=1)
    still.order(MUG=1)
    seen: list[Any] = []
    second = Worker(still.another())

    def look() -> None:
        seen.append((second.drain(), [claim for _, _, claim in claims(still)]))
        still.another().cancel("1001")
        seen.append(second.drain())  # an event of an order that somebody is being called for waits

    plan("outside", "1001:1", look)
    worker(still).drain()
    (attempts, marks), later = seen
    assert (attempts, later) == (0, 0)
    assert len(set(marks)) == 1
    assert marks[0]
    assert heard("outside") == ["1001:1", "1002:1", "1001:2"]
    assert [claim for _, _, claim in claims(still)] == [None, None, None]


def test_without_claims_another_worker_would_take_the_same(still: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: what the test above looks for is there to be found."""
    alone(still, ("outside", "outside"))
    still.order(MUG=1)
    monkeypatch.setattr(deliveries, "claim", lambda *_: None)
    monkeypatch.setattr("secrets.token_hex", lambda _: None)
    plan("outside", "1001:1", Worker(still.another()).drain)
    worker(still).drain()
    assert heard("outside") == ["1001:1", "1001:1"]


def test_no_transaction_is_open_while_an_outside_one_is_called(still: World) -> None:
    alone(still, ("outside", "outside"))
    still.order(MUG=1)

    def write() -> None:
        assert still.engine.place({"MUG": 1}, "US").order == "1002"
        assert still.another(timeout=0.2).place({"MUG": 1}, "US").order == "1003"

    plan("outside", "1001:1", write)
    worker(still).drain()
    assert heard("outside") == ["1001:1", "1002:1", "1003:1"]


def test_what_was_not_called_is_given_back_as_it_was(still: World) -> None:
    alone(still, ("outside", "outside"))
    for _ in range(3):
        still.order(MUG=1)
    before = claims(still)
    stopped: list[bool] = []
    plan("outside", "1001:1", lambda: stopped.append(True))
    told: list[Told] = []
    worker(still, told, stop=lambda: bool(stopped)).drain()
    assert [t.event for t in told] == ["1001:1"]
    assert claims(still)[1:] == before[1:]
    assert rows(still, "outside")["1002:1"] == (0, False, False, None)


def test_a_claim_that_nobody_came_back_from_runs_out_and_counts_as_an_attempt(still: World) -> None:
    alone(still, ("opened", "outside"))
    for _ in range(3):
        still.order(MUG=1)
    dead = Worker(still.engine)
    (subscriber,) = dead.subscribers()
    taken, _ = dead._claim(subscriber, handler(subscriber.target, "outside"), "dead")
    assert len(taken) == 3
    told: list[Told] = []
    one = worker(still, told)
    assert one.drain() == 0
    assert one.next_due() == still.clock.now + 9 * SECOND  # the lease of 7 s, and two turns
    pass_time(still, 9)
    while_called: list[tuple[tuple[object, ...], int]] = []
    plan("opened", "1001:1", lambda: while_called.append((rows(still, "opened")["1001:1"], len(told))))
    one.drain()
    why = "the process that worked on it ended before it was done, or took longer than its lease"
    assert while_called == [((1, False, False, why), 1)], "written down and told before it is called again"
    assert (told[0].event, told[0].outcome, told[0].attempt, told[0].reason) == ("1001:1", "later", 1, why)
    assert [t.outcome for t in told] == ["later", "delivered"] * 3
    assert heard("opened") == ["1001:1", "1002:1", "1003:1"]
    assert all(row == (2, True, False, None) for row in rows(still, "opened").values())
    assert doers.OPENED.count("open") == 3, "each alone, as one of them may be what ended the process"


def test_an_event_over_which_worker_after_worker_dies_is_parked(still: World) -> None:
    alone(still, ("opened", "outside"))
    still.order(MUG=1)
    told: list[Told] = []
    one = worker(still, told)
    (subscriber,) = one.subscribers()
    loaded = handler(subscriber.target, "outside")
    for number in range(8):
        taken, _ = one._claim(subscriber, loaded, f"dead {number}")
        assert [d.attempts for d in taken] == [number]
        pass_time(still, 9)
    one.drain()
    assert heard("opened") == []
    assert [t.outcome for t in told] == ["parked"]
    attempts, _, parked, error = rows(still, "opened")["1001:1"]
    assert (attempts, parked) == (8, True)
    assert "longer than its lease" in str(error)


def test_who_returns_after_its_lease_writes_nothing_over_what_others_did(still: World) -> None:
    alone(still, ("opened", "outside"))
    still.order(MUG=1)
    second: list[Told] = []

    def late() -> None:
        pass_time(still, 9)
        Worker(still.another(), told=second.append).drain()

    plan("opened", "1001:1", late, OSError("the other one failed"))
    told: list[Told] = []
    worker(still, told).drain()
    assert [(t.outcome, t.attempt) for t in second] == [("later", 1), ("later", 2)]
    assert [t.outcome for t in told] == ["overtaken"]
    assert rows(still, "opened")["1001:1"] == (2, False, False, "OSError: the other one failed")


def test_who_was_skipped_or_removed_during_its_call_is_told_so(still: World) -> None:
    alone(still, ("opened", "outside"), ("distant", "outside"))
    still.order(MUG=1)
    plan("opened", "1001:1", lambda: skip(still.another(), "1001:1", "opened", "by hand"))
    plan("distant", "1001:1", lambda: remove(still.another(), "distant"))
    told: list[Told] = []
    worker(still, told).drain()
    assert {t.subscriber: (t.outcome, t.reason) for t in told} == {
        "opened": ("overtaken", "during this call it was skipped: by hand"),
        "distant": ("overtaken", "during this call its subscriber was removed"),
    }


def test_a_subscriber_is_opened_once_for_many_events_and_closed(still: World) -> None:
    alone(still, ("opened", "outside"))
    for _ in range(5):
        still.order(MUG=1)
    plan("opened", "close", OSError())
    worker(still).drain()
    assert len(heard("opened")) == 5
    assert doers.OPENED == ["open", "close"]
    assert all(row[1] for row in rows(still, "opened").values()), "one that cannot be closed was still told"


@pytest.mark.parametrize("fault", [OSError("refused"), Later("greylisted", after=60), SystemExit("no config")])
def test_one_that_cannot_be_opened_costs_no_attempt(still: World, fault: BaseException) -> None:
    alone(still, ("opened", "outside"))
    still.order(MUG=1)
    still.order(MUG=1)
    plan("opened", "open", fault)
    told: list[Told] = []
    one = worker(still, told)
    one.drain()
    assert [(t.outcome, t.attempt, t.event) for t in told] == [("later", 0, "1001:1")]
    wait = 60 if isinstance(fault, Later) else 5
    assert one.next_due() == still.clock.now + wait * SECOND
    assert [claim for _, _, claim in claims(still)] == [None, None]
    pass_time(still, wait)
    one.drain()
    assert len(heard("opened")) == 2


@pytest.mark.parametrize("target", ["doers:nobody", "no_such_module:x", "doers:PLAN", "nothing-installed"])
@pytest.mark.parametrize("kind", ["local", "outside"])
def test_one_that_cannot_be_loaded_waits_and_says_why(still: World, target: str, kind: str) -> None:
    alone(still, ("local", "local"))
    with still.engine.unit() as unit:
        deliveries.declare(unit.tx, Subscriber("broken", kind, target))
    still.order(MUG=1)
    told: list[Told] = []
    worker(still, told).drain()
    assert effects(still) == ["1001:1"]
    (broken,) = [t for t in told if t.subscriber == "broken"]
    assert (broken.outcome, broken.attempt) == ("later", 0)
    assert broken.reason == rows(still, "broken")[broken.event][3]
    assert target in (broken.reason or "")


def test_one_that_became_local_while_a_claim_was_out_is_told_once(still: World) -> None:
    alone(still, ("local", "local"))
    still.order(MUG=1)
    with still.engine.unit() as unit:
        (found,) = deliveries.eligible(unit.tx, "local", unit.now, 1)
        deliveries.claim(unit.tx, found, "from before", unit.now)
    worker(still).drain()
    assert effects(still) == ["1001:1"]
    assert rows(still, "local")["1001:1"] == (1, True, False, None)


# Whom a worker serves


def test_only_those_named_and_switched_on_are_served_and_never_a_relay(still: World) -> None:
    alone(still, ("local", "local"), ("other", "local"), ("outside", "outside"), ("distant", "outside"))
    with still.engine.unit() as unit:
        deliveries.declare(unit.tx, Subscriber("distant", "outside", "doers:distant", (), enabled=False))
        deliveries.declare(unit.tx, Subscriber("nats", "relay", "nats://here"))
    still.order(MUG=1)
    assert [s.name for s in worker(still).subscribers()] == ["local", "other", "outside"]
    assert [s.name for s in worker(still, kinds=["outside", "relay"]).subscribers()] == ["outside"]
    named = Worker(still.engine, ["other", "distant", "nats"])
    assert named.drain() == 1
    assert (effects(still), effects(still, "OTHER"), heard("distant")) == ([], ["1001:1"], [])


def test_what_was_on_its_way_to_one_that_is_switched_off_waits_for_it(still: World) -> None:
    alone(still, ("local", "local"))
    off = Subscriber("local", "local", "doers:local", (), enabled=False)
    still.order(MUG=1)
    with still.engine.unit() as unit:
        deliveries.declare(unit.tx, off)
    still.order(MUG=1)
    assert worker(still).drain() == 0
    assert worker(still).next_due() is None
    with still.engine.unit() as unit:
        deliveries.declare(unit.tx, Subscriber("local", "local", "doers:local", ("OrderPlaced",)))
    still.order(MUG=1)
    worker(still).drain()
    assert effects(still) == ["1001:1", "1003:1"]


def test_what_comes_of_a_delivery_is_delivered_too(world: World) -> None:
    """The story: sourcing ties, and where it is switched on fulfilment ships; the customer hears of each."""
    world.facility("DEN", "39.74,-104.99", MUG=5)
    with world.engine.unit() as unit:
        deliveries.declare(unit.tx, Subscriber("fulfilment", "local", "fulfilment", ("InventoryTied",)))
        deliveries.declare(unit.tx, Subscriber("notify", "outside", "doers:distant"))
    world.order(MUG=2)
    world.order(MUG=9)
    worker(world).drain()
    assert world.engine.counts()["shipping"] == 1
    assert world.engine.counts()["backordered"] == 1
    assert [id for id in heard("distant") if id.startswith("1001")] == ["1001:1", "1001:2", "1001:3"]
    world.engine.receive("DEN", "MUG", 20)
    worker(world).drain()
    assert world.engine.order("1002").state == "shipping"
    world.check()


def test_a_built_in_subscriber_acts_once_however_often_it_hears(world: World) -> None:
    world.facility("DEN", "39.74,-104.99", MUG=5)
    world.order(MUG=2)
    one = Worker(world.engine, ["sourcing"])
    one.drain()
    before = world.event_types("1001")
    with world.engine.unit() as unit:
        key, _ = deliveries.event_at(unit.tx, "1001", 1)  # type: ignore[misc]  # it is there
        deliveries.again(unit.tx, "sourcing", key, unit.now)
    assert one.drain() == 1
    assert world.event_types("1001") == before == ["OrderPlaced", "InventoryTied"]


@pytest.mark.parametrize(
    "brought", ["StockReceived", "StockAdjusted", "OrderCancelled", "OrderReduced", "InventoryUntied"]
)
def test_whatever_brings_stock_is_offered_to_who_waits_if_restock_hears_of_it(world: World, brought: str) -> None:
    world.facility("DEN", "39.74,-104.99", MUG=2, PEN=1)
    holder, waits = world.tied(MUG=2, PEN=1), world.order(MUG=1)
    world.engine.tie(waits)
    Worker(world.engine, ["restock"]).drain()
    with world.engine.unit() as unit:
        deliveries.declare(unit.tx, Subscriber("restock", "outside", "restock", (brought,)))
    {
        "StockReceived": lambda: world.engine.receive("DEN", "MUG", 1),
        "StockAdjusted": lambda: world.engine.adjust("DEN", "MUG", by_units=1),
        "OrderCancelled": lambda: world.engine.cancel(holder),
        "OrderReduced": lambda: world.engine.cancel(holder, lines={"MUG": 1}),
        "InventoryUntied": lambda: world.engine.untie(holder),
    }[brought]()
    assert Worker(world.engine, ["restock"]).drain() == 1
    assert world.engine.order(waits).state == "inventory_tied"


def test_a_refused_tie_is_counted_and_is_no_failed_delivery(world: World) -> None:
    world.facility("DEN", "39.74,-104.99", MUG=1)
    world.order(MUG=2, short="refuse")
    told: list[Told] = []
    worker(world, told, kinds=["local"]).drain()
    assert [(t.subscriber, t.outcome) for t in told] == [("sourcing", "delivered")]
    assert sum(world.refusals("1001").values()) == 1


def test_under_a_flow_of_ones_own_they_fire_what_ties_and_what_sends_there(world: World) -> None:
    world.facility("DEN", "39.74,-104.99", MUG=5)
    renamed = json.dumps(document(STANDARD)).replace('"tie_inventory"', '"reserve"').replace('"ship"', '"hand_over"')
    world.engine.use_flow(json.loads(renamed))
    with world.engine.unit() as unit:
        deliveries.declare(unit.tx, Subscriber("fulfilment", "local", "fulfilment", ("InventoryTied",)))
    order = world.order(MUG=2)
    Worker(world.engine, ["sourcing", "fulfilment"]).drain()
    fired = [(event.trigger, event.by) for event in world.engine.history(order).events]
    assert fired == [(None, None), ("reserve", "sourcing"), ("hand_over", "fulfilment")]


def test_history_is_told_to_nobody(world: World) -> None:
    world.facility("DEN", "39.74,-104.99", MUG=5)
    worker(world).drain()
    world.engine.silent = True
    world.order(MUG=1)
    world.engine.silent = False
    assert worker(world).drain() == 0
    world.order(MUG=1)
    assert Worker(world.engine, ["sourcing"]).drain() == 1
    assert world.engine.order("1001").state == "pending"


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
