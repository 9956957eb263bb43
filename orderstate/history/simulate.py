"""`simulate`: order history against strategies and networks, in memory. docs/simulate.md has what it decides and why.

    from orderstate.history.simulate import simulate

    found = simulate(
        "orders.csv", facilities="facilities.csv", stock="stock.csv", mapping="online-retail",
        strategies=["nearest", "cheapest"], without=["DAV"],
    )
    print(found.outcome("cheapest").cost_per_order)

Nothing is written to a database, and no event is. Results are equal for equal input, whatever the number of workers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NamedTuple

from orderstate.allocation import strategy
from orderstate.engine.commands import quantity
from orderstate.errors import InvalidInput
from orderstate.history.mapping import OrderMapping
from orderstate.history.reading import Reader
from orderstate.history.simulating.files import write_csv
from orderstate.history.simulating.inputs import World, read_world
from orderstate.history.simulating.playing import NOT_FILLED, Played, Task, costs_of
from orderstate.history.simulating.result import Flow, Load, Outcome, PairTiming, Simulation, Timing
from orderstate.history.simulating.scenarios import BASE, Addition, Scenario, scenarios
from orderstate.history.simulating.staging import Staged, room, stage
from orderstate.history.simulating.workers import play_all
from orderstate.history.summary import BadRow
from orderstate.model import Facility
from orderstate.settings import SETTINGS, Settings, parse
from orderstate.store.spool import Spool

__all__ = [
    "BASE",
    "STRATEGIES",
    "Addition",
    "Flow",
    "Load",
    "Outcome",
    "PairTiming",
    "Scenario",
    "Simulation",
    "Timing",
    "simulate",
    "write_csv",
]

STRATEGIES = ("nearest", "cheapest", "fewest-shipments")
"""What is compared where nobody says which strategies."""

Progress = Callable[[int, int | None], None]


def simulate(
    orders: str | Path,
    *,
    facilities: str | Path,
    stock: str | Path,
    mapping: str | Path | OrderMapping = "online-retail",
    strategies: Sequence[str] = STRATEGIES,
    without: Sequence[str] = (),
    additions: Sequence[Addition] = (),
    move_stock: bool = False,
    settings: Mapping[str, str] | None = None,
    bad: str = "refuse",
    workers: int | None = None,
    progress: Progress | None = None,
) -> Simulation:
    """Plan every order of a history in time order on what the ones before it left, once for each pair of a scenario and
    a strategy.

    orders, mapping: as for `import_orders`. facilities, stock: CSV files, as for `facility import`, `stock import`.
    strategies: registered names or dotted paths. without: facility codes, each closed in a scenario of its own; codes
    joined by commas close together. additions: further files, each in a scenario of its own. move_stock: what a closed
    facility held goes to the nearest open one. settings: by key, as for `config set`; the others have their defaults.
    bad: `refuse` the orders for one bad row, or `keep` the good rows. workers: processes; None: one for each core.
    progress(done, total): rows and None while the file is read, then orders planned and how many there are to plan.

    Raises NotFound (a file, mapping, strategy, facility, setting), InvalidInput (an option, a file, a bad row, no
    orders), BadRows (facilities, stock), PlanRejected (a strategy that raises or breaks the rules) and OrderstateError
    (no room for temporary files, a worker lost).
    """
    started = perf_counter()
    rules = mapping if isinstance(mapping, OrderMapping) else OrderMapping.load(mapping)
    names = _strategies(strategies)
    values = _settings(settings or {})
    processes = _cores() if workers is None else quantity("workers", workers)
    if bad not in ("refuse", "keep"):
        raise InvalidInput("bad", bad, "refuse or keep")
    worlds = scenarios(_base(facilities, stock), without, additions, move_stock=move_stock)
    show = progress or (lambda done, total: None)
    with room():
        folder = TemporaryDirectory(prefix="orderstate-simulate-")
    with folder as place:
        file = Path(place) / "orders"
        history = _read(orders, rules, bad, worlds[0][1], file, lambda rows: show(rows, None))
        tasks = [
            Task(scenario.name, name, world, Settings.read(values), file, Path(place) / f"costs-{at}-{name_at}")
            for at, (scenario, world) in enumerate(worlds)
            for name_at, name in enumerate(names)
        ]
        total = history.staged.orders * len(tasks)
        planning = perf_counter()
        played = play_all(tasks, processes, _counted(total, show))
        planned = perf_counter()
        outcomes = _compared(tasks, played, len(names))
    return Simulation(
        orders_file=str(orders),
        facilities_file=str(facilities),
        stock_file=str(stock),
        mapping=rules.name,
        rows=history.reader.rows,
        left_out=dict(sorted(history.reader.left_out.items())),
        bad=history.reader.bad,
        cancellations=history.cancellations,
        orders=history.staged.orders,
        lines=history.staged.lines,
        units=history.staged.units,
        skus=history.skus,
        skus_never_stocked=history.never_stocked,
        first_at=history.staged.first_at,
        last_at=history.staged.last_at,
        move_stock=move_stock,
        short_policy=values["short"],
        currency=values["currency"],
        settings=values,
        facilities=_all_facilities([world for _, world in worlds]),
        scenarios=tuple(scenario for scenario, _ in worlds),
        strategies=names,
        outcomes=outcomes,
        timing=Timing(
            seconds=perf_counter() - started,
            planning_seconds=planned - planning,
            planned=total,
            workers=min(processes, len(tasks)),
            pairs=tuple(found.timing for found in played),
        ),
    )


def _strategies(names: Sequence[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(names))
    if not found:
        raise InvalidInput("strategy", None, "at least one strategy", hint="orderstate strategies")
    for name in found:
        strategy(name)
    return found


def _settings(given: Mapping[str, str]) -> dict[str, str]:
    """Every setting that a simulation looks at, with its value in canonical text."""
    if "strategy" in given:
        raise InvalidInput("set", f"strategy={given['strategy']}", "a cost, a limit or a policy", hint="use --strategy")
    told = ("strategy", "notify.")  # chosen elsewhere; of no account to a plan
    values = {key: setting.default for key, setting in SETTINGS.items() if not key.startswith(told)}
    return values | {key: parse(key, text) for key, text in given.items()}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _base(facilities: str | Path, stock: str | Path) -> World:
    world = read_world(facilities, stock)
    if not world.facilities:
        raise InvalidInput("facilities", str(facilities), "a file with at least one facility")
    return world


def _all_facilities(worlds: Sequence[World]) -> tuple[Facility, ...]:
    """By code: the base's as they are there, then what the others add."""
    found: dict[str, Facility] = {}
    for world in worlds:
        for facility in world.facilities:
            found.setdefault(facility.code, facility)
    return tuple(found[code] for code in sorted(found))


class _History(NamedTuple):
    reader: Reader
    staged: Staged
    cancellations: int
    skus: int
    never_stocked: int


def _read(
    orders: str | Path, rules: OrderMapping, bad: str, base: World, file: Path, show: Callable[[int], None]
) -> _History:
    """Read the history once and stage its orders in time order."""
    first: list[BadRow] = []
    with Spool() as spool:
        reader = Reader(orders, rules, on_bad=lambda row: first.append(row) if not first else None)
        for _ in spool.add(reader):
            show(reader.rows)
        if reader.bad and bad == "refuse":
            raise _refused(reader, first[0])
        skus = [sku for sku, _ in spool.ordered_skus()]
        spool.seal()
        count, cancellations = spool.count()
        if not count:
            raise InvalidInput("orders", str(orders), "a file with at least one order", hint=_why_none(reader))
        staged = stage(spool, file, lambda _: show(reader.rows))
        return _History(reader, staged, cancellations, len(skus), sum(sku not in base.stock for sku in skus))


def _refused(reader: Reader, first: BadRow) -> InvalidInput:
    place = f"{reader.path}: row {first.row}" + (f", column {first.column}" if first.column else "")
    others = f"{reader.bad} bad rows; " if reader.bad > 1 else ""
    hint = f"{others}nothing was simulated; --bad keep simulates the good rows"
    error = InvalidInput(place, first.value, first.reason, hint=hint)
    error.values.update(file=str(reader.path), row=first.row, column=first.column, bad=reader.bad)
    return error


def _why_none(reader: Reader) -> str:
    parts = [f"{rows} left out: {reason}" for reason, rows in sorted(reader.left_out.items())]
    return "; ".join([f"{reader.rows} rows read by mapping {reader.mapping.name}", *parts])


def _counted(total: int, show: Progress) -> Callable[[int], None]:
    done = 0

    def told(orders: int) -> None:
        nonlocal done
        done += orders
        show(done, total)

    return told


def _compared(tasks: Sequence[Task], played: Sequence[Played], strategies: int) -> tuple[Outcome, ...]:
    """The outcomes, each with the costs of the orders that can be compared: those that every strategy filled in the
    scenario, and those that the strategy filled here and in the base."""
    pairs = len(tasks)
    common_orders, common_cost = [0] * pairs, [0] * pairs
    kept_orders, kept_cost, kept_base_cost = [0] * pairs, [0] * pairs, [0] * pairs
    for row in costs_of(task.costs for task in tasks):
        for first in range(0, pairs, strategies):
            within = row[first : first + strategies]
            common = NOT_FILLED not in within
            for number, cost in enumerate(within):
                pair = first + number
                if common:
                    common_orders[pair] += 1
                    common_cost[pair] += cost
                if cost != NOT_FILLED and row[number] != NOT_FILLED:
                    kept_orders[pair] += 1
                    kept_cost[pair] += cost
                    kept_base_cost[pair] += row[number]
    return tuple(
        replace(
            found.outcome,
            common_orders=common_orders[pair],
            common_cost=common_cost[pair],
            kept_orders=kept_orders[pair],
            kept_cost=kept_cost[pair],
            kept_base_cost=kept_base_cost[pair],
        )
        for pair, found in enumerate(played)
    )
