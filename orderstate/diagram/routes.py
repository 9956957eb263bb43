"""Routes between boxes, as in the routing of circuits: nets with pins, and channels with tracks.

A trigger into one target is one net. A net has one vertical track in its channel and, wherever it meets a box, a pin in
a row of its own. So no two routes ever lie on each other: where they meet, one crosses the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

from orderstate.diagram.canvas import HEAVY, LIGHT, START, START_ASCII, Canvas, cells
from orderstate.diagram.chart import Edge, Node, named

_SEARCHED = 8
"""Up to so many nets in a channel every pair is tried the other way round; beyond, only neighbours."""


class Box:
    """A state with its lines of text. `below` holds the edges that go straight down to the next box of the column;
    `west` and `east` are the pins on its sides, from the top down.
    """

    __slots__ = ("below", "east", "height", "lines", "node", "west", "y")

    def __init__(self, node: Node, lines: list[str]) -> None:
        self.node = node
        self.lines = lines
        self.y = 0
        self.height = 0
        self.below: list[Edge] = []
        self.west: list[Pin] = []
        self.east: list[Pin] = []


class Pin:
    """Where a net meets a box. `left_wall` tells on which side of the channel; `offset` is its row within the box."""

    __slots__ = ("box", "label", "left_wall", "net", "offset", "out", "taken")

    def __init__(self, net: Net, box: Box, *, left_wall: bool, out: bool) -> None:
        self.net = net
        self.box = box
        self.left_wall = left_wall
        self.out = out
        self.taken: list[int] = []
        self.label = ""
        self.offset = 0

    @property
    def row(self) -> int:
        return self.box.y + self.offset


class Net:
    """One trigger into one target, as far as it runs in one channel. The first pin is the target's, and the only one
    where an order was placed, which came from no state.
    """

    __slots__ = ("number", "pins", "track", "trigger")

    def __init__(self, trigger: str, number: int) -> None:
        self.trigger = trigger
        self.number = number
        self.pins: list[Pin] = []
        self.track = 0

    def pin(self, box: Box, *, left_wall: bool, out: bool, taken: Sequence[int]) -> None:
        """Lead the net to a box, with the numbers of the events that went along there."""
        pin = next((p for p in self.pins if p.box is box and p.out is out), None)
        if pin is None:
            pin = Pin(self, box, left_wall=left_wall, out=out)
            self.pins.append(pin)
            (box.east if left_wall else box.west).append(pin)
        pin.taken = sorted({*pin.taken, *taken})

    def begin(self, box: Box, *, left_wall: bool, taken: Sequence[int]) -> None:
        """Lead the net to a box out of nothing."""
        self.pin(box, left_wall=left_wall, out=False, taken=taken)
        self.pins[0].label = named(self.trigger, taken)

    def name_pins(self) -> None:
        """Put the trigger where it is read first: at the sources, or at the target if those are across the channel."""
        target, *sources = self.pins
        across = target.left_wall and not all(pin.left_wall for pin in sources)
        for pin in [target] if across else sources:
            pin.label = named(self.trigger, pin.taken)

    @property
    def low(self) -> int:
        return min(pin.row for pin in self.pins)

    @property
    def high(self) -> int:
        return max(pin.row for pin in self.pins)

    @property
    def straight(self) -> bool:
        """True if the net goes from wall to wall in one row, and needs no track."""
        return self.low == self.high


def pin_order(pin: Pin) -> tuple[int, float, int, bool]:
    """Sorts the pins of one side of a box from the top down, so that routes nest and need not cross.

    Across the channel: in the order of the other ends. Along one wall: first what goes up, the nearest on top; last
    what goes down, the nearest lowest.
    """
    net, box = pin.net, pin.box
    across = [p.row for p in net.pins if p.left_wall != pin.left_wall]
    if across:
        return 0, sum(across) / len(across), net.number, not pin.out
    others = [p.box.y for p in net.pins if p.box is not box] or [box.y]
    away = sum(abs(y - box.y) for y in others) / len(others)
    if all(y < box.y for y in others):
        return 1, away, net.number, not pin.out
    if any(y < box.y for y in others):
        return 2, 0, net.number, not pin.out
    return 3, -away, net.number, not pin.out


class _Span:
    """The rows of a net, read once for all the tries: its ends, and its pins on the near and on the far wall."""

    __slots__ = ("far", "high", "low", "near", "net")

    def __init__(self, net: Net, *, from_left: bool) -> None:
        self.net = net
        self.low, self.high = net.low, net.high
        self.near = tuple(pin.row for pin in net.pins if pin.left_wall is from_left)
        self.far = tuple(pin.row for pin in net.pins if pin.left_wall is not from_left)


def _try(order: list[_Span], spans: list[_Span]) -> tuple[int, int, int]:
    """Put nets on the nearest free track, in this order. Returns what it costs: crossings, tracks, length."""
    tracks: list[list[_Span]] = []
    for span in order:
        # A row stays empty between two nets on one track, or they would look like one.
        for track, held in enumerate(tracks):
            if all(span.high < other.low - 1 or other.high + 1 < span.low for other in held):
                held.append(span)
                span.net.track = track
                break
        else:
            span.net.track = len(tracks)
            tracks.append([span])
    length = sum(span.net.track * (len(span.near) - len(span.far)) for span in order)
    return _crossings(spans), len(tracks), length


def _crossings(spans: list[_Span]) -> int:
    found = 0
    upright = [(span.net.track, span.low, span.high) for span in spans if span.low < span.high]
    for span in spans:
        if span.low == span.high:
            found += sum(low < span.low < high for _, low, high in upright)
            continue
        own = span.net.track
        for track, low, high in upright:
            if track != own:
                found += sum(low < row < high for row in (span.near if track < own else span.far))
    return found


class Channel:
    """The room for nets beside a column of boxes, or between two. Tracks count from the wall that `from_left` names.

    All in columns: `zone` is what labels take beside that wall, before the first track; `pitch` is from one track to
    the next; `apron` is what arrowheads into the wall across take, behind the last track.
    """

    __slots__ = ("_spans", "apron", "from_left", "nets", "pitch", "zone")

    def __init__(self, nets: list[Net], *, from_left: bool = True) -> None:
        self.nets = nets
        self.from_left = from_left
        self.zone = self.apron = 0
        self.pitch = 2
        self._spans: list[_Span] = []

    @property
    def tracks(self) -> int:
        """How many tracks there are."""
        return 1 + max((net.track for net in self.nets if not net.straight), default=-1)

    @property
    def width(self) -> int:
        """In columns, without the walls."""
        return self.zone + max(0, (self.tracks - 1) * self.pitch + 1) + self.apron

    def widen(self, beside: int = 0) -> None:
        """Make room for the labels, and for one that reaches `beside` columns in from a box."""
        labels = [
            cells(pin.label) + (4 if pin.out else 5 if len(net.pins) > 1 else 6)
            for net in self.nets
            for pin in net.pins
            if pin.label
        ]
        self.zone = max([2 if self.nets else 0, beside, *labels])

    def assign(self) -> None:
        """Give each net a track: short nets nearest to the wall, then every exchange that saves crossings or length."""
        self._spans = spans = [_Span(net, from_left=self.from_left) for net in self.nets]
        order = sorted((s for s in spans if s.low < s.high), key=lambda s: (s.high - s.low, s.net.number))
        best = _try(order, spans)
        places = range(len(order))
        few = len(order) <= _SEARCHED
        improved = True
        while improved:
            improved = False
            for i, j in list(combinations(places, 2)) if few else list(pairwise(places)):
                order[i], order[j] = order[j], order[i]
                cost = _try(order, spans)
                if cost < best:
                    best, improved = cost, few
                else:
                    order[i], order[j] = order[j], order[i]
        _try(order, spans)

    def crossings(self) -> int:
        """How often a route crosses another, once tracks are assigned."""
        return _crossings(self._spans)

    def draw(self, canvas: Canvas, x: int) -> None:
        """Every net, the channel's first column being `x`; taken routes over the others."""
        for net in self.nets:
            for pin in net.pins[1:]:
                self._run(canvas, x, pin, net.pins[0], LIGHT)
        for net in self.nets:
            for pin in net.pins[1:]:
                if pin.taken:
                    self._run(canvas, x, pin, net.pins[0], HEAVY)
        for net in self.nets:
            for pin in net.pins:
                if len(net.pins) > 1:
                    self._finish(canvas, x, pin)
                else:
                    self._start(canvas, x, pin)

    def _track_x(self, x: int, net: Net) -> int:
        away = self.zone + net.track * self.pitch
        return x + away if self.from_left else x + self.width - 1 - away

    def _wall_x(self, x: int, pin: Pin) -> int:
        return x - 1 if pin.left_wall else x + self.width

    def _run(self, canvas: Canvas, x: int, source: Pin, target: Pin, weight: int) -> None:
        if source.net.straight:
            canvas.across(
                self._wall_x(x, source), self._wall_x(x, target) + (1 if target.left_wall else -1), source.row, weight
            )
            return
        track = self._track_x(x, source.net)
        for pin in (source, target):
            wall = self._wall_x(x, pin)
            if not pin.out:
                wall += 1 if pin.left_wall else -1
            canvas.across(wall, track, pin.row, weight)
        canvas.down(track, source.row, target.row, weight)

    def _start(self, canvas: Canvas, x: int, pin: Pin) -> None:
        wall, away = self._wall_x(x, pin), 1 if pin.left_wall else -1
        canvas.across(wall + away, wall + 3 * away, pin.row, HEAVY)
        canvas.arrow(wall + away, pin.row, "left" if pin.left_wall else "right")
        sign = START_ASCII if canvas.ascii else START
        text = f" {pin.label} {sign}" if pin.left_wall else f"{sign} {pin.label} "
        canvas.write(wall + 3 if pin.left_wall else wall - 2 - cells(text), pin.row, text)

    def _finish(self, canvas: Canvas, x: int, pin: Pin) -> None:
        wall = self._wall_x(x, pin)
        if not pin.out:
            canvas.arrow(wall + (1 if pin.left_wall else -1), pin.row, "left" if pin.left_wall else "right")
        if pin.label:
            text = f" {pin.label} "
            start = wall + (2 if pin.out else 3) if pin.left_wall else wall - 1 - cells(text)
            canvas.write(start, pin.row, text)
