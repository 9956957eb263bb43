"""Destinations, positions, distance, markets and gateways."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderstate import geo
from orderstate.errors import InvalidInput, NotFound, NotInstalled
from orderstate.model import Destination, Facility

LATITUDES, LONGITUDES = st.floats(-90, 90), st.floats(-180, 180)


def test_a_destination_is_a_country_and_perhaps_a_position() -> None:
    assert geo.destination("us@39.74,-104.99") == Destination("US", 39.74, -104.99)
    assert geo.destination(" de ") == Destination("DE")
    assert geo.destination("NZ@-41.29, 174.78") == Destination("NZ", -41.29, 174.78)


@pytest.mark.parametrize("text", ["US@39.74,-104.99", "DE", "NZ@-41.29,174.78", "EC@0,-78.5", "FJ@-17.8,180"])
def test_a_destination_reads_as_it_is_written(text: str) -> None:
    assert str(geo.destination(text)) == text


def test_minus_zero_is_the_same_place_as_zero() -> None:
    assert str(geo.destination("EC@-0.0,-78.5")) == "EC@0,-78.5"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "XX",
        "USA",
        "39.74,-104.99",
        "US@",
        "US@39.74",
        "US@39.74,",
        "US@91,0",
        "US@0,-180.5",
        "US@nan,0",
        "US@inf,0",
        "US@1_0,0",
        "US@1e1,0",
        "US@39.74,-104.99,5",
        "US@39,74,-104,99",
        "US @@ 1,2",
        "US@\u0663\u0669,0",
        "XX/80203",
    ],
)
def test_a_destination_that_cannot_be_read_says_what_would_be_right(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        geo.destination(text)
    assert refused.value.values == {
        "field": "destination",
        "value": text,
        "expected": "CC or CC@LAT,LON, such as US@39.74,-104.99",
    }
    assert refused.value.exit_status == 2


def test_a_postal_code_says_that_the_extra_is_not_there() -> None:
    with pytest.raises(NotInstalled) as refused:
        geo.destination("US/80203")
    assert refused.value.exit_status == 9
    assert "postal extra is not in this version" in refused.value.sentence
    assert refused.value.hint == "write the position instead, such as US@39.74,-104.99"


def test_a_country_is_an_official_code() -> None:
    assert geo.country("gb") == "GB"
    assert geo.country("XK") == "XK"
    with pytest.raises(InvalidInput) as refused:
        geo.country("UK")
    assert refused.value.hint == "the code of that country is GB"
    with pytest.raises(InvalidInput) as refused:
        geo.destination("UK@51.5,-0.1")
    assert refused.value.hint == "the code of that country is GB"


def test_the_position_of_a_facility_is_two_numbers_in_range() -> None:
    assert geo.position("39.74,-104.99") == (39.74, -104.99)
    for text in ("", "39.74", "90.1,0", "0,181", "north,west"):
        with pytest.raises(InvalidInput, match=r"^position: "):
            geo.position(text)


def test_known_distances_are_met_within_the_error_of_a_sphere() -> None:
    # WGS 84 geodesics: JFK to LHR 5,554.9 km, Sydney to Santiago 11,340 km.
    assert abs(geo.metres(40.6413, -73.7781, 51.47, -0.4543) - 5_554_900) < 0.006 * 5_554_900
    assert abs(geo.metres(-33.9461, 151.1772, -33.393, -70.7858) - 11_340_000) < 0.006 * 11_340_000
    # A degree of latitude of a sphere of 6,371,008.8 m is 111,195.08 m.
    assert geo.metres(0, 0, 1, 0) == 111_195


def test_antipodes_are_half_the_way_around_and_nothing_is_farther() -> None:
    assert geo.metres(0, 0, 0, 180) == geo.FARTHEST
    assert geo.metres(90, 0, -90, 77) == geo.FARTHEST
    assert geo.metres(12.5, -33.25, -12.5, 146.75) == geo.FARTHEST


@given(LATITUDES, LONGITUDES, LATITUDES, LONGITUDES)
def test_distance_is_symmetric_and_within_half_the_earth(lat1: float, lon1: float, lat2: float, lon2: float) -> None:
    there = geo.metres(lat1, lon1, lat2, lon2)
    assert 0 <= there <= geo.FARTHEST
    assert there == geo.metres(lat2, lon2, lat1, lon1)
    assert geo.metres(lat1, lon1, lat1, lon1) == 0


def test_a_market_is_domestic_within_and_a_country_in_none_is_alone() -> None:
    markets = geo.Markets.read("AT,CH,DE;CA,US")
    assert markets.domestic("AT", "DE")
    assert markets.domestic("US", "CA")
    assert not markets.domestic("DE", "US")
    assert markets.domestic("JP", "JP")
    assert not markets.domestic("JP", "KR")
    assert not geo.Markets.read("").domestic("DE", "AT")


def test_a_gateway_is_an_airport_code_or_one_with_a_position() -> None:
    assert geo.gateway_text("den") == "DEN"
    assert geo.gateway_text("xyz@39.86, -104.670") == "XYZ@39.86,-104.67"
    for text in ("", "DE", "DENV", "DEN@", "DEN@91,0", "D3N"):
        with pytest.raises(InvalidInput, match=r"^gateway: "):
            geo.gateway_text(text)


def test_an_unknown_gateway_names_those_close_to_it() -> None:
    with pytest.raises(NotFound) as refused:
        geo.gateway_text("LHX")
    assert refused.value.code == "unknown_gateway"
    assert refused.value.hint is not None
    assert refused.value.hint.startswith("did you mean ")
    assert "LHW" in refused.value.hint
    assert "Else write LHX@LAT,LON for an airport that is not among the large scheduled ones" in refused.value.hint


def test_the_airports_are_those_of_the_table() -> None:
    found = geo.airports()
    assert len(found) == 440
    assert found["DEN"].country == "US"
    assert len({airport.country for airport in found.values()}) == 159
    assert all(geo.country(airport.country) for airport in found.values())


def test_a_facility_exports_through_the_nearest_large_airport_of_its_own_country() -> None:
    # Copenhagen is 30 km from Malmo and Tijuana 30 km from San Diego, and neither is in the country.
    malmo = geo.gateway(Facility("MMA", "SE", 55.6, 13.0))
    assert malmo is not None
    assert (malmo.iata, malmo.abroad) == ("GOT", False)
    san_diego = geo.gateway(Facility("SD", "US", 32.55, -117.05))
    assert san_diego is not None
    assert san_diego.iata == "SAN"


def test_a_country_without_a_large_airport_exports_through_the_nearest_of_all_and_is_marked() -> None:
    vaduz = geo.gateway(Facility("VAD", "LI", 47.14, 9.52))
    assert vaduz is not None
    assert (vaduz.iata, vaduz.abroad) == ("ZRH", True)


def test_a_facility_with_a_gateway_of_its_own_uses_that() -> None:
    named = geo.gateway(Facility("MMA", "SE", 55.6, 13.0, gateway="CPH"))
    assert named is not None
    assert (named.iata, named.abroad) == ("CPH", False)
    placed = geo.gateway(Facility("MMA", "SE", 55.6, 13.0, gateway="MMX@55.5363,13.3762"))
    assert placed is not None
    assert placed.metres == geo.metres(55.6, 13.0, 55.5363, 13.3762)


def test_a_facility_without_a_position_has_a_gateway_only_if_it_names_one() -> None:
    assert geo.gateway(Facility("X", "SE")) is None
    named = geo.gateway(Facility("X", "SE", gateway="CPH"))
    assert named is not None
    assert (named.iata, named.metres) == ("CPH", None)


def test_no_airport_is_read_before_an_order_goes_abroad() -> None:
    program = (
        "from orderstate import geo\n"
        "from orderstate.allocation import Network\n"
        "from orderstate.model import Facility\n"
        "from orderstate.settings import DEFAULTS\n"
        "network = Network([Facility('A', 'US', 40.0, -100.0)], DEFAULTS)\n"
        "network.sites(geo.destination('US@39,-104'))\n"
        "print(geo.airports.cache_info().currsize)\n"
        "network.sites(geo.destination('DE'))\n"
        "print(geo.airports.cache_info().currsize)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["0", "1"]
