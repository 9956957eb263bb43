"""The JSON Schema of flow files, with which editors complete names, explain fields and underline mistakes."""

from __future__ import annotations

from typing import Any

from orderstate.flow.declaring import MOST_LABEL, STOCK
from orderstate.flow.events import RESERVED
from orderstate.flow.naming import EVENT, EVERYWHERE, NAME
from orderstate.flow.timing import DURATION
from orderstate.guards import GUARDS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema (draft 2020-12). What it cannot say, such as that names are known, `check` says."""
    return {
        "$schema": DIALECT,
        "$id": "https://orderstate.invalid/flow.schema.json",
        "title": "orderstate flow",
        "description": "The states of an order, the triggers that move it, and what each state means for stock.",
        "type": "object",
        "properties": {
            "name": _words("What the flow is called. Default: the name of its file."),
            "extends": {
                "type": "string",
                "minLength": 1,
                "description": "`standard`, or a flow file beside this one. This file adds to it, replaces by name "
                "(a state; all transitions of a trigger; initial; path), and removes what stands under remove.",
                "examples": ["standard"],
            },
            "initial": {**_name(), "description": "The state in which every order begins; its stock is free."},
            "path": {
                "description": "The triggers of the main path, which `advance` fires in turn.",
                "type": "array",
                "items": _name(),
                "uniqueItems": True,
            },
            "states": {
                "description": "The states by name, in the order in which they are shown.",
                "type": "object",
                "propertyNames": {"pattern": _whole(NAME.pattern), "not": {"const": EVERYWHERE}},
                "additionalProperties": {"$ref": "#/$defs/state"},
            },
            "transitions": {
                "description": "Tried in this order: the first that all of its guards allow is taken.",
                "type": "array",
                "items": {"$ref": "#/$defs/transition"},
            },
            "remove": {
                "description": "What goes from the flow that is extended, and wherever that flow uses it.",
                "type": "object",
                "properties": {"states": _names(), "triggers": _names()},
                "additionalProperties": False,
            },
        },
        "additionalProperties": False,
        "anyOf": [{"required": ["extends"]}, {"required": ["states", "transitions", "initial", "path"]}],
        "dependentRequired": {"remove": ["extends"]},
        "$defs": {"state": _state(), "transition": _transition(), "guard": _guard()},
    }


def _whole(pattern: str) -> str:
    return f"^({pattern})$"


def _name() -> dict[str, Any]:
    return {"type": "string", "pattern": _whole(NAME.pattern)}


def _names() -> dict[str, Any]:
    return {"anyOf": [_name(), {"type": "array", "items": _name()}]}


def _words(description: str) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": MOST_LABEL, "description": description}


def _state() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "stock": {
                "enum": list(STOCK),
                "description": "What the state means for the stock of an order in it: free (nothing is tied), "
                "tied (its units are reserved), gone (they have left).",
            },
            "final": {"type": "boolean", "default": False, "description": "The order ends here."},
            "label": _words("What people call the state. Default: its name."),
            "after": {
                "type": "string",
                "pattern": _whole(DURATION),
                "description": "When the state's timer is due, counted from when the order came to it.",
                "examples": ["30m", "48h", "7d"],
            },
            "trigger": {**_name(), "description": "The trigger that the timer fires, as the role system."},
        },
        "required": ["stock"],
        "additionalProperties": False,
        "dependentRequired": {"after": ["trigger"], "trigger": ["after"]},
    }


def _transition() -> dict[str, Any]:
    sources = {
        "description": "The states that it leads out of; `any` is every state that is not final.",
        "anyOf": [_name(), {"type": "array", "items": {**_name(), "not": {"const": EVERYWHERE}}, "uniqueItems": True}],
    }
    target = {**_name(), "description": "The state that it leads to."}
    return {
        "type": "object",
        "properties": {
            "trigger": {**_name(), "description": "The verb that asks for it: tie_inventory, ship, cancel ..."},
            "from": sources,
            "sources": {**sources, "description": "Another spelling of from."},
            "to": target,
            "target": {**target, "description": "Another spelling of to."},
            "event": {
                "type": "string",
                "pattern": _whole(EVENT.pattern),
                "not": {"enum": list(RESERVED)},
                "description": "The event that it writes: what happened, in the past tense and in CamelCase.",
                "examples": ["InventoryTied", "ShippingStarted", "OrderCancelled"],
            },
            "guards": {
                "description": "Facts that must all hold.",
                "anyOf": [{"$ref": "#/$defs/guard"}, {"type": "array", "items": {"$ref": "#/$defs/guard"}}],
            },
        },
        "required": ["trigger", "event"],
        "allOf": [
            {"oneOf": [{"required": ["from"]}, {"required": ["sources"]}]},
            {"oneOf": [{"required": ["to"]}, {"required": ["target"]}]},
        ],
        "additionalProperties": False,
    }


def _guard() -> dict[str, Any]:
    """A registered guard, with the words that its parameters may be; or one of one's own."""
    named = {
        guard.name: {
            "description": guard.fact,
            "type": "object",
            "properties": {name: {"enum": list(words)} if words else {} for name, words in guard.params.items()},
            "additionalProperties": False,
        }
        for guard in GUARDS.values()
    }
    own = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
    return {
        "anyOf": [
            {"enum": list(GUARDS), "description": "A guard of this package."},
            {"type": "string", "minLength": 1, "description": "A guard of your own: its entry point, or module:name."},
            {
                "type": "object",
                "properties": named,
                "additionalProperties": own,
                "minProperties": 1,
                "maxProperties": 1,
            },
        ]
    }
