"""One at a time: a lock that dies with the process that holds it.

An exclusive flock on a file beside the database, and not a lease: the kernel lets go the moment that its holder dies,
however it dies, so that the next one need not wait for a time to run out, and two that disagree about the time can
never both hold it. It works for processes of one machine, as the database itself does.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from typing import Self

from orderstate.errors import Conflict, ReadOnly


class Sole:
    """Held inside `with`. Raises Conflict at once where another process, or another thread, holds it."""

    def __init__(self, database: Path, what: str) -> None:
        self._what = what
        self._path = Path(f"{database}-relay-{hashlib.sha256(what.encode()).hexdigest()[:16]}")
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise ReadOnly(
                f"{self._path} cannot be opened: {error.strerror}",
                hint="a relay needs write access to the database's folder",
                path=str(self._path),
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 100, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise Conflict(
                f"process {holder or 'unknown'} relays to {self._what} already; two would mix up the order of events",
                code="relay_running",
                hint="let it run, or stop it first; this one did nothing",
                process=holder,
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(self, *exc: object) -> None:
        # The file stays: whoever removed it could hold a lock that nobody else sees.
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
