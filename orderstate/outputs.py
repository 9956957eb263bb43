"""Files that people name to be written: whole or not at all; and what is told where they cannot be.

outputs.check("report.xml", "--junit")  # before the work that it is to hold is done
outputs.write("report.xml", text)
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Self

from orderstate.errors import Damaged, InvalidInput, NotFound, OrderstateError, ReadOnly, Refused

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_OPEN_FILES = ("/dev/", "/proc/")
"""Where names lead to what somebody has open already, such as /dev/stdout: another file must not take its place."""


class Output:
    """One file that is being written. It is a draft beside its place until `keep` puts it there.

    What cannot be replaced (a device, a pipe, a file in a folder that takes no new ones) is written as it is. As a
    context manager: kept at the end, dropped where something raises.

    `option` is the name that a refusal gives it; `new`: nothing may be there yet. Raises InvalidInput (a folder, or no
    name), NotFound (`no_folder`), ReadOnly, Refused (`file_exists`), and OrderstateError where the disk is full
    (`disk_full`).
    """

    __slots__ = ("_done", "_draft", "_file", "_name", "_new", "_place")

    def __init__(self, name: str | Path, option: str = "file", *, new: bool = False) -> None:
        self._name = os.fspath(name)
        self._new = new
        self._draft: Path | None = None
        self._file: BinaryIO | None = None
        self._done = False
        # What a link leads to is replaced, and not the link.
        self._place = Path(os.path.realpath(self._name))
        try:
            self._begin(option)
        except OSError as error:
            self.drop()
            raise unwritable(self._name, error) from error
        except BaseException:
            self.drop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.keep()
        else:
            self.drop()

    def write(self, data: str | bytes) -> int:
        """Add text (as UTF-8) or bytes; how much that is. What was begun is dropped where it cannot be written."""
        try:
            if self._file is None:
                self._file = open(self._name, "wb")  # noqa: SIM115  # closed by `close` and `drop`
            self._file.write(data.encode() if isinstance(data, str) else data)
        except OSError as error:
            self.drop()
            raise unwritable(self._name, error) from error
        return len(data)

    def close(self) -> None:
        """Everything is written; only its place is still to be taken."""
        try:
            if self._file is not None:
                self._file.close()
        except OSError as error:
            self.drop()
            raise unwritable(self._name, error) from error

    def keep(self) -> None:
        """Put the file in its place. Does nothing where it was dropped."""
        if self._done:
            return
        if self._file is None:
            self.write(b"")
        self.close()
        try:
            if self._draft is not None:
                self._move(self._draft)
        except OSError as error:
            raise unwritable(self._name, error) from error
        finally:
            self.drop()

    def drop(self) -> None:
        """Leave no trace of what was written, but where that is a device or a pipe."""
        self._done = True
        with suppress(OSError):  # what fails now failed before, or is not wanted any more
            if self._file is not None:
                self._file.close()
        with suppress(OSError):
            if self._draft is not None:
                self._draft.unlink()

    def _begin(self, option: str) -> None:
        if self._new and os.path.lexists(self._name):
            raise _there(self._name)
        try:
            there = os.stat(self._name)
        except FileNotFoundError:
            there = None
        if not self._name:
            raise InvalidInput(option, "", "a file", sentence=f"{option}: the name is empty")
        if there is not None and stat.S_ISDIR(there.st_mode):
            raise InvalidInput(option, self._name, "a file", sentence=f"{option}: {self._name} is a folder, not a file")
        if there is None:
            self._open_draft()
        elif stat.S_ISREG(there.st_mode) and not self._name.startswith(_OPEN_FILES):
            # It may be protected, of which a rename takes no notice.
            os.close(os.open(self._name, os.O_WRONLY | os.O_CLOEXEC))
            try:
                self._open_draft(stat.S_IMODE(there.st_mode))
            except OSError:
                if os.access(self._place.parent, os.W_OK):
                    raise

    def _open_draft(self, mode: int | None = None) -> None:
        draft = self._place.with_name(f".orderstate-{os.urandom(8).hex()}")
        self._file = draft.open("xb")
        self._draft = draft
        if mode is not None:
            os.fchmod(self._file.fileno(), mode)

    def _move(self, draft: Path) -> None:
        if not self._new:
            os.replace(draft, self._place)
            return
        try:
            os.link(draft, self._name)  # which, unlike a rename, never takes the place of another file
        except FileExistsError as error:
            raise _there(self._name) from error
        except OSError:
            if os.path.lexists(self._name):
                raise _there(self._name) from None
            os.rename(draft, self._name)  # a file system without links


def check(name: str | Path, option: str = "file", *, new: bool = False) -> None:
    """Refuse what cannot be written, before the work is done that it is to hold. Raises what `Output` raises."""
    Output(name, option, new=new).drop()


def write(name: str | Path, data: str | bytes, option: str = "file") -> None:
    """Write a file; an older one stays as it is until then. Raises what `Output` raises."""
    with Output(name, option) as output:
        output.write(data)


def write_new(files: Mapping[str, str]) -> None:
    """Write new files, name to content: all of them or none. Raises what `Output` raises, Refused first of all."""
    drafts: dict[str, Output] = {}
    kept: list[str] = []
    try:
        for name, text in files.items():
            drafts[name] = Output(name, new=True)
            drafts[name].write(text)
            drafts[name].close()
        for name, draft in drafts.items():
            draft.keep()
            kept.append(name)
    except BaseException:
        for name in kept:
            with suppress(OSError):
                os.unlink(name)
        raise
    finally:
        for draft in drafts.values():
            draft.drop()


def unwritable(name: str | Path, error: OSError) -> OrderstateError:
    """What to tell where the system refused to write a file, or a pipe that is named as one."""
    named = os.fspath(name)
    folder = Path(named).parent
    if isinstance(error, FileNotFoundError | NotADirectoryError) and not os.path.isdir(folder):
        from shlex import quote

        hint = None if os.path.lexists(folder) else f"mkdir -p {quote(str(folder))}"
        return NotFound(f"there is no folder {folder}", code="no_folder", hint=hint, path=str(folder))
    sentence = f"{named} cannot be written: {error.strerror or error}"
    if error.errno in _FULL:
        return OrderstateError(sentence, code="disk_full", path=named)
    return ReadOnly(sentence, path=named)


@contextmanager
def temporary(prefix: str) -> Iterator[Path]:
    """A folder for files that nobody keeps. Raises OrderstateError (`disk_full`) where they have no room."""
    from tempfile import TemporaryDirectory, gettempdir

    place = gettempdir()
    try:
        with TemporaryDirectory(prefix=prefix) as folder:
            yield Path(folder)
    except (OSError, OrderstateError) as error:
        if isinstance(error, OSError):
            full = error.errno in _FULL
        else:
            # What was made a moment ago is not damaged: where it cannot be written, a limit was reached.
            full = isinstance(error, Damaged) or error.code == "disk_full"
            full = full and str(error.values.get("path", "")).startswith(os.path.join(place, prefix))
        if not full:
            raise
        raise OrderstateError(
            f"the folder for temporary files is full: {place}",
            hint="TMPDIR=FOLDER names one with more room",
            code="disk_full",
            path=place,
        ) from error


def _there(name: str) -> Refused:
    return Refused(f"{name} exists already", code="file_exists", hint="name another, or remove it", path=name)
