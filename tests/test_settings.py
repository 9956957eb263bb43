"""Settings: declared once, text in the database, typed values outside."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderstate.errors import InvalidInput, NotFound
from orderstate.model import Facility
from orderstate.settings import (
    COST_LIMIT,
    COUNTRIES,
    DEFAULT_COSTS,
    DEFAULTS,
    FACILITY_COSTS,
    SETTINGS,
    Costs,
    Settings,
    facility_cost,
    facility_cost_text,
    parse,
)


@pytest.mark.parametrize("key", SETTINGS)
def test_a_setting_has_a_unit_a_meaning_and_a_default_in_canonical_text(key: str) -> None:
    setting = SETTINGS[key]
    assert setting.key == key
    assert setting.unit
    assert setting.doc.endswith(".")
    assert parse(key, setting.default) == setting.default


def test_missing_rows_are_the_defaults_and_so_are_the_defaults_written_out() -> None:
    assert Settings.read({}) == DEFAULTS
    assert Settings.read({key: setting.default for key, setting in SETTINGS.items()}) == DEFAULTS
    assert DEFAULTS.costs == DEFAULT_COSTS


def test_every_cost_is_a_setting_and_every_setting_an_attribute() -> None:
    assert {f"cost.{field.name}" for field in fields(Costs)} == {key for key in SETTINGS if key.startswith("cost.")}
    plain = {key for key in SETTINGS if not key.startswith(("cost.", "notify."))}
    assert plain | {"costs"} == {field.name for field in fields(Settings)}


def test_a_row_of_another_room_is_passed_over() -> None:
    assert Settings.read({"subscriber.mail": "on", "cost.unheard_of": "1"}) == DEFAULTS


def test_amounts_are_minor_units_and_become_thousandths() -> None:
    found = Settings.read({"cost.handling": "2.5", "cost.rate_per_kg_km": "0.000001", "cost.backorder": "99"})
    assert found.costs.handling == 2500
    assert found.costs.rate_per_kg_km == 1
    assert found.costs.backorder == 99_000
    assert found.costs.carrier_base == DEFAULT_COSTS.carrier_base


@pytest.mark.parametrize(
    ("key", "text", "canonical"),
    [
        ("cost.handling", " 002.500 ", "2.5"),
        ("cost.handling", "7.000", "7"),
        ("cost.backorder", "None", "none"),
        ("cost.backorder", "0", "0"),
        ("cost.handling", str(COST_LIMIT), str(COST_LIMIT)),
        ("markets", " us , ca ; de,ch,AT;; ", "AT,CH,DE;CA,US"),
        ("markets", "", ""),
        ("short", "SPLIT", "split"),
        ("currency", "usd", "USD"),
        ("currency", "", ""),
        ("max_shipments", "", "none"),
        ("max_shipments", "03", "3"),
        ("node_limit", "10", "10"),
        ("strategy", "my_shop.plans:drain", "my_shop.plans:drain"),
        ("strategy", "fewest-shipments", "fewest-shipments"),
    ],
)
def test_a_value_is_kept_in_one_canonical_text(key: str, text: str, canonical: str) -> None:
    assert parse(key, text) == canonical
    assert parse(key, canonical) == canonical


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("cost.handling", "-1"),
        ("cost.handling", "1e3"),
        ("cost.handling", "nan"),
        ("cost.handling", "1,5"),
        ("cost.handling", ""),
        ("cost.handling", "none"),
        ("cost.handling", "0.0001"),
        ("cost.handling", str(COST_LIMIT + 1)),
        ("cost.handling", f"{COST_LIMIT}.001"),
        ("cost.handling", "9" * 40),
        ("cost.handling", "\u0661"),
        ("cost.rate_per_kg_km", "0.0000001"),
        ("cost.backorder", "-5"),
        ("markets", "US,XX"),
        ("markets", "US,CA;US,MX"),
        ("markets", "UK"),
        ("short", "wait"),
        ("currency", "DOLLAR"),
        ("max_shipments", "0"),
        ("max_shipments", "-1"),
        ("node_limit", "none"),
        ("node_limit", "1.5"),
        ("node_limit", "99999999999"),
        ("strategy", ""),
        ("strategy", "a b"),
        ("strategy", "pkg.mod:"),
        ("strategy", "pkg/mod:f"),
    ],
)
def test_a_value_that_cannot_be_used_names_its_setting(key: str, text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(key, text)
    assert refused.value.values["field"] == key


def test_an_unknown_setting_names_those_close_to_it() -> None:
    with pytest.raises(NotFound) as refused:
        parse("cost.handeling", "1")
    assert refused.value.code == "unknown_setting"
    assert refused.value.hint is not None
    assert refused.value.hint.startswith("did you mean cost.handling")


@given(st.integers(0, COST_LIMIT * 1000))
def test_the_text_of_a_cost_reads_back_as_the_same_integer(value: int) -> None:
    text = SETTINGS["cost.per_km"].write(value)
    assert SETTINGS["cost.per_km"].read(text) == value
    assert parse("cost.per_km", text) == text


def test_a_facility_overrides_costs_by_name() -> None:
    assert facility_cost("per_km", "0.5") == 500
    assert facility_cost("cost.rate_per_kg_km", "0.5") == 500_000
    assert facility_cost_text("per_km", 500) == "0.5"
    costs = DEFAULT_COSTS.of(Facility("A", "US", costs={"handling": 7, "pick": 3}))
    assert (costs.handling, costs.pick, costs.carrier_base) == (7, 3, DEFAULT_COSTS.carrier_base)
    assert DEFAULT_COSTS.of(Facility("A", "US")) is DEFAULT_COSTS


def test_a_cost_that_belongs_to_the_order_cannot_be_overridden_by_a_place() -> None:
    for name in ("split_penalty", "backorder", "handeling"):
        assert name not in FACILITY_COSTS
        with pytest.raises(NotFound) as refused:
            facility_cost(name, "1")
        assert refused.value.code == "unknown_facility_cost"


@pytest.mark.parametrize("value", [-1, 1.5, None, True, "7", COST_LIMIT * 1000 + 1])
def test_a_facility_with_a_cost_that_is_none_is_refused(value: object) -> None:
    broken = Facility("A", "US", costs={"handling": value})  # type: ignore[dict-item]  # what a broken row could hold
    with pytest.raises(InvalidInput, match=r"^cost handling of A\b"):
        DEFAULT_COSTS.of(broken)


def test_the_countries_are_the_249_of_the_standard_and_kosovo() -> None:
    assert len(COUNTRIES) == 250
    assert {"US", "GB", "DE", "XK"} <= COUNTRIES
    assert not {"UK", "EU", "XX"} & COUNTRIES
