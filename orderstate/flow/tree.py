"""Text to a tree of nodes that know where they stand. YAML is imported here only, and only when text is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

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


def text_of(file: Path, what: str) -> str:
    """The text of a file. `what` it is, for errors.

    Raises FileNotFoundError; InvalidInput for a folder, what cannot be read, and what is no text, with its place.
    """
    field = f"{what} file"
    try:
        with file.open("rb") as stream:
            return text_from(stream, str(file), what)
    except FileNotFoundError:
        raise
    except IsADirectoryError as error:
        raise InvalidInput(field, str(file), f"a {field}", sentence=f"{file} is a folder, not a {field}") from error
    except OSError as error:
        reason = error.strerror or str(error)
        sentence = f"the {field} {str(file)!r} cannot be read: {reason.casefold()}"
        raise InvalidInput(field, str(file), "a file that can be read", sentence=sentence) from error


def text_from(stream: IO[bytes], file: str, what: str) -> str:
    """The text of a stream in UTF-8, called `file` in errors. Raises InvalidInput for what is none, and too much."""
    # Not to its end: a device has none. UTF-8 has at most four bytes for a character.
    found = stream.read(4 * MOST_TEXT + 1)
    if len(found) > 4 * MOST_TEXT:
        raise _too_long(file, what)
    try:
        text = found.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = found[: error.start].decode("utf-8", "replace")
        mark = Mark(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise placed(InvalidInput(file, found[error.start : error.start + 8], "text in UTF-8"), mark) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _too_long(file: str, what: str) -> InvalidInput:
    sentence = f"{file} has more than {MOST_TEXT:,} characters, and of a {what} file no more are read"
    return InvalidInput(f"{what} file", file, f"a file of at most {MOST_TEXT:,} characters", sentence=sentence)


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
        raise _too_long(file, what)
    # Events, and not nodes: the library composes nodes by recursion, in C without a limit.
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _grown(yaml.parse(text, Loader=loader), file, what, several)
    except yaml.MarkedYAMLError as broken:
        at = broken.problem_mark or broken.context_mark
        problem = broken.problem or broken.context or "it cannot be read"
        if at is None:
            raise placed(_no_yaml("text", text[:40], problem), Mark(file)) from broken
        lines = text.splitlines()
        mark = Mark(file, at.line + 1, at.column + 1)
        if at.line >= len(lines):
            sentence = f"the text ends too early: {problem}"
            raise placed(InvalidInput("text", "", "what is missing at the end", sentence=sentence), mark) from broken
        raise placed(_broken_line(lines[at.line], at.column, problem), mark) from broken
    except (yaml.YAMLError, UnicodeEncodeError) as broken:
        reason = " ".join(str(broken).split()).partition(' in "<')[0]
        raise placed(_no_yaml("text", text[:40], reason), Mark(file)) from broken


def _broken_line(line: str, column: int, problem: str) -> InvalidInput:
    """What is wrong with a line that is no YAML. A tab looks like spaces, and the library does not name it."""
    before, text = line[:column], line.strip()
    indented = "\t" in line[: len(line) - len(line.lstrip())]
    if indented or line[column : column + 1] == "\t":
        how = "is indented with a tab" if indented or not before.strip() else "has a tab between its words"
        sentence = f"line: {text!r} {how}, and YAML takes spaces only"
        return InvalidInput("line", text, "spaces in place of the tab", sentence=sentence)
    return _no_yaml("line", line.strip(), problem)


def _no_yaml(field: str, found: str, problem: str) -> InvalidInput:
    error = InvalidInput(field, found, "YAML")
    error.sentence += f": {problem}"
    error.args = (error.sentence,)
    return error


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
                sentence = f"a second document begins here, and a {what} file holds one"
                raise placed(InvalidInput(what, "---", f"each {what} in a file of its own", sentence=sentence), mark)
        if kind in ("MappingStartEvent", "SequenceStartEvent"):
            if len(open_nodes) >= MOST_DEPTH:
                sentence = f"the {what} is nested more than {MOST_DEPTH} deep here"
                raise placed(InvalidInput(what, "...", f"it at most {MOST_DEPTH} deep", sentence=sentence), mark)
            open_nodes.append((event, []))
        if kind not in ("ScalarEvent", "AliasEvent", "MappingEndEvent", "SequenceEndEvent"):
            continue
        if kind == "AliasEvent":
            if event.anchor not in anchors:
                sentence = f"*{event.anchor} stands for nothing: no anchor &{event.anchor} is complete before it"
                expected = "the name of an anchor that stands before it"
                raise placed(InvalidInput("alias", event.anchor, expected, sentence=sentence), mark)
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
