"""What a scenario is made of: a world, steps, and what is expected beside each step. Frozen values, no decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from orderstate.flow.tree import Mark
from orderstate.model import POOLS, PRIMARY, Flow

BEGINNING = 1_767_225_600_000_000
"""When a scenario begins that does not say when: 2026-01-01T00:00:00Z, in UTC microseconds."""

WAIT, AT, REPEAT, TOGETHER, USE_FLOW, WORK = "wait", "at", "repeat", "together", "use_flow", "work"
"""The steps that are more than a command by its name; every other verb is a command of engine/reading.py."""


@dataclass(frozen=True, slots=True)
class StockRow:
    """What one pool of one facility holds of one SKU at the beginning. `grams` is the weight of one unit of the SKU.

    None for `safety` and `grams`: not said, which is 0.
    """

    facility: str
    sku: str
    units: int
    pool: str = PRIMARY
    safety: int | None = None
    grams: int | None = None


@dataclass(frozen=True, slots=True)
class World:
    """What is there before the first step.

    clock: UTC microseconds. flow: None is the standard flow; `flow_file` is how a file names it, relative to the
    scenario (None: the flow stands in the scenario itself). unchecked: the flow is in force although the check refuses
    it, to see what would happen. settings: names to text. facilities: codes to the fields of the command facility_add.
    """

    clock: int = BEGINNING
    flow: Flow | None = None
    flow_file: str | None = None
    unchecked: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    facilities: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    stock: tuple[StockRow, ...] = ()
    """By facility, SKU and pool, in whatever order it was given."""

    def __post_init__(self) -> None:
        rows = sorted(self.stock, key=lambda row: (row.facility, row.sku, POOLS.index(row.pool)))
        object.__setattr__(self, "stock", tuple(rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What is expected of one step. None: nothing is expected of it; an empty tuple or mapping: that there is none.

    exit: the exit status. error: the code of the error. refused: the codes of every reason, in any order. state,
    version: of the order, after the step (also where it was refused). changed, repeated: of the answer. events: the
    types of what the step wrote, in order (of `together`: in any order). stock: facility to SKU to counters (on_hand,
    allocated, safety, available: over both pools), or to pools and those to counters. orders: names of steps, or ids,
    to states. plan: facilities (codes), allocations (model.Allocation), strategy, optimal. cost, bound: in 1/1000 of
    the minor unit. short: SKU to units. exits: the exit statuses of what happened together, in any order. says: a part
    of a sentence of the error, of what blocked it, or of what would help.
    """

    exit: int | None = None
    error: str | None = None
    refused: tuple[str, ...] | None = None
    state: str | None = None
    version: int | None = None
    changed: bool | None = None
    repeated: bool | None = None
    events: tuple[str, ...] | None = None
    stock: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None
    orders: Mapping[str, str] | None = None
    plan: Mapping[str, Any] | None = None
    cost: int | None = None
    bound: int | None = None
    short: Mapping[str, int] | None = None
    exits: tuple[int, ...] | None = None
    says: str | None = None

    def given(self) -> Iterator[tuple[str, Any]]:
        """(name, value) of everything that is expected."""
        for one in fields(self):
            value = getattr(self, one.name)
            if value is not None:
                yield one.name, value


NOTHING = Expectation()
"""Nothing is said: then the step must succeed."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `verb` and its `fields`:

    a command of engine/reading.py with its fields as JSON values, in which `${a}` stands for what step a made;
    wait: `for`, in microseconds; at: `moment`, in UTC microseconds; repeat: `step`, a name; together: `members`;
    use_flow: `flow`, and in fields `file` (how a file names the flow, if it does) and `map` (old states to new ones).

    `name` is what later steps call it by.
    """

    verb: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    expect: Expectation = NOTHING
    members: tuple[Step, ...] = ()
    flow: Flow | None = None
    mark: Mark | None = field(default=None, compare=False, repr=False)
    """Where the step stands in its file."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A script: a title, a world and steps.

    `source` is the file that it was read from, or a name for what never was in a file; `folder` is where the files lie
    that it names.
    """

    title: str
    steps: tuple[Step, ...]
    world: World = field(default_factory=World)
    about: str | None = None
    source: str = field(default="scenario", compare=False)
    folder: Path = field(default=Path(), compare=False)
    mark: Mark | None = field(default=None, compare=False, repr=False)
    marks: Mapping[tuple[str, ...], Mark] = field(default_factory=dict, compare=False, repr=False)
    """Where the parts of the world stand: ("settings", KEY), ("facilities", CODE), ("stock", CODE)."""

    def flows(self) -> tuple[Flow, ...]:
        """Every flow that is in force at some time; the standard flow stands for itself."""
        from orderstate.machine import STANDARD  # imports `transitions`

        first = STANDARD if self.world.flow is None else self.world.flow
        return first, *(step.flow for step in self.steps if step.flow is not None)
