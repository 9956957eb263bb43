"""The independent checker: what it accepts, and that it cannot be deceived."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import enumerated, judged, knapsack, larger, set_cover, small

from orderstate.allocation import Options, Problem, propose
from orderstate.allocation.stored import document, read
from orderstate.allocation.verify import extent, verify
from orderstate.model import Plan


def branched() -> tuple[Problem, Plan]:
    """A problem whose proof needs branches, and its plan."""
    problem = set_cover(20, 20, 3, seed=1)
    plan = propose(problem, "cheapest")
    assert plan.certificate is not None
    assert "branch" in plan.certificate["proof"]
    return problem, plan


def with_certificate(plan: Plan, **changed: Any) -> Plan:
    """The plan with parts of its certificate changed."""
    certificate = copy.deepcopy(dict(plan.certificate or {}))
    certificate.update(changed)
    return replace(plan, certificate=certificate)


def test_a_proof_with_branches_is_verified_in_full() -> None:
    problem, plan = branched()
    assert plan.certificate is not None
    assert plan.certificate["verified"] == "all"
    assert verify(problem, plan) == []
    assert extent(plan) == "the bound is verified in full"


def test_larger_problems_with_all_options_are_verified() -> None:
    for seed in range(300):
        problem = larger(seed)
        for name in ("cheapest", "fewest-shipments"):
            plan = propose(problem, name)
            assert verify(problem, Plan.read(json.loads(json.dumps(plan.document())))) == [], (seed, name)


def test_a_plan_that_is_not_optimal_does_not_pass_for_one() -> None:
    refuted = 0
    for seed in range(200):
        problem, _ = small(seed)
        plan = propose(problem, "nearest")
        best = enumerated(problem)
        assert best is not None
        if judged(problem, plan)[:2] > best[:2] and not problem.options.complete:
            honest = propose(problem, "cheapest")
            lie = replace(plan, bound=plan.cost, optimal=True, certificate=honest.certificate)
            if (honest.certificate or {})["verified"] == "all" and sum(plan.short.values()) == sum(
                honest.short.values()
            ):
                assert verify(problem, lie) != [], seed
                refuted += 1
    assert refuted > 50


def test_a_bound_above_what_the_prices_prove_is_found() -> None:
    problem = knapsack(50, 400, 5, 30, seed=2)
    problem.node_limit = 100
    plan = propose(problem, "cheapest")
    assert plan.certificate is not None
    assert plan.bound is not None
    assert verify(problem, plan) == []
    raised = with_certificate(plan, root=plan.certificate["root"] + 1)
    assert ["is not proven" in finding for finding in verify(problem, raised)] == [True]


def test_a_floor_that_is_not_proven_is_found() -> None:
    problem, plan = branched()
    first = next(standing for standing in plan.standings if standing.floor is not None)
    lifted = tuple(
        replace(standing, floor=plan.cost + 5000) if standing is first else standing for standing in plan.standings
    )
    findings = verify(problem, replace(plan, standings=lifted))
    assert findings == [f"the floor {plan.cost + 5000} of {first.facility} is not proven: it reaches {plan.cost}"]


def test_no_floor_is_above_the_cheapest_plan_that_uses_the_facility() -> None:
    tight = looked = 0
    for seed in range(400):
        problem, _ = small(seed)
        plan = propose(problem, "cheapest")
        short = sum(plan.short.values())
        for rank, standing in enumerate(plan.standings):
            if standing.floor is None:
                continue
            best = enumerated(problem, using=rank)
            assert standing.why in ("dearer", "not_needed"), seed
            if best is not None and (problem.backorder is not None or best[0] == short):
                assert plan.cost <= standing.floor <= best[1], (seed, standing)
                looked += 1
                tight += standing.floor == best[1]
    assert looked > 300
    # Floors are worth showing only if they are near: a good part of them is exact.
    assert tight > looked // 4


def test_an_optimum_without_a_certificate_is_a_claim_and_no_proof() -> None:
    problem, plan = branched()
    assert verify(problem, replace(plan, certificate=None)) == [
        "the plan makes claims about other plans, and gives no proof"
    ]


@pytest.mark.parametrize(
    "broken",
    [
        {"proof": {"tried": 1, "lines": [1, 2]}},
        {"proof": {"tried": 1, "lines": ["much"] * 20}},
        {"proof": {"tried": 1, "lines": [0] * 20, "branch": "NOWHERE", "open": {}, "shut": {}}},
        {"proof": {"tried": 1, "lines": [0] * 20, "shipments": -5}},
        {"proof": []},
        {"bits": "many"},
    ],
)
def test_a_certificate_that_cannot_be_read_is_a_finding_and_no_crash(broken: dict[str, Any]) -> None:
    problem, plan = branched()
    findings = verify(problem, with_certificate(plan, **broken))
    assert len(findings) == 1
    assert findings[0].startswith(("the certificate cannot be read: ", "that no plan costs less than "))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_certificate_whatsoever_proves_a_bound_above_the_optimum(data: st.DataObject) -> None:
    problem, _ = small(data.draw(st.integers(0, 400)))
    plan = propose(problem, "nearest")
    if problem.options.complete or problem.max_shipments is not None:
        return
    best = enumerated(problem)
    assert best is not None
    short, cost, *_ = best
    lead = 0 if problem.backorder is not None else sum(plan.short.values())
    if (lead, plan.cost) == (short, cost) or lead != short:
        return
    lines = len([sources for sources in problem.sources if sources])
    prices = st.integers(-10, 200_000)
    proof = {
        "tried": data.draw(st.integers(0, 2)),
        "lines": data.draw(st.lists(prices, min_size=lines, max_size=lines)),
        "shipments": data.draw(st.integers(0, 200_000)),
        "gaps": {sku: data.draw(st.integers(0, 100_000)) for sku in problem.skus},
    }
    lie = replace(
        plan,
        bound=plan.cost,
        optimal=True,
        certificate={"verified": "all", "bits": data.draw(st.integers(0, 8)), "proof": proof},
    )
    assert verify(problem, lie) != []


def test_a_search_too_large_to_keep_says_that_only_its_root_can_be_verified() -> None:
    problem = set_cover(50, 50, 4, seed=1)
    plan = propose(problem, "cheapest")
    assert plan.optimal
    assert plan.certificate is not None
    assert plan.certificate["verified"] == "root"
    assert plan.certificate["root"] < plan.cost
    assert verify(problem, plan) == []
    assert extent(plan) == (
        f"verified: no plan costs less than {plan.certificate['root']}; "
        f"that none costs less than {plan.bound} is what a search of {plan.nodes} nodes found"
    )


def test_fewest_shipments_says_how_few_are_proven() -> None:
    problem = set_cover(100, 40, 8, seed=1)
    problem.node_limit = 100
    plan = propose(problem, "fewest-shipments")
    assert plan.certificate is not None
    assert plan.bound is None
    assert not plan.optimal
    assert plan.certificate["shipments_at_least"] == 5
    assert verify(problem, plan) == []
    assert extent(plan) == "nothing is claimed about other plans; only the plan itself is verified"


def test_a_plan_of_a_strategy_that_proves_nothing_is_verified_as_such() -> None:
    problem, _ = small(3)
    plan = propose(problem, "nearest")
    assert verify(problem, plan) == []
    assert extent(plan) == "nothing is claimed about other plans; only the plan itself is verified"
    assert verify(problem, replace(plan, cost=plan.cost + 1))[0].startswith(
        "the plan of strategy nearest says that it costs"
    )


def test_a_limit_on_shipments_leaves_the_bound_without_it_to_verify() -> None:
    rows = [
        ("A", "X", "primary", 3, 0),
        ("B", "Y", "primary", 3, 0),
        ("C", "X", "primary", 3, 9),
        ("C", "Y", "primary", 3, 9),
    ]
    problem = Problem.explicit({"A": 10, "B": 10, "C": 50}, rows, {"X": 3, "Y": 3}, options=Options(max_shipments=1))
    plan = propose(problem, "cheapest")
    assert plan.facilities == ("C",)
    assert plan.optimal
    assert plan.certificate is not None
    assert (plan.certificate["verified"], plan.certificate["lifted"], plan.certificate["root"]) == (
        "root",
        "max_shipments",
        20,
    )
    assert verify(problem, plan) == []


def test_a_stored_problem_verifies_its_plan_as_the_problem_did() -> None:
    for seed in range(150):
        problem, _ = small(seed)
        again = read(json.loads(json.dumps(document(problem))))
        plan = propose(problem, "cheapest")
        assert propose(again, "cheapest") == plan, seed
        assert verify(again, plan) == [], seed
