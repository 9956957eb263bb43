"""`fewest-shipments`: the least number of facilities that fill the order, then the least cost."""

from __future__ import annotations

from orderstate.allocation.cheapest import solve
from orderstate.allocation.problem import Problem
from orderstate.model import Plan


def plan(problem: Problem) -> Plan:
    """The fewest shipments that fill the order, then the least cost; at the node limit the best found with its gap.

    The same search as `cheapest`, where each shipment weighs more than all money of any plan. Sets of one and two
    facilities are tried outright; beyond that this is set cover.
    """
    return solve(problem, "fewest-shipments", shipments_first=True)
