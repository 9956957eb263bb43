"""Waiting for a commit of another process without burning the processor.

On Linux the kernel says when the write-ahead log was written to (inotify, through the C library). It says so before the
commit can be seen, and also when a transaction is undone in the end; so what it says is a reason to look, in growing
steps, and SQLite's own count of commits decides. Elsewhere that count is asked for a few times a second.
"""

from __future__ import annotations

import ctypes
import os
import select
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

POLL = 0.25
"""Seconds between two looks where the kernel does not tell."""

LONGEST_SLEEP = 30.0
"""Seconds after which we look all the same: a log that was replaced by another file cannot wake us."""

_FIRST_LOOK, _LAST_LOOK = 0.001, 0.25
_LOOKING = 10.0
"""Seconds that we go on looking for the commit that a write to the log may become."""

_IN_MODIFY, _IN_CLOEXEC, _IN_NONBLOCK = 0x2, 0o2000000, 0o4000


class Bell:
    """Wakes every thread that waits, once and for good: what a signal rings."""

    __slots__ = ("_read", "_write", "rung")

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self.rung = False

    def ring(self) -> None:
        """Safe in a signal handler, and as often as you like."""
        if not self.rung:
            self.rung = True
            os.write(self._write, b".")

    def fileno(self) -> int:
        """Readable from the ring on."""
        return self._read

    def close(self) -> None:
        """When nobody waits any more."""
        os.close(self._read)
        os.close(self._write)


class Alarm:
    """For one thread with an engine of its own: `arm()`, look for work and do it, then `wait`.

    `commits` is the count of commits as this thread sees it (SqliteStore.commits).
    """

    def __init__(self, database: Path, commits: Callable[[], int], bell: Bell) -> None:
        self._log = f"{database}-wal"
        self._commits = commits
        self._bell = bell
        self._seen: int | None = None
        self._looking_until = 0.0
        self._inotify = _Inotify.opened()
        self._poll = select.poll()
        self._poll.register(bell.fileno(), select.POLLIN)
        if self._inotify is not None:
            self._poll.register(self._inotify.fileno(), select.POLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._inotify is not None:
            self._inotify.close()

    def arm(self) -> None:
        """From here on every commit ends the next `wait`, also one that comes before it."""
        self._commits()  # opens the database, so that there is a log
        if self._inotify is not None:
            self._listen()  # it may be of a commit that is not to be seen yet
            if not self._inotify.watch(self._log):
                # No log yet, or too many watches: asking is all that is left.
                self._poll.unregister(self._inotify.fileno())
                self._inotify.close()
                self._inotify = None
        self._seen = self._commits()

    def wait(self, seconds: float | None) -> None:
        """Sleep until somebody commits, the bell rings, or so many seconds have passed (None: no limit)."""
        end = time.monotonic() + min(LONGEST_SLEEP if seconds is None else max(0.0, seconds), LONGEST_SLEEP)
        look = _FIRST_LOOK
        while not self._bell.rung and self._commits() == self._seen:
            now = time.monotonic()
            if now >= end:
                return
            pause = end - now
            if self._inotify is None:
                pause = min(pause, POLL)
            elif now < self._looking_until:
                pause = min(pause, look)
                look = min(look * 2, _LAST_LOOK)
            self._poll.poll(pause * 1000 + 1)
            if self._listen():
                look = _FIRST_LOOK

    def _listen(self) -> bool:
        if self._inotify is None or not self._inotify.drain():
            return False
        self._looking_until = time.monotonic() + _LOOKING
        return True


class _Inotify:
    """One inotify descriptor."""

    def __init__(self, descriptor: int, library: ctypes.CDLL) -> None:
        self._descriptor = descriptor
        self._library = library

    @classmethod
    def opened(cls) -> _Inotify | None:
        """None where the system has none, or no more."""
        try:
            library = ctypes.CDLL(None, use_errno=True)
            descriptor = library.inotify_init1(_IN_CLOEXEC | _IN_NONBLOCK)
        except (OSError, AttributeError):
            return None
        return None if descriptor < 0 else cls(descriptor, library)

    def watch(self, path: str) -> bool:
        """Hear of every write to the file; the same file twice is watched once. False where it cannot be."""
        return bool(self._library.inotify_add_watch(self._descriptor, os.fsencode(path), _IN_MODIFY) >= 0)

    def drain(self) -> bool:
        """Forget what was heard; True if there was something."""
        heard = False
        while True:
            try:
                os.read(self._descriptor, 65_536)
            except BlockingIOError:
                return heard
            heard = True

    def fileno(self) -> int:
        """Readable when something was heard."""
        return self._descriptor

    def close(self) -> None:
        """Stop listening."""
        os.close(self._descriptor)
