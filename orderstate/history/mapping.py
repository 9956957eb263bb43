"""What the columns of a file of orders mean: read from a few lines of YAML. docs/import.md has its format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zlib import crc32

from orderstate.errors import NotFound
from orderstate.geo import country, destination

MAPS = Path(__file__).parent / "maps"
REQUIRED = ("order", "date", "sku", "quantity")
FIELDS = (*REQUIRED, "customer", "country", "destination")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class LeaveOut:
    """A rule that leaves rows out: the field's whole text `matches`, a quantity is `at_most`, or nothing is there."""

    field: str
    reason: str
    matches: re.Pattern[str] | None = None
    at_most: int | None = None

    def holds(self, text: str, units: int | None) -> bool:
        """Whether the row goes. `units` is None where the quantity is no number."""
        if self.at_most is not None:
            return units is not None and units <= self.at_most
        return self.matches.fullmatch(text) is not None if self.matches else not text


@dataclass(frozen=True, slots=True)
class Towns:
    """The towns that customers of one country live in: positions in degrees, in the order of the table."""

    country: str
    destinations: tuple[str, ...]

    def of(self, customer: str) -> str:
        """A customer's destination: the customer's number modulo the length of the table; CRC-32 of what is no number.

        Any other country's customers are not asked about here.
        """
        number = int(customer) if customer.isascii() and customer.isdigit() else crc32(customer.encode())
        return self.destinations[number % len(self.destinations)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMapping:
    """How a file of orders is read. `columns` maps order, date, sku, quantity, customer, country and destination."""

    name: str
    columns: Mapping[str, str]
    encoding: str = "utf-8"
    delimiter: str = ","
    date_format: str = "iso"
    timezone: tzinfo = UTC
    order_prefix: str = "OR-"
    upper_sku: bool = False
    country: str | None = None
    """Where every order goes, for a file with neither a country nor a destination."""
    countries: Mapping[str, str] = field(default_factory=dict)
    towns: Towns | None = None
    cancellation: re.Pattern[str] | None = None
    leave_out: tuple[LeaveOut, ...] = ()

    @classmethod
    def load(cls, given: str | Path) -> OrderMapping:
        """A mapping by its built-in name (`online-retail`) or from a file.

        Raises NotFound for neither and InvalidInput, naming file and field, for what the file has wrong.
        """
        built = MAPS / f"{given}.yaml"
        path = built if str(given) in built_in() else Path(given)
        if not path.is_file():
            raise NotFound.named("mapping", str(given), built_in(), hint=f"a file, or {' or '.join(built_in())}")
        from orderstate.history.loading import load  # whoever reads a mapping needs YAML, nobody else

        return load(path)

    def order_id(self, number: str) -> str:
        """The id of the order with that number: the prefix, and `-` for whatever an id cannot hold."""
        return (self.order_prefix + re.sub(r"[^A-Za-z0-9._-]+", "-", number).strip("-"))[:64]

    def moment(self, text: str) -> int:
        """UTC microseconds since 1970. Raises ValueError for what the format does not read, or a time before 1970."""
        iso = self.date_format == "iso"
        read = datetime.fromisoformat(text) if iso else datetime.strptime(text, self.date_format)
        if read.tzinfo is None:
            read = read.replace(tzinfo=self.timezone)
        at = (read - EPOCH) // _MICROSECOND
        if at < 0:
            raise ValueError(text)
        return at

    def where(self, place: str, customer: str, number: str) -> str:
        """The destination of an order. `place` is the country or destination column. Raises InvalidInput."""
        if "destination" in self.columns:
            return str(destination(place))
        code = self.country or self.countries.get(place) or country(place)
        if self.towns is not None and self.towns.country == code:
            return self.towns.of(customer or number)
        return code


def built_in() -> tuple[str, ...]:
    """The names of the mappings that come with the package."""
    return tuple(sorted(path.stem for path in MAPS.glob("*.yaml")))
