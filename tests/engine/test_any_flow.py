"""Flows that nobody thought of, in force in a real database: what the check accepts strands no order, leaks no stock.

Orders wander through a random flow by commands, refusals, timers, splits and partial cancels; the flow is changed under
them; and at the end each of them is led to an end from wherever it stands.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moods import MOOD, MOODY
from random_flows import OWN, made
from worlds import BERLIN, DENVER, HOUR, NEW_YORK, World

from orderstate import Answer, Options, OrderstateError
from orderstate.engine.commands import (
    Adjust,
    Advance,
    Cancel,
    Command,
    Fire,
    Place,
    Receive,
    Redirect,
    Retie,
    SetFacility,
    Split,
    UseFlow,
)
from orderstate.flow import check, compare
from orderstate.guards import Facts
from orderstate.model import ROLES, SHORT_POLICIES, Flow, Order, Plan, Stock
from orderstate.store.doctor import examine

NARROW = Options(max_shipments=9)
"""Demands that change no plan here; whoever makes them does not wait for stock."""
FACILITIES, SKUS = ("DEN", "NYC"), ("MUG", "PEN")
EXPECTED = {2, 3, 4, 5, 6}
"""Exit statuses of commands that a wanderer may send: not one of them is our own fault."""


def accepted(random: Random) -> Flow:
    """A random flow that the check accepts, with timers, and with the moody guard instead of the lucky one."""
    while True:
        flow = made(random)
        ways = tuple(
            replace(t, guards=tuple(replace(u, name=MOODY) if u.name == OWN else u for u in t.guards))
            for t in flow.transitions
        )
        flow = timed(replace(flow, transitions=ways), random)
        if usable(flow):
            return flow


def usable(flow: Flow) -> bool:
    """The check finds no error."""
    return all(finding.level != "error" for finding in check(flow))


def timed(flow: Flow, random: Random) -> Flow:
    """The flow with timers on some of its states, as many as the check accepts."""
    for state in flow.states:
        leaving = [t.trigger for t in flow.transitions if state.name in t.sources]
        if leaving and random.random() < 0.3:
            timer = replace(state, after=random.choice((HOUR, 5 * HOUR)), timer=random.choice(leaving))
            with_timer = replace(flow, states=tuple(timer if s is state else s for s in flow.states))
            if usable(with_timer):
                flow = with_timer
    return flow


@dataclass(frozen=True)
class Asking:
    """How a trigger is asked for, and how the world is then."""

    trigger: str
    role: str
    agrees: bool
    covered: bool
    narrowed: bool


@dataclass
class Wander:
    """One database whose flow, stock and orders change at random."""

    world: World
    random: Random

    @property
    def flow(self) -> Flow:
        """The flow in force."""
        return self.world.engine.flow

    def orders(self) -> list[Order]:
        """Every order."""
        return [self.world.engine.order(row[0]) for row in self.world.rows("SELECT id FROM orders ORDER BY serial")]

    def attempt(self, command: Command) -> Answer | OrderstateError:
        """Send a command; what comes of it is an answer, or an error that the sender could have known."""
        outcome = self.world.attempt(command)
        if isinstance(outcome, OrderstateError):
            assert outcome.exit_status in EXPECTED, (outcome.code, outcome.sentence)
        return outcome

    def step(self) -> None:
        """Anything at all happens."""
        random, orders = self.random, self.orders()
        MOOD["agrees"] = random.random() < 0.6
        order = random.choice(orders) if orders else None
        if order is None or random.random() < 0.15:
            lines = {sku: random.randint(1, 3) for sku in random.sample(SKUS, random.randint(1, 2))}
            self.attempt(Place(lines=lines, to=DENVER, short=random.choice(SHORT_POLICIES)))
            return
        random.choices(
            (self.fire, self.advance, self.other, self.stock, self.time_passes, self.change_flow),
            weights=(8, 3, 4, 4, 2, 2),
        )[0](order)

    def fire(self, order: Order) -> None:
        """A trigger, mostly one that leads out of the order's state."""
        machine, random = self.world.engine.machine, self.random
        some = machine.choices(order.state) if random.random() < 0.8 else machine.triggers
        options = Options(exclude=frozenset({"DEN"})) if random.random() < 0.2 else NARROW
        for trigger in random.sample(some, min(1, len(some))):
            role = random.choice(ROLES)
            given = options if random.random() < 0.3 else Options()
            self.attempt(Fire(order=order.id, trigger=trigger, role=role, options=given))

    def advance(self, order: Order) -> None:
        """The next main step."""
        self.attempt(Advance(order=order.id))

    def other(self, order: Order) -> None:
        """What is no move of the flow's own."""
        random = self.random
        sku = random.choice(order.lines).sku
        commands: tuple[Callable[[], Command], ...] = (
            lambda: Cancel(order=order.id, lines={sku: 1}, role=random.choice(ROLES)),
            lambda: Redirect(order=order.id, to=random.choice((NEW_YORK, BERLIN))),
            lambda: Split(order=order.id, facility=random.choice(FACILITIES)),
            lambda: Retie(order=order.id, force=random.random() < 0.5),
        )
        self.attempt(random.choice(commands)())

    def stock(self, order: Order) -> None:
        """Goods arrive, or are found missing."""
        random = self.random
        facility, sku, pool = random.choice(FACILITIES), random.choice(SKUS), random.choice(("primary", "back"))
        if random.random() < 0.7:
            self.attempt(Receive(facility=facility, items=[(sku, random.randint(1, 4), pool)]))
        else:
            self.attempt(Adjust(facility=facility, sku=sku, pool=pool, to_units=random.randint(0, 3), untie=True))

    def time_passes(self, order: Order) -> None:
        """Timers fire."""
        self.world.clock.now += self.random.choice((1, 3, 9)) * HOUR
        for outcome in self.world.engine.fire_due():
            assert isinstance(outcome, Answer) or outcome.exit_status in EXPECTED

    def change_flow(self, order: Order) -> None:
        """Another flow is put in force, with a mapping that may be lacking something; then nothing changes."""
        random, old, new = self.random, self.flow, accepted(self.random)
        stock = {state.name: state.stock for state in new.states}
        before = {state.name: state.stock for state in old.states}
        fit = {name: [n for n in stock if stock[n] is meaning] for name, meaning in before.items()}
        asked = [*compare(old, new).must_map, *random.sample(list(before), 1)]
        pairs = {name: random.choice(fit[name]) for name in asked if random.random() < 0.95}
        reopen = random.random() < 0.7
        outcome = self.attempt(UseFlow(flow=new, mapping=pairs, reopen=reopen))
        if isinstance(outcome, Answer):
            assert self.flow == new
        else:
            revived = set() if reopen else {"orders_reopened"}
            assert {b.code for b in outcome.blocked} <= {"orders_stand_there", "orders_never_end", *revived}
            assert self.flow == old
        self.check()

    # What must hold

    def check(self) -> None:
        """The doctor finds nothing, and each order holds what its state says, unit by unit."""
        engine, flow = self.world.engine, self.flow
        found = examine(engine.store, tied_states=engine.tied_states(), states=list(engine.machine.states))
        assert [finding.sentence for finding in found if finding.level == "wrong"] == []
        stock = {state.name: state.stock for state in flow.states}
        for order in self.orders():
            shown = engine.show(order.id)
            held: dict[str, int] = {}
            for a in shown.allocations:
                held[a.sku] = held.get(a.sku, 0) + a.units
            wanted = {line.sku: line.open for line in order.lines if line.open}
            assert held == ({} if stock[order.state] is Stock.FREE else wanted), (order.id, order.state)
            left = sum(s.units for s in shown.shipments)
            assert left == (order.open_units if stock[order.state] is Stock.GONE else 0), (order.id, order.state)

    # Home

    def end_all(self) -> None:
        """Lead every order to an end, from where it stands, one step after the other."""
        for code in FACILITIES:
            self.attempt(SetFacility(facility=code, values={"closed": False}))
        for order in self.orders():
            for asking, target in self.way_home(order):
                self.arrange(order, asking)
                options = NARROW if asking.narrowed else Options()
                fire = Fire(order=order.id, trigger=asking.trigger, role=asking.role, options=options)
                outcome = self.attempt(fire)
                assert isinstance(outcome, Answer), (asking, outcome.sentence, [b.sentence for b in outcome.blocked])
                assert outcome.state == target
        self.check()
        ended = {state.name for state in self.flow.states if state.final}
        assert {order.state for order in self.orders()} <= ended
        assert self.world.rows("SELECT coalesce(sum(allocated), 0) FROM stock") == [(0,)]
        received = "SELECT coalesce(sum(on_hand), 0) FROM movement WHERE kind <> 'shipped'"
        (came,), (left,), (here,) = (
            self.world.rows(sql)[0]
            for sql in (received, "SELECT coalesce(sum(units), 0) FROM shipment", "SELECT sum(on_hand) FROM stock")
        )
        assert here == came - left

    def arrange(self, order: Order, asking: Asking) -> None:
        """Let the world be as it is asked for: stock for the whole order, or none to be had."""
        MOOD["agrees"] = asking.agrees
        for code in FACILITIES:
            self.attempt(SetFacility(facility=code, values={"closed": not asking.covered}))
        if asking.covered:
            wanted = [(line.sku, line.quantity) for line in self.world.engine.order(order.id).lines]
            self.attempt(Receive(facility="DEN", items=wanted))

    def way_home(self, order: Order) -> list[tuple[Asking, str]]:
        """The fewest steps to a final state, if the world is kind. The machine alone is asked, not the check."""
        machine = self.world.engine.machine
        ways: list[tuple[str, list[tuple[Asking, str]]]] = [(order.state, [])]
        seen = {order.state}
        for state, way in ways:
            if machine.state(state).final:
                return way
            answers = list(product((True, False), repeat=3))
            for trigger, role, answer in product(machine.choices(state), ROLES, answers):
                asking = Asking(trigger, role, *answer)
                target = self.leads(replace(order, state=state), asking)
                if target is not None and target not in seen:
                    seen.add(target)
                    ways.append((target, [*way, (asking, target)]))
        raise AssertionError(f"{order.id} ({order.short}) is stranded in {order.state}")

    def leads(self, order: Order, asking: Asking) -> str | None:
        """Where the machine would take the order now."""
        MOOD["agrees"] = asking.agrees
        machine = self.world.engine.machine
        plan = Plan("kind", (), {} if asking.covered else {"MUG": 1}, ())
        stock = machine.state(order.state).stock
        facts = Facts(asking.role, stock, lambda: plan, tuple, tuple, asking.narrowed)
        taken, _ = machine.ask(order, asking.trigger, facts)
        return None if taken is None else taken.target


def wander(template: Path, folder: Path, seed: int, steps: int) -> None:
    """One life of one database."""
    path = folder / f"{seed}.db"
    shutil.copyfile(template, path)
    world, random = World(path), Random(seed)
    try:
        world.facility("DEN", "39.74,-104.99", MUG=3, back={"PEN": 2})
        world.facility("NYC", "40.71,-74.01", PEN=3, back={"MUG": 2})
        world.engine.use_flow(accepted(random))
        life = Wander(world, random)
        for _ in range(steps):
            life.step()
        life.check()
        life.end_all()
    finally:
        MOOD["agrees"] = True
        world.close()
        for left in folder.glob(f"{seed}.db*"):
            left.unlink()


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_order_is_stranded_and_no_stock_leaks_in_any_flow_that_the_check_accepts(
    template: Path, tmp_path: Path, seed: int
) -> None:
    wander(template, tmp_path, seed, 30)


@pytest.mark.heavy
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_through_many_longer_lives(template: Path, tmp_path: Path, seed: int) -> None:
    wander(template, tmp_path, seed, 80)
