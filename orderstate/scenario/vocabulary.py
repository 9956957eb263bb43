"""The words of the language: commands and their fields, what may be expected of which step, and how values read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from orderstate.engine.reading import FIELDS
from orderstate.scenario.script import AT, REPEAT, TOGETHER, USE_FLOW, WAIT, WORK

COMMANDS: Mapping[str, list[str]] = {name: fields for name, fields in FIELDS.items() if name != USE_FLOW}
"""The commands of the engine with their fields."""

VERBS = (*COMMANDS, WAIT, AT, REPEAT, TOGETHER, USE_FLOW, WORK)
SCENARIO = ("scenario", "about", "world", "steps")
WORLD = ("clock", "flow", "unchecked", "settings", "facilities", "stock")
BESIDE = ("as", "expect")
FLOW_FIELDS = tuple(FIELDS[USE_FLOW])
HELD = ("primary", "back", "safety", "grams")
"""What may be said of one SKU in one facility of the world."""
COUNTERS = ("on_hand", "allocated", "safety", "available")
PLAN = ("facilities", "allocations", "strategy", "optimal")
FACILITY = tuple(name for name in FIELDS["facility_add"] if name not in ("facility", "key", "as", "by"))

WHOLE = frozenset({"if_version", "max_shipments", "quantity", "by_units", "to_units", "safety", "priority"})
"""Fields of commands that are whole numbers."""
FLAGS = frozenset({"complete", "whole_lines", "untie", "closed", "reopen"})
"""Fields of commands that are true or false."""
UNITS = frozenset({"lines", "items"})
"""Fields of commands with goods, and inside them numbers of units."""

_ANY = ("events", "orders", "stock", "refused", "says")
_ONE = ("exit", "error", "changed", "repeated", *_ANY)
_ORDER = ("state", "version", "plan", "cost", "bound", "short")
EXPECT = (
    "exit", "error", "refused", "state", "version", "changed", "repeated", "events", "stock", "orders", "plan", "cost",
    "bound", "short", "exits", "says",
)  # fmt: skip
"""Everything that may be expected."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", re.ASCII)
"""What a step may be called."""
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})", re.ASCII)
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?([Zz]|[+-]\d\d:\d\d)?)?",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
MOMENT_EXPECTED = "a time such as 2026-01-05T09:00:00Z, from 1970 to 9999"


def expectable(verb: str) -> tuple[str, ...]:
    """What may be expected of a step with this verb."""
    if verb in (WAIT, AT, WORK):
        return _ANY
    if verb == TOGETHER:
        return ("exits", *_ANY)
    about_order = verb == REPEAT or verb == "place" or "order" in COMMANDS.get(verb, ())
    return (*_ONE, *_ORDER) if about_order else _ONE


def value_of(field: str, text: str) -> Any:
    """The value of a field of a command from its text: a number where that is what the field takes.

    Text that is none stays text, so that the engine says what is wrong with it.
    """
    return integer(text) if field in WHOLE | UNITS else text


def integer(text: str) -> int | str:
    """The number that the text is in its shortest form, or else the text."""
    return int(text) if _INTEGER.fullmatch(text) else text


def moment(text: str) -> int | None:
    """UTC microseconds from `2026-01-05T09:00:00Z`; without a zone it is UTC; None outside of 1970 to 9999."""
    if not _MOMENT.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        at = (found - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None
    return at if tellable(at) else None


def tellable(at: int) -> bool:
    """True from 1970 to the end of 9999, where calendars end: such a moment can be written."""
    return 0 <= at <= _LATEST


def moment_text(at: int) -> str:
    """The inverse of `moment`: `2026-01-05T09:00:00Z`, with microseconds only where there are some."""
    return (_EPOCH + timedelta(microseconds=at)).replace(tzinfo=None).isoformat() + "Z"
