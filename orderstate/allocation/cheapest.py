"""`cheapest`: the exact optimum of the cost model, or the best plan found with its gap."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from orderstate.allocation.certificate import certificate
from orderstate.allocation.instance import Instance, cheapest_fill
from orderstate.allocation.problem import Problem
from orderstate.allocation.search import Search
from orderstate.model import Plan


def plan(problem: Problem) -> Plan:
    """The cheapest plan of the cost model, proven; or, at the node limit, the best plan found with its gap.

    Filling the order comes first, unless the setting cost.backorder says what a unit short costs. Of plans that cost
    the same the one with fewer shipments wins, then the one whose facilities rank closer.
    """
    return solve(problem, "cheapest")


def solve(problem: Problem, name: str, *, shipments_first: bool = False) -> Plan:
    """The exact plan, by cost, or by number of shipments and then cost."""
    late = None if problem.options.complete else problem.backorder
    weight = worst(problem) * 64 if shipments_first else 0
    instance = Instance(problem, late=late, weight=weight)
    if not instance.lines:
        return nothing(problem, name, "no_units")
    if problem.options.complete and short(problem, instance.holders, late):
        return nothing(problem, name, "too_few_units")
    limit = problem.node_limit
    search = Search(instance, limit if problem.max_shipments is None else max(1, limit // 2))
    search.run()
    if problem.max_shipments is not None and len(search.chosen) > problem.max_shipments:
        return _limited(problem, name, search, weight)
    return _finished(problem, name, search, search.chosen, weight)


def worst(problem: Problem) -> int:
    """More than any plan can cost, in 1/1000 minor unit."""
    dearest = max((cost for sources in problem.sources for *_, cost in sources), default=0)
    return 1 + problem.sites.total + max(dearest, problem.backorder or 0) * sum(problem.demand)


def short(problem: Problem, chosen: Collection[int], late: int | None) -> int:
    """The units that stay short where only the chosen facilities ship."""
    takes = cheapest_fill(problem, chosen, late)
    return sum(problem.demand) - sum(units for *_, units in takes)


def nothing(problem: Problem, name: str, why: str) -> Plan:
    """The empty plan where nothing can ship, or not all that must: trivially proven."""
    cost = problem.cost(())
    return problem.plan(name, (), why, bound=cost, optimal=True, certificate={"verified": "all"})


def _finished(problem: Problem, name: str, search: Search, chosen: Collection[int], weight: int) -> Plan:
    instance = search.instance
    late = None if problem.options.complete else problem.backorder
    takes = cheapest_fill(problem, chosen, late)
    cost = problem.cost(takes)
    proof = certificate(search, weight)
    if search.complete:
        bound: int | None = cost
    elif weight:
        bound = _bound_at(instance.least(search.bound), weight, len(chosen), proof)
    else:
        bound = min(cost, instance.least(search.bound))
    otherwise = "not_needed" if bound == cost else "node_limit"
    floors, whys = {}, {}
    if not weight:
        for rank, floor in search.floors().items():
            if rank not in chosen:
                floors[rank] = money = instance.money(floor)
                whys[rank] = "dearer" if money > cost else otherwise
    return problem.plan(
        name,
        takes,
        otherwise,
        whys=whys,
        floors=floors,
        bound=bound,
        optimal=bound == cost,
        nodes=search.nodes,
        certificate=proof,
    )


def _bound_at(weighted: int, weight: int, shipments: int, proof: dict[str, Any]) -> int | None:
    """The bound on the cost of plans with so many shipments, where no fewer are proven to do; else None."""
    least, rest = divmod(weighted, weight)
    # A plan costs less than a 64th of the weight, so a larger rest proves one shipment more.
    if rest * 64 > weight:
        least, rest = least + 1, 0
    proof["shipments_at_least"] = least
    return rest if least >= shipments else None


def _limited(problem: Problem, name: str, search: Search, weight: int) -> Plan:
    """The best plan with few enough shipments, where the best of all has too many."""
    from orderstate.allocation.limited import Limited  # most orders never need it

    assert problem.max_shipments is not None
    declared = None if problem.options.complete else problem.backorder
    late = declared if declared is not None else (worst(problem) + weight) * (len(problem.out) + 1)
    instance = Instance(problem, late=late, weight=weight)
    limited = Limited(instance, problem.max_shipments, problem.node_limit - search.nodes)
    limited.run()
    missing = short(problem, limited.chosen, declared)
    if problem.options.complete and missing:
        chosen: Collection[int] = ()
    else:
        chosen = limited.chosen
    takes = cheapest_fill(problem, chosen, declared)
    cost = problem.cost(takes)
    proof: dict[str, Any] = {"verified": "none"}
    bound: int | None = cost if limited.complete else None
    everything = missing == short(problem, search.instance.holders, declared)
    if chosen and not weight and (declared is not None or everything):
        # The same units without the limit: its bound holds with it too.
        proof = certificate(search, whole=False) | {"lifted": "max_shipments"}
        bound = cost if limited.complete else min(cost, max(proof["root"], 0))
    return problem.plan(
        name,
        takes,
        "not_needed" if limited.complete else "node_limit",
        bound=bound,
        optimal=bound == cost,
        nodes=search.nodes + limited.nodes,
        certificate=proof,
    )
