"""Sample notices to try templates on: of each event one that says all it can, and one that says the least."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orderstate.events.notify.message import Notice
from orderstate.model import Destination, Event, Line, Order

NOON = 1_767_268_800_000_000
"""2026-01-01 12:00 UTC in microseconds."""

SOURCE = "/orderstate/00000000000000000000000000000000"

_LINES: list[list[Any]] = [["CUP", 1], ["MUG", 2]]

_Told = tuple[str, str | None, str, Mapping[str, Any], Mapping[str, Any]]
"""Trigger, from, to, the payload that says most, and the one that says least."""

_EVENTS: Mapping[str, _Told] = {
    "OrderPlaced": ("", None, "pending", {"lines": _LINES}, {"lines": [["MUG", 1]]}),
    "InventoryTied": ("tie_inventory", "pending", "inventory_tied", {"reason": "in stock again"}, {}),
    "OrderBackordered": ("tie_inventory", "pending", "backordered", {"short": {"MUG": 1}}, {"short": {}}),
    "InventoryUntied": ("untie", "inventory_tied", "pending", {"reason": "not paid in time"}, {}),
    "OrderReduced": (
        "cancel", "inventory_tied", "inventory_tied", {"cancelled": [["CUP", 1]], "reason": "ordered twice"},
        {"cancelled": [["MUG", 1]]},
    ),
    "OrderRedirected": (
        "redirect", "pending", "pending", {"from": "CA@45.5,-73.6", "destination": "US@39.74,-104.99"},
        {"from": "US", "destination": "US@39.74,-104.99"},
    ),
    "OrderSplit": (
        "split", "inventory_tied", "inventory_tied", {"child": "1001-2", "moved": [["CUP", 1]]},
        {"child": "1001-2", "moved": []},
    ),
    "ShippingStarted": (
        "ship", "inventory_tied", "shipping", {"shipments": [["CHICAGO", 1], ["DENVER", 2]]},
        {"shipments": [["DENVER", 1]]},
    ),
    "OrderDelivered": ("deliver", "shipping", "delivered", {"reason": "left with a neighbour"}, {}),
    "OrderCancelled": ("cancel", "pending", "cancelled", {"reason": "no longer needed"}, {}),
}  # fmt: skip


def samples(*more: str) -> dict[str, tuple[Notice, Notice]]:
    """Event type to its two notices; `more` names events of a flow of one's own, which say nothing beside a reason."""
    own: dict[str, _Told] = {name: ("act", "pending", "pending", {"reason": "a reason"}, {}) for name in more}
    return {name: _pair(name, *found) for name, found in {**_EVENTS, **own}.items()}


def _pair(
    name: str, trigger: str, source: str | None, target: str, most: Mapping[str, Any], least: Mapping[str, Any]
) -> tuple[Notice, Notice]:
    full = Order(
        id="1001",
        state=target,
        version=3,
        placed_at=NOON,
        entered_at=NOON,
        destination=Destination("US", 39.74, -104.99),
        short="backorder",
        lines=(Line("CUP", 1), Line("MUG", 2)),
        contact="Ada Lovelace <ada@example.org>",
    )
    bare = Order(
        id="1001",
        state=target,
        version=3,
        placed_at=NOON,
        entered_at=NOON,
        destination=Destination("US"),
        short="backorder",
        lines=(Line("MUG", 1),),
    )
    said = Event("1001", 3, name, NOON, "customer", "ada", trigger or None, source, target, most)
    silent = Event("1001", 3, name, NOON, "system", None, trigger or None, source, target, least)
    return Notice(said, full, SOURCE, "Mug Shop"), Notice(silent, bare, SOURCE)
