"""The paper that charts are drawn on: matplotlib in, one inline SVG element out.

Colours are drawn as markers and come out as variables of the page's style, so that one drawing serves light and dark.
Text stays text, in the page's own font. Nothing in the result depends on the day or the run: the same drawing has the
same bytes.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING

from orderstate.errors import NotInstalled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 380
"""The width of every drawing, in units that a phone shows as about one pixel each."""

SERIES = 8
"""Colours for things that are compared; further ones begin again."""

_TONES = ("ink", "soft", "line", "paper", *(f"s{n}" for n in range(1, SERIES + 1)))
_MARKER = {tone: f"#0a0b{number:02x}" for number, tone in enumerate(_TONES, start=1)}
_VARIABLE = {marker: f"var(--{tone})" for tone, marker in _MARKER.items()}

_TAG = re.compile(r"<[^>]*>")
_MARKED = re.compile("|".join(_VARIABLE))
_FONT = re.compile(r" ?font-family: [^;\"]*;?")
_ID = re.compile(r' id="([^"]*)"')
_REFERENCE = re.compile(r'(url\(#|xlink:href="#)([^")]*)')
_STRAIGHT = re.compile(r' transform="rotate\(-0 [^"]*\)"')
_LONG = re.compile(r"(-?\d+\.\d\d)\d+")
_EMPTY_GROUP = re.compile(r"<g>\s*</g>\s*")


def tone(name: str) -> str:
    """The colour to draw with so that the page's variable of that name shows: ink, soft, line, paper, s1 to s8."""
    return _MARKER[name]


def series(number: int) -> str:
    """The colour of the n-th of several things, from 0."""
    return tone(f"s{number % SERIES + 1}")


def require_matplotlib() -> None:
    """Raises NotInstalled where matplotlib is not there."""
    try:
        import matplotlib  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise NotInstalled(
            "a report needs matplotlib, which is not installed",
            hint="pip install 'orderstate[report]'",
            extra="report",
        ) from error


@contextmanager
def paper(height: float) -> Iterator[tuple[Figure, Axes]]:
    """A figure of WIDTH x height whose axes fill it; y counts from the top. Raises NotInstalled."""
    require_matplotlib()
    from matplotlib import rc_context, rcdefaults, rcParams
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # What DejaVu has no sign for, the reader's browser has; the warning would only be about our measuring.
    with rc_context(), warnings.catch_warnings():
        # Whatever somebody's matplotlibrc says, the same result gives the same bytes.
        rcdefaults()
        rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": "orderstate",
                "text.parse_math": False,
                "font.size": 12,
                "text.color": tone("ink"),
                "path.simplify": False,
            }
        )
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(WIDTH / 72, height / 72), facecolor="none")
        FigureCanvasSVG(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(0, WIDTH)
        axes.set_ylim(height, 0)
        yield figure, axes


def svg(figure: Figure, key: str, label: str) -> str:
    """The figure as an SVG element. `key` begins its ids, so that several live on one page; `label` says what it is."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", text, count=1, flags=re.S)
    kept = {found[1] for found in _REFERENCE.findall(text)}
    text = _TAG.sub(lambda tag: _restyled(tag[0], key, kept), text)
    text = _EMPTY_GROUP.sub("", text)
    box = re.search(r'viewBox="[^"]*"', text)
    assert box is not None
    opening = f'<svg class="drawing" {box[0]} role="img" aria-label="{escape(label)}">'
    return opening + text[text.index(">") + 1 :].strip()


def _restyled(tag: str, key: str, kept: set[str]) -> str:
    """One tag as the page has it. Only tags are looked at, so no name from a file is ever taken for a colour."""
    tag = _MARKED.sub(lambda found: _VARIABLE[found[0]], tag)
    tag = _FONT.sub("", tag)
    tag = _STRAIGHT.sub("", tag)
    tag = _LONG.sub(r"\1", tag)
    tag = _ID.sub(lambda found: f' id="{key}-{found[1]}"' if found[1] in kept else "", tag)
    return _REFERENCE.sub(lambda found: f"{found[1]}{key}-{found[2]}", tag).replace("xlink:href", "href")
