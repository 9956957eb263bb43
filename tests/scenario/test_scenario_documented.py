"""docs/scenarios.md knows every word of the language, and every scenario in it, and in examples/, passes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orderstate.scenario import load_all, read, run
from orderstate.scenario.vocabulary import COMMANDS, COUNTERS, EXPECT, FACILITY, HELD, PLAN, SCENARIO, VERBS, WORLD

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
SCRIPTS = [block for block in re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.M | re.S) if block.startswith("scenario:")]
EXAMPLES = sorted((ROOT / "examples").rglob("*.scenario.yaml"))


@pytest.mark.parametrize("word", sorted({*SCENARIO, *WORLD, *VERBS, *EXPECT, *COUNTERS, *PLAN, *HELD, *FACILITY}))
def test_every_word_of_the_language_is_documented(word: str) -> None:
    assert re.search(rf"[`{{ ]{word}[`:,]", TEXT)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_field_of_every_command_is_documented(command: str) -> None:
    rows = {
        name: row for row in re.findall(r"^\| `.*", TEXT, re.M) for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    said = set(re.findall(r"\w+", rows[command]))
    said |= {"as", "by", "key"}
    if "what `tie` has" in rows[command]:
        said |= set(re.findall(r"\w+", rows["tie"]))
    if "what facilities" in rows[command]:
        said |= set(FACILITY)
    assert set(COMMANDS[command]) <= said


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.splitlines()[0])
def test_a_scenario_in_the_document_passes(script: str) -> None:
    report = run(read(script))
    assert report.passed, [step.words for step in report.steps]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_example_passes(file: Path) -> None:
    for script in load_all(file):
        report = run(script)
        assert report.passed, [step.words for step in report.steps]


def test_there_are_scenarios_to_run() -> None:
    assert len(SCRIPTS) >= 2
    assert len(EXAMPLES) >= 3
