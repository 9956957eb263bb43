"""Taking units along a fixed order of facilities: what `nearest` and `priority` have in common.

A walk looks at no cost. Without limits it takes each line's units facility by facility, primary before back inside one.
Limits couple the lines: where the plain walk breaks one, filling the order comes first and the order of facilities
second.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations, islice

from orderstate.allocation.problem import Problem, Source, Take
from orderstate.model import Plan

_COMBINATIONS = 2_000
"""Sets of facilities tried, in order, before a limited walk settles for a greedy choice. Counted, so repeatable."""


def walk(problem: Problem, strategy: str, order: Sequence[int], otherwise: str) -> Plan:
    """The plan of a strategy that goes through facilities in `order` (ranks); the ones left stand as `otherwise`."""
    place = {rank: n for n, rank in enumerate(order)}
    lines = [sorted(sources, key=lambda s: (place[s[0]], s[1])) for sources in problem.sources]
    return finish(problem, strategy, _walk(problem, lines, order), otherwise)


def finish(problem: Problem, strategy: str, takes: list[Take], otherwise: str) -> Plan:
    """The plan of a walk; where the order must ship complete and does not, an empty one."""
    if problem.options.complete and sum(take[3] for take in takes) < sum(problem.demand):
        takes = []
        otherwise = "too_few_units"
    return problem.plan(strategy, takes, otherwise)


def _walk(problem: Problem, lines: Sequence[Sequence[Source]], order: Sequence[int]) -> list[Take]:
    takes = fill(problem, lines)
    most = problem.max_shipments
    if most is None or len({take[0] for take in takes}) <= most:
        return takes
    return limited(problem, lines, order, most)


def fill(problem: Problem, lines: Sequence[Sequence[Source]], among: Collection[int] | None = None) -> list[Take]:
    """Take each line's units from its sources in their order; `among`: only from these facilities."""
    if problem.options.whole_lines:
        return _fill_whole(problem, lines, among)
    takes: list[Take] = []
    for line, sources in enumerate(lines):
        left = problem.demand[line]
        for rank, pool, available, _ in sources:
            if among is not None and rank not in among:
                continue
            if available >= left:
                takes.append((rank, line, pool, left))
                break
            takes.append((rank, line, pool, available))
            left -= available
    return takes


def _fill_whole(problem: Problem, lines: Sequence[Sequence[Source]], among: Collection[int] | None) -> list[Take]:
    takes: list[Take] = []
    for line, sources in enumerate(lines):
        wanted = problem.demand[line]
        held: dict[int, int] = {}
        for rank, _, available, _ in sources:
            if among is None or rank in among:
                held[rank] = held.get(rank, 0) + available
        first = next((rank for rank, units in held.items() if units >= wanted), None)
        for rank, pool, available, _ in sources:
            if rank == first and wanted:
                units = min(available, wanted)
                takes.append((rank, line, pool, units))
                wanted -= units
    return takes


def limited(problem: Problem, lines: Sequence[Sequence[Source]], order: Sequence[int], most: int) -> list[Take]:
    """The walk among at most `most` facilities: the first set, in order, that fills the most.

    Sets are tried first to last while they are few; beyond that the facility that fills the most of what is left is
    taken, the first in order among equals.
    """
    holders = {source[0] for sources in lines for source in sources}
    candidates = [rank for rank in order if rank in holders]
    reachable = sum(take[3] for take in fill(problem, lines))
    best: list[Take] = []
    best_units = 0
    for among in islice(combinations(candidates, min(most, len(candidates))), _COMBINATIONS):
        takes = fill(problem, lines, among)
        units = sum(take[3] for take in takes)
        if units > best_units:
            best, best_units = takes, units
            if units == reachable:
                return best
    chosen: list[int] = []
    while len(chosen) < most:
        gains = [(sum(t[3] for t in fill(problem, lines, [*chosen, r])), r) for r in candidates if r not in chosen]
        if not gains:
            break
        top = max(units for units, _ in gains)
        chosen.append(next(rank for units, rank in gains if units == top))
    takes = fill(problem, lines, chosen)
    return takes if sum(take[3] for take in takes) > best_units else best
