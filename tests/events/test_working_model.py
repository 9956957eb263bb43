"""Deliveries against a plain model: hypothesis looks for a history after which one is lost, doubled or out of order."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import doers
import pytest
from doers import alone, heard, plan
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from worlds import World

from orderstate.events.outcomes import Later, Never
from orderstate.events.verdicts import SCHEDULE, SECOND
from orderstate.events.working import Worker
from orderstate.store import deliveries

KINDS = {"local": "local", "other": "local", "outside": "outside", "distant": "outside"}
TYPES = ("OrderPlaced", "InventoryTied", "InventoryUntied", "OrderCancelled")
ORDERS = ("1001", "1002", "1003")

FAULTS: dict[str, BaseException | Callable[[], object]] = {
    "fail": OSError("no"),
    "later": Later("busy", after=45),
    "never": Never("unreadable"),
    "kill": KeyboardInterrupt(),
    "done": lambda: None,
}

subscribers = st.sampled_from(list(KINDS))
orders = st.sampled_from(ORDERS)
faults = st.lists(st.sampled_from(["fail", *FAULTS]), min_size=1, max_size=10)


@dataclass
class Way:
    """One event's way to one subscriber, as it should be."""

    event: str
    due: int
    attempts: int = 0
    state: str = "waiting"
    faults: list[str] = field(default_factory=list)


class Deliveries(RuleBasedStateMachine):
    """Several subscribers, several orders, and everything that can happen to a delivery."""

    template: Path

    @initialize()
    def begin(self) -> None:
        doers.forget()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(shutil.copyfile(self.template, Path(self.folder.name) / "orders.db"))
        self.world = World(path)
        alone(self.world, *KINDS.items())
        self.world.clock.step = 0
        with self.world.engine.unit() as unit:
            for found in deliveries.subscribers(unit.tx):
                deliveries.declare(unit.tx, type(found)(found.name, found.kind, found.target, TYPES))
        self.ways: dict[str, dict[str, list[Way]]] = {name: {order: [] for order in ORDERS} for name in KINDS}
        self.done: dict[str, dict[str, list[str]]] = {name: {order: [] for order in ORDERS} for name in KINDS}
        for order in ORDERS:
            self.world.order(MUG=1)
            self._happened(f"{order}:1")
        self.worker = Worker(self.world.engine, batch=3)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.check()
            self.world.close()
            self.folder.cleanup()

    def _happened(self, event: str) -> None:
        for name in KINDS:
            self.ways[name][event.partition(":")[0]].append(Way(event, self.world.clock.now))

    @rule(order=orders)
    def move(self, order: str) -> None:
        """One more event of an order."""
        engine = self.world.engine
        step = engine.tie if engine.order(order).state == "pending" else engine.untie
        if engine.order(order).version < 12:
            self._happened(step(order).events[0])

    @rule(name=subscribers, order=orders, what=faults)
    def expect_trouble(self, name: str, order: str, what: list[str]) -> None:
        """The next calls for the newest event of an order end so."""
        way = self.ways[name][order][-1]
        if way.state == "waiting":
            way.faults = list(what)
            plan(name, way.event, *[FAULTS[fault] for fault in what])

    @rule(seconds=st.sampled_from([0.5, 1, 5, 45, 300, 1000]))
    def pass_time(self, seconds: float) -> None:
        self.world.clock.now += round(seconds * SECOND)

    @rule()
    def work(self) -> None:
        """A worker that is interrupted is started again."""
        while True:
            try:
                self.worker.drain()
                break
            except KeyboardInterrupt:
                self._undone()
        for name in KINDS:
            for order in ORDERS:
                self._work(name, order)

    def _undone(self) -> None:
        """Local calls of the transaction that was interrupted never happened: what was planned for them is to come."""
        attempts = {(name, event): number for name, event, number in self._attempts()}
        for name in ("local", "other"):
            for way in [way for ways in self.ways[name].values() for way in ways if way.faults]:
                left = doers.PLAN[name, way.event]
                if attempts[name, way.event] == way.attempts:
                    called = way.faults[: len(way.faults) - len(left)]
                    left[:0] = [FAULTS[fault] for fault in called if fault != "kill"]

    def _attempts(self) -> list[tuple[str, str, int]]:
        return self.world.rows(
            "SELECT subscriber, e.subject || ':' || e.number, attempts FROM delivery JOIN event e ON e.id = event"
        )

    def _work(self, name: str, order: str) -> None:
        now = self.world.clock.now
        for way in self.ways[name][order]:
            if way.state == "delivered":
                continue
            if way.state == "parked" or way.due > now:
                return
            while way.faults and way.faults[0] == "kill":
                way.faults.pop(0)
            fault = way.faults.pop(0) if way.faults else "done"
            way.attempts += 1
            if fault == "done":
                way.state = "delivered"
                self.done[name][order].append(way.event)
            elif fault == "never" or way.attempts > len(SCHEDULE):
                way.state = "parked"
                return
            else:
                way.due = now + max(SCHEDULE[way.attempts - 1], 45 if fault == "later" else 0) * SECOND
                return

    def _parked(self) -> list[tuple[str, Way]]:
        return [(n, w) for n in KINDS for ways in self.ways[n].values() for w in ways if w.state == "parked"]

    @precondition(lambda self: self._parked())
    @rule(which=st.integers(0, 99), skip=st.booleans())
    def mend(self, which: int, skip: bool) -> None:
        """Somebody looks at what is parked."""
        parked = self._parked()
        name, way = parked[which % len(parked)]
        order, _, number = way.event.partition(":")
        with self.world.engine.unit() as unit:
            key, _ = deliveries.event_at(unit.tx, order, int(number))  # type: ignore[misc]  # it is there
            if skip:
                assert deliveries.skip(unit.tx, name, key, unit.now, "skipped")
                way.state = "delivered"
            else:
                assert deliveries.again(unit.tx, name, key, unit.now)
                way.state, way.attempts, way.due = "waiting", 0, unit.now

    @invariant()
    def every_row_is_as_it_should_be(self) -> None:
        if not hasattr(self, "world"):
            return
        found = {
            (name, f"{subject}:{number}"): (attempts, "delivered" if done else "parked" if parked else "waiting")
            for name, subject, number, attempts, done, parked in self.world.rows(
                "SELECT subscriber, e.subject, e.number, attempts, delivered, d.parked "
                "FROM delivery d JOIN event e ON e.id = event WHERE claim IS NULL"
            )
        }
        expected = {
            (name, way.event): (way.attempts, way.state)
            for name in KINDS
            for ways in self.ways[name].values()
            for way in ways
        }
        assert found == expected

    @invariant()
    def every_local_effect_is_there_once_and_in_order(self) -> None:
        if not hasattr(self, "world"):
            return
        for name in ("local", "other"):
            for order in ORDERS:
                there = [id for id in doers.effects(self.world, name.upper()) if id.startswith(order)]
                assert there == self.done[name][order]

    @invariant()
    def every_outside_one_is_called_in_order(self) -> None:
        if not hasattr(self, "world"):
            return
        for name in ("outside", "distant"):
            for order in ORDERS:
                called = [id for id in heard(name) if id.startswith(order)]
                assert set(self.done[name][order]) <= set(called)
                first = list(dict.fromkeys(called))
                assert first == sorted(first, key=lambda id: int(id.partition(":")[2]))

    @invariant()
    def the_next_attempt_is_when_it_should_be(self) -> None:
        if not hasattr(self, "world"):
            return
        heads = []
        for name in KINDS:
            for ways in self.ways[name].values():
                head = next((way for way in ways if way.state != "delivered"), None)
                if head is not None and head.state == "waiting":
                    heads.append(head.due)
        assert self.worker.next_due() == min(heads, default=None)


def _walk(template: Path, examples: int, steps: int) -> None:
    Deliveries.template = template
    run_state_machine_as_test(
        Deliveries,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_deliveries_agree_with_a_plain_model(template: Path) -> None:
    _walk(template, 25, 30)


@pytest.mark.heavy
def test_deliveries_agree_with_a_plain_model_for_long(template: Path) -> None:
    _walk(template, 400, 60)
