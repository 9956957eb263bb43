"""What is left to decide at a node of the search, once some facilities are open and some are shut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orderstate.allocation.ascent import ascend, bound
from orderstate.allocation.instance import ELSEWHERE, Instance, Line

SHUT, FREE, OPEN = 0, 1, 2

EVERY = -1
"""What marks the cut over all gaps together."""


class Relaxation:
    """One node: the lines with what open and free facilities can still give, and what every completion must pay.

    opened, free: facilities. base: the cost of the open ones. lines: as `Instance.lines`, without what is shut or no
    completion needs. fill: base plus every line's cheapest fill: no completion costs less. gaps: per line that the open
    ones leave unfilled, (line, units missing, what each free facility could give of them). gains: the same over all
    lines. missing: units over all gaps.
    """

    __slots__ = ("base", "fill", "free", "gains", "gaps", "lines", "missing", "opened")

    def __init__(self, instance: Instance, state: Sequence[int]) -> None:
        fixed = instance.fixed
        self.opened = [facility for facility, what in enumerate(state) if what == OPEN]
        self.free = [facility for facility, what in enumerate(state) if what == FREE]
        self.base = self.fill = sum([fixed[facility] for facility in self.opened])
        self.lines: list[Line] = []
        self.gaps: list[tuple[int, int, dict[int, int]]] = []
        self.gains = dict.fromkeys(self.free, 0)
        self.missing = 0


def relax(instance: Instance, state: list[int]) -> Relaxation | None:
    """The node of `state` (SHUT, FREE or OPEN by facility); None where what is not shut cannot fill the lines.

    A facility without which a line cannot be filled is opened, in `state` too.
    """
    while True:
        node = Relaxation(instance, state)
        needed: set[int] = set()
        for units, segments in instance.lines:
            if not _add(node, state, units, segments, needed):
                return None
        if not needed:
            return node
        for facility in needed:
            state[facility] = OPEN


def _add(
    node: Relaxation, state: Sequence[int], units: int, segments: Iterable[tuple[int, int, int]], needed: set[int]
) -> bool:
    """Add one line to the node; False where it cannot be filled.

    The cheaper units of open facilities come first in any completion, so what is dearer gives at most the rest.
    """
    missing = left = units
    fill = total = 0
    kept = []
    held: dict[int, int] = {}
    for segment in segments:
        cost, facility, amount = segment
        if facility != ELSEWHERE and state[facility] == FREE:
            before = held.get(facility, 0)
            room = missing - before
            if room <= 0:
                continue
            if amount > room:
                amount = room
                segment = (cost, facility, amount)
            held[facility] = before + amount
        elif facility == ELSEWHERE or state[facility] == OPEN:
            if amount > missing:
                amount = missing
                segment = (cost, facility, amount)
            missing -= amount
        else:
            continue
        kept.append(segment)
        total += amount
        if left:
            taken = amount if amount < left else left
            fill += cost * taken
            left -= taken
        if not missing:
            break
    if left:
        return False
    node.fill += fill
    node.lines.append((units, kept))
    if missing:
        gains = node.gains
        for facility, amount in held.items():
            if total - amount < units:
                needed.add(facility)
            if amount > missing:
                held[facility] = amount = missing
            gains[facility] += amount
        node.gaps.append((len(node.lines) - 1, missing, held))
        node.missing += missing
    return True


def least(amounts: Iterable[int], wanted: int) -> int | None:
    """How many of the amounts it takes at least to reach what is wanted; None: all together do not."""
    count = total = 0
    for amount in sorted(amounts, reverse=True):
        if total >= wanted:
            break
        count += 1
        total += amount
    return count if total >= wanted else None


def cuts(node: Relaxation, more: int) -> list[tuple[int, Line]] | None:
    """Lines that no customer wrote: so many more facilities must open. None: not even all are enough.

    `more`: how many more every completion opens that is still of interest. Each cut is a line of that many units, of
    which any free facility gives one for nothing; those that can help a gap give one to its cut. The first is over
    all gaps together, and marked EVERY; the others over one gap each that takes several facilities to fill, marked with
    its line. The ascent prices them like lines.
    """
    found: list[tuple[int, Line]] = []
    if node.missing:
        count = least(node.gains.values(), node.missing)
        if count is None:
            return None
        more = max(more, count)
    if more > len(node.free):
        return None
    found.append((EVERY, (more, [(0, facility, 1) for facility in node.free])))
    for line, missing, held in node.gaps:
        count = least(held.values(), missing)
        if count is None:
            return None
        if count > 1 and len(node.gaps) > 1:
            found.append((line, (count, [(0, facility, 1) for facility in held])))
    return found


def dual(instance: Instance, node: Relaxation, extra: Sequence[Line]) -> tuple[int, list[int], list[int]]:
    """(lower bound on every completion, slack by facility, prices of the cuts `extra` and then the lines)."""
    slack = [*instance.fixed, 0]
    for facility in node.opened:
        slack[facility] = 0
    lines = [*extra, *node.lines]
    prices = ascend(lines, slack)
    return node.base + bound(lines, prices, slack), slack, prices
