"""`cheapest` and `fewest-shipments` against HiGHS, and gaps that HiGHS closes."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from oracles import judged, knapsack, larger, set_cover, small

from orderstate.allocation import Options, Problem, check, propose
from orderstate.allocation.prove import prove
from orderstate.allocation.verify import extent, verify
from orderstate.errors import NotInstalled, Refused


def agree(seed: int) -> None:
    """HiGHS finds no better plan of a random problem, and claims the same optimum."""
    pytest.importorskip("highspy", reason="HiGHS is an optional extra")
    problem = larger(seed)
    name = "fewest-shipments" if seed % 3 == 0 else "cheapest"
    plan = propose(problem, name)
    check(problem, plan)
    assert plan.optimal, seed
    proven = prove(problem, replace(plan, optimal=False, bound=None))
    check(problem, proven)
    first = name == "fewest-shipments"
    assert judged(problem, proven, shipments_first=first) == judged(problem, plan, shipments_first=first), seed
    assert proven.optimal, seed


@pytest.mark.parametrize("block", range(6))
def test_highs_agrees_on_sixty_larger_problems(block: int) -> None:
    for seed in range(block * 10, block * 10 + 10):
        agree(seed)


@pytest.mark.heavy
@pytest.mark.parametrize("block", range(10))
def test_highs_agrees_on_a_thousand_larger_problems(block: int) -> None:
    for seed in range(1000 + block * 100, 1100 + block * 100):
        agree(seed)


def test_a_gap_at_the_node_limit_is_closed_and_its_source_is_named() -> None:
    pytest.importorskip("highspy", reason="HiGHS is an optional extra")
    problem = knapsack(20, 100, 5, 30, seed=1)
    problem.node_limit = 3
    plan = propose(problem, "cheapest")
    assert not plan.optimal
    proven = prove(problem, plan)
    check(problem, proven)
    assert proven.optimal
    assert proven.bound == proven.cost <= plan.cost
    problem.node_limit = 2000
    assert proven.cost == propose(problem, "cheapest").cost
    assert verify(problem, proven) == []
    assert "is what HiGHS" in extent(proven)


def test_a_better_plan_that_highs_finds_is_taken_over() -> None:
    pytest.importorskip("highspy", reason="HiGHS is an optional extra")
    problem = set_cover(60, 30, 6, seed=3)
    problem.node_limit = 1
    plan = propose(problem, "cheapest")
    proven = prove(problem, plan)
    check(problem, proven)
    assert proven.optimal
    assert proven.cost < plan.cost
    assert proven.nodes == 1
    assert verify(problem, proven) == []


def test_a_plan_that_is_proven_already_comes_back_as_it_is() -> None:
    problem, _ = small(1)
    plan = propose(problem, "cheapest")
    assert prove(problem, plan) is plan


def test_an_order_that_cannot_ship_complete_is_proven_to_have_no_plan() -> None:
    pytest.importorskip("highspy", reason="HiGHS is an optional extra")
    rows = [("A", "X", "primary", 1, 0), ("B", "Y", "primary", 1, 0)]
    options = Options(complete=True, max_shipments=1)
    problem = Problem.explicit({"A": 1, "B": 1}, rows, {"X": 1, "Y": 1}, options=options)
    plan = propose(problem, "cheapest")
    assert plan.allocations == ()
    proven = prove(problem, replace(plan, optimal=False, bound=None))
    assert proven.optimal
    assert proven.bound == 0


def test_a_strategy_that_looks_for_no_optimum_has_nothing_to_prove() -> None:
    problem, _ = small(1)
    with pytest.raises(Refused, match="nearest does not look for an optimum"):
        prove(problem, propose(problem, "nearest"))


def test_without_the_extra_proving_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "highspy", None)
    problem = knapsack(20, 100, 5, 30, seed=1)
    problem.node_limit = 3
    with pytest.raises(NotInstalled) as refused:
        prove(problem, propose(problem, "cheapest"))
    assert refused.value.hint == "pip install 'orderstate[prove]'"
