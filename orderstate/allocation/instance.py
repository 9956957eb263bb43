"""A problem made ready for the exact search: one integer per cost, with the tie rule below the money.

Three things are packed into each number, most significant first: the money, in 1/1000 minor unit; the tie digits, where
every facility that ships adds 2^16 + its rank, so that of plans that cost the same the one with fewer shipments wins,
then the one with the closer facilities; and guard bits, which keep what the dual ascent rounds away below one tie unit.
Python's integers have no size, and only the money is ever stored (`problem.MONEY_LIMIT`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import gcd
from operator import itemgetter

from orderstate.allocation.problem import Problem, Take, tie_bits

Segment = tuple[int, int, int]
"""(cost of one unit, rank of the facility, units): the units of one line that one pool of one facility can give."""

Line = tuple[int, list[Segment]]
"""(units to fill, segments by cost, then facility)."""

_BY_COST = itemgetter(3, 0, 2)
"""By cost, then rank, then units: the order within a facility does not depend on the names of pools."""

ELSEWHERE = -1
"""The facility of a segment that stands for units left short at the declared backorder cost."""


class Instance:
    """What the search sees. Facilities are known by rank, lines are those that can be filled at all.

    fixed: cost of opening each facility, scaled. holders: facilities that hold something wanted. lines: as `Line`.
    numbers: the lines' numbers in the problem. held: per line, the segments of each facility. one: one tie unit, the
    least by which two plans differ. shift: bits below the money. apart: money, in 1/1000 minor unit, that every plan
    costs besides.
    """

    __slots__ = ("apart", "fixed", "held", "holders", "lines", "numbers", "one", "problem", "shift")

    def __init__(self, problem: Problem, *, late: int | None = None, weight: int = 0) -> None:
        """`late`: what a unit left short costs; None: none may be left that can be filled. `weight`: money that is
        added to every shipment. Both in 1/1000 minor unit.
        """
        self.problem = problem
        facilities = len(problem.sites.codes)
        digit, tie = tie_bits(facilities)
        # The ascent over-raises a facility's payments by less than its units, once for each facility.
        guard = (facilities * max(problem.demand, default=1)).bit_length()
        self.one = 1 << guard
        self.shift = tie + guard
        first = 1 << digit
        self.fixed = [
            (((cost + weight) << tie) + first + rank) << guard for rank, cost in enumerate(problem.sites.fixed)
        ]
        self.holders: set[int] = set()
        self.lines: list[Line] = []
        self.numbers: list[int] = []
        self.held: list[dict[int, list[Segment]]] = []
        self.apart = -problem.sites.rebate
        for line, wanted in enumerate(problem.demand):
            held = self._held(line, wanted)
            if held:
                self._add(line, wanted, held, late)
            elif late is not None:
                self.apart += late * wanted

    def _held(self, line: int, wanted: int) -> dict[int, list[Segment]]:
        """What each facility can give of a line, its cheapest units first, no more than is wanted.

        Where lines must ship whole, a line is one unit, and each facility that has all of it offers that unit at the
        cost of the line.
        """
        shift, whole = self.shift, self.problem.options.whole_lines
        held: dict[int, list[Segment]] = {}
        left: dict[int, int] = {}
        for rank, _, units, cost in sorted(self.problem.sources[line], key=_BY_COST):
            room = left.get(rank, wanted)
            if room:
                amount = units if units < room else room
                left[rank] = room - amount
                if rank in held:
                    held[rank].append((cost << shift, rank, amount))
                else:
                    held[rank] = [(cost << shift, rank, amount)]
        if whole:
            return {
                rank: [(sum(cost * units for cost, _, units in held[rank]), rank, 1)]
                for rank, room in left.items()
                if not room
            }
        return held

    def _add(self, line: int, wanted: int, held: dict[int, list[Segment]], late: int | None) -> None:
        whole = self.problem.options.whole_lines
        self.holders.update(held)
        need = 1 if whole else wanted
        if late is not None:
            held[ELSEWHERE] = [(late * (wanted if whole else 1) << self.shift, ELSEWHERE, need)]
        segments = [segment for rows in held.values() for segment in rows]
        segments.sort()
        total = sum([units for _, _, units in segments])
        self.lines.append((need if need < total else total, segments))
        self.numbers.append(line)
        self.held.append(held)

    def cost(self, chosen: Sequence[int]) -> tuple[int, set[int]] | None:
        """The scaled cost of filling every line from the chosen facilities, and which of them are used; None: cannot.

        Each line takes its cheapest units first, of equal ones those of the closer facility. `apart` takes the first
        shipment's split penalty off every plan, so a plan without a shipment is charged for it here.
        """
        total, used = 0, set()
        for (left, _), held in zip(self.lines, self.held, strict=True):
            segments: list[Segment] = []
            for facility in chosen:
                if facility in held:
                    segments += held[facility]
            if ELSEWHERE in held:
                segments += held[ELSEWHERE]
            if len(segments) > 1:
                segments.sort()
            for cost, facility, units in segments:
                used.add(facility)
                if units >= left:
                    total += cost * left
                    left = 0
                    break
                total += cost * units
                left -= units
            if left:
                return None
        used.discard(ELSEWHERE)
        if not used:
            total += self.problem.sites.rebate << self.shift
        for facility in used:
            total += self.fixed[facility]
        return total, used

    def money(self, scaled: int) -> int:
        """The money that a scaled lower bound proves for any plan that ships, in 1/1000 minor unit."""
        return (scaled >> self.shift) + self.apart

    def least(self, scaled: int) -> int:
        """The same, raised to what a plan can cost at all: a multiple of what divides every cost."""
        divisor = gcd(*[cost for _, segments in self.lines for cost, _, _ in segments]) >> self.shift
        divisor = gcd(divisor, *[self.fixed[facility] >> self.shift for facility in self.holders])
        if any(ELSEWHERE in held for held in self.held):
            divisor = gcd(divisor, self.problem.sites.rebate)
        money = scaled >> self.shift
        return (-(-money // divisor) * divisor if divisor else money) + self.apart


def cheapest_fill(problem: Problem, ranks: Collection[int], limit: int | None = None) -> list[Take]:
    """Fill what can be filled from these facilities: cheapest units first, then the closer facility, then primary.

    `limit`: what a unit left short costs; a unit that costs as much stays short.
    """
    takes: list[Take] = []
    for line, left in enumerate(problem.demand):
        rows = sorted((cost, rank, pool, units) for rank, pool, units, cost in problem.sources[line] if rank in ranks)
        if problem.options.whole_lines:
            rows = _whole(rows, left, limit)
        for cost, rank, pool, units in rows:
            if limit is not None and cost >= limit and not problem.options.whole_lines:
                break
            taken = min(units, left)
            takes.append((rank, line, pool, taken))
            left -= taken
            if not left:
                break
    return takes


def _whole(rows: list[tuple[int, int, int, int]], wanted: int, limit: int | None) -> list[tuple[int, int, int, int]]:
    """The rows of the facility that ships the whole line for the least, in their order; none if no facility can."""
    left: dict[int, int] = {}
    spent: dict[int, int] = {}
    for cost, rank, _, units in rows:
        room = left.get(rank, wanted)
        amount = min(units, room)
        left[rank] = room - amount
        spent[rank] = spent.get(rank, 0) + cost * amount
    able = [(spent[rank], rank) for rank, room in left.items() if not room]
    if not able:
        return []
    least, best = min(able)
    if limit is not None and least >= limit * wanted:
        return []
    return [row for row in rows if row[1] == best]
