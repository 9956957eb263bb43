"""Scenarios: orders, time and expectations as a script, run in a database of its own; and commands from a stream.

    from orderstate.scenario import load, run

    report = run(load("examples/cancel.scenario.yaml"))
    assert report.passed, [step.words for step in report.steps if not step.passed]

docs/scenarios.md is the language. Names are loaded when they are first asked for, and YAML when the first text is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orderstate.lazily import named

if TYPE_CHECKING:
    from orderstate.scenario.commands import run_commands
    from orderstate.scenario.editor import schema
    from orderstate.scenario.generating import Survey, generate, survey
    from orderstate.scenario.junit_report import junit
    from orderstate.scenario.reading import examine, from_document, load, load_all, read, read_all
    from orderstate.scenario.report import Coverage, Difference, NotRun, Outcome, Report, StepReport, moves
    from orderstate.scenario.retelling import from_history
    from orderstate.scenario.running import run
    from orderstate.scenario.script import Expectation, Scenario, Step, StockRow, World
    from orderstate.scenario.stories import from_counterexample
    from orderstate.scenario.writing import document, dump

_HOME = {
    "Coverage": "report",
    "Difference": "report",
    "Expectation": "script",
    "NotRun": "report",
    "Outcome": "report",
    "Report": "report",
    "Scenario": "script",
    "Step": "script",
    "StepReport": "report",
    "StockRow": "script",
    "Survey": "generating",
    "World": "script",
    "document": "writing",
    "dump": "writing",
    "examine": "reading",
    "from_counterexample": "stories",
    "from_document": "reading",
    "from_history": "retelling",
    "generate": "generating",
    "junit": "junit_report",
    "load": "reading",
    "load_all": "reading",
    "moves": "report",
    "read": "reading",
    "read_all": "reading",
    "run": "running",
    "run_commands": "commands",
    "schema": "editor",
    "survey": "generating",
}

__all__ = [
    "Coverage",
    "Difference",
    "Expectation",
    "NotRun",
    "Outcome",
    "Report",
    "Scenario",
    "Step",
    "StepReport",
    "StockRow",
    "Survey",
    "World",
    "document",
    "dump",
    "examine",
    "from_counterexample",
    "from_document",
    "from_history",
    "generate",
    "junit",
    "load",
    "load_all",
    "moves",
    "read",
    "read_all",
    "run",
    "run_commands",
    "schema",
    "survey",
]


__getattr__, __dir__ = named(__name__, _HOME)
