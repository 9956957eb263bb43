"""Routes between boxes, as in the routing of circuits: nets with pins, and channels with tracks.

A trigger into one target is one net. A net has one vertical track in its channel and, wherever it meets a box, a pin in
a row of its own. So no two routes ever lie on each other: where they meet, one crosses the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise

from orderstate.diagram.canvas import HEAVY, LIGHT, Canvas, cells
from orderstate.diagram.chart import Edge, Node, named

_SEARCHED = 8
"""Up to so many nets in a channel every pair is tried the other way round; beyond, only neighbours."""


@dataclass(slots=True, eq=False)
class Box:
    """A state with its lines of text; `west` and `east` are the pins on its sides, from the top down."""

    node: Node
    lines: list[str]
    x: int = 0
    y: int = 0
    height: int = 0
    west: list[Pin] = field(default_factory=list)
    east: list[Pin] = field(default_factory=list)
    below: list[Edge] = field(default_factory=list)
    """The edges that go straight down to the next box of the column."""


@dataclass(slots=True, eq=False)
class Pin:
    """Where a net meets a box. `left_wall` tells on which side of the channel; `offset` is its row within the box."""

    net: Net
    box: Box
    left_wall: bool
    out: bool
    taken: list[int] = field(default_factory=list)
    label: str = ""
    offset: int = 0

    @property
    def row(self) -> int:
        return self.box.y + self.offset


@dataclass(slots=True, eq=False)
class Net:
    """One trigger into one target, as far as it runs in one channel. The first pin is the target's."""

    trigger: str
    number: int
    pins: list[Pin] = field(default_factory=list)
    track: int = 0

    def pin(self, box: Box, *, left_wall: bool, out: bool, taken: Sequence[int]) -> None:
        """Lead the net to a box, with the numbers of the events that went along there."""
        pin = next((p for p in self.pins if p.box is box and p.out is out), None)
        if pin is None:
            pin = Pin(self, box, left_wall, out)
            self.pins.append(pin)
            (box.east if left_wall else box.west).append(pin)
        pin.taken = sorted({*pin.taken, *taken})

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

    Across the channel: in the order of the other ends. Along one wall: first what goes up, the nearest on top; last what
    goes down, the nearest lowest.
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


@dataclass(slots=True, eq=False)
class Channel:
    """The room for nets beside a column of boxes, or between two. Tracks count from the wall that `from_left` names."""

    nets: list[Net]
    from_left: bool = True
    zone: int = 0
    """The columns that labels take beside the wall, before the first track."""
    pitch: int = 2
    apron: int = 0
    """The columns behind the last track, for arrowheads into the wall across."""

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
        labels = [cells(pin.label) + (4 if pin.out else 5) for net in self.nets for pin in net.pins if pin.label]
        self.zone = max([2 if self.nets else 0, beside, *labels])

    def assign(self) -> None:
        """Give each net a track: short nets nearest to the wall, then every exchange that saves crossings or length."""
        nets = sorted((net for net in self.nets if not net.straight), key=lambda n: (n.high - n.low, n.number))
        best = self._try(nets)
        improved = True
        while improved:
            improved = False
            places = range(len(nets))
            for i, j in list(combinations(places, 2) if len(nets) <= _SEARCHED else pairwise(places)):
                nets[i], nets[j] = nets[j], nets[i]
                cost = self._try(nets)
                if cost < best:
                    best, improved = cost, True
                else:
                    nets[i], nets[j] = nets[j], nets[i]
            improved = improved and len(nets) <= _SEARCHED
        self._try(nets)

    def crossings(self) -> int:
        """How often a route crosses another."""
        found = 0
        upright = [(net.track, net.low, net.high, net) for net in self.nets if not net.straight]
        for net in self.nets:
            for pin in net.pins[:1] if net.straight else net.pins:
                near = pin.left_wall is self.from_left
                found += sum(
                    low < pin.row < high
                    and other is not net
                    and (net.straight or (track < net.track if near else track > net.track))
                    for track, low, high, other in upright
                )
        return found

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
                self._finish(canvas, x, pin)

    def _try(self, nets: list[Net]) -> tuple[int, int, int]:
        tracks: list[list[tuple[int, int]]] = []
        for net in nets:
            low, high = net.low, net.high
            # A row stays empty between two nets on one track, or they would look like one.
            net.track = next(
                (i for i, held in enumerate(tracks) if all(high < a - 1 or b + 1 < low for a, b in held)), len(tracks)
            )
            if net.track == len(tracks):
                tracks.append([])
            tracks[net.track].append((low, high))
        length = sum(net.track * len(net.pins) for net in nets)
        return self.crossings(), len(tracks), length

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

    def _finish(self, canvas: Canvas, x: int, pin: Pin) -> None:
        wall = self._wall_x(x, pin)
        if not pin.out:
            canvas.arrow(wall + (1 if pin.left_wall else -1), pin.row, "left" if pin.left_wall else "right")
        if pin.label:
            text = f" {pin.label} "
            start = wall + (2 if pin.out else 3) if pin.left_wall else wall - 1 - cells(text)
            canvas.write(start, pin.row, text)
