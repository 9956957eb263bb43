"""Which units a partial cancel gives back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderstate.allocation.reduce import reduce
from orderstate.errors import InvalidInput
from orderstate.model import Allocation

CODES, SKUS, POOLS = ("A", "B", "C", "D"), ("X", "Y"), ("primary", "back")


def free(allocation: Allocation) -> int:
    """Every unit costs the same."""
    return 0


def test_units_that_empty_a_facility_go_first_though_others_are_dearer() -> None:
    held = [Allocation("A", "X", "primary", 5), Allocation("B", "X", "primary", 2)]
    dear = {"A": 900, "B": 1}
    assert reduce(held, {"X": 2}, lambda a: dear[a.facility]) == (Allocation("B", "X", "primary", 2),)


def test_a_facility_with_another_line_is_not_emptied_by_one() -> None:
    held = [Allocation("A", "X", "primary", 5), Allocation("B", "X", "primary", 2), Allocation("B", "Y", "primary", 1)]
    dear = {"A": 900, "B": 1}
    assert reduce(held, {"X": 2}, lambda a: dear[a.facility]) == (Allocation("A", "X", "primary", 2),)


def test_the_same_facility_is_emptied_when_both_lines_are_cancelled() -> None:
    held = [Allocation("A", "X", "primary", 5), Allocation("B", "X", "primary", 2), Allocation("B", "Y", "primary", 1)]
    assert reduce(held, {"X": 2, "Y": 1}, free) == (
        Allocation("B", "X", "primary", 2),
        Allocation("B", "Y", "primary", 1),
    )


def test_of_two_facilities_that_could_be_emptied_the_dearer_one_is_then_the_first_by_code() -> None:
    held = [Allocation("A", "X", "primary", 2), Allocation("B", "X", "primary", 2), Allocation("C", "X", "primary", 9)]
    dear = {"A": 1, "B": 5, "C": 9}
    assert reduce(held, {"X": 2}, lambda a: dear[a.facility]) == (Allocation("B", "X", "primary", 2),)
    assert reduce(held, {"X": 2}, free) == (Allocation("A", "X", "primary", 2),)


def test_then_the_dearest_units_go() -> None:
    held = [Allocation("A", "X", "primary", 5), Allocation("B", "X", "primary", 6)]
    dear = {"A": 1, "B": 5}
    assert reduce(held, {"X": 3}, lambda a: dear[a.facility]) == (Allocation("B", "X", "primary", 3),)


def test_of_units_that_cost_the_same_back_stock_goes_before_primary_then_by_code() -> None:
    held = [Allocation("A", "X", "primary", 5), Allocation("B", "X", "back", 5), Allocation("C", "X", "back", 5)]
    assert reduce(held, {"X": 4}, free) == (Allocation("B", "X", "back", 4),)
    only_primary = [Allocation("A", "X", "primary", 5), Allocation("B", "X", "primary", 5)]
    assert reduce(only_primary, {"X": 4}, free) == (Allocation("A", "X", "primary", 4),)


def test_what_is_left_after_a_facility_was_emptied_comes_from_the_next() -> None:
    held = [Allocation("A", "X", "primary", 5), Allocation("B", "X", "primary", 2)]
    assert reduce(held, {"X": 3}, free) == (Allocation("A", "X", "primary", 1), Allocation("B", "X", "primary", 2))


def test_cancelling_everything_releases_everything() -> None:
    held = [Allocation("A", "X", "back", 5), Allocation("A", "X", "primary", 5), Allocation("B", "Y", "primary", 2)]
    assert reduce(held, {"X": 10, "Y": 2}, free) == tuple(held)


@pytest.mark.parametrize("cancel", [{"X": 0}, {"X": -1}, {"X": 8}, {"Z": 1}])
def test_more_than_is_allocated_or_less_than_one_is_refused(cancel: dict[str, int]) -> None:
    with pytest.raises(InvalidInput, match=r"^quantity of "):
        reduce([Allocation("A", "X", "primary", 7)], cancel, free)


@given(st.data())
def test_what_is_released_is_what_was_cancelled_in_whatever_order_it_was_held(data: st.DataObject) -> None:
    places = data.draw(st.lists(st.sampled_from([(f, s, p) for f in CODES for s in SKUS for p in POOLS]), unique=True))
    held = [Allocation(*place, data.draw(st.integers(1, 9))) for place in places]
    costs = {place: data.draw(st.integers(0, 3)) for place in places}
    total = {sku: sum(a.units for a in held if a.sku == sku) for sku in SKUS}
    cancel = {sku: data.draw(st.integers(1, units)) for sku, units in total.items() if units}

    def cost(allocation: Allocation) -> int:
        return costs[allocation.facility, allocation.sku, allocation.pool]

    released = reduce(held, cancel, cost)
    assert {sku: sum(a.units for a in released if a.sku == sku) for sku in cancel} == cancel
    by_place = {(a.facility, a.sku, a.pool): a.units for a in held}
    assert all(0 < a.units <= by_place[a.facility, a.sku, a.pool] for a in released)
    assert list(released) == sorted(released)
    assert reduce(data.draw(st.permutations(held)), cancel, cost) == released
