"""One strategy over all orders, oldest first: each is planned on what the ones before it have left."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import floor
from pathlib import Path
from time import perf_counter_ns
from typing import NamedTuple

from orderstate.allocation import Network, Problem, check, propose
from orderstate.errors import OrderstateError, PlanRejected
from orderstate.geo import destination
from orderstate.history.simulating.inputs import World
from orderstate.history.simulating.result import PARTS, Flow, Load, Outcome, PairTiming
from orderstate.history.simulating.staging import Order, room, staged_orders
from orderstate.model import BACK, Destination, Plan
from orderstate.settings import Settings

NOT_FILLED = -1
"""What stands for the cost of an order that was not filled."""

_PER_DEGREE = 4
"""Areas of a quarter of a degree: destinations inside one are drawn as one, so that there is no end of them."""
_MICRO = 1_000_000
_TOLD = 250
"""Orders between two calls of progress."""


@dataclass(frozen=True, slots=True)
class Task:
    """One pair to play: a scenario's world under one strategy. `costs`: where the cost of each order is written."""

    scenario: str
    strategy: str
    world: World
    settings: Settings
    orders: Path
    costs: Path


class Played(NamedTuple):
    """The outcome of a task, and how long its plans took."""

    outcome: Outcome
    timing: PairTiming


def play(task: Task, told: Callable[[int], None]) -> Played:
    """Play a task. `told` hears of orders as they are done, so many at a time.

    Raises what planning raises, with the order and the pair before it: PlanRejected for a strategy that raises or
    proposes what it must not.
    """
    book = _Book(task)
    with room(), task.costs.open("wb") as out:
        page = array("q")
        for order in staged_orders(task.orders):
            page.append(book.play(order))
            if len(page) == _TOLD:
                page.tofile(out)
                told(len(page))
                page = array("q")
        page.tofile(out)
        told(len(page))
    return Played(book.outcome(), book.timing())


@dataclass(slots=True)
class _FlowSum:
    units: int = 0
    shipments: int = 0
    latitude: int = 0
    longitude: int = 0
    """Microdegrees times units."""


@dataclass(slots=True)
class _Book:
    """What is left of the stock, and what has been counted."""

    task: Task
    _network: Network = field(init=False)
    _stock: dict[str, dict[tuple[str, str], int]] = field(init=False)
    _pick: dict[str, tuple[int, int]] = field(init=False)
    """(cost of picking a unit, further cost of one from the back) by facility."""
    _count: Counter[str] = field(default_factory=Counter)
    _parts: Counter[str] = field(default_factory=Counter)
    _by_shipments: Counter[int] = field(default_factory=Counter)
    _loads: dict[str, list[int]] = field(init=False)
    _flows: dict[tuple[str, str, int, int, str | None], _FlowSum] = field(default_factory=dict)
    _spent: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        world, settings = self.task.world, self.task.settings
        self._network = Network(world.facilities, settings)
        self._stock = {sku: dict(shelf) for sku, shelf in world.stock.items()}
        costs = {facility.code: settings.costs.of(facility) for facility in world.facilities}
        self._pick = {code: (cost.pick, cost.back_penalty) for code, cost in costs.items()}
        self._loads = {facility.code: [0, 0, 0] for facility in world.facilities}

    def play(self, order: Order) -> int:
        """Plan one order and take its units; its cost, or NOT_FILLED."""
        count = self._count
        there = destination(order.destination)
        started = perf_counter_ns()
        try:
            problem, plan = self._plan(order, there)
        except OrderstateError as error:
            raise self._placed(error, order) from error.__cause__
        self._spent[(perf_counter_ns() - started) // 1000] += 1
        wanted = sum(problem.demand)
        missing = sum(plan.short.values())
        count["orders"] += 1
        count["units"] += wanted
        if missing:
            count["short_orders"] += 1
            count["short_units"] += missing
        if plan.allocations and (not missing or self.task.settings.short == "split"):
            self._ship(problem, plan, there, missing)
        else:
            # It waits, whole, and takes nothing from those that come after it.
            missing = wanted
        if missing:
            count["backordered"] += missing
            return NOT_FILLED
        count["filled_orders"] += 1
        return plan.cost

    def _plan(self, order: Order, there: Destination) -> tuple[Problem, Plan]:
        stock, demand = self._stock, dict(order.lines)
        rows = [
            (facility, sku, pool, units) for sku in demand for (facility, pool), units in stock.get(sku, {}).items()
        ]
        problem = self._network.problem(there, demand, rows, self.task.world.grams)
        plan = propose(problem, self.task.strategy)
        check(problem, plan)
        return problem, plan

    def _placed(self, error: OrderstateError, order: Order) -> OrderstateError:
        error.sentence = f"order {order.number}, {self.task.strategy} in {self.task.scenario}: {error.sentence}"
        error.args = (error.sentence,)
        if isinstance(error, PlanRejected):
            error.hint = "nothing was written; orderstate.testing tries a strategy against the rules"
        return error

    def _ship(self, problem: Problem, plan: Plan, there: Destination, missing: int) -> None:
        """Take the units of a plan and book its shipments."""
        parts, sites = self._parts, problem.sites
        units: dict[str, int] = {}
        picked = back = 0
        for a in plan.allocations:
            shelf = self._stock[a.sku]
            left = shelf[a.facility, a.pool] - a.units
            if left:
                shelf[a.facility, a.pool] = left
            else:
                del shelf[a.facility, a.pool]
            units[a.facility] = units.get(a.facility, 0) + a.units
            pick, penalty = self._pick[a.facility]
            picked += pick * a.units
            if a.pool == BACK:
                back += penalty * a.units
        fixed = -sites.rebate
        parts["split_penalty"] -= sites.rebate
        for facility, n in units.items():
            rank = sites.rank_of[facility]
            fixed += sites.fixed[rank]
            for name, amount in sites.parts[rank].items():
                parts[name] += amount
            self._leave(facility, there, sites.gateways[rank], n, sites.metres[rank])
        late = (problem.backorder or 0) * missing
        parts["pick"] += picked
        parts["back_penalty"] += back
        parts["weight"] += plan.cost - late - fixed - picked - back
        self._count["filled_units"] += sum(units.values())
        self._count["shipments"] += len(units)
        self._count["shipped_orders"] += 1
        self._count["split_orders"] += len(units) > 1
        self._by_shipments[len(units)] += 1
        self._count["bounded"] += plan.bound is not None
        self._count["proven"] += plan.optimal

    def _leave(self, facility: str, there: Destination, gateway: str | None, units: int, metres: int | None) -> None:
        load = self._loads[facility]
        load[0] += units
        load[1] += 1
        load[2] += metres or 0
        self._count["unknown_ways"] += metres is None
        if there.latitude is None or there.longitude is None:
            area = (_NOWHERE, _NOWHERE)
        else:
            area = floor(there.latitude * _PER_DEGREE), floor(there.longitude * _PER_DEGREE)
        flow = self._flows.setdefault((facility, there.country, *area, gateway), _FlowSum())
        flow.units += units
        flow.shipments += 1
        flow.latitude += round((there.latitude or 0.0) * _MICRO) * units
        flow.longitude += round((there.longitude or 0.0) * _MICRO) * units

    def outcome(self) -> Outcome:
        """What was counted, as values."""
        count, parts = self._count, self._parts
        backorder = self.task.settings.costs.backorder
        parts["backorder"] = (backorder or 0) * count["backordered"]
        held = self.task.world.units()
        return Outcome(
            scenario=self.task.scenario,
            strategy=self.task.strategy,
            cost=parts.total(),
            parts={name: parts[name] for name in PARTS if parts[name]},
            metres=sum(load[2] for load in self._loads.values()),
            orders_by_shipments=dict(sorted(self._by_shipments.items())),
            loads=tuple(Load(code, held[code], *load) for code, load in sorted(self._loads.items())),
            flows=tuple(_flow(*place, flow) for place, flow in sorted(self._flows.items(), key=_by_place)),
            **{name: count[name] for name in _COUNTED},
        )

    def timing(self) -> PairTiming:
        """Median and 95th percentile of the time that an order's plan took."""
        return PairTiming(
            self.task.scenario, self.task.strategy, quantile(self._spent, 0.5), quantile(self._spent, 0.95)
        )


_COUNTED = (
    "orders",
    "units",
    "filled_orders",
    "filled_units",
    "shipped_orders",
    "short_orders",
    "short_units",
    "unknown_ways",
    "shipments",
    "split_orders",
    "bounded",
    "proven",
)
_NOWHERE = 10_000
"""The area of a destination of which only the country is known."""


def _by_place(item: tuple[tuple[str, str, int, int, str | None], _FlowSum]) -> tuple[str, str, int, int, str]:
    facility, country, south, west, gateway = item[0]
    return facility, country, south, west, gateway or ""


def _flow(facility: str, country: str, south: int, west: int, gateway: str | None, flow: _FlowSum) -> Flow:
    latitude = longitude = None
    if south != _NOWHERE:
        latitude = round(flow.latitude / flow.units / _MICRO, 4)
        longitude = round(flow.longitude / flow.units / _MICRO, 4)
    return Flow(facility, country, latitude, longitude, gateway, flow.units, flow.shipments)


def quantile(spent: Counter[int], share: float) -> int:
    """The least value that at least `share` of what was counted does not exceed; 0 where nothing was counted."""
    below, due = 0, share * spent.total()
    for value in sorted(spent):
        below += spent[value]
        if below >= due:
            return value
    return 0


def costs_of(files: Iterable[Path]) -> Iterable[tuple[int, ...]]:
    """Order by order, what it cost in each of the files that `play` wrote; NOT_FILLED where it was not filled."""
    streams = [file.open("rb") for file in files]
    try:
        while True:
            pages = []
            for stream in streams:
                page = array("q")
                page.frombytes(stream.read(page.itemsize * 4096))
                pages.append(page)
            if not pages or not pages[0]:
                return
            yield from zip(*pages, strict=True)
    finally:
        for stream in streams:
            stream.close()
