"""Many orders, a row each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orderstate.model import OrderSummary
from orderstate.render.tables import Column, Row
from orderstate.render.words import iso, minute

LIST = (
    Column("order"),
    Column("state"),
    Column("version", number=True),
    Column("placed_at"),
    Column("entered_at"),
    Column("destination"),
    Column("units", number=True),
    Column("parent"),
)
LIST_DRAWN = (
    Column("order"),
    Column("state"),
    Column("since", folds=True),
    Column("to", folds=True),
    Column("units", number=True),
    Column("parent", optional=True),
)


def listed(found: Iterable[OrderSummary]) -> Iterator[Row]:
    """Rows of LIST."""
    for o in found:
        yield o.id, o.state, o.version, iso(o.placed_at), iso(o.entered_at), o.destination, o.open_units, o.parent


def listed_drawn(found: Iterable[OrderSummary]) -> Iterator[Row]:
    """Rows of LIST_DRAWN."""
    for o in found:
        yield o.id, o.state, minute(o.entered_at), o.destination, o.open_units, o.parent
