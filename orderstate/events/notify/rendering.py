"""From an event to words: which templates tell it, where they are, and what is wrong with them.

An event is told if there is a template of its name: `InventoryTied.txt`. Its first line is the subject;
`InventoryTied.html` beside it makes the message one in two forms. A folder of the shop's own goes before the built-in
templates, file by file; an empty file silences an event, and a file of a new name tells the event of a flow of one's
own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from orderstate.events.notify import mustache
from orderstate.events.notify.facts import Facts, facts
from orderstate.events.notify.message import Message, Notice
from orderstate.events.notify.mustache import Template, TemplateError
from orderstate.events.notify.samples import samples
from orderstate.events.outcomes import Later, Never

BUILT_IN = Path(__file__).parent / "templates"
_EVENT = re.compile(r"[A-Za-z]\w*", re.ASCII)


def render(notice: Notice, folder: Path | None = None) -> Message | None:
    """The message that tells this event; None: it tells the customer nothing.

    `folder` holds templates of the shop's own. Raises Never for a template that cannot be used, with file, line and
    reason, and for a payload that cannot be read; Later where the folder is not there.
    """
    if folder is not None and not folder.is_dir():
        raise Later(f"the folder of templates {str(folder)!r} is not there (setting notify.templates)")
    if _told_elsewhere(notice):
        return None
    source = _source(notice.event.type, folder)
    if source is None:
        return None
    values = facts(notice)
    try:
        return _message(notice, source, folder, values)
    except TemplateError as error:
        raise Never(f"template {error}") from error


def _told_elsewhere(notice: Notice) -> bool:
    """The first events of an order that was split off: the parent's OrderSplit has told of it."""
    event = notice.event
    return (event.type == "OrderPlaced" and "parent" in event.payload) or (
        event.type == "InventoryTied" and event.trigger == "split"
    )


def _source(name: str, folder: Path | None) -> Path | None:
    """The text template of an event: the shop's own, else the built-in one, else None; None too for an empty one."""
    if not _EVENT.fullmatch(name):
        return None
    for place in (folder, BUILT_IN):
        if place is not None and _there(file := place / f"{name}.txt"):
            return file if _text(file).strip() else None
    return None


def _there(file: Path) -> bool:
    """Whether a template is there. Raises Never for what has its name and is none: other words would be used then."""
    if file.is_file():
        return True
    if os.path.lexists(file):
        what = "a folder" if file.is_dir() else "no file" if file.exists() else "a link to a file that is not there"
        raise Never(f"template {file} cannot be read: it is {what}")
    return False


def silenced(name: str, folder: Path) -> Path | None:
    """The empty template by which a folder silences an event; None where it does not. Raises Never as `render`."""
    file = folder / f"{name}.txt"
    return file if _EVENT.fullmatch(name) and _there(file) and not _text(file).strip() else None


def _message(notice: Notice, source: Path, folder: Path | None, values: Facts) -> Message:
    written = _rendered(source, folder, values)
    subject, _, text = written.partition("\n")
    subject = " ".join(subject.split())
    if not subject:
        raise TemplateError(_shown(source), 1, "the first line is the subject, and it is empty")
    markup = source.with_suffix(".html")  # never one of another folder: it would use other words
    event = notice.event
    return Message(
        id=notice.id,
        to=notice.order.contact,
        subject=subject,
        text=text.strip("\n") + "\n",
        html=_rendered(markup, folder, values) if _there(markup) else None,
        source=notice.source,
        event=event.id,
        type=event.type,
        order=notice.order.id,
        at=event.at,
        facts=values,
    )


def _rendered(file: Path, folder: Path | None, values: Mapping[str, Any]) -> str:
    def part(name: str) -> Template | None:
        for place in (folder, BUILT_IN):
            if place is not None and _there(found := place / f"{name}{file.suffix}"):
                return _parsed(found)
        return None

    return mustache.render(_parsed(file), values, part, html=file.suffix == ".html")


def _parsed(file: Path) -> Template:
    return mustache.parse(_shown(file), _text(file))


def _shown(file: Path) -> str:
    """How people are told of a template: those of their own with the folder that they gave."""
    return f"built-in {file.name}" if file.parent == BUILT_IN else str(file)


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            found = opened.read(4 * mustache.LONGEST + 1)
        return found.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = found.count(b"\n", 0, error.start) + 1
        raise Never(f"template {_shown(file)}:{line}: not UTF-8") from error
    except OSError as error:
        raise Never(f"template {_shown(file)} cannot be read: {error.strerror or error}") from error


# Checking beforehand


@dataclass(frozen=True, slots=True)
class Checked:
    """One template that was tried: the messages it made of sample orders, or what is wrong with it."""

    name: str
    file: str
    messages: tuple[Message, ...] = ()
    problem: str | None = None


def check(folder: Path | None = None, events: Iterable[str] = ()) -> Iterator[Checked]:
    """Every template that is in force, tried on two sample orders: one that says all it can, and one with the least.

    `events`: the names that the flow in force writes, beside the engine's own. A file that tells none of them and is no
    part of another template is a problem too: it is misspelt.
    """
    if folder is not None and not folder.is_dir():
        yield Checked("", str(folder), problem="there is no such folder")
        return
    known = sorted({*samples(), *events})
    for name in known:
        source = _source_or_problem(name, folder)
        if isinstance(source, Checked):
            yield source
        elif source is not None:
            yield _tried(name, source, folder)
    if folder is not None:
        yield from _unused(folder, known)


def _source_or_problem(name: str, folder: Path | None) -> Path | Checked | None:
    try:
        return _source(name, folder)
    except Never as never:
        return Checked(name, f"{name}.txt", problem=never.reason)


def _tried(name: str, source: Path, folder: Path | None) -> Checked:
    made: list[Message] = []
    for notice in samples().get(name) or samples(name)[name]:
        try:
            message = render(notice, folder)
        except Never as never:
            return Checked(name, _shown(source), problem=never.reason)
        if message is not None:
            made.append(message)
    return Checked(name, _shown(source), tuple(made))


def _unused(folder: Path, known: list[str]) -> Iterator[Checked]:
    files = sorted(f for f in folder.iterdir() if f.is_file() and not f.name.startswith("."))
    parts = {file.stem for file in BUILT_IN.iterdir()} | set(known)
    parts |= {name for file in files for name in re.findall(r"\{\{>\s*([\w-]+)", file.read_text("utf-8", "replace"))}
    for file in files:
        if file.suffix not in (".txt", ".html"):
            problem = "templates end in .txt or .html"
        elif file.stem not in parts:
            close = get_close_matches(file.stem, sorted(parts), n=3, cutoff=0.5)
            problem = f"no event is called {file.stem}" + (f"; did you mean {' or '.join(close)}?" if close else "")
        elif file.suffix == ".html" and file.stem in known and not file.with_suffix(".txt").is_file():
            problem = f"needs {file.stem}.txt beside it: the text, with the subject in its first line"
        else:
            continue
        yield Checked(file.stem, str(file), problem=problem)
