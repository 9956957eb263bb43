"""Laws that every strategy must keep, tried on made-up problems."""

from __future__ import annotations

import random
from collections.abc import Iterator

from orderstate.allocation import Options, Problem, Strategy, check
from orderstate.errors import OrderstateError
from orderstate.model import POOLS, Plan

_Case = tuple[str, Problem, Problem]
"""(what is special about it, the problem, the same one from shuffled input)."""


def broken_laws(strategy: Strategy, *, problems: int = 200, seed: int = 1) -> list[str]:
    """The laws that a strategy breaks, one sentence each with the problem that shows it; empty: none was found broken.

    The laws: it returns a plan and raises nothing; the plan is one that `check` allows (never more than is available
    or asked, nothing from a closed or excluded facility, no more shipments than allowed, whole lines and complete
    orders where demanded, an honest cost and bound); asked twice it says the same; the order in which stock, facilities
    and demand come in changes nothing; of facilities that are alike in everything, those with the lower codes ship.

    `problems` is how many are tried; the same `seed` makes the same ones.
    """
    return sorted(set(_broken(strategy, problems, seed)))


def _broken(strategy: Strategy, problems: int, seed: int) -> Iterator[str]:
    for number in range(problems):
        kind, problem, shuffled = _case(random.Random(seed * 1_000_003 + number))
        where = f"(problem {number} of seed {seed}, {kind})"
        try:
            plan, again, other = strategy(problem), strategy(problem), strategy(shuffled)
        except Exception as raised:  # noqa: BLE001 - a strategy may raise anything, and that is what is reported
            yield f"it raises {type(raised).__name__}: {raised} {where}"
            continue
        if not isinstance(plan, Plan):
            yield f"it returns {type(plan).__name__}, where a Plan is due {where}"
            continue
        try:
            check(problem, plan)
        except OrderstateError as refused:
            yield f"{refused.sentence} {where}"
            continue
        if plan != again:
            yield f"asked twice, it says two things {where}"
        if plan != other:
            yield f"shuffled input changes its plan {where}"
        if kind == "all alike":
            first = problem.sites.codes[: len(plan.facilities)]
            if sorted(plan.facilities) != sorted(first):
                yield f"of facilities that are alike, it takes {', '.join(plan.facilities)} first {where}"


def _case(dice: random.Random) -> _Case:
    kind = dice.choice(("any costs", "many ties", "all alike", "scarce stock"))
    codes = [f"F{number}" for number in range(dice.randint(1, 6))]
    demand = {f"S{number}": dice.randint(1, 6) for number in range(dice.randint(1, 4))}
    alike = kind == "all alike"
    tied = kind == "many ties"
    shelf = {(sku, pool): (dice.randint(0, 6), dice.randint(0, 50)) for sku in demand for pool in POOLS}
    fixed, metres, rows = {}, {}, []
    for code in codes:
        fixed[code] = 1000 if alike else dice.choice((500, 1000)) if tied else dice.randint(1, 3000)
        if alike or dice.random() < 0.9:
            metres[code] = 10 if alike else dice.choice((10, 20)) if tied else dice.randint(0, 10_000)
        for sku in demand:
            for pool in POOLS:
                units, cost = shelf[sku, pool] if alike else (dice.randint(0, 6), dice.randint(0, 500))
                if kind == "scarce stock":
                    units //= 3
                rows.append((code, sku, pool, units, 5 * (pool == POOLS[1]) if tied else cost))
    options = Options(
        exclude=frozenset(dice.sample(codes, 1)) if dice.random() < 0.2 and not alike else frozenset(),
        max_shipments=dice.randint(1, 3) if dice.random() < 0.2 else None,
        complete=dice.random() < 0.15,
        whole_lines=dice.random() < 0.2,
    )
    problem = Problem.explicit(fixed, rows, demand, metres=metres, options=options)
    mixed, codes_mixed, skus_mixed = list(rows), list(codes), list(demand)
    for values in (mixed, codes_mixed, skus_mixed):
        dice.shuffle(values)
    shuffled = Problem.explicit(
        {code: fixed[code] for code in codes_mixed},
        mixed,
        {sku: demand[sku] for sku in skus_mixed},
        metres={code: metres[code] for code in codes_mixed if code in metres},
        options=options,
    )
    return kind, problem, shuffled
