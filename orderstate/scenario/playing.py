"""A path of an imagined order, written down as the steps of a scenario with what is expected of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from orderstate.engine.commands import VERBS
from orderstate.machine import Machine
from orderstate.model import PRIMARY, Stock
from orderstate.scenario.imagined import FACILITY, Asking, Said
from orderstate.scenario.paths import Move, Path
from orderstate.scenario.script import WAIT, Expectation, Step, StockRow, World

ORDER = "order"
"""What the scenarios call their order."""
_AT = "40.01,-75.13"
_GRAMS = 350
_NARROW = {"only": [FACILITY]}
"""Narrows no plan in a world of one facility, but whoever asks so does not want to wait."""


class Playing:
    """The steps of one scenario, and what its stock is after them."""

    def __init__(self, machine: Machine, path: Path) -> None:
        self.machine = machine
        self.path = path
        self.wanted = path.start.wanted()
        self.covered_first = next((m.said.asking.covered for m in path.moves if m.said.planned), True)
        self.on_hand = {sku: units if self.covered_first else 0 for sku, units in self.wanted.items()}
        self.tied = False
        self.steps = [self._place()]
        for move in path.moves:
            self.move(move)

    def world(self, bare: World) -> World:
        """The world that the steps begin in, on top of what all scenarios of a flow share."""
        rows = tuple(
            StockRow(FACILITY, sku, units if self.covered_first else 0, PRIMARY, grams=_GRAMS)
            for sku, units in self.wanted.items()
        )
        return replace(bare, facilities={FACILITY: {"at": _AT, "country": "US"}}, stock=rows)

    def _place(self) -> Step:
        start = self.path.start
        fields = dict(start.place)
        if fields["short"] == "backorder":
            del fields["short"]  # the setting's default
        expect = Expectation(state=start.order.state, events=("OrderPlaced",))
        return Step("place", fields, name=ORDER, expect=expect)

    def move(self, move: Move) -> None:
        """Ask for a trigger that is taken."""
        said, taken = move.said, move.transition
        self._make(said)
        self.steps.append(self._asked(said, self._expected(move)))
        assert taken.target == move.after.order.state

    def wait(self, micros: int, move: Move) -> None:
        """Let the time pass after which a timer fires."""
        self._make(move.said)
        expected = self._expected(move)
        orders = {ORDER: move.after.order.state}
        expect = Expectation(events=expected.events, stock=expected.stock, orders=orders)
        self.steps.append(Step(WAIT, {"for": micros}, expect=expect))

    def refuse(self, answers: Sequence[Said]) -> None:
        """Ask for what is refused, in an order that changes stock seldom; nothing moves."""
        state = self.path.end.order.state
        for said in sorted(answers, key=lambda s: (s.planned, s.planned and s.asking.covered is not self._covers())):
            self._make(said)
            if said.quiet:
                expect = Expectation(state=state, changed=False, events=())
            else:
                expect = Expectation(refused=tuple(sorted(set(said.codes))), state=state, events=())
            self.steps.append(self._asked(said, expect))

    def _expected(self, move: Move) -> Expectation:
        """What a move does, and what it does to stock."""
        said, taken = move.said, move.transition
        short = said.planned and not said.asking.covered
        waits = short and self.machine.short_of_stock(move.before.order.state, taken)
        effect = self.machine.effect(move.before.order.state, taken.target)
        if effect == (Stock.FREE, Stock.TIED):
            self.tied = True
        elif effect[0] is Stock.TIED and effect[1] is not Stock.TIED:
            self.tied = False
            if effect[1] is Stock.GONE:
                self.on_hand = {sku: units - self.wanted[sku] for sku, units in self.on_hand.items()}
        changed = Stock.TIED in effect and effect[0] is not effect[1]
        return Expectation(
            exit=5 if waits else None,
            state=taken.target,
            events=(taken.event,),
            stock=self._stock() if changed else None,
            short=self.wanted if waits else None,
        )

    def _stock(self) -> dict[str, dict[str, dict[str, int]]]:
        rows = {
            sku: {"on_hand": self.on_hand[sku], "allocated": units if self.tied else 0}
            for sku, units in self.wanted.items()
        }
        return {FACILITY: rows}

    def _covers(self) -> bool:
        """Whether what is available now would do."""
        return all(self.on_hand[sku] - (units if self.tied else 0) >= units for sku, units in self.wanted.items())

    def _make(self, said: Said) -> None:
        """Receive what is missing, or take away what is too much, where the stock decides."""
        if not said.planned or said.asking.covered is self._covers():
            return
        for sku, units in self.wanted.items():
            held = units if self.tied else 0
            missing = held + units - self.on_hand[sku]
            if said.asking.covered:
                if missing > 0:
                    self.steps.append(Step("receive", {"facility": FACILITY, "sku": sku, "quantity": missing}))
                    self.on_hand[sku] += missing
            elif self.on_hand[sku] != held:
                self.steps.append(Step("adjust", {"facility": FACILITY, "sku": sku, "to_units": held}))
                self.on_hand[sku] = held

    def _asked(self, said: Said, expect: Expectation) -> Step:
        asking: Asking = said.asking
        verb = VERBS.get(said.trigger, "fire")
        if asking.narrowed and verb != "tie":
            verb = "fire"  # the others plan nothing, so they take no demands on a plan
        fields: dict[str, Any] = {"order": f"${{{ORDER}}}"}
        if verb == "fire":
            fields["trigger"] = said.trigger
        if asking.narrowed:
            fields |= _NARROW
        if asking.role != "operator":
            fields["as"] = asking.role
        return Step(verb, fields, expect=expect)
