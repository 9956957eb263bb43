"""Times, distances, money and goods, as people and as programs read them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from textwrap import wrap
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES = frozenset({"at", "placed_at", "entered_at", "shipped_at", "first_at", "last_at", "due_at"})
_NAMED = 6
"""How many things one sentence names before it says how many more there are."""


def moment(at: int) -> str:
    """`2026-11-22 15:04:02` (UTC), from UTC microseconds: for people."""
    return (_EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%d %H:%M:%S")


def minute(at: int) -> str:
    """`2026-11-22 15:04` (UTC), from UTC microseconds: for lists."""
    return moment(at)[:16]


def iso(at: int) -> str:
    """`2026-11-22T15:04:02.123456Z`, from UTC microseconds: for programs."""
    return (_EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def lasting(seconds: float) -> str:
    """`5 s`, `15 min`, `2.5 h`, `3 d`: how long something lasts, to three digits."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            number = seconds / size
            return f"{number:.3g} {unit}" if number < 999 else f"{number:,.0f} {unit}"
    return f"{seconds:.3g} s"


def km(metres: int | None) -> str:
    """`8.9`, `1471`: kilometres, with a decimal below 100; nothing for an unknown distance."""
    if metres is None:
        return ""
    return f"{metres / 1000:.1f}" if metres < 100_000 else str(round(metres / 1000))


def minor(thousandths: int) -> str:
    """`2342.129`: minor units of the currency, from 1/1000 of them."""
    whole, rest = divmod(abs(thousandths), 1000)
    sign = "-" if thousandths < 0 else ""
    return sign + (f"{whole}.{rest:03}".rstrip("0") if rest else str(whole))


def plain(text: str) -> str:
    """The text on one line: what is no visible character (tabs, newlines, controls) is written as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def several(things: Iterable[str]) -> str:
    """`a, b, c and 4 more`."""
    named = list(things)
    if len(named) <= _NAMED:
        return ", ".join(named)
    return f"{', '.join(named[: _NAMED - 1])} and {len(named) - _NAMED + 1} more"


def goods(items: Iterable[tuple[str, int]]) -> str:
    """`2 MUG, 1 CUP` from (SKU, units)."""
    return several(f"{units} {sku}" for sku, units in items)


def released(rows: Iterable[tuple[str, str, str, int]]) -> str:
    """`2 MUG to DEN, 1 CUP to CHI` from (facility, sku, pool, units)."""
    return several(f"{units} {sku} to {facility}" for facility, sku, _, units in rows)


def left(shipments: Iterable[tuple[str, int]]) -> str:
    """`2 units left DEN, 1 unit left CHI` from (facility, units)."""
    return several(f"{count(units, 'unit')} left {facility}" for facility, units in shipments)


def count(number: int, thing: str) -> str:
    """`1 order`, `3,000 orders`, `2 facilities`."""
    if number == 1:
        return f"1 {thing}"
    return f"{number:,} {thing[:-1]}ies" if thing.endswith("y") else f"{number:,} {thing}s"


def folded(text: str, width: int, indent: str = "", hanging: str | None = None) -> list[str]:
    """The text on lines of at most `width` columns; a word that is longer is broken, nothing is lost."""
    return wrap(
        text,
        max(width, 20),
        initial_indent=indent,
        subsequent_indent=indent if hanging is None else hanging,
        break_on_hyphens=False,
    ) or [indent.rstrip()]


def published(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document with its times as ISO 8601 instead of microseconds, at any depth."""
    return {key: _published(key, value) for key, value in document.items()}


def _published(key: str, value: Any) -> Any:
    if isinstance(value, int) and key in _TIMES:
        return iso(value)
    if isinstance(value, Mapping):
        return published(value)
    if isinstance(value, list | tuple):
        return [_published("", item) for item in value]
    return value


def line_of_json(document: Mapping[str, Any]) -> str:
    """A document on one line. What JSON does not know (paths, sets) becomes text."""
    return json.dumps(document, ensure_ascii=False, default=_text)


def _text(value: object) -> object:
    return sorted(map(str, value)) if isinstance(value, set | frozenset) else str(value)
