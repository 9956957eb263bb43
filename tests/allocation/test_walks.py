"""`nearest` and `priority`, and the options that every strategy honours."""

from __future__ import annotations

import subprocess
import sys

import pytest
from oracles import larger, small

from orderstate.allocation import Options, Problem, check, propose

STRATEGIES = ("nearest", "priority", "cheapest", "fewest-shipments")


def problem(rows: list[tuple[str, str, str, int, int]], demand: dict[str, int], **options: object) -> Problem:
    """Facilities A, B, C ... at 1, 2, 3 ... metres, each shipment 100."""
    codes = sorted({row[0] for row in rows})
    return Problem.explicit(
        dict.fromkeys(codes, 100),
        rows,
        demand,
        metres={code: 1 + place for place, code in enumerate(codes)},
        priorities={code: 9 - place for place, code in enumerate(codes)},
        options=Options(**options),  # type: ignore[arg-type]  # named by the tests
    )


def taken(made: Problem, name: str) -> list[tuple[str, str, str, int]]:
    """What the checked plan of a strategy takes."""
    plan = propose(made, name)
    check(made, plan)
    return [(a.facility, a.sku, a.pool, a.units) for a in plan.allocations]


def test_the_closest_facility_goes_first_and_primary_before_back_inside_it() -> None:
    rows = [("A", "X", "back", 2, 0), ("A", "X", "primary", 3, 9), ("B", "X", "primary", 9, 0)]
    assert taken(problem(rows, {"X": 4}), "nearest") == [("A", "X", "back", 1), ("A", "X", "primary", 3)]
    assert taken(problem(rows, {"X": 7}), "nearest") == [
        ("A", "X", "back", 2),
        ("A", "X", "primary", 3),
        ("B", "X", "primary", 2),
    ]


def test_priority_goes_by_what_was_declared_then_by_distance() -> None:
    rows = [(code, "X", "primary", 2, 0) for code in "ABC"]
    assert taken(problem(rows, {"X": 3}), "priority") == [("B", "X", "primary", 1), ("C", "X", "primary", 2)]
    same = Problem.explicit(dict.fromkeys("ABC", 0), rows, {"X": 3}, metres={"A": 3, "B": 2, "C": 1})
    assert taken(same, "priority") == [("B", "X", "primary", 1), ("C", "X", "primary", 2)]


def test_those_not_needed_stand_with_the_reason_of_the_strategy() -> None:
    rows = [(code, "X", "primary", 2, 0) for code in "AB"] + [("C", "Y", "primary", 1, 0)]
    whys = {name: {s.facility: s.why for s in propose(problem(rows, {"X": 1}), name).standings} for name in STRATEGIES}
    assert whys["nearest"] == {"A": "used", "B": "farther", "C": "no_units"}
    assert whys["priority"] == {"A": "lower_priority", "B": "used", "C": "no_units"}
    assert whys["cheapest"] == {"A": "used", "B": "not_needed", "C": "no_units"}


@pytest.mark.parametrize("name", STRATEGIES)
def test_an_order_that_must_ship_complete_ships_whole_or_not_at_all(name: str) -> None:
    rows = [("A", "X", "primary", 2, 0), ("B", "X", "primary", 2, 0), ("A", "Y", "primary", 1, 0)]
    whole = propose(problem(rows, {"X": 4, "Y": 1}, complete=True), name)
    assert (len(whole.allocations), whole.short) == (3, {})
    part = propose(problem(rows, {"X": 5, "Y": 1}, complete=True), name)
    assert (part.allocations, part.short, part.cost) == ((), {"X": 5, "Y": 1}, 0)
    assert {s.why for s in part.standings} == {"too_few_units"}


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_whole_line_comes_from_one_facility_or_not_at_all(name: str) -> None:
    rows = [
        ("A", "X", "primary", 3, 0),
        ("B", "X", "primary", 2, 0),
        ("B", "X", "back", 2, 0),
        ("A", "Y", "primary", 3, 0),
        ("B", "Y", "primary", 3, 0),
    ]
    made = problem(rows, {"X": 4, "Y": 5}, whole_lines=True)
    assert taken(made, name) == [("B", "X", "back", 2), ("B", "X", "primary", 2)]
    assert propose(made, name).short == {"Y": 5}


@pytest.mark.parametrize("name", STRATEGIES)
def test_with_one_shipment_allowed_the_facility_that_fills_the_most_ships(name: str) -> None:
    rows = [("A", "X", "primary", 1, 0), ("B", "X", "primary", 3, 0), ("C", "X", "primary", 2, 0)]
    made = problem(rows, {"X": 6}, max_shipments=1)
    assert taken(made, name) == [("B", "X", "primary", 3)]
    assert propose(made, name).short == {"X": 3}


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_limit_on_shipments_finds_the_facilities_that_fill_the_order(name: str) -> None:
    # The three closest fill it between them, but only D and E do as two.
    held = {"A": "pq", "B": "rs", "C": "tu", "D": "pqr", "E": "stu"}
    rows = [(code, sku, "primary", 1, 0) for code, skus in held.items() for sku in skus]
    made = problem(rows, dict.fromkeys("pqrstu", 1), max_shipments=2, complete=True)
    assert propose(made, name).facilities == ("D", "E")


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_limit_that_leaves_no_way_to_ship_complete_ships_nothing(name: str) -> None:
    rows = [("A", "X", "primary", 1, 0), ("B", "X", "primary", 1, 0)]
    made = problem(rows, {"X": 2}, max_shipments=1, complete=True)
    assert taken(made, name) == []
    assert propose(made, name).short == {"X": 2}


def test_a_limit_over_very_many_facilities_settles_for_a_greedy_choice_that_keeps_it() -> None:
    codes = [f"F{number:03}" for number in range(120)]
    rows = [(code, f"S{number % 12}", "primary", 1, 0) for number, code in enumerate(codes)]
    rows += [("F119", f"S{number}", "primary", 1, 0) for number in range(11)]
    made = problem(rows, {f"S{number}": 1 for number in range(12)}, max_shipments=4)
    plan = propose(made, "nearest")
    check(made, plan)
    assert len(plan.facilities) <= 4
    assert plan.short == {}


def test_only_and_exclude_leave_the_others_out() -> None:
    rows = [(code, "X", "primary", 2, 0) for code in "ABC"]
    for name in STRATEGIES:
        assert {row[0] for row in taken(problem(rows, {"X": 2}, only=frozenset("BC")), name)} <= set("BC")
        assert {row[0] for row in taken(problem(rows, {"X": 6}, exclude=frozenset("B")), name)} == set("AC")


def test_whatever_the_options_every_strategy_makes_a_plan_that_may_be_used() -> None:
    for seed in range(250):
        for made in (small(seed)[0], larger(seed)):
            for name in ("nearest", "priority"):
                plan = propose(made, name)
                check(made, plan)
                best = propose(made, "cheapest")
                if made.backorder is None and sum(plan.short.values()) == sum(best.short.values()):
                    assert best.cost <= plan.cost, (seed, name)


def test_planning_with_nearest_imports_nothing_of_the_exact_search_and_no_metadata() -> None:
    program = (
        "import sys\n"
        "from orderstate.allocation import Problem, propose, check\n"
        "p = Problem.explicit({'A': 1}, [('A', 'X', 'primary', 1, 0)], {'X': 1})\n"
        "check(p, propose(p, 'nearest'))\n"
        "names = ('orderstate.allocation.search', 'orderstate.allocation.cheapest', 'importlib.metadata', 'csv')\n"
        "print([name for name in names if name in sys.modules])\n"
    )
    # Without site packages, whose own hooks may import metadata.
    start = f"import sys; sys.path[:0] = {sys.path!r}\n"
    ran = subprocess.run([sys.executable, "-S", "-c", start + program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
