"""What a step wrote: the events since the last look, in the order in which they were written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orderstate.engine import Engine
from orderstate.model import Event
from orderstate.scenario.report import Outcome
from orderstate.store import events

_EVERY = 100_000
"""More orders than any script makes."""


class Ledger:
    """Remembers how far each order and each facility was read."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.read = dict(self._versions())

    def _versions(self) -> Iterator[tuple[str, int]]:
        for order in self.engine.orders(limit=_EVERY):
            yield order.id, order.version
        for facility in self.engine.facilities():
            yield f"facility/{facility.code}", facility.version

    def news(self, outcomes: Sequence[Outcome]) -> list[Event]:
        """Every event since the last call."""
        found: list[Event] = []
        for subject, version in self._versions():
            before = self.read.get(subject, 0)
            if version > before:
                with self.engine.store.read() as tx:
                    found += [event for event in events.of(tx, subject) if event.number > before]
                self.read[subject] = version
        answered = [event for outcome in outcomes if not outcome.repeated for event in _named(outcome)]
        place = {name: number for number, name in enumerate(answered)}
        # What an answer does not name happened on the way to it, such as the orders that an adjustment untied.
        return sorted(found, key=lambda e: (place.get(e.id, -1), e.at, len(e.subject), e.subject, e.number))


def _named(outcome: Outcome) -> Sequence[str]:
    found: Sequence[str] = outcome.document.get("events", ())
    return found
