"""Flows that nobody thought of: mostly sensible, seldom faultless; and a plain model to walk through them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from orderstate.guards import Facts, Guard
from orderstate.machine import Machine
from orderstate.model import (
    ROLES,
    SHORT_POLICIES,
    Destination,
    Flow,
    GuardUse,
    Line,
    Order,
    Plan,
    Refusal,
    State,
    Stock,
    Transition,
)

OWN = "random_flows:lucky"
"""A guard of one's own, by dotted path: it knows something that no check can know."""


def lucky(order: Order, facts: Facts, params: Mapping[str, str]) -> Refusal | None:
    """The order's contact says so."""
    return None if order.contact == "lucky" else Refusal("lucky", "bad luck")


def _stern(order: Order, facts: Facts, params: Mapping[str, str]) -> Refusal | None:
    return Refusal("stern", "never")


stern = Guard("stern", _stern, "there is nothing to say against it", {"n": ()})


def guards(random: Random, *first: str) -> tuple[GuardUse, ...]:
    """A few guards, beginning with those named."""
    found = [GuardUse(name) for name in first]
    for _ in range(random.choice((0, 0, 0, 1, 1, 2))):
        name = random.choice(("stock_covers_order", "may_wait", "goods_still_here", "canceller_may", OWN))
        words = [stock.value for stock in Stock]
        roles = random.sample(ROLES, random.randint(0, 3)) if name == "canceller_may" else []
        found.append(GuardUse(name, {role: random.choice(words) for role in roles}))
    return tuple(found)


def needed(before: Stock, after: Stock) -> tuple[str, ...]:
    """The guard without which such a move would be a finding."""
    if before is Stock.FREE and after is Stock.TIED:
        return ("stock_covers_order",)
    return ("goods_still_here",) if before is Stock.GONE and after is not Stock.GONE else ()


_FITS = {
    (Stock.FREE, Stock.FREE),
    (Stock.FREE, Stock.TIED),
    (Stock.TIED, Stock.FREE),
    (Stock.TIED, Stock.TIED),
    (Stock.TIED, Stock.GONE),
    (Stock.GONE, Stock.GONE),
}


def made(random: Random) -> Flow:
    """A flow around the way of every order (tie, ship, deliver), with states, transitions and timers at random."""
    timed = random.random() < 0.2
    tied = State("t0", Stock.TIED, after=3_600_000_000, timer="untie") if timed else State("t0", Stock.TIED)
    states = [State("f0", Stock.FREE), tied, State("g0", Stock.GONE)]
    states += [State("void", Stock.FREE, final=True), State("end", Stock.GONE, final=random.random() < 0.95)]
    ways = [
        Transition("tie", ("f0",), "t0", "OrderTied", guards(random, "stock_covers_order")),
        Transition("ship", ("t0",), "g0", "OrderShipped", guards(random)),
        Transition("deliver", ("g0",), "end", "OrderDelivered", guards(random)),
        Transition("untie", ("t0",), "f0", "OrderUntied"),
    ]

    def lead(source: State, target: State, trigger: str) -> None:
        must = needed(source.stock, target.stock) if random.random() < 0.95 else ()
        ways.append(Transition(trigger, (source.name,), target.name, "OrderMoved", guards(random, *must)))

    for number in range(random.randint(0, 3)):
        stock = random.choice(tuple(Stock))
        state = State(f"{stock.value[0]}{number + 1}", stock, random.random() < (0.02 if stock is Stock.TIED else 0.2))
        before = [s for s in states if not s.final and (s.stock, stock) in _FITS]
        after = [s for s in states if (stock, s.stock) in _FITS]
        lead(random.choice(before), state, f"enter{number}")
        if not state.final and random.random() < 0.9:
            lead(state, random.choice(after), f"leave{number}")
        states.append(state)
    for number in range(random.choice((0, 0, 1, 1, 2, 4))):
        source, target = random.choice(states), random.choice(states)
        if (not source.final and (source.stock, target.stock) in _FITS) or random.random() < 0.1:
            lead(source, target, random.choice(("tie", "untie", "cancel", f"other{number}", f"other{number}")))
    if random.random() < 0.9:
        sources = tuple(s.name for s in states if not s.final)
        ways.append(Transition("cancel", sources, "void", "OrderCancelled", guards(random, "goods_still_here")))
    return Flow("random", "f0", tuple(states), tuple(ways), ("tie", "ship", "deliver"))


@dataclass
class Shelf:
    """The counters of one SKU, kept in the plainest way."""

    on_hand: int = 0
    allocated: int = 0
    received: int = 0
    shipped: int = 0


@dataclass
class Walker:
    """One order and what it holds, moved by the compiled machine: nothing here knows how flows are checked."""

    machine: Machine
    shelf: Shelf
    short: str
    wanted: int
    state: str
    held: int = 0
    left: int = 0

    @property
    def ended(self) -> bool:
        """It came to a final state."""
        return self.machine.state(self.state).final

    def ask(self, trigger: str, role: str, contact: str, covered: bool, narrowed: bool) -> Transition | None:
        """What the machine would do now."""
        order = Order("a", self.state, 1, 0, 0, Destination("US"), self.short, (Line("SKU", self.wanted),), contact)
        plan = Plan("plain", (), {} if covered else {"SKU": self.wanted}, ())
        stock = self.machine.state(self.state).stock
        return self.machine.ask(order, trigger, Facts(role, stock, lambda: plan, tuple, tuple, narrowed))[0]

    def move(self, taken: Transition) -> None:
        """Do to the shelf what the two states mean, and fail where a unit would be lost or made up."""
        before, after = self.machine.effect(self.state, taken.target)
        assert not (taken.trigger == "cancel" and Stock.GONE in (before, after))
        if before is Stock.FREE and after is Stock.TIED:
            assert self.shelf.on_hand - self.shelf.allocated >= self.wanted
            self.shelf.allocated += self.wanted
            self.held = self.wanted
        elif before is Stock.TIED and after is not Stock.TIED:
            assert self.held == self.wanted
            self.shelf.allocated -= self.held
            if after is Stock.GONE:
                self.shelf.on_hand -= self.held
                self.shelf.shipped += self.held
                self.left += self.held
            self.held = 0
        elif before is not after:
            raise AssertionError(f"{taken.trigger} leads from {before} to {after}")
        self.state = taken.target
        assert self.held == (self.wanted if after is Stock.TIED else 0)
        assert self.left == (self.wanted if after is Stock.GONE else 0)

    def home(self, contacts: tuple[str, ...] = ("lucky", "unlucky")) -> list[Transition]:
        """The fewest moves to a final state, if the world is kind; the guard of one's own sees one of the contacts."""
        ways: list[tuple[str, list[Transition]]] = [(self.state, [])]
        seen = {self.state}
        here = self.state
        try:
            for state, way in ways:
                if self.machine.state(state).final:
                    return way
                self.state = state
                for taken in self.possible(contacts):
                    if taken.target not in seen:
                        seen.add(taken.target)
                        ways.append((taken.target, [*way, taken]))
        finally:
            self.state = here
        raise AssertionError(f"an order (--short {self.short}) is stranded in {here}")

    def possible(self, contacts: tuple[str, ...]) -> list[Transition]:
        """Every transition that some world allows now."""
        found = []
        for trigger in self.machine.choices(self.state):
            for role in ROLES:
                for contact in contacts:
                    for covered, narrowed in ((True, False), (False, False), (True, True), (False, True)):
                        taken = self.ask(trigger, role, contact, covered, narrowed)
                        if taken is not None and taken not in found:
                            found.append(taken)
        return found


def walk(flow: Flow, random: Random, steps: int) -> None:
    """Two orders wander through a flow at random and then go home; the shelf must add up after every step."""
    machine, shelf = Machine(flow), Shelf()
    orders = [
        Walker(machine, shelf, random.choice(SHORT_POLICIES), random.randint(1, 2), flow.initial) for _ in range(2)
    ]

    def arrive(units: int) -> None:
        shelf.on_hand += units
        shelf.received += units

    def checked(walker: Walker, taken: Transition) -> None:
        walker.move(taken)
        assert shelf.on_hand == shelf.received - shelf.shipped
        assert shelf.allocated == sum(order.held for order in orders) <= shelf.on_hand

    for _ in range(steps):
        walker = random.choice(orders)
        if random.random() < 0.2:
            arrive(1)
        if walker.ended:
            continue
        trigger = random.choice(machine.choices(walker.state))
        free = machine.state(walker.state).stock is Stock.FREE
        covered = shelf.on_hand - shelf.allocated >= walker.wanted if free else random.random() < 0.5
        taken = walker.ask(trigger, random.choice(ROLES), random.choice(("lucky", "")), covered, random.random() < 0.3)
        if taken is not None:
            checked(walker, taken)
    for walker in orders:
        for taken in walker.home():
            arrive(walker.wanted)
            checked(walker, taken)
        assert walker.ended


def certain(flow: Flow, random: Random) -> None:
    """From wherever an order comes, it gets home even if the guard of one's own never agrees, and if it always does."""
    machine = Machine(flow)
    for short in SHORT_POLICIES:
        for contacts in (("lucky",), ("unlucky",)):
            walker = Walker(machine, Shelf(), short, 1, flow.initial)
            for _ in range(12):
                walker.home(contacts)
                if walker.ended:
                    break
                walker.state = random.choice(walker.possible(("lucky", "unlucky"))).target
