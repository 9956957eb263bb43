"""The questions: what an engine answers without changing anything. Each sees one consistent view of the database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import islice
from types import TracebackType
from typing import Self

from orderstate.allocation import NO_OPTIONS, Options
from orderstate.engine import asking, stocking, timers
from orderstate.engine.session import Cache, Session, kept
from orderstate.errors import InvalidInput
from orderstate.machine import Machine
from orderstate.model import Facility, Flow, Order, OrderSummary, State, Stock, StockLevel, Subscriber, Tally
from orderstate.settings import SETTINGS
from orderstate.store import deliveries, network, orders, stock
from orderstate.store.sqlite import SqliteStore, Transaction


def microseconds() -> int:
    """The system's clock: UTC microseconds since 1970."""
    return time.time_ns() // 1000


class Reader:
    """The asking half of an engine."""

    def __init__(self, store: SqliteStore, *, clock: Callable[[], int] = microseconds) -> None:
        self.store = store
        self.clock = clock
        self._cache = Cache()

    @property
    def machine(self) -> Machine:
        """The flow in force, compiled. Setting one uses it instead, in this engine alone: for what-ifs, unchecked."""
        with self.store.read() as tx:
            return self._ask(tx).machine

    @machine.setter
    def machine(self, machine: Machine) -> None:
        self._cache = Cache(machine, self._cache.silent)

    @property
    def flow(self) -> Flow:
        """The flow in force."""
        return self.machine.flow

    def kept_flow(self) -> Flow:
        """The flow in force as the database keeps it, also where a guard that it names is not installed here."""
        with self.store.read() as tx:
            return kept(tx)

    def replaced_flows(self) -> list[tuple[Flow, int]]:
        """(flow, when it was replaced in UTC microseconds) of the flows before the one in force, oldest first.

        Flows that went before there was any order are not kept.
        """
        from orderstate.engine.flowing import replaced  # no other question needs the checks of flows

        with self.store.read() as tx:
            return replaced(tx)

    def close(self) -> None:
        """Give everything back."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _ask(self, tx: Transaction, role: str = "operator") -> Session:
        session = Session(tx, self._cache, self.clock())
        session.role = role
        return session

    @property
    def silent(self) -> bool:
        """What this engine does is history: it is written as ever, but no subscriber hears of it."""
        return self._cache.silent

    @silent.setter
    def silent(self, silent: bool) -> None:
        self._cache = Cache(self._cache.instead, silent)

    @property
    def id(self) -> str:
        """The database's random id, which makes the ids of its events unique in the world."""
        with self.store.read() as tx:
            return str(network.setting(tx, "database.id"))

    def show(self, order: str, version: int | None = None) -> asking.Shown:
        """The order with allocations, shipments, children and plan; as it was at `version`, if given."""
        with self.store.read() as tx:
            session = self._ask(tx)
            return asking.show(session, order) if version is None else asking.show_at(session, order, version)

    def order(self, order: str) -> Order:
        """The order as it stands, as a model.Order. Raises NotFound."""
        with self.store.read() as tx:
            return orders.read(tx, order)

    def orders(
        self,
        *,
        state: str | None = None,
        sku: str | None = None,
        facility: str | None = None,
        waiting: bool = False,
        older_than: int | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> list[OrderSummary]:
        """A page of orders, newest first; `waiting` ones oldest first. `after`: the last id of the page before.

        older_than: at least so many microseconds in the present state, those longest in it first (final states are left
        out unless named).
        facility: orders with stock tied or shipped there. Raises NotFound for names that are not there.
        """
        if not 1 <= limit <= 100_000:
            raise InvalidInput("limit", limit, "a whole number from 1 to 100000")
        with self.store.read() as tx:
            session = self._ask(tx)
            states: Sequence[str] | None = [session.machine.state(state).name] if state else None
            if waiting:
                states = stocking.waiting_states(session.machine) if state is None else states
            elif older_than is not None and states is None:
                states = [s.name for s in session.machine.flow.states if not s.final]
            if sku is not None and not stock.known(tx, sku):
                raise orders.unknown_sku(tx, sku)
            if facility is not None:
                network.facility(tx, facility)
            return orders.listed(
                tx,
                states=states,
                sku=sku,
                facility=facility,
                entered_before=None if older_than is None else session.now - older_than,
                oldest_first=waiting,
                after=after,
                limit=limit,
            )

    def history(self, order: str) -> asking.History:
        """What happened to the order, and what was refused to it."""
        with self.store.read() as tx:
            return asking.history(self._ask(tx), order)

    def why(self, order: str, trigger: str | None = None, *, role: str = "operator") -> asking.Explanation:
        """For each trigger (or the one named): would it go for this role, and if not, every reason."""
        with self.store.read() as tx:
            return asking.why(self._ask(tx, role), order, trigger)

    def plan(self, order: str, *, options: Options = NO_OPTIONS, strategy: str | None = None) -> asking.Planned:
        """What a tie would do now, or the stored plan of an order that holds stock."""
        with self.store.read() as tx:
            return asking.plan(self._ask(tx), order, options, strategy)

    def facility(self, code: str) -> Facility:
        """The facility of that code. Raises NotFound."""
        with self.store.read() as tx:
            return network.facility(tx, code)

    def facilities(self) -> list[Facility]:
        """Every facility, by code."""
        with self.store.read() as tx:
            return network.facilities(tx)

    def stock(self, *, sku: str | None = None, facility: str | None = None) -> Iterator[StockLevel]:
        """Stock by (SKU, facility, pool), read page by page. Raises NotFound for names that are not there."""
        after: StockLevel | None = None
        with self.store.read() as tx:
            if facility is not None:
                network.facility(tx, facility)
            if sku is not None and not stock.known(tx, sku):
                raise orders.unknown_sku(tx, sku)
        while True:
            with self.store.read() as tx:
                page = stock.levels(tx, sku, facility, after)
            yield from page
            if sku is not None or len(page) < stock.PAGE:
                return
            after = page[-1]

    def due(self, *, limit: int = 1000) -> list[timers.Due]:
        """The timers that are due now by the engine's clock, those due longest first."""
        return list(islice(self._due(), limit))

    def next_due(self) -> timers.Due | None:
        """The timer that is due next, or is due longest; None where no order waits for one."""
        with self.store.read() as tx:
            return timers.next_due(self._ask(tx))

    def _due(self) -> Iterator[timers.Due]:
        """Every timer that is due now, read page by page, so that those may be fired that were given.

        What falls due meanwhile is left for the next time: orders that timers hand round would never end otherwise.
        """
        now = self.clock()
        states = timers.timed(self.flow)
        return merge(*(self._due_in(state, now) for state in states), key=lambda due: (due.due_at, due.order))

    def _due_in(self, state: State, now: int) -> Iterator[timers.Due]:
        page: list[timers.Due] = []
        while True:
            with self.store.read() as tx:
                page = timers.due_in(self._ask(tx), state, now, page[-1] if page else None)
            yield from page
            if len(page) < timers.PAGE:
                return

    def subscribers(self) -> list[Subscriber]:
        """Every subscriber, by name."""
        with self.store.read() as tx:
            return deliveries.subscribers(tx)

    def settings(self) -> dict[str, str]:
        """Every setting with the value in force, as text."""
        with self.store.read() as tx:
            kept = network.settings(tx)
        return {key: kept.get(key, setting.default) for key, setting in SETTINGS.items()}

    def counts(self) -> dict[str, int]:
        """How many orders are in each state of the flow."""
        with self.store.read() as tx:
            rows = {state: n for state, n, _ in tx.execute(tx.sql.count_states).fetchall()}
        return {state.name: rows.get(state.name, 0) for state in self.machine.flow.states}

    def tallies(self) -> dict[str, Tally]:
        """How many orders are in each state of the flow, and how long they have been there; then the same of states
        that hold orders though the flow in force lacks them.

        Reads the index of states and times only: once through for the numbers, half through a state for its median.
        """
        with self.store.read() as tx:
            session = self._ask(tx)
            found = dict.fromkeys((state.name for state in session.machine.flow.states), Tally(0))
            for state, number, first in tx.execute(tx.sql.count_states).fetchall():
                (middle,) = tx.execute(tx.sql.count_middle, (state, (number - 1) // 2)).fetchone()
                found[state] = Tally(number, max(0, session.now - first), max(0, session.now - middle))
        return found

    def _all_in(self, state: str, *, sku: str | None = None) -> Iterator[OrderSummary]:
        """The orders that are in the state now, oldest first, read page by page."""
        after: str | None = None
        while page := self._oldest(state, sku, after):
            yield from page
            after = page[-1].id

    def _oldest(self, state: str, sku: str | None, after: str | None) -> list[OrderSummary]:
        with self.store.read() as tx:
            if sku is not None and not stock.known(tx, sku):
                raise orders.unknown_sku(tx, sku)
            return orders.listed(
                tx,
                states=[state],
                sku=sku,
                facility=None,
                entered_before=None,
                oldest_first=True,
                after=after,
                limit=1000,
            )

    def waiting_states(self) -> list[str]:
        """The states in which an order waits for stock."""
        return stocking.waiting_states(self.machine)

    def tied_states(self) -> list[str]:
        """The states in which an order holds stock."""
        return [s.name for s in self.machine.flow.states if s.stock is Stock.TIED]
