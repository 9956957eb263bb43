"""A grid of characters on which lines meet in the right junction, and text that knows how wide it is.

Lines are kept as the four arms of each cell (none, light, heavy, double) and become a glyph only at the end. So a route
that leaves a box, crosses another or merges into it needs no thought where it is drawn.
"""

from __future__ import annotations

LIGHT, HEAVY, DOUBLE = 1, 2, 3

_UP, _RIGHT, _DOWN, _LEFT = 0, 1, 2, 3

# Index: up, right, down, left as the digits of a number in base 3 (0 none, 1 light, 2 heavy); U+2500 to U+257F.
_GLYPHS = " ╴╸╷┐┑╻┒┓╶─╾┌┬┭┎┰┱╺╼━┍┮┯┏┲┳╵┘┙│┤┥╽┧┪└┴┵├┼┽┟╁╅┕┶┷┝┾┿┢╆╈╹┚┛╿┦┩┃┨┫┖┸┹┞╀╃┠╂╉┗┺┻┡╄╇┣╊╋"
# The sides of a double box, with the side on which a route leaves it (there is no glyph for a heavy one).
_DOUBLE = {"u d ": "║", " r l": "═", " rd ": "╔", "  dl": "╗", "ur  ": "╚", "u  l": "╝"}
_DOUBLE_LEAVING = {"urd ": "╟", "u dl": "╢", " rdl": "╤", "ur l": "╧"}
_ROUND = {"┌": "╭", "┐": "╮", "└": "╰", "┘": "╯"}

START, START_ASCII = "●", "*"
ARROWS = {"up": "▲", "right": "►", "down": "▼", "left": "◄"}
ARROWS_ASCII = {"up": "^", "right": ">", "down": "v", "left": "<"}


def cells(text: str) -> int:
    """How many columns a text takes in a terminal: East Asian wide characters two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def _columns(char: str) -> int:
    if char.isascii():
        return 1
    import unicodedata  # most names are ASCII, and the start of the program is budgeted

    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def wrap(text: str, width: int, indent: str = "") -> list[str]:
    """The text in lines of at most `width` columns, broken at spaces, else wherever it must be.

    Nothing but the space at a break is left out. Every line but the first begins with `indent`, which must leave at
    least two columns.
    """
    lines: list[str] = []
    line, fresh = "", True
    for word in text.split(" "):
        joined = line + word if fresh else f"{line} {word}"
        if cells(joined) > width and not fresh:
            lines.append(line)
            joined = indent + word
        line, fresh = joined, False
        while cells(line) > width:
            fits = _fitting(line, width)
            lines.append(line[:fits])
            line = indent + line[fits:]
    return [*lines, line]


def _fitting(text: str, width: int) -> int:
    """How many characters of a text fit: broken behind a parenthesis or comma if one lies in its later half, else
    behind another joint there, so that a name stays whole if it can.
    """
    used = fits = joint = between = 0
    for i, char in enumerate(text):
        used += _columns(char)
        if used > width:
            break
        fits = i + 1
        if used * 2 > width:
            if char in "(,":
                between = fits
            elif char in "_-./:":
                joint = fits
    return between or joint or max(1, fits)


class Canvas:
    """Lines and text at (column, row). Everything drawn is kept; text lies over lines."""

    def __init__(self, *, ascii: bool = False) -> None:
        self.ascii = ascii
        self._arms: dict[tuple[int, int], list[int]] = {}
        self._text: dict[tuple[int, int], str] = {}
        self._square: set[tuple[int, int]] = set()

    def across(self, x0: int, x1: int, y: int, weight: int = LIGHT) -> None:
        """A horizontal line between two columns, both included."""
        for x in range(min(x0, x1), max(x0, x1)):
            self._arm(x, y, _RIGHT, weight)
            self._arm(x + 1, y, _LEFT, weight)

    def down(self, x: int, y0: int, y1: int, weight: int = LIGHT) -> None:
        """A vertical line between two rows, both included."""
        for y in range(min(y0, y1), max(y0, y1)):
            self._arm(x, y, _DOWN, weight)
            self._arm(x, y + 1, _UP, weight)

    def box(self, x: int, y: int, width: int, height: int, weight: int = LIGHT) -> None:
        """A frame with square corners; a double one is there to be seen at once."""
        right, bottom = x + width - 1, y + height - 1
        self.across(x, right, y, weight)
        self.across(x, right, bottom, weight)
        self.down(x, y, bottom, weight)
        self.down(right, y, bottom, weight)
        self._square.update((column, row) for column in (x, right) for row in range(y, bottom + 1))
        self._square.update((column, row) for row in (y, bottom) for column in range(x, right + 1))

    def write(self, x: int, y: int, text: str) -> None:
        """Text from a column on. A mark without a width of its own joins the character before it."""
        for char in text:
            wide = _columns(char)
            if wide == 0:
                self._text[x - 1, y] = self._text.get((x - 1, y), " ") + char
                continue
            self._text[x, y] = char
            if wide == 2:
                self._text[x + 1, y] = ""
            x += wide

    def arrow(self, x: int, y: int, way: str) -> None:
        """An arrowhead that points up, right, down or left."""
        self._text[x, y] = (ARROWS_ASCII if self.ascii else ARROWS)[way]

    def lines(self) -> list[str]:
        """The drawing, row by row, without spaces at the ends of lines."""
        spots = self._arms.keys() | self._text.keys()
        if not spots:
            return []
        columns = max(x for x, _ in spots) + 1
        return [
            "".join(self._glyph(x, y) for x in range(columns)).rstrip(" ") for y in range(max(y for _, y in spots) + 1)
        ]

    def _arm(self, x: int, y: int, side: int, weight: int) -> None:
        arms = self._arms.setdefault((x, y), [0, 0, 0, 0])
        arms[side] = max(arms[side], weight)

    def _glyph(self, x: int, y: int) -> str:
        written = self._text.get((x, y))
        if written is not None:
            return written
        arms = self._arms.get((x, y))
        if arms is None:
            return " "
        square = (x, y) in self._square
        return _plain(arms, square=square) if self.ascii else _drawn(arms, square=square)


def _drawn(arms: list[int], *, square: bool) -> str:
    if DOUBLE in arms:
        key = "".join(letter if arm else " " for letter, arm in zip("urdl", arms, strict=True))
        return _DOUBLE.get(key) or _DOUBLE_LEAVING[key]
    glyph = _GLYPHS[arms[_UP] * 27 + arms[_RIGHT] * 9 + arms[_DOWN] * 3 + arms[_LEFT]]
    return glyph if square else _ROUND.get(glyph, glyph)


def _plain(arms: list[int], *, square: bool) -> str:
    upright, level = max(arms[_UP], arms[_DOWN]), max(arms[_LEFT], arms[_RIGHT])
    if DOUBLE in arms:
        return "#"
    if upright and level and (square or not all(arms)):
        return "+"
    if upright:  # where two routes cross, the upright one lies above
        return "!" if upright == HEAVY and not square else "|"
    return "-" if level == LIGHT else "="
