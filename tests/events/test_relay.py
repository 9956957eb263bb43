"""The relay against a broker in memory: nothing is lost, the order of each order is kept, whatever fails."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sinks import Died, MemorySink, first_times
from worlds import World, fork

from orderstate import Conflict, Engine, Refused
from orderstate.events import relaying
from orderstate.events.brokers.message import Failure, Message
from orderstate.events.outcomes import Later, Never
from orderstate.events.relaying import Relay
from orderstate.events.sole import Sole
from orderstate.events.verdicts import SCHEDULE, Told
from orderstate.model import Subscriber
from orderstate.store import deliveries

NO_PAUSE = (0.0,)


def relay(engine: Engine, sink: MemorySink, **more: object) -> Relay:
    return Relay(engine, sink, **{"pauses": NO_PAUSE, "batch": 5, **more})  # type: ignore[arg-type]  # of several types


def busy(world: World, orders: int = 8) -> list[str]:
    """Some orders with up to four events each, interleaved."""
    if not world.rows("SELECT 1 FROM facility"):
        world.facility("DEN", "39.74,-104.99", MUG=1000)
    placed = [world.order(MUG=1) for _ in range(orders)]
    for order in placed:
        world.engine.tie(order)
    for order in placed[::2]:
        world.engine.ship(order)
    for order in placed[::4]:
        world.engine.deliver(order)
    return placed


def expected(world: World) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for subject, number in world.rows("SELECT subject, number FROM event ORDER BY id"):
        found.setdefault(subject, []).append(number)
    return found


def test_every_event_goes_out_once_in_order_with_its_id(world: World) -> None:
    busy(world)
    sink = MemorySink()
    done = relay(world.engine, sink).run()
    assert {subject: sink.numbers(subject) for subject in expected(world)} == expected(world)
    assert done.published == len(sink.kept) == len({m.id for m in sink.kept})
    origin = f"/orderstate/{world.engine.id}"
    assert all(m.id.startswith(f"{origin}/{m.key}:") for m in sink.kept)
    assert "facility/DEN" in {m.key for m in sink.kept}


def test_a_second_run_goes_on_where_the_first_one_ended(world: World) -> None:
    busy(world)
    sink = MemorySink()
    relay(world.engine, sink).run()
    before = len(sink.kept)
    assert relay(world.engine, sink).run().published == 0
    order = world.order(MUG=1)
    assert relay(world.engine, sink).run().published == 1
    assert [m.key for m in sink.kept[before:]] == [order]


def test_from_now_leaves_the_past_where_it_is(world: World) -> None:
    busy(world)
    sink = MemorySink()
    assert relay(world.engine, sink, past=False).run().published == 0
    order = world.order(MUG=1)
    relay(world.engine, sink, past=True).run()
    assert [m.key for m in sink.kept] == [order]


def test_the_past_is_filled_in_chunks_and_a_kill_in_between_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy(world)
    monkeypatch.setattr(relaying, "CHUNK", 4)
    sink = MemorySink()
    asked = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 2

    relay(world.engine, sink, stop=stop).run()
    filled = world.rows("SELECT count(*) FROM delivery WHERE subscriber = ?", sink.name)[0][0]
    assert 0 < filled < world.rows("SELECT count(*) FROM event")[0][0]
    world.order(MUG=1)
    relay(world.engine, sink).run()
    assert {subject: sink.numbers(subject) for subject in expected(world)} == expected(world)
    assert world.rows("SELECT count(*) FROM setting WHERE key LIKE 'relay.%'") == [(0,)]


def test_a_wave_holds_each_order_once_and_many_orders_together(world: World) -> None:
    busy(world, orders=20)
    sink = MemorySink()
    relay(world.engine, sink, batch=20).run()
    assert max(map(len, sink.waves)) == 20
    assert len(sink.waves) < len(sink.kept) / 4


def test_what_is_never_taken_is_parked_and_holds_back_its_own_order_alone(world: World) -> None:
    orders = busy(world)
    bad = f"{orders[0]}:2"
    told: list[Told] = []
    sink = MemorySink(lambda m: Never("too large") if m.id.endswith(f"/{bad}") else None)
    done = relay(world.engine, sink, told=told.append).run()
    assert [(t.event, t.outcome, t.reason) for t in told] == [(bad, "parked", "too large")]
    assert done.parked == 1
    assert sink.numbers(orders[0]) == [1]
    assert all(sink.numbers(order) == expected(world)[order] for order in orders[1:])
    # Later events of that order wait behind it, in this run and in the next.
    assert relay(world.engine, sink).waiting() == 2
    assert relay(world.engine, sink).run().published == 0
    sink.verdict = lambda _: None
    with world.engine.unit() as unit:
        (parked,) = deliveries.parked(unit.tx, 10)
        deliveries.again(unit.tx, sink.name, parked.key, unit.now)
    relay(world.engine, sink).run()
    assert sink.numbers(orders[0]) == [1, 2, 3, 4]


def test_a_replay_is_seen_by_a_relay_that_follows(world: World) -> None:
    """The event was read long ago; its next turn comes by asking for what is due."""
    orders = busy(world, orders=2)
    sink = MemorySink()
    running = relay(world.engine, sink)
    done = []

    class Wakes:
        """In place of the alarm: replays one event at the first wait, and ends at the second."""

        def arm(self) -> None:
            pass

        def wait(self, seconds: float | None) -> None:
            done.append(seconds)
            if len(done) == 1:
                with world.engine.unit() as unit:
                    found = deliveries.event_at(unit.tx, orders[0], 1)
                    assert found is not None
                    deliveries.again(unit.tx, sink.name, found[0], unit.now)

    running._stop = lambda: len(done) > 1
    running.run(Wakes())  # type: ignore[arg-type]  # all of an alarm that a relay asks for
    assert sink.numbers(orders[0]) == [1, 2, 3, 4, 1]


def test_a_broker_that_is_down_costs_no_attempt_and_is_told_once(world: World) -> None:
    busy(world)
    left = [7]

    def verdict(message: Message) -> Failure | None:
        left[0] -= 1
        return Later("memory://sink cannot be reached", counts=False) if left[0] >= 0 else None

    said: list[str] = []
    sink = MemorySink(verdict)
    sink.opened = [Later("memory://sink cannot be reached", counts=False)] * 3
    relay(world.engine, sink, said=said.append).run()
    assert {subject: sink.numbers(subject) for subject in expected(world)} == expected(world)
    assert world.rows("SELECT DISTINCT attempts FROM delivery WHERE subscriber = ?", sink.name) == [(1,)]
    assert said == [
        "memory://sink cannot be reached; trying again",
        "memory://sink is there again",
    ] * 2  # fmt: skip


def test_a_reader_of_our_output_that_left_is_not_waited_for(world: World) -> None:
    busy(world)
    said: list[str] = []
    sink = MemorySink(lambda _: Later("Broken pipe", counts=False))
    sink.name = "-"
    with pytest.raises(Conflict, match="Broken pipe"):
        relay(world.engine, sink, said=said.append, give_up=None).run()
    assert said == []
    assert len(sink.waves) == 1


def test_nothing_is_put_on_its_way_to_a_sink_that_was_never_reached(world: World) -> None:
    busy(world)
    sink = MemorySink()
    sink.opened = [Later("memory://sink cannot be reached", counts=False)] * 9
    with pytest.raises(Conflict):
        relay(world.engine, sink, give_up=0.0).run()
    assert sink.name not in [subscriber.name for subscriber in world.engine.subscribers()]
    sink.opened = []
    assert relay(world.engine, sink).run().published == len(world.rows("SELECT 1 FROM event"))


def test_a_broker_that_stays_down_ends_a_relay_that_does_not_follow(world: World) -> None:
    busy(world)
    sink = MemorySink(lambda _: Later("gone", counts=False))
    with pytest.raises(Conflict, match="gone") as caught:
        relay(world.engine, sink, give_up=0.0).run()
    assert caught.value.code == "broker_down"
    sink.verdict = lambda _: None
    assert relay(world.engine, sink).run().published == len(world.rows("SELECT 1 FROM event"))


def test_a_set_up_that_a_person_must_mend_parks_nothing(world: World) -> None:
    busy(world)
    sink = MemorySink()
    sink.opened = [Never("wrong password")]
    with pytest.raises(Refused, match="wrong password"):
        relay(world.engine, sink).run()
    assert world.rows("SELECT count(*) FROM delivery WHERE parked IS NOT NULL") == [(0,)]


def test_one_message_that_cannot_be_confirmed_is_tried_on_schedule_and_then_parked(world: World) -> None:
    world.clock.step = 1000
    orders = busy(world, orders=2)
    bad = f"/{orders[0]}:1"
    sink = MemorySink(lambda m: Later("not confirmed") if m.id.endswith(bad) else None)
    told: list[Told] = []
    for _ in range(len(SCHEDULE) + 1):
        relay(world.engine, sink, told=told.append).run()
        world.clock.now += 1_000_000_000
    assert [(t.outcome, t.again) for t in told] == [*(("later", s) for s in SCHEDULE), ("parked", None)]
    assert sink.numbers(orders[0]) == []
    assert sink.numbers(orders[1]) == [1, 2]


def test_a_relay_that_is_switched_off_is_refused_with_what_switches_it_on(world: World) -> None:
    sink = MemorySink()
    with world.engine.unit() as unit:
        deliveries.declare(unit.tx, Subscriber(sink.name, "relay", sink.name, enabled=False))
    with pytest.raises(Refused) as caught:
        relay(world.engine, sink).run()
    assert caught.value.code == "switched_off"
    assert caught.value.hint == f"orderstate subscribers on {sink.name}"


@st.composite
def troubles(draw: st.DrawFn) -> tuple[int, int, list[str]]:
    """A seed, a batch, and what happens to each run but the last."""
    runs = draw(st.lists(st.sampled_from(["dies", "down", "never", "later", "fine"]), max_size=6))
    return draw(st.integers(0, 2**32)), draw(st.integers(1, 12)), runs


@settings(max_examples=12, deadline=None)
@given(troubles())
def test_whatever_fails_nothing_is_lost_and_the_order_of_each_order_is_kept(
    template: Path, tmp_path_factory: pytest.TempPathFactory, trouble: tuple[int, int, list[str]]
) -> None:
    seed, batch, runs = trouble
    dice = Random(seed)
    world = World(Path(shutil.copyfile(template, tmp_path_factory.mktemp("law") / "orderstate.db")))
    try:
        busy(world, orders=6)
        sink = MemorySink()
        for kind in runs:
            sink.die_after = dice.randint(1, 20) if kind == "dies" else None
            failure: dict[str, Failure] = {
                "down": Later("down", counts=False), "never": Never("never"), "later": Later("later")
            }  # fmt: skip
            answer = failure.get(kind)
            sink.verdict = lambda _, answer=answer: answer if answer and dice.random() < 0.3 else None  # type: ignore[misc]  # a closure
            try:
                relay(world.engine, sink, batch=batch).run()
            except Died:
                world.engine.close()
                world.engine = Engine.open(world.path, clock=world.clock)
            busy(world, orders=1)
            world.clock.now += 2_000_000_000
        sink.verdict, sink.die_after = lambda _: None, None
        with world.engine.unit() as unit:
            for parked in deliveries.parked(unit.tx, 1000):
                deliveries.again(unit.tx, sink.name, parked.key, unit.now)
        relay(world.engine, sink, batch=batch).run()
        assert {subject: first_times(sink.numbers(subject)) for subject in expected(world)} == expected(world)
        if set(runs) <= {"fine", "never", "later", "down"}:
            assert len(sink.kept) == len({m.id for m in sink.kept})
        assert relay(world.engine, sink).waiting() == 0
    finally:
        world.close()


def test_without_waves_the_order_would_be_gone(world: World) -> None:
    """The control: the broker in memory notices two of one key in flight together."""
    message = Message("a:1", "a", "T", b"{}")
    with pytest.raises(AssertionError, match="in flight together"):
        MemorySink().publish([message, message])


# One at a time


def test_a_second_relay_to_the_same_sink_is_told_so_at_once(world: World) -> None:
    with Sole(world.path, "memory://sink"):
        with pytest.raises(Conflict, match=f"process {os.getpid()} relays to memory://sink already") as caught:
            relay(world.engine, MemorySink()).run()
        assert (caught.value.code, caught.value.exit_status) == ("relay_running", 6)
        with Sole(world.path, "memory://other"):
            pass
    assert relay(world.engine, MemorySink()).run().published == 0


def test_the_lock_dies_with_the_process_that_held_it(world: World) -> None:
    ready, told = os.pipe()
    child = fork()
    if child == 0:
        try:
            with Sole(world.path, "x"):
                os.write(told, b".")
                signal.pause()
        finally:
            os._exit(0)
    assert os.read(ready, 1) == b"."
    with pytest.raises(Conflict, match=f"process {child} relays"), Sole(world.path, "x"):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with Sole(world.path, "x") as held:
        assert held._descriptor is not None
        assert fcntl.fcntl(held._descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    os.close(ready)
    os.close(told)


def test_what_could_not_be_written_down_while_the_database_was_locked_is_written_later(world: World) -> None:
    busy(world)
    impatient = world.another(timeout=0.05)
    holding, said = ExitStack(), list[str]()
    asked: list[str] = []

    def verdict(message: Message) -> None:
        """Somebody takes the database when the first event goes out, and keeps it."""
        asked.append(message.id)
        if len(asked) == 1:
            holding.enter_context(WriterHeld(world.path))

    def heard(sentence: str) -> None:
        """Whoever had it lets go when the relay cannot go on without it."""
        said.append(sentence)
        holding.close()

    sink = MemorySink(verdict)
    done = Relay(impatient, sink, batch=5, pauses=NO_PAUSE, said=heard).run()
    assert done.published == len(sink.kept) == len(world.rows("SELECT 1 FROM event"))
    assert said == [f"{world.path} is locked by another writer; trying again", "the database is there again"]
    assert relay(world.engine, sink).waiting() == 0


class WriterHeld:
    """Another process's hold on the writer lock."""

    def __init__(self, database: Path) -> None:
        self._path = f"{database}-lock"
        self._descriptor = -1

    def __enter__(self) -> None:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *exc: object) -> None:
        os.close(self._descriptor)
