"""The facilities of a database, made ready once, so that an order's problem takes microseconds to build."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orderstate import geo
from orderstate.allocation.problem import (
    NO_OPTIONS,
    POOL_NUMBER,
    Options,
    Problem,
    Sites,
    Source,
    UnitCost,
    hold_money,
    lines_of,
)
from orderstate.errors import NotFound
from orderstate.model import POOLS, Allocation, Destination, Facility
from orderstate.settings import Costs, Settings

_REMEMBERED = 1024
"""Destinations whose ranking is kept: a shop's towns and countries, a few kilobytes each."""


def by_weight(grams: int, per_kg: int) -> int:
    """What so many grams cost, in 1/1000 minor unit rounded half up; per_kg is in 1/1,000,000 minor unit."""
    return (grams * per_kg + 500_000) // 1_000_000


class _Site:
    """One facility with its own costs; the gateway is looked up when an order first goes abroad."""

    __slots__ = ("_gateway", "costs", "facility")

    def __init__(self, facility: Facility, costs: Costs) -> None:
        self.facility = facility
        self.costs = costs.of(facility)
        self._gateway: geo.Gateway | None = None

    def gateway(self) -> geo.Gateway | None:
        if self._gateway is None:
            self._gateway = geo.gateway(self.facility)
        return self._gateway


class _Ranking:
    """All that depends on the destination only: the ranked sites, and what a unit costs before and by its weight."""

    __slots__ = ("base", "per_kg", "sites")

    def __init__(self, sites: Sites, base: list[tuple[int, int]], per_kg: list[int]) -> None:
        self.sites = sites
        self.base = base
        self.per_kg = per_kg


class Network:
    """The facilities and settings of one version of the network. Make it once, ask it for many problems.

    Raises NotFound and InvalidInput for a facility whose own costs cannot be used.
    """

    __slots__ = ("_markets", "_rankings", "_settings", "_sites")

    def __init__(self, facilities: Iterable[Facility], settings: Settings) -> None:
        self._settings = settings
        self._markets = geo.Markets.read(settings.markets)
        self._sites = [_Site(f, settings.costs) for f in sorted(facilities, key=lambda f: f.code)]
        self._rankings: dict[Destination, _Ranking] = {}

    def sites(self, destination: Destination) -> Sites:
        """The facilities as the destination sees them: ranked, with distance, gateway and the parts of each F."""
        return self._ranking(destination).sites

    def problem(
        self,
        destination: Destination,
        demand: Mapping[str, int],
        stock: Iterable[tuple[str, str, str, int]],
        grams: Mapping[str, int],
        options: Options = NO_OPTIONS,
        *,
        scarcity: Mapping[tuple[str, str], int] | None = None,
    ) -> Problem:
        """The problem of one order.

        demand: units by SKU, lines of one SKU already summed. stock: (facility, SKU, pool, available units), each once;
        rows of other SKUs, and with nothing available, are passed over. grams: weight of one unit by SKU; missing: 0.
        scarcity: an extra cost of one unit by (facility, SKU), 1/1000 minor unit; missing: 0.

        Raises NotFound for a facility or pool that does not exist, InvalidInput for units or costs that cannot be used.
        """
        settings = self._settings
        ranking = self._ranking(destination)
        sites, base, per_kg = ranking.sites, ranking.base, ranking.per_kg
        rank_of, out = sites.rank_of, sites.outs(options)
        skus, wanted = lines_of(demand)
        line_of = {sku: line for line, sku in enumerate(skus)}
        weights = [grams.get(sku, 0) for sku in skus]
        sources: list[list[Source]] = [[] for _ in skus]
        dearest = total = 0
        try:
            for facility, sku, pool, available in stock:
                line = line_of.get(sku)
                if line is None or available <= 0:
                    continue
                rank = rank_of[facility]
                if out[rank] is not None:
                    continue
                number = POOL_NUMBER[pool]
                cost = base[rank][number] + by_weight(weights[line], per_kg[rank])
                if scarcity is not None:
                    cost += scarcity.get((facility, sku), 0)
                sources[line].append((rank, number, available, cost))
                total += available
                if cost > dearest:
                    dearest = cost
        except KeyError:
            if facility not in rank_of:
                raise NotFound.named("facility", facility, sites.codes) from None
            raise NotFound.named("pool", pool, POOLS) from None
        for rows in sources:
            rows.sort()
        units = sum(wanted)
        hold_money(sites, dearest, min(total, units), settings.costs.backorder, units)
        return Problem(
            sites,
            skus,
            wanted,
            sources,
            out,
            options=options,
            max_shipments=options.max_shipments or settings.max_shipments,
            node_limit=settings.node_limit,
            backorder=settings.costs.backorder,
        )

    def unit_cost(self, destination: Destination, grams: Mapping[str, int]) -> UnitCost:
        """c of one allocated unit of an order to `destination`, whatever stock there is now: what `reduce` asks for.

        The function raises NotFound for a facility or pool that does not exist.
        """
        ranking = self._ranking(destination)
        rank_of = ranking.sites.rank_of

        def cost(allocation: Allocation) -> int:
            rank, number = rank_of.get(allocation.facility), POOL_NUMBER.get(allocation.pool)
            if rank is None:
                raise NotFound.named("facility", allocation.facility, ranking.sites.codes)
            if number is None:
                raise NotFound.named("pool", allocation.pool, POOLS)
            return ranking.base[rank][number] + by_weight(grams.get(allocation.sku, 0), ranking.per_kg[rank])

        return cost

    def _ranking(self, destination: Destination) -> _Ranking:
        found = self._rankings.get(destination)
        if found is None:
            if len(self._rankings) >= _REMEMBERED:
                self._rankings.clear()
            found = self._rankings[destination] = self._rank(destination)
        return found

    def _rank(self, destination: Destination) -> _Ranking:
        seen = sorted(
            ((self._look(site, destination), site) for site in self._sites),
            key=lambda pair: (pair[0][0] is None, pair[0][0] or 0, pair[1].facility.code),
        )
        parts, base, per_kg = [], [], []
        for (way, gateway, air, marks), site in seen:
            costs = site.costs
            domestic_anywhere = gateway is None and "country_only" in marks
            km = way if way is not None else (0 if domestic_anywhere else geo.FARTHEST)
            abroad = not self._markets.domestic(site.facility.country, destination.country)
            found = {
                "handling": costs.handling,
                "carrier_base": costs.carrier_base,
                "split_penalty": costs.split_penalty,
                "distance": (costs.per_km * km + 500) // 1000,
            }
            if abroad:
                found["air"] = (costs.air_per_km * air + 500) // 1000
                found["export_fee"] = costs.export_fee
            parts.append(found)
            base.append((costs.pick, costs.pick + costs.back_penalty))
            per_kg.append(costs.rate_per_kg * 1000 + (costs.rate_per_kg_km * km + 500) // 1000)
        sites = Sites(
            [site.facility.code for _, site in seen],
            [sum(found.values()) for found in parts],
            metres=[look[0] for look, _ in seen],
            gateways=[look[1] for look, _ in seen],
            marks=[look[3] for look, _ in seen],
            parts=parts,
            priorities=[site.facility.priority for _, site in seen],
            out=["closed" if site.facility.closed else None for _, site in seen],
            rebate=self._settings.costs.split_penalty,
        )
        return _Ranking(sites, base, per_kg)

    def _look(self, site: _Site, destination: Destination) -> tuple[int | None, str | None, int, tuple[str, ...]]:
        """(metres to the destination or the gateway, gateway, metres by air, marks) of one facility."""
        facility = site.facility
        marks = []
        here = facility.latitude is not None and facility.longitude is not None
        if not here:
            marks.append("no_position")
        known = destination.latitude is not None and destination.longitude is not None
        if self._markets.domestic(facility.country, destination.country):
            if not known:
                marks.append("country_only")
                return (0 if here else None), None, 0, tuple(marks)
            if not here:
                return None, None, 0, tuple(marks)
            way = geo.metres(facility.latitude, facility.longitude, destination.latitude, destination.longitude)  # type: ignore[arg-type]  # `here` and `known` say that none is None
            return way, None, 0, tuple(marks)
        gateway = site.gateway()
        if gateway is None:
            return None, None, geo.FARTHEST, tuple(marks)
        if gateway.abroad:
            marks.append("gateway_abroad")
        air = 0
        if site.costs.air_per_km:
            if known:
                air = geo.metres(gateway.latitude, gateway.longitude, destination.latitude, destination.longitude)  # type: ignore[arg-type]  # `known` says that neither is None
            else:
                marks.append("country_only")
        return gateway.metres, gateway.iata, air, tuple(marks)
