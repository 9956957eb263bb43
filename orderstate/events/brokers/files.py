"""A FILE of NDJSON, one event a line, as if it were a broker."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import uuid
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic, sleep

from orderstate.events.brokers.backlog import Backlog
from orderstate.events.brokers.lines import CHUNK, Lines, begins_as_ours, is_event, key_of, one_line, said, write_all
from orderstate.events.brokers.message import NOTHING, Failure, Message, Opened, Received
from orderstate.events.outcomes import Later, Never

_LOOK_AGAIN = 0.1
"""Seconds between two looks at a file that may grow: no file system tells us by itself on every platform."""

_TAIL = 4096
"""Bytes before a place in a file by which we recognise that it is the file in which we stopped."""

_OPENINGS = 3
"""How often one call of publish opens a file that is moved away each time, before it leaves it for a while."""


class FileSink(Opened):
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
            write_all(partial(os.write, file), data)
            os.fsync(file)
        except OSError:
            # What was written of them was not confirmed and comes again: it must not stand there twice.
            with suppress(OSError):
                os.ftruncate(file, end)
            raise
        return _named(self._path, file)

    def _mend(self, file: int) -> None:
        """Take a last line without an end for one that was never confirmed, and comes again: cut it off.

        What is not ours is neither cut nor written behind: raises Never.
        """
        size = os.fstat(file).st_size
        line, end = _ending(file, size)
        rest = os.pread(file, size - end, end)
        if not (is_event(line) if line is not None else not rest or begins_as_ours(rest)):
            raise Never(
                f"{self.name} holds something else: its last line is no event, and nothing was changed; "
                "name a new file, or one that relay has written"
            )
        if is_event(rest):  # all that it lacks is its line end: whoever wrote it, it says something
            write_all(partial(os.write, file), b"\n")
        elif rest:
            os.ftruncate(file, end)

    def _opened(self) -> int:
        """A descriptor that only we write to, behind the last whole line. Raises OSError, Never."""
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise Never(f"{self.name} is no regular file, so that nothing can be confirmed: name a file, or -")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._mend(file)
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


class FileSource(Opened):
    """Reads whole lines, from where its group stopped; that place is kept beside it, in FILE.GROUP.position.

    With the place goes a hash of what stands before it. Where that is not found there, the file is another one, and is
    read from its start; so it is when it is replaced while we read.
    """

    ended = False

    def __init__(self, path: Path, group: str) -> None:
        self._path = path
        self._position = path.with_name(f"{path.name}.{group}.position")
        self._file: int | None = None
        self._lines = Lines()
        self._tail = b""
        """What stands before the place where reading goes on: up to _TAIL bytes of it."""
        self._at = self._read = self._kept = 0
        """Where reading goes on; where the first line begins that was not read whole; the place written down."""
        self._before: tuple[bytes, int] = b"", 0
        """A text, and the place in it that is `_read`."""
        self.taken = 0
        self._backlog: Backlog[tuple[bytes, int]] = Backlog()
        """Each line with a text and its place in that, before which stands what stood before it in the file."""

    @property
    def name(self) -> str:
        return str(self._path)

    @property
    def begun(self) -> int:
        """As `Source.begun`."""
        return self._lines.begun

    def open(self) -> None:
        if self._file is not None:
            return
        try:
            if not stat.S_ISREG(self._path.stat().st_mode):
                raise Never(f"{self.name} is no regular file: name a file, or - for standard input")
            # Nor would a pipe that took its place hold us up here.
            file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                place, before = _place_in(self._position, file)
            except BaseException:
                os.close(file)
                raise
        except FileNotFoundError as error:
            raise Later(f"{self.name} cannot be read: {said(error)}", counts=False) from error
        except OSError as error:
            raise Never(f"{self.name} cannot be read: {said(error)}") from error
        self._file, self._lines = file, Lines()
        self._tail, self._before = before, (before, len(before))
        self._at = self._read = self._kept = place

    def receive(self, most: int, wait: float) -> list[Received]:
        self.open()
        try:
            self._keep()
            until = monotonic() + wait
            while not self._backlog.waiting:
                more = self._fetch()
                if monotonic() >= until:  # also while there is more, which may be a line that does not end
                    break
                if not more:
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

    def _fetch(self) -> bool:
        """Read on; False at the end. A last line without its end is still being written, or torn: left there."""
        file = self._file
        assert file is not None
        # Asked before we read: what was confirmed in our file before it was moved away is then found by reading.
        named = _named(self._path, file, gone=True)
        known = self._tail
        found = os.pread(file, len(known) + CHUNK, self._at - len(known))
        if not found.startswith(known) or (found == known and not named):
            return self._anew()
        first, start = self._at - len(known), len(known)
        for line, end in self._lines.ended(found, start):
            if line:
                self._backlog.add((self._read,), self._before, line, key_of(line), NOTHING)
            self._read, self._before = first + end, (found, end)
        self._at, self._tail = first + len(found), found[-_TAIL:]
        self.taken += len(found) - len(known)
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
            place, (text, end) = self._read, self._before
        else:
            place, (text, end) = oldest[0], self._backlog.held[oldest].token
        if place == self._kept:
            return
        # Of what we have read and not of what stands there now: it may have been replaced meanwhile.
        mark = _mark(text[max(0, end - _TAIL) : end])
        # Of a name of its own: others of the group may be keeping theirs.
        fresh = self._position.with_name(f"{self._position.name}.{uuid.uuid4().hex}.new")
        try:
            with fresh.open("x", encoding="ascii") as file:
                file.write(f"{place} {mark}\n")
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._position)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        self._kept = place


def _ending(file: int, size: int) -> tuple[bytes | None, int]:
    """The last whole line that is not blank, if there is one, and the place behind the last line end."""
    length = _TAIL
    while True:
        start = max(0, size - length)
        text = os.pread(file, size - start, start)
        cut = text.rfind(b"\n") + 1
        whole = text[:cut].rstrip()
        before = whole.rfind(b"\n") + 1
        if whole and (before or not start):
            return whole[before:], start + cut
        if not start:
            return None, cut
        length *= 16


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
