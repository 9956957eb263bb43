"""Where things are: destinations, positions, distance, markets, and the airports that orders abroad leave through.

Positions are degrees (WGS 84), distances whole metres. The airports are data/gateways.csv: 440 large airports with
scheduled service, from OurAirports (public domain). They are read once, and only when an order goes abroad or a
facility names a gateway.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from math import asin, cos, radians, sin, sqrt
from pathlib import Path

from orderstate.errors import InvalidInput, NotFound, NotInstalled
from orderstate.model import Destination, Facility
from orderstate.settings import COUNTRIES

EARTH_RADIUS = 6_371_008.8
"""Mean radius of the earth in metres, R1 of the IUGG (Moritz, Geodetic Reference System 1980)."""

FARTHEST = 20_015_114
"""Half the way around that earth, in metres: no place is farther. What a facility without a position is charged for."""

_NUMBER = r"[+-]?\d{1,3}(?:\.\d{1,20})?"
_POSITION = re.compile(rf"\s*({_NUMBER})\s*,\s*({_NUMBER})\s*", re.ASCII)
_IATA = re.compile(r"[A-Z]{3}", re.ASCII)
_DESTINATION_FORM = "CC or CC@LAT,LON, such as US@39.74,-104.99"
_POSITION_FORM = "LAT,LON in degrees, such as 39.74,-104.99"
_COUNTRY_FORM = "an ISO 3166 country code of two letters, such as US"
_MEANT = {"UK": "GB", "EN": "GB", "EL": "GR"}


def metres(lat1: float, lon1: float, lat2: float, lon2: float) -> int:
    """The great-circle distance in whole metres, by the haversine formula on a sphere of EARTH_RADIUS.

    Within 0.6 % of the WGS 84 geodesic. R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68 (1984).
    """
    phi1, phi2 = radians(lat1), radians(lat2)
    h = sin((phi2 - phi1) / 2) ** 2 + cos(phi1) * cos(phi2) * sin(radians(lon2 - lon1) / 2) ** 2
    # Rounding can lift the root of antipodes just above 1, where asin ends.
    return round(2 * EARTH_RADIUS * asin(min(1.0, sqrt(h))))


def country(text: str) -> str:
    """A country code in upper case. Raises InvalidInput("country", ...) if ISO 3166 has no such code."""
    code = text.strip().upper()
    if code not in COUNTRIES:
        raise InvalidInput("country", text, _COUNTRY_FORM, hint=_hint_country(code))
    return code


def _hint_country(code: str) -> str | None:
    return f"the code of that country is {_MEANT[code]}" if code in _MEANT else None


def _position(text: str) -> tuple[float, float] | None:
    found = _POSITION.fullmatch(text)
    if found is None:
        return None
    # Adding 0.0 makes -0 a 0, so that one place has one text.
    latitude, longitude = float(found[1]) + 0.0, float(found[2]) + 0.0
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None
    return latitude, longitude


def position(text: str) -> tuple[float, float]:
    """Latitude and longitude in degrees, from `LAT,LON`. Raises InvalidInput("position", ...)."""
    found = _position(text)
    if found is None:
        raise InvalidInput("position", text, _POSITION_FORM)
    return found


@lru_cache(maxsize=4096)
def destination(text: str) -> Destination:
    """A destination from `CC` or `CC@LAT,LON`.

    Raises InvalidInput("destination", ...) for what cannot be read, and NotInstalled for the postal form `US/80203`.
    """
    code, at, rest = text.partition("@")
    code = code.strip().upper()
    if not at and code[2:3] == "/" and code[:2] in COUNTRIES:
        raise NotInstalled(
            f"destination: {text!r} names a postal code; the postal extra is not in this version",
            hint=f"write the position instead, such as {code[:2]}@39.74,-104.99",
            field="destination",
            value=text,
        )
    if code not in COUNTRIES:
        raise InvalidInput("destination", text, _DESTINATION_FORM, hint=_hint_country(code))
    if not at:
        return Destination(code)
    found = _position(rest)
    if found is None:
        raise InvalidInput("destination", text, _DESTINATION_FORM)
    return Destination(code, *found)


@dataclass(frozen=True, slots=True)
class Markets:
    """Sets of countries that count as domestic among themselves; a country in none is a market alone."""

    members: Mapping[str, int]
    """Country to the number of its market."""

    @classmethod
    def read(cls, text: str) -> Markets:
        """Markets from the text of the setting: `AT,CH,DE;CA,US`."""
        return cls({code: number for number, part in enumerate(text.split(";")) for code in part.split(",") if code})

    def domestic(self, one: str, other: str) -> bool:
        """Whether an order from the one country to the other stays within a market."""
        if one == other:
            return True
        market = self.members.get(one)
        return market is not None and market == self.members.get(other)


@dataclass(frozen=True, slots=True)
class Airport:
    """A large airport with scheduled service."""

    iata: str
    country: str
    latitude: float
    longitude: float
    city: str
    name: str


@dataclass(frozen=True, slots=True)
class Gateway:
    """The airport that a facility's orders abroad leave through, and the way there in metres.

    `metres` is None where the facility has no position. `abroad`: its own country has no large scheduled airport.
    """

    iata: str
    latitude: float
    longitude: float
    metres: int | None
    abroad: bool = False


@cache
def airports() -> Mapping[str, Airport]:
    """The airports of data/gateways.csv by IATA code."""
    import csv  # only here: most commands never look at an airport

    with (Path(__file__).parent / "data" / "gateways.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["iata"]: Airport(
                row["iata"], row["country"], float(row["lat"]), float(row["lon"]), row["city"], row["name"]
            )
            for row in csv.DictReader(file)
        }


def gateway_text(text: str) -> str:
    """The canonical text of a facility's own gateway, `IATA` or `IATA@LAT,LON`.

    Raises InvalidInput("gateway", ...) for what cannot be read and NotFound for a bare IATA code that is not among the
    large airports.
    """
    iata, at, rest = text.partition("@")
    iata = iata.strip().upper()
    if not _IATA.fullmatch(iata):
        raise InvalidInput("gateway", text, "IATA or IATA@LAT,LON, such as DEN or DEN@39.86,-104.67")
    if not at:
        return _known(iata).iata
    found = _position(rest)
    if found is None:
        raise InvalidInput("gateway", text, "IATA or IATA@LAT,LON, such as DEN or DEN@39.86,-104.67")
    return f"{iata}@{found[0]:.10g},{found[1]:.10g}"


def _known(iata: str) -> Airport:
    airport = airports().get(iata)
    if airport is None:
        missing = NotFound.named("gateway", iata, list(airports()))
        also = f"write {iata}@LAT,LON for an airport that is not among the large scheduled ones"
        missing.hint = f"{missing.hint} Else {also}" if missing.hint else also
        raise missing
    return airport


def gateway(facility: Facility) -> Gateway | None:
    """Where a facility's orders abroad leave: its own gateway, else the nearest large scheduled airport of its country,
    else the nearest of all, marked `abroad`. None for a facility that has neither gateway nor position.
    """
    return _gateway(facility.country, facility.latitude, facility.longitude, facility.gateway)


@lru_cache(maxsize=4096)
def _gateway(code: str, latitude: float | None, longitude: float | None, own: str | None) -> Gateway | None:
    if own is not None:
        iata, at, rest = own.partition("@")
        if at:
            place = position(rest)
        else:
            airport = _known(iata)
            place = airport.latitude, airport.longitude
        if latitude is None or longitude is None:
            return Gateway(iata, *place, metres=None)
        return Gateway(iata, *place, metres=metres(latitude, longitude, *place))
    if latitude is None or longitude is None:
        return None
    near = [a for a in airports().values() if a.country == code]
    abroad = not near
    distance, iata, place = min(
        (metres(latitude, longitude, a.latitude, a.longitude), a.iata, (a.latitude, a.longitude))
        for a in (near or airports().values())
    )
    return Gateway(iata, *place, metres=distance, abroad=abroad)
