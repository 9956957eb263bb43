"""The writer lock: an exclusive flock on a file beside the database, held around each write transaction and each close.

SQLite's own busy handler is unfair (a waiter sleeps while newcomers pass), and a checkpoint by a closing connection
must not run beside a writer on SQLite versions with the WAL-reset bug. Waiting in the kernel's queue settles both.
"""

from __future__ import annotations

import fcntl
import os
import threading
from weakref import WeakSet

from orderstate.errors import Locked, ReadOnly

_open: WeakSet[WriterLock] = WeakSet()


class _Held(threading.local):
    """What the present thread holds."""

    def __init__(self) -> None:
        self.locks: list[WriterLock] = []


_held = _Held()


class WriterLock:
    """One lock descriptor. Not reentrant; one per connection, and a connection belongs to one thread.

    `named`: the path as people are shown it.
    """

    __slots__ = ("__weakref__", "_descriptor", "_holder", "_named", "_path", "_timeout")

    def __init__(self, path: str, timeout: float, *, named: str | None = None) -> None:
        self._path = path
        self._named = named or path
        self._holder: int | None = None
        self._timeout = timeout
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise ReadOnly(
                f"the writer lock {self._named} cannot be opened: {error.strerror}",
                hint="writing needs write access to the database's folder",
                path=self._named,
            ) from error
        _open.add(self)

    def acquire(self) -> None:
        """Wait for the lock. Raises Locked when `timeout` seconds pass first."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._wait()
        self._holder = threading.get_ident()
        _held.locks.append(self)

    def held_here(self) -> bool:
        """True where this thread has the lock already, here or through another descriptor: it would wait for itself."""
        if not _held.locks:
            return False
        # Another thread may have let go of one.
        _held.locks[:] = [lock for lock in _held.locks if lock._holder == threading.get_ident()]
        ours = os.fstat(self._descriptor)
        return any(os.path.samestat(ours, os.fstat(lock._descriptor)) for lock in _held.locks)

    def release(self) -> None:
        """Let the next writer in."""
        self._forget()
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the descriptor back; whatever it holds is released."""
        _open.discard(self)
        self._forget()
        os.close(self._descriptor)

    def _forget(self) -> None:
        self._holder = None
        if self in _held.locks:
            _held.locks.remove(self)

    def _wait(self) -> None:
        # flock has no time limit of its own, and polling would lose the place in the queue: so a thread waits in the
        # kernel, on a descriptor that it opened itself. In time, that one takes the place of ours; too late, closing it
        # gives back whatever it got, and nobody else's lock.
        waiter = _Waiter(self._path)
        try:
            waiter.done.wait(self._timeout)
        except BaseException:  # Ctrl-C: what the thread got meanwhile goes back
            got = waiter.hand_over()
            if got is not None:
                os.close(got)
            raise
        got = waiter.hand_over()
        if got is None:
            raise Locked(
                f"another writer has held the database for {self._timeout:g} s",
                hint="try again; nothing was changed",
                path=self._named,
            )
        os.close(self._descriptor)
        self._descriptor = got


def _leave_to_parent() -> None:
    """A forked child must not keep its parent's lock alive: should the parent be killed, nobody could write."""
    for lock in list(_open):
        lock.close()


os.register_at_fork(after_in_child=_leave_to_parent)


class _Waiter:
    """A thread that waits for the lock in the kernel."""

    def __init__(self, path: str) -> None:
        self.done = threading.Event()
        self._gate = threading.Lock()
        self._wanted = True
        self._locked: int | None = None
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        threading.Thread(target=self._wait, name="orderstate-writer-lock", daemon=True).start()

    def hand_over(self) -> int | None:
        """The locked descriptor, or None where it is too late; from now on nobody waits."""
        with self._gate:
            self._wanted = False
            return self._locked

    def _wait(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        with self._gate:
            if self._wanted:
                self._locked = self._descriptor
            else:
                os.close(self._descriptor)
        self.done.set()
