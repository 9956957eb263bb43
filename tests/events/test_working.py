"""The work loop: order per order whatever fails, the schedule, parking, batches, and what is built in."""

from __future__ import annotations

import json
import threading
import time
from types import SimpleNamespace

import pytest
from doers import BOTH, alone, effects, heard, pass_time, plan, rows, worker
from worlds import World

from orderstate import Engine
from orderstate.errors import Locked
from orderstate.events import working
from orderstate.events.outcomes import Later, Never
from orderstate.events.verdicts import LONGEST, SCHEDULE, SECOND, Told
from orderstate.events.working import Worker
from orderstate.flow import document
from orderstate.machine import STANDARD
from orderstate.model import Subscriber
from orderstate.render.events import sentence
from orderstate.store import deliveries

pytest_plugins = ["working_fixtures"]
pytestmark = pytest.mark.usefixtures("nothing_planned")


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
