"""Text to a tree of nodes that know where they stand. YAML is imported here only, and only when text is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orderstate.errors import InvalidInput, OrderstateError

MOST_TEXT = 1_000_000
"""Characters that a file may have; the largest that anybody could read has a hundredth of it."""

MOST_DEPTH = 20
_NOTHING = ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, slots=True)
class Mark:
    """Where something stands: a file, and line and column counted from 1 (None for what was never text)."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a tree: text, a list, a mapping, or nothing at all."""

    mark: Mark
    text: str | None = None
    items: tuple[Node, ...] | None = None
    fields: tuple[tuple[Node, Node], ...] | None = None

    @property
    def shown(self) -> str:
        """What it is, for a sentence that says what it should be instead."""
        if self.text is not None:
            return self.text
        if self.items is not None:
            return "a list"
        return "a mapping" if self.fields is not None else "nothing"


def placed(error: OrderstateError, mark: Mark | None) -> OrderstateError:
    """The same error, with the place in front of its sentence and among its values."""
    if mark is None:
        return error
    error.sentence = f"{mark}: {error.sentence}"
    error.args = (error.sentence,)
    error.values |= {"file": mark.file, "line": mark.line, "column": mark.column}
    return error


def wrong(code: str, sentence: str, field: str, value: object, expected: str) -> InvalidInput:
    """An InvalidInput with a code and a sentence of its own, where "VALUE is not EXPECTED" would say it badly."""
    error = InvalidInput(field, value, expected)
    error.code, error.sentence, error.args = code, sentence, (sentence,)
    return error


def parse(text: str, file: str) -> Node:
    """The tree of a YAML document. Raises InvalidInput with line and column where it is none, or several."""
    found = _parsed(text, file, "flow", several=False)
    if not found:
        raise placed(InvalidInput("flow", None, "states, transitions, initial and path"), Mark(file, 1, 1))
    return found[0]


def parse_all(text: str, file: str, what: str) -> list[Node]:
    """The tree of each YAML document of a text, in order; those that are empty are left out.

    `what`: what each is, for errors. Raises InvalidInput with line and column.
    """
    found = _parsed(text, file, what, several=True)
    return [node for node in found if not (node.text is None and node.items is None and node.fields is None)]


def _parsed(text: str, file: str, what: str, *, several: bool) -> list[Node]:
    import yaml

    if len(text) > MOST_TEXT:
        raise InvalidInput(file, len(text), f"a {what} of at most {MOST_TEXT} characters")
    # Events, and not nodes: the library composes nodes by recursion, in C without a limit.
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _grown(yaml.parse(text, Loader=loader), file, what, several)
    except yaml.MarkedYAMLError as broken:
        at = broken.problem_mark or broken.context_mark
        if at is None:
            raise placed(InvalidInput("text", text[:40], f"YAML ({broken.problem})"), Mark(file)) from broken
        lines = text.splitlines()
        line = lines[at.line].strip() if at.line < len(lines) else "the end"
        mark = Mark(file, at.line + 1, at.column + 1)
        raise placed(InvalidInput("line", line, f"YAML ({broken.problem or broken.context})"), mark) from broken
    except (yaml.YAMLError, UnicodeEncodeError) as broken:
        reason = " ".join(str(broken).split())
        raise placed(InvalidInput("text", text[:40], f"YAML ({reason})"), Mark(file)) from broken


def _grown(events: Iterable[Any], file: str, what: str, several: bool) -> list[Node]:
    """The trees that YAML events describe."""
    open_nodes: list[tuple[Any, list[Node]]] = []
    anchors: dict[str, Node] = {}
    top: list[Node] = []
    documents = 0
    for event in events:
        kind = type(event).__name__
        mark = Mark(file, event.start_mark.line + 1, event.start_mark.column + 1)
        if kind == "DocumentStartEvent":
            documents += 1
            anchors = {}
            if documents > 1 and not several:
                raise placed(InvalidInput(what, "---", "the only document of its file"), mark)
        if kind in ("MappingStartEvent", "SequenceStartEvent"):
            if len(open_nodes) >= MOST_DEPTH:
                raise placed(InvalidInput(what, "...", f"nested at most {MOST_DEPTH} deep"), mark)
            open_nodes.append((event, []))
        if kind not in ("ScalarEvent", "AliasEvent", "MappingEndEvent", "SequenceEndEvent"):
            continue
        if kind == "AliasEvent":
            if event.anchor not in anchors:
                raise placed(InvalidInput("alias", event.anchor, "the name of an anchor that is complete"), mark)
            node = anchors[event.anchor]
        elif kind == "ScalarEvent":
            empty = event.implicit[0] and event.value in _NOTHING
            node = Node(mark, text=None if empty else event.value)
        else:
            event, inside = open_nodes.pop()
            mark = Mark(file, event.start_mark.line + 1, event.start_mark.column + 1)
            pairs = zip(inside[::2], inside[1::2], strict=True)
            mapping = kind == "MappingEndEvent"
            node = Node(mark, fields=tuple(pairs)) if mapping else Node(mark, items=tuple(inside))
        if event.anchor is not None and kind != "AliasEvent":
            anchors[event.anchor] = node
        (open_nodes[-1][1] if open_nodes else top).append(node)
    return top


def grow(value: object, file: str) -> Node:
    """The tree of a JSON document. Raises InvalidInput for what JSON cannot say, or a document inside itself."""
    mark = Mark(file)
    try:
        if isinstance(value, Mapping):
            return Node(mark, fields=tuple((grow(str(key), file), grow(item, file)) for key, item in value.items()))
        if isinstance(value, list | tuple):
            return Node(mark, items=tuple(grow(item, file) for item in value))
    except RecursionError as deep:
        raise InvalidInput(file, "...", "a document that is nested less deeply") from deep
    if value is None:
        return Node(mark)
    if isinstance(value, bool):
        return Node(mark, text="true" if value else "false")
    if isinstance(value, str | int | float):
        return Node(mark, text=str(value))
    raise InvalidInput(file, value, "a JSON document")
