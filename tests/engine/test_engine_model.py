"""The engine against plain dictionaries: hypothesis looks for a sequence of commands after which they differ."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from plain_model import Model
from worlds import BERLIN, DENVER, NEW_YORK, World, snapshot

from orderstate import Answer, OrderstateError
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

SITES = {"DEN": ("39.74,-104.99", "US"), "NYC": ("40.71,-74.01", "US"), "HAM": ("53.55,10.0", "DE")}

skus = st.sampled_from(["MUG", "PEN", "Ä 7/ü"])
baskets = st.dictionaries(skus, st.integers(1, 6), min_size=1)
somewhere = st.sampled_from(list(SITES))
pools = st.sampled_from(["primary", "primary", "back"])
picks = st.sampled_from([*range(12), 99])
keys = st.sampled_from([None] * 16 + ["k1", "k2", "k:#'\"%", "k\n4"])
triggers = st.sampled_from(["tie_inventory"] * 6 + ["untie", "ship", "deliver", "cancel", "tie", "destroy"])
roles = st.sampled_from(["operator", "operator", "customer", "system"])
places = st.sampled_from([DENVER, NEW_YORK, BERLIN, "US"])
policies = st.sampled_from([None, "backorder", "split", "split", "refuse"])

ROWS = {
    "orders": "SELECT id, state, version, destination, short, coalesce(parent, '') FROM orders",
    "lines": "SELECT o.id, l.sku, l.quantity, l.cancelled FROM order_line l JOIN orders o USING (serial)",
    "allocations": "SELECT o.id, a.facility, a.sku, a.pool, a.units FROM allocation a JOIN orders o USING (serial)",
    "stock": "SELECT facility, sku, pool, on_hand, allocated, safety FROM stock",
    "facilities": "SELECT code, closed, version FROM facility",
    "refusals": 'SELECT o.id, r."trigger", r.codes, r.count FROM refusal r JOIN orders o USING (serial)',
    "keys": "SELECT key FROM idempotency",
}
"""What the database must hold, as Model.rows says it."""

Intent = tuple[str, Mapping[str, Any]]
"""A command before the order that it means is known: kind and arguments, with `pick` for the order."""


def intent(kind: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Intent]:
    """A strategy for intents of one kind."""
    return st.tuples(st.just(kind), st.fixed_dictionaries(arguments))


order_intents = (
    intent("fire", pick=picks, trigger=triggers, role=roles, key=keys),
    intent("cancel", pick=picks, lines=st.one_of(st.none(), baskets, baskets), role=roles, key=keys),
    intent("redirect", pick=picks, to=places, key=keys),
    intent("split", pick=picks, facility=somewhere, key=keys),
    intent("retie", pick=picks, key=keys),
)
stock_intents = (
    intent(
        "receive", facility=somewhere, items=st.lists(st.tuples(skus, st.integers(1, 6), pools), min_size=1), key=keys
    ),
    intent("receive", facility=somewhere, items=st.lists(st.tuples(st.just("NEW"), st.just(1), pools), min_size=1)),
    intent(
        "adjust",
        facility=somewhere,
        sku=skus,
        pool=pools,
        by_units=st.integers(-4, 4).filter(bool),
        untie=st.booleans(),
    ),
    intent("adjust", facility=somewhere, sku=skus, pool=pools, safety=st.integers(0, 3), to_units=st.integers(0, 6)),
    intent(
        "count",
        facility=somewhere,
        items=st.lists(
            st.tuples(skus, pools, st.integers(0, 6), st.none(), st.none()),
            min_size=1,
            max_size=2,
            unique_by=lambda i: i[:2],
        ),
    ),
    intent("set", facility=somewhere, closed=st.sampled_from([False, False, True])),
    intent("configure", value=st.sampled_from([None, "backorder", "split", "refuse"])),
)
callers = st.sampled_from([None, None, "ann"])
own_ids = st.sampled_from([None] * 8 + ["A-1", "1001-2"])
place_intents = intent("place", lines=baskets, to=places, short=policies, key=keys, own=own_ids, by=callers)
unknown_intents = intent(
    "place", lines=st.just({"MUG": 1, "CUP": 1}), to=places, short=policies, key=keys, own=own_ids, by=callers
)


class Commands(RuleBasedStateMachine):
    """Every command, in every order that hypothesis thinks of."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(shutil.copyfile(self.template, Path(self.folder.name) / "model.db")))
        self.model = Model()
        self.done: list[Command] = []

    def teardown(self) -> None:
        self.world.check()
        self.world.close()
        self.folder.cleanup()

    @initialize(units=st.integers(0, 9), short=policies)
    def network(self, units: int, short: str | None) -> None:
        """Three facilities, so that orders can span them and leave the country."""
        for code, (at, country) in SITES.items():
            self.do(SetFacility(facility=code, values={"at": at, "country": country}, new=True))
        items = [("MUG", units + 1, "primary"), ("PEN", 3, "back"), ("Ä 7/ü", 2, "primary"), ("MUG", 2, "back")]
        for code in SITES:
            self.do(Receive(facility=code, items=items, at=self.world.clock()))
        for lines in ({"MUG": 3}, {"MUG": 1, "PEN": 5, "Ä 7/ü": 4}, {"MUG": units + 4}):
            self.do(Place(lines=lines, to=NEW_YORK, short=short, at=self.world.clock()))

    @rule(wanted=st.one_of(place_intents, place_intents, unknown_intents))
    def place(self, wanted: Intent) -> None:
        self.do(self.command(wanted))

    @rule(pick=picks, short=policies)
    def tie(self, pick: int, short: str | None) -> None:
        """An order that stock may not cover, tied at once."""
        lines = {"MUG": 2 + pick % 9, "PEN": 1 + pick % 4}
        self.do(Place(lines=lines, to=NEW_YORK, short=short, at=self.world.clock()))
        self.do(self.command(("fire", {"pick": 0, "trigger": "tie_inventory"})))

    @precondition(lambda self: self.tied())
    @rule(
        pick=picks,
        wanted=st.sampled_from(["split", "redirect", "reduce", "adjust", "untie", "retie", "ship", "deliver"]),
    )
    def change_what_is_tied(self, pick: int, wanted: str) -> None:
        order, (facility, sku, pool), units = self.tied()[pick % len(self.tied())]
        common: dict[str, Any] = {"order": order, "at": self.world.clock()}
        commands: dict[str, Command] = {
            "split": Split(facility=facility, **common),
            "redirect": Redirect(to=BERLIN, **common),
            "reduce": Cancel(lines={sku: 1}, **common),
            "adjust": Adjust(facility=facility, sku=sku, pool=pool, to_units=units // 2, untie=pick % 4 > 0),
            "untie": Fire(trigger="untie", **common),
            "retie": Retie(**common),
            "ship": Fire(trigger="ship", **common),
            "deliver": Fire(trigger="deliver", **common),
        }
        self.do(commands[wanted])
        if wanted == "ship":
            self.do(Cancel(role=["customer", "operator"][pick % 2], **common))
            self.do(commands["deliver" if pick % 3 else "split"])

    def tied(self) -> list[tuple[str, tuple[str, str, str], int]]:
        """(order, row, units) of all that is tied, the orders that hold many rows first."""
        holders = [(i, o) for i, o in self.model.orders.items() if o.state == "inventory_tied"]
        holders.sort(key=lambda pair: -len(pair[1].held))
        return [(i, row, units) for i, o in holders for row, units in o.held.items()]

    @rule(pick=picks, trigger=triggers)
    def fire(self, pick: int, trigger: str) -> None:
        self.do(self.command(("fire", {"pick": pick, "trigger": trigger})))

    @rule(wanted=st.one_of(*order_intents))
    def change_an_order(self, wanted: Intent) -> None:
        self.do(self.command(wanted))

    @rule(wanted=st.one_of(*stock_intents))
    def change_stock(self, wanted: Intent) -> None:
        self.do(self.command(wanted))

    @rule(wanted=st.one_of(*order_intents), behind=st.integers(-1, 2))
    def name_a_version(self, wanted: Intent, behind: int) -> None:
        command = self.command(wanted)
        assert isinstance(command, OrderCommand)
        version = self.model.orders[command.order].version if command.order in self.model.orders else 1
        self.do(replace(command, if_version=max(1, version - behind)))

    @rule(pick=picks)
    def repeat(self, pick: int) -> None:
        if self.done:
            first = self.done[pick % len(self.done)]
            self.do(replace(first, at=self.world.clock()))

    @rule(
        wanted=st.lists(
            st.one_of(unknown_intents, place_intents, *order_intents, *stock_intents), min_size=2, max_size=5
        )
    )
    def batch(self, wanted: list[Intent]) -> None:
        commands = [self.command(one) for one in wanted]
        self.follow(commands, list(self.world.engine.run(commands, batch=len(commands))))

    @rule(wanted=st.lists(st.one_of(place_intents, *order_intents, *stock_intents), min_size=1, max_size=3))
    def all_undone(self, wanted: list[Intent]) -> None:
        """The last command fails always: with all_or_nothing nothing is left of the others."""
        commands = [self.command(one) for one in wanted]
        with self.world.unchanged(), pytest.raises(OrderstateError):
            self.world.engine.all_or_nothing([*commands, Fire(order="nobody", trigger="ship")])

    def command(self, wanted: Intent) -> Command:
        kind, given = wanted
        values = {"at": self.world.clock(), **given}
        if "pick" in values:
            pick, known = values.pop("pick"), list(self.model.orders)
            values["order"] = known[-1 - pick % len(known)] if pick < 99 else "nobody"
        if kind == "place":
            return Place(id=values.pop("own"), **values)
        if kind == "set":
            return SetFacility(values={"closed": values.pop("closed")}, **values)
        if kind == "configure":
            return Configure(setting="short", **values)
        kinds: dict[str, type[Command]] = {
            "fire": Fire,
            "cancel": Cancel,
            "redirect": Redirect,
            "split": Split,
            "receive": Receive,
        }
        kinds |= {"adjust": Adjust, "count": Count, "retie": Retie}
        return kinds[kind](**values)

    def do(self, command: Command) -> None:
        before = snapshot(self.world.path, ["refusal"])
        outcome = self.world.attempt(command)
        if isinstance(outcome, OrderstateError) or outcome.repeated or not outcome.changed:
            after = snapshot(self.world.path, ["refusal"])
            if isinstance(outcome, Answer) and command.key is not None and not outcome.repeated:
                before.pop("idempotency"), after.pop("idempotency")
            assert after == before
        self.follow([command], [outcome])

    def follow(self, commands: Sequence[Command], outcomes: Sequence[Answer | OrderstateError]) -> None:
        assert len(commands) == len(outcomes)
        for command, outcome in zip(commands, outcomes, strict=True):
            self.model.apply(command, outcome)
            if command.key is not None and isinstance(outcome, Answer):
                self.done.append(command)
                assert json.loads(json.dumps(outcome.document)) == outcome.document

    @invariant()
    def the_database_holds_what_the_dictionaries_say(self) -> None:
        found = {name: sorted(self.world.rows(sql)) for name, sql in ROWS.items()}
        assert found == self.model.rows()

    @invariant()
    def everything_adds_up(self) -> None:
        self.world.check()


def search(template: Path, examples: int, steps: int, phases: tuple[Phase, ...]) -> None:
    Commands.template = template
    run_state_machine_as_test(
        Commands,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=phases,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )


def test_the_engine_does_what_plain_dictionaries_say(template: Path) -> None:
    """Shows the first sequence that fails as it was found; the longer run below makes it short, which takes minutes."""
    search(template, examples=40, steps=40, phases=(Phase.reuse, Phase.generate))


@pytest.mark.heavy
def test_the_engine_does_what_plain_dictionaries_say_over_long_sequences(template: Path) -> None:
    search(template, examples=200, steps=80, phases=tuple(Phase))
