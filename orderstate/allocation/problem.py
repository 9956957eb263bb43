"""The problem that a strategy solves, as plain integers: what is wanted, what each facility has, and what it all costs.

Facilities are ranked first, by (metres, code), those without a known distance last; everything after is indexed by rank
and line, so the order in which facilities, stock or demand were given changes nothing. Money is in 1/1000 of the minor
unit throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from orderstate.errors import InvalidInput, NotFound
from orderstate.model import POOLS, Allocation, Plan, Standing
from orderstate.settings import DEFAULTS

Source = tuple[int, int, int, int]
"""(rank, pool, available units, unit cost): where units of one line can come from. The pool indexes `model.POOLS`."""

Take = tuple[int, int, int, int]
"""(rank, line, pool, units): what a strategy takes."""

POOL_NUMBER: Mapping[str, int] = {pool: number for number, pool in enumerate(POOLS)}


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller demands of a plan, whatever the strategy.

    only, exclude: facility codes. max_shipments: the most facilities that may ship; None: the setting's.
    complete: the whole order or nothing. whole_lines: each line whole from one facility, or not at all.
    """

    only: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    max_shipments: int | None = None
    complete: bool = False
    whole_lines: bool = False

    def __post_init__(self) -> None:
        if self.max_shipments is not None and (type(self.max_shipments) is not int or self.max_shipments < 1):
            raise InvalidInput("max_shipments", self.max_shipments, "a whole number from 1")


NO_OPTIONS = Options()

NODE_LIMIT = DEFAULTS.node_limit
"""What explicit problems are limited to unless they say otherwise: the setting's default."""


def tie_bits(facilities: int) -> tuple[int, int]:
    """How many low bits the tie rule takes: (bits of the rank digit, bits of the whole tie).

    The rank digit is 16 bits wide, and wider only from 363 facilities on, where all ranks together would not fit.
    """
    digit = max(16, (facilities * (facilities - 1) // 2).bit_length())
    return digit, digit + (facilities + 1).bit_length()


MONEY_LIMIT = 1 << 53
"""What the dearest plan of a problem must stay below, in 1/1000 minor unit: 9 million million minor units.

Costs, bounds and floors then fit 64 bits, and JSON readers that know only doubles keep them exactly. The tie digits
come on top inside the search alone, where integers have no size; nothing that is stored carries them."""


class Sites:
    """The facilities as one destination sees them, ranked. Every sequence is indexed by rank.

    codes; metres to the destination or the gateway (None: unknown); gateways (None: domestic); marks; fixed: F_i, the
    cost of a shipment; parts: what F_i is made of, by name; priorities; out: why a facility is out from the start
    (closed), or None. rank_of maps a code to its rank. rebate: the split penalty that is in every F_i, but which the
    first shipment of a plan does not pay.
    """

    __slots__ = (
        "_standings",
        "codes",
        "fixed",
        "gateways",
        "marks",
        "metres",
        "out",
        "parts",
        "priorities",
        "rank_of",
        "rebate",
        "total",
    )

    def __init__(
        self,
        codes: Sequence[str],
        fixed: Sequence[int],
        *,
        metres: Sequence[int | None],
        gateways: Sequence[str | None],
        marks: Sequence[tuple[str, ...]],
        parts: Sequence[Mapping[str, int]],
        priorities: Sequence[int],
        out: Sequence[str | None],
        rebate: int = 0,
    ) -> None:
        self.codes = tuple(codes)
        self.fixed = tuple(fixed)
        self.metres = tuple(metres)
        self.gateways = tuple(gateways)
        self.marks = tuple(marks)
        self.parts = tuple(parts)
        self.priorities = tuple(priorities)
        self.out = tuple(out)
        self.rebate = rebate
        self.rank_of = {code: rank for rank, code in enumerate(self.codes)}
        self.total = sum(self.fixed)
        self._standings: dict[tuple[int, str], Standing] = {}

    def standing(self, rank: int, why: str, floor: int | None = None) -> Standing:
        """A facility's standing; those without a floor are made once and shared."""
        if floor is not None:
            return Standing(self.codes[rank], why, self.metres[rank], self.gateways[rank], floor, self.marks[rank])
        found = self._standings.get((rank, why))
        if found is None:
            found = Standing(self.codes[rank], why, self.metres[rank], self.gateways[rank], None, self.marks[rank])
            self._standings[rank, why] = found
        return found

    def outs(self, options: Options) -> tuple[str | None, ...]:
        """Why each facility is out: closed, excluded, not_among_only; None: it may ship.

        Raises NotFound for a code in `only` or `exclude` that no facility has.
        """
        only, exclude = options.only, options.exclude
        if not only and not exclude:
            return self.out
        for code in sorted(only | exclude):
            if code not in self.rank_of:
                raise NotFound.named("facility", code, self.codes)
        return tuple(
            out or ("excluded" if code in exclude else "not_among_only" if only and code not in only else None)
            for code, out in zip(self.codes, self.out, strict=True)
        )


class Problem:
    """One order to be planned. Built by `Network.problem` or `Problem.explicit`; to be read, not changed.

    skus, demand: the lines, by SKU, and the units wanted of each. sources: per line, where units can come from, by
    (rank, pool), only from facilities that may ship. out: per rank, why a facility may not ship, or None. sites: the
    ranked facilities. max_shipments, node_limit: limits that a plan must keep. backorder: the cost of one unit short;
    None: filling comes before any cost.
    """

    __slots__ = (
        "_index",
        "backorder",
        "demand",
        "max_shipments",
        "node_limit",
        "options",
        "out",
        "sites",
        "skus",
        "sources",
    )

    def __init__(
        self,
        sites: Sites,
        skus: tuple[str, ...],
        demand: tuple[int, ...],
        sources: list[list[Source]],
        out: tuple[str | None, ...],
        *,
        options: Options = NO_OPTIONS,
        max_shipments: int | None = None,
        node_limit: int = NODE_LIMIT,
        backorder: int | None = None,
    ) -> None:
        self.sites = sites
        self.skus = skus
        self.demand = demand
        self.sources = sources
        self.out = out
        self.options = options
        self.max_shipments = max_shipments
        self.node_limit = node_limit
        self.backorder = backorder
        self._index: dict[tuple[int, int, int], tuple[int, int]] | None = None

    @classmethod
    def explicit(
        cls,
        fixed: Mapping[str, int],
        rows: Iterable[tuple[str, str, str, int, int]],
        demand: Mapping[str, int],
        *,
        metres: Mapping[str, int] | None = None,
        priorities: Mapping[str, int] | None = None,
        options: Options = NO_OPTIONS,
        node_limit: int = NODE_LIMIT,
        backorder: int | None = None,
    ) -> Problem:
        """A problem from explicit tables: F by facility, and rows of (facility, SKU, pool, available, unit cost).

        Facilities are ranked by (metres, code), those without metres last. Raises InvalidInput for a cost that is
        missing, negative, no integer or too large, and for units that are none; NotFound for a facility without F.
        """
        distance = dict(metres or {})
        codes = sorted(fixed, key=lambda code: (code not in distance, distance.get(code, 0), code))
        for code in codes:
            _natural(f"fixed cost of {code}", fixed[code])
        if backorder is not None:
            _natural("backorder cost", backorder)
        sites = Sites(
            codes,
            [fixed[code] for code in codes],
            metres=[distance.get(code) for code in codes],
            gateways=[None] * len(codes),
            marks=[()] * len(codes),
            parts=[{"fixed": fixed[code]} for code in codes],
            priorities=[(priorities or {}).get(code, 100) for code in codes],
            out=[None] * len(codes),
        )
        skus, wanted = lines_of(demand)
        out = sites.outs(options)
        line_of = {sku: line for line, sku in enumerate(skus)}
        sources: list[list[Source]] = [[] for _ in skus]
        dearest = available = 0
        for facility, sku, pool, units, cost in rows:
            rank = sites.rank_of.get(facility)
            if rank is None:
                raise NotFound.named("facility", facility, sites.codes)
            if pool not in POOL_NUMBER:
                raise NotFound.named("pool", pool, POOLS)
            _natural(f"unit cost of {sku} at {facility}", cost)
            _natural(f"available {sku} at {facility}", units)
            if sku in line_of and units and out[rank] is None:
                sources[line_of[sku]].append((rank, POOL_NUMBER[pool], units, cost))
                dearest = max(dearest, cost)
                available += units
        for line in sources:
            line.sort()
        hold_money(sites, dearest, min(available, sum(wanted)), backorder, sum(wanted))
        return cls(
            sites,
            skus,
            wanted,
            sources,
            out,
            options=options,
            max_shipments=options.max_shipments,
            node_limit=node_limit,
            backorder=backorder,
        )

    def remaining(self, takes: Collection[Take]) -> Problem:
        """What is left to plan once these units are taken: for strategies that decide a part themselves.

        A facility that ships already costs nothing more to ship from. Lines that are filled are gone, so lines have
        other numbers. The limits on shipments, on whole lines and on complete orders do not carry over. Raises NotFound
        for a take from stock that the problem does not have.
        """
        sites, index, left, held = self.sites, self.index, list(self.demand), {}
        for rank, line, pool, units in takes:
            if (rank, line, pool) not in index:
                raise NotFound(f"this problem has no stock at {(rank, line, pool)}", code="unknown_source")
            left[line] -= units
            held[rank, line, pool] = index[rank, line, pool][0] - units
        ships = {take[0] for take in takes}
        lines = [line for line, units in enumerate(left) if units > 0]
        sources = [
            [
                (rank, pool, units, cost)
                for rank, pool, available, cost in self.sources[line]
                if (units := held.get((rank, line, pool), available)) > 0
            ]
            for line in lines
        ]
        rest = Sites(
            sites.codes,
            [0 if rank in ships else cost for rank, cost in enumerate(sites.fixed)],
            metres=sites.metres,
            gateways=sites.gateways,
            marks=sites.marks,
            parts=[{} if rank in ships else parts for rank, parts in enumerate(sites.parts)],
            priorities=sites.priorities,
            out=sites.out,
            rebate=0 if ships else sites.rebate,
        )
        return Problem(
            rest,
            tuple(self.skus[line] for line in lines),
            tuple(left[line] for line in lines),
            sources,
            self.out,
            node_limit=self.node_limit,
            backorder=self.backorder,
        )

    @property
    def index(self) -> Mapping[tuple[int, int, int], tuple[int, int]]:
        """(available, unit cost) by (rank, line, pool). Raises InvalidInput where stock names one pool twice."""
        if self._index is None:
            found = {
                (rank, line, pool): (available, cost)
                for line, sources in enumerate(self.sources)
                for rank, pool, available, cost in sources
            }
            if len(found) < sum(map(len, self.sources)):
                raise InvalidInput("stock", "a pool", "named once per facility, SKU and pool")
            self._index = found
        return self._index

    def unit_cost(self, allocation: Allocation) -> int:
        """c of one allocated unit, 1/1000 minor unit. Raises NotFound where the problem has no such stock."""
        rank = self.sites.rank_of.get(allocation.facility)
        try:
            line = self.skus.index(allocation.sku)
            return self.index[rank, line, POOL_NUMBER[allocation.pool]][1]  # type: ignore[index]  # None is no key
        except (KeyError, ValueError):
            what = f"{allocation.sku} in {allocation.pool} of {allocation.facility}"
            raise NotFound(f"this problem has no {what}", code="unknown_source") from None

    def cost(self, takes: Iterable[Take]) -> int:
        """The true cost of a plan: each facility's F, less the split penalty of the first, and each unit's c.

        With a declared `backorder` cost it includes the units short.
        """
        index, total, ranks, planned = self.index, 0, set(), 0
        for rank, line, pool, units in takes:
            ranks.add(rank)
            planned += units
            total += units * index[rank, line, pool][1]
        fixed = self.sites.fixed
        for rank in ranks:
            total += fixed[rank]
        if ranks:
            total -= self.sites.rebate
        if self.backorder is not None:
            total += self.backorder * (sum(self.demand) - planned)
        return total

    def plan(
        self,
        strategy: str,
        takes: Collection[Take],
        otherwise: str = "not_needed",
        *,
        whys: Mapping[int, str] | None = None,
        floors: Mapping[int, int] | None = None,
        bound: int | None = None,
        optimal: bool = False,
        nodes: int = 0,
        certificate: Mapping[str, object] | None = None,
    ) -> Plan:
        """A finished plan from what a strategy takes: sorted, with its true cost, what is short, and every standing.

        A facility that could ship but does not stands as `whys` says, else as no_units where it holds none of what is
        wanted, else as `otherwise`. Raises NotFound for a take from stock that the problem does not have.
        """
        codes, skus, sites = self.sites.codes, self.skus, self.sites
        try:
            cost = self.cost(takes)
        except KeyError as missing:
            raise NotFound(f"this problem has no stock at {missing.args[0]}", code="unknown_source") from None
        left = list(self.demand)
        used = set()
        rows = []
        for rank, line, pool, units in takes:
            left[line] -= units
            used.add(rank)
            rows.append((codes[rank], skus[line], POOLS[pool], units))
        rows.sort()
        holders = {key[0] for key in self.index}
        standings = []
        for rank, out in enumerate(self.out):
            if out is None:
                if rank in used:
                    out = "used"
                elif whys and rank in whys:
                    out = whys[rank]
                else:
                    out = otherwise if rank in holders else "no_units"
            standings.append(sites.standing(rank, out, floors.get(rank) if floors else None))
        return Plan(
            strategy,
            tuple([Allocation(*row) for row in rows]),
            {sku: units for sku, units in zip(skus, left, strict=True) if units},
            tuple(standings),
            cost,
            bound,
            optimal,
            nodes,
            certificate,
        )


def lines_of(demand: Mapping[str, int]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """SKUs and the units wanted of each, by SKU. Raises InvalidInput for units that are not from 1."""
    skus = tuple(sorted(demand))
    wanted = tuple([demand[sku] for sku in skus])
    for sku, units in zip(skus, wanted, strict=True):
        if type(units) is not int or units < 1:
            raise InvalidInput(f"quantity of {sku}", units, "a whole number from 1")
    return skus, wanted


def hold_money(sites: Sites, dearest: int, units: int, backorder: int | None, wanted: int) -> None:
    """Refuse costs with which the dearest plan could reach MONEY_LIMIT."""
    worst = sites.total + dearest * units + (backorder or 0) * wanted
    if worst >= MONEY_LIMIT:
        raise InvalidInput(
            "cost",
            worst,
            f"below {MONEY_LIMIT}, the most that an order may come to, in 1/1000 of the minor unit",
            hint="lower the costs that `orderstate config list` and `orderstate facility list` show",
        )


def _natural(field: str, value: object) -> None:
    if type(value) is not int or value < 0:
        raise InvalidInput(field, value, "a whole number from 0")


UnitCost = Callable[[Allocation], int]
"""What one unit of an allocation costs, 1/1000 minor unit: `Problem.unit_cost`."""
