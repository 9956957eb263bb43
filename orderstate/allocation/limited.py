"""The search under a limit on shipments: as much of the order as so few facilities can fill, at the least cost.

Where the limit bites, some units may have to stay short, which the dual prices of search.py say little about. Here the
bound is on what a few more facilities could fill at best: each one's own gain, the largest first, since what several
give together is never more than the sum (the coverage of a set of facilities is submodular).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orderstate.allocation.instance import ELSEWHERE, Instance
from orderstate.allocation.relaxation import FREE, OPEN, SHUT, relax


class Limited:
    """One search over sets of at most `most` facilities. After `run`: best, chosen, nodes, complete, as in `Search`.

    The instance must price units that stay short (`late`), so that every set is a plan.
    """

    def __init__(self, instance: Instance, most: int, node_limit: int) -> None:
        self.instance = instance
        self.most = most
        self.node_limit = node_limit
        self.nodes = 0
        self.complete = True
        self.best: int | None = None
        self.chosen: frozenset[int] = frozenset()
        # What a line's unit costs where it stays short, and how many units each facility could give of it.
        self._late = [held[ELSEWHERE][0][0] for held in instance.held]
        self._held = [
            {facility: sum([units for _, _, units in rows]) for facility, rows in held.items() if facility != ELSEWHERE}
            for held in instance.held
        ]

    def run(self) -> None:
        """Search until proven or until the node limit; a greedy choice comes first, so there is always a plan."""
        holders = self.instance.holders
        state = [FREE if facility in holders else SHUT for facility in range(len(self.instance.fixed))]
        self._greedy(list(state))
        self._node(state, 0)

    def _greedy(self, state: list[int]) -> None:
        for _ in range(self.most):
            _, gains = self._gains(state)
            useful = [facility for facility, gain in gains.items() if gain > 0]
            if not useful:
                break
            state[max(useful, key=lambda f: (gains[f] - self.instance.fixed[f], -f))] = OPEN
            self._offer(_opened(state))

    def _offer(self, chosen: Iterable[int]) -> None:
        found = self.instance.cost(tuple(chosen))
        if found is not None and (self.best is None or found[0] < self.best):
            self.best, self.chosen = found[0], frozenset(found[1])

    def _hopeless(self, bound: int) -> bool:
        return self.best is not None and bound > self.best - self.instance.one

    def _gains(self, state: Sequence[int]) -> tuple[int, dict[int, int]]:
        """What stays short with the open facilities, and what each free one could take off that, as costs."""
        missing = 0
        gains = {facility: 0 for facility, what in enumerate(state) if what == FREE}
        for (wanted, _), late, held in zip(self.instance.lines, self._late, self._held, strict=True):
            left = wanted - sum([units for facility, units in held.items() if state[facility] == OPEN])
            if left > 0:
                missing += left * late
                for facility, units in held.items():
                    if state[facility] == FREE:
                        gains[facility] += min(units, left) * late
        return missing, gains

    def _node(self, state: list[int], opened: int) -> None:
        while True:
            if self.nodes >= self.node_limit:
                self.complete = False
                return
            self.nodes += 1
            branch = self._look(state, self.most - opened)
            if branch is None:
                return
            taken = list(state)
            taken[branch] = OPEN
            self._node(taken, opened + 1)
            state[branch] = SHUT

    def _look(self, state: list[int], more: int) -> int | None:
        """Bound what at most `more` further facilities can do, and name the one to branch on, if any."""
        fixed = self.instance.fixed
        chosen = _opened(state)
        self._offer(chosen)
        # Every line can be filled, if only at the cost of staying short, so nothing is forced open here.
        node = relax(self.instance, state)
        if node is None or not more:
            return None
        missing, gains = self._gains(state)
        paid = sum([fixed[facility] for facility in chosen])
        costs = sorted([fixed[facility] for facility in gains])
        best = sorted(gains.values(), reverse=True)
        count = self._count(paid + missing, costs, best, more)
        if count is None:
            return None
        others = sum(costs[: count - 1])
        if self._hopeless(node.fill + others + costs[count - 1]):
            return None
        most = sum(best[: more - 1])
        for facility, gain in gains.items():
            cost = fixed[facility]
            if self._hopeless(node.fill + others + cost) or self._hopeless(paid + cost + missing - gain - most):
                state[facility] = SHUT
        left = [facility for facility in gains if state[facility] == FREE]
        if more == 1:
            for facility in left:
                self._offer([*chosen, facility])
            return None
        return max(left, key=lambda f: (gains[f], -fixed[f], -f), default=None)

    def _count(self, paid: int, costs: Sequence[int], gains: Sequence[int], more: int) -> int | None:
        """The least number of further facilities with which a better plan is not ruled out; None: it is."""
        for count in range(1, min(more, len(costs)) + 1):
            paid += costs[count - 1] - gains[count - 1]
            if not self._hopeless(paid):
                return count
        return None


def _opened(state: Sequence[int]) -> list[int]:
    return [facility for facility, what in enumerate(state) if what == OPEN]
