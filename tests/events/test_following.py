"""`work` and `work --follow` as processes: woken at once, held up by nobody, stopped cleanly."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import doers
import pytest
from doers import alone, effects, rows, subscribe
from programs import Program, until_true
from worlds import HOUR, World

from orderstate.engine.reader import microseconds
from orderstate.errors import Damaged
from orderstate.events.following import Duty, clear, follow
from orderstate.events.timing import Fired, Timers
from orderstate.events.verdicts import SECOND, Told
from orderstate.events.waking import Bell
from orderstate.flow import read

PATIENT = read(
    """
extends: standard
states: {inventory_tied: {stock: tied, after: 2h, trigger: untie}}
""",
    "patient",
)
RETRYING = read(
    """
extends: standard
states: {backordered: {stock: free, after: 1h, trigger: tie_inventory}}
""",
    "retrying",
)

LOG = ("work", "--follow", "--log", "json")


@pytest.fixture
def now(world: World) -> World:
    """A world whose clock is the system's, as the programs' is."""
    world.engine.clock = microseconds
    return world


def test_a_follower_is_woken_by_each_commit_of_another_process(now: World) -> None:
    alone(now, ("local", "local"), ("write_down", "outside"))
    now.order(MUG=1)
    with Program(now.path, *LOG) as follower:
        for number in range(1, 4):
            order = f"100{number}"
            heard = {(d["subscriber"], d["event"]) for d in (follower.document(), follower.document())}
            assert heard == {("local", f"{order}:1"), ("write_down", f"{order}:1")}
            now.order(MUG=1)
        follower.until(subscriber="local", event="1004:1")
        follower.signal(signal.SIGTERM)
        assert follower.ended() == 0
        out, _ = follower.rest()
    assert out.splitlines()[0] == "subscriber\tdelivered\tlater\tparked"
    assert "local\t4\t0\t0" in out.splitlines()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_lets_it_finish_what_is_in_hand_and_write_that_down(
    now: World, number: signal.Signals, status: int
) -> None:
    alone(now, ("waiting", "outside"))
    now.order(MUG=1)
    now.order(MUG=1)
    with Program(now.path, *LOG) as follower:
        _until_told(now)
        follower.signal(number)
        until_true(lambda: not follower.catches(number))
        assert follower.process.poll() is None, "it is still busy"
        Path(f"{now.path}.go").touch()
        assert follower.ended() == status
    assert rows(now, "waiting") == {"1001:1": (1, True, False, None), "1002:1": (0, False, False, None)}
    assert now.rows("SELECT count(*) FROM delivery WHERE claim IS NOT NULL") == [(0,)]


def test_a_second_signal_ends_it_at_once_and_the_event_is_told_again(now: World) -> None:
    alone(now, ("waiting", "outside"))
    now.order(MUG=1)
    with Program(now.path, *LOG) as follower:
        _until_told(now)
        follower.signal(signal.SIGTERM)
        until_true(lambda: not follower.catches(signal.SIGTERM))
        follower.signal(signal.SIGTERM)
        assert follower.ended() == -signal.SIGTERM
    assert rows(now, "waiting") == {"1001:1": (0, False, False, None)}
    ((due,),) = now.rows("SELECT due FROM delivery WHERE claim IS NOT NULL")
    Path(f"{now.path}.go").touch()
    bell = Bell()
    now.engine.clock = lambda: due
    clear(now.engine, Duty(), bell)
    bell.close()
    assert rows(now, "waiting")["1001:1"][:2] == (2, True)


def _until_told(world: World) -> None:
    told = Path(f"{world.path}.told")
    until_true(lambda: told.exists() and told.read_text(encoding="utf-8").endswith("\n"))


def test_a_slow_outside_subscriber_holds_up_nobody_and_no_database(now: World) -> None:
    alone(now, ("local", "local"), ("waiting", "outside"), ("write_down", "outside"))
    now.order(MUG=1)
    with Program(now.path, *LOG) as follower:
        seen = {(d["subscriber"], d["event"]) for d in (follower.document(), follower.document())}
        assert seen == {("local", "1001:1"), ("write_down", "1001:1")}
        now.order(MUG=1)
        seen = {(d["subscriber"], d["event"]) for d in (follower.document(), follower.document())}
        assert seen == {("local", "1002:1"), ("write_down", "1002:1")}
        assert rows(now, "waiting")["1001:1"][:2] == (0, False)
        Path(f"{now.path}.go").touch()
        follower.until(subscriber="waiting", event="1002:1", outcome="delivered")
        follower.signal(signal.SIGTERM)
        assert follower.ended() == 0


def test_a_subscriber_that_is_added_meanwhile_is_served(now: World) -> None:
    alone(now, ("local", "local"))
    now.order(MUG=1)
    with Program(now.path, *LOG) as follower:
        follower.until(event="1001:1")
        subscribe(now.engine, "write_down", "outside")
        now.order(MUG=1)
        follower.until(subscriber="write_down", event="1002:1")
        follower.signal(signal.SIGTERM)
        assert follower.ended() == 0


def test_a_failed_delivery_is_tried_again_when_it_is_due(now: World) -> None:
    alone(now, ("failing", "outside"))
    now.order(MUG=1)
    with Program(now.path, *LOG) as follower:
        assert [follower.document()["attempt"] for _ in range(2)] == [1, 2]
        follower.signal(signal.SIGINT)
        assert follower.ended() == 130


def test_work_ends_when_nothing_is_due_and_says_what_is_later(now: World) -> None:
    alone(now, ("local", "local"), ("failing", "outside"), ("refusing", "outside"))
    now.order(MUG=1)
    with Program(now.path, "work", "--json") as program:
        assert program.ended() == 0
        out, err = program.rest()
    document = json.loads(out)
    assert document["subscribers"] == [
        {"subscriber": "failing", "delivered": 0, "later": 1, "parked": 0},
        {"subscriber": "local", "delivered": 1, "later": 0, "parked": 0},
        {"subscriber": "refusing", "delivered": 0, "later": 0, "parked": 1},
    ]
    assert document["next"]["delivery"].endswith("Z")
    assert (document["next"]["timer"], document["stopped"], err) == (None, None, "")


def test_workers_in_processes_share_what_is_there(now: World) -> None:
    alone(now, ("count", "local"), ("in_and_out", "outside"))
    for _ in range(30):
        now.order(MUG=1)
    with Program(now.path, "work", "--json", "--batch", "3") as one, Program(now.path, "work", "--json") as two:
        assert (one.ended(), two.ended()) == (0, 0)
        totals = [json.loads(p.rest()[0])["subscribers"] for p in (one, two)]
    made = {name: sum(s["delivered"] for t in totals for s in t if s["subscriber"] == name) for name in ("count",)}
    assert made == {"count": 30}
    assert len(effects(now)) == len(set(effects(now))) == 30


# In this process


def test_a_duty_is_cleared_timers_first_and_what_comes_of_it_too(world: World) -> None:
    alone(world, ("local", "local"))
    subscribe(world.engine, "local", "local", ["InventoryUntied"])
    world.engine.use_flow(PATIENT)
    order = world.tied(MUG=1)
    world.clock.now += 3 * HOUR
    fired: list[Fired] = []
    told: list[Told] = []
    bell = Bell()
    due = clear(world.engine, Duty(told=told.append, fired=fired.append), bell)
    assert [(f.order, f.trigger, f.state, f.refused) for f in fired] == [(order, "untie", "pending", None)]
    assert [t.event for t in told] == [f"{order}:3"]
    assert due == (None, None)
    world.tied(MUG=1)
    assert clear(world.engine, Duty(subscribers=(), timers=True), bell)[1] is not None
    assert clear(world.engine, Duty(timers=False), bell) == (None, None)
    bell.close()


def test_a_refused_timer_is_tried_more_and_more_seldom(world: World) -> None:
    world.clock.step = 0
    world.engine.use_flow(RETRYING)
    world.facility("DEN", "39.74,-104.99", MUG=1)
    order, other = world.order(MUG=5), world.order(MUG=7)
    for each in (order, other):
        assert world.engine.tie(each).state == "backordered"
    world.clock.now += HOUR
    fired: list[Fired] = []
    timers = Timers(world.engine, told=fired.append)
    for seconds in (60, 120, 240, 480, 960, 1920, 3600, 3600):
        assert timers.fire() == 0
        assert {f.order for f in fired} == {order, other}
        assert all(f.refused for f in fired)
        fired.clear()
        assert timers.next_due() == world.clock.now + 5 * SECOND
        assert timers.fire() == 0
        world.clock.now += seconds * SECOND - 1
        assert timers.fire() == 0
        assert fired == [], "it is told when it is tried"
        world.clock.now += 1
    assert sum(world.refusals(order).values()) == 8
    world.engine.receive("DEN", "MUG", 4)
    assert timers.fire() == 1
    assert (order, "inventory_tied") in {(f.order, f.state) for f in fired}


def test_a_timer_that_is_next_is_known(world: World) -> None:
    world.clock.step = 0
    world.engine.use_flow(PATIENT)
    world.facility("DEN", "39.74,-104.99", MUG=5)
    timers = Timers(world.engine, stop=lambda: False)
    assert timers.next_due() is None
    world.tied(MUG=1)
    assert timers.next_due() == world.clock.now + 2 * HOUR
    stopped = Timers(world.engine, stop=lambda: True)
    world.clock.now += 2 * HOUR
    assert (stopped.fire(), timers.fire()) == (0, 1)


def test_what_ends_one_thread_ends_all_and_is_raised(world: World) -> None:
    alone(world, ("outside", "outside"), ("distant", "outside"))
    doers.forget()
    world.order(MUG=1)
    cut = Damaged("cut")
    cut.about = str(world.path)
    doers.plan("outside", "1001:1", cut)
    bell = Bell()
    with pytest.raises(Damaged, match="cut"):
        follow(world.engine, Duty(), bell, lambda: type(world.engine).open(world.path))
    assert bell.rung
    bell.close()
    doers.forget()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells which signals a process handles")
def test_this_system_tells_which_signals_are_handled(now: World) -> None:
    alone(now, ("local", "local"))
    now.order(MUG=1)
    with Program(now.path, *LOG) as follower:
        follower.document()
        assert follower.catches(signal.SIGTERM)
