"""What a person reads of a run, kept beside this file: as text for a pipe, and drawn for a terminal.

`python tests/scenario/test_scenario_transcripts.py` writes what comes out now into the kept ones.
"""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from orderstate.render.scenarios import draw, summary, transcript
from orderstate.scenario import load, load_all, run

HERE = Path(__file__).parent / "golden"
EXAMPLES = Path(__file__).parents[2] / "examples" / "scenarios"
SCRIPTS = {
    "failing": HERE / "failing.yaml",
    "cancel": EXAMPLES / "cancel_comes_too_late.scenario.yaml",
    "timers": HERE / "timers.yaml",
}
KINDS = ("txt", "terminal")


def shown(name: str, kind: str) -> str:
    """The transcript of one script. The file's name stands for the path, which differs from place to place."""
    report = run(load(SCRIPTS[name]))
    report = type(report)(
        type(report.scenario)(
            report.scenario.title, report.scenario.steps, report.scenario.world, source=f"{name}.yaml"
        ),
        report.steps,
        report.coverage,
    )
    lines = [*transcript(report, drawn=kind == "terminal"), *summary([report])]
    if kind == "txt":
        return "".join(f"{line.text}\n" for line in lines)
    out = io.StringIO()
    draw(lines, out, 72)
    return out.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_transcript_is_as_it_was(name: str, kind: str) -> None:
    assert shown(name, kind) == (HERE / f"{name}.{kind}").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_terminal_shows_nothing_wider_than_it_is_and_a_pipe_cuts_nothing(name: str) -> None:
    assert all(len(line) <= 72 for line in shown(name, "terminal").splitlines())
    assert "…" not in shown(name, "txt")
    assert "\x1b" not in shown(name, "txt")


def test_several_scenarios_are_summed_up_by_flow_and_those_that_failed_are_named() -> None:
    reports = [run(one) for one in load_all(EXAMPLES / "the_last_unit.scenario.yaml")]
    reports.append(run(load(SCRIPTS["timers"])))
    lines = [line.text for line in summary(reports)]
    assert lines[0] == "3 scenarios: 3 passed, 0 failed"
    assert [line for line in lines if line.startswith("coverage")] == [
        "coverage: 3 of 9 transitions of standard",
        "coverage: 3 of 9 transitions of timed",
    ]
    failed = run(load(SCRIPTS["failing"]))
    assert [line.text for line in summary([*reports, failed])][1].startswith("  failed: Everything that can be shown (")


if __name__ == "__main__":
    for script in SCRIPTS:
        for form in KINDS:
            (HERE / f"{script}.{form}").write_text(shown(script, form), encoding="utf-8")
