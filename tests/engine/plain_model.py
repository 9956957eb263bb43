"""What the engine promises, once more, as dictionaries: no SQL, no state machine, no strategy.

`Model.apply(command, outcome)` says what must have come out of a command and follows it. The contents of a plan (which
facility gives which unit) are taken from the answer and checked against the stock that there is, not planned again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orderstate import Answer, KeyReused, NotFound, OrderstateError, Refused, StaleVersion, StockShort
from orderstate.engine.commands import (
    Adjust,
    Cancel,
    Command,
    Configure,
    Count,
    Fire,
    OrderCommand,
    Place,
    Receive,
    Redirect,
    Retie,
    SetFacility,
    Split,
)
from orderstate.errors import InvalidInput

TIED, GONE, FINAL = {"inventory_tied"}, {"shipping", "delivered"}, {"delivered", "cancelled"}
FROM = {
    "tie_inventory": {"pending", "backordered"},
    "untie": {"inventory_tied"},
    "ship": {"inventory_tied"},
    "deliver": {"shipping"},
    "cancel": {"pending", "backordered", "inventory_tied", "shipping"},
}
TO = {"untie": "pending", "ship": "shipping", "deliver": "delivered", "cancel": "cancelled"}
Row = tuple[str, str, str]
"""(facility, sku, pool)."""


@dataclass
class ModelOrder:
    """One order: lines are SKU to [quantity, cancelled]; held is where its units are tied, or were shipped from."""

    lines: dict[str, list[int]]
    to: str
    short: str
    placed_at: int
    state: str = "pending"
    version: int = 1
    parent: str | None = None
    held: dict[Row, int] = field(default_factory=dict)

    def open(self) -> dict[str, int]:
        """Units still wanted, by SKU."""
        return {sku: quantity - gone for sku, (quantity, gone) in self.lines.items() if quantity > gone}


class Expected(Exception):
    """The model says that the command fails so."""

    def __init__(self, kind: type[OrderstateError], *codes: str, trigger: str | None = None) -> None:
        super().__init__(kind, codes)
        self.kind, self.codes, self.trigger = kind, codes, trigger


class Model:
    """A whole database as dictionaries."""

    def __init__(self) -> None:
        self.orders: dict[str, ModelOrder] = {}
        self.stock: dict[Row, list[int]] = {}
        self.skus: set[str] = set()
        self.facilities: dict[str, list[int]] = {}
        """Code to [closed, version]."""
        self.keys: dict[str, tuple[Command, Mapping[str, Any]]] = {}
        self.refusals: dict[tuple[str, str, str], int] = {}
        self.short: str | None = None
        self.newest_id = 1000

    def apply(self, command: Command, outcome: Answer | OrderstateError) -> None:
        """Follow one command; raises AssertionError where its outcome is not what the dictionaries say."""
        try:
            known = self._known(command)
            if known is not None:
                assert isinstance(outcome, Answer), outcome
                assert outcome.repeated
                assert outcome.document == known
                return
            document = {} if isinstance(outcome, OrderstateError) else outcome.document
            follow = getattr(self, "_" + type(command).__name__.casefold())
            changed = follow(command, document)
        except Expected as expected:
            self._failed(command, expected, outcome)
            return
        assert isinstance(outcome, Answer), (command, outcome)
        assert not outcome.repeated
        assert outcome.changed is changed, (command, outcome)
        if command.key is not None:
            self.keys[command.key] = (replace(command, key=None, at=None), outcome.document)

    def _known(self, command: Command) -> Mapping[str, Any] | None:
        if command.key not in self.keys:
            return None
        first, document = self.keys[str(command.key)]
        if first != replace(command, key=None, at=None):
            raise Expected(KeyReused, "key_reused")
        return document

    def _failed(self, command: Command, expected: Expected, outcome: Answer | OrderstateError) -> None:
        assert type(outcome) is expected.kind, (command, expected, outcome)
        if expected.trigger is None:
            assert outcome.code == expected.codes[0], (command, expected, outcome)
            return
        assert isinstance(command, OrderCommand)
        found = tuple(b.code for b in outcome.blocked) or (outcome.code,)
        assert found == expected.codes, (command, expected, outcome)
        counted = (command.order, expected.trigger, " ".join(found))
        self.refusals[counted] = self.refusals.get(counted, 0) + 1

    # What there is

    def available(self, row: Row) -> int:
        """Units that an order could tie there."""
        if self.facilities[row[0]][0]:
            return 0
        on_hand, allocated, safety = self.stock[row]
        return max(0, on_hand - allocated - safety)

    def lacking(self, wanted: Mapping[str, int]) -> dict[str, int]:
        """Units by SKU that all open facilities together do not have."""
        there = {sku: sum(self.available(row) for row in self.stock if row[1] == sku) for sku in wanted}
        return {sku: units - there[sku] for sku, units in wanted.items() if units > there[sku]}

    def _take(self, order: ModelOrder, plan: Mapping[str, Any], wanted: Mapping[str, int]) -> None:
        units: dict[str, int] = {}
        for facility, sku, pool, n in plan["allocations"]:
            row = (facility, sku, pool)
            assert 0 < n <= self.available(row), plan
            assert row not in order.held, plan
            units[sku] = units.get(sku, 0) + n
            order.held[row] = n
            self.stock[row][1] += n
        assert units == wanted

    def _release(self, order: ModelOrder) -> list[list[object]]:
        released = [[*row, units] for row, units in sorted(order.held.items())]
        for row, units in order.held.items():
            self.stock[row][1] -= units
        order.held = {}
        return released

    # Orders

    def _order(self, c: OrderCommand) -> ModelOrder:
        if c.order not in self.orders:
            raise Expected(NotFound, "unknown_order")
        order = self.orders[c.order]
        if c.if_version is not None and c.if_version != order.version:
            raise Expected(StaleVersion, "stale_version")
        return order

    def _place(self, c: Place, document: Mapping[str, Any]) -> bool:
        if c.id in self.orders:
            raise Expected(Refused, "order_exists")
        if any(sku not in self.skus for sku, _ in c.lines):
            raise Expected(NotFound, "unknown_sku")
        if c.id is None:
            self.newest_id += 1
        order_id = c.id or str(self.newest_id)
        assert (document["order"], document["state"], document["version"]) == (order_id, "pending", 1)
        assert c.at is not None
        self.orders[order_id] = ModelOrder(
            {sku: [units, 0] for sku, units in c.lines}, c.to, c.short or self.short or "backorder", placed_at=c.at
        )
        return True

    def _fire(self, c: Fire, document: Mapping[str, Any]) -> bool:
        order = self._order(c)
        if c.trigger not in FROM:
            raise Expected(NotFound, "unknown_trigger")
        if order.state == TO.get(c.trigger) or (c.trigger == "tie_inventory" and order.state == "inventory_tied"):
            return False
        if order.state not in FROM[c.trigger]:
            raise Expected(Refused, "final" if order.state in FINAL else "not_from_here", trigger=c.trigger)
        if c.trigger == "tie_inventory":
            return self._tie(c, order, document)
        if c.trigger == "cancel":
            self._may_cancel(order, c.role)
        order.version += 1
        order.state = TO[c.trigger]
        if c.trigger == "ship":
            for row, units in order.held.items():
                self.stock[row][0] -= units
                self.stock[row][1] -= units
            shipped: dict[str, int] = {}
            for (facility, _, _), units in sorted(order.held.items()):
                shipped[facility] = shipped.get(facility, 0) + units
            assert document["shipments"] == [list(item) for item in shipped.items()]
        elif order.held and c.trigger != "deliver":
            assert document["released"] == self._release(order)
        assert (document["state"], document["version"]) == (order.state, order.version)
        return True

    def _tie(self, c: Fire, order: ModelOrder, document: Mapping[str, Any]) -> bool:
        wanted = order.open()
        short = self.lacking(wanted)
        if short and not (order.short == "split" and short != wanted):
            if order.state == "backordered":
                raise Expected(StockShort, "stock_covers_order", trigger=c.trigger)
            if order.short == "refuse":
                raise Expected(StockShort, "stock_covers_order", "may_wait", trigger=c.trigger)
            order.state = "backordered"
            order.version += 1
            assert document["short"] == short
            assert (document["state"], document["exit"], document["version"]) == ("backordered", 5, order.version)
            return True
        if short:
            self._move_to_child(c.order, order, short, str(document["child"]))
        self._take(order, document["plan"], {s: n for s, n in order.open().items() if n})
        order.state = "inventory_tied"
        order.version += 1
        assert (document["state"], document["exit"], document["version"]) == (order.state, 0, order.version)
        return True

    def _move_to_child(self, order_id: str, order: ModelOrder, moved: Mapping[str, int], child: str) -> ModelOrder:
        assert child not in self.orders
        assert child.startswith(f"{order_id}-")
        for sku, units in moved.items():
            order.lines[sku][0] -= units
            if not order.lines[sku][0]:
                del order.lines[sku]
        order.version += 1
        self.orders[child] = ModelOrder(
            {sku: [units, 0] for sku, units in moved.items()}, order.to, order.short, order.placed_at, parent=order_id
        )
        if order.state == "backordered":  # it waits on as its parent did
            self.orders[child].state = order.state
        return self.orders[child]

    def _may_cancel(self, order: ModelOrder, role: str) -> None:
        codes = []
        if order.state in GONE:
            codes.append("goods_still_here")
        if order.state in GONE or (order.state in TIED and role == "customer"):
            codes.append("canceller_may")
        if codes:
            raise Expected(Refused, *codes, trigger="cancel")

    def _cancel(self, c: Cancel, document: Mapping[str, Any]) -> bool:
        order = self._order(c)
        asked = dict(c.lines or ())
        if not asked or asked == order.open():
            fire = Fire(order=c.order, trigger="cancel", role=c.role, if_version=c.if_version)
            return self._fire(fire, document)
        if order.state in FINAL:
            raise Expected(Refused, "final", trigger="cancel")
        self._may_cancel(order, c.role)
        for sku, units in asked.items():
            if sku not in order.lines:
                raise Expected(NotFound, "unknown_sku")
            if units > order.open().get(sku, 0):
                raise Expected(Refused, "more_than_open", trigger="cancel")
        for sku, units in asked.items():
            order.lines[sku][1] += units
        if order.state in TIED:
            for facility, sku, pool, units in document["released"]:
                row = (facility, sku, pool)
                order.held[row] -= units
                self.stock[row][1] -= units
                asked[sku] -= units
                assert order.held[row] >= 0
            assert not any(asked.values())
            order.held = {row: units for row, units in order.held.items() if units}
        order.version += 1
        assert (document["state"], document["version"]) == (order.state, order.version)
        return True

    def _still_changeable(self, order: ModelOrder, trigger: str) -> None:
        codes = ["final"] if order.state in FINAL else []
        if order.state in GONE:
            codes.append("goods_still_here")
        if codes:
            raise Expected(Refused, *codes, trigger=trigger)

    def _redirect(self, c: Redirect, document: Mapping[str, Any]) -> bool:
        order = self._order(c)
        self._still_changeable(order, "redirect")
        if c.to == order.to:
            return False
        if order.state in TIED:
            held = dict(order.held)
            self._release(order)
            if self.lacking(order.open()):
                for row, units in held.items():
                    self.stock[row][1] += units
                order.held = held
                raise Expected(StockShort, "stock_covers_order", trigger="redirect")
            self._take(order, document["plan"], order.open())
        order.to = c.to
        order.version += 1
        return True

    def _retie(self, c: Retie, document: Mapping[str, Any]) -> bool:
        order = self._order(c)
        if order.state not in TIED:
            raise Expected(Refused, "not_tied", trigger="tie")
        held = dict(order.held)
        self._release(order)
        short = self.lacking(order.open())
        if short or not document.get("changed"):
            for row, units in held.items():
                self.stock[row][1] += units
            order.held = held
            if short:
                raise Expected(StockShort, "stock_covers_order", trigger="tie")
            return False
        self._take(order, document["plan"], order.open())
        assert order.held != held
        order.version += 2
        assert (document["state"], document["version"]) == (order.state, order.version)
        return True

    def _split(self, c: Split, document: Mapping[str, Any]) -> bool:
        order = self._order(c)
        self._still_changeable(order, "split")
        moved = {row: units for row, units in order.held.items() if row[0] == c.facility}
        if not moved or len(moved) == len(order.held):
            raise Expected(Refused, "nothing_to_split", trigger="split")
        by_sku: dict[str, int] = {}
        for (_, sku, _), units in moved.items():
            by_sku[sku] = by_sku.get(sku, 0) + units
        child = self._move_to_child(c.order, order, by_sku, str(document["child"]))
        child.held, child.state, child.version = moved, "inventory_tied", 2
        order.held = {row: units for row, units in order.held.items() if row not in moved}
        return True

    # Stock and facilities

    def _facility(self, code: str) -> list[int]:
        if code not in self.facilities:
            raise Expected(NotFound, "unknown_facility")
        return self.facilities[code]

    def _setfacility(self, c: SetFacility, document: Mapping[str, Any]) -> bool:
        if c.new:
            if c.facility in self.facilities:
                raise Expected(Refused, "facility_exists")
            self.facilities[c.facility] = [0, 0]
            return True
        facility = self._facility(c.facility)
        closed = int(c.values["closed"])
        changed = facility[0] != closed
        facility[0] = closed
        return changed

    def _receive(self, c: Receive, document: Mapping[str, Any]) -> bool:
        self._facility(c.facility)[1] += 1
        for sku, units, pool in c.items:
            self.skus.add(sku)
            self.stock.setdefault((c.facility, sku, pool), [0, 0, 0])[0] += units
        assert document["version"] == self.facilities[c.facility][1]
        assert {w["order"] for w in document["waiting"]} == {
            order_id
            for order_id, order in self.orders.items()
            if order.state == "backordered" and order.open().keys() & {sku for sku, _, _ in c.items}
        }
        return True

    def _adjust(self, c: Adjust, document: Mapping[str, Any]) -> bool:
        facility = self._facility(c.facility)
        row = (c.facility, c.sku, c.pool)
        if row not in self.stock:
            raise Expected(NotFound, "unknown_sku" if c.sku not in self.skus else "unknown_stock")
        level = self.stock[row]
        on_hand = level[0] + (c.by_units or 0) if c.to_units is None else c.to_units
        if on_hand < 0:
            raise Expected(InvalidInput, "invalid_input")
        untied = self._make_room(row, on_hand, c.untie)
        if on_hand == level[0] and c.safety in (None, level[2]):
            return False
        level[0] = on_hand
        level[2] = level[2] if c.safety is None else c.safety
        facility[1] += 1
        assert document["untied"] == untied
        return True

    def _make_room(self, row: Row, on_hand: int, untie: bool) -> list[str]:
        """Ids of the orders untied, newest first, so that `on_hand` covers what is allocated."""
        if on_hand >= self.stock[row][1]:
            return []
        if not untie:
            raise Expected(Refused, "allocated")
        holders = [(o.placed_at, i) for i, o in self.orders.items() if o.state in TIED and row in o.held]
        untied = []
        for _, order_id in sorted(holders, reverse=True):
            if self.stock[row][1] <= on_hand:
                break
            order = self.orders[order_id]
            self._release(order)
            order.state = "pending"
            order.version += 1
            untied.append(order_id)
        return untied

    def _count(self, c: Count, document: Mapping[str, Any]) -> bool:
        facility = self._facility(c.facility)
        received = adjusted = 0
        for sku, pool, on_hand, _, _ in c.items:
            row = (c.facility, sku, pool)
            if row in self.stock and on_hand < self.stock[row][1]:
                raise Expected(Refused, "allocated")
        for sku, pool, on_hand, _, _ in c.items:
            row = (c.facility, sku, pool)
            if row in self.stock:
                adjusted += self.stock[row][0] != on_hand
                self.stock[row][0] = on_hand
            elif on_hand:
                received += 1
                self.skus.add(sku)
                self.stock[row] = [on_hand, 0, 0]
        facility[1] += bool(received) + bool(adjusted)
        assert (document["received"], document["adjusted"]) == (received, adjusted)
        return bool(received or adjusted)

    def _configure(self, c: Configure, document: Mapping[str, Any]) -> bool:
        assert c.setting == "short"
        assert document["was"] == self.short
        before, self.short = self.short, c.value
        return before != c.value

    # What the database must hold

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """What the tables must say, each sorted."""
        return {
            "orders": sorted((i, o.state, o.version, o.to, o.short, o.parent or "") for i, o in self.orders.items()),
            "lines": sorted((i, sku, *line) for i, o in self.orders.items() for sku, line in o.lines.items()),
            "allocations": sorted((i, *row, units) for i, o in self.orders.items() for row, units in o.held.items()),
            "stock": sorted((*row, *level) for row, level in self.stock.items()),
            "facilities": sorted((code, *values) for code, values in self.facilities.items()),
            "refusals": sorted((*counted, n) for counted, n in self.refusals.items()),
            "keys": sorted((key,) for key in self.keys),
        }
