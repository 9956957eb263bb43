"""Outside subscribers: claims and their leases, no transaction during a call, what is opened and closed."""

from __future__ import annotations

from typing import Any

import doers
import pytest
from doers import alone, effects, heard, pass_time, plan, rows, worker
from worlds import World

from orderstate.events.outcomes import Later
from orderstate.events.registry import handler
from orderstate.events.replaying import skip
from orderstate.events.subscribing import remove
from orderstate.events.verdicts import SECOND, Told
from orderstate.events.working import Worker
from orderstate.model import Subscriber
from orderstate.store import deliveries

pytest_plugins = ["working_fixtures"]
pytestmark = pytest.mark.usefixtures("nothing_planned")


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
