"""What a simulation says: one outcome for each strategy in each scenario, and what they were made from.

Money is an integer in 1/1000 of the minor unit, distances are metres, times UTC microseconds. Rates are computed from
the counts when they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from orderstate.history.simulating.scenarios import BASE, Scenario
from orderstate.model import Facility
from orderstate.settings import SETTINGS

PARTS = (
    "distance",
    "handling",
    "carrier_base",
    "split_penalty",
    "air",
    "export_fee",
    "weight",
    "pick",
    "back_penalty",
    "backorder",
)
"""What a cost is made of. `weight` is what both rates per kilogram come to; `backorder` is there where the setting
names a price: the units that were not filled."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one facility did: units and shipments that left it, and the metres that these went."""

    facility: str
    stock: int
    """Units that it had for sale before the first order."""
    units: int
    shipments: int
    metres: int


@dataclass(frozen=True, slots=True)
class Flow:
    """Units and shipments from a facility to one place.

    A place is a country, or within it an area of a quarter of a degree; the position is where its units went on the
    average, in degrees. `gateway` is where orders abroad leave, as IATA code.
    """

    facility: str
    country: str
    latitude: float | None
    longitude: float | None
    gateway: str | None
    units: int
    shipments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One strategy over all orders, on the network of one scenario."""

    scenario: str
    strategy: str
    orders: int
    units: int
    """Units ordered."""
    filled_orders: int
    """Orders that were shipped whole."""
    filled_units: int
    """Units that were shipped."""
    shipped_orders: int
    """Orders of which anything was shipped; under the policy `split` not all of these were filled."""
    short_orders: int
    """Orders that stock did not cover when they came: they wait."""
    short_units: int
    """Units that stock lacked for these, order by order."""
    cost: int
    parts: Mapping[str, int]
    """The cost by what it is made of; see PARTS."""
    metres: int
    """To the destination, or to the gateway, over all shipments."""
    unknown_ways: int
    """Shipments whose distance is not known."""
    shipments: int
    split_orders: int
    """Orders that were shipped from more than one facility."""
    orders_by_shipments: Mapping[int, int]
    """Shipped orders by the number of their shipments."""
    bounded: int
    """Shipped orders whose plan came with a proven bound."""
    proven: int
    """Shipped orders whose plan is proven optimal."""
    loads: tuple[Load, ...]
    flows: tuple[Flow, ...]
    common_orders: int = 0
    """Orders that every strategy filled in this scenario."""
    common_cost: int = 0
    """What these cost: the like-for-like comparison of strategies."""
    kept_orders: int = 0
    """Orders that this strategy filled here and in the base scenario."""
    kept_cost: int = 0
    """What these cost here: the like-for-like comparison with the base."""
    kept_base_cost: int = 0
    """What they cost in the base."""

    @property
    def cost_per_order(self) -> float:
        """Cost of a shipped order."""
        return _share(self.cost, self.shipped_orders)

    @property
    def common_cost_per_order(self) -> float:
        """Cost of an order that every strategy filled in this scenario."""
        return _share(self.common_cost, self.common_orders)

    @property
    def cost_change(self) -> float | None:
        """By how much the orders filled here and in the base cost more here, as a share; None where they cost nothing.

        The base itself has 0.
        """
        return self.kept_cost / self.kept_base_cost - 1 if self.kept_base_cost else None

    @property
    def shipments_per_order(self) -> float:
        """Shipments of a shipped order."""
        return _share(self.shipments, self.shipped_orders)

    @property
    def split_rate(self) -> float:
        """Share of the shipped orders that came from more than one facility."""
        return _share(self.split_orders, self.shipped_orders)

    @property
    def order_fill_rate(self) -> float:
        """Share of the orders that were shipped whole."""
        return _share(self.filled_orders, self.orders)

    @property
    def unit_fill_rate(self) -> float:
        """Share of the units ordered that were shipped."""
        return _share(self.filled_units, self.units)

    @property
    def proven_rate(self) -> float | None:
        """Share of the shipped orders whose plan is proven optimal; None for a strategy that proves nothing."""
        return _share(self.proven, self.shipped_orders) if self.bounded else None

    def load_share(self, load: Load) -> float:
        """A facility's share of the units shipped."""
        return _share(load.units, self.filled_units)

    def document(self) -> dict[str, Any]:
        """The JSON shape: every count, the rates, the load per facility, and what went to which country."""
        rates = {name: getattr(self, name) for name in _RATES}
        return {
            **{name: getattr(self, name) for name in _COUNTS},
            **{name: None if rate is None else round(rate, 6) for name, rate in rates.items()},
            "parts": dict(self.parts),
            "orders_by_shipments": {str(n): orders for n, orders in self.orders_by_shipments.items()},
            "loads": [{**asdict(load), "share": round(self.load_share(load), 6)} for load in self.loads],
            "countries": [
                {"facility": facility, "country": country, "gateway": gateway, "units": units, "shipments": shipments}
                for (facility, country, gateway), (units, shipments) in self.countries().items()
            ],
        }

    def countries(self) -> dict[tuple[str, str, str | None], tuple[int, int]]:
        """(units, shipments) by (facility, country, gateway)."""
        found: dict[tuple[str, str, str | None], tuple[int, int]] = {}
        for flow in self.flows:
            units, shipments = found.get((flow.facility, flow.country, flow.gateway), (0, 0))
            found[flow.facility, flow.country, flow.gateway] = units + flow.units, shipments + flow.shipments
        return found


_COUNTS = (
    "scenario",
    "strategy",
    "orders",
    "units",
    "filled_orders",
    "filled_units",
    "shipped_orders",
    "short_orders",
    "short_units",
    "cost",
    "metres",
    "unknown_ways",
    "shipments",
    "split_orders",
    "bounded",
    "proven",
    "common_orders",
    "common_cost",
    "kept_orders",
    "kept_cost",
    "kept_base_cost",
)
_RATES = (
    "cost_per_order",
    "common_cost_per_order",
    "cost_change",
    "shipments_per_order",
    "split_rate",
    "order_fill_rate",
    "unit_fill_rate",
    "proven_rate",
)
COLUMNS = (*_COUNTS, *_RATES, *(f"cost_{part}" for part in PARTS))
"""The columns of `csv_rows`."""


@dataclass(frozen=True, slots=True)
class PairTiming:
    """How long planning took: microseconds of one order, to build its problem, plan it and check the plan."""

    scenario: str
    strategy: str
    median_us: int
    p95_us: int


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a simulation took. It differs from run to run and is no part of the comparison."""

    seconds: float
    """The whole run: reading, planning, adding up."""
    planning_seconds: float
    """From the first order to the last, over all strategies and scenarios."""
    planned: int
    """Orders planned: orders times strategies times scenarios."""
    workers: int
    pairs: tuple[PairTiming, ...]

    @property
    def rate(self) -> float:
        """Orders planned a second."""
        return self.planned / self.planning_seconds if self.planning_seconds else 0.0

    def document(self) -> dict[str, Any]:
        """The JSON shape."""
        return {
            "seconds": round(self.seconds, 3),
            "planning_seconds": round(self.planning_seconds, 3),
            "planned": self.planned,
            "rate": round(self.rate, 1),
            "workers": self.workers,
            "pairs": [asdict(pair) for pair in self.pairs],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """Order history against strategies and networks. Equal for equal input, whatever the number of workers."""

    orders_file: str
    facilities_file: str
    stock_file: str
    mapping: str
    rows: int
    """Rows of data in the file of orders."""
    left_out: Mapping[str, int]
    """Rows that a rule of the mapping left out, by its reason."""
    bad: int
    """Rows that could not be used and were passed over."""
    cancellations: int
    """Cancellations in the file. They are not played."""
    orders: int
    lines: int
    units: int
    skus: int
    """Different SKUs ordered."""
    skus_never_stocked: int
    """Of these, the ones that no row of stock names."""
    first_at: int
    last_at: int
    move_stock: bool
    """Whether the stock of a closed facility went to the nearest open one."""
    short_policy: str
    currency: str
    settings: Mapping[str, str]
    """The value of every setting that a simulation looks at."""
    facilities: tuple[Facility, ...]
    """Those of the base, and those that any scenario adds."""
    scenarios: tuple[Scenario, ...]
    strategies: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    """By scenario, then by strategy, each in its order."""
    timing: Timing = field(compare=False)

    def outcome(self, strategy: str, scenario: str = BASE) -> Outcome:
        """One outcome. Raises KeyError for a pair that was not simulated."""
        for outcome in self.outcomes:
            if (outcome.scenario, outcome.strategy) == (scenario, strategy):
                return outcome
        raise KeyError((scenario, strategy))

    def changed_settings(self) -> dict[str, str]:
        """The settings that are not at their default."""
        return {key: value for key, value in self.settings.items() if value != SETTINGS[key].default}

    def document(self) -> dict[str, Any]:
        """The JSON shape, without how long it took: equal for equal input. `timing.document()` has the rest."""
        return {
            "orders_file": self.orders_file,
            "facilities_file": self.facilities_file,
            "stock_file": self.stock_file,
            "mapping": self.mapping,
            "rows": self.rows,
            "left_out": dict(self.left_out),
            "bad": self.bad,
            "cancellations": self.cancellations,
            "orders": self.orders,
            "lines": self.lines,
            "units": self.units,
            "skus": self.skus,
            "skus_never_stocked": self.skus_never_stocked,
            "first_at": self.first_at,
            "last_at": self.last_at,
            "move_stock": self.move_stock,
            "short": self.short_policy,
            "settings": dict(self.settings),
            "strategies": list(self.strategies),
            "scenarios": [{"name": s.name, "closed": list(s.closed), "added": list(s.added)} for s in self.scenarios],
            "outcomes": [outcome.document() for outcome in self.outcomes],
        }

    def csv_rows(self) -> Iterator[tuple[str | int | float | None, ...]]:
        """One row of COLUMNS for each outcome; the units are those of the JSON shape."""
        for outcome in self.outcomes:
            document = outcome.document()
            parts = document["parts"]
            named = (document[name] for name in (*_COUNTS, *_RATES))
            yield (*named, *(parts.get(part, 0) for part in PARTS))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
