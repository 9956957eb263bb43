"""The engine: what programs hold in their hands. Each command is one transaction, run by a plain function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack

from orderstate.allocation import Options
from orderstate.engine.answer import Answer
from orderstate.engine.commands import (
    MAX_KEY,
    Adjust,
    Advance,
    Cancel,
    Configure,
    Fire,
    Place,
    Receive,
    Redirect,
    Retie,
    SetFacility,
    Split,
    UseFlow,
)
from orderstate.engine.reader import microseconds
from orderstate.engine.runner import Runner
from orderstate.engine.session import Session
from orderstate.engine.timers import Due
from orderstate.errors import InvalidInput, OrderstateError, Refused, StaleVersion
from orderstate.model import Flow
from orderstate.store import events
from orderstate.store.sqlite import SqliteStore, location


class Common(TypedDict, total=False):
    """What every command takes: idempotency key, role (customer, operator, system), name, time (UTC microseconds)."""

    key: str | None
    role: str
    by: str | None
    at: int | None


class ToOrder(Common, total=False):
    """What every command to one order takes as well: refuse unless the order is at this version."""

    if_version: int | None


class Planning(ToOrder, total=False):
    """What commands take that plan: demands on the plan, and a strategy instead of the setting's."""

    options: Options
    strategy: str | None


class FacilityFields(TypedDict, total=False):
    """`at`: `LAT,LON` in degrees, None clears it; gateway: `IATA` or `IATA@LAT,LON`; priority: lower is asked first.

    costs: cost names to amounts in minor units as text, None for the network's own.
    """

    at: str | None
    name: str | None
    gateway: str | None
    priority: int
    closed: bool
    costs: Mapping[str, str | None]


class PlanningMany(TypedDict, total=False):
    """What commands take that plan many orders: no key and no version, which name one."""

    role: str
    by: str | None
    options: Options
    strategy: str | None


class _Undo(Exception):
    """The dry run is over."""


class Engine(Runner):
    """Orders, stock and facilities of one database.

        with Engine.open("orderstate.db") as engine:
            order = engine.place({"MUG": 2}, "US@39.74,-104.99", key="web-1001").order
            engine.tie(order)

    Every command takes `key` (the same key with the same content gives the first answer again), `role` (customer,
    operator or system), `by` (a name to keep) and `at` (UTC microseconds; default: the clock), and is durable when it
    returns. It raises a subclass of OrderstateError, with nothing changed but the count of refusals. An engine belongs
    to the thread and the process that opened it.
    """

    @classmethod
    def open(cls, database: str | Path, *, clock: Callable[[], int] = microseconds) -> Self:
        """Open a database: a file name or `sqlite:///PATH[?timeout=SECONDS]`.

        Raises NotFound where there is none, NotOurs, SchemaMismatch, Damaged; NotInstalled for PostgreSQL.
        """
        path, timeout = location(str(database))
        return cls(SqliteStore(path, timeout=timeout), clock=clock)

    @classmethod
    def create(cls, database: str | Path, *, clock: Callable[[], int] = microseconds) -> Self:
        """Make a new database and open it. Raises Refused where something is there already."""
        from orderstate.store.schema import create  # Alembic is needed for nothing else

        path, _ = location(str(database))
        create(path)
        return cls.open(database, clock=clock)

    def place(
        self,
        lines: Mapping[str, int] | Iterable[tuple[str, int]],
        to: str,
        *,
        id: str | None = None,
        short: str | None = None,
        contact: str | None = None,
        **common: Unpack[Common],
    ) -> Answer:
        """Record an order as pending; nothing is reserved.

        lines: SKU to units (the same SKU twice is summed). to: `CC@LAT,LON` in degrees, or `CC`. id: your own, not all
        digits. short: backorder, split or refuse, when stock does not cover it; None: the setting's.
        Raises InvalidInput, NotFound (SKU), Refused (id taken), KeyReused.
        """
        return self.execute(Place(lines=lines, to=to, id=id, short=short, contact=contact, **common))

    def fire(self, order: str, trigger: str, *, reason: str | None = None, **common: Unpack[Planning]) -> Answer:
        """Fire any trigger of the flow. Raises Refused with every reason, StockShort, NotFound, StaleVersion.

        `common` also takes `if_version`, `options` and `strategy`.
        """
        return self.execute(Fire(order=order, trigger=trigger, reason=reason, **common))

    def tie(self, order: str, **common: Unpack[Planning]) -> Answer:
        """Tie the best stock to the order: `options` demand of the plan, `strategy` instead of the setting's.

        The answer's `exit_status` is 5 where stock does not cover it and it waits. Raises StockShort where it may not
        wait, Refused with every reason, NotFound, PlanRejected.
        """
        return self.execute(Fire(order=order, trigger="tie_inventory", **common))

    def retie(self, order: str, *, force: bool = False, if_saves: bool = False, **common: Unpack[Planning]) -> Answer:
        """Plan a tied order again. `force`: it may end backordered. `if_saves`: only where that makes it cheaper.

        The answer's document says `was_cost`, `cost` and `saves` in 1/1000 minor unit. Raises StockShort, Refused.
        """
        return self.execute(Retie(order=order, force=force, if_saves=if_saves, **common))

    def retie_all(self, *, dry_run: bool = False, **common: Unpack[PlanningMany]) -> Iterator[Answer | OrderstateError]:
        """Plan every tied order again, oldest first, and keep what saves; `dry_run` undoes it all at the end.

        The dry run is the real run, in one transaction that is rolled back; the real run commits order by order.
        """
        commands = (
            Retie(order=order.id, if_saves=True, **common)
            for state in self.tied_states()
            for order in self._all_in(state)
        )
        if not dry_run:
            yield from self.run(commands)
            return
        outcomes: list[Answer | OrderstateError] = []
        queue = list(commands)
        with suppress(_Undo), self.store.write() as tx:
            session = Session(tx, self._cache, self.clock())
            outcomes = [self._attempt(session, command) for command in queue]
            raise _Undo
        yield from outcomes

    def tie_waiting(
        self, *, sku: str | None = None, **common: Unpack[PlanningMany]
    ) -> Iterator[Answer | OrderstateError]:
        """Tie the orders that wait (for the SKU, if named), oldest first by placed_at then id, each if it is covered.

        So stock goes to an older order that it completes before a younger one gets any. An order that stock still does
        not cover gives StockShort and goes on waiting.
        """
        machine = self.machine
        for state in self.waiting_states():
            trigger = machine.tying(state)
            if trigger is not None:
                yield from self.run(
                    Fire(order=order.id, trigger=trigger, **common) for order in self._all_in(state, sku=sku)
                )

    def untie(self, order: str, **common: Unpack[ToOrder]) -> Answer:
        """Give the order's stock back."""
        return self.execute(Fire(order=order, trigger="untie", **common))

    def ship(self, order: str, **common: Unpack[ToOrder]) -> Answer:
        """Send the order off: one shipment per facility. From here on it cannot be cancelled."""
        return self.execute(Fire(order=order, trigger="ship", **common))

    def deliver(self, order: str, **common: Unpack[ToOrder]) -> Answer:
        """The goods arrived."""
        return self.execute(Fire(order=order, trigger="deliver", **common))

    def advance(self, order: str, *, until: str | None = None, **common: Unpack[Planning]) -> Iterator[Answer]:
        """Take the next main step; with `until`, one after the other up to that state, each durable by itself.

        One step is made at once. With `until` each is made when its answer is asked for; what stops it is raised, and
        the steps made stay made. With a key, step n is kept under `KEY#n`.
        """
        if until is None:
            return iter([self.execute(Advance(order=order, **common))])
        return self._advance_until(order, until, common)

    def _advance_until(self, order: str, until: str, common: Planning) -> Iterator[Answer]:
        self.machine.state(until)
        key = common.get("key")
        if key is not None and len(key) > MAX_KEY - 5:
            raise InvalidInput(
                "key", key, f"text of at most {MAX_KEY - 5} characters where one key covers several steps"
            )
        if key is None or self._first_step(key) is None:
            self._check_ahead(order, until)
        for step in range(1, len(self.machine.states) + 1):
            if key is None and self.order(order).state == until:
                return
            if key is not None:
                common["key"] = f"{key}#{step}"
            answer = self.execute(Advance(order=order, **common))
            yield answer
            if answer.state == until or answer.exit_status:
                return
            common.pop("if_version", None)

    def _first_step(self, key: str) -> object:
        with self.store.read() as tx:
            return events.first_answer(tx, f"{key}#1")

    def _check_ahead(self, order_id: str, until: str) -> None:
        """Refuse a state that the main path does not lead to, before any step is made."""
        state = self.order(order_id).state
        ahead = self.machine.ahead(state)
        if until != state and until not in ahead:
            on_way = f"ahead of it: {', '.join(ahead)}" if ahead else "nothing is ahead of it"
            raise Refused(
                f"{order_id} is {state}: the main path does not lead to {until}; {on_way}",
                code="not_on_path",
                hint=f"orderstate why {order_id}",
            )

    def cancel(
        self,
        order: str,
        *,
        lines: Mapping[str, int] | Iterable[tuple[str, int]] | None = None,
        reason: str | None = None,
        **common: Unpack[ToOrder],
    ) -> Answer:
        """Cancel the order, or only `lines` of it while stock is not gone. Raises Refused with every reason."""
        return self.execute(Cancel(order=order, lines=lines, reason=reason, **common))

    def redirect(self, order: str, to: str, **common: Unpack[ToOrder]) -> Answer:
        """Send the order elsewhere; a tied one is planned again. Raises Refused, StockShort."""
        return self.execute(Redirect(order=order, to=to, **common))

    def split(self, order: str, facility: str, **common: Unpack[ToOrder]) -> Answer:
        """Let what is tied at one facility move by itself, as a child order. Raises Refused."""
        return self.execute(Split(order=order, facility=facility, **common))

    def fire_due(
        self, *, limit: int | None = None, skip: Callable[[Due], bool] = lambda _: False
    ) -> Iterator[Answer | OrderstateError]:
        """Fire every timer that is due now, those due longest first, each durable by itself, as role `system`.

        `skip` is asked of each just before, and keeps it from being fired.

        What a guard refuses stays due, is tried again at the next call, and does not count for `limit`, so that it
        keeps nobody else waiting. An order that moved on meanwhile, or whose timer a new flow took away, is left.
        """
        fired = 0
        for due in self._due():
            if fired == limit:
                return
            if skip(due):
                continue
            fire = Fire(
                order=due.order, trigger=due.trigger, if_version=due.version, role="system", by="timer", timer=True
            )
            (outcome,) = self.run([fire])
            if isinstance(outcome, StaleVersion):
                continue
            fired += isinstance(outcome, Answer)
            yield outcome

    def use_flow(
        self,
        flow: Flow | Mapping[str, Any],
        *,
        mapping: Mapping[str, str] | None = None,
        reopen: bool = False,
        **common: Unpack[Common],
    ) -> Answer:
        """Put a flow in force for this database; `mapping`: where orders in states that it lacks go.

        Raises Refused with every reason where the check finds errors, where it would strand orders, or where without
        `reopen` orders that have ended would go on; InvalidInput and NotFound for a mapping that cannot be.
        """
        return self.execute(UseFlow(flow=flow, mapping=mapping or {}, reopen=reopen, **common))

    def receive(
        self, facility: str, sku: str, quantity: int, *, pool: str = "primary", **common: Unpack[Common]
    ) -> Answer:
        """Goods came in. The answer's document says under `waiting` who waits for them, oldest first."""
        return self.execute(Receive(facility=facility, items=[(sku, quantity, pool)], **common))

    def adjust(
        self,
        facility: str,
        sku: str,
        *,
        pool: str = "primary",
        by_units: int | str | None = None,
        to_units: int | str | None = None,
        safety: int | str | None = None,
        untie: bool = False,
        reason: str | None = None,
        **common: Unpack[Common],
    ) -> Answer:
        """Correct what is on hand `by_units` or `to_units`, and/or set the `safety` stock, which is not for sale.

        Units are whole numbers, or their text.

        Below what is allocated it raises Refused, naming the holders; with `untie` the newest of them are untied first.
        """
        return self.execute(
            Adjust(
                facility=facility,
                sku=sku,
                pool=pool,
                by_units=by_units,
                to_units=to_units,
                safety=safety,
                untie=untie,
                reason=reason,
                **common,
            )
        )

    def add_facility(self, code: str, *, country: str, **values: Unpack[FacilityFields]) -> Answer:
        """Add a facility. Raises Refused where the code is taken, InvalidInput for what cannot be used."""
        return self.execute(SetFacility(facility=code, values={"country": country, **values}, new=True))

    def set_facility(self, code: str, *, country: str | None = None, **values: Unpack[FacilityFields]) -> Answer:
        """Change the named fields of a facility. Raises NotFound, InvalidInput."""
        named = {**values} if country is None else {"country": country, **values}
        return self.execute(SetFacility(facility=code, values=named))

    def configure(self, setting: str, value: str | None) -> Answer:
        """Set a setting from its text; None returns it to its default. Raises NotFound, InvalidInput."""
        return self.execute(Configure(setting=setting, value=value))
