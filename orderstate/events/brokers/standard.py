"""Standard output and standard input as if they were brokers: NDJSON, one event a line."""

from __future__ import annotations

import errno
import os
import select
import sys
from collections.abc import Sequence
from time import monotonic

from orderstate.events.brokers.backlog import Backlog
from orderstate.events.brokers.lines import CHUNK, Lines, key_of, one_line, said, write_all
from orderstate.events.brokers.message import NOTHING, Failure, Message, Opened, Received
from orderstate.events.outcomes import Later, Never


class StandardSink(Opened):
    """Writes to standard output: confirmed when it was taken from us, which a pipe does before anybody reads it."""

    name = "-"

    def open(self) -> None:
        if sys.stdout is None:  # the caller closed it
            raise Later(f"standard output cannot be written: {os.strerror(errno.EBADF)}", counts=False)

    def publish(self, messages: Sequence[Message]) -> list[Failure | None]:
        try:
            self.open()
            write_all(sys.stdout.buffer.write, b"".join(one_line(message.body) for message in messages))
            sys.stdout.buffer.flush()
        except Later as error:
            return [error] * len(messages)
        except OSError as error:
            return [Later(f"standard output cannot be written: {said(error)}", counts=False)] * len(messages)
        return [None] * len(messages)

    def close(self) -> None:
        """It is not ours to close."""


class StandardSource(Opened):
    """Reads lines from standard input. It cannot be read twice: what was not done when we stop is lost to us."""

    name = "-"
    taken = 0

    def __init__(self, file: int | None = None) -> None:
        self._file = file
        self._lines = Lines()
        self._end = False
        self._number = 0
        self._backlog: Backlog[int] = Backlog()

    @property
    def begun(self) -> int:
        """As `Source.begun`."""
        return self._lines.begun

    @property
    def ended(self) -> bool:
        return self._end and not self._backlog.held

    def open(self) -> None:
        if self._file is None:
            if sys.stdin is None:  # the caller closed it
                raise Never(f"standard input cannot be read: {os.strerror(errno.EBADF)}")
            self._file = sys.stdin.fileno()

    def receive(self, most: int, wait: float) -> list[Received]:
        self.open()
        self._backlog.settled()
        until = monotonic() + wait
        try:
            while not self._backlog.waiting and not self._end and self._fetch(max(0.0, until - monotonic())):
                if monotonic() >= until:  # a line that does not end
                    break
        except OSError as error:
            raise Later(f"standard input cannot be read: {said(error)}", counts=False) from error
        return self._backlog.take(most)

    def close(self) -> None:
        """It is not ours to close."""
        self._backlog.clear()

    def _fetch(self, wait: float) -> bool:
        """Read what is there; False where nothing came in time."""
        assert self._file is not None
        if not select.select([self._file], [], [], wait)[0]:
            return False
        data = os.read(self._file, CHUNK)
        self.taken += len(data)
        self._end = not data
        found = [line for line, _ in self._lines.ended(data)]
        for line in [*found, self._lines.last()] if self._end else found:
            if line:
                self._number += 1
                self._backlog.add((self._number,), self._number, line, key_of(line), NOTHING)
        return True
