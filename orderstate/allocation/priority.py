"""`priority`: facilities in the order of their declared priority."""

from __future__ import annotations

from orderstate.allocation.problem import Problem
from orderstate.allocation.walk import walk
from orderstate.model import Plan


def plan(problem: Problem) -> Plan:
    """Facilities in the order of their declared priority, lower first; then the closer, then by code.

    Primary before back stock inside a facility; the remainder from the next. Where the number of shipments is limited,
    filling the order comes before priority.
    """
    priorities = problem.sites.priorities
    order = sorted(range(len(priorities)), key=lambda rank: (priorities[rank], rank))
    return walk(problem, "priority", order, "lower_priority")
