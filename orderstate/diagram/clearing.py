"""Does a line of a laid-out drawing run through a label or a box? Graphviz does not look, so we do, and try again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

_ASCENT, _DESCENT, _SPACE = 0.74, 0.2, 0.28
"""Of a line of text, in parts of its size: above its base line, below it, and the width of a space."""
_NEAR = 1.5
"""Points around a label in which the line of another arrow, which has a width, still looks as if it touched it."""
_PARTS = 24
"""Points at which a curve is looked at."""
_BLANK = " \u00a0"


class Area(NamedTuple):
    """A rectangle in points; up is more."""

    left: float
    low: float
    right: float
    high: float

    def holds(self, x: float, y: float, near: float = 0.0) -> bool:
        """True for a point inside, or less than so far from it."""
        return self.left - near < x < self.right + near and self.low - near < y < self.high + near


def crossings(layout: dict[str, Any]) -> int:
    """How many labels and boxes of a drawing in Graphviz's json have a line running through them; 0: it is clean."""
    objects = {part["_gvid"]: part for part in layout.get("objects", ())}
    boxes = {number: area for number, part in objects.items() if (area := _box(part)) is not None}
    edges = layout.get("edges", [])
    labels = [(edge["_gvid"], area) for edge in edges for area in _labels(edge)]
    found: set[tuple[str, int]] = set()
    for edge in edges:
        others = [(number, area) for number, area in boxes.items() if number not in (edge["tail"], edge["head"])]
        for x, y in _line(edge):
            for number, (owner, area) in enumerate(labels):
                if area.holds(x, y, 0.0 if owner == edge["_gvid"] else _NEAR):
                    found.add(("label", number))
            found.update(("box", number) for number, area in others if area.holds(x, y))
    return len(found)


def _box(part: dict[str, Any]) -> Area | None:
    if "pos" not in part or "width" not in part:
        return None  # a cluster
    x, y = (float(number) for number in part["pos"].split(","))
    across, up = float(part["width"]) * 36, float(part["height"]) * 36  # inches to half of it in points
    return Area(x - across, y - up, x + across, y + up)


def _labels(edge: dict[str, Any]) -> Iterator[Area]:
    size = 0.0
    for step in edge.get("_ldraw_", ()):
        if step["op"] == "F":
            size = step["size"]
        elif step["op"] == "T" and (text := step["text"]).strip(_BLANK):
            x, y = step["pt"]
            left = x - {"l": 0.0, "c": 0.5, "r": 1.0}[step["align"]] * step["width"]
            before = (len(text) - len(text.lstrip(_BLANK))) * _SPACE * size
            after = (len(text) - len(text.rstrip(_BLANK))) * _SPACE * size
            yield Area(left + before, y - _DESCENT * size, left + step["width"] - after, y + _ASCENT * size)


def _line(edge: dict[str, Any]) -> Iterator[tuple[float, float]]:
    """Points along the curves of an edge."""
    for step in edge.get("_draw_", ()):
        points = step.get("points", ()) if step["op"] == "b" else ()
        for at in range(0, len(points) - 3, 3):
            (a, b), (c, d), (e, f), (g, h) = points[at : at + 4]
            for part in range(_PARTS + 1):
                t = part / _PARTS
                one, two, three, four = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
                yield one * a + two * c + three * e + four * g, one * b + two * d + three * f + four * h
