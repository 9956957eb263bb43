"""An independent checker: repeats a plan's proof from the problem alone, without searching.

It shares no code with the search. A certificate is only advice: how many facilities to try outright, which prices to
use, where to branch. Whatever it says, what comes out here is a lower bound, so a wrong certificate can fail but not
deceive. Money is exact: 1/1000 minor unit, and the prices of a certificate have 2^bits below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from math import gcd
from typing import Any

from orderstate.allocation.checking import check
from orderstate.allocation.problem import Problem
from orderstate.errors import PlanRejected
from orderstate.model import Plan

_ELSEWHERE = -1
_Row = tuple[int, int, int]
_Line = tuple[str, int, list[_Row]]
"""(SKU, units to fill, [(unit cost, rank, units)] by cost)."""
_Ranks = frozenset[int]


def verify(problem: Problem, plan: Plan) -> list[str]:
    """What is wrong with a plan and its claims, a sentence each; empty: all that its certificate covers holds.

    The plan adds up; the bound that the certificate says can be verified is reached; no facility's floor is higher than
    proven. `extent` says what that leaves to be believed.
    """
    try:
        check(problem, plan)
    except PlanRejected as broken:
        return [broken.sentence]
    certificate = plan.certificate
    if certificate is None:
        if plan.bound is None and all(standing.floor is None for standing in plan.standings):
            return []
        return ["the plan makes claims about other plans, and gives no proof"]
    if certificate.get("verified") not in ("all", "root"):
        return []
    try:
        return _findings(problem, plan, certificate)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as broken:
        return [f"the certificate cannot be read: {type(broken).__name__}: {broken}"]


def extent(plan: Plan) -> str:
    """One sentence: how much of a plan's claim `verify` covers, and what only the search says."""
    certificate = plan.certificate or {}
    if plan.bound is None:
        return "nothing is claimed about other plans; only the plan itself is verified"
    verified = certificate.get("verified", "none")
    if verified == "all":
        return "the bound is verified in full"
    source = str(certificate.get("by", f"a search of {plan.nodes} nodes"))
    if verified == "root":
        return f"verified: {_root(certificate)}; that none costs less than {plan.bound} is what {source} found"
    return f"only the plan itself is verified; that no plan costs less than {plan.bound} is what {source} found"


def _root(certificate: Mapping[str, Any]) -> str:
    if "weight" in certificate:
        return f"no plan has fewer than {certificate.get('shipments_at_least', 1)} shipments"
    return f"no plan costs less than {certificate['root']}"


def _findings(problem: Problem, plan: Plan, certificate: Mapping[str, Any]) -> list[str]:
    whole, weight = certificate["verified"] == "all", int(certificate.get("weight", 0))
    checker = _Checker(problem, plan, certificate)
    proven = checker.bound(certificate.get("proof", {}))
    claimed = plan.bound if whole else int(certificate["root"]) - weight * len(plan.facilities)
    findings = [f"{', '.join(codes)} would cost {cost}" for codes, cost in checker.cheaper]
    if claimed is not None and proven < claimed:
        findings.append(f"that no plan costs less than {claimed} is not proven: the certificate reaches {proven}")
    for standing in plan.standings:
        if standing.floor is not None:
            floor = checker.floor(problem.sites.rank_of[standing.facility])
            if whole and plan.optimal:
                floor = max(floor, plan.cost)
            if standing.floor > floor:
                findings.append(f"the floor {standing.floor} of {standing.facility} is not proven: it reaches {floor}")
    return findings


class _Checker:
    """One plan against its certificate. In here it costs `cost`, without what every plan costs besides (`apart`)."""

    def __init__(self, problem: Problem, plan: Plan, certificate: Mapping[str, Any]) -> None:
        self.problem = problem
        self.scale = 1 << int(certificate.get("bits", 0))
        weight = int(certificate.get("weight", 0))
        self.fixed = [cost + weight for cost in problem.sites.fixed]
        late = None if problem.options.complete else problem.backorder
        self.lines = _lines(problem, late)
        filled = {sku for sku, _, _ in self.lines}
        self.apart = -weight * len(plan.facilities) - problem.sites.rebate
        self.apart += (late or 0) * sum(d for s, d in zip(problem.skus, problem.demand, strict=True) if s not in filled)
        # Without the limit on shipments only the root's bound is claimed, and sets beyond the limit may be cheaper.
        target = int(certificate["root"]) if certificate.get("lifted") else plan.cost
        self.cost = target - self.apart
        self.cheaper: list[tuple[list[str], int]] = []
        self.simple: dict[int, int] = {}
        self.tried: dict[int, int] = {}
        self.rest: dict[int, int] = {}

    def bound(self, proof: Mapping[str, Any]) -> int:
        """The least that any plan costs, as far as the proof shows it."""
        if not self.lines or (self.problem.options.complete and not self._complete()):
            return self.cost + self.apart
        free = frozenset(rank for _, _, rows in self.lines for _, rank, _ in rows if rank != _ELSEWHERE)
        proven = self._node(proof, frozenset(), free, root=True)
        # What divides every cost divides every plan's.
        divisor = gcd(*(cost for _, _, rows in self.lines for cost, _, _ in rows), *(self.fixed[rank] for rank in free))
        if any(rank == _ELSEWHERE for _, _, rows in self.lines for _, rank, _ in rows):
            divisor = gcd(divisor, self.problem.sites.rebate)
        return (-(-proven // divisor) * divisor if divisor else proven) + self.apart

    def floor(self, rank: int) -> int:
        """The least that any plan which uses the facility costs, as far as the root shows it."""
        rest = self.rest.get(rank, 0)
        return max(self.simple.get(rank, 0), min(self.tried.get(rank, rest), rest)) + self.apart

    def _complete(self) -> bool:
        units = {sku: 1 if self.problem.options.whole_lines else need for sku, need, _ in self.lines}
        wanted = zip(self.problem.skus, self.problem.demand, strict=True)
        return all(units.get(sku) == (1 if self.problem.options.whole_lines else number) for sku, number in wanted)

    def _node(self, proof: Mapping[str, Any], opened: _Ranks, free: _Ranks, *, root: bool) -> int:
        """A lower bound on every plan that opens `opened` and some of `free`; `cost` where none is cheaper."""
        dropped: dict[int, int] = {}
        first = root
        rank_of = self.problem.sites.rank_of
        listed = frozenset(rank_of[code] for code in proof.get("dropped", ())) if root and "lines" in proof else free
        while True:
            lines = _clipped(self.lines, opened, free)
            if lines is None:
                return self._closed(root=root)
            forced = frozenset(rank for line in lines for rank in _needed(line, free))
            if forced:
                opened, free = opened | forced, free - forced
                continue
            fill = sum(self.fixed[rank] for rank in opened) + sum(_cheapest(rows, need) for _, need, rows in lines)
            if "tried" not in proof:
                return min(fill, self.cost)
            # All plans with up to `tried` facilities more are priced here; what is left opens more than that.
            self._try(opened, free, int(proof["tried"]), first=first, fill=fill)
            first = False
            more = int(proof["tried"]) + 1
            costs = sorted(self.fixed[rank] for rank in free)
            others = fill + sum(costs[: more - 1])
            if root:
                self.rest |= {rank: others + self.fixed[rank] for rank in free}
            closed = len(free) < more or others + costs[more - 1] >= self.cost
            if closed and not (root and "lines" in proof):
                return self._closed(root=root)
            dear = frozenset(rank for rank in free & listed if others + self.fixed[rank] >= self.cost)
            dropped |= {rank: others + self.fixed[rank] for rank in dear}
            free -= dear
            if not dear:
                break
        if "lines" not in proof:
            return min(fill, self._least())
        priced = self._priced(proof, opened, free, lines, more)
        if priced is None:
            return self._closed(root=root)
        bound, slack = priced
        if root:
            cap = min(dropped.values(), default=None)
            for rank in free:
                floor = -(-(bound + max(0, slack[rank])) // self.scale)
                self.rest[rank] = floor if cap is None else min(floor, cap)
        return self._least() if closed else self._below(proof, opened, free, bound, slack)

    def _below(
        self, proof: Mapping[str, Any], opened: _Ranks, free: _Ranks, bound: int, slack: Mapping[int, int]
    ) -> int:
        """The bound of a priced node: its own, or, where the proof branches, the lesser one of the branches."""
        own = min(-(-bound // self.scale), self._least())
        if own >= self.cost or "branch" not in proof:
            return own
        free = frozenset(r for r in free if -(-(bound + max(0, slack[r])) // self.scale) < self.cost)
        branch = self.problem.sites.rank_of[proof["branch"]]
        results = [own]
        if branch in opened:
            results.append(self._node(proof["open"], opened, free, root=False))
        elif branch not in free:
            results.append(self._node(proof["shut"], opened, free, root=False))
        else:
            results.append(
                min(
                    self._node(proof["open"], opened | {branch}, free - {branch}, root=False),
                    self._node(proof["shut"], opened, free - {branch}, root=False),
                )
            )
        return max(results)

    def _closed(self, *, root: bool) -> int:
        """The bound of a node where no plan that was not tried is cheaper."""
        if root:
            self.rest = {rank: max(floor, self.cost) for rank, floor in self.rest.items()}
        return self._least()

    def _least(self) -> int:
        """The plan's cost, or that of the cheapest set that was found to beat it."""
        return min([self.cost, *(cost - self.apart for _, cost in self.cheaper)])

    def _try(self, opened: _Ranks, free: _Ranks, sizes: int, *, first: bool, fill: int) -> None:
        """Price every set of the open facilities and up to `sizes` more."""
        alone = set()
        for size in range(sizes + 1):
            for more in combinations(sorted(free), size):
                cost = self._cost(opened | frozenset(more))
                if cost is None:
                    continue
                if cost < self.cost:
                    codes = sorted(self.problem.sites.codes[rank] for rank in (*opened, *more))
                    self.cheaper.append((codes, cost + self.apart))
                if first:
                    alone |= set(more) if size == 1 else set()
                    for rank in more:
                        self.tried[rank] = min(cost, self.tried.get(rank, cost))
        if first:
            for rank in free:
                other = 0 if rank in alone else min((self.fixed[r] for r in free if r != rank), default=0)
                self.simple[rank] = fill + self.fixed[rank] + other

    def _cost(self, ranks: _Ranks) -> int | None:
        total, used = 0, set()
        for _, need, rows in self.lines:
            for cost, rank, units in rows:
                if need and (rank in ranks or rank == _ELSEWHERE):
                    taken = min(units, need)
                    total += taken * cost
                    need -= taken
                    used.add(rank)
            if need:
                return None
        used.discard(_ELSEWHERE)
        # `apart` takes the first shipment's split penalty off every plan, also off one without a shipment.
        return total + (sum(self.fixed[rank] for rank in used) if used else self.problem.sites.rebate)

    def _priced(
        self, proof: Mapping[str, Any], opened: _Ranks, free: _Ranks, lines: list[_Line], more: int
    ) -> tuple[int, dict[int, int]] | None:
        """(bound, slack by facility) that the prices prove, both times `scale`; None where too few facilities are free.

        For any prices of the lines, and any of the two kinds of cuts that are not negative, by weak duality.
        """
        slack = {rank: self.fixed[rank] * self.scale for rank in free} | dict.fromkeys((*opened, _ELSEWHERE), 0)
        bound = sum(self.fixed[rank] for rank in opened) * self.scale
        gains = dict.fromkeys(free, 0)
        missing_all = 0
        gaps = proof.get("gaps", {})
        for price, (sku, need, rows) in zip(proof["lines"], lines, strict=True):
            bound += price * need
            missing, held = need, dict.fromkeys((rank for _, rank, _ in rows if rank in free), 0)
            for cost, rank, units in rows:
                slack[rank] -= units * max(0, price - cost * self.scale)
                if rank in held:
                    held[rank] += units
                else:
                    missing -= units
            missing_all += missing
            for rank in held:
                gains[rank] += min(held[rank], missing)
            if missing and sku in gaps:
                count = _fewest((min(units, missing) for units in held.values()), missing)
                bound += count * _natural(gaps[sku])
                for rank in held:
                    slack[rank] -= gaps[sku]
        count = max(more, _fewest(gains.values(), missing_all))
        if count > len(free):
            return None
        price = _natural(proof.get("shipments", 0))
        for rank in free:
            slack[rank] -= price
        return bound + count * price + sum(min(0, left) for left in slack.values()), slack


def _lines(problem: Problem, late: int | None) -> list[_Line]:
    """Each line that can be filled, every facility's units cut to what the line wants, its cheapest first."""
    whole = problem.options.whole_lines
    found = []
    for sku, wanted, sources in zip(problem.skus, problem.demand, problem.sources, strict=True):
        rows: list[_Row] = []
        given: dict[int, int] = {}
        spent: dict[int, int] = {}
        for cost, rank, units in sorted((cost, rank, units) for rank, _, units, cost in sources):
            taken = min(units, wanted - given.get(rank, 0))
            if taken:
                given[rank] = given.get(rank, 0) + taken
                spent[rank] = spent.get(rank, 0) + cost * taken
                rows.append((cost, rank, taken))
        if whole:
            rows = sorted((spent[rank], rank, 1) for rank, units in given.items() if units == wanted)
        if rows:
            need = 1 if whole else wanted if late is not None else min(wanted, sum(row[2] for row in rows))
            if late is not None:
                rows = sorted([*rows, (late * (wanted if whole else 1), _ELSEWHERE, need)])
            found.append((sku, need, rows))
    return found


def _clipped(lines: list[_Line], opened: _Ranks, free: _Ranks) -> list[_Line] | None:
    """The lines without what is shut and without what the cheaper units of open facilities leave no room for."""
    found = []
    for sku, need, rows in lines:
        room, kept = need, []
        given: dict[int, int] = {}
        for cost, rank, units in rows:
            if rank in free:
                taken = min(units, room - given.get(rank, 0))
                given[rank] = given.get(rank, 0) + max(0, taken)
            elif rank in opened or rank == _ELSEWHERE:
                taken = min(units, room)
                room -= taken
            else:
                taken = 0
            if taken > 0:
                kept.append((cost, rank, taken))
        if sum(row[2] for row in kept) < need:
            return None
        found.append((sku, need, kept))
    return found


def _needed(line: _Line, free: _Ranks) -> Iterable[int]:
    """The free facilities without which a line cannot be filled."""
    _, need, rows = line
    total = sum(units for _, _, units in rows)
    for rank in {rank for _, rank, _ in rows if rank in free}:
        if total - sum(units for _, holder, units in rows if holder == rank) < need:
            yield rank


def _cheapest(rows: list[_Row], need: int) -> int:
    total = 0
    for cost, _, units in rows:
        total += cost * min(units, need)
        need -= min(units, need)
    return total


def _fewest(amounts: Iterable[int], wanted: int) -> int:
    """How many of the amounts it takes at least to reach what is wanted; one more than all where they do not."""
    count = 0
    for amount in sorted(amounts, reverse=True):
        if wanted <= 0:
            return count
        wanted -= amount
        count += 1
    return count if wanted <= 0 else count + 1


def _natural(price: int) -> int:
    if price < 0:
        raise ValueError("a cut has a negative price")
    return price
