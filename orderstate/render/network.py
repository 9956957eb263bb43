"""Facilities, stock, settings, strategies, and what the doctor found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orderstate.model import Facility, StockLevel
from orderstate.render.documents import costs, position
from orderstate.render.tables import Column, Row
from orderstate.settings import SETTINGS

FACILITIES = (
    Column("facility"),
    Column("country"),
    Column("at"),
    Column("name", folds=True, optional=True),
    Column("gateway", optional=True),
    Column("priority", number=True),
    Column("closed", optional=True),
    Column("costs", folds=True, optional=True),
)
STOCK = (
    Column("facility"),
    Column("sku", folds=True),
    Column("pool"),
    Column("on_hand", number=True),
    Column("allocated", number=True),
    Column("safety", number=True),
    Column("available", number=True),
)
SETTING = (
    Column("setting"),
    Column("value", folds=True),
    Column("default", folds=True),
    Column("unit", folds=True),
    Column("doc", folds=True),
)
SETTING_DRAWN = (
    Column("setting"),
    Column("value", folds=True),
    Column("instead of", folds=True, optional=True),
    Column("what it is", folds=True),
)
STRATEGIES = (Column("strategy"), Column("doc", folds=True))
FINDINGS = (Column("level"), Column("code"), Column("sentence", folds=True))


def facilities(found: Iterable[Facility]) -> Iterator[Row]:
    """Rows of FACILITIES."""
    for f in found:
        amounts = " ".join(f"{name}={amount}" for name, amount in costs(f.costs).items())
        yield f.code, f.country, position(f), f.name, f.gateway, f.priority, "closed" if f.closed else None, amounts


def stock(found: Iterable[StockLevel]) -> Iterator[Row]:
    """Rows of STOCK."""
    for s in found:
        yield s.facility, s.sku, s.pool, s.on_hand, s.allocated, s.safety, s.available


def settings_drawn(found: Iterable[tuple[str, str]]) -> Iterator[Row]:
    """Rows of SETTING_DRAWN: the default is told where it is not in force."""
    for key, value in found:
        declared = SETTINGS[key]
        default = None if value == declared.default else declared.default or "none"
        yield key, value, default, f"{declared.doc} ({declared.unit})"


def settings(found: Iterable[tuple[str, str]]) -> Iterator[Row]:
    """Rows of SETTING, from keys and the values in force."""
    for key, value in found:
        declared = SETTINGS[key]
        yield key, value, declared.default, declared.unit, declared.doc
