"""Where each box of a flow stands: the main path as a column joined by arrows that go straight down, the other states
as a second column where the width allows, else below. Every other route runs in a channel beside the boxes.
"""

from __future__ import annotations

from collections.abc import Sequence

from orderstate.diagram.canvas import DOUBLE, HEAVY, LIGHT, START, START_ASCII, Canvas, cells
from orderstate.diagram.chart import Chart, Node, describe, named
from orderstate.diagram.routes import Box, Channel, Net, Pin, pin_order

_TOP = 2
"""The rows above the first box: the start and its arrow."""
_APRON = 3


def border(node: Node) -> int:
    """The weight of a box's frame: double where the order is, heavy where it has been."""
    return DOUBLE if node.present else HEAVY if node.visited else LIGHT


def draw_below(canvas: Canvas, box: Box, x: int, next_y: int) -> None:
    """The arrow from a box straight down to the next one, its triggers beside it."""
    bottom = box.y + box.height - 1
    canvas.down(x, bottom, next_y - 1, HEAVY if any(edge.taken for edge in box.below) else LIGHT)
    canvas.arrow(x, next_y - 1, "down")
    for row, edge in enumerate(box.below, bottom + 1):
        canvas.write(x + 2, row, named(edge.trigger, edge.taken))


def draw_start(canvas: Canvas, x: int, placed: Sequence[int]) -> None:
    """The mark of the initial state, in the two rows above it; `placed` holds the number of the event that placed."""
    canvas.write(x, 0, START_ASCII if canvas.ascii else START)
    if placed:
        canvas.write(x + 2, 0, named("placed", placed))
    canvas.arrow(x, 1, "down")


def _gap(box: Box) -> int:
    return len(box.below) + 1


class Layout:
    """A chart arranged in one or two columns of boxes. `crossings` says how tangled it is."""

    def __init__(self, chart: Chart, *, columns: int, ascii: bool = False) -> None:
        self._chart = chart
        boxes = [Box(node, describe(node, ascii=ascii)) for node in chart.nodes]
        split = chart.spine if columns == 2 else len(boxes)
        self._main = boxes[:split]
        self._side = sorted(boxes[split:], key=lambda box: self._anchor(box.node))
        self._main_width, self._side_width = (
            max((cells(line) + 4 for box in column for line in box.lines), default=0)
            for column in (self._main, self._side)
        )
        self._west, self._middle, self._east = self._connect(boxes)
        for _ in range(3):  # rows depend on the order of pins, and that on rows: three rounds settle all but the oddest
            self._place()
            for box in boxes:
                box.west.sort(key=pin_order)
                box.east.sort(key=pin_order)
        self._place()
        for channel in (self._west, self._middle, self._east):
            channel.assign()
        self.crossings = sum(channel.crossings() for channel in (self._west, self._middle, self._east))

    def set_pitch(self, pitch: int) -> int:
        """Choose how far apart tracks are; returns the columns that the drawing then takes."""
        self._west.widen()
        self._middle.widen(_beside(self._main, self._main_width))
        self._east.widen(_beside(self._side, self._side_width))
        for channel in (self._west, self._middle, self._east):
            channel.pitch = pitch
        self._middle.apron = _APRON if self._side else 0
        self._main_x = self._west.width
        self._side_x = self._main_x + self._main_width + self._middle.width
        return self._side_x + self._side_width + self._east.width

    def draw(self, canvas: Canvas, margin: int) -> None:
        """Boxes, routes and labels, `margin` columns from the left."""
        main_x, side_x = margin + self._main_x, margin + self._side_x
        for column, x, width in ((self._main, main_x, self._main_width), (self._side, side_x, self._side_width)):
            for i, box in enumerate(column):
                canvas.box(x, box.y, width, box.height, border(box.node))
                for row, line in enumerate(box.lines, box.y + 1):
                    canvas.write(x + 2, row, line)
                if box.below:
                    draw_below(canvas, box, x + width // 2, column[i + 1].y)
        draw_start(canvas, main_x + self._main_width // 2, () if self._chart.placed_in else self._chart.placed)
        self._west.draw(canvas, margin)
        self._middle.draw(canvas, main_x + self._main_width)
        self._east.draw(canvas, side_x + self._side_width)

    def _anchor(self, node: Node) -> tuple[int, bool, int]:
        """Beside which box of the main column a state belongs: the lowest that leads to it, else the highest that it
        leads to, else where its neighbours belong."""
        split, edges = len(self._main), self._chart.edges
        seen, near = {node.number}, {node.number}
        while near:
            sources = [e.source for e in edges if e.target in near and e.source < split]
            targets = [e.target for e in edges if e.source in near and e.target < split]
            if sources or targets:
                return max(sources) if sources else min(targets), node.final, node.number
            near = {n for e in edges for n in (e.source, e.target) if near & {e.source, e.target}} - seen
            seen |= near
        return split, node.final, node.number

    def _connect(self, boxes: list[Box]) -> tuple[Channel, Channel, Channel]:
        place = {box.node.number: (c, i) for c, col in enumerate((self._main, self._side)) for i, box in enumerate(col)}
        nets: dict[tuple[str, str, int], Net] = {}
        for edge in self._chart.edges:
            (source_column, i), (target_column, j) = place[edge.source], place[edge.target]
            if source_column == target_column and j == i + 1:
                boxes[edge.source].below.append(edge)
                continue
            channel = "middle"
            if self._side and source_column == target_column:
                channel = "east" if source_column else "west"
            net = nets.setdefault((channel, edge.trigger, edge.target), Net(edge.trigger, len(nets)))
            for number, out in ((edge.target, False), (edge.source, True)):
                left_wall = channel == "east" or (channel == "middle" and place[number][0] == 0)
                net.pin(boxes[number], left_wall=left_wall, out=out, taken=edge.taken)
        for net in nets.values():
            net.name_pins()
        if self._chart.placed and self._chart.placed_in:
            column, i = place[self._chart.placed_in]
            channel = "east" if column else "west"
            nets[channel, "placed", -1] = net = Net("placed", len(nets))
            net.begin((self._main, self._side)[column][i], left_wall=bool(column), taken=self._chart.placed)
        west, middle, east = ([n for key, n in nets.items() if key[0] == c] for c in ("west", "middle", "east"))
        return Channel(west, from_left=False), Channel(middle), Channel(east)

    def _place(self) -> None:
        y = _TOP
        for box in self._main:
            box.y = y
            for pins in (box.west, box.east):
                for offset, pin in enumerate(pins, 1):
                    pin.offset = offset
            box.height = 2 + max(len(box.lines), len(box.west), len(box.east))
            y += box.height + _gap(box)
        held = {pin.row: pin.net for box in self._main for pin in box.east}
        y = _TOP
        for box in self._side:
            box.y = max(y, self._level(box))
            offset = 0
            for pin in box.west:
                offset += 1
                while not self._free(held, pin, box.y + offset):
                    offset += 1
                pin.offset = offset
            for place, pin in enumerate(box.east, 1):
                pin.offset = place
            box.height = 2 + max(len(box.lines), offset, len(box.east))
            y = box.y + box.height + _gap(box)

    def _free(self, held: dict[int, Net], pin: Pin, row: int) -> bool:
        """A row across from another net's pin is not free. From the pin's own net it is, if the net then turns off to
        one side only: so where four lines meet, two routes cross.
        """
        if row not in held:
            return True
        across = [p.row for p in pin.net.pins if p.left_wall]
        place = self._side.index(pin.box)
        beside = [self._side.index(p.box) for p in pin.net.pins if not p.left_wall]
        up = min(across) < row or min(beside) < place
        down = max(across) > row or max(beside) > place
        return held[row] is pin.net and not (up and down)

    def _level(self, box: Box) -> int:
        """The row at which a side box stands straight across from what leads into it, else from what it leads to."""
        for out in (False, True):
            for place, pin in enumerate(box.west, 1):
                across = [p.row for p in pin.net.pins if p.left_wall]
                if pin.out is out and across:
                    return max(across) - place
        return _TOP


def _beside(column: list[Box], width: int) -> int:
    """How far the labels of the arrows that go down reach beyond the boxes."""
    return max((cells(named(e.trigger, e.taken)) + 3 - width + width // 2 for b in column for e in b.below), default=0)
