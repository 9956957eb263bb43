"""Scenario files under pytest: collected, named, chosen, and when they fail they say what differs."""

from __future__ import annotations

import subprocess
import sys

import pytest

# pytester forgets every module that its runs import, and libraries in C cannot be imported twice: so they are here.
import yaml  # noqa: F401 - as above

import orderstate.store.schema
import orderstate.testing.collecting  # noqa: F401 - as above

pytest_plugins = ["pytester"]

TWO = """
scenario: A cancel comes too late
world: {facilities: {DEN: {country: US}}, stock: {DEN: {MUG: 2}}}
steps:
  - place: {lines: {MUG: 1}, to: US}
    as: a
  - tie: ${a}
  - ship: ${a}
  - cancel: {order: "${a}", as: customer}
    expect: {refused: [goods_still_here, canceller_may]}
---
scenario: A cancel comes in time
world: {facilities: {DEN: {country: US}}, stock: {DEN: {MUG: 2}}}
steps:
  - place: {lines: {MUG: 1}, to: US}
    as: a
  - cancel: ${a}
    expect: {state: cancelled}
"""
WRONG = TWO.replace("{state: cancelled}", "{state: shipping, events: [OrderCancelled, OrderPlaced]}")


@pytest.fixture
def shop(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with one scenario file and a test in Python, and strict markers."""
    pytester.makeini("[pytest]\naddopts = --strict-markers -p no:cacheprovider\nfilterwarnings = error\n")
    pytester.makefile(".scenario.yaml", cancels=TWO)
    pytester.makepyfile("def test_in_python():\n    pass\n")
    return pytester


def test_every_scenario_is_a_test_with_a_name_of_its_own(shop: pytest.Pytester) -> None:
    result = shop.runpytest("--collect-only", "-q")
    result.stdout.fnmatch_lines_random(
        [
            "cancels.scenario.yaml::a-cancel-comes-too-late",
            "cancels.scenario.yaml::a-cancel-comes-in-time",
            "*::test_in_python",
        ]
    )
    shop.runpytest().assert_outcomes(passed=3)


def test_one_is_run_by_its_id_by_words_of_its_title_and_by_its_mark(shop: pytest.Pytester) -> None:
    shop.runpytest("cancels.scenario.yaml::a-cancel-comes-in-time").assert_outcomes(passed=1)
    shop.runpytest("-k", "too-late").assert_outcomes(passed=1, deselected=2)
    shop.runpytest("-k", "cancel and not late").assert_outcomes(passed=1, deselected=2)
    shop.runpytest("-m", "scenario").assert_outcomes(passed=2, deselected=1)
    shop.runpytest("-m", "not scenario").assert_outcomes(passed=1, deselected=2)


def test_a_failure_is_the_transcript_with_what_was_expected_and_what_was_seen(pytester: pytest.Pytester) -> None:
    pytester.makefile(".scenario.yaml", cancels=WRONG)
    result = pytester.runpytest()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*A cancel comes in time*",
            "ok     1  place: {lines: {MUG: 1}, to: US} as a",
            "FAILED 2  cancel: ${a}",
            "*expected  state: shipping",
            "*seen      state: cancelled",
            "*expected  events: [[]OrderCancelled, OrderPlaced[]]",
            "*seen      events: [[]OrderCancelled[]]",
            "failed: 1 of 2 steps",
            "FAILED cancels.scenario.yaml::a-cancel-comes-in-time*",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*collecting.py*")


def test_a_file_that_cannot_be_read_is_a_failure_at_its_line_and_the_others_run(shop: pytest.Pytester) -> None:
    shop.makefile(
        ".scenario.yaml",
        broken="scenario: x\nsteps:\n  - plaice: {}\n  - wait: soon\n",
        torn="scenario: [x\n",
        empty="",
    )
    result = shop.runpytest()
    result.assert_outcomes(passed=3, failed=3)
    result.stdout.fnmatch_lines_random(
        [
            "invalid_input: *broken.scenario.yaml:3:5: *'plaice'*",
            "hint: did you mean place*",
            "invalid_input: *broken.scenario.yaml:4:11: *'soon'*",
            "invalid_input: *torn.scenario.yaml:2:1: *",
            "invalid_input: *empty.scenario.yaml*",
            "FAILED broken.scenario.yaml::cannot-be-read*",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_world_that_cannot_be_made_is_a_failure_that_says_why(pytester: pytest.Pytester) -> None:
    faulty = "{extends: standard, name: stuck, states: {stuck: {stock: free}}}"
    text = f"scenario: stuck\nworld:\n  flow: {faulty}\nsteps:\n  - wait: 1h\n"
    pytester.makefile(".scenario.yaml", stuck=text)
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["flow_unsound: *stuck.scenario.yaml:3:9: *", "  unreachable_state: *"])


def test_scenarios_with_one_title_keep_ids_of_their_own(pytester: pytest.Pytester) -> None:
    second = TWO.replace("in time", "too late")
    pytester.makefile(".scenario.yaml", cancels=second)
    result = pytester.runpytest("--collect-only", "-q")
    result.stdout.fnmatch_lines(["*::a-cancel-comes-too-late", "*::a-cancel-comes-too-late-2"])


def test_other_yaml_files_are_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makefile(".yaml", other="scenario: [", test_other="{")
    pytester.runpytest().assert_outcomes()


def test_it_can_be_switched_off(shop: pytest.Pytester) -> None:
    shop.runpytest("-p", "no:orderstate").assert_outcomes(passed=1)


def test_it_runs_side_by_side(shop: pytest.Pytester) -> None:
    shop.runpytest_subprocess("-n", "1").assert_outcomes(passed=3)


def test_junit_xml_of_pytest_names_the_scenarios(shop: pytest.Pytester) -> None:
    shop.runpytest("--junit-xml=out.xml")
    assert 'name="a-cancel-comes-too-late"' in (shop.path / "out.xml").read_text(encoding="utf-8")


def test_pytest_starts_without_what_only_scenarios_need() -> None:
    probe = (
        "import sys, orderstate.testing.plugin\n"
        "heavy = {'yaml', 'sqlalchemy', 'sqlmodel', 'sqlite3', 'transitions', 'rich', 'typer', 'orderstate.engine'}\n"
        "print(sorted(heavy & set(sys.modules)), 'pytest' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["[]", "False"]
