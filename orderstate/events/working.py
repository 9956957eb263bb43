"""The work loop: brings events to their subscribers, in order per order, and says what became of each.

A local subscriber works inside the transaction that marks its delivery, many deliveries to one commit. An outside one
is called with no transaction open: a worker first claims what it will call, so that no other worker calls it meanwhile,
and writes down what came of it afterwards; should it die in between, the claim runs out and the event is told again.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from orderstate.engine import Engine
from orderstate.engine.unit import Unit
from orderstate.events.recorder import Recorder
from orderstate.events.registry import Handler, demand_done, handler
from orderstate.events.verdicts import (
    DIED,
    DOWN,
    LATER,
    OVERTAKEN,
    SECOND,
    Listener,
    Told,
    Verdict,
    arrived,
    as_told,
    ends_work,
    failed,
    judged,
    left_alone,
    mark,
    meanwhile,
)
from orderstate.model import Event, Subscriber
from orderstate.store import deliveries
from orderstate.store.deliveries import Delivery

TURN = 1.0
"""Seconds after which a batch ends: outside ones, to write down what came of it; local ones, as nobody else can write
meanwhile. Whatever is being worked on then is finished."""

LONG, REST = 0.02, 0.05
"""A transaction longer than LONG seconds is followed by a rest of a tenth of its length, REST seconds at most: the lock
goes to whoever asks first, and who waited for it meanwhile must wake up before it can ask."""

KINDS = ("local", "outside")
"""Whom a worker can serve. A relay has a program of its own."""

Attempts = list[tuple[Delivery, Verdict, float]]


class Worker:
    """Delivers for some subscribers of one database, in one thread.

    `kinds`: only subscribers of these; `batch`: deliveries to one transaction at most. `stop` is asked between two
    deliveries. `told` hears of every attempt, after it is written down. `interruptible`: a KeyboardInterrupt in the
    main thread is a Ctrl-C, and ends the work; False where the caller handles SIGINT, so that only a subscriber can
    raise one.
    """

    def __init__(
        self,
        engine: Engine,
        subscribers: Collection[str] | None = None,
        *,
        kinds: Collection[str] = KINDS,
        batch: int = 100,
        told: Listener = lambda _: None,
        stop: Callable[[], bool] = lambda: False,
        interruptible: bool = True,
    ) -> None:
        self._engine = engine
        self._only = None if subscribers is None else frozenset(subscribers)
        self._kinds = frozenset(kinds) & frozenset(KINDS)
        self._batch = batch
        self._told = told
        self._stop = stop
        self._interruptible = interruptible
        self._down: dict[str, int] = {}
        """Until when (UTC us) a subscriber is left alone, because its far side is down."""

    def subscribers(self) -> list[Subscriber]:
        """Whom this worker delivers to: those who are switched on, and are no relay."""
        return [
            s
            for s in self._engine.subscribers()
            if s.enabled and s.kind in self._kinds and (self._only is None or s.name in self._only)
        ]

    def drain(self) -> int:
        """Deliver until nothing is due, and what comes of it is delivered, too; how many attempts were made."""
        attempts = 0
        while not self._stop():
            made = sum(self.turn(subscriber) for subscriber in self.subscribers())
            attempts += made
            if not made:
                break
        return attempts

    def turn(self, subscriber: Subscriber) -> int:
        """One batch for one subscriber; how many attempts were made. Raises what concerns the whole database."""
        now = self._engine.clock()
        if self._stop() or self._down.get(subscriber.name, 0) > now:
            return 0
        with self._engine.store.read() as tx:  # most of the time there is nothing, and nobody needs to wait for us
            if not deliveries.eligible(tx, subscriber.name, now, 1):
                return 0
        try:
            loaded = handler(subscriber.target, subscriber.kind)
        except BaseException as error:  # noqa: BLE001 - it says which it raises again
            return self._tell_of(self._unusable(subscriber, error))
        if subscriber.kind != "local":
            return self._outside(subscriber, loaded)
        began = time.monotonic()
        made = self._inside(subscriber, loaded)
        took = time.monotonic() - began
        if took > LONG:
            time.sleep(min(REST, took / 10))
        return self._tell_of(made)

    def next_due(self) -> int | None:
        """When something may be delivered next (UTC us); None where nothing is on its way."""
        serving = [subscriber.name for subscriber in self.subscribers()]
        with self._engine.store.read() as tx:
            found = {name: deliveries.next_due(tx, name) for name in serving}
        return min((max(due, self._down.get(name, 0)) for name, due in found.items() if due is not None), default=None)

    def _leave_alone(self, subscriber: Subscriber, verdict: Verdict) -> None:
        if verdict.down:
            self._down[subscriber.name] = self._engine.clock() + round(verdict.after * SECOND)

    def _tell_of(self, made: list[Told]) -> int:
        for told in made:
            if self._engine.observer is not None:
                self._engine.observer.attempted(told.subscriber, told.outcome)
            self._told(told)
        return len(made)

    def _judged(self, delivery: Delivery, error: BaseException) -> Verdict:
        self._demand_goes_on(error)
        return judged(delivery, error)

    def _demand_goes_on(self, error: BaseException) -> None:
        """Raise again what is more than one subscriber's trouble."""
        if ends_work(error, self._engine.store.path, interruptible=self._interruptible):
            raise error

    def _watched(self, delivery: Delivery, attempt: Callable[[], Verdict]) -> Verdict:
        observer = self._engine.observer
        return attempt() if observer is None else observer.delivery(delivery, attempt)

    # Local: inside the transaction

    def _inside(self, subscriber: Subscriber, loaded: Handler) -> list[Told]:
        made: list[Told] = []
        began = time.monotonic()
        with self._engine.unit() as unit, Recorder(self._engine.store.path) as recorder:
            now = unit.now
            made.extend(_found_dead(unit, recorder, now))
            for delivery in deliveries.eligible(unit.tx, subscriber.name, now, self._batch):
                if self._stop() or time.monotonic() - began > TURN:
                    break
                at = time.perf_counter()
                verdict = self._watched(delivery, partial(self._worked, unit, delivery, loaded, recorder))
                # A mark from the time when this subscriber was an outside one is as good as none.
                mark(unit, delivery, verdict, now, delivery.claim)
                made.append(as_told(delivery, verdict, time.perf_counter() - at))
                self._leave_alone(subscriber, verdict)
                if verdict.down:
                    break  # the others would only hear the same
        return made

    def _worked(self, unit: Unit, delivery: Delivery, loaded: Handler, recorder: Recorder) -> Verdict:
        recorder.note(delivery.subscriber, delivery.key)
        try:
            with unit.tx.savepoint():
                demand_done(loaded.call(delivery.event, unit))
        except BaseException as error:  # noqa: BLE001 - it says which it raises again
            return self._judged(delivery, error)
        finally:
            recorder.clear()
        return arrived(delivery)

    # Outside: with no transaction open

    def _outside(self, subscriber: Subscriber, loaded: Handler) -> int:
        with ExitStack() as stack:
            try:
                call = stack.enter_context(loaded.open(self._engine))
            except BaseException as error:  # noqa: BLE001 - it says which it raises again; no delivery is to blame
                return self._tell_of(self._unusable(subscriber, error))
            closing = stack.pop_all()
        try:
            return self._call(subscriber, loaded, call)
        finally:
            try:
                closing.close()
            except BaseException as error:  # noqa: BLE001 - what came of the calls is written down; the rest ends with us
                self._demand_goes_on(error)

    def _call(self, subscriber: Subscriber, loaded: Handler, call: Callable[[Event], object]) -> int:
        token = secrets.token_hex(8)
        claimed, dead = self._claim(subscriber, loaded, token)
        made: list[Told] = []
        attempts: Attempts = []
        overtaken: dict[int, str] = {}
        began = time.monotonic()
        try:
            before = self._tell_of(dead)  # now, as the same event may end this process, too
            for delivery in claimed:
                if self._stop() or time.monotonic() - began > TURN:
                    break
                at = time.perf_counter()
                verdict = self._watched(delivery, partial(self._called, call, delivery))
                attempts.append((delivery, verdict, time.perf_counter() - at))
                self._leave_alone(subscriber, verdict)
                if verdict.down:
                    break  # the others would only hear the same
        finally:
            if claimed:
                overtaken = self._write(attempts, claimed, token, loaded.lease)
        for delivery, verdict, took in attempts:
            if delivery.key in overtaken:
                verdict = replace(verdict, outcome=OVERTAKEN, reason=overtaken[delivery.key])
            made.append(as_told(delivery, verdict, took))
        return before + self._tell_of(made)

    def _called(self, call: Callable[[Event], object], delivery: Delivery) -> Verdict:
        try:
            demand_done(call(delivery.event))
        except BaseException as error:  # noqa: BLE001 - it says which it raises again
            return self._judged(delivery, error)
        return arrived(delivery)

    def _claim(self, subscriber: Subscriber, loaded: Handler, token: str) -> tuple[list[Delivery], list[Told]]:
        """What is to be called now, marked as ours; and the attempt that nobody ever came back from."""
        with self._engine.unit() as unit:
            until = unit.now + round((loaded.lease + 2 * TURN) * SECOND)
            found = deliveries.eligible(unit.tx, subscriber.name, unit.now, self._batch)
            if found and found[0].claim is not None:
                return _claim_again(unit, found[0], token, until)
            claimed = []
            for delivery in found:
                if delivery.claim is not None:
                    break
                deliveries.claim(unit.tx, delivery, token, until)
                claimed.append(delivery)
            return claimed, []

    def _write(self, attempts: Attempts, claimed: list[Delivery], token: str, lease: int) -> dict[int, str]:
        """Write down what came of the calls and give back what was not called; the keys that were lost, and why."""
        called = {delivery.key for delivery, _, _ in attempts}
        with self._engine.unit() as unit:
            for delivery in claimed:
                if delivery.key not in called:
                    deliveries.release(unit.tx, delivery, token)
            lost = [d for d, verdict, _ in attempts if not mark(unit, d, verdict, unit.now, token)]
            return {d.key: meanwhile(unit, d, lease) for d in lost}

    def _unusable(self, subscriber: Subscriber, error: BaseException) -> list[Told]:
        """It cannot be loaded or opened: what is on its way to it waits, and the first says why."""
        self._demand_goes_on(error)
        self._down[subscriber.name] = self._engine.clock() + DOWN * SECOND
        with self._engine.unit() as unit:
            for delivery in deliveries.eligible(unit.tx, subscriber.name, unit.now, 1):
                verdict = left_alone(delivery, error)
                mark(unit, delivery, verdict, unit.now, delivery.claim)
                self._leave_alone(subscriber, verdict)
                return [as_told(delivery, verdict)]
        return []


def _found_dead(unit: Unit, recorder: Recorder, now: int) -> list[Told]:
    """Count the attempt over which somebody died, so that such an event is put off and parked like others that fail."""
    note = recorder.left()
    if note is None:
        return []
    recorder.clear()
    delivery = deliveries.of(unit.tx, *note)
    if delivery is None or delivery.delivered is not None or delivery.parked is not None:
        return []
    verdict = failed(delivery, DIED)
    mark(unit, delivery, verdict, now, delivery.claim)
    return [as_told(delivery, verdict)]


def _claim_again(unit: Unit, delivery: Delivery, token: str, until: int) -> tuple[list[Delivery], list[Told]]:
    """Claim one that somebody called and never came back from: that attempt counts, and it is called alone now.

    Alone, as it may be the one that ends the process, and what was called before it would not be written down.
    """
    verdict = failed(delivery, f"{DIED}, or took longer than its lease")
    if verdict.outcome == LATER:  # it waited for its lease to run out, and that is enough
        verdict = replace(verdict, after=0.0)
    mark(unit, delivery, verdict, unit.now, delivery.claim)
    told = [as_told(delivery, verdict)]
    if verdict.outcome != LATER:
        return [], told
    deliveries.claim(unit.tx, delivery, token, until, verdict.attempts)
    return [replace(delivery, attempts=verdict.attempts, error=verdict.reason)], told
