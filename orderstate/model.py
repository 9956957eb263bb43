"""The values that orders are made of: frozen, slotted, standard library only.

Units throughout: quantities are whole units, times are UTC microseconds since 1970, distances are metres, positions are
degrees (WGS 84), weights are grams, and money inside a plan is an integer in 1/1000 of the minor unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

PRIMARY, BACK = "primary", "back"
POOLS = (PRIMARY, BACK)
ROLES = ("customer", "operator", "system")
SHORT_POLICIES = ("backorder", "split", "refuse")
MAX_QUANTITY = 2**31 - 1
"""The most units that one line, one receipt or one adjustment may name; sums stay far inside 64 bits."""

_EMPTY: Mapping[str, Any] = MappingProxyType({})


def _nothing() -> Mapping[str, Any]:
    return _EMPTY


class Stock(StrEnum):
    """What a state means for the stock of an order in it."""

    FREE = "free"
    TIED = "tied"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a trigger may not fire now, and what would make it possible."""

    code: str
    sentence: str
    remedy: str | None = None
    values: Mapping[str, Any] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an order goes: a country (ISO 3166 alpha-2) and, if known, a position in degrees."""

    country: str
    latitude: float | None = None
    longitude: float | None = None

    def __str__(self) -> str:
        if self.latitude is None:
            return self.country
        return f"{self.country}@{self.latitude:.10g},{self.longitude:.10g}"


@dataclass(frozen=True, slots=True)
class Line:
    """So many units of one SKU; `cancelled` of `quantity` were cancelled since."""

    sku: str
    quantity: int
    cancelled: int = 0
    grams: int = 0

    @property
    def open(self) -> int:
        """Units still wanted."""
        return self.quantity - self.cancelled


@dataclass(frozen=True, slots=True)
class Order:
    """One order as it stands. `version` is the number of its newest event."""

    id: str
    state: str
    version: int
    placed_at: int
    entered_at: int
    destination: Destination
    short: str
    lines: tuple[Line, ...]
    contact: str | None = None
    parent: str | None = None
    serial: int = field(default=0, repr=False, compare=False)
    """Its place among the arrivals of its database."""

    @property
    def open_units(self) -> int:
        """Units still wanted over all lines."""
        return sum(line.open for line in self.lines)

    def moved(self, state: str, version: int, entered_at: int, serial: int | None = None) -> Order:
        """The same order in another state. Every move makes one, and `dataclasses.replace` takes twice as long."""
        return Order(
            self.id,
            state,
            version,
            self.placed_at,
            entered_at,
            self.destination,
            self.short,
            self.lines,
            self.contact,
            self.parent,
            self.serial if serial is None else serial,
        )


@dataclass(frozen=True, slots=True)
class OrderSummary:
    """One order in a list."""

    id: str
    state: str
    version: int
    placed_at: int
    entered_at: int
    destination: str
    open_units: int
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class RefusalCount:
    """How often a trigger was refused to one order for the same reasons."""

    trigger: str
    codes: tuple[str, ...]
    first_at: int
    last_at: int
    count: int


@dataclass(frozen=True, slots=True)
class Tally:
    """How many orders a state holds, and for how long they have been in it (microseconds): the longest, and the median.

    Both times are None where it holds none, or where only the number is known. At least half have been there for the
    median or longer.
    """

    orders: int
    oldest: int | None = None
    median: int | None = None


@dataclass(frozen=True, slots=True)
class Facility:
    """A physical place that stores and ships."""

    code: str
    country: str
    latitude: float | None = None
    longitude: float | None = None
    name: str | None = None
    gateway: str | None = None
    """`IATA` or `IATA@LAT,LON`: the airport its international orders leave through."""
    priority: int = 100
    """Lower is asked first by the `priority` strategy."""
    closed: bool = False
    costs: Mapping[str, int] = field(default_factory=_nothing)
    """Settings of the cost model that this facility overrides, by name."""
    version: int = 0


@dataclass(frozen=True, slots=True)
class StockLevel:
    """What one pool of one facility holds of one SKU."""

    facility: str
    sku: str
    pool: str
    on_hand: int
    allocated: int
    safety: int

    @property
    def available(self) -> int:
        """Units that a new order could tie."""
        return max(0, self.on_hand - self.allocated - self.safety)


@dataclass(frozen=True, slots=True, order=True)
class Allocation:
    """So many units of one SKU, tied in one pool of one facility."""

    facility: str
    sku: str
    pool: str
    units: int


@dataclass(frozen=True, slots=True)
class Standing:
    """One facility's place in a plan: used, or why not.

    `why` is one of used, closed, excluded, not_among_only, no_units, too_few_units, farther, lower_priority, dearer,
    not_needed, node_limit. `floor` is a proven lower bound on the cost of any plan that uses the facility (1/1000 minor
    unit), where the strategy proves one. `marks` are facts worth telling: no_position, gateway_abroad, country_only.
    """

    facility: str
    why: str
    metres: int | None = None
    gateway: str | None = None
    floor: int | None = None
    marks: tuple[str, ...] = ()

    @property
    def way(self) -> int | None:
        """The distance as far as it is known: a destination at home known by its country alone counts as 0 `metres`."""
        return None if self.gateway is None and "country_only" in self.marks else self.metres


@dataclass(frozen=True, slots=True)
class Plan:
    """What a strategy proposes: which units from where, what is short, and why each facility is used or not.

    `cost` and `bound` are in 1/1000 of the minor unit; `bound <= cost` is a proven lower bound, or None where the
    strategy proves none. `optimal` is True only when proven. `nodes` counts the search nodes that were opened.
    """

    strategy: str
    allocations: tuple[Allocation, ...]
    short: Mapping[str, int]
    standings: tuple[Standing, ...]
    cost: int = 0
    bound: int | None = None
    optimal: bool = False
    nodes: int = 0
    certificate: Mapping[str, Any] | None = None
    """What an independent checker needs to verify `bound` and the floors; JSON values only."""

    @property
    def facilities(self) -> tuple[str, ...]:
        """The facilities that ship, by code."""
        return tuple(sorted({a.facility for a in self.allocations}))

    def document(self) -> dict[str, object]:
        """The JSON shape that InventoryTied stores and `--json` prints; `Plan.read` is its inverse."""
        found: dict[str, object] = {
            "strategy": self.strategy,
            "cost": self.cost,
            "bound": self.bound,
            "optimal": self.optimal,
            "nodes": self.nodes,
            "allocations": [[a.facility, a.sku, a.pool, a.units] for a in self.allocations],
            "facilities": [[s.facility, s.why, s.metres, s.gateway, s.floor, *s.marks] for s in self.standings],
        }
        if self.short:
            found["short"] = dict(self.short)
        if self.certificate is not None:
            found["certificate"] = dict(self.certificate)
        return found

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Plan:
        """A plan from its stored document."""
        return cls(
            strategy=document["strategy"],
            allocations=tuple(Allocation(*row) for row in document["allocations"]),
            short=document.get("short", _EMPTY),
            standings=tuple(
                Standing(facility, why, metres, gateway, floor, tuple(marks))
                for facility, why, metres, gateway, floor, *marks in document["facilities"]
            ),
            cost=document["cost"],
            bound=document["bound"],
            optimal=document["optimal"],
            nodes=document["nodes"],
            certificate=document.get("certificate"),
        )


@dataclass(frozen=True, slots=True)
class Event:
    """What happened. `subject` is an order id, or `facility/CODE`; `number` counts from 1 per subject, without gaps."""

    subject: str
    number: int
    type: str
    at: int
    role: str
    by: str | None = None
    trigger: str | None = None
    source: str | None = None
    target: str | None = None
    payload: Mapping[str, Any] = field(default_factory=_nothing)
    trace: str | None = None
    """W3C traceparent of the command that wrote it, where somebody traced that."""

    @property
    def id(self) -> str:
        """`1001:3`: unique in one database."""
        return f"{self.subject}:{self.number}"


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who hears of events. kind: local, outside or relay; `types`: the event types that it wants, none for every one.

    `target`: the name of an entry point, a dotted path, or the broker of a relay.
    """

    name: str
    kind: str
    target: str
    types: tuple[str, ...] = ()
    enabled: bool = True

    def wants(self, kind: str) -> bool:
        """True if it is to hear of events of this type."""
        return not self.types or kind in self.types


@dataclass(frozen=True, slots=True)
class Movement:
    """One immutable row of the stock ledger: signed changes of on hand and allocated, and the event that made them."""

    subject: str
    number: int
    facility: str
    sku: str
    pool: str
    kind: str
    on_hand: int
    allocated: int
    at: int


@dataclass(frozen=True, slots=True)
class Shipment:
    """Everything that one facility sends for one order."""

    order_id: str
    facility: str
    shipped_at: int
    units: int


@dataclass(frozen=True, slots=True)
class GuardUse:
    """A guard by its registered name, with the parameters of this use."""

    name: str
    params: Mapping[str, str] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class State:
    """A state of a flow and what it means for stock."""

    name: str
    stock: Stock
    final: bool = False
    label: str | None = None
    after: int | None = None
    """Microseconds in this state until `timer` is due; both or neither."""
    timer: str | None = None
    """The trigger that is fired then."""


@dataclass(frozen=True, slots=True)
class Transition:
    """From each of `sources` to `target` when `trigger` is asked for and every guard agrees; writes one `event`."""

    trigger: str
    sources: tuple[str, ...]
    target: str
    event: str
    guards: tuple[GuardUse, ...] = ()


@dataclass(frozen=True, slots=True)
class Flow:
    """A declared state machine. `path` lists the triggers of the main path, which `advance` follows."""

    name: str
    initial: str
    states: tuple[State, ...]
    transitions: tuple[Transition, ...]
    path: tuple[str, ...]
