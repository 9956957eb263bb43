"""Results on disk: a file is there whole or not at all."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from orderstate.errors import InvalidInput
from orderstate.history.simulating.result import COLUMNS, Simulation


def write_csv(found: Simulation, file: str | Path) -> None:
    """One row for each strategy in each scenario. Raises InvalidInput for a file that cannot be written."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    write.writerow(COLUMNS)
    write.writerows(found.csv_rows())
    write_whole(file, out.getvalue(), "csv")


def write_whole(file: str | Path, text: str, option: str) -> None:
    """Write a text file beside its place, then put it there: whoever looks sees the old file or the new one, whole.

    Raises InvalidInput, with the option as its field, for a file that cannot be written.
    """
    path = Path(file)
    draft = None
    try:
        descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with open(descriptor, "w", encoding="utf-8", newline="") as out:
            out.write(text)
        os.chmod(draft, 0o666 & ~_umask())
        os.replace(draft, path)
        draft = None
    except OSError as error:
        raise InvalidInput(option, str(file), f"a file that can be written: {error.strerror}") from error
    finally:
        if draft is not None:
            with suppress(OSError):
                os.unlink(draft)


def check_writable(file: str | Path | None, option: str) -> None:
    """Refuse a place that cannot take the file, before the work that it should hold is done. Raises InvalidInput."""
    if file is None:
        return
    path = Path(file)
    if path.is_dir():
        raise InvalidInput(option, str(file), "a file: it is a folder")
    if not path.parent.is_dir():
        raise InvalidInput(option, str(file), f"a file in a folder that is there: {path.parent} is not")
    if not os.access(path.parent, os.W_OK):
        raise InvalidInput(option, str(file), f"a file in a folder that can be written: {path.parent} cannot")


def _umask() -> int:
    """What new files may not have; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
