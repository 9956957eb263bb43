"""The worked example of an own strategy, by its dotted path, as a person would use it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orderstate.allocation import Options, Problem, Strategy, check, propose, strategy
from orderstate.testing import broken_laws

PATH = "drain_first:plan"
ROWS = [
    ("NEW", "MUG", "primary", 50, 0),
    ("NEW", "CUP", "primary", 50, 0),
    ("OLD", "MUG", "back", 4, 20),
    ("OLD", "MUG", "primary", 3, 10),
    ("FAR", "MUG", "primary", 50, 0),
    ("FAR", "CUP", "primary", 50, 0),
]


@pytest.fixture
def drain_first(monkeypatch: pytest.MonkeyPatch) -> Strategy:
    """The example, from where Python finds it."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "examples"))
    return strategy(PATH)


def problem(demand: dict[str, int], options: Options | None = None) -> Problem:
    """OLD closes soon: it has priority 0, and is the dearest and the farthest."""
    return Problem.explicit(
        {"OLD": 900, "NEW": 100, "FAR": 150},
        ROWS,
        demand,
        metres={"NEW": 1, "FAR": 2, "OLD": 3},
        priorities={"OLD": 0},
        options=options or Options(),
    )


def test_the_facility_to_be_drained_gives_all_it_has_and_the_cheapest_others_the_rest(drain_first: Strategy) -> None:
    asked = problem({"MUG": 10, "CUP": 2})
    plan = propose(asked, PATH)
    check(asked, plan)
    assert [(a.facility, a.sku, a.pool, a.units) for a in plan.allocations] == [
        ("NEW", "CUP", "primary", 2),
        ("NEW", "MUG", "primary", 3),
        ("OLD", "MUG", "back", 4),
        ("OLD", "MUG", "primary", 3),
    ]
    assert plan.strategy == "drain-first"
    assert plan.cost == 900 + 100 + 3 * 10 + 4 * 20


def test_primary_goes_before_back_stock_and_no_more_than_is_asked(drain_first: Strategy) -> None:
    plan = propose(problem({"MUG": 2}), PATH)
    assert [(a.facility, a.pool, a.units) for a in plan.allocations] == [("OLD", "primary", 2)]


def test_a_limit_of_the_caller_comes_before_draining(drain_first: Strategy) -> None:
    asked = problem({"MUG": 10}, Options(max_shipments=1))
    plan = propose(asked, PATH)
    check(asked, plan)
    assert plan.facilities == ("NEW",)


def test_an_excluded_facility_is_not_drained(drain_first: Strategy) -> None:
    assert propose(problem({"MUG": 5}, Options(exclude=frozenset({"OLD"}))), PATH).facilities == ("NEW",)


def test_it_keeps_the_laws(drain_first: Strategy) -> None:
    assert broken_laws(drain_first) == []
