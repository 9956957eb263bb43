"""The transcript of a scenario: what was asked, what came of it, what differs, and how much of the flow was taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TextIO

from orderstate.render.changes import sentences
from orderstate.render.words import count, folded, moment, plain
from orderstate.scenario import Coverage, Outcome, Report, StepReport

_TINTS = {"title": "bold", "passed": "green", "failed": "red", "skipped": "yellow", "seen": "red", "expected": "green"}
_DRAWN = {"passed": "✓", "failed": "✗", "skipped": "-"}
_PLAIN = {"passed": "ok", "failed": "FAILED", "skipped": "skip"}


class Words(NamedTuple):
    """One line of a transcript. `hang` is how far it is indented where it goes on; `kind` is what it is about."""

    text: str
    kind: str = ""
    hang: str = "    "


GAP = Words("")
"""An empty line between two scenarios."""


def transcript(report: Report, *, drawn: bool) -> Iterator[Words]:
    """One scenario as it went. `drawn`: for a person, with signs in place of words."""
    yield Words(plain(f"{report.scenario.title} ({report.scenario.source})"), "title")
    wide = max(len(str(step.number)) for step in report.steps)
    for step in report.steps:
        yield from _step(step, _DRAWN if drawn else _PLAIN, wide)
    failed = sum(not step.passed for step in report.steps)
    if failed:
        yield Words(f"failed: {failed} of {count(len(report.steps), 'step')}", "failed")
    else:
        yield Words(f"passed: {count(len(report.steps), 'step')}", "passed")
    if report.database is not None:
        yield Words(f"its database is kept: orderstate --db {report.database} list")


def _step(step: StepReport, signs: Mapping[str, str], wide: int) -> Iterator[Words]:
    kind = "skipped" if step.skipped is not None else "passed" if step.passed else "failed"
    begin = f"{signs[kind]:<{max(map(len, signs.values()))}} {step.number:>{wide}}  "
    name = f" as {step.step.name}" if step.step.name else ""
    indent = " " * len(begin)
    hang = indent + "    "
    yield Words(f"{begin}{plain(step.title)}{name}", kind, hang)
    yield from (Words(indent + plain(sentence), "", hang) for sentence in _happened(step))
    for difference in step.differences:
        # What was expected stands above what was seen, so that the eye can compare.
        for what, value in (("expected", difference.expected), ("seen", difference.seen)):
            yield Words(f"{indent}{what:<8}  {difference.field}: {plain(told(value))}", what, hang)


def _happened(step: StepReport) -> Iterator[str]:
    if step.skipped is not None:
        yield f"not tried: {step.skipped}"
        return
    for outcome in step.outcomes:
        yield from _came_of(outcome)
    if step.step.verb == "work":
        yield f"then: {', '.join(step.events)}" if step.events else "nothing came of it"
    if step.step.verb in ("wait", "at"):
        yield f"it is {moment(step.at)}" + ("" if step.outcomes else "; no timer was due")


def told(value: Any) -> str:
    """A value of a difference: `[0, 5]`, `true`, `nothing`."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(told, value)) + "]"
    return str(value)


def _came_of(outcome: Outcome) -> Iterator[str]:
    at = outcome.asked.get("at")
    begin = f"{moment(at)}  " if outcome.asked.get("command") == "timer" and isinstance(at, int) else ""
    if outcome.error is not None:
        reasons = outcome.error.get("blocked")
        if not reasons:
            yield f"{begin}{outcome.error['code']}: {outcome.error['sentence']}"
        for reason in reasons or ():
            yield f"{begin}refused: {reason['code']}: {reason['sentence']}"
        return
    again = "the first answer again: " if outcome.repeated else ""
    for number, sentence in enumerate(_sentences(outcome.document)):
        yield sentence if number else f"{begin}{again}{sentence}"


def _sentences(d: Mapping[str, Any]) -> list[str]:
    if d["command"] == "work":
        became = d["outcome"] + (f": {d['reason']}" if d["reason"] else "")
        return [f"{d['subscriber']} heard {d['event']} {d['type']}: {became}"]
    if d["command"] == "count" and d["changed"]:
        return [
            f"{d['facility']}: counted {count(d['rows'], 'row')}, {d['received']} received, {d['adjusted']} adjusted"
        ]
    if d["command"] == "use_flow":
        moved = [f"  {count(m['orders'], 'order')}: {m['from']} -> {m['to']}" for m in d["mapped"]]
        return [f"flow {d['flow']} is in force" + (f" instead of {d['was']}" if d["changed"] else " already"), *moved]
    return sentences(d)


def summary(reports: Sequence[Report]) -> Iterator[Words]:
    """What all scenarios came to, and which transitions of their flows none of them took."""
    failed = [report for report in reports if not report.passed]
    if len(reports) > 1:
        passed = f"{count(len(reports), 'scenario')}: {len(reports) - len(failed)} passed, {len(failed)} failed"
        yield Words(passed, "failed" if failed else "passed")
        for report in failed:
            yield Words(plain(f"  failed: {report.scenario.title} ({report.scenario.source})"), "failed")
    flows: dict[str, list[Report]] = {}
    for report in reports:
        names = dict.fromkeys(flow.name for flow in report.scenario.flows())
        flows.setdefault(" and ".join(names), []).append(report)
    for name, of_flow in flows.items():
        yield from _coverage(name, Coverage.of(of_flow))


def _coverage(name: str, coverage: Coverage) -> Iterator[Words]:
    taken = len(coverage.taken & coverage.all)
    yield Words(f"coverage: {taken} of {count(len(coverage.all), 'transition')} of {name}")
    missing: dict[tuple[str, str], list[str]] = {}
    for source, trigger, target in coverage.missing:
        missing.setdefault((trigger, target), []).append(source)
    for (trigger, target), sources in sorted(missing.items()):
        yield Words(f"  not taken: {trigger} from {', '.join(sources)} to {target}")


def draw(lines: Iterable[Words], out: TextIO, width: int) -> None:
    """The lines for a person: folded to the width, with colours where the terminal has some."""
    from rich.console import Console
    from rich.text import Text

    console = Console(file=out, width=width, highlight=False, emoji=False, markup=False)
    for line in lines:
        for text in folded(line.text, width, hanging=line.hang):
            shown = Text(text)
            if line.kind in ("passed", "failed", "skipped") and text.startswith(_DRAWN[line.kind]):
                shown.stylize(_TINTS[line.kind], 0, 1)  # the sign says it; what was asked stays readable
            elif line.kind:
                shown.stylize(_TINTS[line.kind])
            console.print(shown, soft_wrap=True)
