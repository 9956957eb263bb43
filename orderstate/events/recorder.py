"""What a local subscriber was working on when its process ended.

A transaction that is never committed leaves no trace, so an event that ends the process would be told again at once,
and end the next one, for ever. So whoever works inside a transaction notes beforehand what on, in the file of the
writer lock: who holds that lock is the only one who does. A note that is still there belongs to somebody who died.
"""

from __future__ import annotations

import os
from errno import ENOSPC
from pathlib import Path
from types import TracebackType
from typing import Self

from orderstate.errors import OrderstateError

_SIZE = 512
_NOTHING = b"\0" * _SIZE


class Recorder:
    """The note of one database. Only for who holds its writer lock."""

    __slots__ = ("_descriptor",)

    def __init__(self, database: Path) -> None:
        self._descriptor = os.open(f"{database}-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._descriptor)

    def note(self, subscriber: str, key: int) -> None:
        """Work on this delivery begins."""
        # Not forced to the disk: it is to outlive the process, not the machine.
        self._write(f"{key} {subscriber}\n".encode()[:_SIZE].ljust(_SIZE, b"\0"))

    def clear(self) -> None:
        """It ended, however it ended."""
        self._write(_NOTHING)

    def _write(self, note: bytes) -> None:
        try:
            os.pwrite(self._descriptor, note, 0)
        except OSError as error:
            if error.errno != ENOSPC:
                raise
            raise OrderstateError("the disk is full; nothing was changed", code="disk_full") from error

    def left(self) -> tuple[str, int] | None:
        """(subscriber, key) of the delivery that somebody died over, or None."""
        note, end, _ = os.pread(self._descriptor, _SIZE, 0).partition(b"\n")
        key, _, subscriber = note.decode("utf-8", "replace").partition(" ")
        return (subscriber, int(key)) if end and key.isascii() and key.isdigit() and len(key) < 19 else None
