"""What a command prints on: data on stdout, words on stderr; tables for a person, TSV for a pipe, JSON when asked."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import RawIOBase, TextIOWrapper
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from orderstate.render.tables import Column, Row, Table

_AT_ONCE = 500
"""Rows drawn in one table; a longer list is drawn in several, each with its header."""


class Screen:
    """Two streams, and in which form data goes to the first: `json`, else drawn for a `human`, else TSV."""

    __slots__ = ("_begun", "err", "human", "json", "out", "width")

    def __init__(self, out: TextIO, err: TextIO, *, human: bool, width: int, json: bool = False) -> None:
        self.out = out
        self.err = err
        self.human = human
        self.width = width
        self.json = json
        self._begun: set[str] = set()

    @classmethod
    def standard(cls) -> Screen:
        """The process's own streams, which never fail on a character that they cannot encode."""
        out, err = _whole(sys.stdout), _whole(sys.stderr)
        return cls(out, err, human=out.isatty(), width=shutil.get_terminal_size().columns)

    @property
    def drawn(self) -> bool:
        """True where a person sees stdout, so that it takes tables and sentences."""
        return self.human and not self.json

    def line(self, text: str) -> None:
        """One line of data."""
        self.out.write(text + "\n")

    def word(self, text: str) -> None:
        """One line for a person, on stderr; what was printed on stdout comes before it."""
        self.out.flush()
        self.err.write(text + "\n")
        self.err.flush()

    def say(self, sentence: str) -> None:
        """A sentence about what was done: folded on stdout where a person sees that, else a line on stderr."""
        if not self.drawn:
            self.word(sentence)
            return
        from orderstate.render.words import folded

        for line in folded(sentence, self.width, hanging="    "):
            self.line(line)

    def document(self, found: Mapping[str, Any]) -> None:
        """One JSON document, on one line."""
        from orderstate.render.words import line_of_json

        self.line(line_of_json(found))

    def rows(self, columns: Sequence[Column], rows: Iterable[Row]) -> None:
        """Rows of data: drawn, or as TSV with the header before the first rows of these columns."""
        from orderstate.render import tables

        if self.drawn:
            queue = iter(rows)
            while chunk := list(islice(queue, _AT_ONCE)):
                tables.draw(columns, chunk, self.out, self.width)
            return
        header = "\t".join(column.name for column in columns)
        queue = iter(rows)
        # The first row before the header: what fails at once leaves nothing on stdout.
        first = list(islice(queue, 1))
        if header not in self._begun:
            self._begun.add(header)
            self.line(header)
        for row in chain(first, queue):
            self.line(tables.tsv(row))

    def facts(self, rows: Iterable[tuple[str, str]], of: Sequence[Table] = ()) -> None:
        """Values by label, and the tables that belong to them. As TSV each line begins with what it is."""
        from orderstate.render import tables
        from orderstate.render.words import folded, plain

        if not self.drawn:
            self.line("record\tvalue")
            for label, value in rows:
                self.line(tables.tsv((label, value)))
            for table in of:
                for row in table.rows:
                    self.line(tables.tsv((table.kind, *row)))
            return
        found = list(rows)
        wide = max(len(label) for label, _ in found) + 2
        for label, value in found:
            self.line("\n".join(folded(plain(value), self.width, label.ljust(wide), " " * wide)))
        for table in of:
            if table.rows:
                self.line("")
                tables.draw(table.columns, table.rows, self.out, self.width)

    def each(
        self,
        found: Iterable[Any],
        document: Callable[[Any], Mapping[str, Any]],
        columns: Sequence[Column],
        rows: Callable[[Iterable[Any]], Iterable[Row]],
    ) -> None:
        """A list: NDJSON, or rows."""
        if self.json:
            for one in found:
                self.document(document(one))
        else:
            self.rows(columns, rows(found))


def _whole(stream: TextIO | None) -> TextIO:
    """The stream, writing all that it is given, whatever the characters.

    Under PYTHONUNBUFFERED it lacks the layer that writes again what a disk or a pipe took only in part.
    """
    if stream is None:  # the caller closed it: what goes there is not wanted
        return open(os.devnull, "w")
    if isinstance(getattr(stream, "buffer", None), RawIOBase):
        return open(
            stream.fileno(), "w", buffering=1, encoding=stream.encoding, errors="backslashreplace", closefd=False
        )
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream
