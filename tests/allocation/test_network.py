"""From facilities and a destination to a problem: distances, gateways, markets, costs, and what is out."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderstate import geo
from orderstate.allocation import Network, Options, Problem, propose
from orderstate.allocation.problem import MONEY_LIMIT, tie_bits
from orderstate.errors import InvalidInput, NotFound
from orderstate.model import Allocation, Facility
from orderstate.settings import DEFAULTS, Settings

DENVER = geo.destination("US@39.74,-104.99")
FREE = {
    f"cost.{name}": "0"
    for name in (
        "handling",
        "carrier_base",
        "split_penalty",
        "per_km",
        "export_fee",
        "rate_per_kg",
        "rate_per_kg_km",
        "back_penalty",
    )
}


def priced(**costs: str) -> Settings:
    """Settings where everything is free but what is named."""
    return Settings.read(FREE | {f"cost.{name}": text for name, text in costs.items()})


def problem(
    network: Network, to: str = "US@39.74,-104.99", *, units: int = 1, grams: int = 0, **changed: Any
) -> Problem:
    """An order of one SKU, X, of which everybody has 9 in both pools."""
    codes = network.sites(geo.destination(to)).codes
    stock = [(code, "X", pool, 9) for code in codes for pool in ("primary", "back")]
    return network.problem(geo.destination(to), {"X": units}, stock, {"X": grams}, **changed)


def test_facilities_are_ranked_by_distance_then_by_code() -> None:
    network = Network(
        [
            Facility("NYC", "US", 40.71, -74.0),
            Facility("DEN2", "US", 39.74, -104.99),
            Facility("DEN1", "US", 39.74, -104.99),
            Facility("LAX", "US", 34.05, -118.24),
        ],
        DEFAULTS,
    )
    sites = network.sites(DENVER)
    assert sites.codes == ("DEN1", "DEN2", "LAX", "NYC")
    assert sites.metres[:2] == (0, 0)
    assert sites.metres[2] == geo.metres(34.05, -118.24, 39.74, -104.99)


def test_a_facility_without_a_position_comes_last_and_is_charged_for_the_longest_way() -> None:
    network = Network([Facility("AAA", "US"), Facility("FAR", "US", -89.0, 0.0)], priced(per_km="1"))
    sites = network.sites(DENVER)
    assert sites.codes == ("FAR", "AAA")
    assert (sites.metres[1], sites.marks[1]) == (None, ("no_position",))
    assert sites.fixed[1] == 20_015_114 > sites.fixed[0]
    plan = propose(problem(network), "nearest")
    assert [standing.facility for standing in plan.standings] == ["FAR", "AAA"]
    assert plan.facilities == ("FAR",)


def test_a_domestic_destination_known_by_country_only_has_no_kilometres_and_is_marked() -> None:
    sites = Network([Facility("A", "US", 40.0, -100.0)], priced(per_km="1", handling="2")).sites(geo.destination("US"))
    assert (sites.metres, sites.fixed, sites.marks) == ((0,), (2000,), (("country_only",),))


def test_an_order_abroad_is_ranked_by_the_way_to_the_gateway() -> None:
    network = Network(
        [Facility("MMA", "SE", 55.6, 13.0), Facility("GOT", "SE", 57.66, 12.28)], priced(per_km="1", export_fee="5")
    )
    sites = network.sites(geo.destination("US@40.7,-74"))
    assert sites.codes == ("GOT", "MMA")
    assert sites.gateways == ("GOT", "GOT")
    way = sites.metres[1]
    assert way is not None
    assert way > 200_000
    assert sites.parts[1] == {
        "handling": 0,
        "carrier_base": 0,
        "split_penalty": 0,
        "distance": way,
        "air": 0,
        "export_fee": 5000,
    }
    assert sites.fixed[1] == way + 5000


def test_the_air_leg_costs_by_its_own_rate() -> None:
    network = Network([Facility("ZRH", "CH", 47.46, 8.55)], priced(air_per_km="0.5"))
    airport = geo.airports()["ZRH"]
    flown = geo.metres(airport.latitude, airport.longitude, 40.7, -74.0)
    assert network.sites(geo.destination("US@40.7,-74")).parts[0]["air"] == (500 * flown + 500) // 1000
    assert network.sites(geo.destination("US")).marks == (("country_only",),)


def test_countries_of_one_market_are_domestic_to_each_other() -> None:
    facility = Facility("VIE", "AT", 48.2, 16.37)
    alone = Network([facility], DEFAULTS).sites(geo.destination("DE@48.1,11.6"))
    together = Network([facility], Settings.read({"markets": "AT,DE"})).sites(geo.destination("DE@48.1,11.6"))
    assert alone.gateways == ("VIE",)
    assert together.gateways == (None,)
    assert together.metres == (geo.metres(48.2, 16.37, 48.1, 11.6),)


def test_a_gateway_in_another_country_is_marked() -> None:
    sites = Network([Facility("VAD", "LI", 47.14, 9.52)], DEFAULTS).sites(geo.destination("US"))
    assert (sites.gateways, sites.marks) == (("ZRH",), (("gateway_abroad",),))


def test_the_cost_of_a_unit_is_weight_and_distance_and_pick_and_pool() -> None:
    settings = priced(rate_per_kg="10", rate_per_kg_km="0.02", pick="3", back_penalty="4")
    network = Network([Facility("A", "US", 40.0, -100.0)], settings)
    way = network.sites(DENVER).metres[0]
    assert way is not None
    made = problem(network, grams=1500)
    by_weight = 1.5 * (10_000 + 20 * way / 1000)
    (primary, back) = (cost for _, _, _, cost in made.sources[0])
    assert abs(primary - 3000 - by_weight) <= 1
    assert back == primary + 4000
    unit = network.unit_cost(DENVER, {"X": 1500})
    assert unit(Allocation("A", "X", "primary", 5)) == made.unit_cost(Allocation("A", "X", "primary", 5)) == primary
    assert unit(Allocation("A", "X", "back", 1)) == back
    assert unit(Allocation("A", "OTHER", "primary", 1)) == 3000


def test_a_facility_overrides_costs() -> None:
    facilities = [
        Facility("A", "US", 40.0, -100.0),
        Facility("B", "US", 40.0, -100.0, costs={"handling": 7, "pick": 5}),
    ]
    made = problem(Network(facilities, priced(handling="1")))
    assert made.sites.fixed == (1000, 7)
    assert [cost for _, _, _, cost in made.sources[0]] == [0, 0, 5, 5]


def test_a_plan_with_n_shipments_pays_n_less_one_split_penalties() -> None:
    network = Network([Facility(code, "US", 40.0, -100.0) for code in "ABC"], priced(handling="1", split_penalty="10"))
    assert propose(problem(network, units=18), "cheapest").cost == 1000
    plan = propose(problem(network, units=40), "cheapest")
    assert len(plan.facilities) == 3
    assert plan.cost == 3 * 1000 + 2 * 10_000
    assert propose(problem(network, units=40), "nearest").cost == plan.cost


def test_scarcity_makes_a_unit_dearer_where_it_is_scarce() -> None:
    network = Network([Facility(code, "US", 40.0, -100.0) for code in "AB"], priced())
    assert propose(problem(network), "cheapest").facilities == ("A",)
    assert propose(problem(network, scarcity={("A", "X"): 1}), "cheapest").facilities == ("B",)


def test_closed_excluded_and_not_among_only_are_out_with_that_reason() -> None:
    facilities = [Facility(code, "US", 40.0, -100.0, closed=code == "C") for code in "ABCD"]
    network = Network(facilities, DEFAULTS)
    options = Options(only=frozenset("ABC"), exclude=frozenset("B"))
    plan = propose(problem(network, options=options), "nearest")
    assert {s.facility: s.why for s in plan.standings} == {
        "A": "used",
        "B": "excluded",
        "C": "closed",
        "D": "not_among_only",
    }


def test_unknown_facilities_are_refused_by_name() -> None:
    network = Network([Facility("DEN", "US", 40.0, -100.0)], DEFAULTS)
    for options in (Options(only=frozenset(["DEM"])), Options(exclude=frozenset(["DEM"]))):
        with pytest.raises(NotFound) as refused:
            network.problem(DENVER, {"X": 1}, [], {}, options)
        assert (refused.value.code, refused.value.hint) == ("unknown_facility", "did you mean DEN?")
    with pytest.raises(NotFound, match="unknown facility 'NOPE'"):
        network.problem(DENVER, {"X": 1}, [("NOPE", "X", "primary", 1)], {})
    with pytest.raises(NotFound, match="unknown pool 'attic'"):
        network.problem(DENVER, {"X": 1}, [("DEN", "X", "attic", 1)], {})
    unit = network.unit_cost(DENVER, {})
    with pytest.raises(NotFound, match="unknown facility 'NOPE'"):
        unit(Allocation("NOPE", "X", "primary", 1))
    with pytest.raises(NotFound, match="unknown pool 'attic'"):
        unit(Allocation("DEN", "X", "attic", 1))


def test_stock_of_other_skus_and_empty_pools_is_passed_over() -> None:
    network = Network([Facility("DEN", "US", 40.0, -100.0)], DEFAULTS)
    stock = [("DEN", "X", "primary", 0), ("DEN", "X", "back", -3), ("DEN", "Y", "primary", 9)]
    made = network.problem(DENVER, {"X": 1}, stock, {})
    assert made.sources == [[]]
    assert [s.why for s in propose(made, "nearest").standings] == ["no_units"]


@pytest.mark.parametrize("units", [0, -1, 1.5, True, None])
def test_a_demand_that_is_no_quantity_is_refused(units: object) -> None:
    network = Network([Facility("DEN", "US", 40.0, -100.0)], DEFAULTS)
    with pytest.raises(InvalidInput, match="^quantity of X"):  # noqa: RUF043 - the caret is meant
        network.problem(DENVER, {"X": units}, [], {})  # type: ignore[dict-item]  # what a caller could pass


def test_two_lines_of_one_sku_share_one_stock_because_they_are_summed() -> None:
    network = Network([Facility("DEN", "US", 40.0, -100.0)], DEFAULTS)
    lines = [("X", 6), ("X", 6)]
    made = network.problem(DENVER, {"X": sum(units for _, units in lines)}, [("DEN", "X", "primary", 7)], {})
    plan = propose(made, "cheapest")
    assert [a.units for a in plan.allocations] == [7]
    assert plan.short == {"X": 5}


def test_costs_that_do_not_fit_are_one_clear_error() -> None:
    settings = Settings.read({"cost.pick": "1000000000"})
    network = Network([Facility("DEN", "US", 40.0, -100.0)], settings)
    stock = [("DEN", "X", "primary", 2**31 - 1)]
    with pytest.raises(InvalidInput, match=r"^cost: .* is not below 9007199254740992") as refused:
        network.problem(DENVER, {"X": 2**31 - 1}, stock, {})
    assert refused.value.exit_status == 2
    ten = network.problem(DENVER, {"X": 10}, [("DEN", "X", "primary", 10)], {})
    assert 10**13 < propose(ten, "cheapest").cost < MONEY_LIMIT


def test_the_largest_order_at_default_costs_can_be_planned() -> None:
    most = 2**31 - 1
    network = Network([Facility(code, "US", 40.0, -100.0) for code in "AB"], DEFAULTS)
    plan = propose(
        network.problem(DENVER, {"X": most}, [("A", "X", "back", most), ("B", "X", "back", most)], {}), "cheapest"
    )
    assert plan.optimal
    assert plan.facilities == ("A",)


@pytest.mark.parametrize(
    ("missing", "value"), [("negative", -1), ("missing", None), ("no integer", 1.5), ("no integer", True)]
)
def test_explicit_tables_with_a_cost_that_is_none_are_refused(missing: str, value: Any) -> None:
    row = ("A", "X", "primary", 1, 5)
    for fixed, rows in (({"A": value}, [row]), ({"A": 1}, [(*row[:4], value)]), ({"A": 1}, [(*row[:3], value, 5)])):
        with pytest.raises(InvalidInput):
            Problem.explicit(fixed, rows, {"X": 1})
    with pytest.raises(NotFound, match="unknown facility 'B'"):
        Problem.explicit({"A": 1}, [("B", "X", "primary", 1, 5)], {"X": 1})
    with pytest.raises(NotFound, match="unknown pool"):
        Problem.explicit({"A": 1}, [("A", "X", "attic", 1, 5)], {"X": 1})
    if value is not None:
        with pytest.raises(InvalidInput):
            Problem.explicit({"A": 1}, [row], {"X": 1}, backorder=value)


def test_explicit_costs_that_overflow_are_refused() -> None:
    with pytest.raises(InvalidInput, match="is not below"):
        Problem.explicit({"A": MONEY_LIMIT}, [], {"X": 1})
    with pytest.raises(InvalidInput, match="is not below"):
        Problem.explicit({"A": 1}, [("A", "X", "primary", 9, MONEY_LIMIT // 8)], {"X": 9})
    with pytest.raises(InvalidInput, match="is not below"):
        Problem.explicit({"A": 1}, [], {"X": 9}, backorder=MONEY_LIMIT // 8)


def test_stock_that_names_a_pool_twice_is_refused_before_it_could_oversell() -> None:
    rows = [("A", "X", "primary", 5, 0), ("A", "X", "primary", 5, 1)]
    made = Problem.explicit({"A": 1}, rows, {"X": 10})
    with pytest.raises(InvalidInput, match="named once per facility, SKU and pool"):
        _ = made.index


def test_the_tie_digits_leave_room_for_every_facility_to_ship() -> None:
    for facilities in (0, 1, 2, 20, 361, 362, 363, 5000):
        digit, whole = tie_bits(facilities)
        every = facilities * (1 << digit) + facilities * (facilities - 1) // 2
        assert digit >= 16
        assert facilities * (facilities - 1) // 2 < 1 << digit
        assert every < 1 << whole


def test_options_refuse_a_limit_that_is_none() -> None:
    for most in (0, -1, 1.5, True):
        with pytest.raises(InvalidInput, match=r"^max_shipments: "):
            Options(max_shipments=most)  # type: ignore[arg-type]  # what a caller could pass


def test_the_limit_of_the_settings_holds_unless_the_caller_names_one() -> None:
    network = Network([Facility("A", "US", 40.0, -100.0)], Settings.read({"max_shipments": "3", "node_limit": "7"}))
    made = network.problem(DENVER, {"X": 1}, [], {})
    assert (made.max_shipments, made.node_limit) == (3, 7)
    assert network.problem(DENVER, {"X": 1}, [], {}, Options(max_shipments=2)).max_shipments == 2


def test_many_destinations_do_not_pile_up() -> None:
    network = Network([Facility("A", "US", 40.0, -100.0)], DEFAULTS)
    for number in range(3000):
        network.sites(geo.destination(f"US@{number / 100:.2f},-100"))
    assert len(network._rankings) <= 1024


@given(st.integers(0, 2**32))
def test_shuffled_input_makes_the_same_problem(seed: int) -> None:
    dice = random.Random(seed)
    facilities = [
        Facility(f"F{n}", dice.choice(("US", "SE")), *dice.choice([(40.0, -100.0), (55.6, 13.0), (None, None)]))
        for n in range(6)
    ]
    stock = [
        (f.code, sku, pool, dice.randint(0, 5)) for f in facilities for sku in "XYZ" for pool in ("primary", "back")
    ]
    demand = {sku: dice.randint(1, 9) for sku in "XYZ"}
    mixed = facilities[:]
    dice.shuffle(mixed)
    rows = stock[:]
    dice.shuffle(rows)
    one = Network(facilities, DEFAULTS).problem(DENVER, demand, stock, {"X": 700})
    other = Network(mixed, DEFAULTS).problem(DENVER, dict(reversed(demand.items())), rows, {"X": 700})
    assert one.sites.codes == other.sites.codes
    assert (one.skus, one.demand, one.sources) == (other.skus, other.demand, other.sources)
    for name in ("nearest", "priority", "cheapest", "fewest-shipments"):
        assert propose(one, name) == propose(other, name)
