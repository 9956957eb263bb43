"""The examples: the story in Python, and a scenario for each thing that a step can do.

pytest collects the scenarios themselves, as it would for a user.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from orderstate.scenario import load_all
from orderstate.scenario.vocabulary import VERBS

EXAMPLES = Path(__file__).parents[1] / "examples"
SCENARIOS = sorted(EXAMPLES.rglob("*.scenario.yaml"))


def test_the_story_is_told_in_python_as_well() -> None:
    told = runpy.run_path(str(EXAMPLES / "story.py"))["tell"]()
    assert told == [
        "1001 is pending",
        "1001 is inventory_tied: from DENVER",
        "1002 is inventory_tied: from NEWARK, through EWR",
        "1002 is cancelled",
        "1001 is shipping; the goods left on 2026-01-01 in 1 shipment: DENVER",
        "1001 is delivered",
    ]


def test_there_is_an_example_for_each_thing_that_a_step_can_do() -> None:
    shown = {step.verb for path in SCENARIOS for scenario in load_all(path) for step in scenario.steps}
    assert shown == set(VERBS)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_an_example_says_what_it_expects(path: Path) -> None:
    for scenario in load_all(path):
        assert [name for step in scenario.steps for name, _ in step.expect.given()], scenario.title
