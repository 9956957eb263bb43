"""Bars: how much of what, for each of the things compared; and by how much something changes.

Each row's name stands above its bars, so that no name is too long and a phone shows all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from orderstate.history.simulating.drawing import WIDTH, paper, series, svg, tone

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BAR, _BETWEEN, _NAME, _APART = 13.5, 3.0, 19.5, 13.0
_ROOM = 76
"""What a figure at the end of a bar takes."""
_LONGEST = 50
"""Characters of a row's name that fit above its bars."""


class Bars(NamedTuple):
    """One row: its name, a value for each of the things compared (None: no bar), and a value to mark across them."""

    name: str
    values: Sequence[float | None]
    mark: float | None = None


def bars(key: str, label: str, rows: Sequence[Bars], shown: Callable[[float], str]) -> str:
    """Bars from the left, with their figures at the end."""
    top = max((v for row in rows for v in (*row.values, row.mark) if v is not None), default=0.0) or 1.0
    scale = (WIDTH - _ROOM) / top
    with paper(_height(rows)) as (figure, axes):
        y = 0.0
        for row in rows:
            y = _named(axes, row.name, y)
            begin = y
            for number, value in enumerate(row.values):
                if value is not None:
                    axes.barh(y + _BAR / 2, value * scale, _BAR, color=series(number), linewidth=0)
                    _figure(axes, shown(value), _clear(value * scale, row.mark, scale), y, "left")
                y += _BAR + _BETWEEN
            if row.mark is not None:
                x = row.mark * scale
                axes.plot([x, x], [begin - 2, y - _BETWEEN + 2], color=tone("ink"), linewidth=1.6)
            y += _APART
        return svg(figure, key, label)


def changes(key: str, label: str, rows: Sequence[Bars], shown: Callable[[float], str]) -> str:
    """Bars to both sides of zero: less to the left, more to the right."""
    values = [v for row in rows for v in row.values if v is not None]
    least, most = min([*values, 0.0]), max([*values, 0.0])
    left = _ROOM if least < 0 else 2
    right = _ROOM if most > 0 else _ROOM * 0.6
    scale = (WIDTH - left - right) / ((most - least) or 1.0)
    zero = left - least * scale
    height = _height(rows)
    with paper(height) as (figure, axes):
        y = 0.0
        for row in rows:
            y = _named(axes, row.name, y)
            begin = y
            for number, value in enumerate(row.values):
                if value is not None:
                    end = zero + value * scale
                    axes.barh(y + _BAR / 2, value * scale, _BAR, left=zero, color=series(number), linewidth=0)
                    side = "right" if value < 0 else "left"
                    _figure(axes, shown(value), end + (-6 if value < 0 else 6), y, side)
                y += _BAR + _BETWEEN
            axes.plot([zero, zero], [begin - 3, y - _BETWEEN + 3], color=tone("soft"), linewidth=1)
            y += _APART
        return svg(figure, key, label)


def _clear(end: float, mark: float | None, scale: float) -> float:
    """Where the figure behind a bar begins: after the mark, if that would cross it."""
    if mark is not None and end - 4 <= mark * scale <= end + _ROOM - 14:
        return mark * scale + 6
    return end + 6


def _height(rows: Sequence[Bars]) -> float:
    return sum(_NAME + len(row.values) * (_BAR + _BETWEEN) for row in rows) + _APART * (len(rows) - 1) + 2


def _named(axes: Axes, name: str, y: float) -> float:
    short = name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
    axes.text(0, y + 11, short, fontsize=13, va="baseline")
    return y + _NAME


def _figure(axes: Axes, text: str, x: float, y: float, side: str) -> None:
    axes.text(x, y + _BAR - 2.4, text, fontsize=12.5, ha=side, va="baseline", color=tone("soft"))
