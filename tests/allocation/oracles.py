"""Problems for tests, and what is known of their answers: enumeration, published optima."""

from __future__ import annotations

import random
from collections.abc import Collection
from decimal import Decimal
from itertools import combinations
from pathlib import Path

from orderstate.allocation import Options, Problem
from orderstate.model import POOLS, Plan

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"

UFLP = {
    "cap71": "932615.750",
    "cap72": "977799.400",
    "cap73": "1010641.450",
    "cap74": "1034976.975",
    "cap101": "796648.437",
    "cap102": "854704.200",
    "cap103": "893782.112",
    "cap104": "928941.750",
}
"""OR-Library instances and their published optima, which are cut, not rounded, to three decimals."""

SCALE = 100_000
"""The instances have costs of up to five decimals."""


def uflp(name: str) -> Problem:
    """A published instance: a customer is one line of one unit, which every facility has."""
    words = (SHARED / "uflp" / f"{name}.txt").read_text(encoding="ascii").split()
    facilities, customers = int(words[0]), int(words[1])
    numbers = [Decimal(word) for word in words[2:]]
    codes = [f"F{number:02}" for number in range(facilities)]
    fixed = {code: int(numbers[2 * number + 1] * SCALE) for number, code in enumerate(codes)}
    rows, demand, at = [], {}, 2 * facilities
    for customer in range(customers):
        sku = f"C{customer:02}"
        demand[sku] = 1
        for number, code in enumerate(codes):
            rows.append((code, sku, "primary", 1, int(numbers[at + 1 + number] * SCALE)))
        at += facilities + 1
    return Problem.explicit(fixed, rows, demand)


def small(seed: int) -> tuple[Problem, Problem]:
    """A random problem of up to 6 facilities and 4 lines, half of them full of ties, and the same one shuffled."""
    dice = random.Random(seed)
    tied = dice.random() < 0.5
    codes = [f"F{number}" for number in range(dice.randint(1, 6))]
    demand = {f"S{number}": dice.randint(1, 6) for number in range(dice.randint(1, 4))}
    fixed = {code: dice.choice((0, 1000, 1000, 2000)) if tied else dice.randint(0, 3000) for code in codes}
    metres = {
        code: dice.choice((0, 10, 10, 20)) if tied else dice.randint(0, 1000) for code in codes if dice.random() < 0.9
    }
    rows = [
        (code, sku, pool, dice.randint(0, 7), dice.choice((0, 0, 5, 100)) if tied else dice.randint(0, 900))
        for code in codes
        for sku in demand
        for pool in POOLS
        if dice.random() < 0.5
    ]
    options = Options(
        only=frozenset(dice.sample(codes, dice.randint(1, len(codes)))) if dice.random() < 0.15 else frozenset(),
        exclude=frozenset(dice.sample(codes, 1)) if dice.random() < 0.15 else frozenset(),
        max_shipments=dice.randint(1, 3) if dice.random() < 0.3 else None,
        complete=dice.random() < 0.2,
        whole_lines=dice.random() < 0.25,
    )
    backorder = dice.choice((0, 50, 400, 2000)) if dice.random() < 0.2 else None
    rebate = min(fixed.values()) // 2 if dice.random() < 0.5 else 0
    problem = Problem.explicit(fixed, rows, demand, metres=metres, options=options, backorder=backorder)
    facilities, mixed = list(fixed), list(rows)
    dice.shuffle(facilities)
    dice.shuffle(mixed)
    shuffled = Problem.explicit(
        {code: fixed[code] for code in facilities},
        mixed,
        dict(reversed(demand.items())),
        metres=dict(reversed(metres.items())),
        options=options,
        backorder=backorder,
    )
    problem.sites.rebate = shuffled.sites.rebate = rebate
    return problem, shuffled


def larger(seed: int) -> Problem:
    """A random problem of up to 20 facilities and 7 lines, of all kinds of costs, stock and limits."""
    dice = random.Random(seed)
    codes = [f"F{number:02}" for number in range(dice.randint(6, 20))]
    most = dice.choice((3, 8, 30))
    demand = {f"S{number}": dice.randint(1, most) for number in range(dice.randint(2, 7))}
    opening, density, freight = (
        dice.choice((0, 500, 2000, 10_000)),
        dice.choice((0.2, 0.4, 0.7)),
        dice.choice((0, 50, 900)),
    )
    fixed = {code: opening + dice.randint(0, 2000) for code in codes}
    held = max(2, most // dice.choice((1, 2, 3)))
    rows = [
        (code, sku, pool, dice.randint(1, held), dice.randint(0, freight))
        for code in codes
        for sku in demand
        for pool in POOLS
        if dice.random() < density
    ]
    options = Options(
        max_shipments=dice.randint(1, 4) if dice.random() < 0.25 else None,
        complete=dice.random() < 0.15,
        whole_lines=dice.random() < 0.2,
    )
    backorder = dice.choice((100, 1500)) if dice.random() < 0.15 else None
    metres = {code: dice.randint(0, 1000) for code in codes}
    problem = Problem.explicit(fixed, rows, demand, metres=metres, options=options, backorder=backorder)
    if dice.random() < 0.5:
        problem.sites.rebate = min(fixed.values()) // 2
    return problem


Key = tuple[int, ...]
"""What a plan is judged by, most important first: units short unless they have a price, cost, shipments, ranks."""


def judged(problem: Problem, plan: Plan, *, shipments_first: bool = False) -> Key:
    """The key of a plan."""
    ranks = [problem.sites.rank_of[code] for code in plan.facilities]
    return _key(problem, sum(plan.short.values()), plan.cost, ranks, shipments_first)


def enumerated(problem: Problem, *, shipments_first: bool = False, using: int | None = None) -> Key | None:
    """The key of the best plan, by trying every set of facilities that the options allow; None: there is none.

    `using`: only plans that use the facility of this rank.
    """
    able = [rank for rank, out in enumerate(problem.out) if out is None]
    most = len(able) if problem.max_shipments is None else min(len(able), problem.max_shipments)
    keys = []
    for size in range(most + 1):
        for chosen in combinations(able, size):
            short, cost, used = _filled(problem, chosen)
            if using is not None and using not in chosen:
                continue
            if used == set(chosen) and not (short and chosen and problem.options.complete):
                cost += sum(problem.sites.fixed[rank] for rank in chosen)
                cost -= problem.sites.rebate if chosen else 0
                keys.append(_key(problem, short, cost, chosen, shipments_first))
    return min(keys, default=None)


def _key(problem: Problem, short: int, cost: int, ranks: Collection[int], shipments_first: bool) -> Key:
    lead = short if problem.backorder is None or problem.options.complete else 0
    middle = (len(ranks), cost) if shipments_first else (cost, len(ranks))
    return lead, *middle, sum(ranks)


def _filled(problem: Problem, chosen: tuple[int, ...]) -> tuple[int, int, set[int]]:
    """(units short, cost of units, facilities used) of the cheapest fill from the chosen facilities."""
    short, total = 0, 0
    used: set[int] = set()
    late = problem.backorder
    for wanted, sources in zip(problem.demand, problem.sources, strict=True):
        rows = sorted((cost, rank, units) for rank, _, units, cost in sources if rank in chosen)
        if problem.options.whole_lines:
            spent: dict[int, int] = {}
            for rank in chosen:
                left, cost_of_line = wanted, 0
                for cost, holder, units in rows:
                    if holder == rank:
                        cost_of_line += cost * min(units, left)
                        left -= min(units, left)
                if not left:
                    spent[rank] = cost_of_line
            best = min(((cost, rank) for rank, cost in spent.items()), default=None)
            if best is None or (late is not None and not problem.options.complete and best[0] >= late * wanted):
                short += wanted
                total += (late or 0) * wanted
            else:
                total += best[0]
                used.add(best[1])
            continue
        left = wanted
        for cost, rank, units in rows:
            if left and (late is None or problem.options.complete or cost < late):
                total += cost * min(units, left)
                left -= min(units, left)
                used.add(rank)
        short += left
        total += (late or 0) * left
    return short, total, used


def set_cover(sets: int, elements: int, each: int, seed: int) -> Problem:
    """Pure set cover: every unit costs nothing, every facility the same, each element is in a few of the sets."""
    dice = random.Random(seed)
    rows = [
        (f"F{number:03}", f"S{element:03}", "primary", 1, 0)
        for element in range(elements)
        for number in dice.sample(range(sets), each)
    ]
    return Problem.explicit(
        {f"F{number:03}": 1000 for number in range(sets)}, rows, {f"S{element:03}": 1 for element in range(elements)}
    )


def knapsack(facilities: int, wanted: int, least: int, most: int, seed: int, *, same: bool = False) -> Problem:
    """One big line over many facilities, each with a part of it."""
    dice = random.Random(seed)
    codes = [f"F{number:03}" for number in range(facilities)]
    rows = [(code, "S", "primary", dice.randint(least, most), 0) for code in codes]
    return Problem.explicit({code: 1000 if same else dice.randint(500, 1500) for code in codes}, rows, {"S": wanted})
