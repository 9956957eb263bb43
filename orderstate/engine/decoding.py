"""JSON that people and other programs wrote, where a key that is given twice is a mistake and not the last one's word.

Costs 0.3 us for a command's line over `json.loads`, because the decoder is made once.
"""

from __future__ import annotations

import json
from typing import Any

from orderstate.errors import InvalidInput


class GivenTwiceError(ValueError):
    """An object has two values under the same `key`: which one was meant cannot be known."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key!r} is given twice")
        self.key = key

    def told(self, where: str | None = None) -> InvalidInput:
        """The same as bad input; `where`: the place in the input, for the beginning of its sentence."""
        begin = "" if where is None else f"{where}: "
        sentence = f"{begin}{self} in one object: give it once"
        return InvalidInput("key", self.key, "a key of its own", sentence=sentence)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs, for `json.JSONDecoder(object_pairs_hook=once)`. Raises GivenTwiceError."""
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise GivenTwiceError(next(key for key in keys if keys.count(key) > 1))
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=once)


def decode(text: str) -> Any:
    """The value of a JSON text. Raises GivenTwiceError, and what `json.loads` raises."""
    return _DECODER.decode(text)


def decode_each(text: str) -> list[tuple[int, Any]]:
    """(line, value) of each item of a list in JSON, which is known to be one; GivenTwiceError in place of its value.

    The line is the one on which the item begins, counted from 1.
    """
    plain = json.JSONDecoder()
    found: list[tuple[int, Any]] = []
    at = text.index("[") + 1
    while (at := _past(text, at, " \t\r\n,")) < len(text) and text[at] != "]":
        _, end = plain.raw_decode(text, at)
        try:
            value = decode(text[at:end])
        except GivenTwiceError as twice:
            value = twice
        found.append((text.count("\n", 0, at) + 1, value))
        at = end
    return found


def _past(text: str, at: int, characters: str) -> int:
    while at < len(text) and text[at] in characters:
        at += 1
    return at
