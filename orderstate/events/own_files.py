"""The files of a database, which are neither written as a sink nor read as a source.

Known by their name and by their place on the disk, so that a link, another spelling or a redirection does not hide one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from orderstate.errors import InvalidInput
from orderstate.events.brokers.address import is_url

_BESIDE = re.compile(r"-(wal|shm|journal|lock|relay-[0-9a-f]{16})")
"""What stands behind the database's name: SQLite's own files, the writer lock, the locks of relays."""

_STANDARD = "-"


def refuse_own(database: Path, field: str, name: str, standard: int) -> None:
    """Raises InvalidInput with that field where a sink or source of that name is a file of the database.

    `standard`: the descriptor that a `-` stands for.
    """
    if not is_url(name) and _belongs(database, name, standard):
        raise InvalidInput(
            field,
            name,
            "a file that is not the database's own",
            sentence=f"{field}: {name} belongs to the database {database}, and holds no events to be written or read",
            hint=f"name another file, such as --{field} events.ndjson",
        )


def _belongs(database: Path, name: str, standard: int) -> bool:
    homes = {database.absolute(), database.resolve()}
    if name != _STANDARD:
        paths = {Path(name).absolute(), Path(name).resolve()}
        if any(path.parent == home.parent and _is_named(path.name, home.name) for path in paths for home in homes):
            return True
    try:
        there = os.fstat(standard) if name == _STANDARD else os.stat(name)
        return any(os.path.samestat(there, own) for home in homes for own in _own(home))
    except OSError:  # it is not there, or the caller closed it
        return False


def _is_named(name: str, database: str) -> bool:
    behind = name.removeprefix(database)
    return name == database or (behind != name and _BESIDE.fullmatch(behind) is not None)


def _own(home: Path) -> Iterator[os.stat_result]:
    with os.scandir(home.parent) as entries:
        for entry in entries:
            if _is_named(entry.name, home.name):
                yield os.stat(entry.path)
