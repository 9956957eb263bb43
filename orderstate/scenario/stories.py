"""The counterexample of a proof as a scenario: how the promise is broken, step by step, in a database of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from orderstate.flow import PROMISES, Counterexample, check
from orderstate.model import Flow
from orderstate.scenario.report import Outcome, StepReport
from orderstate.scenario.running import run
from orderstate.scenario.script import Expectation, Scenario, Step, StockRow, World

_SETTING = ("facility_add", "receive", "adjust")
"""The commands with which every story begins: they make its world."""


def from_counterexample(flow: Flow, found: Counterexample, *, file: str | None = None) -> Scenario:
    """A scenario that plays the story. `file`: what it calls the flow's file; without one the flow stands in it.

    A flow that the check refuses can be put in force nowhere else: the scenario's world says `unchecked: true`. It is
    played once to see what the engine does with each step, which may stop what the flow would allow; this is expected
    of it from then on, so it fails when the flow is mended.
    """
    wrong = [finding for finding in check(flow) if finding.level == "error"]
    world = World(flow=flow, flow_file=file, unchecked=bool(wrong), **_setting(found.commands()))
    steps = tuple(_step(command) for story in found.steps for command in story.commands)
    title = f"{flow.name}: {PROMISES[found.broken]}, but"
    bare = Scenario(f"{title} {found.sentence}"[:200], steps, world)
    played = run(bare)
    last = played.steps[-1].outcomes[-1]
    return replace(
        bare,
        steps=tuple(replace(report.step, expect=_seen(report)) for report in played.steps),
        about=" ".join(_about(found, [finding.code for finding in wrong], last)),
        source=f"{flow.name}-{found.broken}.scenario.yaml",
    )


def _setting(commands: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The facility, and the SKU, of which there is none yet."""
    add, receive, _ = commands[: len(_SETTING)]
    fields = {name: value for name, value in add.items() if name not in ("command", "facility")}
    row = StockRow(str(add["facility"]), str(receive["sku"]), 0, grams=0)
    return {"facilities": {str(add["facility"]): fields}, "stock": (row,)}


def _step(command: Mapping[str, Any]) -> Step:
    fields = {name: value for name, value in command.items() if name != "command"}
    return Step(str(command["command"]), fields)


def _seen(report: StepReport) -> Expectation:
    """What was seen of a step, as what is expected of it."""
    (outcome,) = report.outcomes
    if outcome.error is None:
        state = outcome.document.get("state")
        return Expectation(state=state, exit=outcome.exit_status or None, events=report.events if state else None)
    if outcome.error.get("blocked"):
        return Expectation(refused=tuple(sorted(set(outcome.refused))))
    return Expectation(error=str(outcome.error["code"]))


def _about(found: Counterexample, wrong: Sequence[str], last: Outcome) -> Iterator[str]:
    """How the promise is broken, what had to be assumed, and what the engine made of it."""
    yield f"The promise that {PROMISES[found.broken]} is broken: {found.sentence}."
    for step in found.steps:
        if step.assuming:
            yield f"Assumed of {step.order}, {step.trigger}: {'; '.join(step.assuming)}."
    if wrong:
        codes = ", ".join(dict.fromkeys(wrong))
        yield f"flow check finds {codes}, so no database takes this flow; here it is in force unchecked."
    if last.error is not None:
        yield f"The engine stops the last step by itself: {last.error['sentence']}."
