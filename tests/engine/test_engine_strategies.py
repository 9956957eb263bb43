"""A strategy that lies, raises or returns rubbish must not tie anything: the engine checks each plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from worlds import DENVER, NEW_YORK, World

from orderstate import Conflict, InvalidInput, NotFound, Plan
from orderstate.allocation import Problem
from orderstate.allocation.nearest import plan as nearest
from orderstate.engine.commands import Fire
from orderstate.errors import PlanRejected
from orderstate.model import Allocation, Standing

Strategy = Callable[[Problem], Any]


def bent(change: Callable[[Plan], Plan]) -> Strategy:
    """`nearest`, with its plan bent."""
    return lambda problem: change(nearest(problem))


def allocations(*found: Allocation) -> Strategy:
    """A plan with just these allocations."""
    return bent(lambda plan: replace(plan, allocations=found, short={}))


def raising(problem: Problem) -> Plan:
    raise ZeroDivisionError("by my fault")


def leaving(problem: Problem) -> Plan:
    raise SystemExit(0)


def greedy_for_itself(problem: Problem) -> Plan:
    """Says to itself that there is more than there is, and plans that: only the conditional update can stop it."""
    problem.sources[:] = [[(rank, pool, 1000, cost) for rank, pool, _, cost in rows] for rows in problem.sources]
    return nearest(problem)


MUG, HUGE = Allocation("DEN", "MUG", "primary", 3), Allocation("DEN", "MUG", "primary", 10**30)
LIES: dict[str, Strategy] = {
    "more than there is": allocations(Allocation("DEN", "MUG", "primary", 5)),
    "more than was asked": allocations(MUG, Allocation("NYC", "MUG", "primary", 1)),
    "fewer than was asked, and says that nothing is short": allocations(Allocation("DEN", "MUG", "primary", 1)),
    "nothing, and says that nothing is short": allocations(),
    "the same units twice": allocations(Allocation("DEN", "MUG", "primary", 1), Allocation("DEN", "MUG", "primary", 2)),
    "a SKU that nobody asked for": allocations(MUG, Allocation("DEN", "PEN", "primary", 1)),
    "from a facility that there is not": allocations(replace(MUG, facility="LAX")),
    "from a facility that is closed": allocations(replace(MUG, facility="HAM")),
    "from a pool that there is not": allocations(replace(MUG, pool="roof")),
    "from a pool that is empty": allocations(replace(MUG, pool="back")),
    "a negative number of units": allocations(replace(MUG, units=-3), replace(MUG, facility="NYC", units=6)),
    "no units": allocations(MUG, replace(MUG, facility="NYC", units=0)),
    "half a unit": allocations(replace(MUG, units=3.0)),  # type: ignore[arg-type]  # lying is the point
    "True units": allocations(replace(MUG, units=2), replace(MUG, facility="NYC", units=True)),
    "more units than there are numbers": allocations(HUGE),
    "more short than is short": bent(lambda plan: replace(plan, short={"MUG": 1})),
    "a wrong cost": bent(lambda plan: replace(plan, cost=plan.cost - 1)),
    "a bound above its cost": bent(lambda plan: replace(plan, bound=plan.cost + 1)),
    "to be optimal without a proof": bent(lambda plan: replace(plan, optimal=True)),
    "no standings": bent(lambda plan: replace(plan, standings=())),
    "a raise": raising,
    "a way out": leaving,
    "nothing at all": lambda problem: None,
    "a dictionary": lambda problem: {"allocations": []},
    "allocations that are none": bent(lambda plan: replace(plan, allocations=None)),  # type: ignore[arg-type]  # so is this
    "allocations that are tuples": bent(lambda plan: replace(plan, allocations=(("DEN", "MUG", "primary", 3),))),  # type: ignore[arg-type]  # and this
    "a shortfall that is none": bent(lambda plan: replace(plan, short=None)),  # type: ignore[arg-type]  # and this
    "a name that is no text": bent(lambda plan: replace(plan, strategy=7)),  # type: ignore[arg-type]  # and this
    "a name that cannot be kept": bent(lambda plan: replace(plan, strategy="\ud800")),
    "a certificate that cannot be kept": bent(lambda plan: replace(plan, certificate={"proof": object()})),
    "standings that are none": bent(lambda plan: replace(plan, standings=(1, 2, 3))),  # type: ignore[arg-type]  # and this
    "standings of other facilities": bent(
        lambda plan: replace(plan, standings=tuple(Standing("LAX", "used") for _ in plan.standings))
    ),
    "nodes that are none": bent(lambda plan: replace(plan, nodes="many")),  # type: ignore[arg-type]  # and this
}
lying: Strategy = nearest


def strategy(problem: Problem) -> Plan:
    """The strategy that the tests name by its dotted path: does what `lying` is at the moment."""
    plan: Plan = lying(problem)
    return plan


def takes_two(problem: Problem, more: object) -> Plan:
    raise AssertionError("it cannot be called with one argument")


NOT_CALLABLE = 7
PATH = f"{__name__}:strategy"


@pytest.fixture
def three(world: World) -> World:
    world.facility("DEN", "39.74,-104.99", MUG=4, PEN=9)
    world.facility("NYC", "40.71,-74.01", MUG=9)
    world.facility("HAM", "53.55,10.0", country="DE", MUG=9)
    world.engine.set_facility("HAM", closed=True)
    return world


@pytest.fixture
def lie(monkeypatch: pytest.MonkeyPatch) -> Callable[[Strategy], None]:
    def use(found: Strategy) -> None:
        monkeypatch.setattr(f"{__name__}.lying", found)

    return use


def test_a_strategy_by_its_dotted_path_is_used(three: World, lie: Callable[[Strategy], None]) -> None:
    lie(bent(lambda plan: replace(plan, strategy="mine")))
    assert three.engine.tie(three.order(MUG=3), strategy=PATH).document["plan"]["strategy"] == "mine"
    three.check()


@pytest.mark.parametrize("what", LIES)
def test_a_plan_is_rejected_with_nothing_changed_that_promises(
    what: str, three: World, lie: Callable[[Strategy], None]
) -> None:
    order = three.order(MUG=3)
    lie(LIES[what])
    with three.unchanged(), pytest.raises(PlanRejected) as caught:
        three.engine.tie(order, strategy=PATH)
    assert (caught.value.code, caught.value.exit_status) == ("plan_rejected", 1)
    assert three.engine.tie(order).state == "inventory_tied"
    three.check()


@pytest.mark.parametrize("what", ["more than there is", "a raise", "nothing at all"])
def test_a_dry_run_and_the_question_why_reject_it_alike(
    what: str, three: World, lie: Callable[[Strategy], None]
) -> None:
    order = three.order(MUG=3)
    lie(LIES[what])
    three.engine.configure("strategy", PATH)
    with three.unchanged():
        with pytest.raises(PlanRejected):
            three.engine.plan(order)
        with pytest.raises(PlanRejected):
            three.engine.why(order)
        with pytest.raises(PlanRejected):
            three.engine.tie(order)


def test_a_strategy_that_bends_what_it_was_given_still_oversells_nothing(
    three: World, lie: Callable[[Strategy], None]
) -> None:
    order = three.order(MUG=8)
    lie(greedy_for_itself)
    with three.unchanged(), pytest.raises((Conflict, PlanRejected)):
        three.engine.tie(order, strategy=PATH)
    three.check()


def test_a_tie_that_finds_its_stock_gone_is_planned_again_and_takes_nothing_twice(
    three: World, lie: Callable[[Strategy], None]
) -> None:
    """As on a database where others take stock meanwhile: the second row of the first plan is not there any more."""
    calls: list[int] = []

    def outdated(problem: Problem) -> Plan:
        calls.append(1)
        if len(calls) == 1:
            (near, far) = problem.sources[0]
            problem.sources[0] = [(*near[:2], 3, near[3]), (*far[:2], 10, far[3])]
        return nearest(problem)

    order = three.order(MUG=13)
    lie(outdated)
    assert three.engine.tie(order, strategy=PATH).state == "inventory_tied"
    assert len(calls) == 2
    assert (three.level("DEN", "MUG"), three.level("NYC", "MUG")) == ((4, 4, 0), (9, 9, 0))
    three.check()


def test_a_redirect_with_a_lying_strategy_leaves_the_order_tied_as_it_was(
    three: World, lie: Callable[[Strategy], None]
) -> None:
    order = three.tied(DENVER, MUG=3)
    lie(LIES["more than was asked"])
    three.engine.configure("strategy", PATH)
    with three.unchanged(), pytest.raises(PlanRejected):
        three.engine.redirect(order, NEW_YORK)
    three.check()


def test_a_lying_strategy_inside_a_batch_stops_nobody_else(three: World, lie: Callable[[Strategy], None]) -> None:
    orders = [three.order(MUG=1) for _ in range(3)]
    lie(LIES["a wrong cost"])
    commands = [Fire(order=o, trigger="tie_inventory", strategy=PATH if o == orders[1] else None) for o in orders]
    outcomes = list(three.engine.run(commands, batch=3))
    assert [type(outcome).__name__ for outcome in outcomes] == ["Answer", "PlanRejected", "Answer"]
    three.check()


@pytest.mark.parametrize(
    "path", [f"{__name__}:nobody", "no.such.module:plan", f"{__name__}:takes_two", f"{__name__}:NOT_CALLABLE"]
)
def test_a_strategy_that_cannot_be_loaded_or_called_is_invalid(path: str, three: World) -> None:
    order = three.order(MUG=1)
    with three.unchanged(), pytest.raises(InvalidInput) as caught:
        three.engine.tie(order, strategy=path)
    assert caught.value.values["field"] == "strategy"
    assert caught.value.hint


@pytest.mark.parametrize("name", ["nearst", "", "a b", "x" * 10_000, "\ud800"])
def test_a_strategy_that_is_not_there_is_not_found(name: str, three: World) -> None:
    order = three.order(MUG=1)
    with three.unchanged(), pytest.raises(NotFound) as caught:
        three.engine.tie(order, strategy=name or "\x00")
    assert caught.value.code == "unknown_strategy"


@pytest.mark.parametrize("name", ["nearst", "no.such.module:plan", f"{__name__}:NOT_CALLABLE"])
def test_a_strategy_that_would_break_every_tie_is_not_kept_as_the_setting(name: str, three: World) -> None:
    with three.unchanged(), pytest.raises((InvalidInput, NotFound)):
        three.engine.configure("strategy", name)
    assert three.tied(MUG=1)


def test_the_same_stock_gives_the_same_plan_however_it_came_in(world: World) -> None:
    def plan() -> Plan:
        order = world.order(NEW_YORK, MUG=5, PEN=2)
        found = world.engine.plan(order).plan
        world.engine.cancel(order)
        return found

    for code, at in (("B", "40.7,-74"), ("A", "40.7,-74"), ("C", "39,-104")):
        world.facility(code, at, MUG=2, PEN=1)
    first = plan()
    assert first == plan()
    world.engine.set_facility("A", closed=True)
    assert plan() != first
    world.engine.set_facility("A", closed=False)
    assert plan() == first
    assert first.allocations[0] == Allocation("A", "MUG", "primary", 2)
