"""Closing the gap that a search left open, with HiGHS (the extra `prove`). It may be slow: not inside a transaction.

The same problem as a mixed integer program. HiGHS reckons in floating point, so what it proves is said to be its claim,
while the plan itself is made and priced here, in integers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from orderstate.allocation.instance import cheapest_fill
from orderstate.allocation.problem import Problem
from orderstate.errors import NotInstalled, Refused
from orderstate.model import Plan

_NEAR = 0.5
"""Costs are whole numbers, so a bound within half of one reaches it."""


def prove(problem: Problem, plan: Plan) -> Plan:
    """The plan with its gap closed: the same plan, now claimed optimal, or a cheaper one that HiGHS found.

    A plan that is optimal already comes back as it is. The certificate keeps what can be verified without HiGHS and
    names HiGHS and its version as the source of the rest.

    Raises NotInstalled without highspy, and Refused for a plan of a strategy that does not look for an optimum.
    """
    if plan.strategy not in ("cheapest", "fewest-shipments"):
        raise Refused(
            f"strategy {plan.strategy} does not look for an optimum, so there is nothing to prove",
            hint="plan with --strategy cheapest",
        )
    if plan.optimal:
        return plan
    try:
        import highspy  # an optional extra
    except ImportError as missing:
        raise NotInstalled(
            "proving a plan needs HiGHS, which is not installed", hint="pip install 'orderstate[prove]'"
        ) from missing
    model = _model(problem)
    source = f"HiGHS {_version(highspy)}"
    for stage in _stages(problem, model, shipments_first=plan.strategy == "fewest-shipments"):
        found = _solve(highspy, model, stage)
        if found is None:
            # Only an order that must ship complete has no solution; then the empty plan is all there is.
            return replace(plan, optimal=not plan.allocations, bound=plan.cost if not plan.allocations else plan.bound)
        values, bound = found
        # What an earlier stage reached, later ones must keep.
        model.rows.append((-model.infinity, round(sum(c * values[v] for v, c in stage.items())), stage))
    return _better(problem, plan, model, values, bound, source)


@dataclass(slots=True)
class _Model:
    """A mixed integer program: columns are (cost, upper bound, whole); rows are (least, most, {column: factor})."""

    infinity: float
    columns: list[tuple[int, float, bool]] = field(default_factory=list)
    rows: list[tuple[float, float, Mapping[int, float]]] = field(default_factory=list)
    ships: dict[int, int] = field(default_factory=dict)
    short: dict[int, int] = field(default_factory=dict)

    def column(self, cost: int, most: float, *, whole: bool = False) -> int:
        self.columns.append((cost, most, whole))
        return len(self.columns) - 1


def _model(problem: Problem) -> _Model:
    """ALLOCATION.md's program. Where lines must ship whole, a line is one unit that one facility gives."""
    model = _Model(float("inf"))
    whole = problem.options.whole_lines
    late = None if problem.options.complete else problem.backorder
    ranks = sorted({rank for sources in problem.sources for rank, *_ in sources})
    model.ships = {rank: model.column(problem.sites.fixed[rank], 1, whole=True) for rank in ranks}
    for line, wanted in enumerate(problem.demand):
        offers: list[tuple[int, int, int]] = []
        if whole:
            for rank in ranks:
                takes = cheapest_fill(_only(problem, line), [rank])
                if takes:
                    offers.append((sum(problem.index[r, line, p][1] * u for r, _, p, u in takes), rank, 1))
        else:
            offers = [(cost, rank, min(units, wanted)) for rank, _, units, cost in problem.sources[line]]
        need = 1 if whole else wanted
        row: dict[int, float] = {}
        for cost, rank, units in offers:
            taken = model.column(cost, units, whole=whole)
            row[taken] = 1
            model.rows.append((-model.infinity, 0, {taken: 1, model.ships[rank]: -units}))
        missing = model.column((late or 0) * (wanted if whole else 1), 0 if problem.options.complete else need)
        model.short[line] = missing
        model.rows.append((need, need, row | {missing: 1}))
    # Every F_i carries a split penalty, which the first shipment does not pay.
    first = model.column(-problem.sites.rebate, 1)
    model.rows.append((-model.infinity, 0, {first: 1.0} | dict.fromkeys(model.ships.values(), -1.0)))
    if problem.max_shipments is not None:
        model.rows.append((-model.infinity, problem.max_shipments, dict.fromkeys(model.ships.values(), 1.0)))
    return model


def _only(problem: Problem, line: int) -> Problem:
    """The problem with the sources of one line only, the numbers of lines unchanged."""
    sources = [rows if number == line else [] for number, rows in enumerate(problem.sources)]
    return Problem(problem.sites, problem.skus, problem.demand, sources, problem.out, options=problem.options)


def _stages(problem: Problem, model: _Model, *, shipments_first: bool) -> list[dict[int, int]]:
    """What to minimise, most important first: units short, unless they have a price; shipments; cost."""
    stages: list[dict[int, int]] = []
    if problem.backorder is None and not problem.options.complete:
        factor = problem.demand if problem.options.whole_lines else [1] * len(problem.demand)
        stages.append({column: factor[line] for line, column in model.short.items()})
    if shipments_first:
        stages.append(dict.fromkeys(model.ships.values(), 1))
    stages.append({column: cost for column, (cost, _, _) in enumerate(model.columns) if cost})
    return stages


def _version(highspy: Any) -> str:
    return str(highspy.Highs().version())


def _solve(highspy: Any, model: _Model, objective: Mapping[int, int]) -> tuple[Sequence[float], float] | None:
    """(values of the columns, lower bound) of the optimum; None where HiGHS found none."""
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.setOptionValue("mip_abs_gap", _NEAR / 2)
    solver.setOptionValue("mip_feasibility_tolerance", 1e-9)
    for number, (_, most, whole) in enumerate(model.columns):
        solver.addCol(objective.get(number, 0), 0, most, 0, [], [])
        if whole:
            solver.changeColIntegrality(number, highspy.HighsVarType.kInteger)
    for least, most, row in model.rows:
        solver.addRow(least, most, len(row), list(row), list(row.values()))
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    return solver.getSolution().col_value, solver.getInfo().mip_dual_bound


def _better(problem: Problem, plan: Plan, model: _Model, values: Sequence[float], bound: float, source: str) -> Plan:
    """The given plan or the one that HiGHS found, whichever is better, with the bound that HiGHS claims."""
    late = None if problem.options.complete else problem.backorder
    chosen = [rank for rank, column in model.ships.items() if values[column] > _NEAR]
    takes = cheapest_fill(problem, chosen, late)
    short = sum(problem.demand) - sum(units for *_, units in takes)
    key: Callable[[int, int, int], tuple[int, ...]] = (
        (lambda s, n, c: (s if late is None else 0, n, c))
        if plan.strategy == "fewest-shipments"
        else (lambda s, n, c: (s if late is None else 0, c, n))
    )
    proof = dict(plan.certificate or {"verified": "none"}) | {"by": source}
    found = problem.plan(plan.strategy, takes, "not_needed", nodes=plan.nodes, certificate=proof)
    old = key(sum(plan.short.values()), len(plan.facilities), plan.cost)
    new = key(short, len(found.facilities), found.cost)
    best = replace(plan, certificate=proof) if old <= new else _with_floors(found, plan)
    if abs(bound - best.cost) < _NEAR:
        return replace(best, bound=best.cost, optimal=True)
    return replace(best, bound=min(best.cost, max(plan.bound or 0, int(bound - _NEAR))))


def _with_floors(found: Plan, old: Plan) -> Plan:
    """The new plan, where facilities that it does not use keep the floors that were proven for the old one."""
    floors = {standing.facility: standing.floor for standing in old.standings}
    return replace(
        found,
        standings=tuple(s if s.why == "used" else replace(s, floor=floors.get(s.facility)) for s in found.standings),
    )
