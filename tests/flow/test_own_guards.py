"""Guards of one's own: found by entry point or dotted path, validated when resolved, held to their contract."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from orderstate import guards, plugins
from orderstate.errors import InvalidInput, NotFound, OrderstateError
from orderstate.flow import read
from orderstate.guards import Facts, Guard, bound
from orderstate.machine import Machine
from orderstate.model import Destination, GuardUse, Line, Order, Plan, Refusal, Stock

HERE = "test_own_guards"
ORDER = Order("1001", "inventory_tied", 2, 0, 0, Destination("US"), "backorder", (Line("MUG", 3),))
FACTS = Facts("operator", Stock.TIED, lambda: Plan("none", (), {}, ()), tuple, tuple)


def few_units(order: Order, facts: Facts, params: Mapping[str, str]) -> Refusal | None:
    """The order has few units.

    At most `most`, or five.
    """
    most = int(params.get("most", "5"))
    return None if order.open_units <= most else Refusal("few_units", f"{order.id} has {order.open_units} units")


few = Guard("few", few_units, "the order is small", {"most": (), "mood": ("good", "bad")})


class Deep:
    """A place for an attribute of an attribute."""

    guard = few


def says_yes(order: Order, facts: Facts, params: Mapping[str, str]) -> bool:
    """A faulty guard: it means that all is well."""
    return True


def raises(order: Order, facts: Facts, params: Mapping[str, str]) -> Refusal | None:
    """A faulty guard."""
    raise KeyError("no such customer")


def refuses_by_name(order: Order, facts: Facts, params: Mapping[str, str]) -> Refusal | None:
    """A guard that looks something up."""
    raise NotFound.named("customer", "bob")


def takes_two(order: Order, facts: Facts) -> None:
    """A faulty guard: it takes too little."""


@dataclass(frozen=True)
class Point:
    """What importlib.metadata gives, as far as it matters."""

    name: str
    value: str


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package is installed that offers two guards."""
    points = [Point("few_units", f"{HERE}:few_units"), Point("no_guard", f"{HERE}:ORDER")]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points if group == guards.GROUP else [])
    plugins.offered.cache_clear()
    guards._own.cache_clear()
    yield
    plugins.offered.cache_clear()
    guards._own.cache_clear()


@pytest.mark.parametrize("name", ["few_units", f"{HERE}:few_units", f"{HERE}:few", f"{HERE}:Deep.guard"])
def test_a_guard_is_found_by_entry_point_and_by_dotted_path(name: str) -> None:
    guard = bound(GuardUse(name))
    assert guard.name == name
    assert guard.fact in ("The order has few units", "the order is small")
    assert guard.check(ORDER, FACTS, {}) is None
    assert bound(GuardUse(name)) is guard


def test_its_refusals_come_out_with_the_others() -> None:
    flow = read(
        "extends: standard\n"
        "transitions:\n"
        "  - trigger: ship\n"
        "    from: inventory_tied\n"
        "    to: shipping\n"
        "    event: ShippingStarted\n"
        f"    guards: [{{'{HERE}:few': {{most: 2}}}}, goods_still_here]\n"
    )
    assert flow.transitions[3].guards[0] == GuardUse(f"{HERE}:few", {"most": "2"})
    taken, refusals = Machine(flow).ask(ORDER, "ship", FACTS)
    assert (taken, [(r.code, r.sentence) for r in refusals]) == (None, [("few_units", "1001 has 3 units")])


def test_parameters_are_those_that_the_guard_declares() -> None:
    assert bound(GuardUse(f"{HERE}:few", {"most": "anything", "mood": "good"})).params["most"] == ()
    with pytest.raises(InvalidInput, match=r"few\.mood: 'sad' is not one of good, bad"):
        bound(GuardUse(f"{HERE}:few", {"mood": "sad"}))
    with pytest.raises(NotFound, match="unknown parameter of guard few_units 'most'"):
        bound(GuardUse("few_units", {"most": "2"}))


def test_an_unknown_name_is_refused_with_the_nearest_built_in_or_installed_one() -> None:
    with pytest.raises(NotFound) as caught:
        bound(GuardUse("few_unit"))
    assert (caught.value.code, caught.value.hint) == ("unknown_guard", "did you mean few_units?")
    with pytest.raises(NotFound, match="unknown guard 'may_wiat'"):
        bound(GuardUse("may_wiat"))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        (
            "no_such_module:guard",
            "no_such_module:guard: ModuleNotFoundError: No module named 'no_such_module'; "
            "PYTHONPATH=. before the command finds the modules of this folder",
        ),
        (f"{HERE}:missing", f"{HERE}:missing: AttributeError: module '{HERE}' has no attribute 'missing'"),
        (":guard", ":guard: ValueError: Empty module name"),
        ("no_guard", f"{HERE}:ORDER is a Order"),
        (f"{HERE}:Deep", f"{HERE}:Deep is a type"),
        (f"{HERE}:takes_two", f"{HERE}:takes_two: too many positional arguments"),
    ],
)
def test_what_is_no_guard_is_refused_when_it_is_resolved(name: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        bound(GuardUse(name))
    assert caught.value.sentence.startswith(f"guard: {name!r} is not a")
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("says_yes", f"guard {HERE}:says_yes returned bool, where a Refusal or None is due"),
        ("raises", f"guard {HERE}:raises raised KeyError: 'no such customer'"),
    ],
)
def test_a_guard_that_breaks_its_contract_is_named(name: str, sentence: str) -> None:
    with pytest.raises(OrderstateError) as caught:
        bound(GuardUse(f"{HERE}:{name}")).check(ORDER, FACTS, {})
    assert (caught.value.code, caught.value.sentence) == ("guard_broken", sentence)
    assert str(caught.value.hint).startswith("mend the guard: ")


def test_an_error_of_the_tree_passes_as_it_is() -> None:
    with pytest.raises(NotFound, match="unknown customer 'bob'"):
        bound(GuardUse(f"{HERE}:refuses_by_name")).check(ORDER, FACTS, {})


def test_built_in_guards_are_not_looked_up() -> None:
    assert bound(GuardUse("may_wait")) is guards.GUARDS["may_wait"]
    assert plugins.offered.cache_info().currsize == 0


def test_a_guard_that_raises_hides_no_other_trigger_and_firing_it_stays_an_error() -> None:
    flow = read(
        "extends: standard\n"
        "transitions:\n"
        "  - {trigger: ship, from: inventory_tied, to: shipping, event: ShippingStarted, "
        f"guards: ['{HERE}:raises']}}\n"
    )
    machine = Machine(flow)
    choices = {choice.trigger: choice for choice in machine.explain(ORDER, FACTS)}
    assert choices["untie"].possible
    assert choices["cancel"].possible
    assert [(r.code, r.sentence) for r in choices["ship"].refusals] == [
        ("guard_broken", f"guard {HERE}:raises raised KeyError: 'no such customer'")
    ]
    with pytest.raises(OrderstateError) as caught:
        machine.fire(ORDER, "ship", FACTS)
    assert caught.value.code == "guard_broken"


def test_another_error_of_a_guard_is_not_taken_for_a_refusal() -> None:
    flow = read(
        "extends: standard\n"
        "transitions:\n"
        "  - {trigger: ship, from: inventory_tied, to: shipping, event: ShippingStarted, "
        f"guards: ['{HERE}:refuses_by_name']}}\n"
    )
    with pytest.raises(NotFound):
        Machine(flow).explain(ORDER, FACTS)
