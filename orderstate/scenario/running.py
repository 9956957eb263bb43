"""Scenarios run: step after step through the engine, in a temporary database with a clock of its own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orderstate import outputs
from orderstate.engine import Engine
from orderstate.engine.commands import Command, UseFlow
from orderstate.engine.reading import read
from orderstate.errors import NotFound, OrderstateError, Refused
from orderstate.flow.tree import placed
from orderstate.model import Event, Order, StockLevel
from orderstate.scenario.clock import Clock, pass_until
from orderstate.scenario.comparing import Seen, differences
from orderstate.scenario.executing import executed, outcome_of, race
from orderstate.scenario.ledger import Ledger
from orderstate.scenario.references import replaced
from orderstate.scenario.report import Coverage, Difference, Move, Outcome, Report, StepReport, moves
from orderstate.scenario.script import AT, REPEAT, TOGETHER, USE_FLOW, WAIT, WORK, Expectation, Scenario, Step
from orderstate.scenario.settling import settle
from orderstate.scenario.stepping import numbers
from orderstate.scenario.writing import title

if TYPE_CHECKING:
    from orderstate.events.verdicts import Told

TIMER = "timer"
"""What stands in an outcome where a command would, when nobody but the clock asked."""
_PREFIX = "orderstate-scenario-"


def run(scenario: Scenario, *, keep: str | Path | None = None) -> Report:
    """Run a scenario to its end, whatever its steps come to. `keep`: where its database goes when it is over.

    Raises Refused where `keep` exists or the world is unchecked, and what the engine raises for a world that it cannot
    make, such as a flow that the check refuses; an expectation that fails is no error, but in the report.
    """
    kept = None if keep is None else Path(keep)
    if kept is not None:
        _keepable(scenario)
        outputs.check(kept, new=True)
    began = time.perf_counter()
    with outputs.temporary(_PREFIX) as folder:
        database = folder / "scenario.db"
        clock = Clock(scenario.world.clock)
        with Engine.create(database, clock=clock) as engine:
            settle(engine, scenario)
            played = _Play(engine, database, clock, scenario).all()
        if kept is not None:
            _keep(database, kept)
    return Report(scenario, *played, database=kept, seconds=time.perf_counter() - began)


def _keepable(scenario: Scenario) -> None:
    if scenario.world.unchecked:
        raise Refused(
            f"{scenario.title}: its flow is in force unchecked, so nobody could use its database",
            code="unchecked",
            hint="take unchecked out of its world, and mend the flow",
        )


def _keep(database: Path, keep: Path) -> None:
    with database.open("rb") as source, outputs.Output(keep, new=True) as target:
        shutil.copyfileobj(source, target)


class _NotMadeError(Exception):
    """A step needs what an earlier one did not make."""


class _Play:
    """One run as it goes on."""

    def __init__(self, engine: Engine, database: Path, clock: Clock, scenario: Scenario) -> None:
        self.engine = engine
        self.database = database
        self.clock = clock
        self.scenario = scenario
        self.ledger = Ledger(engine)
        self.commands: dict[str, tuple[Command, dict[str, Any]]] = {}
        """What each named step sent, and its document: what `repeat` sends again."""
        self.orders: dict[str, str] = {}
        """The order that each named step is about."""
        self.taken: set[Move] = set()
        self.refusals: set[tuple[str, str, str]] = set()

    def all(self) -> tuple[tuple[StepReport, ...], Coverage]:
        """Every step in turn, and what the run took of its flows."""
        steps = tuple(self.step(step, number) for number, step in enumerate(self.scenario.steps, 1))
        return steps, Coverage(moves(*self.scenario.flows()), frozenset(self.taken), frozenset(self.refusals))

    def step(self, step: Step, number: int) -> StepReport:
        """One step, and what differs from what was expected of it."""
        skipped = None
        outcomes: tuple[Outcome, ...] = ()
        try:
            outcomes = self.outcomes(step, f"step-{number}")
        except _NotMadeError as missing:
            skipped = str(missing)
        events = self.ledger.news(outcomes)
        self.cover(events, outcomes)
        types = tuple(event.type for event in events)
        found: tuple[Difference, ...] = ()
        if skipped is None:
            try:
                seen = Seen(outcomes, types, self.order, self.levels)
                found = differences(self.resolved(step.expect), step, seen)
            except _NotMadeError as missing:
                skipped = str(missing)
        return StepReport(number, title(step), step, outcomes, types, found, self.clock.now, skipped)

    def outcomes(self, step: Step, key: str) -> tuple[Outcome, ...]:
        """What the step comes to."""
        if step.verb == WAIT:
            return self.passes(step, self.clock.now + step.fields["for"])
        if step.verb == AT:
            return self.passes(step, step.fields["moment"])
        if step.verb == TOGETHER:
            return self.race(step, key)
        if step.verb == WORK:
            return self.work(step)
        prepared = self.command(step, key)
        outcome = prepared if isinstance(prepared, Outcome) else executed(self.engine, *prepared)
        self.keep(step, outcome)
        return (outcome,)

    def passes(self, step: Step, end: int) -> tuple[Outcome, ...]:
        """Time passes; what fired, and what was refused."""
        try:
            fired = pass_until(self.engine, self.clock, end)
        except OrderstateError as error:
            raise placed(error, step.mark) from error
        return tuple(outcome_of({"command": TIMER, "at": at}, one) for at, one in fired)

    def work(self, step: Step) -> tuple[Outcome, ...]:
        """Subscribers hear of what happened; what became of each event."""
        from orderstate.events.working import Worker  # no other step needs the work loop

        known = {subscriber.name: subscriber for subscriber in self.engine.subscribers()}
        for name in step.fields["subscribers"]:
            if name not in known:
                raise placed(NotFound.named("subscriber", name, list(known)), step.mark)
        everybody = [name for name, s in known.items() if s.enabled and name != "notify"]
        told: list[Told] = []
        Worker(self.engine, step.fields["subscribers"] or everybody, told=told.append).drain()
        return tuple(_heard(one) for one in told)

    # Commands

    def command(self, step: Step, key: str) -> tuple[Command, dict[str, Any]] | Outcome:
        """The command of a step with its document; or the outcome, where the engine does not understand it."""
        if step.verb == REPEAT:
            named = step.fields["step"]
            if named not in self.commands:
                raise _NotMadeError(f"{named} was never sent")
            prepared = self.commands[named]
        else:
            found = self.prepared(step, key)
            if isinstance(found, Outcome):
                return found
            prepared = found
        if step.name is not None:
            self.commands[step.name] = prepared
        return prepared

    def prepared(self, step: Step, key: str) -> tuple[Command, dict[str, Any]] | Outcome:
        """The command with its references resolved, under a key: its own, or one that is its place in the script."""
        given = numbers(replaced(dict(step.fields), self.resolve))
        document = {"command": step.verb, **given}
        document.setdefault("key", key)
        try:
            if step.verb != USE_FLOW:
                return read(document), document
            document.pop("file", None)
            document["flow"] = step.flow.name if step.flow is not None else None
            return UseFlow(
                flow=step.flow,
                mapping=given.get("map", {}),
                reopen=given.get("reopen", False),
                key=document["key"],
                role=given.get("as", "operator"),
                by=given.get("by"),
            ), document
        except OrderstateError as error:
            return outcome_of(document, error)

    def keep(self, step: Step, outcome: Outcome) -> None:
        """Remember the order that a named step is about."""
        order = outcome.order
        if step.name is not None and order is not None:
            self.orders[step.name] = order

    def race(self, step: Step, key: str) -> tuple[Outcome, ...]:
        """All members at once; what the engine does not understand does not take part."""
        prepared = [self.command(member, f"{key}.{number}") for number, member in enumerate(step.members, 1)]
        ready = [one for one in prepared if not isinstance(one, Outcome)]
        raced = iter(race(self.database, self.clock, ready, self.scenario.world))
        found = tuple(one if isinstance(one, Outcome) else next(raced) for one in prepared)
        for member, outcome in zip(step.members, found, strict=True):
            self.keep(member, outcome)
        return found

    # Names

    def resolve(self, name: str, part: str | None) -> str:
        """What `${name}` or `${name.part}` stands for now."""
        if name not in self.orders:
            raise _NotMadeError(f"{name} made no order")
        order = self.orders[name]
        if part is None:
            return order
        shown = self.engine.show(order)
        if part == "version":
            return str(shown.order.version)
        if not shown.children:
            raise _NotMadeError(f"{name} is {order}, which has no child")
        return shown.children[-1][0]

    def resolved(self, expect: Expectation) -> Expectation:
        """What is expected, with its references resolved."""
        return expect if expect.says is None else replace(expect, says=replaced(expect.says, self.resolve))

    def order(self, name: str) -> Order | None:
        """The order that a step made, or of an id; None where there is none."""
        try:
            order_id = self.orders[name] if name in self.orders else replaced(name, self.resolve)
            return self.engine.order(order_id)
        except (NotFound, _NotMadeError):
            return None

    def levels(self, facility: str, sku: str) -> list[StockLevel]:
        """What the pools of a facility hold of a SKU; none where it never held any."""
        try:
            return list(self.engine.stock(facility=facility, sku=sku))
        except NotFound:
            return []

    # Coverage

    def cover(self, events: Sequence[Event], outcomes: Sequence[Outcome]) -> None:
        """Remember the arrows of the flow that were taken, and what was refused where."""
        for event in events:
            if event.trigger is not None and event.trigger != USE_FLOW and event.source is not None:
                self.taken.add((event.source, event.trigger, str(event.target)))
        for outcome in outcomes:
            values = {} if outcome.error is None else outcome.error.get("values", {})
            if "trigger" in values and "state" in values:
                found = {(str(values["state"]), str(values["trigger"]), code) for code in outcome.refused}
                self.refusals |= found


def _heard(told: Told) -> Outcome:
    document = {
        "command": WORK,
        "subscriber": told.subscriber,
        "event": told.event,
        "type": told.type,
        "outcome": told.outcome,
        "reason": told.reason,
        "changed": told.outcome == "delivered",
        "exit": 0,
    }
    return Outcome({"command": WORK, "subscriber": told.subscriber}, document)
