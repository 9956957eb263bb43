"""Branch and bound over which facilities ship, with dual ascent at each node. Integers only; nodes are counted.

A node first tries every set of one more facility outright, or of two where one is never enough. Most orders end there:
whatever is left must open more facilities than the best plan pays for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from orderstate.allocation.instance import Instance
from orderstate.allocation.relaxation import FREE, OPEN, SHUT, Relaxation, cuts, dual, relax

KEPT_NODES = 40
"""The most nodes whose proof is kept in a certificate, so that it stays a few kilobytes."""

_PAIRS_AMONG = 150
"""Pairs are tried outright among at most so many facilities."""

_NONE_YET = 1 << 1024
"""More than any scaled cost."""


class Root:
    """What the first node found, for the floors: see `Search.floors`."""

    __slots__ = ("alone", "bound", "dropped", "node", "others", "slack", "tried")

    def __init__(self, node: Relaxation) -> None:
        self.node = node
        self.tried = 1
        self.alone: dict[int, int] = {}
        self.dropped: list[int] = []
        self.others: int | None = None
        self.bound: int | None = None
        self.slack: Sequence[int] = ()


class Search:
    """One search. After `run`: best (scaled cost; None: nothing fills the lines), chosen, bound, nodes, complete.

    bound: scaled lower bound on every plan, proven at the root or, where `complete`, by the whole search. proof: what a
    checker needs to repeat the search without searching; whole only while the nodes are few (`proof_whole`).
    """

    def __init__(self, instance: Instance, node_limit: int) -> None:
        self.instance = instance
        self.node_limit = node_limit
        self.nodes = 0
        self.complete = True
        self.best: int | None = None
        self.chosen: frozenset[int] = frozenset()
        self.bound = 0
        self.proof: dict[str, Any] = {}
        self.root: Root | None = None
        # No plan that costs more than this is better than the best one: it is one tie unit less.
        self._threshold = _NONE_YET

    @property
    def root_bound(self) -> int:
        """The scaled bound of the first node; where it was closed without prices, by the best plan."""
        best = self.best or 0
        return best if self.root is None or self.root.bound is None else min(best, self.root.bound)

    @property
    def proof_whole(self) -> bool:
        """Whether `proof` covers every node."""
        return self.complete and self.nodes <= KEPT_NODES

    def run(self) -> None:
        """Search until proven or until the node limit."""
        holders = self.instance.holders
        state = [FREE if facility in holders else SHUT for facility in range(len(self.instance.fixed))]
        self._node(state, self.proof)
        if self.best is not None:
            self.bound = self.best if self.complete else min(self.bound, self.best)

    def floors(self) -> dict[int, int]:
        """Scaled lower bounds, by facility, on the plans that use it.

        A plan that uses a facility is one of the sets that were tried, or opens more: then the dual bound and the
        facility's slack hold, unless it also opens one that was dropped as too dear.
        """
        root = self.root
        found: dict[int, int] = {}
        if root is None or self.best is None:
            return found
        fixed, node, best = self.instance.fixed, root.node, self.best
        cheapest = sorted([fixed[facility] for facility in node.free])[:2]
        others = node.fill if root.others is None else root.others
        dropped = {facility: max(best, others + fixed[facility]) for facility in root.dropped}
        dearest = min(dropped.values(), default=None)
        for facility in node.free:
            simple = node.fill + fixed[facility]
            if node.gains[facility] != node.missing and len(cheapest) > 1:
                simple += cheapest[fixed[facility] == cheapest[0]]
            tried = max(best, simple) if root.tried > 1 else root.alone.get(facility, simple)
            if facility in dropped:
                rest = dropped[facility]
            elif root.bound is None:
                rest = best
            else:
                rest = root.bound + max(0, root.slack[facility])
                if dearest is not None:
                    rest = min(rest, dearest)
            if root.tried == 1 and node.gains[facility] != node.missing:
                tried = rest
            floor = max(simple, min(tried, rest))
            found[facility] = max(floor, best) if self.proof_whole else floor
        return found

    def offer(self, chosen: Iterable[int]) -> int | None:
        """The scaled cost of the plan from these facilities, kept if it is the best so far; None: they cannot fill."""
        found = self.instance.cost(tuple(chosen))
        if found is None:
            return None
        self._keep(*found)
        return found[0]

    def _keep(self, cost: int, used: Iterable[int]) -> None:
        if self.best is None or cost < self.best:
            self.best, self.chosen = cost, frozenset(used)
            self._threshold = cost - self.instance.one

    def _hopeless(self, bound: int) -> bool:
        return bound > self._threshold

    def _node(self, state: list[int], proof: dict[str, Any]) -> None:
        # The shut branch goes on in this loop, so the depth of the recursion is the number of open facilities.
        while True:
            if self.nodes >= self.node_limit:
                self.complete = False
                return
            self.nodes += 1
            branch = self._look(state, proof)
            if branch is None:
                return
            opened = list(state)
            opened[branch] = OPEN
            state[branch] = SHUT
            inside: dict[str, Any] = {}
            beside: dict[str, Any] = {}
            # Of a search with more nodes than are kept only the root is, so the rest need not pile up.
            if self.nodes <= KEPT_NODES:
                proof |= {"branch": branch, "open": inside, "shut": beside}
            self._node(opened, inside)
            proof = beside

    def _look(self, state: list[int], proof: dict[str, Any]) -> int | None:
        """Bound the node, shut what cannot be part of a better plan, and name the facility to branch on, if any."""
        instance = self.instance
        node = relax(instance, state)
        if node is None or self._hopeless(node.fill):
            return None
        root = Root(node) if self.nodes == 1 else None
        tried = self._try(node, root)
        proof["tried"] = tried
        if root is not None:
            self.root = root
            root.tried = tried
        while True:
            before, found = node, self._drop_by_fill(state, node, tried + 1, root)
            if found is None:
                return None
            node = found
            if node is before:
                break
            if len(node.opened) > len(before.opened):
                self._try(node, None, tried)
        extra = cuts(node, tried + 1)
        if extra is None:
            return None
        bound, slack, prices = dual(instance, node, [line for _, line in extra])
        proof["prices"] = [mark for mark, _ in extra], prices
        if root is not None:
            proof["dropped"] = root.dropped
        if root is not None:
            self.bound = root.bound = bound
            root.slack = slack
        if self._hopeless(bound):
            return None
        self._prune([*node.opened, *(facility for facility in node.free if slack[facility] <= 0)])
        if self._hopeless(bound):
            return None
        return self._branch(state, node, bound, slack)

    def _try(self, node: Relaxation, root: Root | None, sizes: int = 0) -> int:
        """Offer every set of the open facilities and one more, or two where one is never enough; returns which."""
        fixed = self.instance.fixed
        one = [facility for facility in node.free if node.gains[facility] == node.missing]
        if not node.missing:
            self.offer(node.opened)
        for facility in one:
            if not self._hopeless(node.fill + fixed[facility]):
                cost = self.offer([*node.opened, facility])
                if root is not None and cost is not None:
                    root.alone[facility] = cost
        if not sizes:
            sizes = 2 if not one and 1 < len(node.free) <= _PAIRS_AMONG else 1
        if sizes > 1:
            self._try_pairs(node)
        return sizes

    def _try_pairs(self, node: Relaxation) -> None:
        fixed, gains, missing = self.instance.fixed, node.gains, node.missing
        by_cost = sorted(node.free, key=fixed.__getitem__)
        for at, one in enumerate(by_cost):
            paid, wanted = node.fill + fixed[one], missing - gains[one]
            for other in by_cost[at + 1 :]:
                if self._hopeless(paid + fixed[other]):
                    break
                if gains[other] >= wanted:
                    self.offer([*node.opened, one, other])

    def _drop_by_fill(self, state: list[int], node: Relaxation, more: int, root: Root | None) -> Relaxation | None:
        """Shut what is too dear even if every line were filled at its cheapest. None: nothing better is left here.

        `more`: how many more facilities open in every plan that is left, the cheapest ones at best.
        """
        fixed = self.instance.fixed
        if len(node.free) < more:
            return None
        costs = sorted([fixed[facility] for facility in node.free])
        others = node.fill + sum(costs[: more - 1])
        if self._hopeless(others + costs[more - 1]):
            return None
        dropped = [facility for facility in node.free if self._hopeless(others + fixed[facility])]
        if root is not None:
            root.dropped += dropped
            if root.others is None:
                root.others = others
        if not dropped:
            return node
        for facility in dropped:
            state[facility] = SHUT
        return relax(self.instance, state)

    def _prune(self, chosen: Sequence[int]) -> None:
        """Offer a plan from facilities that fill the lines, leaving out one by one what makes it dearer."""
        found = self.instance.cost(chosen)
        if found is None:
            return
        cost, used = found
        for facility in sorted(used, key=lambda f: (-self.instance.fixed[f], f)):
            if facility in used and len(used) > 1:
                without = self.instance.cost([f for f in sorted(used) if f != facility])
                if without is not None and without[0] < cost:
                    cost, used = without
        self._keep(cost, used)

    def _branch(self, state: list[int], node: Relaxation, bound: int, slack: Sequence[int]) -> int | None:
        """Shut what the dual proves too dear; of what is left, the facility that the prices pay the most for."""
        fixed = self.instance.fixed
        best: tuple[bool, int] | None = None
        branch = None
        for facility in node.free:
            left = slack[facility]
            if left > 0 and self._hopeless(bound + left):
                state[facility] = SHUT
                continue
            key = (left <= 0, fixed[facility] - left)
            if best is None or key > best:
                best, branch = key, facility
        return branch
