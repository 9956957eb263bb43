"""The counterexample of a proof as a scenario: it runs, it shows what breaks, and it fails when the flow is mended."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from random_flows import made

from orderstate import OrderstateError, Refused
from orderstate.flow import PROMISES, Counterexample, check, exhaustive, load
from orderstate.model import Flow
from orderstate.scenario import Scenario, dump, from_counterexample, read, run

FAULTY = sorted((Path(__file__).parents[1] / "flow" / "faulty").glob("*.yaml"))


def broken(path: Path) -> tuple[Flow, Counterexample] | None:
    """A flow whose promises can be broken, and how; None for one that is faulty in other ways."""
    try:
        flow = load(path)
        found = exhaustive(flow)
    except OrderstateError:
        return None
    return (flow, found) if isinstance(found, Counterexample) else None


BROKEN = {path.stem: found for path in FAULTY if (found := broken(path)) is not None}


def played(flow: Flow, found: Counterexample) -> Scenario:
    """The scenario of a story, which must pass, also as it is written."""
    scenario = from_counterexample(flow, found)
    assert read(dump(scenario)) == scenario
    report = run(scenario)
    assert [(step.title, step.words) for step in report.steps if not step.passed] == []
    return scenario


def test_every_promise_is_broken_by_some_flow() -> None:
    assert {found.broken for _, found in BROKEN.values()} == set(PROMISES)


@pytest.mark.parametrize("name", BROKEN)
def test_the_story_runs_as_it_is_told(name: str) -> None:
    flow, found = BROKEN[name]
    scenario = played(flow, found)
    assert len(scenario.steps) >= len(found.steps)
    assert scenario.world.unchecked
    assert PROMISES[found.broken] in scenario.title
    assert scenario.about is not None
    assert found.sentence in scenario.about
    assert all(f.code in scenario.about for f in check(flow) if f.level == "error")


def test_a_unit_that_is_lost_is_lost_before_your_eyes() -> None:
    scenario = played(*BROKEN["final_tied"])
    assert [step.verb for step in scenario.steps] == ["receive", "place", "fire", "fire"]
    assert scenario.steps[-1].expect.state == "kept"


def test_where_the_engine_stops_what_the_flow_allows_the_scenario_says_so() -> None:
    scenario = played(*BROKEN["gone_comes_back"])
    assert "The engine stops the last step by itself: a: the goods have left" in (scenario.about or "")
    assert scenario.steps[-1].expect.error == "refused"


def test_the_flow_may_stay_in_its_file() -> None:
    flow, found = BROKEN["final_tied"]
    text = dump(from_counterexample(flow, found, file="final_tied.yaml"))
    assert "  flow: final_tied.yaml\n  unchecked: true\n" in text
    assert run(read(text, folder=FAULTY[0].parent)).passed


def test_without_the_word_unchecked_it_does_not_run() -> None:
    text = dump(from_counterexample(*BROKEN["final_tied"])).replace("  unchecked: true\n", "")
    with pytest.raises(Refused) as caught:
        run(read(text))
    assert caught.value.code == "flow_unsound"


def test_its_database_cannot_be_kept(tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        run(from_counterexample(*BROKEN["final_tied"]), keep=tmp_path / "kept.db")
    assert caught.value.code == "unchecked"
    assert not (tmp_path / "kept.db").exists()


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(st.integers(0, 10_000))
def test_so_it_is_with_flows_that_nobody_thought_of(seed: int) -> None:
    flow = made(Random(seed))
    found = exhaustive(flow)
    assume(isinstance(found, Counterexample))
    assert isinstance(found, Counterexample)
    scenario = played(flow, found)
    for step in found.steps:
        assert all(assumed in (scenario.about or "") for assumed in step.assuming)
