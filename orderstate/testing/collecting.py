"""Scenario files as pytest sees them: a file is collected, a scenario is a test."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orderstate.errors import OrderstateError
from orderstate.render.scenarios import transcript
from orderstate.scenario import Report, Scenario, examine, run
from orderstate.scenario.report import error_lines
from orderstate.testing.plugin import MARK


class DiffersError(Exception):
    """A scenario saw something else than it expected."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.scenario.title)
        self.report = report


UNREADABLE = "cannot-be-read"
"""The name of the one test of a file that holds no scenario."""


class ScenarioFile(pytest.File):
    """One file with its scenarios."""

    def collect(self) -> Iterator[ScenarioItem | UnreadableItem]:
        """A test for each scenario; of a file that cannot be read one that fails, with line and column.

        An error of the collection would keep every other test from running.
        """
        found, mistakes = examine(self.path)
        if mistakes:
            unreadable: UnreadableItem = UnreadableItem.from_parent(self, name=UNREADABLE, mistakes=mistakes)
            yield unreadable
            return
        names: dict[str, int] = {}
        for scenario in found:
            name = _slug(scenario.title)
            names[name] = names.get(name, 0) + 1
            number = f"-{names[name]}" if names[name] > 1 else ""
            item: ScenarioItem = ScenarioItem.from_parent(self, name=name + number, scenario=scenario)
            yield item


class ScenarioItem(pytest.Item):
    """One scenario."""

    def __init__(self, *, scenario: Scenario, **more: Any) -> None:
        super().__init__(**more)
        self.scenario = scenario
        self.add_marker(MARK)
        # What people type after -k: words of the title, the names of the flows.
        self.extra_keyword_matches |= {scenario.title, *(flow.name for flow in scenario.flows())}

    def runtest(self) -> None:
        """Run it in a database of its own. Raises DiffersError where an expectation fails."""
        report = run(self.scenario)
        if not report.passed:
            raise DiffersError(report)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What was asked, what came of it, and what differs; of a world that cannot be made, why."""
        if isinstance(excinfo.value, DiffersError):
            return "\n".join(line.text for line in transcript(excinfo.value.report, drawn=False))
        if isinstance(excinfo.value, OrderstateError):
            return "\n".join(error_lines(excinfo.value))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """The file, the line where the scenario begins (counted from 0), its title."""
        mark = self.scenario.mark
        line = mark.line - 1 if mark is not None and mark.line is not None else None
        return Path(self.path), line, self.scenario.title


class UnreadableItem(pytest.Item):
    """A file that cannot be read, as a test that fails."""

    def __init__(self, *, mistakes: tuple[OrderstateError, ...], **more: Any) -> None:
        super().__init__(**more)
        self.mistakes = mistakes
        self.add_marker(MARK)

    def runtest(self) -> None:
        """Raise the first of what is wrong with the file."""
        raise self.mistakes[0]

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Everything that is wrong with the file, and where."""
        if excinfo.value is self.mistakes[0]:
            return "\n".join(line for mistake in self.mistakes for line in error_lines(mistake))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """The file."""
        return Path(self.path), None, self.name


def _slug(title: str) -> str:
    """`a-cancel-comes-too-late`: a title that can stand in an id, and behind -k."""
    return re.sub(r"\W+", "-", title.casefold()).strip("-") or MARK
