"""A broker in memory for the laws of relay and consume: it fails as it is told to, and remembers what it kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Self

from orderstate.events.brokers.message import NOTHING, Failure, Message, Received
from orderstate.events.outcomes import Later, Never


class Died(BaseException):
    """The process ends here."""


class MemorySink:
    """Keeps what it confirms. `verdict` is asked for each message; `kept` is what a broker would hand out, in order."""

    name = "memory://sink"

    def __init__(self, verdict: Callable[[Message], Failure | None] = lambda _: None) -> None:
        self.verdict = verdict
        self.kept: list[Message] = []
        self.waves: list[list[str]] = []
        self.die_after: int | None = None
        self.opened: list[Failure] = []
        """What `open` raises, one after the other."""

    def open(self) -> None:
        """Raise what is due."""
        if self.opened:
            raise self.opened.pop(0)

    def publish(self, messages: Sequence[Message]) -> list[Failure | None]:
        """Ask for each; die in the middle where that is due, with what came before kept and nobody told."""
        keys = Counter(message.key for message in messages)
        assert set(keys.values()) <= {1}, "two of one key in flight together"
        self.waves.append([message.id for message in messages])
        answers: list[Failure | None] = []
        for message in messages:
            answer = self.verdict(message)
            if answer is None:
                self.kept.append(message)
                if self.die_after is not None:
                    self.die_after -= 1
                    if self.die_after <= 0:
                        self.die_after = None
                        raise Died
            answers.append(answer)
        return answers

    def close(self) -> None:
        """Nothing to let go of."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def numbers(self, subject: str) -> list[int]:
        """The numbers of a subject's events as they were kept, repeats and all."""
        found = [json.loads(message.body) for message in self.kept]
        return [int(one["sequence"]) for one in found if one["subject"] == subject]


class MemorySource:
    """Hands out bodies in order; what was not done comes again after `crash`."""

    name = "memory://source"
    ended = False
    taken = begun = 0

    def __init__(self, bodies: Sequence[bytes] = ()) -> None:
        self.bodies = list(bodies)
        self.done: set[int] = set()
        self.out: set[int] = set()
        self.troubles: list[Later | Never] = []
        """What `receive` raises, one after the other."""

    def open(self) -> None:
        """Nothing to connect."""

    def receive(self, most: int, wait: float) -> list[Received]:
        """Those that are neither done nor out."""
        if self.troubles:
            raise self.troubles.pop(0)
        found = [n for n in range(len(self.bodies)) if n not in self.done and n not in self.out][:most]
        self.out.update(found)
        return [Received(self.bodies[n], "", NOTHING, partial(self._settle, n)) for n in found]

    def _settle(self, number: int, done: bool) -> None:
        self.out.discard(number)
        if done:
            self.done.add(number)

    def crash(self) -> None:
        """Whoever read is gone: what it had comes again, and what it acknowledged last may, too."""
        self.out.clear()

    def close(self) -> None:
        """What was out comes again."""
        self.out.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def first_times(numbers: Sequence[int]) -> list[int]:
    """Each number where it came first: what a consumer sees that drops repeats."""
    return list(dict.fromkeys(numbers))
