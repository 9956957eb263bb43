"""Nodes of a document to plain values. What is wrong is raised where it stands, and says what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from orderstate.errors import InvalidInput, NotFound
from orderstate.flow.tree import Mark, Node, placed, wrong
from orderstate.scenario.vocabulary import FLAGS, integer, value_of


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a mapping: where its name stands, and its value."""

    mark: Mark
    value: Node


def fail(node: Node | Mark, field: str, value: object, expected: str, known: Iterable[str] = ()) -> NoReturn:
    """Refuse a value, with the nearest of the known names as a hint."""
    hint = NotFound.named("", str(value), list(known)).hint if known and value is not None else None
    raise placed(InvalidInput(field, value, expected, hint=hint), node if isinstance(node, Mark) else node.mark)


def is_nothing(node: Node) -> bool:
    """True where a value is left empty, or is null."""
    return node.text is None and node.items is None and node.fields is None


def shown(node: Node) -> str | None:
    """What stands there, for a sentence that says what should; None for nothing."""
    return None if is_nothing(node) else node.shown


def mapping(node: Node, what: str, expected: str) -> list[tuple[str, Field]]:
    """The (name, field) pairs of a mapping with any names, each once."""
    if node.fields is None:
        fail(node, what, shown(node), expected)
    found: dict[str, Field] = {}
    for key, value in node.fields:
        if key.text is None:
            fail(key, what, key.shown, "a name")
        if key.text in found:
            first = found[key.text].mark
            also = "" if first.line is None else f": line {first.line} has it, too"
            sentence = f"{what}.{key.text} is given twice{also}"
            raise placed(wrong("invalid_input", sentence, f"{what}.{key.text}", key.text, "it once"), key.mark)
        found[key.text] = Field(key.mark, value)
    return list(found.items())


def fields(node: Node, what: str, known: Iterable[str], thing: str | None = None) -> dict[str, Field]:
    """The fields of a mapping whose names are known. `thing`: what has these fields, for people."""
    names = list(known)
    found = dict(mapping(node, what, f"a mapping of {', '.join(names)}"))
    for name, field in found.items():
        if name not in names:
            fail(field.mark, "field", name, f"a field of {thing or what}: {', '.join(names)}", names)
    return found


def text(node: Node, field: str, expected: str) -> str:
    """A text that is not empty."""
    if not node.text:
        fail(node, field, shown(node) or None, expected)
    return node.text


def whole(node: Node, field: str, least: int = 0, most: int = 2**31 - 1) -> int:
    """A whole number."""
    expected = f"a whole number from {least} to {most}"
    found = integer(text(node, field, expected))
    if not isinstance(found, int) or not least <= found <= most:
        fail(node, field, node.text, expected)
    return found


def flag(node: Node, field: str) -> bool:
    """True or false."""
    return one_of(node, field, ("true", "false")) == "true"


def one_of(node: Node, field: str, known: Iterable[str]) -> str:
    """One of a few words."""
    names = list(known)
    expected = "one of " + ", ".join(names)
    found = text(node, field, expected)
    if found not in names:
        fail(node, field, found, expected, names)
    return found


def texts(node: Node, field: str, expected: str) -> list[tuple[str, Node]]:
    """A list of texts with their nodes; one text alone will do."""
    items = (node,) if node.text else node.items
    if items is None:
        fail(node, field, shown(node), expected)
    return [(text(item, field, expected), item) for item in items]


def plain(field: str, node: Node) -> Any:
    """The JSON value of a field of a command. Numbers and flags are made where the field takes some."""
    if field in FLAGS:
        return flag(node, field)
    if node.text is not None:
        return value_of(field, node.text)
    if node.items is not None:
        # The first of a row of goods is a SKU, which may look like a number.
        return [
            item.text if number == 0 and item.text is not None and field == "row" else plain(_inside(field), item)
            for number, item in enumerate(node.items)
        ]
    if node.fields is not None:
        return {name: plain(_inside(field, name), one.value) for name, one in mapping(node, field, "a mapping")}
    return None


def _inside(field: str, name: str | None = None) -> str:
    """As what a part of a field reads: its units, a row of goods, or text."""
    if field in ("lines", "items"):
        return "row" if name is None else "quantity"
    if field == "row":
        return "quantity" if name is None else name
    return "text"


def scalars(node: Node) -> Iterable[Node]:
    """Every text in a tree, names included, in the order of the document."""
    if node.text is not None:
        yield node
    for item in node.items or ():
        yield from scalars(item)
    for key, value in node.fields or ():
        yield from scalars(key)
        yield from scalars(value)


def place_of(error: InvalidInput | Any, node: Node) -> Mark:
    """Where what an error names stands in the mapping of a command: its value, else its field, else the command."""
    values: Mapping[str, Any] = error.values
    name, value = values.get("field"), values.get("value")
    given = {key.text: (key, one) for key, one in node.fields or ()}
    if name == "field":  # a name that is no field
        return given[value][0].mark if value in given else node.mark
    field = next((alias for alias in _ALIASES.get(str(name), (str(name),)) if alias in given), None)
    inside = node if field is None else given[field][1]
    same = [one for one in scalars(inside) if value is not None and one.text == str(value)]
    return same[0].mark if same else inside.mark


_ALIASES: Mapping[str, tuple[str, ...]] = {
    "quantity": ("lines", "items", "quantity"),
    "sku": ("lines", "items", "sku"),
    "on_hand": ("items", "to_units", "by_units"),
    "grams": ("items",),
    "safety": ("safety", "items"),
    "pool": ("pool", "items"),
    "destination": ("to",),
    "if-version": ("if_version",),
    "by": ("by_units", "to_units", "by"),
    "to": ("to", "to_units"),
}
"""Errors of the engine name what they are about in its own words; the fields of a document that this may be."""
