"""The colours of the drawings that have some. They say what a state means for stock and what an order did.

Whatever has a colour also has a form (thick, solid, dashed) or a word, so nothing depends on colour alone. Text stands
on its own ground with a contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3), in light and in dark.
"""

from __future__ import annotations

from typing import NamedTuple

from orderstate.model import Stock


class Paint(NamedTuple):
    """One kind of state: its ground, its frame, its text."""

    fill: str
    frame: str
    text: str


STATES = {
    Stock.FREE: Paint("#e0f2fe", "#0284c7", "#0c4a6e"),
    Stock.TIED: Paint("#fef3c7", "#d97706", "#78350f"),
    Stock.GONE: Paint("#ede9fe", "#7c3aed", "#4c1d95"),
}
PAPER = "#fffffe"
"""The ground. A hair from white, because Graphviz calls that by its name, and colours are replaced by their number."""
RIM = "#d0d7de"
INK = "#1f2328"
QUIET = "#636c76"
"""Lines, and text that explains."""
FAINT = "#8b949e"
"""Lines that an order did not take."""
TAKEN = "#c2410c"
POSSIBLE = "#047857"
TAKEN_ANYWHERE, POSSIBLE_ANYWHERE = "#ea580c", "#059669"
"""The same for lines on a ground that we do not know: 3 to 1 on white and on black."""

DARK = {
    PAPER: "#0d1117",
    RIM: "#30363d",
    INK: "#e6edf3",
    QUIET: "#9198a1",
    FAINT: "#6e7681",
    TAKEN: "#fb923c",
    POSSIBLE: "#34d399",
    **dict(zip(STATES[Stock.FREE], ("#082f49", "#38bdf8", "#e0f2fe"), strict=True)),
    **dict(zip(STATES[Stock.TIED], ("#451a03", "#f59e0b", "#fef3c7"), strict=True)),
    **dict(zip(STATES[Stock.GONE], ("#2e1065", "#a78bfa", "#ede9fe"), strict=True)),
}
"""What each colour becomes on a dark page."""
