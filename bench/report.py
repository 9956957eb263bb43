"""How the benchmarks speak: plain tables, medians, and a budget beside each ratio."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Table:
    """A plain table: the first column to the left, the others to the right."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """One more row."""
        self.rows.append(cells)

    def text(self) -> str:
        """The table as it is printed."""
        widths = [max(map(len, column)) for column in zip(self.columns, *self.rows, strict=True)]
        lines = [self.title, ""]
        for row in (self.columns, ["-" * width for width in widths], *self.rows):
            first, *others = (
                cell.rjust(width) if place else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            lines.append("  ".join(["  " + first, *others]).rstrip())
        if self.notes:
            lines += ["", *("  " + note for note in self.notes)]
        return "\n".join([*lines, ""])

    def print(self) -> None:
        """To standard output."""
        print(self.text(), flush=True)


def against(ratio: float, budget: float) -> tuple[str, str, str]:
    """Three cells: the ratio, its budget, and whether it keeps it."""
    return f"{ratio:.2f}x", f"{budget:g}x", "kept" if ratio <= budget else "MISSED"


def machine() -> str:
    """What the figures were measured on, in one line."""
    cores = len(os.sched_getaffinity(0))
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python}, SQLite {sqlite3.sqlite_version}, {platform.system()} {platform.machine()}, {cores} cores"
