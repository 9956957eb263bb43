"""A small shop for tests of the command line, and what a command of it printed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from worlds import rows

KANSAS_CITY = "US@39.1,-94.58"


@dataclass(frozen=True, slots=True)
class Result:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def documents(self) -> list[Any]:
        """Every line of stdout as JSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def document(self) -> Any:
        """The only JSON document of stdout."""
        (found,) = self.documents
        return found

    @property
    def error(self) -> Any:
        """The only JSON error of stderr."""
        (line,) = self.err.splitlines()
        return json.loads(line)["error"]

    @property
    def tsv(self) -> list[dict[str, str]]:
        """The rows of stdout by the names of its header."""
        header, *lines = self.out.splitlines()
        return [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]


class Cli(Protocol):
    """Runs one command line."""

    def __call__(self, *arguments: str, human: bool = False, width: int = 80, stdin: bytes = b"") -> Result: ...


def database() -> Path:
    """The database of the folder that the test works in."""
    return Path("orderstate.db")


def counted(table: str) -> int:
    """How many rows a table has."""
    return int(rows(database(), f"SELECT count(*) FROM {table}")[0][0])
