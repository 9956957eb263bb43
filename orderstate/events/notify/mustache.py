"""Templates without logic: the part of Mustache (mustache.github.io) that messages need, strict where Mustache is not.

    {{name}}  {{a.b}}  {{.}}        a value; escaped in HTML, always
    {{#name}} ... {{/name}}         for each item of a list; once if there is one value; not at all if there is none
    {{^name}} ... {{/name}}         if there is none
    {{> part}}                      another template of the same folder and kind
    {{! words }}                    nothing

A tag other than a value, alone on its line, takes the line with it. Unlike in Mustache, an unknown name is an error,
there is no unescaped form, the delimiters stay, and a part is not indented as its tag is. So a template can call
nothing, run on nowhere, and make no markup of a value, and what it may cost is counted. That is why it is this and no
larger language, and why no template needs a sandbox.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from html import escape
from typing import Any

LONGEST = 200_000
"""Characters that one template may have, and one message may come to."""

DEEPEST = 8
"""Parts within parts, and sections within sections."""

MOST_STEPS = 200_000
"""Items that the sections of one message may go through, whether they write anything or not."""

_TAG = re.compile(r"\{\{(?P<sign>[#^/>!&={]?)\s*(?P<name>.*?)\s*\}\}", re.S)
_NAME = re.compile(r"\.|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
_PART = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)


class TemplateError(Exception):
    """A template that cannot be used: which, in which line, and why."""

    def __init__(self, name: str, line: int, why: str) -> None:
        super().__init__(f"{name}:{line}: {why}")
        self.name = name
        self.line = line
        self.why = why


@dataclass(frozen=True, slots=True)
class Value:
    """The value of a name."""

    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Section:
    """What is rendered for each item, or if there is none."""

    name: str
    line: int
    inverted: bool
    inner: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Another template, in this place."""

    name: str
    line: int


Piece = str | Value | Section | Part


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template. `name` is the file, as people are to be told of it."""

    name: str
    pieces: tuple[Piece, ...]


@lru_cache(maxsize=256)
def parse(name: str, text: str) -> Template:
    """A template from its text. Raises TemplateError."""
    if len(text) > LONGEST:
        raise TemplateError(name, 1, f"longer than {LONGEST:,} characters")
    return _Parser(name, text).template()


class _Parser:
    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.open: list[tuple[str, int, bool, list[Piece]]] = []
        self.pieces: list[Piece] = []

    def template(self) -> Template:
        at = 0
        for found in _TAG.finditer(self.text):
            start, end = found.span()
            line = self.text.count("\n", 0, start) + 1
            if found["sign"]:
                start, end = self._alone(start, end)
            self._words(at, start)
            self._tag(found["sign"], found["name"], line)
            at = end
        self._words(at, len(self.text))
        if self.open:
            section, line, *_ = self.open[-1]
            raise TemplateError(self.name, line, f"{{{{#{section}}}}} is never closed")
        return Template(self.name, tuple(self.pieces))

    def _alone(self, start: int, end: int) -> tuple[int, int]:
        """The whole line, where nothing but the tag is on it."""
        first = self.text.rfind("\n", 0, start) + 1
        last = self.text.find("\n", end)
        last = len(self.text) if last < 0 else last
        if self.text[first:start].strip() or self.text[end:last].strip():
            return start, end
        return first, min(last + 1, len(self.text))

    def _words(self, start: int, end: int) -> None:
        words = self.text[start:end]
        if "{{" in words or "}}" in words:
            at = min(place for place in (words.find("{{"), words.find("}}")) if place >= 0)
            line = self.text.count("\n", 0, start + at) + 1
            raise TemplateError(self.name, line, f"{words[at : at + 2]} without its other half")
        if words:
            self.pieces.append(words)

    def _tag(self, sign: str, name: str, line: int) -> None:
        if sign == "!":
            return
        if sign in ("{", "&"):
            raise TemplateError(self.name, line, "values are always escaped: write {{" + name.strip("{} ") + "}}")
        if sign == "=":
            raise TemplateError(self.name, line, "the delimiters are always {{ and }}")
        if not (_PART if sign == ">" else _NAME).fullmatch(name):
            raise TemplateError(self.name, line, f"{name!r} is no name" if name else "a tag without a name")
        if sign == "":
            self.pieces.append(Value(name, line))
        elif sign == ">":
            self.pieces.append(Part(name, line))
        elif sign == "/":
            self._close(name, line)
        elif len(self.open) == DEEPEST:
            raise TemplateError(self.name, line, f"more than {DEEPEST} sections within each other")
        else:
            self.open.append((name, line, sign == "^", self.pieces))
            self.pieces = []

    def _close(self, name: str, line: int) -> None:
        if not self.open:
            raise TemplateError(self.name, line, f"{{{{/{name}}}}} closes what was never opened")
        opened, at, inverted, outer = self.open.pop()
        if opened != name:
            raise TemplateError(self.name, line, f"{{{{/{name}}}}} where {{{{/{opened}}}}} of line {at} is due")
        outer.append(Section(name, at, inverted, tuple(self.pieces)))
        self.pieces = outer


def render(
    template: Template, values: Mapping[str, Any], part: Callable[[str], Template | None], *, html: bool = False
) -> str:
    """The text of a template with these values: text, whole numbers, flags, None, lists and mappings of such.

    `part` finds another template by its name. Raises TemplateError: an unknown name, a value that is none, an unknown
    part, a text that grows too long.
    """
    return _Renderer(part, html).whole(template, values)


class _Renderer:
    def __init__(self, part: Callable[[str], Template | None], html: bool) -> None:
        self.part = part
        self.html = html
        self.out: list[str] = []
        self.length = 0
        self.steps = 0
        self.files: list[str] = []

    def whole(self, template: Template, values: Mapping[str, Any]) -> str:
        self._template(template, [values])
        return "".join(self.out)

    def _template(self, template: Template, stack: list[Any]) -> None:
        self.files.append(template.name)
        self._pieces(template.pieces, stack)
        self.files.pop()

    def _pieces(self, pieces: Sequence[Piece], stack: list[Any]) -> None:
        for piece in pieces:
            if isinstance(piece, str):
                self._write(piece, 1)
            elif isinstance(piece, Value):
                shown = self._text(piece, self._find(piece, stack))
                self._write(escape(shown) if self.html else shown, piece.line)
            elif isinstance(piece, Section):
                self._section(piece, stack)
            else:
                self._part(piece, stack)

    def _section(self, section: Section, stack: list[Any]) -> None:
        found = self._find(section, stack)
        items = found if isinstance(found, list | tuple) else [found] if found else []
        if section.inverted:
            if not items:
                self._pieces(section.inner, stack)
            return
        for item in items:
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise self._wrong(section.line, f"more than {MOST_STEPS:,} items in one message")
            self._pieces(section.inner, [*stack, item])

    def _part(self, part: Part, stack: list[Any]) -> None:
        found = self.part(part.name)
        if found is None:
            raise self._wrong(part.line, f"there is no part {part.name!r}")
        if len(self.files) == DEEPEST:
            raise self._wrong(part.line, f"more than {DEEPEST} parts within each other: {part.name} holds itself")
        self._template(found, stack)

    def _find(self, asked: Value | Section, stack: list[Any]) -> Any:
        if asked.name == ".":
            return stack[-1]
        first, *rest = asked.name.split(".")
        for level in reversed(stack):
            if isinstance(level, Mapping) and first in level:
                found = level[first]
                break
        else:
            raise self._unknown(
                asked, first, sorted({k for level in stack if isinstance(level, Mapping) for k in level})
            )
        for name in rest:
            if not isinstance(found, Mapping) or name not in found:
                raise self._unknown(asked, name, sorted(found) if isinstance(found, Mapping) else [])
            found = found[name]
        return found

    def _unknown(self, asked: Value | Section, name: str, known: Sequence[str]) -> TemplateError:
        close = get_close_matches(name, known, n=3, cutoff=0.5)
        return self._wrong(
            asked.line, f"unknown name {asked.name!r}" + (f"; did you mean {' or '.join(close)}?" if close else "")
        )

    def _text(self, asked: Value, found: Any) -> str:
        if found is None:
            return ""
        if isinstance(found, str | int) and not isinstance(found, bool):
            return str(found)
        kind = "a flag" if isinstance(found, bool) else "a list" if isinstance(found, list | tuple) else "a group"
        raise self._wrong(
            asked.line, f"{asked.name!r} is {kind}: write {{{{#{asked.name}}}}} ... {{{{/{asked.name}}}}}"
        )

    def _write(self, text: str, line: int) -> None:
        self.length += len(text)
        if self.length > LONGEST:
            raise self._wrong(line, f"the message grows longer than {LONGEST:,} characters")
        self.out.append(text)

    def _wrong(self, line: int, why: str) -> TemplateError:
        return TemplateError(self.files[-1], line, why)
