"""What an import did, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

BAD_SHOWN = 20
"""How many bad rows a summary names."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used, by its line in the file (the header is line 1) and the column at fault."""

    row: int
    column: str | None
    value: str
    reason: str
    """What the value is not."""

    def __str__(self) -> str:
        place = f"row {self.row}" + (f", column {self.column}" if self.column else "")
        return f"{place}: {self.value!r} is not {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What `import_orders` read, placed and played. Counts of this file alone; units are units of goods."""

    file: str
    mapping: str
    replay: bool
    rows: int
    """Rows of data in the file, bad ones among them."""
    left_out: Mapping[str, int]
    """Rows that a rule of the mapping left out, by its reason."""
    bad: int
    """Rows that could not be used."""
    bad_rows: tuple[BadRow, ...] = ()
    """The first 20 of them."""
    invoices: int
    """Different order numbers in the file, whatever became of their rows."""
    orders: int
    """Orders with at least one usable row: placed, repeated or refused."""
    cancellations: int
    """Cancellation invoices with at least one usable row."""
    placed: int
    """Orders that this run placed."""
    repeated: int
    """Orders that an earlier run had placed."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """Orders that the engine would not place, by the error's code."""
    children: int = 0
    """Orders that were split off because stock did not cover the whole."""
    backordered: int = 0
    """Orders, children among them, that were put to wait for stock."""
    several_facilities: int = 0
    """Orders, children among them, that were tied to more than one facility."""
    units_ordered: int = 0
    units_tied: int = 0
    units_cancelled: int = 0
    units_shipped_before: int = 0
    """Cancelled on paper, refused because they had left."""
    units_unmatched: int = 0
    """Cancelled on paper, but no order of that customer held them."""
    states: Mapping[str, int] = field(default_factory=dict)
    """Orders, children among them, by the state in which the import left them."""
    seconds: float = 0.0
    exit_status: int = 0
    """0, or the exit status of the first order that was refused."""

    @property
    def rate(self) -> float:
        """Orders a second, over reading and writing."""
        return (self.placed + self.repeated) / self.seconds if self.seconds else 0.0

    def document(self) -> dict[str, object]:
        """The JSON shape: every field by its name, and `rate`."""
        return {**asdict(self), "seconds": round(self.seconds, 3), "rate": round(self.rate, 1)}
