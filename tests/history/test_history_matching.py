"""Which orders a cancellation takes its units from: against a plain model that moves one unit at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orderstate.history.matching import Claim, match
from orderstate.store.spool import Holding


def holding(ordinal: int, units: int) -> Holding:
    return Holding(ordinal=ordinal, placed=ordinal, number=str(ordinal), child=None, units=units)


def unit_by_unit(wanted: int, holdings: list[Holding], gone: set[int]) -> tuple[dict[int, int], int]:
    """Each unit goes to the newest order that still can give it up, else to the newest that has left."""
    left = {h.ordinal: h.units for h in holdings}
    taken: dict[int, int] = {}
    for unit in range(wanted):
        here = [o for o in left if left[o] and o not in gone]
        away = [o for o in left if left[o] and o in gone]
        if not here and not away:
            return taken, wanted - unit
        chosen = max(here) if here else max(away)
        left[chosen] -= 1
        taken[chosen] = taken.get(chosen, 0) + 1
    return taken, 0


@given(
    st.integers(0, 12),
    st.dictionaries(st.integers(1, 9), st.integers(0, 5), max_size=6),
    st.sets(st.integers(1, 9)),
)
def test_units_are_claimed_as_one_would_by_hand(wanted: int, held: dict[int, int], gone: set[int]) -> None:
    holdings = [holding(ordinal, held[ordinal]) for ordinal in sorted(held, reverse=True)]
    claims, rest = match(wanted, holdings, gone.__contains__)
    assert ({c.holding.ordinal: c.units for c in claims}, rest) == unit_by_unit(wanted, holdings, gone)
    assert all(claim.gone == (claim.holding.ordinal in gone) for claim in claims)


def test_an_order_that_is_still_here_comes_before_a_newer_one_that_left() -> None:
    old, new = holding(1, 2), holding(2, 5)
    assert match(4, [new, old], {2}.__contains__) == ([Claim(old, 2, False), Claim(new, 2, True)], 0)
