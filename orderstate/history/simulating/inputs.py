"""Facilities and stock of a simulation, kept in memory: read by the same rules as `facility import`, `stock import`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from orderstate.engine.answer import Answer
from orderstate.engine.commands import Command, Count, SetFacility
from orderstate.errors import NotFound
from orderstate.geo import position
from orderstate.history.network import BadRows, Imported, import_facilities, import_stock
from orderstate.model import Facility, StockLevel

if TYPE_CHECKING:
    from orderstate.engine import Engine

Shelf = Mapping[tuple[str, str], int]
"""Available units by (facility, pool), of one SKU."""


@dataclass(frozen=True, slots=True)
class World:
    """A network before the first order.

    facilities: by code. stock: available units by SKU; a SKU of which nothing is available has an empty shelf. grams:
    the weight of one unit by SKU. safety: units that are not for sale, by (facility, SKU, pool), where there are any.
    """

    facilities: tuple[Facility, ...]
    stock: Mapping[str, Shelf]
    grams: Mapping[str, int]
    safety: Mapping[tuple[str, str, str], int]

    def units(self) -> dict[str, int]:
        """Available units by facility; every facility is there."""
        held = {facility.code: 0 for facility in self.facilities}
        for shelf in self.stock.values():
            for (facility, _), units in shelf.items():
                held[facility] += units
        return held


def read_world(facilities: str | Path | None, stock: str | Path | None, onto: World | None = None) -> World:
    """The world that these files describe, each as if it were imported onto the world that is there already.

    Raises BadRows, naming the rows, for a file with rows that cannot be used (a stock row of an unknown facility is
    one), NotFound and InvalidInput for a file that cannot be read.
    """
    counters = _Counters(onto)
    # The importers check and refuse like those of the database. Of an engine they use only what `_Counters` has.
    engine = cast("Engine", counters)
    for file, read in ((facilities, import_facilities), (stock, import_stock)):
        if file is not None:
            _import(read, engine, file)
    return counters.world()


def _import(read: Callable[[Engine, str | Path], Imported], engine: Engine, file: str | Path) -> None:
    try:
        read(engine, file)
    except BadRows as error:
        error.sentence = f"{file}: {error.values['bad']} rows cannot be used, so nothing was simulated"
        error.args = (error.sentence,)
        error.hint = "mend the file"
        raise


@dataclass(slots=True)
class _Item:
    on_hand: int = 0
    safety: int = 0


@dataclass(slots=True)
class _Counters:
    """Stands where the importers expect an engine, and keeps in memory what they would have it write."""

    onto: World | None = None
    _facilities: dict[str, Facility] = field(default_factory=dict)
    _items: dict[tuple[str, str, str], _Item] = field(default_factory=dict)
    _grams: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.onto is not None:
            self._facilities = {facility.code: facility for facility in self.onto.facilities}
            self._grams = dict(self.onto.grams)
            for sku, shelf in self.onto.stock.items():
                for (facility, pool), units in shelf.items():
                    self._items[facility, sku, pool] = _Item(units)
            for place, units in self.onto.safety.items():
                item = self._items.setdefault(place, _Item())
                item.on_hand += units
                item.safety = units

    def facilities(self) -> list[Facility]:
        """Every facility, by code."""
        return [self._facilities[code] for code in sorted(self._facilities)]

    def stock(self, *, facility: str) -> Sequence[StockLevel]:
        """What orders could hold of a facility's stock: before the first order, nothing."""
        if facility not in self._facilities:
            raise NotFound.named("facility", facility, list(self._facilities))
        return ()

    def all_or_nothing(self, commands: Iterable[Command]) -> list[Answer]:
        """Do what the importers ask for. They have checked every row before."""
        return [self._do(command) for command in commands]

    def _do(self, command: Command) -> Answer:
        if isinstance(command, SetFacility):
            before = self._facilities.get(command.facility, Facility(command.facility, ""))
            self._facilities[command.facility] = _changed(before, command)
        elif isinstance(command, Count):
            for sku, pool, on_hand, safety, grams in command.items:
                item = self._items.setdefault((command.facility, sku, pool), _Item())
                item.on_hand = on_hand
                item.safety = item.safety if safety is None else safety
                if grams is not None:
                    self._grams[sku] = grams
        return Answer({"command": command.name, "changed": True, "exit": 0})

    def world(self) -> World:
        """What was kept, as values."""
        shelves: dict[str, dict[tuple[str, str], int]] = {}
        for (facility, sku, pool), item in sorted(self._items.items()):
            shelf = shelves.setdefault(sku, {})
            if item.on_hand > item.safety:
                shelf[facility, pool] = item.on_hand - item.safety
        safety = {place: item.safety for place, item in sorted(self._items.items()) if item.safety}
        # A mapping proxy, which empty costs are, does not go to another process; a dict does.
        facilities = tuple(replace(f, costs=dict(f.costs)) for f in self.facilities())
        return World(facilities, shelves, self._grams, safety)


def _changed(facility: Facility, command: SetFacility) -> Facility:
    values = dict(command.values)
    if "at" in values:
        at = values.pop("at")
        latitude, longitude = (None, None) if at is None else position(at)
        facility = replace(facility, latitude=latitude, longitude=longitude)
    return replace(facility, **values)
