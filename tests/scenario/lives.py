"""Lives of orders at random, in a shop where other orders come and go and stock is never what it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from worlds import BERLIN, DENVER, HOUR, NEW_YORK, Clock

from orderstate import Engine, Options, OrderstateError
from orderstate.flow import read
from orderstate.machine import STANDARD
from orderstate.model import Flow

PLACES = (DENVER, NEW_YORK, BERLIN, "US", "CA@43.65,-79.38")
TIMED = read(
    "extends: standard\nname: timed\n"
    "states:\n"
    "  pending: {stock: free, after: 30h, trigger: tie_inventory}\n"
    "  inventory_tied: {stock: tied, after: 48h, trigger: untie}\n"
    "  checked: {stock: tied}\n"
    "transitions:\n"
    "  - {trigger: check, from: inventory_tied, to: checked, event: OrderChecked}\n"
    "  - {trigger: pack, from: checked, to: shipping, event: ShippingStarted}\n"
)


class Life:
    """A shop, and random things that happen in it."""

    def __init__(self, database: Path, random: Random, flow: Flow | None = None) -> None:
        self.random = random
        self.clock = Clock(step=1_000_001)
        self.engine = Engine.open(database, clock=self.clock)
        self.engine.configure("strategy", random.choice(("nearest", "cheapest", "priority", "fewest-shipments")))
        if random.random() < 0.3:
            self.engine.configure("max_shipments", "2")
        for code, country, at in (("DEN", "US", "39.86,-104.67"), ("NYC", "US", "40.71,-74.01"), ("TOR", "CA", None)):
            self.engine.add_facility(code, country=country, at=at, priority=random.randint(1, 3))
        self.facilities = ["DEN", "NYC", "TOR"]
        self.skus = ["CUP", "MUG"]
        for sku in self.skus:
            self.engine.receive("DEN", sku, random.randint(1, 4))
        if flow is not None:
            self.engine.use_flow(flow)
        self.orders: list[str] = []
        self.seen = 0
        """Commands that did something."""

    def close(self) -> None:
        """Give the database back."""
        self.engine.close()

    def live(self, steps: int) -> None:
        """So many random things, one after the other; what is refused is part of life."""
        doings: list[tuple[int, Callable[[], Any]]] = [
            (3, self.place), (6, self.tie), (2, self.untie), (2, self.again), (2, self.split), (2, self.redirect),
            (2, self.reduce), (1, self.cancel), (1, self.ship), (1, self.deliver), (4, self.receive), (2, self.adjust),
            (1, self.close_or_open), (1, self.configure), (1, self.wait), (1, self.advance), (1, self.other),
        ]  # fmt: skip
        self.place()
        for _ in range(steps):
            (doing,) = self.random.choices([d for _, d in doings], [w for w, _ in doings])
            try:
                doing()
                self.seen += 1
            except OrderstateError:
                continue
            finally:
                self.orders = [order.id for order in self.engine.orders(limit=100)]

    def one(self) -> str:
        """One of the orders."""
        return self.random.choice(self.orders)

    def who(self) -> dict[str, Any]:
        """Somebody who asks."""
        role = self.random.choice(("operator", "operator", "customer", "system"))
        return {"role": role, "by": self.random.choice((None, "ann"))}

    def options(self) -> Options:
        """Demands on a plan, mostly none."""
        some = frozenset(self.random.sample(self.facilities, 1))
        return self.random.choice(
            (Options(), Options(), Options(), Options(only=some), Options(exclude=some), Options(max_shipments=1),
             Options(complete=True), Options(whole_lines=True))
        )  # fmt: skip

    def place(self) -> None:
        lines = {sku: self.random.randint(1, 4) for sku in self.random.sample(self.skus, self.random.randint(1, 2))}
        own = f"web-{len(self.orders)}" if self.random.random() < 0.3 else None
        short = self.random.choice((None, "backorder", "split", "split", "refuse"))
        to = self.random.choice(PLACES)
        self.orders.append(self.engine.place(lines, to, id=own, short=short, contact="secret", **self.who()).order)

    def tie(self) -> None:
        strategy = self.random.choice((None, None, "nearest", "cheapest"))
        self.engine.tie(self.one(), options=self.options(), strategy=strategy, **self.who())

    def untie(self) -> None:
        self.engine.untie(self.one(), **self.who())

    def again(self) -> None:
        force = self.random.random() < 0.3
        self.engine.retie(self.one(), options=self.options(), force=force, **self.who())

    def split(self) -> None:
        self.engine.split(self.one(), self.random.choice(self.facilities), **self.who())

    def redirect(self) -> None:
        self.engine.redirect(self.one(), self.random.choice(PLACES), **self.who())

    def reduce(self) -> None:
        order = self.engine.order(self.one())
        line = self.random.choice(order.lines)
        self.engine.cancel(order.id, lines={line.sku: self.random.randint(1, 2)}, reason="too many", **self.who())

    def cancel(self) -> None:
        self.engine.cancel(self.one(), reason=self.random.choice((None, "changed my mind")), **self.who())

    def ship(self) -> None:
        self.engine.ship(self.one(), **self.who())

    def deliver(self) -> None:
        self.engine.deliver(self.one(), **self.who())

    def advance(self) -> None:
        list(self.engine.advance(self.one()))

    def other(self) -> None:
        self.engine.fire(self.one(), self.random.choice(self.engine.machine.triggers), **self.who())

    def receive(self) -> None:
        pool = self.random.choice(("primary", "primary", "back"))
        units = self.random.randint(1, 3)
        self.engine.receive(self.random.choice(self.facilities), self.random.choice(self.skus), units, pool=pool)

    def adjust(self) -> None:
        facility, sku = self.random.choice(self.facilities), self.random.choice(self.skus)
        if self.random.random() < 0.5:
            self.engine.adjust(facility, sku, to_units=self.random.randint(0, 2), untie=True)
        else:
            self.engine.adjust(facility, sku, safety=self.random.randint(0, 2))

    def close_or_open(self) -> None:
        self.engine.set_facility(self.random.choice(self.facilities), closed=self.random.random() < 0.5)

    def configure(self) -> None:
        name, value = self.random.choice(
            (("cost.per_km", "0.7"), ("cost.handling", "99"), ("cost.split_penalty", "10"), ("max_shipments", "1"),
             ("max_shipments", None), ("strategy", "cheapest"), ("cost.back_penalty", "3"))
        )  # fmt: skip
        self.engine.configure(name, value)

    def wait(self) -> None:
        self.clock.now += self.random.choice((1, 20, 40, 100)) * HOUR
        if self.random.random() < 0.8:
            list(self.engine.fire_due())


class Changing(Life):
    """A shop that changes its flow every now and then, and maps whoever stands where the new one has no state."""

    flows = (STANDARD, TIMED)

    def configure(self) -> None:
        old, new = self.engine.flow, self.random.choice(self.flows)
        there = {state.name for state in new.states}
        mapping = {}
        for state in old.states:
            fit = [s.name for s in new.states if s.stock is state.stock and s.final is state.final]
            if state.name not in there:
                mapping[state.name] = self.random.choice(fit)
        if self.random.random() < 0.3:
            mapping["pending"] = "backordered"
        self.engine.use_flow(new, mapping=mapping)

    close_or_open = configure
