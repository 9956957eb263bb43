"""Pictures of a flow, or of one order's walk on it: SVG, PNG and PDF, laid out by Graphviz.

Needs pygraphviz, whose wheels carry Graphviz, and nothing else: the one font is in this package, so that a picture is
the same on a machine with no fonts at all.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from orderstate.diagram.chart import caption, chart
from orderstate.diagram.graph import GAPS, crowd, dot
from orderstate.errors import NotInstalled, OrderstateError

if TYPE_CHECKING:
    from orderstate.diagram.chart import Counts, Walk
    from orderstate.model import Flow

PICTURES = ("svg", "png", "pdf")
FONT = Path(__file__).parent / "fonts" / "OrderstateSans.otf"
DENSITY = 192
"""Pixels of a PNG per inch: two for each pixel of an ordinary screen, so that it is sharp on a dense one."""

MOST_TRIED = 100
"""A flow with more arrows than this is drawn once, as it comes: each try would take long and clear little."""
MOST_DRAWN = 150
"""Arrows in a picture; where there are more, most of them are told in words below it."""
_TRIES = (GAPS, (0.45, 0.75), (0.6, 0.6), (0.8, 0.5), (0.6, 0.9), (0.8, 0.8), (1.0, 0.7), (0.35, 1.0), (1.1, 1.1))
"""Rooms between boxes, as `dot` takes them: the closest first."""
_FACE = "Orderstate Sans"
# What the font has, told by a test to be no more than that: Latin, Greek, Cyrillic, the signs of European text, arrows.
_COVERED = re.compile(
    "[ -~\u00a0-\u0148\u014a-\u017f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03ce\u0400-\u045f"
    "\u1ea0-\u1ef9\u2010-\u2015\u2018-\u201e\u2020-\u2022\u2026\u20ac\u2190-\u2193\u2212\n]*"
)
_SYSTEM_FONTS = "/etc/fonts/fonts.conf"
_CONFIGURATION = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  {include}<dir>{folder}</dir>
  <cachedir>{folder}</cachedir>
</fontconfig>
"""


def picture(flow: Flow, walk: Walk | None = None, counts: Counts | None = None, format: str = "svg") -> bytes:
    """The flow, or one order's walk on it, as the content of a file: svg (UTF-8), png or pdf.

    An SVG follows the reader's choice of light or dark; the others are light. Raises NotInstalled without pygraphviz,
    and NotFound when the walk's present state is not one of the flow's.
    """
    drawn, layout = _clearest(flow, walk, counts, format)
    if format == "svg":
        from orderstate.diagram.vector import finished

        return finished(drawn, layout, caption(flow, walk, counts)).encode()
    return drawn


def told_in_words(flow: Flow, walk: Walk | None = None) -> int:
    """How many arrows a picture of the flow does not draw, because there are too many."""
    return len(crowd(chart(flow, walk), MOST_DRAWN))


def unseen(flow: Flow, walk: Walk | None = None, counts: Counts | None = None) -> str:
    """The signs of a drawing that our font lacks: a PNG or PDF shows them only if the machine has a font for them."""
    return "".join(dict.fromkeys(sign for sign in dot(flow, walk, counts) if not _COVERED.fullmatch(sign)))


def _clearest(flow: Flow, walk: Walk | None, counts: Counts | None, format: str) -> list[bytes]:
    """The first drawing in which nothing touches a label or a box, else the one with the fewest; and its layout.

    A label that something touches is moved along its line. Where that does not do, there is more room: Graphviz leads
    its lines elsewhere then, and whether that is better shows only when it is done.
    """
    import json

    from orderstate.diagram.clearing import Sketch, count
    from orderstate.diagram.placing import pinned, placed

    fewest: int | None = None
    best: list[bytes] = []
    moved: str | None = None
    arrows = sum(len(transition.sources) for transition in flow.transitions)
    for gaps in _TRIES if arrows <= MOST_TRIED else _TRIES[:1]:
        text = dot(flow, walk, counts, face=_FACE, gaps=gaps, most=MOST_DRAWN)
        if format == "png":
            text = text.replace("graph [", f"graph [dpi={DENSITY}, ", 1)
        found = paint(text, format, "json")
        layout = json.loads(found[1])
        sketch = Sketch(layout)
        moves = placed(sketch)
        touched = count(sketch.touches())
        if fewest is None or touched < fewest:
            fewest, best, moved = touched, found, pinned(text, layout, moves) if moves else None
        if not touched:
            break
    return best if moved is None else paint(moved, format, "json", placed=True)


def paint(text: str, *formats: str, placed: bool = False) -> list[bytes]:
    """What Graphviz makes of a drawing in its language, in each of its formats.

    `placed`: the drawing says where everything is. Raises NotInstalled, and OrderstateError (`picture`, `disk_full`).
    """
    import subprocess
    from importlib.util import find_spec
    from shutil import copyfile

    from orderstate.outputs import temporary

    if find_spec("pygraphviz") is None:
        raise _missing("is not installed")
    with temporary("orderstate-") as folder:
        configuration = folder / "fonts.conf"
        configuration.write_text(_fonts(text, str(folder)), encoding="utf-8")
        # A copy, because fontconfig leaves files of its own beside the fonts that it reads.
        copyfile(FONT, folder / FONT.name)
        found = os.pathsep.join(place for place in sys.path if place)
        done = subprocess.run(
            # -P: what lies in the working directory is no module of ours.
            [sys.executable, "-P", str(Path(__file__).with_name("painter.py")), *["--placed"] * placed, *formats],
            input=text.encode(),
            capture_output=True,
            check=False,
            env=os.environ | {"FONTCONFIG_FILE": str(configuration), "PYTHONPATH": found},
        )
    said = done.stderr.decode(errors="replace").strip().splitlines()
    if done.returncode == 9:
        raise _missing(f"cannot be loaded: {said[-1] if said else 'it does not say why'}")
    if done.returncode:
        last = said[-1] if said else f"status {done.returncode}"
        raise OrderstateError(
            f"Graphviz could not draw this flow: {last}", code="picture", hint="orderstate diagram --format dot"
        )
    return list(_parts(done.stdout))


def _parts(data: bytes) -> list[bytes]:
    parts, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 8], "big")
        parts.append(data[at + 8 : at + 8 + size])
        at += 8 + size
    return parts


def _fonts(text: str, folder: str) -> str:
    """A configuration that knows our font; and those of the machine, if the text has signs that ours lacks."""
    from xml.sax.saxutils import escape

    system = os.environ.get("FONTCONFIG_FILE") or _SYSTEM_FONTS
    include = "" if _COVERED.fullmatch(text) else f'<include ignore_missing="yes">{escape(system)}</include>\n  '
    return _CONFIGURATION.format(include=include, folder=escape(folder))


def _missing(why: str) -> NotInstalled:
    return NotInstalled(
        f"a picture needs pygraphviz, which {why}",
        hint="pip install 'orderstate[diagram]', or take --format mermaid",
        extra="diagram",
    )
