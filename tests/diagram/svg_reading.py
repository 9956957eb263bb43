"""An SVG picture as a person sees it: boxes, labels and lines, with the room that each takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple
from xml.etree import ElementTree

from fontTools.ttLib import TTFont  # type: ignore[import-untyped]  # it ships no types

from orderstate.diagram.pictures import FONT

_SVG = "{http://www.w3.org/2000/svg}"


class Room(NamedTuple):
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Room) -> bool:
        """True if they have a point in common that is on no edge."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def holds(self, other: Room) -> bool:
        """True if the other lies within."""
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.top <= other.top
            and other.bottom <= self.bottom
        )


@dataclass(frozen=True)
class Text:
    """A line of text with the room of its letters."""

    text: str
    room: Room
    measured: float
    """What `textLength` says."""
    width: float
    """What the font says."""


@dataclass(frozen=True)
class Box:
    """A node: its name, its room, its text."""

    name: str
    room: Room
    texts: tuple[Text, ...]


@dataclass(frozen=True)
class Arrow:
    """An edge: its ends by name, its text, the points of its line, and how it is drawn."""

    name: str
    texts: tuple[Text, ...]
    line: tuple[tuple[float, float], ...]
    style: dict[str, str]


class Picture:
    """A picture read back."""

    def __init__(self, svg: bytes) -> None:
        self.root = ElementTree.fromstring(svg)
        graph = self.root.find(f"{_SVG}g")
        assert graph is not None
        shift = re.search(r"translate\(([-\d.]+) ([-\d.]+)\)", graph.get("transform", ""))
        assert shift is not None
        self._dx, self._dy = float(shift[1]), float(shift[2])
        self.width, self.height = (float(self.root.get(side, "0")) for side in ("width", "height"))
        parts: dict[str, list[ElementTree.Element]] = {"node": [], "edge": []}
        for group in graph.findall(f"{_SVG}g"):
            parts.setdefault(group.get("class", ""), []).append(group)
        self.boxes = [self._box(group) for group in parts["node"]]
        self.arrows = [self._arrow(group) for group in parts["edge"]]
        self.texts = [self._text(text) for text in graph.iter(f"{_SVG}text")]

    def said(self) -> list[str]:
        """Every text, without the spaces around it."""
        return [text.text.strip(" \u00a0") for text in self.texts]

    def _text(self, found: ElementTree.Element) -> Text:
        text, size = found.text or "", float(found.get("font-size", "0"))
        x, y, width = self._dx + float(found.get("x", "0")), self._dy + float(found.get("y", "0")), advance(text, size)
        ink = advance(text.strip(" \u00a0"), size)
        left = x - ink / 2 if found.get("text-anchor") == "middle" else x
        return Text(
            text, Room(left, y - 0.74 * size, left + ink, y + 0.2 * size), float(found.get("textLength", "0")), width
        )

    def _box(self, group: ElementTree.Element) -> Box:
        points = [
            point
            for shape in (*group.findall(f"{_SVG}path"), *group.findall(f"{_SVG}polygon"))
            for point in self._points(shape.get("d") or shape.get("points") or "")
        ]
        for circle in group.findall(f"{_SVG}ellipse"):
            x, y, radius = (float(circle.get(name, "0")) for name in ("cx", "cy", "rx"))
            points += [(x + self._dx - radius, y + self._dy - radius), (x + self._dx + radius, y + self._dy + radius)]
        across, down = zip(*points, strict=True)
        texts = tuple(self._text(text) for text in group.findall(f"{_SVG}text"))
        return Box(self._title(group), Room(min(across), min(down), max(across), max(down)), texts)

    def _arrow(self, group: ElementTree.Element) -> Arrow:
        line = group.find(f"{_SVG}path")
        assert line is not None
        texts = tuple(self._text(text) for text in group.findall(f"{_SVG}text"))
        return Arrow(self._title(group), texts, tuple(self._curve(line.get("d", ""))), dict(line.attrib))

    def _title(self, group: ElementTree.Element) -> str:
        title = group.find(f"{_SVG}title")
        return "" if title is None else title.text or ""

    def _points(self, text: str) -> list[tuple[float, float]]:
        numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]
        return [(x + self._dx, y + self._dy) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]

    def _curve(self, text: str) -> list[tuple[float, float]]:
        """Points along a chain of cubic Bezier curves."""
        start, *rest = self._points(text)
        found = [start]
        for i in range(0, len(rest), 3):
            curve = (found[-1], *rest[i : i + 3])
            for step in range(1, 33):
                t = step / 32
                weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
                found.append(
                    (
                        sum(w * p[0] for w, p in zip(weights, curve, strict=True)),
                        sum(w * p[1] for w, p in zip(weights, curve, strict=True)),
                    )
                )
        return found


@cache
def _font() -> tuple[dict[int, str], Any, int]:
    font = TTFont(FONT)
    return font.getBestCmap(), font["hmtx"], font["head"].unitsPerEm


def advance(text: str, size: float) -> float:
    """How wide a text is in our font: the sum of its letters."""
    letters, metrics, unit = _font()
    width: float = sum(metrics[letters[ord(char)]][0] for char in text) * size / unit
    return width


def covered() -> frozenset[int]:
    """The code points that our font has."""
    return frozenset(_font()[0])
