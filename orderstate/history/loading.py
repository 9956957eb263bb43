"""From a mapping file to an OrderMapping: every mistake is named with its file and its field."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import yaml

from orderstate.errors import InvalidInput
from orderstate.geo import country, destination, position
from orderstate.history.mapping import FIELDS, REQUIRED, LeaveOut, OrderMapping, Towns

KEYS = (
    "name", "encoding", "delimiter", "columns", "date_format", "timezone", "order_prefix", "sku_case", "country",
    "countries", "towns", "cancellation", "leave_out",
)  # fmt: skip
_RULE_KEYS = ("field", "matches", "at_most", "missing", "reason")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}\Z")


def load(path: Path) -> OrderMapping:
    """Read a mapping file. Raises InvalidInput, naming file and field."""
    return _Loading(path).mapping()


class _Text(yaml.SafeLoader):
    """YAML in which every scalar is text, so that the country NO stays a country, and no key is given twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # the library's own class attribute, emptied

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Loading:
    """One mapping file on its way to an OrderMapping; keeps the file's name for the errors."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            found = yaml.load(path.read_text(encoding="utf-8"), _Text)
        except UnicodeDecodeError as error:
            raise InvalidInput(str(path), error.object[error.start : error.start + 8], "text in UTF-8") from error
        except OSError as error:
            raise InvalidInput("map", str(path), f"a file that can be read: {error.strerror}") from error
        except yaml.MarkedYAMLError as error:
            mark, problem = error.problem_mark, error.problem or "cannot be read"
            place = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
            raise InvalidInput(place, problem, "YAML that can be read") from error
        except yaml.YAMLError as error:
            raise InvalidInput(str(path), str(error), "YAML that can be read") from error
        if not isinstance(found, dict):
            raise InvalidInput(str(path), found, "a mapping of fields such as columns: and date_format:")
        self.found: dict[str, Any] = found

    def wrong(self, name: str, value: object, expected: str) -> NoReturn:
        raise InvalidInput(f"{self.path}: {name}", value, expected)

    def mapping(self) -> OrderMapping:
        self.known(self.found, KEYS, "")
        name = self.text("name", self.path.stem)
        if not _NAME.match(name):
            self.wrong("name", name, "1 to 50 letters, digits, '.', '_' or '-'")
        columns = self.columns()
        return OrderMapping(
            name=name,
            columns=columns,
            encoding=self.encoding(),
            delimiter=self.delimiter(),
            date_format=self.date_format(),
            timezone=self.timezone(),
            order_prefix=self.order_prefix(),
            upper_sku=self.choice("sku_case", ("as_is", "upper"), "as_is") == "upper",
            country=self.country("country", self.found["country"]) if "country" in self.found else None,
            countries={key: self.country(f"countries.{key}", value) for key, value in self.group("countries").items()},
            towns=self.towns(),
            cancellation=self.pattern("cancellation", self.found["cancellation"])
            if "cancellation" in self.found
            else None,
            leave_out=tuple(self.rule(place, given) for place, given in enumerate(self.rules())),
        )

    def known(self, given: Iterable[str], names: Sequence[str], within: str) -> None:
        for key in given:
            if key not in names:
                self.wrong(f"{within}{key}", key, "one of the fields " + ", ".join(names))

    def text(self, name: str, default: str | None = None) -> str:
        value = self.found.get(name, default)
        if not isinstance(value, str) or not value:
            self.wrong(name, value, "text")
        return value

    def choice(self, name: str, words: Sequence[str], default: str) -> str:
        value = self.text(name, default)
        if value not in words:
            self.wrong(name, value, "one of " + ", ".join(words))
        return value

    def group(self, name: str) -> dict[str, Any]:
        value = self.found.get(name, {})
        if not isinstance(value, dict):
            self.wrong(name, value, "names with values")
        return value

    def columns(self) -> dict[str, str]:
        columns = self.group("columns")
        self.known(columns, FIELDS, "columns.")
        for name, column in columns.items():
            if not isinstance(column, str) or not column:
                self.wrong(f"columns.{name}", column, "the name of a column")
        for name in REQUIRED:
            if name not in columns:
                self.wrong("columns", list(columns), f"complete: {name} is missing")
        given = [name for name in ("country", "destination") if name in columns]
        given += ["country"] if "country" in self.found else []
        if len(given) != 1:
            self.wrong(
                "columns", list(columns), "complete with one of country and destination (or a country for all orders)"
            )
        return columns

    def encoding(self) -> str:
        name = self.text("encoding", "utf-8").lower()
        try:
            "".encode(name)
        except LookupError:
            self.wrong("encoding", name, "an encoding that Python knows, such as utf-8 or cp1252")
        # The signature that Windows programs put before UTF-8 is no part of the first column's name.
        return "utf-8-sig" if name in ("utf-8", "utf8", "utf_8") else name

    def delimiter(self) -> str:
        value = self.text("delimiter", ",")
        value = "\t" if value in ("tab", "\\t") else value
        if len(value) != 1 or value in '"\r\n':
            self.wrong("delimiter", value, "one character, or tab")
        return value

    def date_format(self) -> str:
        value = self.text("date_format", "iso")
        if value == "iso":
            return value
        try:
            datetime.strptime(datetime(2011, 12, 9, 12, 50).strftime(value), value)
        except ValueError as error:
            self.wrong("date_format", value, f"iso or a strptime format ({error})")
        if "%" not in value:
            self.wrong("date_format", value, "iso or a strptime format such as %d.%m.%Y %H:%M")
        return value

    def timezone(self) -> tzinfo:
        name = self.text("timezone", "UTC")
        offset = re.fullmatch(r"([+-])(\d\d):(\d\d)", name)
        if name == "UTC":
            return UTC
        if offset is not None:
            minutes = int(offset[2]) * 60 + int(offset[3])
            if minutes < 24 * 60:
                return timezone(timedelta(minutes=minutes if offset[1] == "+" else -minutes))
        try:
            return ZoneInfo(name)
        # An unknown name is a KeyError or a ValueError, and a directory of zones is an OSError.
        except (KeyError, ValueError, OSError):
            self.wrong("timezone", name, "UTC, an offset such as +01:00, or a zone such as Europe/London")

    def order_prefix(self) -> str:
        value = self.text("order_prefix", "OR-")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]{0,15}", value):
            self.wrong("order_prefix", value, "1 to 16 letters, digits, '.', '_' or '-', a letter first")
        return value

    def country(self, name: str, value: object) -> str:
        try:
            return country(value if isinstance(value, str) else "")
        except InvalidInput as error:
            self.wrong(name, value, str(error.values["expected"]))

    def pattern(self, name: str, value: object) -> re.Pattern[str]:
        try:
            return re.compile(value if isinstance(value, str) and value else "(")
        except re.error as error:
            self.wrong(name, value, f"a regular expression ({error})")

    def rules(self) -> list[Any]:
        value = self.found.get("leave_out", [])
        if not isinstance(value, list):
            self.wrong("leave_out", value, "a list of rules")
        return value

    def rule(self, place: int, given: Any) -> LeaveOut:
        name = f"leave_out[{place}]"
        if not isinstance(given, dict):
            self.wrong(name, given, "a rule such as {field: quantity, at_most: 0, reason: an adjustment}")
        self.known(given, _RULE_KEYS, f"{name}.")
        column = given.get("field")
        if column not in self.group("columns"):
            self.wrong(f"{name}.field", column, "one of the fields under columns")
        reason = given.get("reason")
        if not isinstance(reason, str) or not reason:
            self.wrong(f"{name}.reason", reason, "words that say why such a row is left out")
        tests = [key for key in ("matches", "at_most", "missing") if key in given]
        if len(tests) != 1:
            self.wrong(name, tests, "a rule with one of matches, at_most and missing")
        if "matches" in given:
            return LeaveOut(column, reason, matches=self.pattern(f"{name}.matches", given["matches"]))
        if "missing" in given:
            if given["missing"] != "true":
                self.wrong(f"{name}.missing", given["missing"], "true")
            return LeaveOut(column, reason)
        if column != "quantity" or not re.fullmatch(r"-?\d{1,9}", str(given["at_most"])):
            self.wrong(f"{name}.at_most", given["at_most"], "a whole number, in a rule about the quantity")
        return LeaveOut(column, reason, at_most=int(given["at_most"]))

    def towns(self) -> Towns | None:
        given = self.found.get("towns")
        if given is None:
            return None
        if not isinstance(given, dict) or set(given) != {"country", "file"} or not isinstance(given["file"], str):
            self.wrong("towns", given, "a country and a file, such as {country: GB, file: towns.csv}")
        code = self.country("towns.country", given["country"])
        path = self.path.parent / given["file"]
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            self.wrong("towns.file", given["file"], f"a CSV file that can be read beside the mapping ({error})")
        found = []
        for line, row in enumerate(rows, start=2):
            try:
                latitude, longitude = position(f"{row.get('latitude')},{row.get('longitude')}")
            except InvalidInput as error:
                raise InvalidInput(
                    f"{path}: row {line}", row, "a town with its latitude and longitude in degrees"
                ) from error
            found.append(str(destination(f"{code}@{latitude:.10g},{longitude:.10g}")))
        if not found:
            self.wrong("towns.file", given["file"], "a file with the columns town, latitude and longitude, and towns")
        return Towns(code, tuple(found))
