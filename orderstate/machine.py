"""The standard flow as data, and flows compiled once onto `transitions`. Knows no database.

One shared `transitions.Machine` serves every order. Its event and transition classes are replaced by lean ones through
the library's own hooks: they skip callbacks and per-model bookkeeping, which this engine does not use, and they collect
every guard's refusal where the library stops at the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from transitions.core import Event as LibraryEvent
from transitions.core import Machine as LibraryMachine
from transitions.core import Transition as LibraryTransition

from orderstate.errors import NotFound, OrderstateError, Refused, StockShort
from orderstate.guards import GUARDS, Check, Facts, bound
from orderstate.model import Flow, GuardUse, Order, Plan, Refusal, State, Stock, Transition

STANDARD = Flow(
    name="standard",
    initial="pending",
    states=(
        State("pending", Stock.FREE),
        State("backordered", Stock.FREE),
        State("inventory_tied", Stock.TIED, label="inventory tied"),
        State("shipping", Stock.GONE),
        State("delivered", Stock.GONE, final=True),
        State("cancelled", Stock.FREE, final=True),
    ),
    transitions=(
        Transition(
            "tie_inventory",
            ("pending", "backordered"),
            "inventory_tied",
            "InventoryTied",
            (GuardUse("stock_covers_order"),),
        ),
        Transition("tie_inventory", ("pending",), "backordered", "OrderBackordered", (GuardUse("may_wait"),)),
        Transition("untie", ("inventory_tied",), "pending", "InventoryUntied"),
        Transition("ship", ("inventory_tied",), "shipping", "ShippingStarted"),
        Transition("deliver", ("shipping",), "delivered", "OrderDelivered"),
        Transition(
            "cancel",
            ("pending", "backordered", "inventory_tied", "shipping"),
            "cancelled",
            "OrderCancelled",
            (
                GuardUse("goods_still_here"),
                GuardUse("canceller_may", {"customer": "free", "operator": "tied", "system": "tied"}),
            ),
        ),
    ),
    path=("tie_inventory", "ship", "deliver"),
)

TIE, UNTIE, CANCEL = "tie_inventory", "untie", "cancel"
"""Triggers with a meaning of their own in every flow that has them."""

_SHORT_OF_STOCK = {"stock_covers_order", "may_wait"}

_NOT_FROM_HERE = "not_from_here"

_BY_STATE = frozenset({"goods_still_here", "canceller_may"})
"""The guards whose answer follows from the state and from who asks, so that asking them costs no look at the stock."""


class _Token:
    """One order on its way through one trigger; what `transitions` sees as the model."""

    __slots__ = ("facts", "order", "refusals", "state", "taken")

    def __init__(self, order: Order, facts: Facts) -> None:
        self.state = order.state
        self.order = order
        self.facts = facts
        self.refusals: list[Refusal] = []
        self.taken: Transition | None = None


class _Transition(LibraryTransition):
    declared: Transition
    checks: tuple[tuple[Check, Mapping[str, str]], ...] = ()

    def execute(self, token: _Token) -> bool:  # type: ignore[override]  # a token is all that a lean step needs
        """Ask every guard; move only if none refuses."""
        order, facts, refusals = token.order, token.facts, token.refusals
        before = len(refusals)
        for check, params in self.checks:
            refusal = check(order, facts, params)
            if refusal is not None:
                refusals.append(refusal)
        if len(refusals) > before:
            return False
        token.taken = self.declared
        return True


class _Event(LibraryEvent):
    def trigger(self, token: _Token) -> bool:  # type: ignore[override]  # a token is all that a lean step needs
        """Try the transitions declared from the token's state, in order; the first that every guard allows is taken."""
        for transition in self.transitions.get(token.state, ()):  # noqa: SIM110 - a generator costs as much as the step
            if transition.execute(token):  # type: ignore[arg-type]  # these are _Transition, made by the hook below
                return True
        return False


class _Library(LibraryMachine):
    event_cls = _Event
    transition_cls = _Transition


@dataclass(frozen=True, slots=True)
class Choice:
    """One trigger asked of one order: where it would lead, or every reason that it would not go."""

    trigger: str
    target: str | None
    refusals: tuple[Refusal, ...] = ()

    @property
    def possible(self) -> bool:
        """True if the trigger would fire now."""
        return self.target is not None


class Machine:
    """A flow, compiled. Immutable afterwards and safe to share between threads and orders.

    Raises NotFound or InvalidInput at construction when the flow names a state, guard or parameter that is not there.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.states = {state.name: state for state in flow.states}
        self.triggers = tuple(dict.fromkeys(t.trigger for t in flow.transitions))
        for name in (flow.initial, *(s for t in flow.transitions for s in (*t.sources, t.target))):
            self.state(name)
        for trigger in flow.path:
            if trigger not in self.triggers:
                raise NotFound.named("trigger", trigger, self.triggers)
        self._library = _Library(
            model=None, states=list(self.states), initial=flow.initial, auto_transitions=False, send_event=False
        )
        for declared in flow.transitions:
            for source in declared.sources:
                self._library.add_transition(declared.trigger, source, declared.target)
                added = self._library.events[declared.trigger].transitions[source][-1]
                assert isinstance(added, _Transition)
                added.declared = declared
                added.checks = tuple((bound(use).check, use.params) for use in declared.guards)
        self._events = self._library.events
        self._arrives = {
            trigger: frozenset(t.target for t in flow.transitions if t.trigger == trigger) for trigger in self.triggers
        }
        self._from = {
            name: tuple(dict.fromkeys(t.trigger for t in flow.transitions if name in t.sources)) for name in self.states
        }
        self._open: dict[tuple[str, str], tuple[str, ...]] = {}

    def state(self, name: str) -> State:
        """The declared state of that name. Raises NotFound with close matches."""
        found = self.states.get(name)
        if found is None:
            raise NotFound.named("state", name, list(self.states))
        return found

    def choices(self, state: str) -> tuple[str, ...]:
        """The triggers declared from a state, in the order of the flow, whatever their guards say.

        None from a state that the flow does not know: an order's history may tell of one from an earlier flow.
        """
        return self._from.get(state, ())

    def open(self, order: Order, role: str) -> tuple[str, ...]:
        """The triggers declared from the order's state, but those that its guards always refuse there to that role.

        What is refused for another reason, such as a stock that does not cover the order, is among them.
        """
        key = order.state, role
        if key not in self._open:
            facts = Facts(role, self.states[order.state].stock, _unplanned, tuple, tuple)
            passable = {
                t.trigger
                for t in self.flow.transitions
                if order.state in t.sources
                and not any(
                    GUARDS[use.name].check(order, facts, use.params) for use in t.guards if use.name in _BY_STATE
                )
            }
            self._open[key] = tuple(trigger for trigger in self._from[order.state] if trigger in passable)
        return self._open[key]

    def targets(self, state: str, trigger: str) -> tuple[str, ...]:
        """The states that `trigger` may lead to from `state`, in the order in which they are tried."""
        return tuple(t.target for t in self.flow.transitions if t.trigger == trigger and state in t.sources)

    def arrives(self, trigger: str) -> frozenset[str]:
        """The states that `trigger` may lead to, from wherever. Raises NotFound."""
        found = self._arrives.get(trigger)
        if found is None:
            raise NotFound.named("trigger", trigger, self.triggers)
        return found

    def next_step(self, state: str) -> str | None:
        """The main-path trigger that leaves a state, or None where the path ends."""
        leaving = self._from.get(state, ())
        return next((t for t in self.flow.path if t in leaving), None)

    def ahead(self, state: str) -> tuple[str, ...]:
        """The states that the main path can lead to from `state`, nearest first; `state` itself only where it loops."""
        found: list[str] = []
        now = [state]
        while now:
            here = now.pop(0)
            trigger = self.next_step(here)
            reached = self.targets(here, trigger) if trigger else ()
            fresh = [target for target in reached if target not in found]
            found += fresh
            now += fresh
        return tuple(found)

    def tying(self, state: str) -> str | None:
        """The trigger that ties stock to an order in this state, the main path's first; None where none does."""
        found = self._between(state, Stock.FREE, Stock.TIED)
        return next((trigger for trigger in (*self.flow.path, *found) if trigger in found), None)

    def sending(self, state: str) -> str | None:
        """The trigger that sends the goods of an order in this state off, the main path's first; None where none."""
        found = self._between(state, Stock.TIED, Stock.GONE)
        return next((trigger for trigger in (*self.flow.path, *found) if trigger in found), None)

    def untying(self, state: str) -> str | None:
        """The trigger that gives the stock of this state back so that it can be tied again; None where none does.

        A cancel is none: it ends what the customer asked for, even where the order is not over with it.
        """
        found = [
            trigger
            for trigger, targets in self._between(state, Stock.TIED, Stock.FREE).items()
            if trigger != CANCEL and any(self.tying(target) for target in targets)
        ]
        return UNTIE if UNTIE in found else next(iter(found), None)

    def _between(self, state: str, source: Stock, target: Stock) -> dict[str, list[str]]:
        """Triggers that lead from the state, if its stock means `source`, to states that mean `target`."""
        found: dict[str, list[str]] = {}
        if state in self.states and self.states[state].stock is source:
            for t in self.flow.transitions:
                if state in t.sources and self.states[t.target].stock is target:
                    found.setdefault(t.trigger, []).append(t.target)
        return found

    def short_of_stock(self, state: str, taken: Transition) -> bool:
        """True if a transition is taken because stock did not cover the order, which its trigger would have tied."""
        if self.effect(state, taken.target) != (Stock.FREE, Stock.FREE):
            return False
        tried = self.flow.transitions[: self.flow.transitions.index(taken)]
        refused = [self.states[t.target].stock for t in tried if t.trigger == taken.trigger and state in t.sources]
        return Stock.TIED in refused

    def ask(self, order: Order, trigger: str, facts: Facts) -> tuple[Transition | None, list[Refusal]]:
        """The transition that `trigger` takes now, or None and every refusal. Changes nothing. Raises NotFound."""
        event = self._events.get(trigger)
        if event is None:
            raise NotFound.named("trigger", trigger, self.triggers)
        token = _Token(order, facts)
        if event.trigger(token):
            return token.taken, token.refusals
        if not token.refusals:
            token.refusals.append(self._no_way(order, trigger, self.open(order, facts.role)))
        return None, token.refusals

    def fire(self, order: Order, trigger: str, facts: Facts) -> Transition:
        """The transition that `trigger` takes now.

        Raises Refused with every refusal (StockShort where stock alone is the reason), NotFound for an unknown trigger.
        """
        taken, refusals = self.ask(order, trigger, facts)
        if taken is None:
            raise self.refused(order, trigger, refusals)
        return taken

    def refused(self, order: Order, trigger: str, refusals: list[Refusal]) -> Refused | StockShort:
        """The error that says why `trigger` was refused."""
        codes = {r.code for r in refusals}
        kind = StockShort if "stock_covers_order" in codes and codes <= _SHORT_OF_STOCK else Refused
        remedy = next((r.remedy for r in refusals if r.remedy), None)
        return kind(
            f"{order.id} is {order.state}: {trigger} refused",
            hint=remedy or f"orderstate why {order.id}",
            code=refusals[0].code,
            blocked=refusals,
            order=order.id,
            state=order.state,
            version=order.version,
            trigger=trigger,
        )

    def explain(self, order: Order, facts: Facts, trigger: str | None = None) -> tuple[Choice, ...]:
        """For each trigger of the flow (or the one named): would it go, where to, and if not, every reason.

        Where it does not lead out of the state, the reason names what does and would go. A guard of one's own that
        raises refuses its trigger here, with the code guard_broken.
        """
        named = self.triggers if trigger is None else (trigger,)
        asked: dict[str, Choice] = {}

        def choice(name: str) -> Choice:
            if name not in asked:
                asked[name] = self._choice(order, facts, name)
            return asked[name]

        found = []
        for name in named:
            one = choice(name)
            if [r.code for r in one.refusals] == [_NOT_FROM_HERE]:
                instead = tuple(other for other in self._from[order.state] if choice(other).possible)
                one = Choice(name, None, (self._no_way(order, name, instead),))
            found.append(one)
        return tuple(found)

    def _choice(self, order: Order, facts: Facts, trigger: str) -> Choice:
        try:
            taken, refusals = self.ask(order, trigger, facts)
        except OrderstateError as error:
            if error.code != "guard_broken":
                raise
            # Whoever asks what is possible is told of the others, too; only firing this one is an error.
            taken, refusals = None, [Refusal(error.code, error.sentence, None, {"trigger": trigger})]
        return Choice(trigger, taken.target) if taken else Choice(trigger, None, tuple(refusals))

    def effect(self, source: str, target: str) -> tuple[Stock, Stock]:
        """What a move means for stock: the pair of meanings, which decides what the engine does."""
        return self.states[source].stock, self.states[target].stock

    def ended(self, order: Order) -> Refusal | None:
        """The refusal that a final state gives to whatever is asked, or None."""
        if not self.states[order.state].final:
            return None
        return Refusal("final", f"{order.id} is {order.state}, which is final", None, {"state": order.state})

    def _no_way(self, order: Order, trigger: str, instead: tuple[str, ...]) -> Refusal:
        """Why a trigger that is not declared from the order's state is refused; `instead`: what is possible."""
        ended = self.ended(order)
        if ended is not None:
            return ended
        return Refusal(
            _NOT_FROM_HERE,
            f"{trigger} does not lead out of {order.state}; possible from here: {', '.join(instead) or 'nothing'}",
            None,  # what is possible instead is told already
            {"state": order.state, "instead": list(instead)},
        )


def _unplanned() -> Plan:
    raise AssertionError("a guard that looks at the state alone asks for no plan")


@lru_cache(maxsize=1)
def standard() -> Machine:
    """The standard flow, compiled once per process."""
    return Machine(STANDARD)
