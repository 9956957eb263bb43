"""What a relay has read and not yet delivered: the events of each subject in turn."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice

from orderstate.events.brokers.message import Message
from orderstate.store.deliveries import Delivery


@dataclass(frozen=True, slots=True)
class Item:
    """One event on its way, ready to be published."""

    delivery: Delivery
    message: Message


class Window:
    """Gives waves: of each subject the oldest event only, so that two of one subject are never in flight together."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Item]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def subjects(self) -> int:
        """How many events the next wave could have at most."""
        return len(self._waiting)

    def add(self, item: Item) -> None:
        """One more, younger than those of its subject that are here."""
        self._waiting.setdefault(item.message.key, deque()).append(item)
        self._size += 1

    def wave(self, most: int) -> list[Item]:
        """Up to so many, those that came first before others. They stay here until they are settled."""
        return [waiting[0] for waiting in islice(self._waiting.values(), most)]

    def done(self, item: Item) -> None:
        """It arrived: the next of its subject may go."""
        waiting = self._waiting[item.message.key]
        waiting.popleft()
        self._size -= 1
        if not waiting:
            del self._waiting[item.message.key]

    def drop(self, subject: str) -> None:
        """Forget what is here of a subject: its oldest cannot go now, so the others must wait in the database."""
        self._size -= len(self._waiting.pop(subject, ()))
