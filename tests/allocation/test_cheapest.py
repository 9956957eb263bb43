"""`cheapest` against what is known: published optima, enumeration, and the failures of other systems."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from oracles import SCALE, SHARED, UFLP, enumerated, judged, knapsack, set_cover, small, uflp

from orderstate.allocation import Options, Problem, check, propose
from orderstate.allocation.verify import verify
from orderstate.model import Plan


@pytest.mark.skipif(not (SHARED / "uflp").is_dir(), reason="the shared instances are not beside this checkout")
@pytest.mark.parametrize("name", UFLP)
def test_a_published_instance_is_solved_to_its_optimum_and_proven(name: str) -> None:
    problem = uflp(name)
    plan = propose(problem, "cheapest")
    check(problem, plan)
    assert Decimal(plan.cost * 1000 // SCALE) / 1000 == Decimal(UFLP[name])
    assert plan.optimal
    assert plan.certificate is not None
    assert plan.certificate["verified"] == "all"
    assert verify(problem, Plan.read(json.loads(json.dumps(plan.document())))) == []


@pytest.mark.parametrize("block", range(10))
def test_enumeration_of_a_hundred_small_problems_finds_nothing_better_and_no_other_tie(block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        problem, shuffled = small(seed)
        for name in ("cheapest", "fewest-shipments"):
            first = name == "fewest-shipments"
            plan = propose(problem, name)
            check(problem, plan)
            assert plan.optimal, (seed, name)
            assert judged(problem, plan, shipments_first=first) == enumerated(problem, shipments_first=first), (
                seed,
                name,
            )
            assert propose(shuffled, name) == plan, (seed, name)
            assert verify(problem, Plan.read(json.loads(json.dumps(plan.document())))) == [], (seed, name)


def test_thirteen_units_over_stocks_of_ten_and_fifteen_are_ten_and_three() -> None:
    rows = [("A", "X", "primary", 10, 0), ("B", "X", "primary", 15, 5)]
    problem = Problem.explicit({"A": 0, "B": 0}, rows, {"X": 13}, metres={"A": 1, "B": 2})
    for name in ("cheapest", "nearest", "priority"):
        taken = {a.facility: a.units for a in propose(problem, name).allocations}
        assert taken == {"A": 10, "B": 3}, name


def test_thirteen_units_ship_from_the_one_facility_that_has_them_when_that_is_cheaper() -> None:
    rows = [("A", "X", "primary", 10, 0), ("B", "X", "primary", 15, 0)]
    problem = Problem.explicit({"A": 100, "B": 100}, rows, {"X": 13}, metres={"A": 1, "B": 2})
    assert [(a.facility, a.units) for a in propose(problem, "cheapest").allocations] == [("B", 13)]
    assert [(a.facility, a.units) for a in propose(problem, "nearest").allocations] == [("A", 10), ("B", 3)]


def test_two_facilities_that_suffice_do_not_become_three() -> None:
    # A greedy cover takes the middle one first, which has the most, and then needs both others.
    rows = [(f, s, "primary", 1, 0) for f, held in (("A", "pqr"), ("B", "stu"), ("M", "pqst")) for s in held]
    problem = Problem.explicit({"A": 100, "B": 100, "M": 100}, rows, dict.fromkeys("pqrstu", 1))
    for name in ("cheapest", "fewest-shipments"):
        assert propose(problem, name).facilities == ("A", "B"), name


def test_distance_decides_and_not_the_name_of_the_facility() -> None:
    rows = [("AAA", "X", "primary", 5, 0), ("ZZZ", "X", "primary", 5, 0)]
    problem = Problem.explicit({"AAA": 100, "ZZZ": 100}, rows, {"X": 5}, metres={"AAA": 9000, "ZZZ": 1000})
    for name in ("cheapest", "fewest-shipments", "nearest", "priority"):
        assert propose(problem, name).facilities == ("ZZZ",), name


def test_equal_candidates_come_out_in_the_same_order_each_time() -> None:
    codes = [f"F{number}" for number in range(8)]
    rows = [(code, sku, "primary", 2, 7) for code in codes for sku in ("X", "Y")]
    for turn in range(8):
        turned = codes[turn:] + codes[:turn]
        problem = Problem.explicit(dict.fromkeys(turned, 100), rows[turn:] + rows[:turn], {"Y": 5, "X": 3})
        for name in ("cheapest", "fewest-shipments", "nearest", "priority"):
            assert propose(problem, name).facilities == ("F0", "F1", "F2"), (turn, name)


def test_of_plans_that_cost_the_same_the_one_with_fewer_shipments_wins() -> None:
    rows = [("A", "X", "primary", 1, 0), ("B", "Y", "primary", 1, 0), ("C", "X", "primary", 1, 0)]
    rows.append(("C", "Y", "primary", 1, 0))
    problem = Problem.explicit({"A": 50, "B": 50, "C": 100}, rows, {"X": 1, "Y": 1}, metres={"A": 1, "B": 2, "C": 3})
    assert propose(problem, "cheapest").facilities == ("C",)


def test_back_stock_is_used_where_primary_costs_a_shipment_more() -> None:
    rows = [("A", "X", "primary", 1, 0), ("A", "X", "back", 9, 20), ("B", "X", "primary", 9, 0)]
    near = Problem.explicit({"A": 100, "B": 100}, rows, {"X": 4}, metres={"A": 1, "B": 2})
    taken = [(a.facility, a.pool, a.units) for a in propose(near, "cheapest").allocations]
    # 100 for B alone against 100 + 3 x 20 for A with its back stock.
    assert taken == [("B", "primary", 4)]
    far = Problem.explicit({"A": 100, "B": 170}, rows, {"X": 4}, metres={"A": 1, "B": 2})
    taken = [(a.facility, a.pool, a.units) for a in propose(far, "cheapest").allocations]
    assert taken == [("A", "back", 3), ("A", "primary", 1)]


def test_a_set_cover_is_answered_within_the_node_limit_with_a_bound_that_holds() -> None:
    problem = set_cover(100, 40, 8, seed=1)
    problem.node_limit = 300
    plan = propose(problem, "cheapest")
    check(problem, plan)
    assert plan.nodes == 300
    assert not plan.optimal
    assert plan.bound is not None
    assert 4000 <= plan.bound < plan.cost
    assert not plan.short
    assert verify(problem, plan) == []
    assert {standing.why for standing in plan.standings} <= {"used", "node_limit", "dearer", "no_units"}


def test_a_smaller_set_cover_is_proven() -> None:
    problem = set_cover(20, 20, 3, seed=1)
    plan = propose(problem, "cheapest")
    assert plan.optimal
    assert len(plan.facilities) == 6
    assert verify(problem, plan) == []


def test_one_big_line_over_many_facilities_is_answered_within_the_node_limit() -> None:
    problem = knapsack(50, 400, 5, 30, seed=2)
    problem.node_limit = 300
    plan = propose(problem, "cheapest")
    check(problem, plan)
    assert plan.nodes <= 300
    assert not plan.short
    assert plan.bound is not None
    assert 0.8 * plan.cost < plan.bound <= plan.cost
    assert verify(problem, plan) == []


def test_one_big_line_over_facilities_of_one_price_is_proven_by_their_number() -> None:
    problem = knapsack(50, 200, 5, 30, seed=1, same=True)
    plan = propose(problem, "cheapest")
    assert plan.optimal
    assert plan.cost == 7000


def test_a_search_that_may_open_one_node_still_gives_a_plan() -> None:
    for seed in range(60):
        problem, _ = small(seed)
        problem.node_limit = 1
        for name in ("cheapest", "fewest-shipments"):
            plan = propose(problem, name)
            check(problem, plan)
            assert plan.nodes <= 1
            assert verify(problem, plan) == [], (seed, name)


def test_an_order_that_nobody_can_fill_gets_an_empty_plan_that_is_proven() -> None:
    problem = Problem.explicit({"A": 10}, [], {"X": 2})
    plan = propose(problem, "cheapest")
    check(problem, plan)
    assert (plan.allocations, plan.short, plan.cost, plan.optimal) == ((), {"X": 2}, 0, True)
    assert plan.standings[0].why == "no_units"
    assert verify(problem, plan) == []


def test_a_declared_backorder_cost_leaves_units_short_that_cost_more() -> None:
    rows = [("A", "X", "primary", 5, 30), ("B", "X", "primary", 5, 80)]
    problem = Problem.explicit({"A": 40, "B": 0}, rows, {"X": 8}, backorder=60)
    plan = propose(problem, "cheapest")
    check(problem, plan)
    # Five from A at 40 + 150; the other three cost 80 at B and 60 where they wait.
    assert plan.short == {"X": 3}
    assert plan.cost == 40 + 150 + 180
    assert propose(Problem.explicit({"A": 40, "B": 0}, rows, {"X": 8}), "cheapest").short == {}


def test_ship_complete_overrides_a_declared_backorder_cost() -> None:
    rows = [("A", "X", "primary", 5, 30)]
    options = Options(complete=True)
    plan = propose(Problem.explicit({"A": 40}, rows, {"X": 5}, backorder=1, options=options), "cheapest")
    assert plan.short == {}
    assert propose(Problem.explicit({"A": 40}, rows, {"X": 5}, backorder=1), "cheapest").short == {"X": 5}


def test_a_facility_that_is_not_used_has_a_proven_floor_above_the_cost_of_the_plan() -> None:
    rows = [("A", "X", "primary", 5, 1), ("B", "X", "primary", 5, 2), ("C", "Y", "primary", 1, 0)]
    problem = Problem.explicit({"A": 100, "B": 130, "C": 5}, rows, {"X": 3}, metres={"A": 1, "B": 2})
    plan = propose(problem, "cheapest")
    why = {standing.facility: (standing.why, standing.floor) for standing in plan.standings}
    # The floor is not the cost of B alone, which is 136, but what B costs with the cheapest units of all.
    assert why == {"A": ("used", None), "B": ("dearer", 133), "C": ("no_units", None)}
    assert plan.cost == 103
    assert verify(problem, plan) == []
