"""Facilities and stock counts from CSV files: every row is checked before anything is changed."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from orderstate.engine import Answer, Engine
from orderstate.engine.commands import Count, SetFacility, facility_code, pool_name, quantity, sku_code
from orderstate.errors import InvalidInput, NotFound, OrderstateError, Refused
from orderstate.geo import country, gateway_text, position
from orderstate.history.reading import expect_file
from orderstate.history.summary import BAD_SHOWN, BadRow
from orderstate.model import PRIMARY, Refusal

T = TypeVar("T")

Row = tuple[int, Mapping[str, str]]
"""The line at which a row begins (the header is line 1), and its values by column."""

_FACILITY = ("code", "country", "at", "lat", "lon", "name", "gateway", "priority", "closed")
_STOCK = ("facility", "sku", "on_hand", "pool", "safety", "grams")
_YES, _NO = ("yes", "true", "1", "y", "closed"), ("", "no", "false", "0", "n", "open")


class BadRows(OrderstateError):
    """A file has rows that cannot be used, so the whole file was refused."""

    code = "bad_rows"
    exit_status = 2


@dataclass(slots=True)
class Imported:
    """What an import did. `changed` counts facilities that were added, changed or counted anew."""

    file: str
    rows: int = 0
    kept: int = 0
    changed: int = 0
    bad: int = 0
    bad_rows: list[BadRow] = field(default_factory=list)
    """The first of them."""

    def document(self) -> dict[str, Any]:
        """The JSON shape."""
        return {
            "file": self.file,
            "rows": self.rows,
            "kept": self.kept,
            "changed": self.changed,
            "bad": self.bad,
            "bad_rows": [
                {"row": b.row, "column": b.column, "value": b.value, "reason": b.reason} for b in self.bad_rows
            ],
        }

    def reject(self, bad: BadRow) -> None:
        """Count a row that cannot be used."""
        self.bad += 1
        if len(self.bad_rows) < BAD_SHOWN:
            self.bad_rows.append(bad)

    def refuse(self) -> BadRows:
        """The error that names the bad rows."""
        return BadRows(
            f"{self.file}: {self.bad} of {self.rows} rows cannot be used, so nothing was changed",
            hint="mend the file, or keep its good rows with --bad keep",
            blocked=[Refusal("bad_row", str(b), None, {"row": b.row, "column": b.column}) for b in self.bad_rows],
            file=self.file,
            bad=self.bad,
        )


def import_facilities(
    engine: Engine, file: str | Path, *, skip_bad: bool = False, role: str = "operator", by: str | None = None
) -> Imported:
    """Add the facilities of a CSV file, or change those that are there; only the columns of the file change.

    Raises BadRows, with nothing changed, unless `skip_bad`; NotFound and InvalidInput for the file itself.
    """
    done = Imported(str(file))
    known = {f.code for f in engine.facilities()}
    wanted: dict[str, tuple[int, SetFacility]] = {}
    for row in _rows(Path(file), _FACILITY, ("code",), done):
        line, values = row
        try:
            command = _facility(values, known, role, by)
        except _Column as wrong:
            done.reject(wrong.row(line, values))
            continue
        if command.facility in wanted:
            done.reject(BadRow(line, "code", command.facility, f"new: row {wanted[command.facility][0]} has it"))
            continue
        wanted[command.facility] = line, command
    if done.bad and not skip_bad:
        raise done.refuse()
    for answer in engine.all_or_nothing(command for _, command in wanted.values()):
        done.kept += 1
        done.changed += answer.changed
    return done


def import_stock(
    engine: Engine, file: str | Path, *, skip_bad: bool = False, role: str = "operator", by: str | None = None
) -> Imported:
    """Take the rows of a CSV file as a stock count of the facilities in it. Safe to repeat.

    Raises BadRows, with nothing changed, unless `skip_bad`; NotFound and InvalidInput for the file itself.
    """
    done = Imported(str(file))
    facilities = [f.code for f in engine.facilities()]
    counted: dict[str, dict[tuple[str, str], tuple[int, tuple[Any, ...]]]] = {}
    for line, values in _rows(Path(file), _STOCK, ("facility", "sku", "on_hand"), done):
        try:
            code, item = _item(values, facilities)
        except _Column as wrong:
            done.reject(wrong.row(line, values))
            continue
        place = counted.setdefault(code, {})
        if (item[0], item[1]) in place:
            first = place[item[0], item[1]][0]
            done.reject(BadRow(line, "sku", item[0], f"counted once per pool of {code}: row {first} has it"))
            continue
        place[item[0], item[1]] = line, item
    _hold_tied(engine, counted, done)
    if done.bad and not skip_bad:
        raise done.refuse()
    commands = [
        Count(facility=code, items=[item for _, item in rows.values()], role=role, by=by)
        for code, rows in sorted(counted.items())
        if rows
    ]
    for command, answer in zip(commands, _count(engine, commands), strict=True):
        done.kept += len(command.items)
        done.changed += answer.changed
    return done


def _count(engine: Engine, commands: Sequence[Count]) -> list[Answer]:
    try:
        return engine.all_or_nothing(commands)
    except Refused as refused:
        # Somebody tied stock between the look at the counters and the count.
        refused.hint = "try again; nothing was changed"
        raise


def _hold_tied(
    engine: Engine, counted: Mapping[str, dict[tuple[str, str], tuple[int, tuple[Any, ...]]]], done: Imported
) -> None:
    """Take out the rows that count fewer units than orders hold there."""
    for code, rows in counted.items():
        for level in engine.stock(facility=code):
            found = rows.get((level.sku, level.pool))
            if found is not None and found[1][2] < level.allocated:
                del rows[level.sku, level.pool]
                tied = f"at least {level.allocated}, which orders hold there: orderstate list --facility {code}"
                done.reject(BadRow(found[0], "on_hand", str(found[1][2]), tied))


class _Column(Exception):
    """A column of a row cannot be used."""

    def __init__(self, column: str, expected: str) -> None:
        super().__init__(column)
        self.column = column
        self.expected = expected

    def row(self, line: int, values: Mapping[str, str]) -> BadRow:
        return BadRow(line, self.column, values.get(self.column, ""), self.expected)


def _read(column: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except InvalidInput as error:
        raise _Column(column, str(error.values["expected"])) from error
    except NotFound as error:
        raise _Column(column, f"known; {error.hint}" if error.hint else "known") from error


def _item(values: Mapping[str, str], facilities: Sequence[str]) -> tuple[str, tuple[Any, ...]]:
    code = values["facility"]
    if code not in facilities:
        raise _Column("facility", f"a facility: {NotFound.named('facility', code, facilities).hint or 'add it first'}")
    sku = _read("sku", lambda: sku_code(values["sku"]))
    pool = _read("pool", lambda: pool_name(values.get("pool") or PRIMARY))
    on_hand = _read("on_hand", lambda: quantity("on_hand", values["on_hand"], least=0))
    return code, (sku, pool, on_hand, _units(values, "safety"), _units(values, "grams"))


def _units(values: Mapping[str, str], name: str) -> int | None:
    return _read(name, lambda: quantity(name, values[name], least=0)) if values.get(name) else None


def _facility(values: Mapping[str, str], known: Iterable[str], role: str, by: str | None) -> SetFacility:
    code = _read("code", lambda: facility_code(values["code"]))
    new = code not in known
    found: dict[str, Any] = {}
    if values.get("country") or new:
        found["country"] = _read("country", lambda: country(values.get("country", "")))
    if "at" in values:
        found["at"] = values["at"] or None
    elif "lat" in values:
        both = values["lat"], values["lon"]
        found["at"] = ",".join(both) if any(both) else None
    if found.get("at"):
        _read("at" if "at" in values else "lat", lambda: position(found["at"]))
    if "name" in values:
        found["name"] = values["name"] or None
    if "gateway" in values:
        found["gateway"] = _read("gateway", lambda: gateway_text(values["gateway"])) if values["gateway"] else None
    if values.get("priority"):
        found["priority"] = _read("priority", lambda: quantity("priority", values["priority"], least=0))
    if "closed" in values:
        found["closed"] = _closed(values["closed"])
    return SetFacility(facility=code, values=found, new=new, role=role, by=by)


def _closed(text: str) -> bool:
    word = text.casefold()
    if word not in (*_YES, *_NO):
        raise _Column("closed", "yes or no")
    return word in _YES


def _rows(path: Path, known: Sequence[str], needed: Sequence[str], done: Imported) -> Iterator[Row]:
    """Every row with as many values as the header; the others are rejected. Raises NotFound, InvalidInput."""
    expect_file(path)
    lines = _Lines(path)
    reader = csv.reader(lines, strict=True)
    try:
        header = [name.strip().casefold() for name in next(reader, [])]
        _check_header(path, header, known, needed)
        while True:
            begins = reader.line_num + 1
            record = next(reader, None)
            if record is None:
                return
            if not record:
                continue
            done.rows += 1
            if len(record) == len(header):
                yield begins, dict(zip(header, (value.strip() for value in record), strict=True))
            else:
                done.reject(BadRow(begins, None, ",".join(record), f"a row of {len(header)} values, like the header"))
    except csv.Error as error:
        raise InvalidInput(f"{path} row {reader.line_num}", str(error), "CSV that can be read") from error


def _check_header(path: Path, header: Sequence[str], known: Sequence[str], needed: Sequence[str]) -> None:
    for name in header:
        if name not in known:
            unknown = NotFound.named("column", name, known)
            hint = unknown.hint or f"columns: {', '.join(known)}"
            raise InvalidInput(f"{path} row 1", name, f"one of the columns {', '.join(known)}", hint=hint)
        if header.count(name) > 1:
            raise InvalidInput(f"{path} row 1", name, "a column that is there once")
    missing = [name for name in needed if name not in header]
    if missing or ("lat" in header) is not ("lon" in header):
        odd = missing[0] if missing else "lat and lon"
        raise InvalidInput(f"{path} row 1", ",".join(header), f"a header with the column {odd}")
    if "at" in header and "lat" in header:
        raise InvalidInput(f"{path} row 1", ",".join(header), "a header with either at, or lat and lon")


class _Lines:
    """The lines of a UTF-8 file, unpacked where it is gzip. Raises InvalidInput naming the row where it breaks."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[str]:
        number = 0
        try:
            with self._open() as stream:
                for number, line in enumerate(stream, 1):
                    yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            shown = error.object[max(0, error.start - 10) : error.end + 10].decode("utf-8", "backslashreplace")
            raise InvalidInput(f"{self._path} row {number}", shown.strip(), "text in UTF-8") from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InvalidInput(f"{self._path} row {number + 1}", str(error), "a whole gzip file") from error

    def _open(self) -> IO[bytes]:
        with self._path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        # GzipFile reads like a binary file, but its type does not say so.
        return cast("IO[bytes]", gzip.open(self._path, "rb")) if packed else self._path.open("rb")
