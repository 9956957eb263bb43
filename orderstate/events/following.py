"""Work until nothing is due, or until told to stop: timers and local subscribers in the caller's thread, and when it
goes on for long each outside subscriber in a thread with an engine of its own, so that a slow one holds up nobody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace

from orderstate.engine import Engine
from orderstate.errors import Conflict, OrderstateError
from orderstate.events.timing import Fired, Timers
from orderstate.events.verdicts import SECOND, Listener
from orderstate.events.waking import Alarm, Bell
from orderstate.events.working import Worker

BUSY = 1.0
"""Seconds until we try again when another program has the database locked."""


@dataclass(frozen=True, slots=True)
class Duty:
    """What is to be done, and who hears of it. The listeners are called from several threads, one at a time.

    `subscribers`: only these, None for all, none of them for timers alone; `timers`: whether timers are fired, too.
    `trouble` hears what keeps a thread from working for a while. `interruptible`: as in Worker.
    """

    subscribers: Collection[str] | None = None
    timers: bool = True
    batch: int = 100
    told: Listener = lambda _: None
    fired: Callable[[Fired], None] = lambda _: None
    trouble: Callable[[OrderstateError], None] = lambda _: None
    interruptible: bool = True


class Desk:
    """One thread's share of a duty."""

    def __init__(self, engine: Engine, duty: Duty, bell: Bell, kinds: Collection[str]) -> None:
        def stop() -> bool:
            return bell.rung

        self._engine = engine
        self._bell = bell
        self._trouble = duty.trouble
        self._worker = Worker(
            engine,
            duty.subscribers,
            kinds=kinds,
            batch=duty.batch,
            told=duty.told,
            stop=stop,
            interruptible=duty.interruptible,
        )
        self._timers = Timers(engine, told=duty.fired, stop=stop) if duty.timers else None

    def clear(self) -> None:
        """Work until nothing is due, what comes of it included."""
        while not self._bell.rung:
            moved = 0 if self._timers is None else self._timers.fire()
            if not self._worker.drain() + moved:
                return

    def next_due(self) -> tuple[int | None, int | None]:
        """When the next delivery and the next timer are due (UTC us), as far as is known."""
        return self._worker.next_due(), None if self._timers is None else self._timers.next_due()

    def follow(self, before: Callable[[], None] = lambda: None) -> None:
        """Work whenever there is something to do, until the bell rings; `before` is called each time."""
        store = self._engine.store
        with Alarm(store.path, store.commits, self._bell) as alarm:
            while not self._bell.rung:
                try:
                    alarm.arm()
                    before()
                    self.clear()
                    due = min((due for due in self.next_due() if due is not None), default=None)
                    pause = None if due is None else (due - self._engine.clock()) / SECOND
                except Conflict as error:  # nothing was changed, and it is safe to try again
                    self._trouble(error)
                    alarm.arm()
                    pause = BUSY
                alarm.wait(pause)


def clear(engine: Engine, duty: Duty, bell: Bell) -> tuple[int | None, int | None]:
    """Work until nothing is due or the bell rings; when the next delivery and the next timer are due (UTC us)."""
    desk = Desk(engine, duty, bell, ("local", "outside"))
    desk.clear()
    return desk.next_due()


def follow(engine: Engine, duty: Duty, bell: Bell, another: Callable[[], Engine]) -> None:
    """Work until the bell rings; `another` opens an engine on the same database for each thread.

    What is in hand then is finished and written down. Raises what concerns the whole database, whoever met it.
    """
    crew = _Crew(duty, bell, another)
    try:
        Desk(engine, crew.duty, bell, ("local",)).follow(before=lambda: crew.hire(engine))
    finally:
        bell.ring()
        crew.part()
    if crew.failed:
        raise crew.failed[0]


class _Crew:
    """The threads of the outside subscribers."""

    def __init__(self, duty: Duty, bell: Bell, another: Callable[[], Engine]) -> None:
        gate = threading.Lock()

        def one_at_a_time(listener: Callable[..., None]) -> Callable[..., None]:
            def call(heard: object) -> None:
                with gate:
                    listener(heard)

            return call

        self.failed: list[BaseException] = []
        self.duty = replace(
            duty,
            told=one_at_a_time(duty.told),
            fired=one_at_a_time(duty.fired),
            trouble=one_at_a_time(duty.trouble),
        )
        self._bell = bell
        self._another = another
        self._threads: dict[str, threading.Thread] = {}

    def hire(self, engine: Engine) -> None:
        """A thread for each outside subscriber that has none yet."""
        for s in engine.subscribers():
            wanted = self.duty.subscribers is None or s.name in self.duty.subscribers
            if s.kind == "outside" and s.enabled and wanted and s.name not in self._threads:
                # A daemon: a second signal ends the process, whatever a subscriber is waiting for.
                thread = threading.Thread(target=self._work, args=(s.name,), name=f"orderstate-{s.name}", daemon=True)
                self._threads[s.name] = thread
                thread.start()

    def part(self) -> None:
        """Wait for each to finish what it has in hand."""
        for thread in self._threads.values():
            thread.join()

    def _work(self, name: str) -> None:
        duty = replace(self.duty, subscribers=(name,), timers=False)
        try:
            engine = self._another()
            try:
                Desk(engine, duty, self._bell, ("outside",)).follow()
            finally:
                with suppress(Conflict):  # closing waits for the writer lock; all is written down already
                    engine.close()
        except BaseException as error:  # noqa: BLE001 - it is raised again by who waits for us
            self.failed.append(error)
            self._bell.ring()
