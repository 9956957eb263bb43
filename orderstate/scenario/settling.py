"""The world of a scenario, made through the engine's own commands, before the first step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orderstate.engine import Engine
from orderstate.engine.commands import Command, Configure, Count, SetFacility, UseFlow
from orderstate.errors import OrderstateError
from orderstate.flow.tree import Mark, placed
from orderstate.machine import Machine
from orderstate.scenario.script import Scenario, StockRow, World


def settle(engine: Engine, scenario: Scenario) -> None:
    """Make the world. Raises what the engine says of it, at the place in the file where it stands."""
    unchecked(engine, scenario.world)
    for place, command in _commands(scenario.world):
        try:
            engine.execute(command)
        except OrderstateError as error:
            raise placed(error, _mark(scenario, place, error)) from error


def unchecked(engine: Engine, world: World) -> None:
    """Let an engine follow a flow that no database would take, if the world says so."""
    if world.unchecked and world.flow is not None:
        engine.machine = Machine(world.flow)


def _mark(scenario: Scenario, place: tuple[str, ...], error: OrderstateError) -> Mark | None:
    """Where it stands: the field that the error names, if it is there, else the part of the world."""
    about = str(error.values.get("field", error.code))
    named = _FIELDS.get(about, about)
    return scenario.marks.get((*place, named), scenario.marks.get(place))


_FIELDS = {"position": "at", "cost": "costs", "unknown_facility_cost": "costs"}
"""What the engine's errors about a facility name, and the field that this is in the file."""


def _commands(world: World) -> Iterator[tuple[tuple[str, ...], Command]]:
    if world.flow is not None and not world.unchecked:
        yield ("flow",), UseFlow(flow=world.flow)
    for name, value in world.settings.items():
        yield ("settings", name), Configure(setting=name, value=value)
    for code, values in world.facilities.items():
        yield ("facilities", code), SetFacility(facility=code, values=values, new=True)
    for code in dict.fromkeys(row.facility for row in world.stock):
        rows = [row for row in world.stock if row.facility == code]
        yield ("stock", code), Count(facility=code, items=_items(rows, least=1))
        none = [row for row in rows if row.units == 0]
        if none:
            # What is counted as nothing is not received: this way the SKU is known, and there is none of it.
            yield ("stock", code), Count(facility=code, items=_items(none, least=0))


def _items(rows: Sequence[StockRow], least: int) -> list[tuple[str, str, int, int | None, int | None]]:
    return [(row.sku, row.pool, max(row.units, least), row.safety, row.grams) for row in rows]
