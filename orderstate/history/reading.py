"""One pass over a file of orders: CSV, plain or .gz, read as a stream; every row is used, left out, or bad."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from orderstate.engine.commands import sku_code
from orderstate.errors import InvalidInput, NotFound
from orderstate.history.mapping import OrderMapping
from orderstate.history.summary import BadRow
from orderstate.model import MAX_QUANTITY

if TYPE_CHECKING:
    from _csv import Reader as _Records  # the type of csv.reader(), which has no public name

    from _typeshed import WriteableBuffer as Buffer

_QUANTITY = re.compile(r"([+-]?)(\d{1,12})(?:\.0*)?", re.ASCII)
_BAD_QUANTITY = f"a whole number from 1 to {MAX_QUANTITY}"
_ENCODING = "name the file's encoding in the mapping, such as encoding: cp1252"
MAX_ORDER = 40
"""The longest order number, which is a part of ids and keys."""


class Row(NamedTuple):
    """One usable row: so many units of one SKU on one order, or taken back by one cancellation.

    A tuple, because a million of them go straight into the spool. `at` is UTC microseconds, `line` counts the file's
    lines from 1, the header's; `destination` is empty on a cancellation.
    """

    order: str
    cancels: int
    at: int
    customer: str | None
    destination: str
    sku: str
    units: int
    line: int


class Reader:
    """The rows of one file. Iterate once; the counts are complete when the iteration is.

    `on_bad` gets every bad row, `on_left_out` the line, order number and reason of every row that a rule leaves out,
    `on_order` each order number that differs from the row's before. Raises NotFound for a missing file and InvalidInput
    for one that has not the columns that the mapping names.
    """

    def __init__(
        self,
        file: str | Path,
        mapping: OrderMapping,
        *,
        on_bad: Callable[[BadRow], None] | None = None,
        on_left_out: Callable[[int, str, str], None] | None = None,
        on_order: Callable[[str], None] | None = None,
    ) -> None:
        self.path = Path(file)
        self.mapping = mapping
        self.rows = 0
        self.bad = 0
        self.left_out: Counter[str] = Counter()
        self._on_bad = on_bad
        self._on_left_out = on_left_out
        self._on_order = on_order
        self._newest = ""
        self._moment = lru_cache(4096)(mapping.moment)
        self._where = lru_cache(4096)(mapping.where)
        self._sku = lru_cache(65_536)(sku_code)
        self._names = tuple(mapping.columns)
        self._at: tuple[int, ...] = ()
        self._columns: list[str] = []

    def __iter__(self) -> Iterator[Row]:
        expect_file(self.path)
        with _Source(self.path) as source:
            text = io.TextIOWrapper(
                io.BufferedReader(source, 1 << 16), self.mapping.encoding, errors="surrogateescape", newline=""
            )
            records = csv.reader(text, delimiter=self.mapping.delimiter, strict=True)
            width = self._header(records, source)
            for line, record in self._records(records, source):
                read = self._read(line, record, width)
                if isinstance(read, BadRow):
                    self._reject(read)
                    continue
                self.rows += 1
                if read is not None:
                    yield read

    def _header(self, records: _Records, source: _Source) -> int:
        try:
            header = [name.strip() for name in next(records, [])]
        except (UnicodeError, csv.Error) as error:
            raise InvalidInput(
                f"{self.path}: row 1", str(error), f"a header in {self.mapping.encoding}", hint=_ENCODING
            ) from error
        if not header:
            what = f"whole: {source.cut}" if source.cut else "a CSV file with a header: it is empty"
            raise InvalidInput("file", str(self.path), what)
        for column in self.mapping.columns.values():
            if column not in header:
                missing = NotFound.named("column", column, header).hint
                expected = f"a header with the column {column!r} that mapping {self.mapping.name} names"
                raise InvalidInput(f"{self.path}: row 1", self.mapping.delimiter.join(header), expected, hint=missing)
            if header.count(column) > 1:
                raise InvalidInput(f"{self.path}: row 1, column {column}", column, "a column that is there once")
        self._at = tuple(header.index(column) for column in self.mapping.columns.values())
        self._columns = header
        return len(header)

    def _records(self, records: _Records, source: _Source) -> Iterator[tuple[int, list[str]]]:
        """(line, record), one behind what was read: the last record of a file that is cut is not to be trusted."""
        waiting: tuple[int, list[str]] | None = None
        record: list[str] | None = []
        while record is not None:
            begins = records.line_num + 1
            try:
                record = next(records, None)
            except (csv.Error, UnicodeError) as error:
                if waiting is not None:
                    yield waiting
                waiting = None
                if isinstance(error, csv.Error):
                    self._reject(BadRow(begins, None, str(error), "readable CSV"))
                    continue
                source.cut = f"this is no {self.mapping.encoding} ({error})"
                record = None
            if record:
                if waiting is not None:
                    yield waiting
                waiting = (begins, record)
        if source.cut is not None:
            self._reject(BadRow(waiting[0] if waiting else begins, None, source.cut, "the end of a whole file"))
        elif waiting is not None:
            yield waiting

    def _read(self, line: int, record: list[str], width: int) -> Row | BadRow | None:
        if len(record) != width:
            return self._wrong_width(line, record, width)
        if not "".join(record).isascii():
            for column, value in zip(self._columns, record, strict=True):
                if any("\udc80" <= sign <= "\udcff" for sign in value):
                    shown = value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
                    return BadRow(line, column, shown, f"text in {self.mapping.encoding}")
        given = {name: record[at].strip() for name, at in zip(self._names, self._at, strict=True)}
        number = given["order"]
        if number != self._newest and self._on_order is not None:
            self._newest = number
            self._on_order(number)
        cancels = self.mapping.cancellation is not None and self.mapping.cancellation.fullmatch(number) is not None
        units = _units(given["quantity"])
        if cancels and units is not None:
            units = abs(units)
        if self.mapping.upper_sku:
            given["sku"] = given["sku"].upper()
        for rule in self.mapping.leave_out:
            if rule.holds(given[rule.field], units):
                self.left_out[rule.reason] += 1
                if self._on_left_out is not None:
                    self._on_left_out(line, number, rule.reason)
                return None
        return self._usable(line, given, units, cancels)

    def _usable(self, line: int, given: dict[str, str], units: int | None, cancels: bool) -> Row | BadRow:
        number, customer = given["order"], given.get("customer", "")
        if not 1 <= len(number) <= MAX_ORDER or not self.mapping.order_id(number)[len(self.mapping.order_prefix) :]:
            return self._bad(line, "order", given, f"an order number of 1 to {MAX_ORDER} letters and digits")
        if units is None or not 1 <= units <= MAX_QUANTITY:
            return self._bad(line, "quantity", given, _BAD_QUANTITY)
        try:
            at = self._moment(given["date"])
        except (ValueError, OverflowError):
            form = "an ISO 8601 date" if self.mapping.date_format == "iso" else f"a date in {self.mapping.date_format}"
            return self._bad(line, "date", given, f"{form}, from 1970 on")
        try:
            sku = self._sku(given["sku"])
        except InvalidInput as error:
            return self._bad(line, "sku", given, str(error.values["expected"]))
        if cancels:
            return Row(number, 1, at, customer or None, "", sku, units, line)
        name = "destination" if "destination" in given else "country"
        try:
            where = self._where(given.get(name, ""), customer, number)
        except InvalidInput as error:
            also = ", or a name under `countries` of the mapping" if name == "country" else ""
            return self._bad(line, name, given, f"{error.values['expected']}{also}")
        return Row(number, 0, at, customer or None, where, sku, units, line)

    def _bad(self, line: int, name: str, given: dict[str, str], expected: str) -> BadRow:
        return BadRow(line, self.mapping.columns.get(name), given.get(name, ""), expected)

    def _wrong_width(self, line: int, record: list[str], width: int) -> BadRow:
        text = self.mapping.delimiter.join(record)
        if len(record) < width:
            ends = f"a whole row: it ends after {len(record)} of {width} columns"
            return BadRow(line, self._columns[len(record)], text, ends)
        return BadRow(line, None, text, f"a row of {width} columns: it has {len(record)}")

    def _reject(self, row: BadRow) -> None:
        self.rows += 1
        self.bad += 1
        if self._on_bad is not None:
            self._on_bad(row)


def _units(text: str) -> int | None:
    """A whole number, also as `6.0`, the way tables are often exported; None for anything else."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        return None
    return -int(found[2]) if found[1] == "-" else int(found[2])


def expect_file(path: Path) -> None:
    """Raises NotFound where there is none, InvalidInput for a folder."""
    if path.is_dir():
        raise InvalidInput("file", str(path), "a CSV file", sentence=f"{path} is a folder, not a CSV file")
    if not path.is_file():
        raise NotFound(f"there is no file {path}", code="no_file", path=str(path))


class _Source(io.RawIOBase):
    """The bytes of a file, unpacked where they are gzip. Where they break off, `cut` says why and the stream ends."""

    def __init__(self, path: Path) -> None:
        self.cut: str | None = None
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise InvalidInput("file", str(path), f"a file that can be read ({error.strerror})") from error
        packed = self._file.peek(2)[:2] == b"\x1f\x8b"
        self._stream = gzip.GzipFile(fileobj=self._file) if packed else self._file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        try:
            # One piece at a time: what was unpacked before the break still comes through.
            piece = self._stream.read1(len(view))
        except (EOFError, zlib.error, OSError) as error:
            self.cut = str(error)
            return 0
        view[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
            self._file.close()
        super().close()
