"""Pieces of a page: text that is safe to show, tables, and drawings with their numbers beside them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from orderstate.history.simulating.drawing import SERIES


class Best(NamedTuple):
    """A cell that holds the best value of its row."""

    text: str


Cell = str | Best


def safe(text: object) -> str:
    """Text as it is shown, whatever it holds: markup is escaped, and what has no shape becomes a replacement sign."""
    return escape("".join(c if c.isprintable() or c == "\u00a0" else "\ufffd" for c in str(text)))


def table(caption: str, head: Sequence[str], rows: Sequence[tuple[str, Sequence[Cell]]], *, compared: int = 0) -> str:
    """A table whose first column names the rows. Everything given is plain text.

    `compared`: so many columns, the last ones, are the things compared, in their colours; on a narrow screen the name
    of a row then stands above its cells. A table that is still too wide scrolls by itself, also by the keyboard.
    """
    first = len(head) - compared
    columns = [
        f'<th scope="col" role="columnheader">{_named(name, at - first) if at >= first else safe(name)}</th>'
        for at, name in enumerate(head)
        if at
    ]
    body = "".join(
        f'<tr role="row"><th scope="row" role="rowheader">{safe(name)}</th>{"".join(map(_cell, cells))}</tr>\n'
        for name, cells in rows
    )
    style = f' class="stacks" style="--columns: {len(columns)}"' if compared else ""
    # The roles are said again because a browser forgets them where the style lays cells out in its own way.
    return (
        f'<div class="scroll" role="region" aria-label="{safe(caption)}" tabindex="0"><table role="table"{style}>\n'
        f"<caption>{safe(caption)}</caption>\n"
        f'<thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">{safe(head[0])}</th>'
        f'{"".join(columns)}</tr></thead>\n<tbody role="rowgroup">\n{body}</tbody></table></div>\n'
    )


def _cell(cell: Cell) -> str:
    if isinstance(cell, Best):
        return f'<td role="cell" class="best"><span class="mark">best</span>{safe(cell.text)}</td>'
    return f'<td role="cell">{safe(cell)}</td>'


def _named(name: str, number: int) -> str:
    """A name after its colour, on one line with it up to the first hyphen."""
    begin, hyphen, rest = name.partition("-")
    return f'<span class="together">{_chip(number)}{safe(begin + hyphen)}</span>{safe(rest)}'


def _chip(number: int) -> str:
    return f'<span class="chip s{number % SERIES + 1}" aria-hidden="true"></span>'


def legend(names: Sequence[str], mark: str = "") -> str:
    """The names of the things compared in their colours; `mark`: what a line across the bars means."""
    items = "".join(f"<li>{_chip(number)}{safe(name)}</li>" for number, name in enumerate(names))
    if mark:
        items += f'<li><span class="tick" aria-hidden="true"></span>{safe(mark)}</li>'
    return f'<ul class="legend">{items}</ul>\n'


def section(key: str, title: str, lead: str, content: str) -> str:
    """One part of the page: a heading, a sentence or two of plain text, and markup."""
    words = f"<p>{safe(lead)}</p>\n" if lead else ""
    heading = f'<h2 id="{key}-title">{safe(title)}</h2>\n'
    return f'<section id="{key}" aria-labelledby="{key}-title">\n{heading}{words}{content}</section>\n'


def notes(sentences: Sequence[str]) -> str:
    """Sentences of plain text, as a list."""
    return f'<ul class="notes">{"".join(f"<li>{safe(sentence)}</li>" for sentence in sentences)}</ul>\n'


def beside(drawing: str, numbers: str) -> str:
    """A drawing with its numbers beside it, or on a narrow screen under it."""
    return f'<div class="beside"><figure>{drawing}</figure>{numbers}</div>\n'
