"""`run` with scenarios, and with commands as before; `schema scenario`."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from shops import Cli
from worlds import rows

pytest_plugins = ["shop_fixtures"]

GOOD = """\
scenario: A mug is placed and tied
world:
  facilities: {DEN: {country: US}}
  stock: {DEN: {MUG: 1}}
steps:
  - place: {lines: {MUG: 1}, to: US}
    as: a
  - tie: ${a}
    expect: {state: inventory_tied}
"""
BAD = GOOD.replace("A mug is placed", "A mug is wrongly placed").replace("state: inventory_tied", "state: shipping")
COMMAND = json.dumps({"command": "place", "lines": {"MUG": 1}, "to": "US"}) + "\n"


@pytest.fixture
def scripts(folder: Path) -> Path:
    """A folder with scripts, and no database."""
    (folder / "good.scenario.yaml").write_text(GOOD, encoding="utf-8")
    (folder / "bad.yml").write_text(BAD, encoding="utf-8")
    (folder / "both.yaml").write_text(f"{GOOD}---\n{BAD}", encoding="utf-8")
    (folder / "commands.ndjson").write_text(COMMAND, encoding="utf-8")
    return folder


def test_a_scenario_runs_without_a_database_and_leaves_none(empty: Cli, scripts: Path) -> None:
    before = sorted(scripts.iterdir())
    done = empty("run", "good.scenario.yaml")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[:3] == [
        "A mug is placed and tied (good.scenario.yaml)",
        "ok     1  place: {lines: {MUG: 1}, to: US} as a",
        "          1001: placed, pending: 1 MUG to US",
    ]
    assert "passed: 2 steps" in done.out.splitlines()
    assert "coverage: 1 of 9 transitions of standard" in done.out.splitlines()
    assert "  not taken: deliver from shipping to delivered" in done.out.splitlines()
    assert sorted(scripts.iterdir()) == before


def test_an_expectation_that_fails_ends_with_7_and_shows_only_what_differs(empty: Cli, scripts: Path) -> None:
    done = empty("run", "bad.yml")
    assert done.status == 7
    lines = [line.strip() for line in done.out.splitlines()]
    at = lines.index("expected  state: shipping")
    assert lines[at + 1] == "seen      state: inventory_tied"
    assert sum(line.startswith("expected") for line in lines) == 1
    assert "failed: 1 of 2 steps" in lines


def test_a_person_sees_signs_and_a_pipe_words(empty: Cli, scripts: Path) -> None:
    drawn = empty("run", "bad.yml", human=True, width=40)
    assert "✓ 1  place: {lines: {MUG: 1}, to: US} as" in drawn.out
    assert "✗ 2  tie: ${a}" in drawn.out
    assert max(map(len, drawn.out.splitlines())) <= 40
    assert "FAILED 2  tie: ${a}" in empty("run", "bad.yml", width=40).out


def test_several_files_and_several_documents_are_all_run(empty: Cli, scripts: Path) -> None:
    done = empty("run", "bad.yml", "both.yaml", "good.scenario.yaml")
    assert done.status == 7
    assert "4 scenarios: 2 passed, 2 failed" in done.out
    assert "  failed: A mug is wrongly placed and tied (both.yaml)" in done.out


def test_json_is_one_document_a_scenario(empty: Cli, scripts: Path) -> None:
    done = empty("run", "both.yaml", "--json")
    good, bad = done.documents
    assert (done.status, done.err) == (7, "")
    assert (good["passed"], bad["passed"]) == (True, False)
    assert bad["steps"][1]["differences"] == [{"field": "state", "expected": "shipping", "seen": "inventory_tied"}]
    assert good["steps"][0]["at"] == "2026-01-01T00:00:00.000000Z"
    assert good["steps"][0]["outcomes"][0]["asked"]["key"] == "step-1"
    assert good["coverage"]["taken"] == 1
    assert ["pending", "cancel", "cancelled"] in good["coverage"]["missing"]


def test_a_scenario_may_come_from_stdin(empty: Cli, scripts: Path) -> None:
    done = empty("run", "-", stdin=f"# a comment\n\n{GOOD}".encode())
    assert (done.status, done.out.splitlines()[0]) == (0, "A mug is placed and tied (stdin)")
    refused = empty("run", "-", stdin=b"scenario: s\nsteps:\n  - plce: {}\n")
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.startswith("error: invalid_input: stdin:3:5: field: 'plce'")


def test_a_file_that_cannot_be_read_stops_everything_before_it_begins(empty: Cli, scripts: Path) -> None:
    (scripts / "broken.yaml").write_text("scenario: s\nsteps: [{tie: '${x}'}]\n", encoding="utf-8")
    done = empty("run", "good.scenario.yaml", "broken.yaml")
    assert (done.status, done.out) == (2, "")
    assert "broken.yaml:2:15: reference: '${x}'" in done.err
    missing = empty("run", "good.yaml")
    assert missing.status == 3
    assert "good.scenario.yaml" in missing.err


def test_the_mistakes_of_all_files_are_told_and_nothing_runs(empty: Cli, scripts: Path) -> None:
    (scripts / "one.yaml").write_text("scenario: s\nsteps:\n  - wait: soon\n  - shp: '1'\n", encoding="utf-8")
    (scripts / "two.yaml").write_text("scenario: s\nstpes: []\n", encoding="utf-8")
    done = empty("run", "one.yaml", "good.scenario.yaml", "none.yaml", "two.yaml")
    assert (done.status, done.out) == (2, "")
    told = [line for line in done.err.splitlines() if line.startswith("error")]
    assert [line.split(": ")[2] for line in told] == [
        "one.yaml:3:11",
        "one.yaml:4:5",
        "unknown scenario file 'none.yaml'",
        "two.yaml:2:1",
    ]
    errors = [json.loads(line)["error"] for line in empty("run", "none.yaml", "one.yaml", "--json").err.splitlines()]
    assert [(error["exit"], error["values"].get("line")) for error in errors] == [(3, None), (2, 3), (2, 4)]
    assert empty("run", "none.yaml", "one.yaml").status == 3


def test_a_scenario_of_another_ending_is_told_that_the_ending_decides(empty: Cli, scripts: Path) -> None:
    (scripts / "a.txt").write_text(f"# words\n\n{GOOD}", encoding="utf-8")
    done = empty("run", "a.txt")
    assert done.status == 2
    assert "a.txt begins as a scenario does" in done.err
    assert ".scenario.yaml" in done.err
    assert done.err.splitlines()[1] == "hint: orderstate run - < a.txt"
    assert empty("run", "-", stdin=(scripts / "a.txt").read_bytes()).status == 0


def test_a_world_that_cannot_be_made_does_not_stop_the_other_scenarios(empty: Cli, scripts: Path) -> None:
    (scripts / "odd.yaml").write_text(GOOD.replace("country: US", "country: XX"), encoding="utf-8")
    done = empty("run", "odd.yaml", "good.scenario.yaml")
    assert done.status == 2
    assert "odd.yaml:3:31: country: 'XX'" in done.err
    assert "passed: 2 steps" in done.out
    assert empty("run", "odd.yaml").status == 2


def test_the_database_is_kept_on_request_and_never_over_a_file(empty: Cli, scripts: Path) -> None:
    done = empty("run", "bad.yml", "--keep-db", "kept.db")
    assert done.status == 7
    assert "its database is kept: orderstate --db kept.db list" in done.out
    assert rows(scripts / "kept.db", "SELECT state FROM orders") == [("inventory_tied",)]
    assert empty("--db", "kept.db", "show", "1001").status == 0
    refused = empty("run", "bad.yml", "--keep-db", "kept.db")
    assert (refused.status, refused.out) == (4, "")
    assert "file_exists" in refused.err


def test_junit_says_which_step_failed(empty: Cli, scripts: Path) -> None:
    done = empty("run", "both.yaml", "--junit", "report.xml")
    assert done.status == 7
    root = ElementTree.parse(scripts / "report.xml").getroot()
    assert [case.find("failure") is None for case in root.iter("testcase")].count(False) == 1
    assert "state" in ElementTree.tostring(root, encoding="unicode")


def test_commands_run_on_the_database_as_before(cli: Cli, scripts: Path) -> None:
    done = cli("run", "commands.ndjson", "commands.ndjson", "--batch", "5")
    assert [(d["line"], d["order"]) for d in done.documents] == [(1, "1001"), (1, "1002")]
    assert cli("run", "-", stdin=COMMAND.encode()).document["order"] == "1003"
    assert cli("run", "-", stdin=b"nonsense\n").status == 2
    assert cli("run", "-", stdin=b"").status == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("good.scenario.yaml", "commands.ndjson"), "one after the other"),
        (("good.scenario.yaml", "--batch", "5"), "--batch goes with commands"),
        (("commands.ndjson", "--keep-db", "kept.db"), "--keep-db goes with scenarios"),
        (("commands.ndjson", "--junit", "r.xml"), "--junit goes with scenarios"),
        (("both.yaml", "--keep-db", "kept.db"), "--keep-db keeps the database of one scenario, not of 2"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_runs(
    cli: Cli, scripts: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = cli("run", *arguments)
    assert (done.status, done.out) == (2, "")
    assert says in done.err
    assert rows(scripts / "orderstate.db", "SELECT count(*) FROM orders") == [(0,)]


def test_a_folder_that_is_not_there_is_told_before_anything_runs(empty: Cli, scripts: Path) -> None:
    for option in ("--keep-db", "--junit"):
        done = empty("run", "good.scenario.yaml", option, "nowhere/file")
        assert (done.status, done.out) == (3, "")
        assert "no folder nowhere" in done.err


def test_the_schema_of_scenarios_is_printed(empty: Cli, folder: Path) -> None:
    done = empty("schema", "scenario", "--json")
    assert (done.status, done.document["title"]) == (0, "orderstate scenario")
    assert json.loads(empty("schema", "scenario").out) == done.document
    assert empty("schema", "scenaro").status == 3


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        ("good.scenario.yaml", "--junit would overwrite good.scenario.yaml"),
        ("./bad.yml", "--junit would overwrite ./bad.yml"),
        ("both.yaml", "--junit writes XML: both.yaml is called as scenarios are"),
        (".", "--junit: . is a folder, not a file"),
    ],
)
def test_a_report_is_never_written_over_a_scenario_and_nothing_runs_before_it_is_refused(
    empty: Cli, scripts: Path, report: str, sentence: str
) -> None:
    before = {path.name: path.read_text(encoding="utf-8") for path in scripts.iterdir()}
    done = empty("run", "good.scenario.yaml", "bad.yml", "--junit", report)
    assert (done.status, done.out) == (2, "")
    assert sentence in done.err
    assert {path.name: path.read_text(encoding="utf-8") for path in scripts.iterdir()} == before


def test_a_report_is_not_written_over_the_database_that_is_kept(empty: Cli, scripts: Path) -> None:
    done = empty("run", "good.scenario.yaml", "--keep-db", "kept.db", "--junit", "kept.db")
    assert done.status == 2
    assert not Path("kept.db").exists()


def test_a_scenario_whose_world_cannot_be_made_is_in_the_junit_report(empty: Cli, scripts: Path) -> None:
    stuck = "scenario: stuck\nworld:\n  flow: {extends: standard, name: x, states: {stuck: {stock: free}}}\n"
    (scripts / "stuck.yaml").write_text(f"{stuck}steps: [{{wait: 1h}}]\n", encoding="utf-8")
    assert empty("run", "stuck.yaml", "good.scenario.yaml", "--junit", "report.xml").status == 4
    root = ElementTree.parse("report.xml").getroot()
    assert (root.get("tests"), root.get("errors"), root.get("failures")) == ("2", "1", "0")
    assert empty("run", "stuck.yaml", "--junit", "alone.xml").status == 4
    error = ElementTree.parse("alone.xml").getroot().find("testsuite/testcase/error")
    assert error is not None
    assert error.get("type") == "flow_unsound"


def test_a_folder_and_a_file_that_is_not_there_are_told_before_a_database_is_missed(empty: Cli, scripts: Path) -> None:
    folder = empty("run", ".")
    assert folder.status == 2
    assert folder.err.splitlines() == [
        "error: usage: . is a folder: name files",
        "hint: orderstate run ./*.scenario.yaml",
    ]
    (scripts / "made.yaml").mkdir()
    assert "made.yaml is a folder" in empty("run", "made.yaml").err
    nothing = empty("run", "nothing.ndjson")
    assert nothing.status == 3
    assert "there is no file nothing.ndjson" in nothing.err


def test_a_mistake_in_a_scenario_leads_to_the_schema_of_what_it_is_in(empty: Cli, scripts: Path) -> None:
    (scripts / "none.yaml").write_text("", encoding="utf-8")
    assert empty("run", "none.yaml").err.splitlines() == [
        "error: invalid_input: none.yaml holds no scenario: a scenario with a title and steps is "
        "scenario: TITLE, steps: [...]",
        "hint: orderstate schema scenario",
    ]
    (scripts / "flow.yaml").write_text("name: x\n", encoding="utf-8")
    (scripts / "named.yaml").write_text(
        "scenario: s\nworld: {flow: flow.yaml}\nsteps: [{wait: 1h}]\n", encoding="utf-8"
    )
    assert empty("run", "named.yaml").err.splitlines()[-1] == "hint: orderstate schema flow"
    assert empty("run", "-", stdin=b"scenario: s\nsteps: []\n").err.endswith("hint: orderstate schema scenario\n")


def test_an_adjustment_of_nothing_is_told_by_the_names_of_its_fields(empty: Cli, scripts: Path) -> None:
    (scripts / "bare.yaml").write_text("scenario: s\nsteps: [{adjust: {facility: D, sku: M}}]\n", encoding="utf-8")
    assert "give by_units, to_units or safety" in empty("run", "bare.yaml").err


def test_customers_who_are_told_in_a_scenario_do_not_disturb_a_program(
    empty: Cli, scripts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = GOOD + "  - work: notify\n"
    (scripts / "told.yaml").write_text(f"{told}---\n{told}", encoding="utf-8")
    done = empty("run", "told.yaml", "--json")
    assert done.status == 0
    assert [len(document["steps"]) for document in done.documents] == [3, 3]
    assert {tuple(json.loads(line).values()) for line in done.err.splitlines()} == {
        (
            "warning",
            "the channel console is not shown with --json; choose another in the scenario: notify.channel",
            "no_console",
        )
    }
    assert capsys.readouterr().err == ""
    assert empty("run", "told.yaml").status == 0
    assert "1001:1 to nobody in particular" in capsys.readouterr().err
