"""The drawing of a flow for narrow screens and tangled flows: a card for each state, its arrows written on it.

Fits any flow into any width from 24 columns on: what is too long is wrapped, nothing is left out.
"""

from __future__ import annotations

from orderstate.diagram.canvas import HEAVY, LIGHT, START, START_ASCII, Canvas, cells, wrap
from orderstate.diagram.chart import ARROW, ARROW_ASCII, Chart, Edge, describe, named
from orderstate.diagram.layout import border, draw_start

_STEM = 3
"""The column of the arrows that lead from card to card."""


def draw_cards(chart: Chart, canvas: Canvas, width: int) -> None:
    """Every node as a card, at most `width` columns wide; an arrow that leads to the next card is drawn."""
    below: list[list[Edge]] = [[] for _ in chart.nodes]
    written: list[list[str]] = [[] for _ in chart.nodes]
    sign = ARROW_ASCII if canvas.ascii else ARROW
    for edge in chart.edges:
        if edge.target == edge.source + 1:
            below[edge.source].append(edge)
        else:
            text = f"{named(edge.trigger, edge.taken)} {sign} {chart.nodes[edge.target].title}"
            written[edge.source].append(text)
    texts = [describe(node, ascii=canvas.ascii) for node in chart.nodes]
    if chart.placed and chart.placed_in:
        start = START_ASCII if canvas.ascii else START
        texts[chart.placed_in].append(f"{start} {named('placed', chart.placed)}")
    longest = max(cells(line) for lines in (*texts, *written) for line in lines)
    inner = min(width - 4, longest)
    draw_start(canvas, _STEM, () if chart.placed_in else chart.placed)
    y = 2
    for node, lines, arrows, following in zip(chart.nodes, texts, written, below, strict=True):
        weight = border(node)
        top, bar = y, None
        y += 1
        for line in (part for text in lines for part in wrap(text, inner)):
            canvas.write(2, y, line)
            y += 1
        if arrows:
            bar = y
            y += 1
            for line in (part for text in arrows for part in wrap(text, inner, "  ")):
                canvas.write(2, y, line)
                y += 1
        canvas.box(0, top, inner + 4, y - top + 1, weight)
        if bar is not None:
            canvas.across(0, inner + 3, bar)
        bottom = y
        y += 1
        if following:
            for edge in following:
                for line in wrap(named(edge.trigger, edge.taken), width - _STEM - 2, "  "):
                    canvas.write(_STEM + 2, y, line)
                    y += 1
            canvas.down(_STEM, bottom, y, HEAVY if any(edge.taken for edge in following) else LIGHT)
            canvas.arrow(_STEM, y, "down")
        y += 1
