"""Notices to be told, for tests: one of each event, small to write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from orderstate.events.notify import Message, Notice, render
from orderstate.model import Destination, Event, Line, Order

NOON = 1_767_268_800_000_000
"""2026-01-01 12:00 UTC in microseconds."""

SOURCE = "/orderstate/4f0c9d2b6a1e4c7f8d3b5a9e0c1d2f3a"
ADA = "Ada Lovelace <ada@example.org>"

ORDER = Order(
    id="1001",
    state="pending",
    version=1,
    placed_at=NOON,
    entered_at=NOON,
    destination=Destination("US", 39.74, -104.99),
    short="backorder",
    lines=(Line("CUP", 1), Line("MUG", 3, cancelled=1)),
    contact=ADA,
)


def notice(
    kind: str = "InventoryTied",
    payload: dict[str, Any] | None = None,
    *,
    shop: str = "Mug Shop",
    role: str = "operator",
    trigger: str | None = None,
    **order: Any,
) -> Notice:
    """One event of ORDER, whose fields `order` replaces."""
    told = replace(ORDER, **order)
    event = Event(told.id, 2, kind, NOON, role, None, trigger, "pending", "pending", payload or {})
    return Notice(event, told, SOURCE, shop)


def message(kind: str = "InventoryTied", payload: dict[str, Any] | None = None, **more: Any) -> Message:
    """The message that the built-in templates make of a notice."""
    made = render(notice(kind, payload, **more))
    assert made is not None
    return made
