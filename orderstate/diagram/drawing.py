"""The drawing of a flow for a terminal, and what is said below it: guards, the path of an order, what it may do now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orderstate.diagram.canvas import Canvas, cells, wrap
from orderstate.diagram.cards import draw_cards
from orderstate.diagram.chart import (
    ARROW,
    ARROW_ASCII,
    Chart,
    Walk,
    chart,
    guard_rows,
    moment,
    orders,
    printable,
    titles,
)
from orderstate.diagram.layout import Layout

if TYPE_CHECKING:
    from orderstate.machine import Choice
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
    counts: Mapping[str, int] | None = None,
) -> str:
    """The flow, or one order's walk on it, as text of at most `width` columns (24 at least), ending with a newline.

    `counts` says how many orders each state holds; with `ascii` no other character is used. There is no colour in it.
    Raises NotFound when the walk's present state is not one of the flow's.
    """
    width = max(width, NARROWEST)
    pen = _Pen(width, ascii)
    drawn = chart(flow, walk, counts, ascii=ascii)
    blocks = [pen.heading(flow, walk, counts), _picture(drawn, width, ascii)]
    if walk is not None:
        blocks += [pen.marks(), pen.path(flow, walk)]
    if walk is not None and walk.choices:
        blocks += [pen.possible(flow, walk.choices), pen.blocked(flow, walk)]
    else:
        blocks.append(pen.guards(flow))
    blocks.append(pen.elsewhere(flow, counts or {}))
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
        self._arrow = ARROW_ASCII if ascii else ARROW
        self._dot = " - " if ascii else " · "

    def heading(self, flow: Flow, walk: Walk | None, counts: Mapping[str, int] | None) -> list[str]:
        """What is drawn."""
        parts = [f"{self._safe(flow.name)} flow"]
        if walk is not None:
            parts = [f"order {self._safe(walk.order_id)}", self._title(flow, walk.state)]
            if walk.steps:
                parts.append(f"since {moment(walk.steps[-1].at)} UTC")
        if counts is not None:
            parts.append(orders(sum(counts.values())))
        return wrap(self._dot.join(parts), self._width)

    def marks(self) -> list[str]:
        """How an order's walk is marked."""
        now, taken, other = ("#", "=!", "-") if self._ascii else ("═", "━", "─")
        parts = [f"{now} now", f"{taken} taken, with the number of the event", f"{other} not taken"]
        line = "   ".join(parts)
        return [line] if len(line) <= self._width else [part for p in parts for part in wrap(p, self._width, "  ")]

    def path(self, flow: Flow, walk: Walk) -> list[str]:
        """The steps with their numbers and times."""
        digits = max((len(str(step.number)) for step in walk.steps), default=1)
        names = [self._title(flow, step.target) for step in walk.steps]
        longest = max(map(cells, names), default=0)
        rows = [
            (
                f"{step.number:>{digits}}  {name}{' ' * (longest - cells(name))}  {moment(step.at)}",
                "placed" if step.source is None else self._safe(step.trigger or "-"),
            )
            for step, name in zip(walk.steps, names, strict=True)
        ]
        return self._rows("path taken (UTC)", rows)

    def possible(self, flow: Flow, choices: Sequence[Choice]) -> list[str]:
        """The triggers that would go now."""
        rows = [
            (self._safe(choice.trigger), f"{self._arrow} {self._title(flow, choice.target)}")
            for choice in choices
            if choice.target is not None
        ]
        return self._rows("possible now", rows) if rows else ["possible now: nothing"]

    def blocked(self, flow: Flow, walk: Walk) -> list[str]:
        """The triggers that would not go, those with the same reasons together."""
        groups: dict[tuple[str, ...], list[str]] = {}
        for choice in walk.choices:
            if choice.target is None:
                groups.setdefault(self._reasons(flow, walk, choice), []).append(self._safe(choice.trigger))
        return self._rows("blocked", [(", ".join(named), "\n".join(why)) for why, named in groups.items()])

    def guards(self, flow: Flow) -> list[str]:
        """Which guards each trigger asks, in the order in which its transitions are tried."""
        rows = guard_rows(flow, ascii=self._ascii)
        lines = self._rows("guards", rows)
        pairs = [(t.trigger, source) for t in flow.transitions for source in t.sources]
        if rows and len(set(pairs)) < len(pairs):
            lines += [
                "",
                *wrap("Where a trigger has several targets, the first whose guards agree is taken.", self._width),
            ]
        return lines

    def elsewhere(self, flow: Flow, counts: Mapping[str, int]) -> list[str]:
        """The orders that stand in states which the flow lacks."""
        known = {state.name for state in flow.states}
        rows = [(self._safe(name), orders(count)) for name, count in counts.items() if name not in known]
        return self._rows("in states that this flow lacks", rows)

    def _reasons(self, flow: Flow, walk: Walk, choice: Choice) -> tuple[str, ...]:
        found = []
        for refusal in choice.refusals:
            if refusal.code == "not_from_here":
                found.append(f"not from {self._title(flow, walk.state)}")
                continue
            found.append(self._safe(refusal.sentence))
            if refusal.remedy:
                found.append(f"try: {self._safe(refusal.remedy)}")
        return tuple(found)

    def _title(self, flow: Flow, state: str) -> str:
        return titles(flow, ascii=self._ascii).get(state) or self._safe(state)

    def _safe(self, text: str) -> str:
        return printable(text, ascii=self._ascii)

    def _rows(self, title: str, rows: Sequence[tuple[str, str]]) -> list[str]:
        """Two columns under a title; one below the other where the second would be squeezed."""
        if not rows:
            return []
        left = max(cells(first) for first, _ in rows)
        room = self._width - left - 4
        widest = max(cells(line) for _, second in rows for line in second.split("\n"))
        lines = wrap(title, self._width)
        for first, second in rows:
            parts = second.split("\n")
            if widest <= room or room >= self._width // 2:
                wrapped = [line for part in parts for line in wrap(part, room, "  ")]
                lines.append(f"  {first}{' ' * (left - cells(first))}  {wrapped[0]}")
                lines += [f"{' ' * (left + 4)}{line}" for line in wrapped[1:]]
            else:
                lines += [f"  {line}" for line in wrap(first, self._width - 2, "  ")]
                lines += [f"      {line}" for part in parts for line in wrap(part, self._width - 6, "  ")]
        return lines
