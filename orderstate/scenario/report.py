"""What a run saw: each step with its outcome, what differs from what was expected, and how much of the flow it took."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orderstate.errors import OrderstateError
from orderstate.model import Flow
from orderstate.scenario.script import Scenario, Step

Move = tuple[str, str, str]
"""(source, trigger, target): one arrow of a flow."""


def moves(*flows: Flow) -> frozenset[Move]:
    """Every arrow of the flows that can be taken at all: a cancel that its guards always refuse is none."""
    from orderstate.flow.possible import Ways  # asks the guards, which no reading of a report needs

    return frozenset(
        (state.name, flow.transitions[way.index].trigger, ways.target(way))
        for flow, ways in ((flow, Ways(flow)) for flow in flows)
        for state in flow.states
        for way in ways.leaving(state.name)
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that was expected and not seen. `field` names it: `state`, `stock.DENVER.MUG.on_hand`; JSON values."""

    field: str
    expected: Any
    seen: Any

    def document(self) -> dict[str, Any]:
        """The JSON shape."""
        return {"field": self.field, "expected": self.expected, "seen": self.seen}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one command came to: `document` is the answer's, or the error's with `error` at its top.

    `asked` is the command as it was sent, a JSON document. `repeated`: the key was known, this is the first answer.
    """

    asked: Mapping[str, Any]
    document: Mapping[str, Any]
    repeated: bool = False

    @property
    def error(self) -> Mapping[str, Any] | None:
        """code, sentence, exit, and if there are any: blocked, values, hint. None where it succeeded."""
        found: Mapping[str, Any] | None = self.document.get("error")
        return found

    @property
    def exit_status(self) -> int:
        """The exit status that the command line would have ended with."""
        return int(self.document["exit"] if self.error is None else self.error["exit"])

    @property
    def refused(self) -> tuple[str, ...]:
        """The code of each reason that stood against it; of an error without reasons its own code."""
        if self.error is None:
            return ()
        return tuple(blocked["code"] for blocked in self.error.get("blocked", ())) or (str(self.error["code"]),)

    @property
    def order(self) -> str | None:
        """The order that it was about, also where it was refused."""
        found = self.document.get("order", self.asked.get("order"))
        if found is None and self.error is not None:
            found = self.error.get("values", {}).get("order")
        return None if found is None else str(found)

    def sentences(self) -> Iterator[str]:
        """What the error said: its own sentence, and each reason with what would help."""
        if self.error is not None:
            yield str(self.error["sentence"])
            for blocked in self.error.get("blocked", ()):
                yield str(blocked["sentence"])
                if blocked["remedy"]:
                    yield str(blocked["remedy"])
            if "hint" in self.error:
                yield str(self.error["hint"])

    def whole(self) -> dict[str, Any]:
        """The JSON shape: what was answered, or the error, with what was asked."""
        return {"asked": dict(self.asked), **self.document, "repeated": self.repeated}


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step as it went. `number` counts from 1; `title` is what was asked, as people write it.

    outcomes: one; of `together` one for each member, of `wait` and `at` one for each timer that fired. events: the
    types of what was written. skipped: why the step was not tried, because something that it needs was never made. at:
    UTC microseconds at its end.
    """

    number: int
    title: str
    step: Step
    outcomes: tuple[Outcome, ...]
    events: tuple[str, ...]
    differences: tuple[Difference, ...]
    at: int
    skipped: str | None = None

    @property
    def passed(self) -> bool:
        """Everything was as expected."""
        return not self.differences and self.skipped is None

    @property
    def words(self) -> tuple[str, ...]:
        """What differs, or why the step was not tried, in sentences."""
        if self.skipped is not None:
            return (f"not tried: {self.skipped}",)
        return tuple(f"{d.field}: expected {_shown(d.expected)}, seen {_shown(d.seen)}" for d in self.differences)

    def document(self) -> dict[str, Any]:
        """The JSON shape. Times (`at`) are UTC microseconds."""
        return {
            "step": self.number,
            "title": self.title,
            "name": self.step.name,
            "passed": self.passed,
            "at": self.at,
            "outcomes": [outcome.whole() for outcome in self.outcomes],
            "events": list(self.events),
            "differences": [difference.document() for difference in self.differences],
            "skipped": self.skipped,
        }


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return str(value)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the flows a run, or many runs, took. `all`: the arrows that can be taken at all."""

    all: frozenset[Move]
    taken: frozenset[Move]
    refusals: frozenset[tuple[str, str, str]] = frozenset()
    """(state, trigger, code) of every refusal that was seen."""

    @property
    def missing(self) -> tuple[Move, ...]:
        """The arrows that were not taken, sorted."""
        return tuple(sorted(self.all - self.taken))

    @classmethod
    def of(cls, reports: Iterable[Report]) -> Coverage:
        """What several runs took together."""
        found = list(reports)
        return cls(
            frozenset().union(*(report.coverage.all for report in found)),
            frozenset().union(*(report.coverage.taken for report in found)),
            frozenset().union(*(report.coverage.refusals for report in found)),
        )

    def document(self) -> dict[str, Any]:
        """The JSON shape."""
        return {
            "taken": len(self.taken & self.all),
            "all": len(self.all),
            "missing": [list(move) for move in self.missing],
            "refusals": [list(refusal) for refusal in sorted(self.refusals)],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """One run of a scenario. `seconds` is how long it took, on the wall; `database` is where it was kept, if it was."""

    scenario: Scenario
    steps: tuple[StepReport, ...]
    coverage: Coverage
    database: Path | None = None
    seconds: float = field(default=0.0, compare=False)

    @property
    def passed(self) -> bool:
        """Every step passed."""
        return all(step.passed for step in self.steps)

    @property
    def taken(self) -> frozenset[Move]:
        """The arrows (source, trigger, target) that the run took."""
        return self.coverage.taken

    @property
    def refusals(self) -> frozenset[tuple[str, str, str]]:
        """(state, trigger, code) of every refusal that was seen."""
        return self.coverage.refusals

    def document(self) -> dict[str, Any]:
        """The JSON shape. It does not say how long the run took, so the same run gives the same document."""
        return {
            "scenario": self.scenario.title,
            "source": self.scenario.source,
            "passed": self.passed,
            "steps": [step.document() for step in self.steps],
            "coverage": self.coverage.document(),
            "database": None if self.database is None else str(self.database),
        }


@dataclass(frozen=True, slots=True)
class NotRun:
    """A scenario that did not begin, because its world cannot be made; `error` says why."""

    scenario: Scenario
    error: OrderstateError

    @property
    def words(self) -> tuple[str, ...]:
        """Why, line by line."""
        return error_lines(self.error)


def error_lines(error: OrderstateError) -> tuple[str, ...]:
    """An error line by line: the code and the sentence, what blocked it, what would help."""
    blocked = (f"  {one.code}: {one.sentence}" for one in error.blocked)
    hint = () if error.hint is None else (f"hint: {error.hint}",)
    return f"{error.code}: {error.sentence}", *blocked, *hint
