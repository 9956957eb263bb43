"""The finish of an SVG that Graphviz wrote: a card that follows the reader's light or dark, its text fitting anywhere.

The text names common fonts and carries the length that was measured for it (`textLength`), so it takes the same room in
whatever font the reader has. No font is embedded: web pages refuse them, and the file stays small enough to read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from orderstate.diagram.palette import DARK, PAPER, RIM

_SVG = "http://www.w3.org/2000/svg"
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
FONTS = "Inter, 'Segoe UI', 'Helvetica Neue', Helvetica, Arial, sans-serif"
_ROUND = 12.0


def finished(svg: bytes, layout: bytes, title: str) -> str:
    """The SVG file. `title` says what it shows to those who do not see it; `layout` is the same drawing in Graphviz's
    json, which knows the width of each text.
    """
    root = ElementTree.fromstring(svg)
    _size(root)
    graph = root.find(f"{{{_SVG}}}g")
    assert graph is not None, "Graphviz writes one group around everything"
    _text(graph, dict(_widths(json.loads(layout))))
    _card(root, graph, title)
    ElementTree.register_namespace("", _SVG)
    ElementTree.indent(root, " ")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _size(root: ElementTree.Element) -> None:
    """A point becomes a pixel: so letters are as large as those of a page around them."""
    for side in ("width", "height"):
        root.set(side, root.get(side, "").removesuffix("pt"))


def _card(root: ElementTree.Element, graph: ElementTree.Element, title: str) -> None:
    """Round the ground, give it a rim, and say what becomes of each colour in the dark."""
    for part in (graph, graph.find(f"{{{_SVG}}}g[@class='cluster']")):
        for name in ("title", "polygon"):
            found = None if part is None else part.find(f"{{{_SVG}}}{name}")
            if part is not None and found is not None:
                part.remove(found)
    left, top, width, height = (float(number) for number in root.get("viewBox", "").split())
    place = {"x": left + 0.5, "y": top + 0.5, "width": width - 1, "height": height - 1, "rx": _ROUND}
    card = ElementTree.Element(f"{{{_SVG}}}rect", {name: f"{value:g}" for name, value in place.items()})
    card.attrib |= {"fill": PAPER, "stroke": RIM}
    named = ElementTree.Element(f"{{{_SVG}}}title")
    named.text = title
    style = ElementTree.Element(f"{{{_SVG}}}style")
    root.set("role", "img")
    root[:0] = [named, style, card]
    used = {(use, part.get(use)) for part in root.iter() for use in ("fill", "stroke")}
    dark = (
        f"\n  [{use}='{light}'] {{ {use}: {colour} }}"
        for light, colour in DARK.items()
        for use in ("fill", "stroke")
        if (use, light) in used
    )
    style.text = f"\n@media (prefers-color-scheme: dark) {{{''.join(dark)}\n}}\n"


def _text(graph: ElementTree.Element, widths: dict[tuple[str, float], float]) -> None:
    """Give each text its length; centre what stands in a box or at an arrow, so that a viewer which ignores the length
    has room on both sides."""
    graph.set("font-family", FONTS)
    for part in graph.iter(f"{{{_SVG}}}g"):
        centred = part.get("class") in ("node", "edge")
        title = part.find(f"{{{_SVG}}}title")
        if part.get("class") == "edge" and title is not None:
            title.text = re.sub(r":[ew](?=->|$)", "", title.text or "")  # on which side of the box is no news
        for text in part.findall(f"{{{_SVG}}}text"):
            if not (text.text or "").strip():
                part.remove(text)
                continue
            size = float(text.get("font-size", "0"))
            width = widths[text.text or "", size]
            text.attrib.pop("font-family", None)
            text.set("font-size", f"{size:g}")
            text.set("textLength", f"{width:.2f}")
            text.set("lengthAdjust", "spacingAndGlyphs")
            if centred and text.get("text-anchor") == "start":
                text.set("x", f"{float(text.get('x', '0')) + width / 2:.2f}")
                text.set("text-anchor", "middle")


def _widths(layout: dict[str, Any]) -> Iterator[tuple[tuple[str, float], float]]:
    """The width of each text in each size, in points."""
    for part in (layout, *layout.get("objects", ()), *layout.get("edges", ())):
        for drawn in ("_ldraw_", "_tldraw_", "_hldraw_"):
            size = 0.0
            for step in part.get(drawn, ()):
                if step["op"] == "F":
                    size = step["size"]
                elif step["op"] == "T":
                    # Graphviz escapes a backslash once for itself and once for json.
                    yield (step["text"].replace("\\\\", "\\"), size), step["width"]
