"""A story that is told again is played before it is given out: what it says of itself is seen, not believed."""

from __future__ import annotations

from dataclasses import replace

from orderstate.errors import OrderstateError
from orderstate.scenario.running import run
from orderstate.scenario.script import Scenario, Step

_MOST_ROUNDS = 3


def proven(story: Scenario) -> tuple[Scenario, list[int]]:
    """(the story without refusals that are not heard again, which is said in `about`; the steps that still differ).

    Steps are counted from 1. A world that cannot be made, or a step that cannot be understood, is step 1. Raises
    OrderstateError where there is no room to run it (`disk_full`).
    """
    differing: list[int] = []
    for _ in range(_MOST_ROUNDS):
        try:
            report = run(story)
        except OrderstateError as error:
            if error.code == "disk_full":  # which says nothing about the story
                raise
            return story, [1]
        differing = [step.number for step in report.steps if not step.passed]
        if not differing or not all(_only_asks(story.steps[number - 1]) for number in differing):
            break
        story = _without(story, differing)
        differing = []
    return story, differing


def _only_asks(step: Step) -> bool:
    """Whether the story goes on without this step, which was refused."""
    return bool(step.expect.refused) and step.name is None


def _without(story: Scenario, numbers: list[int]) -> Scenario:
    kept = [step for number, step in enumerate(story.steps, 1) if number not in numbers]
    lost = [story.steps[number - 1] for number in numbers]
    final = story.steps[-1].expect.orders
    if final is not None and kept[-1].expect.orders is None:
        kept[-1] = replace(kept[-1], expect=replace(kept[-1].expect, orders=final))
    told = [
        f"That {step.fields.get('trigger', step.verb)} was refused ({', '.join(step.expect.refused or ())}) is left "
        "out: played again it is not."
        for step in lost
    ]
    return replace(story, steps=tuple(kept), about=" ".join([story.about or "", *dict.fromkeys(told)]))
