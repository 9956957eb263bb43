"""Lines of NDJSON, one event a line: written whole, and read from bytes that arrive in parts."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator

from orderstate.events.brokers.message import LARGEST, Cut

CHUNK = 1 << 20
"""Bytes that are read at once."""

_BEGINNING = b'{"specversion":"1.0",'
"""How every event of ours begins, blanks aside."""


def one_line(body: bytes) -> bytes:
    """The JSON document on one line: line ends may stand between its parts only, as JSON has none inside strings."""
    return b" ".join(body.splitlines()).strip() + b"\n"


def key_of(line: bytes) -> str:
    """The partition key of a CloudEvents document, else its subject; "" where it cannot be read."""
    try:
        found = json.loads(line)
        return str(found.get("partitionkey") or found.get("subject") or "")
    except (ValueError, AttributeError, RecursionError):
        return ""


def is_event(line: bytes) -> bool:
    """Whether a line is a CloudEvents document, as far as its envelope."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and all(
        isinstance(found.get(name), str) for name in ("specversion", "id", "source", "type")
    )


def begins_as_ours(rest: bytes) -> bool:
    """Whether the first bytes of what has no line end could be those of an event that we write."""
    found = b"".join(rest[: 4 * len(_BEGINNING)].split())[: len(_BEGINNING)]
    return bool(found) and _BEGINNING.startswith(found)


def said(error: OSError) -> str:
    """Why, in the system's words."""
    return error.strerror or str(error)


def write_all(write: Callable[[memoryview], int | None], data: bytes) -> None:
    """Write all of it: what writes without a buffer (under PYTHONUNBUFFERED stdout too) may take a part only."""
    view = memoryview(data)
    while view:
        taken = write(view)
        if taken is None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        view = view[taken:]


class Lines:
    """Takes lines out of bytes that arrive in parts; of one that is too long it keeps only its beginning."""

    def __init__(self) -> None:
        self.begun = 0
        """Bytes of a line that has begun and has no end yet."""
        self._kept = bytearray()
        self._hash = hashlib.sha256()
        self._blank = True
        """Whether nothing but blanks has come of it."""

    def ended(self, data: bytes, start: int = 0) -> Iterator[tuple[bytes, int]]:
        """Each line that ends in `data`, and the place behind its end; what follows the last one is kept.

        A blank line is empty. To be read to its end.
        """
        while (end := data.find(b"\n", start)) >= 0:
            if self.begun:
                self._add(data[start:end])
                line = self.last()
            else:
                line = data[start:end]
            yield line if line.strip() else b"", end + 1
            start = end + 1
        self._add(data[start:])

    def last(self) -> bytes:
        """What has begun, as if its end had come."""
        kept, size, digest, blank = bytes(self._kept), self.begun, self._hash.hexdigest(), self._blank
        self.begun, self._kept, self._hash, self._blank = 0, bytearray(), hashlib.sha256(), True
        if blank:
            return b""
        return kept if size <= LARGEST else Cut(kept, size, digest)

    def _add(self, part: bytes) -> None:
        if not part:
            return
        self._kept += part[: max(0, LARGEST + 1 - self.begun)]
        self.begun += len(part)
        self._hash.update(part)
        self._blank = self._blank and not part.strip()
