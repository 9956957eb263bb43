"""Orders of a spool, placed at their date; in a replay also tied, shipped, delivered and cancelled in time order.

Happenings at one moment come in the order place (and tie), cancel, ship, deliver, then by order number. Every command
has a key that follows from the file, so a run that was broken off is finished by the next, and a whole one repeated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from heapq import merge

from orderstate.engine import Answer, Engine
from orderstate.engine.commands import Cancel, Fire, Place
from orderstate.errors import OrderstateError
from orderstate.history.batches import Batches, Outcome
from orderstate.history.mapping import OrderMapping
from orderstate.history.matching import Claim, match
from orderstate.history.report import Report
from orderstate.model import Stock
from orderstate.store import orders
from orderstate.store.spool import Holding, Invoice, Spool

PLACE, CANCEL, SHIP, DELIVER = range(4)
_NOT_HERE = 0
"""The code of an order that is not in the database: not placed yet, or refused."""

_FILLING = ("cheapest", "fewest-shipments", "nearest", "priority")
"""Strategies that leave nothing short of which any facility has a unit, unless a setting limits them."""


@dataclass(slots=True)
class Tally:
    """What has happened so far."""

    placed: int = 0
    repeated: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    exit_status: int = 0
    children: int = 0
    backordered: int = 0
    several_facilities: int = 0
    units_ordered: int = 0
    units_tied: int = 0
    units_cancelled: int = 0
    units_shipped_before: int = 0
    units_unmatched: int = 0


class Replay:
    """One pass over a sealed spool. It keeps three bytes an order in memory, and a count where a cancel was refused."""

    def __init__(
        self,
        engine: Engine,
        spool: Spool,
        mapping: OrderMapping,
        report: Report,
        *,
        batch: int,
        progress: Callable[[int], None],
    ) -> None:
        self.tally = Tally()
        self._engine = engine
        self._spool = spool
        self._mapping = mapping
        self._report = report
        self._progress = progress
        self._done = 0
        self._batches = Batches(engine, batch, lambda: progress(self._done))
        self._machine = engine.machine
        self._names = list(self._machine.states)
        self._codes = {name: code for code, name in enumerate(self._names, start=1)}
        self._stock: list[Stock | None] = [None, *(state.stock for state in self._machine.flow.states)]
        size = sum(spool.count()) + 1
        self._state = bytearray(size)
        self._was_there = bytearray(size)
        self._was_split = bytearray(size)
        self._refused_cancels: Counter[int] = Counter()
        self._splits, self._parts_at_once = _parts(engine.settings())

    @property
    def states(self) -> dict[str, int]:
        """How many orders, children among them, are in each state of the flow."""
        return {name: self._state.count(code) for code, name in enumerate(self._names, start=1)}

    def place_all(self) -> None:
        """Place every order at its date."""
        for invoice in self._spool.invoices(orders_only=True):
            self._place(invoice)
        self._batches.flush()

    def play(self, ship_after: int | None, deliver_after: int | None) -> None:
        """Play everything in time order. Delays are microseconds after placing, and after shipping; None: never."""
        for at, kind, _, invoice in self._happenings(ship_after, deliver_after):
            if kind == PLACE:
                self._place(invoice, tie=True)
            elif kind == CANCEL:
                self._cancel(invoice)
            else:
                self._send_off(at, invoice, *(("ship", Stock.TIED) if kind == SHIP else ("deliver", Stock.GONE)))
        self._batches.flush()

    def _happenings(self, ship_after: int | None, deliver_after: int | None) -> Iterator[tuple[int, int, str, Invoice]]:
        streams: list[Iterator[tuple[int, int, str, Invoice]]] = [
            ((i.at, CANCEL if i.cancels else PLACE, i.number, i) for i in self._spool.invoices())
        ]
        if ship_after is not None:
            streams.append(self._later(ship_after, SHIP))
            if deliver_after is not None:
                streams.append(self._later(ship_after + deliver_after, DELIVER))
        return merge(*streams, key=lambda happening: happening[:3])

    def _later(self, delay: int, kind: int) -> Iterator[tuple[int, int, str, Invoice]]:
        return ((i.at + delay, kind, i.number, i) for i in self._spool.invoices(orders_only=True))

    # Placing and tying

    def _place(self, invoice: Invoice, *, tie: bool = False) -> None:
        self._done += 1
        order = self._mapping.order_id(invoice.number)
        lines = self._spool.lines(invoice.ordinal)
        then = partial(self._placed, invoice, sum(units for _, units in lines))
        try:
            place = Place(
                lines=lines,
                to=invoice.destination,
                id=order,
                key=f"{self._mapping.name}:{invoice.number}",
                role="system",
                at=invoice.at,
            )
        except OrderstateError as error:
            then(error)
            return
        # Two order numbers can make one id: #7 and 7.
        self._batches.settle([order])
        self._batches.room(2)
        self._batches.send(order, place, then)
        if not tie:
            return
        if self._exists(order):
            # It may be somebody else's order of that name, which is none of ours to tie.
            self._batches.flush()
            if self._state[invoice.ordinal] == _NOT_HERE:
                return
            if self._refusals(order, "tie_inventory"):
                self._report.refused(invoice.number, "tie", f"{order} was refused its tie in an earlier run")
                return
        self._tie(invoice, invoice.ordinal, order)
        if self._parts_at_once:
            self._batches.flush()

    def _exists(self, order: str) -> bool:
        with self._engine.store.read() as tx:
            return orders.exists(tx, order)

    def _refusals(self, order: str, trigger: str) -> int:
        """How often an earlier run was refused the trigger. Refusals have no keys: asking twice would count twice."""
        return sum(row.count for row in self._engine.history(order).refusals if row.trigger == trigger)

    def _placed(self, invoice: Invoice, units: int, outcome: Outcome) -> None:
        if isinstance(outcome, OrderstateError):
            self.tally.refused[outcome.code] = self.tally.refused.get(outcome.code, 0) + 1
            self.tally.exit_status = self.tally.exit_status or outcome.exit_status
            self._report.refused(invoice.number, "place", outcome.sentence)
            return
        self._was_there[invoice.ordinal] = outcome.repeated
        self._state[invoice.ordinal] = self._codes[outcome.state]
        self.tally.units_ordered += units
        if outcome.repeated:
            self.tally.repeated += 1
        else:
            self.tally.placed += 1

    def _tie(self, invoice: Invoice, ordinal: int, order: str) -> None:
        tie = self._fire("tie_inventory", "tie", invoice, order, invoice.at)
        self._batches.send(order, tie, partial(self._tied, invoice, ordinal, order))

    def _fire(self, trigger: str, step: str, invoice: Invoice, order: str, at: int) -> Fire:
        part = order.removeprefix(self._mapping.order_id(invoice.number))
        key = f"{step}:{self._mapping.name}:{invoice.number}{part and f':{order}'}"
        return Fire(order=order, trigger=trigger, key=key, role="system", at=at)

    def _tied(self, invoice: Invoice, ordinal: int, order: str, outcome: Outcome) -> None:
        if self._state[ordinal] == _NOT_HERE:
            return
        if isinstance(outcome, OrderstateError):
            self._report.refused(invoice.number, "tie", outcome.sentence)
            return
        self._state[ordinal] = self._codes[outcome.state]
        self.tally.backordered += outcome.exit_status == 5
        plan = outcome.document.get("plan")
        if plan is None:
            return
        self.tally.units_tied += sum(units for *_, units in plan["allocations"])
        self.tally.several_facilities += len({facility for facility, *_ in plan["allocations"]}) > 1
        child = outcome.document.get("child")
        if child is not None:
            self.tally.children += 1
            self._was_split[invoice.ordinal] = True
            place = self._spool.split(invoice, ordinal, child, plan["short"])
            self._state.append(self._codes[self._machine.flow.initial])
            self._tie(invoice, place, child)

    # Shipping and delivering

    def _send_off(self, at: int, invoice: Invoice, trigger: str, stock: Stock) -> None:
        """Ship or deliver the order and its children, those that stand where it can be done; pass over the others."""
        parts = [(invoice.ordinal, self._mapping.order_id(invoice.number))]
        self._batches.settle(order for _, order in parts)
        if self._was_split[invoice.ordinal]:
            parts += self._spool.children(invoice.ordinal)
            self._batches.settle(order for _, order in parts)
        for ordinal, order in parts:
            code = self._state[ordinal]
            if code and self._stock[code] is stock and trigger in self._machine.choices(self._names[code - 1]):
                self._batches.room(1)
                step = self._fire(trigger, trigger, invoice, order, at)
                self._batches.send(order, step, partial(self._moved, invoice, ordinal, trigger))

    def _moved(self, invoice: Invoice, ordinal: int, step: str, outcome: Outcome) -> None:
        if isinstance(outcome, Answer):
            self._state[ordinal] = self._codes[outcome.state]
        else:
            self._report.refused(invoice.number, step, outcome.sentence)

    # Cancelling

    def _cancel(self, invoice: Invoice) -> None:
        self._done += 1
        if self._splits and self._batches.unsettled:
            # What is given back here must not be there yet when an earlier order's part is tied.
            self._batches.flush()
        claims: dict[tuple[str, bool], tuple[Holding, dict[str, int]]] = {}
        for sku, wanted in self._spool.lines(invoice.ordinal):
            for claim in self._match(invoice, sku, wanted):
                _, lines = claims.setdefault((self._holder(claim.holding), claim.gone), (claim.holding, {}))
                lines[sku] = claim.units
        for (order, gone), (holding, lines) in claims.items():
            if gone and self._told_before(holding, order):
                self._not_cancelled(invoice, lines, "shipped", f"{order} had left, as an earlier run was told")
                continue
            self._batches.room(1)
            cancel = Cancel(
                order=order,
                lines=lines,
                reason=f"cancellation {invoice.number}",
                key=f"cancel:{self._mapping.name}:{invoice.number}:{order}",
                role="system",
                at=invoice.at,
            )
            self._batches.send(order, cancel, partial(self._cancelled, invoice, holding.ordinal, lines))

    def _told_before(self, holding: Holding, order: str) -> bool:
        """Whether an earlier run was refused this cancellation of an order that has left, the n-th of all refused."""
        self._refused_cancels[holding.ordinal] += 1
        if not self._was_there[holding.placed]:
            return False
        return self._refusals(order, "cancel") >= self._refused_cancels[holding.ordinal]

    def _match(self, invoice: Invoice, sku: str, wanted: int) -> list[Claim]:
        """The claims on one SKU, booked in the spool; what no order held is counted."""
        customer = invoice.customer
        if customer is None:
            self._not_cancelled(invoice, {sku: wanted}, "unmatched", "the cancellation names no customer")
            return []
        claims, rest = match(wanted, self._holdings(customer, sku, invoice.ordinal), self._gone)
        for claim in claims:
            self._spool.claim(customer, sku, claim.holding.placed, claim.holding.ordinal, claim.units)
        if rest:
            self._not_cancelled(invoice, {sku: rest}, "unmatched", f"no order of customer {customer} holds them")
        return claims

    def _holdings(self, customer: str, sku: str, before: int) -> list[Holding]:
        found = self._spool.holdings(customer, sku, before)
        if self._batches.settle(map(self._holder, found)):
            # Whether they were shipped, split or refused was not known before.
            found = self._spool.holdings(customer, sku, before)
        return [holding for holding in found if self._state[holding.ordinal] != _NOT_HERE]

    def _holder(self, holding: Holding) -> str:
        return holding.child or self._mapping.order_id(holding.number)

    def _gone(self, ordinal: int) -> bool:
        return self._stock[self._state[ordinal]] is Stock.GONE

    def _cancelled(self, invoice: Invoice, ordinal: int, lines: dict[str, int], outcome: Outcome) -> None:
        if isinstance(outcome, Answer):
            self._state[ordinal] = self._codes[outcome.state]
            self.tally.units_cancelled += sum(lines.values())
            return
        self._not_cancelled(invoice, lines, "shipped" if self._gone(ordinal) else "unmatched", outcome.sentence)

    def _not_cancelled(self, invoice: Invoice, lines: dict[str, int], kind: str, reason: str) -> None:
        units = sum(lines.values())
        if kind == "shipped":
            self.tally.units_shipped_before += units
        else:
            self.tally.units_unmatched += units
        for sku, n in lines.items():
            self._report.not_cancelled(kind, invoice.number, sku, n, reason)


def _parts(settings: Mapping[str, str]) -> tuple[bool, bool]:
    """Whether ties split parts off, and whether a part could find stock, so that its own tie must follow at once.

    It is known only after a transaction that an order was split. Its part can be tied in the next one, and the result
    does not hang on the batches, as long as the order's own tie left nothing that the part could have had.
    """
    splits = settings["short"] == "split"
    limited = settings["max_shipments"] != "none" or settings["cost.backorder"] != "none"
    return splits, splits and (limited or settings["strategy"] not in _FILLING)
