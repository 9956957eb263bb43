"""Which orders a cancellation takes its units from. Pure: holdings in, claims out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orderstate.store.spool import Holding


@dataclass(frozen=True, slots=True)
class Claim:
    """So many units that a cancellation takes from one holding; `gone`: they had left the house by then."""

    holding: Holding
    units: int
    gone: bool


def match(wanted: int, holdings: Sequence[Holding], gone: Callable[[int], bool]) -> tuple[list[Claim], int]:
    """Claims on the customer's holdings of one SKU, which come newest first, and the units that no order held.

    What still can be cancelled comes first, newest order first; only the rest is asked of orders that have left, which
    the engine will refuse. `gone` answers for the ordinal of an order. No holding gives more than it has.
    """
    claims: list[Claim] = []
    for left_already in (False, True):
        for holding in holdings:
            if wanted and holding.units and gone(holding.ordinal) is left_already:
                units = min(wanted, holding.units)
                claims.append(Claim(holding, units, left_already))
                wanted -= units
    return claims, wanted
