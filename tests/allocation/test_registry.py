"""Strategies by name, by entry point, by dotted path; what a plug-in may do wrong; the laws in orderstate.testing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import pytest
from oracles import small

import orderstate.allocation
from orderstate import plugins
from orderstate.allocation import Problem, check, propose, registry, strategies, strategy
from orderstate.errors import InvalidInput, NotFound, PlanRejected
from orderstate.model import Plan
from orderstate.settings import DEFAULTS
from orderstate.testing import broken_laws


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A module that a test can put strategies in; nothing is remembered of it."""
    module = ModuleType("made_up_plugin")
    monkeypatch.setitem(sys.modules, "made_up_plugin", module)
    for cached in (registry.strategy, plugins.offered):
        cached.cache_clear()
    yield module
    for cached in (registry.strategy, plugins.offered):
        cached.cache_clear()


def problem() -> Problem:
    """Two of X are wanted and are there."""
    return Problem.explicit({"A": 1}, [("A", "X", "primary", 5, 0)], {"X": 2})


def offered(monkeypatch: pytest.MonkeyPatch, *points: tuple[str, str]) -> None:
    """Let installed packages offer these strategies."""
    found = [EntryPoint(name, value, registry.GROUP) for name, value in points]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: found if group == registry.GROUP else [])


def test_the_default_is_cheapest_and_every_built_in_one_has_a_line_of_documentation(plugin: Any) -> None:
    assert DEFAULTS.strategy == "cheapest"
    found = strategies()
    assert list(found)[:4] == ["nearest", "priority", "cheapest", "fewest-shipments"]
    assert all(found.values())


def test_an_unknown_strategy_names_those_close_to_it(plugin: Any) -> None:
    with pytest.raises(NotFound) as refused:
        strategy("cheepest")
    assert (refused.value.code, refused.value.values["name"]) == ("unknown_strategy", "cheepest")
    assert refused.value.hint is not None
    assert refused.value.hint.startswith("did you mean cheapest")


def test_a_strategy_is_found_by_its_dotted_path(plugin: Any) -> None:
    plugin.mine = lambda problem: problem.plan("mine", [(0, 0, 0, 2)])
    made = problem()
    plan = propose(made, "made_up_plugin:mine")
    check(made, plan)
    assert plan.facilities == ("A",)


def test_a_strategy_is_found_by_its_entry_point_and_listed(plugin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def mine(problem: Problem) -> Plan:
        """Takes two.

        And more words.
        """
        return problem.plan("mine", [(0, 0, 0, 2)])

    plugin.mine = mine
    offered(monkeypatch, ("mine", "made_up_plugin:mine"), ("gone", "no_such_module:plan"))
    assert propose(problem(), "mine").strategy == "mine"
    assert strategies()["mine"] == "Takes two."
    assert strategies()["gone"].startswith("cannot be used: strategy: 'gone' is not a strategy that can be loaded")


def test_an_entry_point_does_not_replace_a_built_in_strategy(plugin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    offered(monkeypatch, ("nearest", "made_up_plugin:mine"))
    assert strategy("nearest").__module__ == "orderstate.allocation.nearest"


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (5, "made_up_plugin:mine is a int"),
        (dict, "made_up_plugin:mine is a type"),
        (lambda: None, "made_up_plugin:mine: too many positional arguments"),
        (lambda one, two: None, "made_up_plugin:mine: missing a required argument: 'two'"),
    ],
)
def test_a_plug_in_is_looked_at_when_it_is_found_and_not_when_it_is_called(plugin: Any, value: Any, hint: str) -> None:
    plugin.mine = value
    with pytest.raises(InvalidInput) as refused:
        strategy("made_up_plugin:mine")
    assert refused.value.hint == hint


@pytest.mark.parametrize("path", ["no_such_module:plan", "made_up_plugin:missing"])
def test_a_plug_in_that_cannot_be_loaded_says_why(plugin: Any, path: str) -> None:
    with pytest.raises(InvalidInput, match="is not a strategy that can be loaded") as refused:
        strategy(path)
    assert refused.value.hint is not None
    assert refused.value.hint.startswith(f"{path}: ")


@pytest.mark.parametrize(
    "raised", [ZeroDivisionError("oh"), RecursionError("deep"), SystemExit(3), NotFound("no such")]
)
def test_a_strategy_that_raises_is_one_clear_error(plugin: Any, raised: BaseException) -> None:
    def mine(problem: Problem) -> Plan:
        raise raised

    plugin.mine = mine
    with pytest.raises(PlanRejected, match=r"^strategy made_up_plugin:mine raised ") as refused:
        propose(problem(), "made_up_plugin:mine")
    assert refused.value.__cause__ is raised
    assert refused.value.hint is not None


def test_a_strategy_that_returns_something_else_is_refused(plugin: Any) -> None:
    plugin.mine = lambda problem: None
    with pytest.raises(PlanRejected, match="returned NoneType, where a Plan is due"):
        propose(problem(), "made_up_plugin:mine")


def test_the_public_names_are_sorted_and_all_there() -> None:
    names = orderstate.allocation.__all__
    assert names == sorted(names)
    assert [name for name in names if not hasattr(orderstate.allocation, name)] == []
    assert dir(orderstate.allocation) == names
    with pytest.raises(AttributeError, match="has no attribute 'dearest'"):
        _ = orderstate.allocation.dearest


@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_every_built_in_strategy_keeps_the_laws(name: str) -> None:
    assert broken_laws(strategy(name), problems=300) == []


def wrong(kind: str) -> Any:
    """A strategy that breaks one law."""
    nearest = strategy("nearest")
    seen: list[Problem] = []

    def plan(problem: Problem) -> Any:
        honest = nearest(problem)
        if kind == "raises":
            raise KeyError("x")
        if kind == "nothing":
            return None
        if kind == "greedy" and honest.allocations:
            first = honest.allocations[0]
            return replace(honest, allocations=(replace(first, units=first.units + 100), *honest.allocations[1:]))
        if kind == "moody":
            seen.append(problem)
            return honest if len(seen) % 2 else problem.plan("moody", [])
        if kind == "last first":
            able = [rank for rank, out in enumerate(problem.out) if out is None]
            most = problem.max_shipments
            if problem.options.complete or problem.options.whole_lines or most is not None:
                return honest
            takes = []
            for line, left in enumerate(problem.demand):
                for rank in reversed(able):
                    for pool in (0, 1):
                        units = min(left, problem.index.get((rank, line, pool), (0, 0))[0])
                        if units:
                            takes.append((rank, line, pool, units))
                            left -= units
            return problem.plan("last", takes)
        return honest

    return plan


@pytest.mark.parametrize(
    ("kind", "law"),
    [
        ("raises", "it raises KeyError: 'x'"),
        ("nothing", "it returns NoneType, where a Plan is due"),
        ("greedy", "the plan of strategy nearest takes "),
        ("moody", "asked twice, it says two things"),
        ("last first", "of facilities that are alike, it takes "),
    ],
)
def test_a_strategy_that_breaks_a_law_is_told_which_and_on_which_problem(kind: str, law: str) -> None:
    found = broken_laws(wrong(kind), problems=60)
    assert found
    assert any(sentence.startswith(law) and "of seed 1" in sentence for sentence in found)


def test_a_strategy_that_goes_by_the_order_of_its_input_is_found() -> None:
    first: list[Problem] = []

    def plan(problem: Problem) -> Plan:
        # The shuffled problem is the third that each case asks for.
        first.append(problem)
        return strategy("nearest")(problem) if len(first) % 3 else problem.plan("mine", [])

    assert any("shuffled input changes its plan" in sentence for sentence in broken_laws(plan, problems=30))


def test_the_laws_are_tried_on_the_same_problems_each_time() -> None:
    assert broken_laws(wrong("last first"), problems=40) == broken_laws(wrong("last first"), problems=40)
    assert small(7)[0].sources == small(7)[0].sources
