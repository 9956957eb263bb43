"""JSON Schema (draft 2020-12) of commands and orders as people and programs write them: what `reading.read` takes.

What a schema cannot say is left to `read`: that the same SKU is summed, that a name is known, and which signs beyond
ASCII are printable.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from orderstate.engine.commands import MAX_KEY, MAX_LINES, MAX_TEXT
from orderstate.engine.reading import FIELDS
from orderstate.model import MAX_QUANTITY, POOLS, ROLES, SHORT_POLICIES
from orderstate.settings import COUNTRIES

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"

_END = "$(?!\\n)"
"""The end. `$` alone is also before a newline at the end, in Python among others."""

_UP_TO_MAX = (
    "0*(?:[1-9]\\d{0,8}|1\\d{9}|20\\d{8}|21[0-3]\\d{7}|214[0-6]\\d{6}|2147[0-3]\\d{5}|21474[0-7]\\d{4}"
    "|214748[0-2]\\d{3}|2147483[0-5]\\d{2}|21474836[0-3]\\d|214748364[0-7])"
)
"""A whole number from 1 to MAX_QUANTITY, written in digits."""

_VISIBLE = "[^\\u0000-\\u0020\\u007f-\\u00a0\\ud800-\\udfff]"
_NO_NUL = "[^\\u0000\\ud800-\\udfff]"
_LATITUDE = "[+-]?0?(?:[0-8]?\\d(?:\\.\\d{1,20})?|90(?:\\.0{1,20})?)"
_LONGITUDE = "[+-]?(?:(?:0?\\d{1,2}|1[0-7]\\d)(?:\\.\\d{1,20})?|180(?:\\.0{1,20})?)"


def text(most: int = MAX_TEXT, *, least: int = 0) -> Schema:
    """Text that a database can keep; nothing where none is needed."""
    found: Schema = {"type": "string", "maxLength": most, "pattern": f"^{_NO_NUL}*{_END}"}
    return {**found, "minLength": least} if least else found


def optional(schema: Schema) -> Schema:
    """The same, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def quantity(least: int = 1) -> Schema:
    """A whole number of units, or its digits."""
    digits = _UP_TO_MAX if least else f"(?:0+|{_UP_TO_MAX})"
    return {
        "anyOf": [
            {"type": "integer", "minimum": least, "maximum": MAX_QUANTITY},
            {"type": "string", "maxLength": 39, "pattern": f"^\\s*{digits}\\s*{_END}"},
        ]
    }


def _signed() -> Schema:
    return {
        "anyOf": [
            {"type": "integer", "minimum": -MAX_QUANTITY, "maximum": MAX_QUANTITY, "not": {"const": 0}},
            {"type": "string", "maxLength": 39, "pattern": f"^\\s*[+-]?{_UP_TO_MAX}\\s*{_END}"},
        ]
    }


def order_id() -> Schema:
    """The id of an order that is there."""
    return {"type": "string", "pattern": f"^[A-Za-z0-9][A-Za-z0-9._-]{{0,255}}{_END}"}


def sku() -> Schema:
    """A SKU."""
    return {"type": "string", "minLength": 1, "maxLength": 64, "pattern": f"^{_VISIBLE}+(?: +{_VISIBLE}+)*{_END}"}


@cache
def _destination() -> str:
    codes = "|".join("".join(f"[{c}{c.lower()}]" for c in code) for code in sorted(COUNTRIES))
    return f"^\\s*(?:{codes})\\s*(?:@\\s*{_LATITUDE}\\s*,\\s*{_LONGITUDE}\\s*)?{_END}"


def destination() -> Schema:
    """`CC` or `CC@LAT,LON`, in degrees."""
    return {"type": "string", "description": "CC or CC@LAT,LON, such as US@39.74,-104.99", "pattern": _destination()}


def lines() -> Schema:
    """`{"MUG": 2}`, `[["MUG", 2]]` or `[{"sku": "MUG", "quantity": 2}]`."""
    pair = {"type": "array", "prefixItems": [sku(), quantity()], "minItems": 2, "maxItems": 2}
    return {
        "anyOf": [
            {
                "type": "object",
                "propertyNames": sku(),
                "additionalProperties": quantity(),
                "minProperties": 1,
                "maxProperties": MAX_LINES,
            },
            {
                "type": "array",
                "items": {"anyOf": [pair, closed({"sku": sku(), "quantity": quantity()}, ["sku", "quantity"])]},
                "minItems": 1,
            },
        ]
    }


def closed(properties: Mapping[str, Schema], required: list[str]) -> Schema:
    """An object of these fields and no others."""
    found: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return {**found, "required": required} if required else found


def _rows(*columns: Schema, least: int) -> Schema:
    return {
        "type": "array",
        "items": {"type": "array", "prefixItems": list(columns), "minItems": least, "maxItems": 5},
        "minItems": 1,
    }


def _fields() -> dict[str, Schema]:
    codes = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    facility = {"type": "string", "pattern": f"^[A-Za-z0-9][A-Za-z0-9._-]{{0,31}}{_END}"}
    own = {"type": "string", "pattern": f"^(?![0-9]+{_END})[A-Za-z0-9][A-Za-z0-9._-]{{0,63}}{_END}"}
    return {
        "key": optional(text(MAX_KEY, least=1)),
        "as": {"enum": list(ROLES)},
        "by": optional(text()),
        "order": order_id(),
        "if_version": optional(quantity()),
        "reason": optional(text()),
        "strategy": {"type": ["string", "null"]},
        "only": codes,
        "exclude": codes,
        "max_shipments": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
        "complete": {"type": "boolean"},
        "whole_lines": {"type": "boolean"},
        "lines": lines(),
        "to": destination(),
        "id": optional(own),
        "short": {"enum": [*SHORT_POLICIES, None]},
        "contact": optional(text()),
        "trigger": {"type": "string", "minLength": 1},
        "facility": facility,
        "sku": sku(),
        "quantity": quantity(),
        "pool": {"enum": list(POOLS)},
        "by_units": optional(_signed()),
        "to_units": optional(quantity(0)),
        "safety": optional(quantity(0)),
        "untie": {"type": "boolean"},
        "setting": {"type": "string"},
        "flow": {"anyOf": [{"const": "standard"}, {"type": "object"}], "description": "orderstate schema flow"},
        "map": {"type": "object", "additionalProperties": {"type": "string"}},
        "reopen": {"type": "boolean"},
    }


_REQUIRED = {
    "place": ["lines", "to"],
    "fire": ["order", "trigger"],
    "redirect": ["order", "to"],
    "split": ["order", "facility"],
    "adjust": ["facility", "sku"],
    "count": ["facility", "items"],
    "facility_add": ["facility"],
    "facility_set": ["facility"],
    "config_set": ["setting", "value"],
    "use_flow": ["flow"],
    "receive": ["facility"],
}
"""What a command cannot do without; the others need an order."""


def fields_of(name: str) -> Schema:
    """The object of one command, without the field `command` that names it."""
    fields = _fields()
    properties = {field: fields.get(field, {}) for field in FIELDS[name]}
    found = closed(properties, _REQUIRED.get(name, ["order"]))
    if name == "receive":
        properties["items"] = _rows(sku(), quantity(), {"enum": list(POOLS)}, least=2)
        one, many = ["sku", "quantity"], ["items"]
        # Where there is a list of items, a SKU beside it would be counted by nobody.
        found["oneOf"] = [
            {"required": one, "properties": {"items": False}},
            {"required": many, "properties": {"sku": False, "quantity": False, "pool": False}},
        ]
    elif name == "count":
        level = [quantity(0), optional(quantity(0)), optional(quantity(0))]
        properties["items"] = _rows(sku(), {"enum": list(POOLS)}, *level, least=3)
    elif name == "adjust":
        given = {n: {"required": [n], "properties": {n: {"not": {"type": "null"}}}} for n in ("by_units", "to_units")}
        safety = {"required": ["safety"], "properties": {"safety": {"not": {"type": "null"}}}}
        found["anyOf"] = [*given.values(), safety]
        found["not"] = {"allOf": list(given.values())}
    found["properties"] = properties
    return found


def command() -> Schema:
    """One command as `orderstate run` reads it."""
    variants = []
    for name in FIELDS:
        one = fields_of(name)
        one["properties"] = {"command": {"const": name}, **one["properties"]}
        one["required"] = ["command", *one["required"]]
        variants.append({"title": name, **one})
    return {"$schema": DRAFT, "title": "command", "description": "One line of orderstate run.", "oneOf": variants}


def order() -> Schema:
    """One order as `orderstate place --file` reads it."""
    found = fields_of("place")
    found["properties"] = {"command": {"const": "place"}, **found["properties"]}
    return {"$schema": DRAFT, "title": "order", "description": "One order of orderstate place --file.", **found}
