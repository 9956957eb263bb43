"""What is counted, and how far subscribers are behind: the instruments of one meter provider."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from weakref import WeakKeyDictionary

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from orderstate import __version__
from orderstate.errors import OrderstateError
from orderstate.store import deliveries
from orderstate.store.sqlite import SqliteStore

NAME = "orderstate"
DATABASE = "orderstate.database"
SUBSCRIBER = "orderstate.subscriber"
_SECOND = 1_000_000


@dataclass(slots=True)
class _Database:
    """One database whose backlog is read; `watches`: by how many engines it is being observed."""

    path: Path
    id: str
    clock: Callable[[], int]
    watches: int = 0


@dataclass(frozen=True, slots=True)
class _Standing:
    """How far a subscriber is behind; `age`: of the oldest event on its way in seconds, 0 where there is none."""

    attributes: dict[str, str]
    undelivered: int
    age: float
    parked: int


class Measures:
    """The instruments of one meter provider, which several engines share."""

    def __init__(self, provider: MeterProvider) -> None:
        meter = provider.get_meter(NAME, __version__)
        self.commands = meter.create_counter(
            "orderstate.commands", "{command}", "Commands, by their exit status and the code of their error"
        )
        self.attempts = meter.create_counter(
            "orderstate.delivery.attempts", "{attempt}", "Attempts to bring an event to a subscriber, by outcome"
        )
        self.published = meter.create_counter(
            "orderstate.relay.published", "{event}", "Events that a relay handed to its broker, by outcome"
        )
        self.consumed = meter.create_counter(
            "orderstate.messages.consumed", "{message}", "Messages of other systems, by outcome"
        )
        gauges: tuple[tuple[str, str, str, Callable[[_Standing], float]], ...] = (
            ("undelivered", "{event}", "Events on their way to a subscriber", lambda s: s.undelivered),
            ("oldest", "s", "Age of the oldest event on its way to a subscriber", lambda s: s.age),
            ("parked", "{event}", "Events that were given up", lambda s: s.parked),
        )
        self._lock = Lock()
        self._databases: dict[Path, _Database] = {}
        self._read: list[_Standing] = []
        self._used = {name for name, *_ in gauges}
        for name, unit, what, value in gauges:
            meter.create_observable_gauge(f"orderstate.backlog.{name}", [self._gauge(name, value)], unit, what)

    def add(self, path: Path, id: str, clock: Callable[[], int]) -> None:
        """Measure the backlog of a database, however many of its engines are observed."""
        with self._lock:
            self._databases.setdefault(path, _Database(path, id, clock)).watches += 1

    def remove(self, path: Path) -> None:
        """One engine of it is observed no longer."""
        with self._lock:
            self._databases[path].watches -= 1
            if not self._databases[path].watches:
                del self._databases[path]

    def _gauge(
        self, name: str, value: Callable[[_Standing], float]
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            with self._lock:
                # All gauges of one collection show one reading: who asks for the second time begins the next one.
                if name in self._used:
                    self._read, self._used = self._standings(), set()
                self._used.add(name)
                return [Observation(value(s), s.attributes) for s in self._read]

        return observe

    def _standings(self) -> list[_Standing]:
        found: list[_Standing] = []
        for database in self._databases.values():
            try:
                found.extend(_standings(database))
            except OrderstateError:  # it is locked or gone: a gauge that nobody can read has no value
                continue
        return found


def _standings(database: _Database) -> list[_Standing]:
    """One view of the database, through a connection that belongs to the thread that asks."""
    found = []
    with closing(SqliteStore(database.path)) as store, store.read() as tx:
        now = database.clock()
        for subscriber in deliveries.subscribers(tx):
            undelivered, since, _, parked = deliveries.backlog(tx, subscriber.name)
            age = 0.0 if since is None else max(0, now - since) / _SECOND
            attributes = {DATABASE: database.id, SUBSCRIBER: subscriber.name}
            found.append(_Standing(attributes, undelivered, age, parked))
    return found


_KNOWN: WeakKeyDictionary[MeterProvider, Measures] = WeakKeyDictionary()
_KNOWING = Lock()


def measures(provider: MeterProvider) -> Measures:
    """The instruments of a provider, made once: a second gauge of the same name would not be asked."""
    with _KNOWING:
        found = _KNOWN.get(provider)
        if found is None:
            found = _KNOWN[provider] = Measures(provider)
        return found
