"""The relay: publishes every event of a database to one broker, order per order, at least once and with the same id.

Events are read in the order in which the database wrote them and published in waves: of each order at most one event to
a wave, all of a wave in flight together, and the next wave only when the broker has confirmed this one. While a wave is
in flight, what became of the one before is written down and more is read. A relay that is killed repeats at most the
two waves that were not yet written down, in the same order and with the same ids.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic, sleep, time_ns

from orderstate.engine import Engine
from orderstate.errors import Conflict, InvalidInput, Locked, Refused
from orderstate.events.brokers.message import NOTHING, Failure, Message, Sink
from orderstate.events.outcomes import Later, Never
from orderstate.events.own_files import refuse_own
from orderstate.events.sole import Sole
from orderstate.events.verdicts import (
    DELIVERED,
    LATER,
    PARKED,
    SECOND,
    Listener,
    Told,
    Verdict,
    arrived,
    as_told,
    failed,
    mark,
)
from orderstate.events.waking import Alarm
from orderstate.events.window import Item, Window
from orderstate.events.wire import encode, source
from orderstate.model import Subscriber
from orderstate.store import deliveries, network
from orderstate.store.deliveries import Delivery

BATCH = 500
"""Events of a wave."""

PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds between two attempts to reach a broker that is down; the last one again and again."""

PATIENCE = 30.0
"""Seconds after which a relay that does not follow gives up on a broker that is down."""

CHUNK = 10_000
"""Events of the past that are put on their way in one transaction."""

STDOUT = "-"
"""The name of the sink that is standard output."""

_STANDARD_OUTPUT = 1

_DEEP = 8
"""Times the batch that is read ahead at most, where few orders have many events."""

_LOOK = 1.0
"""Seconds after which a busy relay looks for what is to be sent again."""

_DATABASE = "the database"

_SLICE = 0.1
"""Seconds after which a pause asks whether to stop."""


@dataclass(slots=True)
class Relayed:
    """What a relay did: confirmed by the broker, parked, put off. Grows while it runs."""

    published: int = 0
    parked: int = 0
    later: int = 0


class Relay:
    """Publishes the events of one database to one sink, in one thread of its own and the one that calls.

    `past`: where this sink is new, begin with the first event of the database, else with the next one. `told` hears of
    every event that could not be delivered, after that is written down, and with `each` of those that were, too; `said`
    of the broker going away and coming back; `progress` of how many were published so far. `stop` is asked between two
    waves. `give_up` in seconds: how long a broker may be down; None: for ever.

    Raises InvalidInput where the sink is a file of the database itself.
    """

    def __init__(
        self,
        engine: Engine,
        sink: Sink,
        *,
        batch: int = BATCH,
        past: bool = True,
        told: Listener = lambda _: None,
        each: bool = False,
        said: Callable[[str], None] = lambda _: None,
        progress: Callable[[int], None] = lambda _: None,
        stop: Callable[[], bool] = lambda: False,
        pauses: Sequence[float] = PAUSES,
        give_up: float | None = PATIENCE,
    ) -> None:
        if batch < 1:
            raise InvalidInput("batch", batch, "a whole number from 1")
        refuse_own(engine.store.path, "to", sink.name, _STANDARD_OUTPUT)
        self.name = sink.name
        self.done = Relayed()
        self._engine = engine
        self._sink = sink
        self._batch = batch
        self._past = past
        self._told = told
        self._each = each
        self._said = said
        self._progress = progress
        self._stop = stop
        self._pauses = pauses
        self._give_up = give_up
        self._origin = source(engine.id)
        self._window = Window()
        self._cursor = 0
        """The newest event that was read."""
        self._held: set[str] = set()
        """Subjects that something older stands in the way of; what is theirs is found by asking for what is due."""
        self._looked = 0.0
        self._settled: list[tuple[Item, Failure | None, float]] = []
        self._tries = 0
        self._down_since: float | None = None
        self._what_is_down = self.name

    def run(self, alarm: Alarm | None = None) -> Relayed:
        """Publish what is on its way; with an alarm go on with what comes, until told to stop.

        Raises Conflict where another relay to this sink runs (`relay_running`) or the broker stays down
        (`broker_down`), Refused where a person must mend something (`broker_refused`, `switched_off`), NotInstalled.
        """
        with Sole(self._engine.store.path, self.name):
            try:
                with ThreadPoolExecutor(1, "orderstate-relay") as publisher:
                    # A sink that was never reached may be a slip of the pen: nothing is put on its way there.
                    if self._opened():
                        self._declare()
                        self._publish(publisher, alarm)
            finally:
                self._sink.close()
                self._write()
        if self._settled:
            raise Locked("what was published could not be written down, so it will be published again")
        return self.done

    def waiting(self) -> int:
        """How many events are still on their way."""
        with self._engine.store.read() as tx:
            return deliveries.backlog(tx, self.name)[0]

    def _declare(self) -> None:
        """Make the sink known as a subscriber, and put the past on its way in chunks, so that nobody waits for long."""
        filling = f"relay.past.{self.name}"
        with self._engine.unit() as unit:
            known = next((s for s in deliveries.subscribers(unit.tx) if s.name == self.name), None)
            if known is None:
                deliveries.declare(unit.tx, Subscriber(self.name, "relay", self.name))
                network.configure(unit.tx, filling, "0" if self._past else None)
            elif not known.enabled:
                raise Refused(
                    f"{self.name} is switched off: events pass it by",
                    code="switched_off",
                    hint=f"orderstate subscribers on {shlex.quote(self.name)}",
                )
        while not self._stop():
            with self._engine.unit() as unit:
                after = network.setting(unit.tx, filling)
                if after is None:
                    return
                newest = deliveries.last(unit.tx)
                upto = min(int(after) + CHUNK, newest)
                deliveries.fill(unit.tx, self.name, int(after), upto)
                network.configure(unit.tx, filling, None if upto == newest else str(upto))

    def _opened(self) -> bool:
        """Open the sink, however long that takes; False when it is time to stop."""
        while not self._stop():
            try:
                self._sink.open()
            except Later as error:
                self._pause(error)
            except Never as error:
                raise Refused(
                    error.reason, code="broker_refused", hint="nothing was parked; mend it, and try again"
                ) from error
            else:
                self._up()
                return True
        return False

    def _publish(self, publisher: ThreadPoolExecutor, alarm: Alarm | None) -> None:
        while not self._stop():
            wave = self._window.wave(self._batch)
            if not wave:
                if alarm is not None:
                    alarm.arm()
                self._write()
                if self._settled:  # else it would be read, and sent, once more
                    self._pause(Later(f"{self._engine.store.named} is locked by another writer"), _DATABASE, "locked")
                    continue
                self._up()
                due = self._look()
                if not len(self._window):
                    left = None if due is None else (due - self._engine.clock()) / SECOND
                    if alarm is not None:
                        alarm.wait(left)
                    elif left is None or left > 0:
                        return
                continue
            began = time_ns()
            flight = publisher.submit(self._sink.publish, [item.message for item in wave])
            try:
                self._write()
                if monotonic() - self._looked < _LOOK:
                    self._read()
            finally:
                answers = flight.result()
            if self._engine.observer is not None:
                found = [(item.delivery.event, *_in_words(answer)) for item, answer in zip(wave, answers, strict=True)]
                self._engine.observer.published(self.name, began, found)
            self._settle(wave, answers, (time_ns() - began) / 1_000_000_000)

    def _settle(self, wave: Sequence[Item], answers: Sequence[Failure | None], took: float) -> None:
        """Take what the broker said of a wave: what it has not seen stays, and is in the next wave again."""
        down: Later | None = None
        for item, answer in zip(wave, answers, strict=True):
            if isinstance(answer, Later) and not answer.counts:
                down = answer
                continue
            self._settled.append((item, answer, took))
            if answer is None:
                self._window.done(item)
            else:
                self._held.add(item.message.key)
                self._window.drop(item.message.key)
        if down is None:
            self._up()
        else:
            if self._down_since is not None and None in answers:  # it comes back, or it is about to go
                self._tries, self._down_since = 0, monotonic()
            self._pause(down)

    # What is on its way

    def _look(self) -> int | None:
        """Read what is due again and what is new; when the next is due (UTC us), if something waits for its time.

        Only when nothing is read and not yet written down: what was put off, or is to be sent again, is asked for one
        event of a subject at a time, and must not be here twice.
        """
        name, now = self.name, self._engine.clock()
        with self._engine.store.read() as tx:
            for delivery in deliveries.eligible(tx, name, now, self._batch):
                if delivery.key <= self._cursor:
                    self._held.add(delivery.event.subject)
                    self._window.add(self._item(delivery))
            due = None
            if not len(self._window):
                due = deliveries.next_due(tx, name)
                if due is None:  # nothing is on its way but what stands behind something parked
                    self._held = deliveries.held(tx, name)
                elif not self._cursor:
                    self._held |= deliveries.held(tx, name)
        self._read()
        self._looked = monotonic()
        return due

    def _read(self) -> None:
        """Read on until a whole wave is here."""
        while self._window.subjects < self._batch and len(self._window) < _DEEP * self._batch:
            with self._engine.store.read() as tx:
                found = deliveries.oldest(tx, self.name, self._batch, self._cursor)
            now = self._engine.clock()
            for delivery in found:
                subject = delivery.event.subject
                if delivery.attempts and delivery.due > now:
                    self._held.add(subject)
                if subject not in self._held:
                    self._window.add(self._item(delivery))
            if found:
                self._cursor = found[-1].key
            if len(found) < self._batch:
                return

    def _item(self, delivery: Delivery) -> Item:
        event = delivery.event
        body = encode(event, self._origin)
        headers = NOTHING if event.trace is None else {"traceparent": event.trace}
        return Item(delivery, Message(f"{self._origin}/{event.id}", event.subject, event.type, body, headers))

    # What became of it

    def _write(self) -> None:
        """Write down what was settled, in one transaction. A locked database is asked again after the next wave."""
        settled = self._settled
        if not settled:
            return
        told: list[Told] = []
        try:
            with self._engine.unit() as unit:
                for item, answer, took in settled:
                    verdict = _verdict(item.delivery, answer)
                    if mark(unit, item.delivery, verdict, unit.now, None) and (self._each or answer is not None):
                        told.append(as_told(item.delivery, verdict, took))
        except Locked:
            return
        self._settled = []
        self.done.published += sum(answer is None for _, answer, _ in settled)
        self._progress(self.done.published)
        for one in told:
            self.done.parked += one.outcome == PARKED
            self.done.later += one.outcome == LATER
            self._told(one)

    # A broker that is down

    def _pause(self, error: Later, what: str | None = None, code: str = "broker_down") -> None:
        """Leave the broker alone for a while, longer each time. Raises Conflict when it has been down for too long."""
        self._what_is_down = what or self.name
        now = monotonic()
        first = self._down_since is None
        since = self._down_since = now if self._down_since is None else self._down_since
        over = self._give_up is not None and not first and now - since > self._give_up
        if over or self.name == STDOUT:  # whoever read our output and left does not come back
            raise Conflict(error.reason, code=code, hint="what was not confirmed is still on its way: run it again")
        if first:
            self._said(f"{error.reason}; trying again")
        pause = max(self._pauses[min(self._tries, len(self._pauses) - 1)], error.after or 0.0)
        self._tries += 1
        self._write()
        until = now + pause
        while (left := until - monotonic()) > 0 and not self._stop():
            sleep(min(_SLICE, left))

    def _up(self) -> None:
        if self._down_since is not None:
            self._said(f"{self._what_is_down} is there again")
        self._tries, self._down_since = 0, None


def _in_words(answer: Failure | None) -> tuple[str, str | None]:
    """What became of one event of a wave, and why: `down` is the broker as a whole, and nothing is counted then."""
    if answer is None:
        return DELIVERED, None
    down = isinstance(answer, Later) and not answer.counts
    return "down" if down else PARKED if isinstance(answer, Never) else LATER, answer.reason


def _verdict(delivery: Delivery, answer: Failure | None) -> Verdict:
    if answer is None:
        return arrived(delivery)
    if isinstance(answer, Never):
        return Verdict(PARKED, delivery.attempts + 1, answer.reason)
    return failed(delivery, answer.reason, answer.after)
