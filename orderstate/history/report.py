"""The report of an import: every row and every unit that did not become what the file says, and why."""

from __future__ import annotations

import csv
from pathlib import Path

from orderstate.history.summary import BAD_SHOWN, BadRow
from orderstate.outputs import Output

COLUMNS = ("kind", "row", "invoice", "column", "value", "reason")
"""kind: bad or left_out (a row of the file), refused (an order or a step), shipped or unmatched (cancelled units)."""


class Report:
    """Keeps the first bad rows, and writes everything to a CSV file if one is named.

    That file is there when the import has ended, also where it was refused. Raises what `Output` raises.
    """

    def __init__(self, path: str | Path | None) -> None:
        self.first_bad: list[BadRow] = []
        self._file = None if path is None else Output(path, "report")
        if self._file is not None:
            self._write = csv.writer(self._file, lineterminator="\n").writerow
            self._write(COLUMNS)

    def __enter__(self) -> Report:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._file is None:
            return
        if kind is None or issubclass(kind, Exception):
            self._file.keep()
        else:
            self._file.drop()

    def bad(self, row: BadRow) -> None:
        """A row that cannot be used."""
        if len(self.first_bad) < BAD_SHOWN:
            self.first_bad.append(row)
        self._note("bad", row.row, None, row.column, row.value, f"not {row.reason}")

    def left_out(self, line: int, invoice: str, reason: str) -> None:
        """A row that a rule of the mapping leaves out."""
        self._note("left_out", line, invoice, None, None, reason)

    def refused(self, invoice: str, step: str, reason: str) -> None:
        """An order that was not placed, or a step that was not made."""
        self._note("refused", None, invoice, None, step, reason)

    def not_cancelled(self, kind: str, invoice: str, sku: str, units: int, reason: str) -> None:
        """Units of a cancellation that were `shipped` before, or `unmatched`."""
        self._note(kind, None, invoice, sku, units, reason)

    def _note(self, *row: object) -> None:
        if self._file is not None:
            self._write(row)
