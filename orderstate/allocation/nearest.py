"""`nearest`: the closest facility first, to the destination or, for an order abroad, to its gateway."""

from __future__ import annotations

from orderstate.allocation.problem import Problem
from orderstate.allocation.walk import fill, finish, limited
from orderstate.model import Plan


def plan(problem: Problem) -> Plan:
    """Closest facility first; primary before back stock inside it; the remainder from the next.

    Facilities at equal distance go by code. A facility without a position comes last. Where the number of shipments is
    limited, filling the order comes before distance.
    """
    # A problem's sources are ranked by distance already, so the plain case needs no sorting.
    takes = fill(problem, problem.sources)
    most = problem.max_shipments
    if most is not None and len({take[0] for take in takes}) > most:
        takes = limited(problem, problem.sources, range(len(problem.sites.codes)), most)
    return finish(problem, "nearest", takes, "farther")
