"""`${a}`: what an earlier step made, inside any text of a later one. `$${` is a plain `${`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)(\}?)")
PARTS = ("child", "version")
"""What may stand behind a name: `${a.child}`, the newest order split off it; `${a.version}`, its version now."""

Resolve = Callable[[str, str | None], str]
"""(name, part or None) to the text that stands there."""


def references(text: str) -> Iterator[tuple[str, str, str | None]]:
    """(as written, name, part) of each reference. One that is not closed has the name `""`."""
    for found in _REFERENCE.finditer(text):
        if found[1] is None:
            continue
        name, dot, part = found[1].strip().partition(".")
        yield found[0], name if found[2] else "", part if dot else None


def replaced(value: Any, resolve: Resolve) -> Any:
    """A JSON value with every reference in its texts, and in the names of its mappings, resolved."""
    if isinstance(value, str):
        return _in_text(value, resolve)
    if isinstance(value, Mapping):
        return {_in_text(name, resolve): replaced(item, resolve) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [replaced(item, resolve) for item in value]
    return value


def _in_text(text: str, resolve: Resolve) -> str:
    def one(found: re.Match[str]) -> str:
        if found[1] is None:
            return "${"
        name, dot, part = found[1].strip().partition(".")
        return resolve(name, part if dot else None)

    return _REFERENCE.sub(one, text) if "${" in text else text


def escaped(text: str) -> str:
    """The text as it must be written where `${` in it is meant as it stands."""
    return text.replace("${", "$${")
