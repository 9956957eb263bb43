"""The rules that every plan must keep: a plan that breaks one is refused with that rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orderstate.allocation import Options, Problem, check, propose
from orderstate.errors import NotFound, PlanRejected
from orderstate.model import Allocation, Plan

ROWS = [
    ("A", "X", "primary", 5, 1),
    ("A", "X", "back", 5, 2),
    ("B", "X", "primary", 5, 1),
    ("A", "Y", "primary", 5, 1),
    ("OUT", "X", "primary", 5, 1),
]


def problem(**options: Any) -> Problem:
    """Seven X and one Y are wanted; OUT is excluded."""
    return Problem.explicit(
        {"A": 10, "B": 10, "OUT": 10},
        ROWS,
        {"X": 7, "Y": 1},
        options=Options(exclude=frozenset(["OUT"]), **options),
    )


def plan_of(made: Problem, *rows: tuple[str, str, str, Any], **changed: Any) -> Plan:
    """A plan that claims to take these rows, short and cost reckoned as an honest strategy would."""
    short = dict(zip(made.skus, made.demand, strict=True))
    for _, sku, _, units in rows:
        if sku in short and isinstance(units, int):
            short[sku] -= units
    honest = propose(made, "nearest")
    cost = sum(10 for _ in {row[0] for row in rows}) + sum(
        row[3] * (2 if row[2] == "back" else 1) for row in rows if isinstance(row[3], int)
    )
    found = Plan(
        "mine",
        tuple(Allocation(*row) for row in rows),
        {sku: units for sku, units in short.items() if units > 0},
        honest.standings,
        cost,
    )
    return replace(found, **changed)


GOOD = (("A", "X", "primary", 5), ("B", "X", "primary", 2), ("A", "Y", "primary", 1))


def test_an_honest_plan_passes() -> None:
    made = problem()
    check(made, plan_of(made, *GOOD))
    check(made, plan_of(made, *GOOD[:1]))
    check(made, plan_of(made))


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([("A", "X", "primary", 6)], "takes 6 units of X in primary of A, where 5 are available"),
        ([("A", "X", "primary", 5), ("B", "X", "primary", 5)], "plans 10 units of X, of which 7 are wanted"),
        ([("NOPE", "X", "primary", 1)], "takes from the unknown facility 'NOPE'"),
        ([("A", "Z", "primary", 1)], "takes 'Z', which is not wanted"),
        ([("A", "X", "attic", 1)], "takes from the unknown pool 'attic'"),
        ([("A", "X", "primary", 0)], "takes 0 units of X in primary of A"),
        ([("A", "X", "primary", -1)], "takes -1 units of X in primary of A"),
        ([("A", "X", "primary", 1.0)], "takes 1.0 units of X in primary of A"),
        ([("A", "X", "primary", True)], "takes True units of X in primary of A"),
        ([("A", "X", "primary", 2), ("A", "X", "primary", 2)], "takes X in primary of A twice"),
        ([("OUT", "X", "primary", 1)], "takes from OUT, which is out (excluded)"),
        ([("B", "Y", "primary", 1)], "takes 1 units of Y in primary of B, where 0 are available"),
    ],
)
def test_a_plan_that_takes_what_it_must_not_is_refused(rows: list[tuple[str, str, str, Any]], what: str) -> None:
    made = problem()
    with pytest.raises(PlanRejected) as refused:
        check(made, plan_of(made, *rows))
    assert refused.value.sentence == f"the plan of strategy mine {what}"
    assert refused.value.exit_status == 1


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"short": {}}, "says that {} is short, where its allocations leave {'X': 2, 'Y': 1}"),
        ({"short": {"X": 2}}, "says that {'X': 2} is short, where its allocations leave {'X': 2, 'Y': 1}"),
        ({"cost": 14}, "says that it costs 14, where it costs 15"),
        ({"bound": 16}, "says that no plan costs less than 16, and costs 15"),
        ({"bound": 1.5}, "says that no plan costs less than 1.5, and costs 15"),
        ({"optimal": True}, "says that it is optimal, where its bound is None and its cost 15"),
        ({"optimal": True, "bound": 9}, "says that it is optimal, where its bound is 9 and its cost 15"),
        ({"nodes": 1001}, "opened 1001 nodes, where 1000 are allowed"),
        ({"standings": ()}, "tells of 0 facilities, of 3"),
    ],
)
def test_a_plan_that_lies_is_refused(changed: dict[str, Any], what: str) -> None:
    made = problem()
    with pytest.raises(PlanRejected) as refused:
        check(made, plan_of(made, ("A", "X", "primary", 5), **changed))
    assert refused.value.sentence == f"the plan of strategy mine {what}"


def test_more_shipments_than_allowed_are_refused() -> None:
    made = problem(max_shipments=1)
    with pytest.raises(PlanRejected, match="makes 2 shipments, where 1 are allowed"):
        check(made, plan_of(made, *GOOD))


def test_a_part_of_an_order_that_must_ship_complete_is_refused() -> None:
    made = problem(complete=True)
    check(made, plan_of(made, *GOOD))
    with pytest.raises(PlanRejected, match="leaves units short, though the order must ship complete"):
        check(made, plan_of(made, *GOOD[:2]))


def test_a_split_line_is_refused_where_lines_must_ship_whole() -> None:
    made = problem(whole_lines=True)
    whole = [("A", "X", "primary", 5), ("A", "X", "back", 2)]
    check(made, plan_of(made, *whole))
    with pytest.raises(PlanRejected, match="splits X over facilities"):
        check(made, plan_of(made, *GOOD))
    with pytest.raises(PlanRejected, match="ships a part of X"):
        check(made, plan_of(made, *whole[:1]))


def test_a_take_from_stock_that_is_not_there_makes_no_plan() -> None:
    made = problem()
    with pytest.raises(NotFound, match=r"this problem has no stock at \(1, 1, 0\)"):
        made.plan("mine", [(1, 1, 0, 1)])
    with pytest.raises(NotFound, match="this problem has no Y in back of B"):
        made.unit_cost(Allocation("B", "Y", "back", 1))


def test_what_remains_after_some_units_were_taken_ships_free_from_who_ships_already() -> None:
    made = problem()
    rest = made.remaining([(0, 0, 0, 5), (0, 1, 0, 1)])
    assert (rest.skus, rest.demand) == (("X",), (2,))
    assert rest.sources == [[(0, 1, 5, 2), (1, 0, 5, 1)]]
    assert rest.sites.fixed == (0, 10, 10)
    assert propose(rest, "cheapest").cost == 4
    with pytest.raises(NotFound):
        made.remaining([(2, 0, 0, 1)])
