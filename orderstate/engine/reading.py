"""Commands from JSON documents: what `run`, `place -f` and programs in other languages send."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orderstate.allocation import NO_OPTIONS, Options
from orderstate.engine.commands import (
    VERBS,
    Adjust,
    Advance,
    Cancel,
    Command,
    Configure,
    Count,
    Fire,
    Place,
    Receive,
    Redirect,
    SetFacility,
    Split,
    UseFlow,
)
from orderstate.errors import InvalidInput, NotFound
from orderstate.machine import CANCEL, TIE

_COMMON = {"key": "key", "as": "role", "by": "by"}
_PLAN = ("only", "exclude", "max_shipments", "complete", "whole_lines")
_TRIGGERS = {verb: trigger for trigger, verb in VERBS.items() if trigger != CANCEL}  # a cancel has its own fields


def read(document: object) -> Command:
    """The command that a JSON object describes: `{"command": "place", "lines": {"MUG": 2}, "to": "US"}`.

    Raises InvalidInput for a field that is missing, unknown or cannot be used.
    """
    if not isinstance(document, Mapping):
        raise InvalidInput("command", document, 'a JSON object such as {"command": "ship", "order": "1001"}')
    fields = dict(document)
    name = fields.pop("command", None)
    if not isinstance(name, str):
        raise InvalidInput("command", name, "one of " + ", ".join(_READERS))
    if name not in _READERS:
        raise InvalidInput("command", name, "one of " + ", ".join(_READERS), hint=_near(name, list(_READERS)))
    common = {ours: fields.pop(theirs) for theirs, ours in _COMMON.items() if theirs in fields}
    try:
        command = _READERS[name](fields, common)
    except KeyError as missing:
        raise InvalidInput(str(missing.args[0]), None, f"a value, which {name} needs") from missing
    if fields:
        odd, known = next(iter(fields)), FIELDS[name]
        raise InvalidInput("field", odd, f"a field of {name}: {', '.join(known)}", hint=_near(odd, known))
    return command


def _near(name: str, known: list[str]) -> str | None:
    return NotFound.named("", name, known).hint


def _lines(given: object) -> Any:
    """`{"MUG": 2}`, `[["MUG", 2]]` or `[{"sku": "MUG", "quantity": 2}]`."""
    if isinstance(given, Mapping):
        return given
    if not isinstance(given, list):
        raise InvalidInput("lines", given, 'an object such as {"MUG": 2}')
    pairs = []
    for item in given:
        if isinstance(item, Mapping) and set(item) == {"sku", "quantity"}:
            pairs.append((item["sku"], item["quantity"]))
        elif isinstance(item, list) and len(item) == 2:
            pairs.append((item[0], item[1]))
        else:
            raise InvalidInput("lines", item, 'a pair such as {"sku": "MUG", "quantity": 2}')
    return pairs


def _items(given: object) -> list[list[object]]:
    if not isinstance(given, list) or not all(isinstance(item, list) and 2 <= len(item) <= 5 for item in given):
        raise InvalidInput("items", given, 'a list such as [["MUG", 10, "primary"]]')
    return given


def _options(fields: dict[str, Any]) -> Options:
    given = {name: fields.pop(name) for name in _PLAN if name in fields}
    for name in ("only", "exclude"):
        if name in given:
            codes = [given[name]] if isinstance(given[name], str) else given[name]
            if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
                raise InvalidInput(name, given[name], "a facility code or a list of them")
            given[name] = frozenset(codes)
    for name in ("complete", "whole_lines"):
        if name in given and not isinstance(given[name], bool):
            raise InvalidInput(name, given[name], "true or false")
    return Options(**given) if given else NO_OPTIONS


def _to_order(fields: dict[str, Any], common: dict[str, Any]) -> dict[str, Any]:
    found = {"order": fields.pop("order"), **common}
    if "if_version" in fields:
        found["if_version"] = fields.pop("if_version")
    return found


def _taken(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: fields.pop(name) for name in names if name in fields}


def _place(fields: dict[str, Any], common: dict[str, Any]) -> Command:
    more = _taken(fields, "id", "short", "contact")
    return Place(lines=_lines(fields.pop("lines")), to=_text("to", fields.pop("to")), **more, **common)


def _fire(trigger: str | None) -> Callable[[dict[str, Any], dict[str, Any]], Command]:
    def read_one(fields: dict[str, Any], common: dict[str, Any]) -> Command:
        given = trigger if trigger is not None else fields.pop("trigger")
        plans = trigger in (None, TIE)
        more = _taken(fields, "reason", "strategy") if plans else _taken(fields, "reason")
        options = _options(fields) if plans else NO_OPTIONS
        return Fire(trigger=given, options=options, **_to_order(fields, common), **more)

    return read_one


def _advance(fields: dict[str, Any], common: dict[str, Any]) -> Command:
    more = _taken(fields, "strategy")
    return Advance(options=_options(fields), **_to_order(fields, common), **more)


def _cancel(fields: dict[str, Any], common: dict[str, Any]) -> Command:
    lines = _lines(fields.pop("lines")) if "lines" in fields else None
    return Cancel(lines=lines, **_to_order(fields, common), **_taken(fields, "reason"))


def _redirect(fields: dict[str, Any], common: dict[str, Any]) -> Command:
    return Redirect(to=_text("to", fields.pop("to")), **_to_order(fields, common))


def _split(fields: dict[str, Any], common: dict[str, Any]) -> Command:
    return Split(facility=fields.pop("facility"), **_to_order(fields, common))


def _receive(fields: dict[str, Any], common: dict[str, Any]) -> Command:
    if "items" in fields:
        items = _items(fields.pop("items"))
    else:
        items = [[fields.pop("sku"), fields.pop("quantity"), *_taken(fields, "pool").values()]]
    return Receive(facility=fields.pop("facility"), items=items, **common)


def _adjust(fields: dict[str, Any], common: dict[str, Any]) -> Command:
    names = ("pool", "by_units", "to_units", "safety", "untie", "reason")
    return Adjust(facility=fields.pop("facility"), sku=fields.pop("sku"), **_taken(fields, *names), **common)


def _count(fields: dict[str, Any], common: dict[str, Any]) -> Command:
    rows = [[*item, *[None] * (5 - len(item))] for item in _items(fields.pop("items"))]
    return Count(facility=fields.pop("facility"), items=rows, **common)


def _facility(new: bool) -> Callable[[dict[str, Any], dict[str, Any]], Command]:
    def read_one(fields: dict[str, Any], common: dict[str, Any]) -> Command:
        code = fields.pop("facility")
        values = _taken(fields, "at", "country", "name", "gateway", "priority", "closed", "costs")
        return SetFacility(facility=code, values=values, new=new, **common)

    return read_one


def _config(fields: dict[str, Any], common: dict[str, Any]) -> Command:
    value = fields.pop("value")
    return Configure(setting=fields.pop("setting"), value=None if value is None else str(value), **common)


def _use_flow(fields: dict[str, Any], common: dict[str, Any]) -> Command:
    return UseFlow(flow=fields.pop("flow"), mapping=fields.pop("map", {}), reopen=fields.pop("reopen", False), **common)


def _text(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidInput(field, value, "text")
    return value


_READERS: dict[str, Callable[[dict[str, Any], dict[str, Any]], Command]] = {
    "place": _place,
    **{name: _fire(trigger) for name, trigger in _TRIGGERS.items()},
    "fire": _fire(None),
    "advance": _advance,
    "cancel": _cancel,
    "redirect": _redirect,
    "split": _split,
    "receive": _receive,
    "adjust": _adjust,
    "count": _count,
    "facility_add": _facility(True),
    "facility_set": _facility(False),
    "config_set": _config,
    "use_flow": _use_flow,
}

_EVERY = ["key", "as", "by"]
_ORDER = ["order", "if_version"]
FIELDS: dict[str, list[str]] = {
    "place": ["lines", "to", "id", "short", "contact", *_EVERY],
    "tie": [*_ORDER, "reason", "strategy", *_PLAN, *_EVERY],
    **{name: [*_ORDER, "reason", *_EVERY] for name in ("untie", "ship", "deliver")},
    "fire": [*_ORDER, "trigger", "reason", "strategy", *_PLAN, *_EVERY],
    "advance": [*_ORDER, "strategy", *_PLAN, *_EVERY],
    "cancel": [*_ORDER, "lines", "reason", *_EVERY],
    "redirect": [*_ORDER, "to", *_EVERY],
    "split": [*_ORDER, "facility", *_EVERY],
    "receive": ["facility", "sku", "quantity", "pool", "items", *_EVERY],
    "adjust": ["facility", "sku", "pool", "by_units", "to_units", "safety", "untie", "reason", *_EVERY],
    "count": ["facility", "items", *_EVERY],
    "facility_add": ["facility", "at", "country", "name", "gateway", "priority", "closed", "costs", *_EVERY],
    "facility_set": ["facility", "at", "country", "name", "gateway", "priority", "closed", "costs", *_EVERY],
    "config_set": ["setting", "value", *_EVERY],
    "use_flow": ["flow", "map", "reopen", *_EVERY],
}
"""The fields of each command, by its name."""
