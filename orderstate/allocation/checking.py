"""The rules that every plan must keep, whoever made it: the wall between a faulty strategy and real stock."""

from __future__ import annotations

import json
from collections.abc import Mapping

from orderstate.allocation.problem import POOL_NUMBER, Problem, Take
from orderstate.errors import PlanRejected
from orderstate.model import Allocation, Plan, Standing


def check(problem: Problem, plan: Plan) -> None:
    """Raise PlanRejected, with the rule that is broken, for a plan that the problem does not allow."""
    takes = _takes(problem, plan)
    _limits(problem, plan, takes)
    planned = [0] * len(problem.skus)
    for _, line, _, units in takes:
        planned[line] += units
    for sku, wanted, units in zip(problem.skus, problem.demand, planned, strict=True):
        if units > wanted:
            raise _broken(plan, f"plans {units} units of {sku}, of which {wanted} are wanted")
    short = {
        sku: wanted - units
        for sku, wanted, units in zip(problem.skus, problem.demand, planned, strict=True)
        if wanted > units
    }
    if dict(plan.short) != short:
        raise _broken(plan, f"says that {dict(plan.short)} is short, where its allocations leave {short}")
    if short and takes and problem.options.complete:
        raise _broken(plan, "leaves units short, though the order must ship complete")
    told, codes = [s.facility for s in plan.standings], list(problem.sites.codes)
    if len(told) != len(codes):
        raise _broken(plan, f"tells of {len(told)} facilities, of {len(codes)}")
    if told != codes and sorted(map(str, told)) != sorted(codes):
        raise _broken(plan, "tells of other facilities than there are")
    _money(problem, plan, takes)


def check_shape(plan: Plan, name: str) -> None:
    """Raise PlanRejected for a plan of strategy `name` with values that no plan can have, or that cannot be kept."""
    for field, held, element in (
        ("allocations", plan.allocations, Allocation),
        ("standings", plan.standings, Standing),
    ):
        if not isinstance(held, tuple) or not all(isinstance(x, element) for x in held):
            raise _unusable(name, f"{field} that are not a tuple of {element.__name__}")
    if not isinstance(plan.strategy, str) or not isinstance(plan.short, Mapping):
        raise _unusable(name, "a name that is no text, or a shortfall that is no mapping")
    if type(plan.nodes) is not int or type(plan.cost) is not int:
        raise _unusable(name, "nodes or a cost that are no whole number")
    try:
        json.dumps(plan.document(), ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as cause:
        raise _unusable(name, f"values that cannot be kept: {cause}") from cause


def _unusable(name: str, what: str) -> PlanRejected:
    return PlanRejected(f"strategy {name} returned a plan with {what}", strategy=name)


def _takes(problem: Problem, plan: Plan) -> list[Take]:
    rank_of, index, out = problem.sites.rank_of, problem.index, problem.out
    line_of = {sku: line for line, sku in enumerate(problem.skus)}
    takes: list[Take] = []
    seen = set()
    for a in plan.allocations:
        rank, line, pool = rank_of.get(a.facility), line_of.get(a.sku), POOL_NUMBER.get(a.pool)
        where = f"{a.sku} in {a.pool} of {a.facility}"
        if rank is None:
            raise _broken(plan, f"takes from the unknown facility {a.facility!r}")
        if line is None:
            raise _broken(plan, f"takes {a.sku!r}, which is not wanted")
        if pool is None:
            raise _broken(plan, f"takes from the unknown pool {a.pool!r}")
        if type(a.units) is not int or a.units < 1:
            raise _broken(plan, f"takes {a.units!r} units of {where}")
        if out[rank] is not None:
            raise _broken(plan, f"takes from {a.facility}, which is out ({out[rank]})")
        key = (rank, line, pool)
        if key in seen:
            raise _broken(plan, f"takes {where} twice")
        seen.add(key)
        available = index[key][0] if key in index else 0
        if a.units > available:
            raise _broken(plan, f"takes {a.units} units of {where}, where {available} are available")
        takes.append((rank, line, pool, a.units))
    return takes


def _limits(problem: Problem, plan: Plan, takes: list[Take]) -> None:
    most = problem.max_shipments
    used = {rank for rank, *_ in takes}
    if most is not None and len(used) > most:
        raise _broken(plan, f"makes {len(used)} shipments, where {most} are allowed")
    if plan.nodes > problem.node_limit:
        raise _broken(plan, f"opened {plan.nodes} nodes, where {problem.node_limit} are allowed")
    if problem.options.whole_lines:
        whole: dict[int, list[int]] = {}
        for rank, line, _, units in takes:
            found = whole.setdefault(line, [rank, 0])
            found[1] += units
            if found[0] != rank:
                raise _broken(plan, f"splits {problem.skus[line]} over facilities, though lines must ship whole")
        for line, (_, units) in whole.items():
            if units < problem.demand[line]:
                raise _broken(plan, f"ships a part of {problem.skus[line]}, though lines must ship whole")


def _money(problem: Problem, plan: Plan, takes: list[Take]) -> None:
    cost = problem.cost(takes)
    if plan.cost != cost:
        raise _broken(plan, f"says that it costs {plan.cost}, where it costs {cost}")
    if plan.bound is not None and (type(plan.bound) is not int or plan.bound > cost):
        raise _broken(plan, f"says that no plan costs less than {plan.bound}, and costs {cost}")
    if plan.optimal and plan.bound != cost:
        raise _broken(plan, f"says that it is optimal, where its bound is {plan.bound} and its cost {cost}")


def _broken(plan: Plan, what: str) -> PlanRejected:
    return PlanRejected(
        f"the plan of strategy {plan.strategy} {what}",
        hint="nothing was tied; plan with another strategy: --strategy nearest",
        strategy=plan.strategy,
    )
