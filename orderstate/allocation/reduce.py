"""Which units to give back when a part of a tied order is cancelled: no re-planning, and always the same answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from orderstate.errors import InvalidInput
from orderstate.model import BACK, Allocation


def reduce(
    allocations: Sequence[Allocation], cancel: Mapping[str, int], unit_cost: Callable[[Allocation], int]
) -> tuple[Allocation, ...]:
    """The units to release so that `cancel` (units by SKU) is gone from `allocations`.

    First units that empty a facility, so that a shipment is saved; then the dearest; then back stock before primary;
    then by facility code. Among facilities that could be emptied, the one whose released units cost the most goes
    first, then by code. `unit_cost` is c of one unit, such as `Problem.unit_cost`.

    Raises InvalidInput where more is to be cancelled than is allocated, or a quantity is below 1.
    """
    held: dict[str, int] = {}
    for allocation in allocations:
        held[allocation.sku] = held.get(allocation.sku, 0) + allocation.units
    for sku, units in cancel.items():
        if units < 1 or units > held.get(sku, 0):
            raise InvalidInput(f"quantity of {sku}", units, f"a whole number from 1 to {held.get(sku, 0)}")
    left = dict(cancel)
    rows = {(a.facility, a.sku, a.pool): a for a in allocations}
    released: list[Allocation] = []

    def release(allocation: Allocation, units: int) -> None:
        released.append(Allocation(allocation.facility, allocation.sku, allocation.pool, units))
        left[allocation.sku] -= units
        del rows[allocation.facility, allocation.sku, allocation.pool]

    while True:
        emptied = _dearest_to_empty(rows.values(), left, unit_cost)
        if emptied is None:
            break
        for allocation in emptied:
            release(allocation, allocation.units)
    for allocation in sorted(rows.values(), key=lambda a: (-unit_cost(a), a.pool != BACK, a.facility, a.sku)):
        units = min(allocation.units, left.get(allocation.sku, 0))
        if units:
            release(allocation, units)
    return tuple(sorted(released))


def _dearest_to_empty(
    rows: Iterable[Allocation], left: Mapping[str, int], unit_cost: Callable[[Allocation], int]
) -> list[Allocation] | None:
    """All rows of the facility to empty next, or None where what is left to cancel empties none."""
    by_facility: dict[str, list[Allocation]] = {}
    for allocation in rows:
        by_facility.setdefault(allocation.facility, []).append(allocation)
    best: tuple[int, str] | None = None
    for facility, held in by_facility.items():
        units: dict[str, int] = {}
        for allocation in held:
            units[allocation.sku] = units.get(allocation.sku, 0) + allocation.units
        if all(left.get(sku, 0) >= number for sku, number in units.items()):
            key = (-sum(unit_cost(a) * a.units for a in held), facility)
            if best is None or key < best:
                best = key
    return by_facility[best[1]] if best else None
