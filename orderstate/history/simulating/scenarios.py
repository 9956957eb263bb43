"""The networks that a simulation compares: the one that is there, without a facility, with further ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orderstate.errors import InvalidInput, NotFound
from orderstate.geo import metres
from orderstate.history.simulating.inputs import Shelf, World, read_world
from orderstate.model import Facility

BASE = "base"


@dataclass(frozen=True, slots=True)
class Addition:
    """Files that change the network: facilities, stock, or both, as if they were imported onto the ones there are."""

    facilities: str | Path | None = None
    stock: str | Path | None = None

    def name(self) -> str:
        """The names of the files, without their folders."""
        return " + ".join(Path(file).name for file in (self.facilities, self.stock) if file is not None)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One network by its name: `base`, `without DAV`, `with more.csv`. closed, added: facility codes."""

    name: str
    closed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


def scenarios(
    base: World, without: Sequence[str], additions: Sequence[Addition], *, move_stock: bool
) -> list[tuple[Scenario, World]]:
    """Each scenario with its world, the base first.

    without: facility codes; several that close together are joined by commas. move_stock: what a closed facility held
    goes to the nearest that stays open, instead of staying behind.

    Raises NotFound for a facility that the base has not, InvalidInput for a scenario that is there twice, and what
    reading the files raises.
    """
    found = [(Scenario(BASE), base)]
    for text in dict.fromkeys(without):
        codes = _codes(text, base)
        world = _without(base, codes, move_stock)
        found.append((Scenario(f"without {', '.join(codes)}", closed=codes), world))
    for addition in dict.fromkeys(additions):
        if addition.facilities is None and addition.stock is None:
            raise InvalidInput("with", "", "a file of facilities, of stock, or both")
        world = read_world(addition.facilities, addition.stock, base)
        known = {facility.code for facility in base.facilities}
        added = tuple(facility.code for facility in world.facilities if facility.code not in known)
        found.append((Scenario(f"with {addition.name()}", added=added), world))
    names = [scenario.name for scenario, _ in found]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput("scenario", name, "named once: each facility and each file name goes with one scenario")
    return found


def _codes(text: str, base: World) -> tuple[str, ...]:
    known = [facility.code for facility in base.facilities]
    codes = tuple(sorted({code.strip() for code in text.split(",")}))
    for code in codes:
        if code not in known:
            missing = NotFound.named("facility", code, known)
            missing.hint = missing.hint or f"the facilities are {', '.join(known)}"
            raise missing
    return codes


def _without(base: World, codes: tuple[str, ...], move_stock: bool) -> World:
    facilities = tuple(replace(f, closed=True) if f.code in codes else f for f in base.facilities)
    world = replace(base, facilities=facilities)
    heirs = _heirs(facilities, codes) if move_stock else {}
    if heirs:
        world = replace(world, stock={sku: _moved(shelf, heirs) for sku, shelf in base.stock.items()})
    return world


def _heirs(facilities: Iterable[Facility], codes: tuple[str, ...]) -> dict[str, str]:
    """Closed facility to the nearest open one; where no distance is known, the first by code. None open: nothing."""
    places = {facility.code: facility for facility in facilities}
    heirs = {}
    for code in codes:
        ways = [(_way(places[code], f), f.code) for f in places.values() if not f.closed]
        if ways:
            heirs[code] = min(ways)[1]
    return heirs


def _way(one: Facility, other: Facility) -> tuple[bool, int]:
    if one.latitude is None or one.longitude is None or other.latitude is None or other.longitude is None:
        return True, 0
    return False, metres(one.latitude, one.longitude, other.latitude, other.longitude)


def _moved(shelf: Shelf, heirs: Mapping[str, str]) -> Shelf:
    found: dict[tuple[str, str], int] = {}
    for (facility, pool), units in shelf.items():
        place = heirs.get(facility, facility), pool
        found[place] = found.get(place, 0) + units
    return found
