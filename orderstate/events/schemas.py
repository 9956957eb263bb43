"""JSON Schema (draft 2020-12) of the messages that come in and of the events that go out: CloudEvents 1.0 in JSON.

Fields beside those that are named, CloudEvents' own extensions among them, are let through in the envelope; in the data
of a command they are not, so that a slip of the pen is not taken for an order.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from orderstate.engine.schemas import DRAFT, Schema, closed, destination, fields_of, optional, order_id, quantity, sku
from orderstate.events.applying import COMMANDS
from orderstate.events.incoming import LONGEST
from orderstate.model import ROLES, SHORT_POLICIES

_NAME: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": LONGEST,
    "pattern": "^[^\\u0000-\\u001f\\u007f-\\u00a0\\ud800-\\udfff]*$(?!\\n)",
}
_JSON: Schema = {
    "type": "string",
    "pattern": "^\\s*[Aa][Pp][Pp][Ll][Ii][Cc][Aa][Tt][Ii][Oo][Nn]/[Jj][Ss][Oo][Nn]\\s*(?:;|$(?!\\n))",
}


def message(kind: str) -> Schema:
    """A message of one type that asks for something: PlaceOrder, CancelOrder, StockReceived, ShipmentDelivered."""
    name = COMMANDS[kind]
    data = fields_of(name)
    found = _envelope({"const": kind}, data)
    if name in ("cancel", "deliver"):
        # The subject will do as the order.
        data["required"] = [field for field in data["required"] if field != "order"]
        named = {"properties": {"data": {"required": ["order"]}}}
        found["anyOf"] = [named, {"required": ["subject"], "properties": {"subject": {**order_id(), "maxLength": 256}}}]
    return {
        "$schema": DRAFT,
        "title": kind,
        "description": f"A message that orderstate consume takes: {name}.",
        **found,
    }


def event() -> Schema:
    """An event as `relay` sends it and `consume` follows it."""
    data: Schema = {
        "type": "object",
        "properties": {
            "as": {"enum": list(ROLES)},
            "by": {"type": "string"},
            "trigger": {"type": "string"},
            "to": {"type": "string", "description": "the state that the order moved to"},
        },
    }
    found = _envelope({"type": "string", "minLength": 1, "maxLength": LONGEST}, data)
    found["properties"]["sequence"] = {"type": "string", "pattern": "^[1-9][0-9]*$"}
    found["properties"]["sequencetype"] = {"const": "Integer"}
    found["properties"]["partitionkey"] = {"type": "string"}
    found["required"] = [*found["required"], "subject"]
    found["allOf"] = [_needs(kind, fields) for kind, fields in _PAYLOADS.items()]
    return {"$schema": DRAFT, "title": "event", "description": "An event of an orderstate database.", **found}


def _envelope(kind: Schema, data: Schema) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "specversion": {"const": "1.0"},
            "id": _NAME,
            "source": _NAME,
            "type": kind,
            "subject": optional(_NAME),
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": _JSON,
            "data": data,
        },
        "required": ["specversion", "id", "source", "type", "data"],
    }


def _units() -> Schema:
    """Units by SKU, in pairs."""
    pair = {"type": "array", "prefixItems": [sku(), quantity()], "minItems": 2, "maxItems": 2}
    return {"type": "array", "items": pair, "minItems": 1}


_PAYLOADS: dict[str, Schema] = {
    "OrderPlaced": closed(
        {"destination": destination(), "lines": _units(), "short": {"enum": [*SHORT_POLICIES, None]}},
        ["destination", "lines"],
    ),
    "OrderReduced": closed({"cancelled": _units()}, ["cancelled"]),
    "OrderSplit": closed({"child": {"type": "string"}, "moved": _units()}, ["moved"]),
    "OrderRedirected": closed({"destination": destination()}, ["destination"]),
    "InventoryTied": closed({"plan": {"type": "object"}}, []),
    "OrderBackordered": closed({"short": {"type": "object", "additionalProperties": quantity()}}, []),
}
"""What the data of a type must hold beside what all events have."""


def _needs(kind: str, fields: Schema) -> Schema:
    wanted = {name: value for name, value in fields.items() if name != "additionalProperties"}
    is_one = {"properties": {"type": {"const": kind}}, "required": ["type"]}
    return {"if": is_one, "then": {"properties": {"data": wanted}}}


MESSAGES: dict[str, Callable[[], Schema]] = {"event": event, **{kind: partial(message, kind) for kind in COMMANDS}}
"""Every schema of this room by its name."""
