"""A FILE of NDJSON, one event a line, and standard input and output, as if they were brokers."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import select
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Self

from orderstate.events.brokers.backlog import Backlog
from orderstate.events.brokers.message import NOTHING, Failure, Message, Received
from orderstate.events.outcomes import Later, Never

_LOOK_AGAIN = 0.1
"""Seconds between two looks at a file that may grow: no file system tells us by itself on every platform."""

_CHUNK = 1 << 20

_TAIL = 4096
"""Bytes before a place in a file by which we recognise that it is the file in which we stopped."""

_OPENINGS = 3
"""How often one call of publish opens a file that is moved away each time, before it leaves it for a while."""


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


def said(error: OSError) -> str:
    """Why, in the system's words."""
    return error.strerror or str(error)


class FileSink:
    """Appends; confirmed when fsync says so. One writer at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    @property
    def name(self) -> str:
        return str(self._path)

    def open(self) -> None:
        if self._file is None:
            try:
                self._file = self._opened()
            except BlockingIOError:
                raise Later(f"{self.name} is being written by another process", counts=False) from None
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
                raise Never(f"{self.name} cannot be written: {said(error)}") from error
            except OSError as error:
                raise Later(f"{self.name} cannot be written: {said(error)}", counts=False) from error

    def publish(self, messages: Sequence[Message]) -> list[Failure | None]:
        data = b"".join(one_line(message.body) for message in messages)
        try:
            for _ in range(_OPENINGS):
                self.open()
                if self._appended(data):
                    return [None] * len(messages)
                self.close()
        except (Later, Never) as error:
            return [Later(error.reason, counts=False)] * len(messages)
        except OSError as error:
            self.close()
            return [Later(f"{self.name} cannot be written: {said(error)}", counts=False)] * len(messages)
        return [Later(f"{self.name} is moved away again and again", counts=False)] * len(messages)

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _appended(self, data: bytes) -> bool:
        """Append; False where our file is no longer the one of that name, so that nobody would look for it there.

        Looked at before, so that a file that was moved away between two calls gets nothing more, and after, as it can
        be moved away while we write: then the data stands in both.
        """
        file = self._file
        assert file is not None
        if not _named(self._path, file):
            return False
        end = os.fstat(file).st_size
        try:
            _write(partial(os.write, file), data)
            os.fsync(file)
        except OSError:
            # What was written of them was not confirmed and comes again: it must not stand there twice.
            with suppress(OSError):
                os.ftruncate(file, end)
            raise
        return _named(self._path, file)

    def _opened(self) -> int:
        """A descriptor that only we write to, behind the last whole line. Raises OSError, Never."""
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise Never(f"{self.name} is no regular file, so that nothing can be confirmed: name a file, or -")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _mend(file)
            os.fsync(file)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)  # else a power cut could take the new file's name away
            finally:
                os.close(folder)
        except BaseException:
            os.close(file)
            raise
        return file


class StandardSink:
    """Writes to standard output: confirmed when it was taken from us, which a pipe does before anybody reads it."""

    name = "-"

    def open(self) -> None:
        if sys.stdout is None:  # the caller closed it
            raise Later(f"standard output cannot be written: {os.strerror(errno.EBADF)}", counts=False)

    def publish(self, messages: Sequence[Message]) -> list[Failure | None]:
        try:
            self.open()
            _write(sys.stdout.buffer.write, b"".join(one_line(message.body) for message in messages))
            sys.stdout.buffer.flush()
        except Later as error:
            return [error] * len(messages)
        except OSError as error:
            return [Later(f"standard output cannot be written: {said(error)}", counts=False)] * len(messages)
        return [None] * len(messages)

    def close(self) -> None:
        """It is not ours to close."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class FileSource:
    """Reads whole lines, from where its group stopped; that place is kept beside it, in FILE.GROUP.position.

    With the place goes a hash of what stands before it. Where that is not found there, the file is another one, and is
    read from its start; so it is when it is replaced while we read.
    """

    ended = False

    def __init__(self, path: Path, group: str) -> None:
        self._path = path
        self._position = path.with_name(f"{path.name}.{group}.position")
        self._file: int | None = None
        self._text = b""
        """What we know of the file around the place where we are: up to _TAIL bytes before it, and a line begun."""
        self._first = 0
        """Where `_text` stands in the file."""
        self._read = self._kept = 0
        """Where the first line begins that was not read whole; the place that is written down."""
        self._backlog: Backlog[tuple[bytes, int]] = Backlog()
        """Each line with a text and its place in that, before which stands what stood before it in the file."""

    @property
    def name(self) -> str:
        return str(self._path)

    def open(self) -> None:
        if self._file is not None:
            return
        try:
            file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                place, before = _place_in(self._position, file)
            except BaseException:
                os.close(file)
                raise
        except FileNotFoundError as error:
            raise Later(f"{self.name} cannot be read: {said(error)}", counts=False) from error
        except OSError as error:
            raise Never(f"{self.name} cannot be read: {said(error)}") from error
        self._file, self._text, self._first = file, before, place - len(before)
        self._kept = self._read = place

    def receive(self, most: int, wait: float) -> list[Received]:
        self.open()
        try:
            self._keep()
            until = monotonic() + wait
            while not self._backlog.waiting:
                if not self._fetch():
                    if monotonic() >= until:
                        break
                    sleep(min(_LOOK_AGAIN, max(0.0, until - monotonic())))
        except OSError as error:
            raise Later(f"{self.name} cannot be read: {said(error)}", counts=False) from error
        return self._backlog.take(most)

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                # A place that is not kept means that some lines come again, as after a crash.
                with suppress(OSError):
                    self._keep()
            finally:
                os.close(file)
                self._backlog.clear()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _fetch(self) -> bool:
        """Read on; False at the end. A last line without its end is still being written, or torn: left there."""
        file = self._file
        assert file is not None
        # Asked before we read: what was confirmed in our file before it was moved away is then found by reading.
        named = _named(self._path, file, gone=True)
        known = self._text[-_TAIL:]
        found = os.pread(file, len(known) + _CHUNK, self._first + len(self._text) - len(known))
        if not found.startswith(known) or (found == known and not named):
            return self._anew()
        text = self._text + found[len(known) :]
        start = self._read - self._first
        *lines, _ = text[start:].split(b"\n")
        for line in lines:
            if line.strip():
                self._backlog.add((self._first + start,), (text, start), line, key_of(line), NOTHING)
            start += len(line) + 1
        self._read = self._first + start
        cut = max(0, start - _TAIL)
        self._text, self._first = text[cut:], self._first + cut
        return found != known

    def _anew(self) -> bool:
        """Turn to the file that took the place of ours; False as long as something of ours is not done."""
        if self._backlog.held:
            return False
        self.close()
        self.open()
        return True

    def _keep(self) -> None:
        """Write down the end of the last line before which everything is done."""
        self._backlog.settled()
        oldest = min(self._backlog.held, default=None)
        if oldest is None:
            place, (text, end) = self._read, (self._text, self._read - self._first)
        else:
            place, (text, end) = oldest[0], self._backlog.held[oldest].token
        if place == self._kept:
            return
        # Of what we have read and not of what stands there now: it may have been replaced meanwhile.
        mark = _mark(text[max(0, end - _TAIL) : end])
        fresh = self._position.with_name(self._position.name + ".new")
        fresh.write_text(f"{place} {mark}\n", encoding="ascii")
        with fresh.open("rb") as written:
            os.fsync(written.fileno())
        fresh.replace(self._position)
        self._kept = place


class StandardSource:
    """Reads lines from standard input. It cannot be read twice: what was not done when we stop is lost to us."""

    name = "-"

    def __init__(self, file: int | None = None) -> None:
        self._file = file
        self._rest = b""
        self._end = False
        self._number = 0
        self._backlog: Backlog[int] = Backlog()

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
                pass
        except OSError as error:
            raise Later(f"standard input cannot be read: {said(error)}", counts=False) from error
        return self._backlog.take(most)

    def close(self) -> None:
        """It is not ours to close."""
        self._backlog.clear()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _fetch(self, wait: float) -> bool:
        """Read what is there; False where nothing came in time."""
        assert self._file is not None
        if not select.select([self._file], [], [], wait)[0]:
            return False
        data = os.read(self._file, _CHUNK)
        self._end = not data
        *lines, self._rest = (self._rest + data).split(b"\n")
        if self._end and self._rest:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            self._number += 1
            if line.strip():
                self._backlog.add((self._number,), self._number, line, key_of(line), NOTHING)
        return True


def _write(write: Callable[[memoryview], int | None], data: bytes) -> None:
    """Write all of it: what writes without a buffer (under PYTHONUNBUFFERED stdout too) may take a part only."""
    view = memoryview(data)
    while view:
        taken = write(view)
        if taken is None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        view = view[taken:]


def _mend(file: int) -> None:
    """Cut a last line off that has no end: it was never confirmed, and comes again."""
    size = end = os.fstat(file).st_size
    while end > 0:
        start = max(0, end - _CHUNK)
        cut = os.pread(file, end - start, start).rfind(b"\n")
        if cut >= 0:
            end = start + cut + 1
            break
        end = start
    if end != size:
        os.ftruncate(file, end)


def _named(path: Path, file: int, gone: bool = False) -> bool:
    """Whether the path leads to this open file; `gone` where it leads nowhere. Raises OSError."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return gone
    return os.path.samestat(there, os.fstat(file))


def _mark(before: bytes) -> str:
    return hashlib.sha256(before).hexdigest()


def _place_in(position: Path, file: int) -> tuple[int, bytes]:
    """Where reading goes on, and what stands before it: the start where nothing was kept, or of another file.

    A position that an earlier version wrote has no mark: there the end of a line must do. Raises OSError, Never.
    """
    try:
        number, _, mark = position.read_text(encoding="ascii").strip().partition(" ")
        place = int(number)
    except FileNotFoundError:
        return 0, b""
    except ValueError as error:
        raise Never(f"{position} holds no position: remove it to read everything again") from error
    if place <= 0:
        return 0, b""
    length = min(place, _TAIL)
    before = os.pread(file, length, place - length)
    same = mark == _mark(before) if mark else before.endswith(b"\n")
    return (place, before) if len(before) == length and same else (0, b"")
