"""The drawing of a flow for a terminal, with what is said above and below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orderstate.diagram.canvas import Canvas, cells, wrap
from orderstate.diagram.cards import draw_cards
from orderstate.diagram.chart import Chart, Counts, Walk, caption, chart
from orderstate.diagram.layout import Layout
from orderstate.diagram.notes import Note, notes

if TYPE_CHECKING:
    from orderstate.model import Flow

MOST_EDGES = 80
"""A flow with more arrows than this is not even tried as boxes and routes."""
NARROWEST = 24
"""Columns. A narrower terminal gets a drawing of this width."""
MOST_CROSSINGS = 10
"""A drawing with more crossings than this is harder to read than cards."""


def terminal(
    flow: Flow,
    walk: Walk | None = None,
    width: int = 80,
    ascii: bool = False,
    counts: Counts | None = None,
) -> str:
    """The flow, or one order's walk on it, as text of at most `width` columns (24 at least), ending with a newline.

    `counts` says how many orders each state holds, and how long if it has Tallies; with `ascii` no other character is
    used. There is no colour in it.
    Raises NotFound when the walk's present state is not one of the flow's.
    """
    width = max(width, NARROWEST)
    pen = _Pen(width, ascii)
    drawn = chart(flow, walk, counts, ascii=ascii)
    blocks = [wrap(caption(flow, walk, counts, ascii=ascii), width), _picture(drawn, width, ascii)]
    if walk is not None:
        blocks.append(pen.marks())
    blocks += [pen.note(note) for note in notes(flow, walk, counts, ascii=ascii)]
    return "\n\n".join("\n".join(line.rstrip(" ") for line in block) for block in blocks if block) + "\n"


def _picture(drawn: Chart, width: int, ascii: bool) -> list[str]:
    """The best arrangement that fits: two columns, one column, cards."""
    arrangements = () if len(drawn.edges) > MOST_EDGES else (2, 1) if drawn.spine < len(drawn.nodes) else (1,)
    for columns in arrangements:
        layout = Layout(drawn, columns=columns, ascii=ascii)
        if layout.crossings > MOST_CROSSINGS:
            continue
        for pitch in (3, 2):
            taken = layout.set_pitch(pitch)
            if taken <= width:
                canvas = Canvas(ascii=ascii)
                layout.draw(canvas, min(2, width - taken))
                return canvas.lines()
    canvas = Canvas(ascii=ascii)
    draw_cards(drawn, canvas, width)
    return canvas.lines()


class _Pen:
    """Writes the paragraphs around a drawing: a title, then indented rows."""

    def __init__(self, width: int, ascii: bool) -> None:
        self._width = width
        self._ascii = ascii

    def marks(self) -> list[str]:
        """How an order's walk is marked."""
        now, taken, other = ("#", "=!", "-") if self._ascii else ("═", "━", "─")
        parts = [f"{now} now", f"{taken} taken, with the number of the event", f"{other} not taken"]
        line = "   ".join(parts)
        return [line] if len(line) <= self._width else [part for p in parts for part in wrap(p, self._width, "  ")]

    def note(self, note: Note) -> list[str]:
        """A note under its title; its remark stands apart."""
        lines = [*wrap(note.title, self._width), *self._rows(note.rows)]
        return lines if note.remark is None else [*lines, "", *wrap(note.remark, self._width)]

    def _rows(self, rows: Sequence[tuple[str, str]]) -> list[str]:
        """Two columns; one below the other where the second would be squeezed, or a word of it broken."""
        left = max((cells(first) for first, _ in rows), default=0)
        room = self._width - left - 4
        widest = max((cells(line) for _, second in rows for line in second.split("\n")), default=0)
        longest = max((cells(word) for _, second in rows for word in second.split()), default=0)
        lines: list[str] = []
        for first, second in rows:
            parts = second.split("\n")
            if widest <= room or (room >= self._width // 2 and longest <= room - 2):
                wrapped = [line for part in parts for line in wrap(part, room, "  ")]
                lines.append(f"  {first}{' ' * (left - cells(first))}  {wrapped[0]}")
                lines += [f"{' ' * (left + 4)}{line}" for line in wrapped[1:]]
            else:
                lines += [f"  {line}" for line in wrap(first, self._width - 2, "  ")]
                lines += [f"      {line}" for part in parts for line in wrap(part, self._width - 6, "  ")]
        return lines
