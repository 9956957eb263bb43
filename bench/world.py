"""The shop that the benchmarks sell from: eight facilities, twenty articles, orders of two lines. All by arithmetic."""

from __future__ import annotations

from pathlib import Path

from orderstate.engine import Engine
from orderstate.engine.commands import Receive

FACILITIES = {
    "ATL1": "33.75,-84.39",
    "BOS1": "42.36,-71.06",
    "CHI1": "41.88,-87.63",
    "DEN1": "39.74,-104.99",
    "HOU1": "29.76,-95.37",
    "LAX1": "34.05,-118.24",
    "NYC1": "40.71,-74.01",
    "SEA1": "47.61,-122.33",
}
"""Code to position, all in the United States."""

ARTICLES = 20
DESTINATIONS = 200
ON_HAND = 1_000_000_000
"""Units of each article wherever it is kept: more than any run takes."""

UNITS = (1, 2)
"""Units of the first and of the second line of every order."""


def sku(article: int) -> str:
    """The SKU of an article by its number."""
    return f"SKU-{article % ARTICLES:02d}"


def kept(facility: int, article: int) -> bool:
    """A facility lacks every third article, so that some orders come from two places."""
    return (facility + article) % 3 != 0


def lines(number: int) -> dict[str, int]:
    """The two lines of an order, of different articles."""
    return {sku(number): UNITS[0], sku(number + 7): UNITS[1]}


def destination(number: int) -> str:
    """Where an order goes: one of 200 places spread over the country."""
    place = number % DESTINATIONS
    return f"US@{30 + place * 37 % 170 / 10:g},{-(75 + place * 53 % 450 / 10):g}"


def create(path: Path, strategy: str | None = None) -> None:
    """A new database with the facilities and their stock, and no order; `strategy` None leaves the default one."""
    with Engine.create(path) as engine:
        engine.configure("strategy", strategy)
        for facility, (code, position) in enumerate(FACILITIES.items()):
            engine.add_facility(code, country="US", at=position)
            items = [(sku(article), ON_HAND) for article in range(ARTICLES) if kept(facility, article)]
            engine.execute(Receive(facility=code, items=items))
