"""A strategy of your own: facilities that close soon are drained first; the rest comes as cheap as it can.

Use it by its dotted path, from a folder that Python imports from:

    PYTHONPATH=examples orderstate config set strategy drain_first:plan

or offer it from a package, by a line in its pyproject.toml:

    [project.entry-points."orderstate.strategies"]
    drain-first = "drain_first:plan"

Which facilities are drained is said by their priority, 0: `orderstate facility set OLD --priority 0`.
"""

from __future__ import annotations

from dataclasses import replace

from orderstate.allocation import Problem, strategy
from orderstate.model import POOLS, Plan

DRAINED = 0
"""The priority that marks a facility to be drained."""


def plan(problem: Problem) -> Plan:
    """All that facilities of priority 0 have, the closest first; the remainder from the cheapest others.

    Where the caller limits the plan (so many shipments, whole lines, all or nothing), the limit comes first: then this
    is `cheapest`.
    """
    cheapest = strategy("cheapest")
    options = problem.options
    if problem.max_shipments is not None or options.whole_lines or options.complete:
        return replace(cheapest(problem), strategy="drain-first")
    takes = []
    for line, sources in enumerate(problem.sources):
        left = problem.demand[line]
        for rank, pool, available, _ in sources:
            units = min(available, left) if problem.sites.priorities[rank] == DRAINED else 0
            if units:
                takes.append((rank, line, pool, units))
                left -= units
    for taken in cheapest(problem.remaining(takes)).allocations:
        rank, line = problem.sites.rank_of[taken.facility], problem.skus.index(taken.sku)
        takes.append((rank, line, POOLS.index(taken.pool), taken.units))
    return problem.plan("drain-first", takes)
