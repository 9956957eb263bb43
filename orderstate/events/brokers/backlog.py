"""What a source holds between the broker and its reader: fetched, handed out, or done and not yet acknowledged.

A message that is to come `again` is handed out from here and not sent back to the broker: a broker would deliver it
after those that were fetched behind it, and the order per key would be gone. It stays unacknowledged all the while.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from typing import Generic, TypeVar

from orderstate.events.brokers.message import Received

Place = tuple[int, ...]
"""Where a message stands in the order of its broker; unique among those that are held."""

Token = TypeVar("Token")
"""What the broker's client needs to acknowledge one."""


@dataclass(slots=True)
class Slot(Generic[Token]):
    """One message that is held."""

    place: Place
    token: Token
    body: bytes
    key: str
    headers: Mapping[str, str]
    out: bool = False


class Backlog(Generic[Token]):
    """Messages by their place. Not for several threads at once."""

    def __init__(self) -> None:
        self.held: dict[Place, Slot[Token]] = {}
        self._waiting: list[Place] = []
        self._done: list[Slot[Token]] = []

    def add(self, place: Place, token: Token, body: bytes, key: str, headers: Mapping[str, str]) -> bool:
        """Hold one. False where it is held already: then only its token is new, as the old one may have lapsed."""
        if known := self.held.get(place):
            known.token = token
            return False
        self.held[place] = Slot(place, token, body, key, headers)
        heappush(self._waiting, place)
        return True

    def take(self, most: int) -> list[Received]:
        """Hand out up to so many of those that wait, the first in order first."""
        found: list[Received] = []
        while self._waiting and len(found) < most:
            slot = self.held.get(heappop(self._waiting))
            if slot is not None and not slot.out:
                slot.out = True
                found.append(Received(slot.body, slot.key, slot.headers, partial(self._settle, slot)))
        return found

    def settled(self) -> list[Slot[Token]]:
        """Those that were done since the last call, which are held no longer."""
        found, self._done = self._done, []
        return found

    def forget(self, place: Place) -> None:
        """Let go of one; what is said of it afterwards has no effect."""
        self.held.pop(place, None)

    def clear(self) -> None:
        """Let go of everything: the broker will deliver it again."""
        self.held.clear()
        self._waiting.clear()
        self._done.clear()

    @property
    def waiting(self) -> bool:
        """Whether something could be handed out at once."""
        return any(not self.held[place].out for place in self._waiting if place in self.held)

    def _settle(self, slot: Slot[Token], done: bool) -> None:
        if self.held.get(slot.place) is not slot:
            return  # said twice, or of one that was let go meanwhile
        if done:
            del self.held[slot.place]
            self._done.append(slot)
        elif slot.out:
            slot.out = False
            heappush(self._waiting, slot.place)
