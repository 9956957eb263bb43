"""The JSON Schema of scenario files, with which editors complete names, explain fields and underline mistakes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orderstate.flow.editor import DIALECT
from orderstate.flow.timing import DURATION
from orderstate.model import POOLS, ROLES, SHORT_POLICIES
from orderstate.scenario.reading import MOST_TITLE
from orderstate.scenario.script import AT, REPEAT, TOGETHER, USE_FLOW, WAIT, WORK
from orderstate.scenario.vocabulary import COMMANDS, COUNTERS, EXPECT, FACILITY, FLAGS, NAME, PLAN, VERBS, WHOLE
from orderstate.settings import SETTINGS

_WHOLE: dict[str, Any] = {"type": "integer", "minimum": 0}
_UNITS: dict[str, Any] = {"type": "integer", "minimum": 1}
_TEXT: dict[str, Any] = {"type": ["string", "number"]}
"""Texts may look like numbers: the order 1001, the SKU 4711."""
_REFERENCE = "`${a}` is the order of the step named a."

_COMMANDS = {
    "place": "Record an order; nothing is reserved yet.",
    "tie": "Tie the best stock to the order.",
    "untie": "Give the order's stock back.",
    "ship": "Send the order off.",
    "deliver": "The goods arrived.",
    "fire": "Fire any trigger of the flow.",
    "advance": "Take the next main step.",
    "cancel": "Cancel the order, or `lines` of it.",
    "redirect": "Send the order elsewhere.",
    "split": "Let one facility's part of a tied order move by itself.",
    "receive": "Goods came in.",
    "adjust": "Correct what is on hand, or the safety stock.",
    "count": "A stock count: rows of [SKU, POOL, ON HAND, SAFETY, GRAMS].",
    "facility_add": "Add a facility.",
    "facility_set": "Change the named fields of a facility.",
    "config_set": "Change a setting.",
}
_FIELDS: dict[str, dict[str, Any]] = {
    "lines": {
        "description": "SKUs to units.",
        "anyOf": [
            {"type": "object", "additionalProperties": _UNITS, "minProperties": 1},
            {"type": "array", "minItems": 1},
        ],
    },
    "items": {"description": "Rows, each beginning with a SKU.", "type": "array", "items": {"type": "array"}},
    "to": {"type": "string", "description": "Where to: CC@LAT,LON or CC.", "examples": ["US@39.74,-104.99"]},
    "order": {**_TEXT, "description": f"The order. {_REFERENCE}"},
    "key": {"type": "string", "description": "Makes it safe to repeat. Default: the place of the step in the script."},
    "as": {"enum": list(ROLES), "description": "Who asks. Default: operator."},
    "by": {"type": "string", "description": "A name to keep with the event."},
    "short": {"enum": list(SHORT_POLICIES), "description": "What the order does when stock does not cover it."},
    "pool": {"enum": list(POOLS), "default": "primary"},
    "if_version": {
        "type": ["integer", "string"],
        "description": "Only at this version; `${a.version}` is the one now.",
    },
    "only": {"description": "Only from these facilities.", "type": ["string", "array"], "items": {"type": "string"}},
    "exclude": {"description": "Not from these facilities.", "type": ["string", "array"], "items": {"type": "string"}},
    "costs": {"type": "object", "description": "Costs of this facility alone, in minor units.", "propertyNames": {}},
    "country": {"type": "string", "pattern": "^[A-Za-z]{2}$", "description": "ISO 3166."},
    "at": {"type": ["string", "null"], "description": "LAT,LON in degrees.", "examples": ["39.86,-104.67"]},
    "setting": {"enum": list(SETTINGS)},
    "value": {"type": ["string", "number", "null"], "description": "null: back to the default."},
}


def schema() -> dict[str, Any]:
    """The schema (draft 2020-12). What it cannot say, such as that `${a}` was made before, reading says."""
    return {
        "$schema": DIALECT,
        "$id": "https://orderstate.invalid/scenario.schema.json",
        "title": "orderstate scenario",
        "description": "A world, steps, and what is expected beside each; run with `orderstate run FILE`.",
        "type": "object",
        "properties": {
            "scenario": {"type": "string", "minLength": 1, "maxLength": MOST_TITLE, "description": "The title."},
            "about": {"type": "string", "description": "Words about it."},
            "world": {"$ref": "#/$defs/world"},
            "steps": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/step"}},
        },
        "required": ["scenario", "steps"],
        "additionalProperties": False,
        "$defs": {
            "world": _world(),
            "facility": _closed({name: _field(name) for name in FACILITY}, ["country"]),
            "held": _held(),
            "flow": _flow(),
            "name": {"type": "string", "pattern": f"^{NAME.pattern}$"},
            "step": _step(),
            "member": _member(),
            "expect": _expect(),
            **{f"command.{name}": _command(name, fields) for name, fields in COMMANDS.items()},
            f"command.{USE_FLOW}": _use_flow(),
        },
    }


def _closed(properties: dict[str, Any], required: Iterable[str] = ()) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": list(required)} if required else found


def _map(values: dict[str, Any], description: str) -> dict[str, Any]:
    return {"type": "object", "description": description, "additionalProperties": values}


def _field(name: str) -> dict[str, Any]:
    if name in _FIELDS:
        return _FIELDS[name]
    if name in WHOLE:
        return {"type": "integer"}
    return {"type": "boolean"} if name in FLAGS else {**_TEXT, "type": ["string", "number", "null"]}


def _world() -> dict[str, Any]:
    settings = {
        name: {"type": ["string", "number"], "description": f"{one.doc} ({one.unit})"} for name, one in SETTINGS.items()
    }
    return _closed(
        {
            "clock": {
                "type": "string",
                "description": "When it begins. Only `wait` and `at` move it.",
                "default": "2026-01-01T00:00:00Z",
            },
            "flow": {"$ref": "#/$defs/flow"},
            "unchecked": {
                "type": "boolean",
                "description": "The flow is in force although the check refuses it, to see what would happen.",
            },
            "settings": {**_closed(settings), "description": "As `orderstate config set`."},
            "facilities": _map({"$ref": "#/$defs/facility"}, "Facilities by code."),
            "stock": _map(_map({"$ref": "#/$defs/held"}, "SKUs by name."), "What each facility holds."),
        }
    )


def _held() -> dict[str, Any]:
    of_pools = _closed(dict.fromkeys(POOLS, _WHOLE))
    safety = {"anyOf": [_WHOLE, of_pools], "description": "Units that are not for sale."}
    whole = _closed(
        {**dict.fromkeys(POOLS, _WHOLE), "safety": safety, "grams": {**_WHOLE, "description": "Of a unit."}}
    )
    return {"description": "Units in the primary pool, or more.", "anyOf": [_WHOLE, whole]}


def _flow() -> dict[str, Any]:
    return {
        "description": "`standard`, a flow file beside this one, or a flow itself. Default: the standard flow.",
        "type": ["string", "object"],
    }


def _command(name: str, fields: list[str]) -> dict[str, Any]:
    required = {"place": ["lines", "to"], "redirect": ["to"], "fire": ["trigger"], "split": ["facility"]}.get(name, [])
    whole = _closed({field: _field(field) for field in fields}, [*required, *(["order"] if "order" in fields else [])])
    whole["description"] = _COMMANDS.get(name, name)
    if "order" not in fields:
        return whole
    return {"description": whole["description"], "anyOf": [{**_TEXT, "description": _REFERENCE}, whole]}


def _use_flow() -> dict[str, Any]:
    states = _map({"type": "string"}, "Old states to new ones, for orders in states that the flow lacks.")
    common = {name: _field(name) for name in ("reopen", "key", "as", "by")}
    whole = _closed({"flow": {"$ref": "#/$defs/flow"}, "map": states, **common}, ["flow"])
    return {"description": "Put another flow in force.", "anyOf": [{"type": "string"}, whole]}


def _verbs() -> dict[str, Any]:
    commands = {name: {"$ref": f"#/$defs/command.{name}"} for name in (*COMMANDS, USE_FLOW)}
    return {
        **commands,
        REPEAT: {"$ref": "#/$defs/name", "description": "The command of that step once more, with the same key."},
    }


def _step() -> dict[str, Any]:
    verbs = {
        **_verbs(),
        WAIT: {"type": "string", "pattern": f"^{DURATION}$", "description": "Time passes; timers fire on the way."},
        AT: {"type": "string", "description": "Time passes up to this moment."},
        WORK: {
            "type": ["string", "array"],
            "minItems": 1,
            "items": {"type": "string"},
            "description": "Subscribers hear of what happened: these, or `all` that are switched on but notify.",
        },
        TOGETHER: {
            "type": "array",
            "minItems": 2,
            "items": {"$ref": "#/$defs/member"},
            "description": "Commands at the same time, each with an engine of its own.",
        },
    }
    named = {"as": {"$ref": "#/$defs/name", "description": "What later steps call it: `${NAME}` is its order."}}
    found = _closed({**verbs, **named, "expect": {"$ref": "#/$defs/expect"}})
    return {**found, "oneOf": [{"required": [verb]} for verb in VERBS]}


def _member() -> dict[str, Any]:
    found = _closed({**_verbs(), "as": {"$ref": "#/$defs/name"}})
    return {**found, "oneOf": [{"required": [verb]} for verb in (*COMMANDS, USE_FLOW, REPEAT)]}


def _texts(description: str) -> dict[str, Any]:
    return {"type": ["string", "array"], "items": {"type": "string"}, "description": description}


def _expect() -> dict[str, Any]:
    counters = dict.fromkeys(COUNTERS, _WHOLE)
    of_sku = {**_closed({**counters, **dict.fromkeys(POOLS, _closed(counters))}), "minProperties": 1}
    amount = {"type": ["string", "number"], "description": "In minor units, such as 5.30."}
    plan = {
        "facilities": _texts("The facilities that ship."),
        "allocations": {"type": "array", "items": {"type": "array", "minItems": 4, "maxItems": 4}},
        "strategy": {"type": "string"},
        "optimal": {"type": "boolean"},
    }
    known: dict[str, Any] = {
        "exit": {**_WHOLE, "maximum": 255, "description": "The exit status. Default: 0."},
        "error": {"type": "string", "description": "The code of the error."},
        "refused": _texts("The codes of all reasons, in any order."),
        "state": {"type": "string", "description": "The order's state after the step."},
        "version": {**_UNITS, "description": "The order's version after the step."},
        "changed": {"type": "boolean", "description": "false: there was nothing to do."},
        "repeated": {"type": "boolean", "description": "true: the key was known, so nothing was done now."},
        "events": _texts("The types of the events that the step wrote, in order."),
        "stock": _map(_map(of_sku, "SKUs to counters."), "Facilities to SKUs to counters."),
        "orders": _map({"type": "string"}, "Names of steps, or ids of orders, to states."),
        "plan": _closed({name: plan[name] for name in PLAN}),
        "cost": amount,
        "bound": amount,
        "short": _map(_UNITS, "SKUs to the units that are missing."),
        "exits": {"type": "array", "items": _WHOLE, "description": "The exit statuses of `together`, in any order."},
        "says": {"type": "string", "description": "A part of what the error says."},
    }
    return _closed({name: known[name] for name in EXPECT})
