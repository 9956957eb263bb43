"""Reports as JUnit XML: valid, a suite for each file, and the failure says what differs."""

from __future__ import annotations

from dataclasses import replace
from xml.etree.ElementTree import Element, fromstring

from hypothesis import given, settings
from hypothesis import strategies as st

from orderstate.errors import Refused
from orderstate.model import Refusal
from orderstate.scenario import Coverage, NotRun, Report, Scenario, junit, read_all, run

SHOP = """
scenario: {title}
world: {{facilities: {{DEN: {{country: US}}}}, stock: {{DEN: {{MUG: 2}}}}}}
steps:
  - place: {{lines: {{MUG: 1}}, to: US}}
    as: a
  - tie: ${{a}}
    expect: {{state: {state}}}
"""


def reports(file: str, *states: str) -> list[Report]:
    """A file with a scenario for each state that is expected."""
    text = "---".join(SHOP.format(title=f"number {n}", state=state) for n, state in enumerate(states))
    return [run(scenario) for scenario in read_all(text, file)]


def attributes(found: Element, *names: str) -> list[str | None]:
    """Values of an element's attributes."""
    return [found.get(name) for name in names]


def test_a_file_is_a_suite_and_a_scenario_is_a_case() -> None:
    found = reports("shop/ties.scenario.yaml", "inventory_tied", "shipping") + reports("other.scenario.yaml", "pending")
    root = fromstring(junit(found).encode())
    assert root.tag == "testsuites"
    assert attributes(root, "name", "tests", "failures", "errors") == ["orderstate", "3", "2", "0"]
    ties, other = root.findall("testsuite")
    assert attributes(ties, "name", "tests", "failures", "errors", "skipped") == [
        "shop/ties.scenario.yaml", "2", "1", "0", "0",
    ]  # fmt: skip
    assert attributes(other, "name", "tests", "failures") == ["other.scenario.yaml", "1", "1"]
    passed, _ = ties.findall("testcase")
    assert attributes(passed, "name", "classname") == ["number 0", "shop.ties"]
    assert list(passed) == []
    assert float(passed.get("time") or -1) > 0


def test_a_failure_says_what_differs_step_by_step() -> None:
    root = fromstring(junit(reports("shop.scenario.yaml", "shipping")).encode())
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.get("type") == "expectation_failed"
    assert failure.get("message") == "1 of 2 steps differ: step 2: tie: ${a} (shop.scenario.yaml:7:5)"
    assert (failure.text or "").splitlines() == [
        "step 2: tie: ${a} (shop.scenario.yaml:7:5)",
        "  state: expected shipping, seen inventory_tied",
    ]


def test_what_was_refused_and_what_was_not_tried_is_said() -> None:
    text = (
        "scenario: too much\nworld: {facilities: {DEN: {country: US}}, stock: {DEN: {MUG: 2}}}\n"
        "steps:\n  - place: {lines: {CUP: 1}, to: US}\n    as: a\n  - tie: ${a}\n"
    )
    root = fromstring(junit([run(scenario) for scenario in read_all(text)]).encode())
    told = root.findtext("testsuite/testcase/failure") or ""
    assert "unknown_sku: unknown SKU 'CUP'" in told
    assert "not tried: a made no order" in told


def test_no_reports_make_a_document_too() -> None:
    assert fromstring(junit([]).encode()).get("tests") == "0"


@settings(max_examples=50, deadline=None)
@given(title=st.text(min_size=1, max_size=30), source=st.text(min_size=1, max_size=30))
def test_whatever_a_scenario_is_called_the_document_is_xml(title: str, source: str) -> None:
    bare = Report(Scenario(title, (), source=source), (), Coverage(frozenset(), frozenset()))
    case = fromstring(junit([bare, replace(bare, seconds=1.5)]).encode("utf-8", "surrogatepass")).find(
        "testsuite/testcase"
    )
    assert case is not None


def test_a_scenario_whose_world_cannot_be_made_is_an_error_among_the_cases() -> None:
    (script,) = read_all(SHOP.format(title="stuck", state="pending"), "shop.scenario.yaml")
    blocked = Refused("it cannot be", code="flow_unsound", hint="mend it", blocked=[Refusal("lost", "a state is lost")])
    ran = reports("shop.scenario.yaml", "inventory_tied")
    root = fromstring(junit([*ran, NotRun(script, blocked)]).encode())
    (suite,) = root.findall("testsuite")
    assert attributes(root, "tests", "failures", "errors") == ["2", "0", "1"]
    assert attributes(suite, "tests", "failures", "errors") == ["2", "0", "1"]
    error = suite.find("testcase[@name='stuck']/error")
    assert error is not None
    assert attributes(error, "type", "message") == ["flow_unsound", "it cannot be"]
    assert (error.text or "").splitlines() == ["flow_unsound: it cannot be", "  lost: a state is lost", "hint: mend it"]
