"""What touches what in a laid-out drawing: lines, labels and boxes. Graphviz does not look, so we do.

Everything is in points; up is more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

_ASCENT, _DESCENT, _SPACE = 0.74, 0.2, 0.28
"""Of a line of text, in parts of its size: above its base line, below it, and the width of a space."""
_OWN, _OTHER, _BOX = 0.75, 1.5, 1.5
"""Room between a line and its own label, another label, and a box at which it does not end, beside its own width."""
_APART = 10.0
"""Labels in one row that are closer than this read as one; a space is about 3."""
_PARTS = 16
"""Straight pieces in which a curve is looked at."""
_CELL = 40.0
"""The side of a cell in which pieces of lines are looked up."""
_BLANK = " \u00a0"


class Area(NamedTuple):
    """A rectangle."""

    left: float
    low: float
    right: float
    high: float

    def grown(self, across: float, up: float | None = None) -> Area:
        """With so much more on each side."""
        up = across if up is None else up
        return Area(self.left - across, self.low - up, self.right + across, self.high + up)

    def moved(self, across: float, up: float) -> Area:
        """In another place."""
        return Area(self.left + across, self.low + up, self.right + across, self.high + up)

    def meets(self, other: Area) -> bool:
        """True if they have a point in common that is on no edge."""
        return self.left < other.right and other.left < self.right and self.low < other.high and other.low < self.high

    def holds(self, other: Area) -> bool:
        """True if the other lies within."""
        return (
            self.left <= other.left and other.right <= self.right and self.low <= other.low and other.high <= self.high
        )


class Piece(NamedTuple):
    """A straight piece of the line of an arrow, or of its head. `half` is half of the line's width."""

    edge: int
    x0: float
    y0: float
    x1: float
    y1: float
    half: float

    def cuts(self, area: Area, near: float) -> bool:
        """True if it comes nearer than that to a rectangle (Liang and Barsky's clipping of a line)."""
        left, low, right, high = area.grown(near + self.half)
        first, last = 0.0, 1.0
        for start, step, least, most in (
            (self.x0, self.x1 - self.x0, left, right),
            (self.y0, self.y1 - self.y0, low, high),
        ):
            if not step:
                if not least < start < most:
                    return False
                continue
            one, two = sorted(((least - start) / step, (most - start) / step))
            first, last = max(first, one), min(last, two)
        return first < last


class Label(NamedTuple):
    """The text of an arrow, without the spaces around it, and its room."""

    edge: int
    text: str
    area: Area


class Touch(NamedTuple):
    """A label or a box, and what runs through it or lies too close: a line, a box, or another label."""

    touched: str
    by: str


class Sketch:
    """A drawing in Graphviz's json as rectangles and lines. Edges and boxes are known by their number there."""

    __slots__ = ("_cells", "_ends", "_names", "boxes", "labels", "lines", "widths")

    def __init__(self, layout: dict[str, Any]) -> None:
        objects, edges = layout.get("objects", ()), layout.get("edges", ())
        self.boxes = {part["_gvid"]: area for part in objects if (area := _box(part)) is not None}
        self._names = {part["_gvid"]: str(part.get("name", "")) for part in objects}
        self._ends = {edge["_gvid"]: (edge["tail"], edge["head"]) for edge in edges}
        self.labels = {label.edge: label for edge in edges for label in _labels(edge)}
        self.widths = {edge["_gvid"]: float(edge.get("penwidth", 1)) / 2 for edge in edges}
        self.lines = {edge["_gvid"]: list(_line(edge)) for edge in edges}
        self._cells: dict[tuple[int, int], list[Piece]] = {}
        for edge in edges:
            number = edge["_gvid"]
            for points in (self.lines[number], *_heads(edge)):
                for (x0, y0), (x1, y1) in pairwise(points):
                    piece = Piece(number, x0, y0, x1, y1, self.widths[number])
                    for cell in _cells(Area(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))):
                        self._cells.setdefault(cell, []).append(piece)

    def touches(self) -> list[Touch]:
        """What touches a label, or crosses a box: each pair once."""
        found: dict[Touch, None] = {}
        for label in self.labels.values():
            named = f"label {self._arrow(label.edge)}"
            found |= dict.fromkeys(Touch(named, by) for by in self.around(label.edge, label.area))
        for number, box in self.boxes.items():
            for edge in sorted(self._passing(box, _BOX)):
                if number not in self._ends[edge]:
                    found[Touch(f"box {self._names[number]}", f"line {self._arrow(edge)}")] = None
        return list(found)

    def around(self, edge: int, area: Area) -> list[str]:
        """What the label of an edge would touch if it were there."""
        near = self._passing(area, _OTHER)
        if edge in near and edge not in self._passing(area, _OWN):
            near.discard(edge)
        found = [f"line {self._arrow(other)}" for other in sorted(near)]
        wide = area.grown(_APART, _OTHER)
        others = (other for other in self.labels.values() if other.edge != edge and wide.meets(other.area))
        found += [f"label {self._arrow(other.edge)}" for other in others]
        near_by = area.grown(_OTHER)
        return found + [f"box {self._names[number]}" for number, box in self.boxes.items() if near_by.meets(box)]

    def passing(self, edge: int, area: Area, near: float) -> bool:
        """Whether the line of another edge comes nearer than that to a rectangle."""
        return bool(self._passing(area, near) - {edge})

    def _passing(self, area: Area, near: float) -> set[int]:
        """The edges whose lines come nearer than that to a rectangle, beside their own width."""
        found: set[int] = set()
        for cell in _cells(area.grown(near + 2)):  # no line is wider than 4
            for piece in self._cells.get(cell, ()):
                if piece.edge not in found and piece.cuts(area, near):
                    found.add(piece.edge)
        return found

    def _arrow(self, edge: int) -> str:
        """`pending->cancelled cancel`: no two arrows share all three."""
        tail, head = self._ends[edge]
        label = self.labels.get(edge)
        return f"{self._names[tail]}->{self._names[head]}{f' {label.text}' if label else ''}"


def crossings(layout: dict[str, Any]) -> int:
    """How many labels and boxes of a drawing in Graphviz's json are touched; 0: it is clean."""
    return count(Sketch(layout).touches())


def count(touches: Iterable[Touch]) -> int:
    """How many labels and boxes are touched."""
    return len({touch.touched for touch in touches})


def _cells(area: Area) -> Iterator[tuple[int, int]]:
    for column in range(int(area.left // _CELL), int(area.right // _CELL) + 1):
        for row in range(int(area.low // _CELL), int(area.high // _CELL) + 1):
            yield column, row


def _box(part: dict[str, Any]) -> Area | None:
    if "pos" not in part or "width" not in part:
        return None  # a cluster
    x, y = (float(number) for number in part["pos"].split(","))
    across, up = float(part["width"]) * 36, float(part["height"]) * 36  # inches to half of it in points
    return Area(x - across, y - up, x + across, y + up)


def _labels(edge: dict[str, Any]) -> Iterator[Label]:
    size = 0.0
    for step in edge.get("_ldraw_", ()):
        if step["op"] == "F":
            size = step["size"]
        elif step["op"] == "T" and (text := step["text"]).strip(_BLANK):
            x, y = step["pt"]
            left = x - {"l": 0.0, "c": 0.5, "r": 1.0}[step["align"]] * step["width"]
            before = (len(text) - len(text.lstrip(_BLANK))) * _SPACE * size
            after = (len(text) - len(text.rstrip(_BLANK))) * _SPACE * size
            area = Area(left + before, y - _DESCENT * size, left + step["width"] - after, y + _ASCENT * size)
            yield Label(edge["_gvid"], text.strip(_BLANK), area)


def _line(edge: dict[str, Any]) -> Iterator[tuple[float, float]]:
    """Points along the curves of an edge."""
    for step in edge.get("_draw_", ()):
        points = step.get("points", ()) if step["op"] == "b" else ()
        for at in range(0, len(points) - 3, 3):
            (a, b), (c, d), (e, f), (g, h) = points[at : at + 4]
            for part in range(at > 0, _PARTS + 1):
                t = part / _PARTS
                one, two, three, four = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
                yield one * a + two * c + three * e + four * g, one * b + two * d + three * f + four * h


def _heads(edge: dict[str, Any]) -> Iterator[list[tuple[float, float]]]:
    """The outlines of the head of an arrow."""
    for step in edge.get("_hdraw_", ()):
        if step["op"] == "P":
            yield [(x, y) for x, y in (*step["points"], step["points"][0])]
