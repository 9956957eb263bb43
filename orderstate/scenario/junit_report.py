"""What scenarios came to as JUnit XML, for CI systems: a suite for each file, a test case for each scenario."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from orderstate.scenario.report import NotRun, Report, StepReport

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may hold, not even escaped."""
_ENDING = re.compile(r"(\.scenario)?\.ya?ml$")


def junit(reports: Iterable[Report | NotRun]) -> str:
    """The reports as a JUnit XML document (the shape of Jenkins' junit-10.xsd, which CI systems agree on).

    Scenarios of one file stand in one suite, in the order in which they ran. The text of a failure is what differs,
    step by step; a scenario that could not begin is an error. Times are in seconds.
    """
    found = list(reports)
    root = Element("testsuites", {"name": "orderstate", **_counts(found)})
    files: dict[str, list[Report | NotRun]] = {}
    for report in found:
        files.setdefault(report.scenario.source, []).append(report)
    for source, of_file in files.items():
        suite = SubElement(root, "testsuite", {"name": _fit(source), **_counts(of_file), "skipped": "0"})
        for report in of_file:
            _case(suite, report)
    indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, encoding="unicode")}\n'


def failure(report: Report) -> list[str]:
    """What differs in a run, step by step; nothing where it passed."""
    return [line for step in report.steps if not step.passed for line in _differing(step)]


def _counts(found: Sequence[Report | NotRun]) -> dict[str, str]:
    reports = [one for one in found if isinstance(one, Report)]
    return {
        "tests": str(len(found)),
        "failures": str(sum(not report.passed for report in reports)),
        "errors": str(len(found) - len(reports)),
        "time": _seconds(sum(report.seconds for report in reports)),
    }


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"


def _case(suite: Element, report: Report | NotRun) -> None:
    name = _ENDING.sub("", report.scenario.source)
    case = SubElement(
        suite,
        "testcase",
        name=_fit(report.scenario.title),
        classname=_fit(name.strip("./").replace("/", ".")),
        time=_seconds(report.seconds if isinstance(report, Report) else 0),
    )
    if isinstance(report, NotRun):
        error = SubElement(case, "error", type=report.error.code, message=_fit(report.error.sentence))
        error.text = _fit("\n".join(report.words))
        return
    if report.passed:
        return
    lines = failure(report)
    failed = sum(not step.passed for step in report.steps)
    message = f"{failed} of {len(report.steps)} steps differ: {lines[0]}"
    SubElement(case, "failure", type="expectation_failed", message=_fit(message)).text = _fit("\n".join(lines))


def _differing(step: StepReport) -> Iterator[str]:
    where = f" ({step.step.mark})" if step.step.mark is not None else ""
    yield f"step {step.number}: {step.title}{where}"
    for sentence in step.words:
        yield f"  {sentence}"
    if step.skipped is None:
        for outcome in step.outcomes:
            if outcome.error is not None:
                yield f"  {outcome.error['code']}: {outcome.error['sentence']}"


def _fit(text: str) -> str:
    """The text without what XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
