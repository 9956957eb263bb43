"""A real order as a scenario: what was asked of it, when and by whom, with the stock that it saw, and what came of it.

    print(dump(from_history(engine, "1001")))

A bug report, a regression test and the proof that it can be replayed, in one. What other orders took and gave in
between is told by counts before each plan. What cannot be told again exactly is said in the scenario's `about`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from orderstate.engine import History
from orderstate.engine.commands import VERBS
from orderstate.engine.reader import Reader
from orderstate.flow.possible import KNOWN_GUARDS
from orderstate.machine import STANDARD, Machine
from orderstate.model import POOLS, Flow, Plan, RefusalCount, Stock
from orderstate.scenario.deeds import USE_FLOW, Deed, deeds, on_time
from orderstate.scenario.eras import Eras, eras, gone
from orderstate.scenario.grounds import Grounds
from orderstate.scenario.members import Member
from orderstate.scenario.proving import proven
from orderstate.scenario.script import AT, Expectation, Scenario, Step, StockRow, World
from orderstate.scenario.shelves import Row, Shelves

NAME = "order"
"""What the scenario calls the order."""
Item = tuple[int, Deed | tuple[str, RefusalCount]]


def from_history(engine: Reader, order: str) -> Scenario:
    """The life of an order so far, with those split off it, or with the one that it was split off.

    It is played before it is given out, so it passes. Where it does not, because guards of the flow's own do not say
    again what they said, `about` names the steps. Raises NotFound, and Refused where it was moved to another flow by a
    change that cannot be told, or went through one that is no longer there.
    """
    root = order
    while (parent := engine.order(root).parent) is not None:
        root = parent
    family = list(_family(engine, root))
    refused = [at for told in family for refusal in told.refusals for at in (refusal.first_at, refusal.last_at)]
    family_deeds = deeds(family)
    otherwise: list[Scenario] = []
    for understood in eras(engine, family_deeds, refused):
        played, wrong = proven(_Telling(engine, order, family, understood).scenario())
        if not wrong:
            return played
        if _own_guards(understood.used) or not any(deed.verb == USE_FLOW for deed in family_deeds):
            steps = ", ".join(map(str, wrong))
            about = f"{played.about} Played again it came out otherwise: see step {steps}."
            otherwise.append(replace(played, about=about))
    if otherwise:
        return otherwise[0]
    raise gone(order, "under those that are known it comes out otherwise")


def _family(engine: Reader, order: str) -> Iterator[History]:
    told = engine.history(order)
    yield told
    for event in told.events:
        if event.type == "OrderSplit":
            yield from _family(engine, event.payload["child"])


class _Telling:
    """One story on its way."""

    def __init__(self, engine: Reader, order: str, family: Sequence[History], understood: Eras) -> None:
        self.order = order
        self.family = family
        self.notes: list[str] = []
        found = list(understood.found)
        self.flows = understood.flows
        refusals = [
            (at, (told.order.id, refusal))
            for told in family
            for refusal in told.refusals
            for at in dict.fromkeys((refusal.first_at, refusal.last_at))
        ]
        end = max([found[-1].at, *(at for at, _ in refusals)])
        found = self._with_timers(found, end)
        self.era = found[0].era
        # At one moment a refusal came first: what it was refused for was still so.
        self.items: list[Item] = sorted(
            [*refusals, *((deed.at, deed) for deed in found)], key=lambda item: (item[0], isinstance(item[1], Deed))
        )
        self.world_flow = self.flow_of(self.era)
        self.machine = Machine(self.world_flow)
        self.grounds = Grounds(engine, [p for d in found if (p := _planned(d)) is not None])
        weights = {line.sku: line.grams for told in family for line in engine.order(told.order.id).lines}
        self.shelves = Shelves(weights)
        self.members: dict[str, Member] = {}
        self.first = {told.order.id: told.events[0] for told in family}
        self.start = self.now = found[0].at
        self.steps: list[Step] = []

    def scenario(self) -> Scenario:
        """The whole story."""
        for number, (at, item) in enumerate(self.items):
            if isinstance(item, Deed):
                self.deed(item)
            elif not self.refused(at, *item):
                self.refused_later(number, at, *item)
        orders = {member.called: member.state for member in self.members.values()}
        last = self.steps[-1]
        self.steps[-1] = replace(last, expect=replace(last.expect, orders=orders))
        self.say_what_is_missing()
        about = f"What happened to {self.order} up to version {self._version()}, with the stock that it saw."
        return Scenario(
            title=f"What happened to {self.order}",
            steps=tuple(self.steps),
            world=World(
                clock=self.start,
                flow=None if self.world_flow == STANDARD else self.world_flow,
                settings=self.grounds.settings_of_world,
                facilities=self.grounds.facilities_of_world,
                stock=self._stock(),
            ),
            about=" ".join([about, *dict.fromkeys(self.notes)]),
            source=f"{self.order}.scenario.yaml",
        )

    def _version(self) -> int:
        return next(told.order.version for told in self.family if told.order.id == self.order)

    def _stock(self) -> tuple[StockRow, ...]:
        """The stock of the world; SKUs that no plan looked at are known, because they were ordered."""
        rows = self.shelves.begun or ()
        ordered = {sku for sku, _ in self.family[0].events[0].payload["lines"]} - {row.sku for row in rows}
        here, grams = self.grounds.any_facility(), self.shelves.grams
        rows += tuple(StockRow(here, sku, 0, grams=grams.get(sku, 0)) for sku in ordered)
        return tuple(sorted(rows, key=lambda row: (row.facility, row.sku, POOLS.index(row.pool))))

    # Time

    def _with_timers(self, found: list[Deed], end: int) -> list[Deed]:
        """The deeds with timers where the runner fires them; or a flow without timers, which are then fired by name."""
        used = [flow for flow in self.flows if flow is not None]
        if all(state.after is None for flow in used for state in flow.states):
            if any(deed.timed for deed in found):
                self.notes.append("Timers fired by a flow that is gone: what they did is done by name.")
            return [replace(deed, timed=False) for deed in found]
        timely = on_time(used[0], found, self.family, end) if len(used) == 1 else None
        if timely is not None:
            late = any(deed.at != before.at for deed, before in zip(timely, found, strict=True))
            if late:
                self.notes.append("Timers that were fired late are fired when they were due.")
            return timely
        self.notes.append("The flow stands here without its timers: what they did is done by name, when they did it.")
        self.flows = tuple(None if flow is None else _untimed(flow) for flow in self.flows)
        return [replace(deed, timed=False) for deed in found]

    def flow_of(self, era: int) -> Flow:
        """The flow that a deed was done under."""
        flow = self.flows[era]
        assert flow is not None
        return flow

    def at(self, moment: int, expect: Expectation | None = None) -> None:
        """Let time pass up to a moment."""
        if moment > self.now or expect is not None:
            self.now = max(moment, self.now)
            self.steps.append(Step(AT, {"moment": self.now}, expect=expect or Expectation()))

    # What was done

    def deed(self, deed: Deed) -> None:
        """Tell one command, and what came of it."""
        if deed.verb == USE_FLOW:
            self.change_flow(deed)
            return
        if deed.verb == "place":
            self.place(deed)
            return
        member = self.members[deed.order]
        more, expect = self.prepare(deed, member)
        before = member.state
        for event in deed.own:
            self.apply(member, event.payload)
            member.apply(event)
        if self.machine.effect(before, member.state) == (Stock.TIED, Stock.GONE):
            self.shelves.ship(member.id)
        if deed.timed:
            self.at(deed.at, Expectation(events=deed.written, orders={member.called: member.state}))
            return
        self.at(deed.at)
        fields = {"order": member.called, **deed.fields, **more}
        verb = "fire" if more and deed.verb not in ("tie", "fire", "redirect") else deed.verb
        if verb != deed.verb:
            fields["trigger"] = deed.last.trigger
        outcome = replace(expect, state=member.state, version=member.version, events=deed.written)
        self.steps.append(Step(verb, fields, expect=outcome))

    def place(self, deed: Deed) -> None:
        """Tell how the first of the orders was placed."""
        first = deed.last
        self.at(deed.at)
        self.members[deed.order] = Member.placed(first, f"${{{NAME}}}")
        own = {} if deed.order.isdigit() else {"id": deed.order}
        expect = Expectation(state=first.target, version=1, events=deed.written)
        self.steps.append(Step("place", {**deed.fields, **own}, name=NAME, expect=expect))
        if "placed_at" in first.payload:
            self.notes.append("It was placed before it was recorded; here it is placed when it was recorded.")

    def apply(self, member: Member, told: Any) -> None:
        """Do to the shelves, and to the children, what an event says."""
        if "child" in told:
            child = told["child"]
            # The engine counts what was split off before; this id is found again unless another order had it.
            called = f"{member.called}-{len(member.children) + 2}"
            member.children.append(child)
            self.members[child] = Member.placed(self.first[child], called)
            if "handed_over" in told:
                self.shelves.hand_over(member.id, child, told["handed_over"])
                self.members[child].state, self.members[child].version = member.state, 2
        if "released" in told:
            self.shelves.release(member.id, told["released"])
        if "plan" in told:
            self.shelves.tie(member.id, Plan.read(told["plan"]).allocations)

    def change_flow(self, deed: Deed) -> None:
        """Tell that another flow came into force; the first of the deeds stands for all that it did."""
        if self.era == deed.era:
            return
        self.era = deed.era
        self.at(deed.at)
        changes = [i for _, i in self.items if isinstance(i, Deed) and i.verb == USE_FLOW]
        moved = [event for one in changes if (one.at, one.era) == (deed.at, deed.era) for event in one.own]
        flow = self.flow_of(deed.era)
        fields: dict[str, Any] = {"file": STANDARD.name} if flow == STANDARD else {}
        pairs = {str(event.source): str(event.target) for event in moved}
        if pairs:
            fields["map"] = pairs
        ended = {state.name for state in self.machine.flow.states if state.final}
        ends = {state.name for state in flow.states if state.final}
        if any(source in ended and target not in ends for source, target in pairs.items()):
            fields["reopen"] = True
        expect = Expectation(events=tuple(event.type for event in moved))
        self.steps.append(Step(USE_FLOW, fields, flow=flow, expect=expect))
        self.machine = Machine(flow)
        for event in moved:
            self.members[event.subject].apply(event)

    def prepare(self, deed: Deed, member: Member) -> tuple[dict[str, Any], Expectation]:
        """Let the stock be what the deed saw, if it planned: (fields that say how to plan, what is expected)."""
        told = deed.last.payload
        if "plan" in told:
            return self.tie(deed, member)
        if isinstance(told.get("short"), dict):
            short: dict[str, int] = told["short"]
            wanted = member.wanted()
            self._available({sku: units - short.get(sku, 0) for sku, units in wanted.items()})
            exact = self.grounds.settings.get("cost.backorder", "none") == "none"
            return {}, Expectation(exit=5 if short else None, short=short if short and exact else None)
        return {}, Expectation()

    def tie(self, deed: Deed, member: Member) -> tuple[dict[str, Any], Expectation]:
        """The problem that a plan answered, put again."""
        told = deed.last.payload
        plan = Plan.read(told["plan"])
        chooses = not deed.timed and deed.verb in ("tie", "fire", "cancel", "untie", "ship", "deliver")
        asked = self.grounds.put(told.get("problem"), plan, deed.fields.get("to", member.to), chooses, self.shelves)
        self.steps += asked.steps
        freed = member.id if deed.verb == "redirect" else None
        self.steps += self.shelves.show({**self._zeros(member, asked.out), **asked.available}, freed)
        expected: dict[str, Any] = {"allocations": tuple(sorted(plan.allocations))}
        if not asked.exact:
            since = (
                f"Since version {deed.last.number} of {member.id} was made the network or the settings have changed:"
            )
            self.notes.append(f"{since} only what it took is in stock there, and its cost is not compared.")
            return asked.options, Expectation(plan=expected)
        expected |= {"strategy": plan.strategy, "optimal": plan.optimal}
        if deed.timed:
            return asked.options, Expectation()
        return asked.options, Expectation(plan=expected, cost=plan.cost)

    def _zeros(self, member: Member, out: frozenset[str]) -> dict[Row, int]:
        """Every row of what the order wants, with nothing in it; what is out is not looked at."""
        wanted = member.wanted()
        return {row: 0 for row in self.shelves.rows() if row[1] in wanted and row[0] not in out}

    def _available(self, units: dict[str, int]) -> None:
        """So much of each SKU in one facility, and nothing elsewhere."""
        here, opening = self.grounds.open_facility()
        self.steps += opening
        rows = {row: 0 for row in self.shelves.rows() if row[1] in units}
        rows |= {(here, sku, POOLS[0]): n for sku, n in units.items()}
        self.steps += self.shelves.show(rows)

    def _nothing_available(self, skus: dict[str, int]) -> None:
        self._available(dict.fromkeys(skus, 0))

    # What was refused

    def refused(self, at: int, order: str, refusal: RefusalCount) -> bool:
        """Ask again for what was refused; False where it would not be refused like that now."""
        member = self.members.get(order)
        if member is None:
            return False
        held = sorted({row[0] for row, units in self.shelves.held.get(order, {}).items() if units})
        step: Step | None = None
        if refusal.trigger in self.machine.triggers:
            found = member.asked(self.machine, refusal.trigger, refusal.codes)
            if found is not None:
                asking, looked = found
                self.at(at)
                if looked and asking.covered:
                    self._available(member.wanted())
                elif looked:
                    self._nothing_available(member.wanted())
                verb = VERBS.get(refusal.trigger, "fire")
                fields: dict[str, Any] = {"order": member.called}
                if asking.narrowed:
                    fields["only"] = [self.grounds.any_facility()]
                    verb = verb if verb == "tie" else "fire"
                if verb == "fire":
                    fields["trigger"] = refusal.trigger
                if asking.role != "operator":
                    fields["as"] = asking.role
                step = Step(verb, fields)
        if step is None:
            step = member.other_command(self.machine, refusal, held)
        if step is None:
            return False
        self.at(at)
        codes = tuple(sorted(set(refusal.codes)))
        self.steps.append(replace(step, expect=Expectation(refused=codes, state=member.state, events=())))
        between = refusal.count - (1 if refusal.first_at == refusal.last_at else 2)
        if between > 0 and at == refusal.first_at:
            self.notes.append(f"{refusal.trigger} was refused to {order} {refusal.count} times, not all told here.")
        return True

    def refused_later(self, number: int, at: int, order: str, refusal: RefusalCount) -> None:
        """Several things may carry one time: then it may have been refused after the next of them."""
        for behind in range(number + 1, len(self.items)):
            when, what = self.items[behind]
            if when != at:
                break
            if isinstance(what, Deed):
                self.items.insert(behind + 1, (at, (order, refusal)))
                return
        codes = ", ".join(refusal.codes)
        self.notes.append(f"That {refusal.trigger} was refused to {order} ({codes}) cannot be told again.")

    # What is missing

    def say_what_is_missing(self) -> None:
        """Notes about what no event tells."""
        own = _own_guards([flow for flow in self.flows if flow is not None])
        if own:
            self.notes.append(f"What these guards knew then is not kept; they are asked again: {', '.join(own)}.")
        if any(
            deed.at != deed.last.at for _, deed in self.items if isinstance(deed, Deed) and deed.own and not deed.timed
        ):
            self.notes.append("Times that went back are told as if no time had passed.")


def _planned(deed: Deed) -> Any:
    """The problem of a deed that planned."""
    return deed.last.payload.get("problem") if deed.own else None


def _untimed(flow: Flow) -> Flow:
    return replace(flow, states=tuple(replace(state, after=None, timer=None) for state in flow.states))


def _own_guards(flows: Sequence[Flow]) -> list[str]:
    """The guards that are not orderstate's: what they know is theirs."""
    names = (use.name for flow in flows for transition in flow.transitions for use in transition.guards)
    return [name for name in dict.fromkeys(names) if name not in KNOWN_GUARDS]
