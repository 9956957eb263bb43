"""Maps of flows: from facilities to destinations and gateways, and from gateways to countries abroad.

Longitude and latitude, with degrees of longitude as wide as they are halfway up. No coastline comes with the package:
what gives the map its shape are the destinations themselves, and the large airports of geo.airports() as faint dots.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from math import cos, nan, radians
from statistics import median
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from orderstate import geo
from orderstate.history.simulating.drawing import WIDTH, paper, svg, tone
from orderstate.history.simulating.result import Flow, Outcome
from orderstate.model import Facility

if TYPE_CHECKING:
    from matplotlib.axes import Axes

K = TypeVar("K")
_Box = tuple[float, float, float, float]

Place = tuple[float, float]
"""(latitude, longitude) in degrees."""

DRAWN = 240
"""Flows that one map draws, the largest ones; the page says what part of the units they are."""
NAMED = 14
"""Countries abroad that a map names, where there is room."""
_NEAR = 3_000_000
"""Metres from a gateway to what a map of its own shows."""
_SEVERAL = 4
"""Places near the gateways from which on there is such a map."""

_LOWEST, _HIGHEST = 170.0, 500.0
_MARGIN = 26.0
_WIDEST = 6.0
"""The width of the largest flow."""
_WHOLE_WORLD = (-46.0, 70.0, -165.0, 180.0)
"""South, north, west, east of what is drawn where much of the world is: few orders go farther."""


class View(NamedTuple):
    """What part of the world a map shows, and at which scale."""

    south: float
    north: float
    west: float
    east: float
    height: float
    per_degree: float
    """Units of the drawing for one degree of latitude."""
    squeeze: float
    """How much narrower a degree of longitude is."""

    def at(self, place: Place) -> tuple[float, float]:
        """Where a place is on the drawing."""
        latitude, longitude = place
        middle_y, middle_x = (self.south + self.north) / 2, (self.west + self.east) / 2
        x = WIDTH / 2 + (longitude - middle_x) * self.squeeze * self.per_degree
        return x, self.height / 2 - (latitude - middle_y) * self.per_degree

    def shows(self, place: Place) -> bool:
        """Whether a place is on the drawing."""
        x, y = self.at(place)
        return 0 <= x <= WIDTH and 0 <= y <= self.height


def view(places: Iterable[Place]) -> View | None:
    """A view of all places with some room around them; None where there are none."""
    found = list(places)
    if not found:
        return None
    latitudes, longitudes = [p[0] for p in found], [p[1] for p in found]
    south, north, west, east = min(latitudes), max(latitudes), min(longitudes), max(longitudes)
    squeeze = max(0.2, cos(radians((south + north) / 2)))
    # One town alone still shows its surroundings.
    wide, high = max((east - west) * squeeze, 1.0), max(north - south, 1.0)
    height = min(_HIGHEST, max(_LOWEST, (WIDTH - 2 * _MARGIN) * high / wide + 2 * _MARGIN))
    per_degree = min((WIDTH - 2 * _MARGIN) / wide, (height - 2 * _MARGIN) / high)
    return View(south, north, west, east, height, per_degree, squeeze)


class Atlas:
    """Where the facilities and their gateways are. `gateways` has a facility only if orders abroad can leave it."""

    def __init__(self, facilities: Iterable[Facility]) -> None:
        self.places: dict[str, Place] = {}
        self.gateways: dict[str, Place] = {}
        for facility in facilities:
            if facility.latitude is not None and facility.longitude is not None:
                self.places[facility.code] = facility.latitude, facility.longitude
            gateway = geo.gateway(facility)
            if gateway is not None:
                self.gateways[facility.code] = gateway.latitude, gateway.longitude


def home(key: str, label: str, on: View, atlas: Atlas, outcome: Outcome, tint: str) -> str:
    """Domestic flows and the way to the gateways. Facilities are drawn by the units that left them."""
    places, gateways, loads = atlas.places, atlas.gateways, outcome.loads
    domestic, export = _sums(outcome.flows, places)
    with paper(on.height) as (figure, axes):
        _airports(axes, on)
        most = max(domestic.values(), default=1)
        for (code, there), units in _largest(domestic):
            _line(axes, on.at(places[code]), on.at(there), units / most, tint)
        # All that a facility sends abroad goes one way, so these lines have a scale of their own.
        most = max(export.values(), default=1)
        for (code, _), units in _largest(export):
            _dashes(axes, on.at(places[code]), on.at(gateways[code]), units / most)
        received: dict[Place, int] = {}
        for (_, there), units in domestic.items():
            received[there] = received.get(there, 0) + units
        largest = max(received.values(), default=1)
        for there, units in sorted(received.items()):
            _dot(axes, on.at(there), 1.2 + 4.2 * (units / largest) ** 0.5, tint)
        labels = _Labels(axes, on)
        busiest = max((load.units for load in loads), default=0) or 1
        drawn = [load for load in loads if load.facility in places]
        sizes = {load.facility: 3.0 + 9.0 * (load.units / busiest) ** 0.5 for load in drawn}
        for load in sorted(drawn, key=lambda load: (-load.units, load.facility)):
            point, size = on.at(places[load.facility]), sizes[load.facility]
            _dot(axes, point, size + 1.2, "paper", 6)
            _dot(axes, point, size, "ink", 7)
            labels.taken(point, size)
        used = {iata: gateways[code] for code, iata in export}
        for place in used.values():
            _gate(axes, on.at(place), 8)
            labels.taken(on.at(place), 5)
        for load in sorted(drawn, key=lambda load: (-load.units, load.facility)):
            labels.add(on.at(places[load.facility]), sizes[load.facility], load.facility, "ink", 15, "bold", sure=True)
        for iata, place in sorted(used.items()):
            labels.add(on.at(place), 6, iata, "soft", 13, "normal")
        return svg(figure, key, label)


def abroad(key: str, label: str, on: View, atlas: Atlas, outcome: Outcome, tint: str, ends: Collection[Place]) -> str:
    """From the gateways to the countries, or the places in them, that orders abroad went to: those among `ends`."""
    sums: dict[tuple[Place, Place], int] = {}
    countries: dict[str, tuple[int, Place]] = {}
    for flow in outcome.flows:
        there = destination_place(flow)
        if flow.gateway is not None and there is not None and there in ends:
            way = atlas.gateways[flow.facility], there
            sums[way] = sums.get(way, 0) + flow.units
            countries[flow.country] = countries.get(flow.country, (0, there))[0] + flow.units, there
    most = max(sums.values(), default=1)
    with paper(on.height) as (figure, axes):
        _airports(axes, on)
        for (start, end), units in _largest(sums):
            _arc(axes, on.at(start), on.at(end), units / most, tint)
        labels = _Labels(axes, on)
        largest = max((units for units, _ in countries.values()), default=1)
        ordered = sorted(countries.items(), key=lambda item: (-item[1][0], item[0]))
        for _, (units, there) in ordered:
            size = 1.5 + 4.0 * (units / largest) ** 0.5
            _dot(axes, on.at(there), size, tint)
            labels.taken(on.at(there), size)
        for place in sorted({start for start, _ in sums}):
            _gate(axes, on.at(place), 6)
            labels.taken(on.at(place), 4)
        for country, (_, there) in ordered[:NAMED]:
            labels.add(on.at(there), 5, country, "ink", 12, "normal")
        return svg(figure, key, label)


def home_places(atlas: Atlas, outcomes: Iterable[Outcome]) -> list[Place]:
    """What the map of domestic flows has to show: facilities, destinations, and the gateways that were used."""
    found = set(atlas.places.values())
    for outcome in outcomes:
        for flow in outcome.flows:
            if flow.facility not in atlas.places:
                continue
            if flow.gateway is not None:
                found.add(atlas.gateways[flow.facility])
            elif flow.latitude is not None and flow.longitude is not None:
                found.add((flow.latitude, flow.longitude))
    return sorted(found)


def views_abroad(atlas: Atlas, outcome: Outcome) -> list[tuple[str, View, list[Place]]]:
    """(what it shows, the view, the ends of the flows in it) of the maps of flows abroad: none, one, or two.

    Where most countries are near but some are far, one map shows the near ones, which would fall into one otherwise.
    """
    gates: set[Place] = set()
    ends: set[Place] = set()
    for flow in outcome.flows:
        there = destination_place(flow)
        if flow.gateway is not None and there is not None:
            gates.add(atlas.gateways[flow.facility])
            ends.add(there)
    near = [end for end in ends if min(geo.metres(*end, *gate) for gate in gates) <= _NEAR]
    far = sorted(ends - set(near))
    found = []
    if len(near) >= _SEVERAL and far:
        found.append((f"Up to {_NEAR // 1_000_000:,},000 km away", view([*gates, *near]), sorted(near)))
        found.append(("Farther away", _wide_view([*gates, *far]), far))
    elif ends:
        found.append(("Everything abroad", _wide_view([*gates, *ends]), sorted(ends)))
    return [(name, on, shown) for name, on, shown in found if on is not None]


def drawn_share(outcome: Outcome) -> float:
    """The part of the domestic units whose flows `home` draws."""
    sums: dict[tuple[str, float, float], int] = {}
    for flow in outcome.flows:
        if flow.gateway is None and flow.latitude is not None and flow.longitude is not None:
            way = flow.facility, flow.latitude, flow.longitude
            sums[way] = sums.get(way, 0) + flow.units
    return sum(sorted(sums.values())[-DRAWN:]) / (sum(sums.values()) or 1) if sums else 1.0


def _wide_view(places: Iterable[Place]) -> View | None:
    """A view of what is needed, and of the whole world where that is most of it."""
    needed = view(places)
    if needed is None or needed.east - needed.west < 120:
        return needed
    south, north, west, east = _WHOLE_WORLD
    return view([(min(south, needed.south), west), (max(north, needed.north), east)])


def destination_place(flow: Flow) -> Place | None:
    """Where a flow ends: its own position, else the middle of its country's large airports; None: not known."""
    if flow.latitude is not None and flow.longitude is not None:
        return flow.latitude, flow.longitude
    found = [a for a in geo.airports().values() if a.country == flow.country]
    if not found:
        return None
    # The median: islands far out at sea, which many countries have, do not pull it off the land.
    return median(a.latitude for a in found), median(a.longitude for a in found)


def _sums(
    flows: Iterable[Flow], places: dict[str, Place]
) -> tuple[dict[tuple[str, Place], int], dict[tuple[str, str], int]]:
    """Units by (facility, destination) at home, and by (facility, gateway) on their way abroad."""
    domestic: dict[tuple[str, Place], int] = {}
    export: dict[tuple[str, str], int] = {}
    for flow in flows:
        if flow.facility not in places:
            continue
        if flow.gateway is not None:
            export[flow.facility, flow.gateway] = export.get((flow.facility, flow.gateway), 0) + flow.units
        elif flow.latitude is not None and flow.longitude is not None:
            there = flow.latitude, flow.longitude
            domestic[flow.facility, there] = domestic.get((flow.facility, there), 0) + flow.units
    return domestic, export


def _largest(sums: dict[K, int]) -> list[tuple[K, int]]:
    """The largest flows, the very largest last, so that it is drawn on top."""
    return sorted(sums.items(), key=lambda item: (item[1], str(item[0])))[-DRAWN:]


def _airports(axes: Axes, on: View) -> None:
    """Every large airport in view, as faint ground."""
    seen = [on.at((a.latitude, a.longitude)) for a in geo.airports().values() if on.shows((a.latitude, a.longitude))]
    # One line with a gap after each point; many marks would make up half of the page.
    across = [x for point in seen for x in (point[0], point[0], nan)]
    down = [y for point in seen for y in (point[1], point[1], nan)]
    _stroke(axes, across, down, "line", 2.4, 1.0, 1)


def _stroke(
    axes: Axes, across: Sequence[float], down: Sequence[float], tint: str, width: float, strength: float, level: int
) -> None:
    axes.plot(
        across,
        down,
        color=tone(tint),
        linewidth=width,
        alpha=strength if strength < 1 else None,
        solid_capstyle="round",
        zorder=level,
        clip_on=False,
    )


def _width(share: float) -> float:
    return max(0.35, _WIDEST * share)


def _strength(share: float) -> float:
    """Small flows are faint, so that the large ones show through hundreds of them."""
    return float(min(0.9, 0.22 + 0.7 * share**0.5))


def _line(axes: Axes, start: Place, end: Place, share: float, tint: str) -> None:
    _stroke(axes, [start[0], end[0]], [start[1], end[1]], tint, _width(share), _strength(share), 2)


def _dashes(axes: Axes, start: Place, end: Place, share: float) -> None:
    axes.plot(
        [start[0], end[0]],
        [start[1], end[1]],
        color=tone("ink"),
        linewidth=max(1.1, _width(share)),
        linestyle=(0, (2.2, 1.4)),
        alpha=0.75,
        zorder=4,
        clip_on=False,
    )


def _arc(axes: Axes, start: Place, end: Place, share: float, tint: str) -> None:
    """A line that bends to the north, so that there and back of many do not fall into one."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    (x0, y0), (x1, y1) = start, end
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    bend = (x0 + x1) / 2, (y0 + y1) / 2 - 0.22 * length
    path = Path([start, bend, end], [Path.MOVETO, Path.CURVE3, Path.CURVE3])
    axes.add_patch(
        PathPatch(
            path,
            fill=False,
            edgecolor=tone(tint),
            alpha=_strength(share),
            linewidth=_width(share),
            capstyle="round",
            zorder=2,
            clip_on=False,
        )
    )


def _dot(axes: Axes, point: Place, size: float, tint: str, level: int = 3) -> None:
    """A disc of that radius: a line of no length with round ends, which is the shortest way to say it."""
    _stroke(axes, [point[0], point[0]], [point[1], point[1]], tint, 2 * size, 1.0, level)


def _gate(axes: Axes, point: Place, size: float) -> None:
    axes.plot(*point, "^", markersize=size, color=tone("paper"), markeredgecolor=tone("ink"), zorder=5, clip_on=False)


class _Labels:
    """Names beside points, each where it covers no other name and no point, or nowhere."""

    def __init__(self, axes: Axes, on: View) -> None:
        self._axes = axes
        self._on = on
        self._boxes: list[_Box] = []

    def taken(self, point: Place, size: float) -> None:
        """A mark that names should not cover."""
        self._boxes.append((point[0] - size, point[1] - size, point[0] + size, point[1] + size))

    def add(
        self, point: Place, away: float, text: str, tint: str, size: float, weight: str, *, sure: bool = False
    ) -> None:
        """Write a name beside a point. `sure`: where no place is free, to its right all the same."""
        x, y = point
        long, high, gap = 0.64 * size * len(text), size, away + 3
        spots = [
            (x + gap, y, "left"),
            (x - gap, y, "right"),
            (x, y - gap - high / 2, "center"),
            (x, y + gap + high / 2, "center"),
            (x + gap * 0.8, y - gap * 0.8, "left"),
            (x + gap * 0.8, y + gap * 0.8, "left"),
            (x - gap * 0.8, y - gap * 0.8, "right"),
            (x - gap * 0.8, y + gap * 0.8, "right"),
        ]
        boxes = [_box(left, middle, side, long, high) for left, middle, side in spots]
        free = [number for number, box in enumerate(boxes) if self._free(box)]
        if not free and not sure:
            return
        chosen = free[0] if free else 0
        left, middle, side = spots[chosen]
        self._boxes.append(boxes[chosen])
        self._axes.text(
            left,
            middle + 0.36 * size,
            text,
            fontsize=size,
            fontweight=weight,
            color=tone(tint),
            ha=side,
            va="baseline",
            zorder=8,
        )

    def _free(self, box: _Box) -> bool:
        if box[0] < 0 or box[1] < 0 or box[2] > WIDTH or box[3] > self._on.height:
            return False
        return not any(
            box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3] for other in self._boxes
        )


def _box(x: float, middle: float, side: str, long: float, high: float) -> _Box:
    begin = x - {"left": 0.0, "right": long, "center": long / 2}[side]
    return begin, middle - high / 2, begin + long, middle + high / 2
