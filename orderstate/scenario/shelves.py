"""The stock of a story that is told again: what must be counted before each plan, so that it sees what it saw then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orderstate.model import POOLS, Allocation
from orderstate.scenario.script import Step, StockRow

Row = tuple[str, str, str]
"""(facility, SKU, pool)."""


class Shelves:
    """Counters of the scenario as its steps go by. Until the first plan they are the world that it begins with."""

    def __init__(self, grams: Mapping[str, int]) -> None:
        self.grams = grams
        self.begun: tuple[StockRow, ...] | None = None
        self.held: dict[str, dict[Row, int]] = {}
        """What each order holds."""
        self._levels: dict[Row, tuple[int, int]] = {}
        """(on hand, safety stock)."""

    def rows(self) -> list[Row]:
        """Every row that there is."""
        return list(self._levels)

    def show(self, available: Mapping[Row, int], freed: str | None = None) -> list[Step]:
        """The counts after which so much is available; `freed`: an order that gives back what it holds before it plans.

        The first time it becomes the world's stock, and no step is needed.
        """
        changed: dict[Row, tuple[int, int]] = {}
        for row, units in available.items():
            total = sum(held.get(row, 0) for held in self.held.values())
            others = total - self.held.get(freed or "", {}).get(row, 0)
            on_hand = max(others + units, total)
            level = on_hand, on_hand - others - units
            if self._levels.get(row, (0, 0)) != level or row not in self._levels:
                changed[row] = level
        if self.begun is None:
            self._levels |= changed
            # A SKU is known once it was weighed, also where there is none of it.
            self.begun = tuple(
                StockRow(facility, sku, on_hand, pool, safety or None, self.grams.get(sku, 0))
                for (facility, sku, pool), (on_hand, safety) in sorted(changed.items(), key=_place)
            )
            return []
        changed = {row: level for row, level in changed.items() if self._levels.get(row, (0, 0)) != level}
        self._levels |= changed
        items: dict[str, list[list[Any]]] = {}
        for (facility, sku, pool), (on_hand, safety) in sorted(changed.items(), key=_place):
            items.setdefault(facility, []).append([sku, pool, on_hand, safety])
        return [Step("count", {"facility": facility, "items": rows}) for facility, rows in items.items()]

    def tie(self, order: str, allocations: tuple[Allocation, ...]) -> None:
        """The order holds this, and nothing else."""
        self.held[order] = {(a.facility, a.sku, a.pool): a.units for a in allocations}

    def release(self, order: str, rows: list[list[Any]]) -> None:
        """The order gives some of it back."""
        for facility, sku, pool, units in rows:
            self.held[order][facility, sku, pool] -= units

    def hand_over(self, order: str, child: str, rows: list[list[Any]]) -> None:
        """Another order holds it instead."""
        self.release(order, rows)
        self.held[child] = {(facility, sku, pool): units for facility, sku, pool, units in rows}

    def ship(self, order: str) -> None:
        """What the order holds leaves the house."""
        for row, units in self.held.pop(order, {}).items():
            on_hand, safety = self._levels[row]
            self._levels[row] = on_hand - units, safety


def _place(level: tuple[Row, tuple[int, int]]) -> tuple[str, str, int]:
    """Where a row stands among the others: primary before back."""
    facility, sku, pool = level[0]
    return facility, sku, POOLS.index(pool)
