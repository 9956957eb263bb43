"""Finds a free place, beside its own line, for each label that Graphviz put where something else is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import hypot
from typing import Any

from orderstate.diagram.clearing import Area, Label, Sketch

_ROUNDS = 3
"""A label that finds no place may find one when others have moved."""
_STEP = 5.0
"""Points along a line from one place that is tried to the next."""
_ENDS = 0.08
"""Of the length of a line: so near to its ends its label would seem to belong to the box."""
_GAP = 3.5
"""Between a line and its label, beside the line's own width."""
_ROOMY = ((_GAP, 30.0), (2 * _GAP, 8.0))
"""Points to the line of another arrow, and how much less a place is liked that has not so many: one would look twice
for the arrow to which the label belongs, or take it for that of the other.
"""
_SIDES = (
    (1.0, 0.0, 1.0, 0.0, 0.0),
    (1.0, 1.0, 1.0, 0.0, 3.0),
    (1.0, -1.0, 1.0, 0.0, 3.0),
    (1.0, 1.0, 0.0, 1.0, 3.0),
    (1.0, -1.0, 0.0, 1.0, 3.0),
    (-1.0, 0.0, 1.0, 0.0, 5.0),
    (-1.0, 1.0, 1.0, 0.0, 6.0),
    (-1.0, -1.0, 1.0, 0.0, 6.0),
    (-1.0, 1.0, 0.0, 1.0, 6.0),
    (-1.0, -1.0, 0.0, 1.0, 6.0),
    (0.0, 1.0, 0.0, 1.0, 6.0),
    (0.0, -1.0, 0.0, 1.0, 6.0),
)
"""Where a label may stand beside a point of its line (right and up are 1), in which of the two directions the gap lies,
and how much less it is liked there."""
_STATEMENT = re.compile(r' +(?:graph|("(?:[^"\\]|\\.)*")(?: -> ("(?:[^"\\]|\\.)*"))?) \[')
_ABOVE = 4.0
"""Points above the title, which Graphviz takes away when it only draws: so the title is put so much higher."""


def placed(sketch: Sketch) -> dict[int, tuple[float, float]]:
    """Move each label that touches something to the best free place beside its line, if there is one.

    The sketch has them there afterwards. Returns how far each was moved, in points, right and up.
    """
    homes = dict(sketch.labels)
    room = _hull([*sketch.boxes.values(), *(label.area for label in homes.values())])
    for _ in range(_ROUNDS):
        found = False
        for label in list(sketch.labels.values()):
            if sketch.around(label.edge, label.area):
                best = min(_free(sketch, label, room), default=None)
                if best is not None:
                    sketch.labels[label.edge] = label._replace(area=best[1])
                    found = True
        if not found:
            break
    moves = {
        edge: (label.area.left - homes[edge].area.left, label.area.low - homes[edge].area.low)
        for edge, label in sketch.labels.items()
    }
    return {edge: move for edge, move in moves.items() if any(move)}


def _free(sketch: Sketch, label: Label, room: Area) -> Iterator[tuple[float, Area]]:
    """The free places for a label, each with how little it is liked."""
    line = sketch.lines[label.edge]
    length = sum(hypot(x1 - x0, y1 - y0) for (x0, y0), (x1, y1) in pairwise(line))
    wide, high = label.area.right - label.area.left, label.area.high - label.area.low
    gap = _GAP + sketch.widths[label.edge]
    for x, y, along in _points(line):
        if not _ENDS * length < along < (1 - _ENDS) * length:
            continue
        for side, up, across, upright, disliked in _SIDES:
            left = x - wide / 2 + side * (wide / 2 + across * gap)
            low = y - high / 2 + up * (high / 2 + upright * gap)
            area = Area(left, low, left + wide, low + high)
            if room.holds(area) and not sketch.around(label.edge, area):
                crowded = sum(dislike for near, dislike in _ROOMY if sketch.passing(label.edge, area, near))
                yield disliked + crowded + abs(along - length / 2) * 0.1, area


def _points(line: list[tuple[float, float]]) -> Iterator[tuple[float, float, float]]:
    """Points along a line, evenly, each with how far along it is."""
    passed = ahead = 0.0
    for (x0, y0), (x1, y1) in pairwise(line):
        part = hypot(x1 - x0, y1 - y0)
        while part and ahead <= passed + part:
            t = (ahead - passed) / part
            yield x0 + t * (x1 - x0), y0 + t * (y1 - y0), ahead
            ahead += _STEP
        passed += part


def _hull(areas: list[Area]) -> Area:
    """The drawing itself, without what is told above and below it."""
    return Area(
        min(area.left for area in areas),
        min(area.low for area in areas),
        max(area.right for area in areas),
        max(area.high for area in areas),
    )


def pinned(text: str, layout: Mapping[str, Any], moves: Mapping[int, tuple[float, float]]) -> str:
    """A drawing as `dot` writes it, a statement a line, that says where everything is: as in the layout that Graphviz
    made of it, given in its json, but for the labels that were moved.
    """
    parts = layout.get("objects", ())
    nodes = [part for part in parts if "nodes" not in part]
    frames = [_at(layout, up=_ABOVE), *(_at(_as_wide(part, layout)) for part in parts if "nodes" in part)]
    ends: dict[tuple[int, int], list[str]] = {}
    for edge in layout.get("edges", ()):
        ends.setdefault((edge["tail"], edge["head"]), []).append(_at(edge, *moves.get(edge["_gvid"], ())))
    known: dict[str, int] = {}
    lines = []
    for line in text.splitlines():
        found = _STATEMENT.match(line)
        if found is not None:
            tail, head = found.groups()
            if tail is None:
                line = f"{line[:-2]}, {frames.pop(0)}];"
            elif head is None:
                node = nodes[len(known)]
                known[tail] = node["_gvid"]
                line = f"{line[:-2]}, {_at(node)}];"
            else:
                line = f"{line[:-2]}, {ends[known[tail], known[head]].pop(0)}];"
        lines.append(line)
    return "\n".join(lines) + "\n"


def _as_wide(cluster: Mapping[str, Any], graph: Mapping[str, Any]) -> dict[str, Any]:
    """A cluster as wide as the graph: what is around it would be taken away."""
    right, high = graph["bb"].split(",")[2], cluster["bb"].split(",")[3]
    return {**cluster, "bb": f"0,0,{right},{high}"}


def _at(part: Mapping[str, Any], across: float = 0.0, up: float = 0.0) -> str:
    """Where a part of a drawing is, its label moved."""
    marks = [f'{name}="{part[name]}"' for name in ("bb", "pos") if name in part]
    if "lp" in part:
        x, y = (float(number) for number in part["lp"].split(","))
        marks.append(f'lp="{x + across:.2f},{y + up:.2f}"')
    return ", ".join(marks)
