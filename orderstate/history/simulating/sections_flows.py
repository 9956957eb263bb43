"""The section of a report that shows where orders go: maps, and the countries abroad as a table."""

from __future__ import annotations

from orderstate.history.simulating import maps
from orderstate.history.simulating.drawing import SERIES
from orderstate.history.simulating.figures import count, km, percent
from orderstate.history.simulating.hypertext import safe, section, table
from orderstate.history.simulating.result import Outcome
from orderstate.history.simulating.sections import Compared, Rows

_LISTED = 12
"""Countries and airports that are listed, those with the most units."""


def flows(seen: Compared) -> str:
    """A map of the flows at home for each strategy, and where orders go abroad, one of these."""
    atlas = maps.Atlas(seen.found.facilities)
    on = maps.view(maps.home_places(atlas, seen.outcomes))
    if on is None:
        return section("flows", "Where it goes", "No facility has a position, so there is no map.", "")
    pictures = []
    for number, outcome in enumerate(seen.outcomes):
        tint, said = f"s{number % SERIES + 1}", _said(outcome)
        heading = f'<h3><span class="chip {tint}" aria-hidden="true"></span>{safe(outcome.strategy)}</h3>'
        drawing = maps.home(
            f"home{number}", f"Map of the flows of {outcome.strategy}. {said}", on, atlas, outcome, tint
        )
        pictures.append(f"<figure>{heading}{drawing}<figcaption>{safe(said)}</figcaption></figure>\n")
    lead = (
        "Circles with a name are facilities, by the units that they ship. Coloured lines go to where units went; the "
        "thicker, the more. Faint dots are large airports, to tell where one is."
    )
    if any(_abroad(outcome) for outcome in seen.outcomes):
        lead += " Dashed lines go to the airports (triangles) through which orders abroad leave."
    content = f'<div class="maps">{"".join(pictures)}</div>\n{_beyond(seen, atlas)}'
    return section("flows", "Where it goes", lead, content)


def _beyond(seen: Compared, atlas: maps.Atlas) -> str:
    """What went abroad: maps of the strategy that costs least, and tables of all."""
    number, best = min(enumerate(seen.outcomes), key=lambda item: item[1].common_cost)
    pictures = []
    for place, (name, on, ends) in enumerate(maps.views_abroad(atlas, best)):
        label = f"Map of the flows of {best.strategy} abroad. {name}. {_said_abroad(best)}"
        drawing = maps.abroad(f"away{place}", label, on, atlas, best, f"s{number % SERIES + 1}", ends)
        pictures.append(f"<figure>{drawing}<figcaption>{safe(f'{name}, {best.strategy}')}</figcaption></figure>\n")
    if not _abroad(best):
        return ""
    first, others = "".join(pictures[:1]), "".join(pictures[1:])
    side = f'<div class="beside">{first}<div>{others}{_airports(seen)}</div></div>\n'
    return f"<h3>Abroad</h3>\n{side}{_countries(seen)}"


def _said(outcome: Outcome) -> str:
    """A map in words."""
    each = outcome.metres / outcome.shipments if outcome.shipments else 0
    said = f"{km(outcome.metres)} km in {count(outcome.shipments)} shipments, {km(each)} km each."
    share = maps.drawn_share(outcome)
    if share < 1:
        said += f" The {maps.DRAWN} largest flows are drawn: {percent(share)} of the units at home."
    return said


def _said_abroad(outcome: Outcome) -> str:
    return ", ".join(f"{country} {count(units)} units" for country, units in _abroad(outcome)[:5])


def _abroad(outcome: Outcome) -> list[tuple[str, int]]:
    """(country, units) of what went through a gateway, most units first."""
    units: dict[str, int] = {}
    for (_, country, gateway), (n, _) in outcome.countries().items():
        if gateway is not None:
            units[country] = units.get(country, 0) + n
    return sorted(units.items(), key=lambda item: (-item[1], item[0]))


def _airports(seen: Compared) -> str:
    """Units by the gateway that they went through."""
    totals = []
    for outcome in seen.outcomes:
        units: dict[str, int] = {}
        for (_, _, gateway), (n, _) in outcome.countries().items():
            if gateway is not None:
                units[gateway] = units.get(gateway, 0) + n
        totals.append(units)
    caption, head = "Units shipped abroad by airport (IATA code)", ["Airport", *seen.names]
    return table(caption, head, _ranked(totals, "airports"), compared=len(seen.names))


def _countries(seen: Compared) -> str:
    """Units by country abroad."""
    totals = [dict(_abroad(outcome)) for outcome in seen.outcomes]
    unplaced = sorted(
        {f.country for o in seen.outcomes for f in o.flows if f.gateway and maps.destination_place(f) is None}
    )
    caption = "Units shipped abroad by country (ISO code)"
    if unplaced:
        caption += f"; on no map, for want of a position: {', '.join(unplaced)}"
    return table(caption, ["Country", *seen.names], _ranked(totals, "countries"), compared=len(seen.names))


def _ranked(totals: list[dict[str, int]], what: str) -> Rows:
    """Rows of a table, the largest first; what is beyond the first dozen is added up."""
    names = {name for total in totals for name in total}
    listed = sorted(names, key=lambda name: (-max(total.get(name, 0) for total in totals), name))
    rows: Rows = [(name, [count(total.get(name, 0)) for total in totals]) for name in listed[:_LISTED]]
    others = listed[_LISTED:]
    if others:
        rest = [count(sum(total.get(name, 0) for name in others)) for total in totals]
        rows.append((f"{len(others)} other {what}", rest))
    return rows
