"""Scenarios as files: made from a flow, from what happened to an order, from the counterexample of a proof."""

from __future__ import annotations

import shutil
from pathlib import Path

from shops import KANSAS_CITY, Cli

from orderstate.scenario import read_all

pytest_plugins = ["shop_fixtures"]

ROOT = Path(__file__).parents[2]
PAYMENT = ROOT / "examples" / "flows" / "payment.yaml"
FAULTY = ROOT / "tests" / "flow" / "faulty" / "final_tied.yaml"


def test_what_is_generated_runs_as_it_comes(cli: Cli) -> None:
    made = cli("scenario", "generate")
    assert made.status == 0
    scenarios = read_all(made.out)
    assert scenarios[0].title == "standard: the shortest way to pending"
    Path("all.scenario.yaml").write_text(made.out, encoding="utf-8")
    played = cli("run", "all.scenario.yaml")
    assert played.status == 0
    assert f"{len(scenarios)} scenarios: {len(scenarios)} passed, 0 failed" in played.out
    assert "not taken" not in played.out


def test_into_a_folder_each_has_a_file_that_finds_its_flow(cli: Cli) -> None:
    shutil.copy(PAYMENT, "payment.yaml")
    made = cli("scenario", "generate", "--flow", "payment.yaml", "-o", "made/here")
    files = sorted(Path("made/here").iterdir())
    assert made.err.splitlines() == [
        f"made/here: {len(files)} scenarios",
        "next: orderstate run made/here/*.scenario.yaml",
    ]
    assert files[0].name == "001-the-shortest-way-to-pending.scenario.yaml"
    assert "  flow: ../../payment.yaml\n" in files[0].read_text(encoding="utf-8")
    assert cli("run", *map(str, files[:3])).status == 0
    again = cli("scenario", "generate", "-o", "made/here", "--flow", "payment.yaml")
    assert again.status == 4
    assert "made/here/001-the-shortest-way-to-pending.scenario.yaml exists already" in again.err


def test_json_is_a_document_for_each(cli: Cli) -> None:
    documents = cli("scenario", "generate", "--flow", "standard", "--json").documents
    assert {tuple(document) for document in documents} == {("scenario", "about", "world", "steps")}
    written = cli("scenario", "generate", "-o", "made", "--json").documents
    assert [document["scenario"] for document in written] == [document["scenario"] for document in documents]
    assert Path(written[0]["file"]).is_file()


def test_what_is_left_out_is_said(cli: Cli) -> None:
    made = cli("scenario", "generate", "--paths", "1", "-o", "made")
    assert "not shown: 5 simple paths are left out: those here are the 1 shortest" in made.err
    assert cli("scenario", "generate", "--order", "VIP").status == 2
    assert cli("scenario", "generate", "--order", '{"lines": {"MUG": 0}}').status == 2


def test_without_a_file_it_is_the_flow_in_force(cli: Cli) -> None:
    shutil.copy(PAYMENT, "payment.yaml")
    assert cli("flow", "use", "payment.yaml").status == 0
    assert cli("scenario", "generate", "--json").documents[0]["scenario"] == "payment: the shortest way to pending"


def test_an_order_is_told_as_a_scenario_that_runs(cli: Cli) -> None:
    cli("place", "--line", "MUG:2", "--to", KANSAS_CITY)
    cli("tie", "1001", "--by", "ann")
    cli("cancel", "1001", "--as", "customer")
    told = cli("history", "1001", "--as-scenario")
    assert told.status == 0
    (scenario,) = read_all(told.out)
    assert scenario.title == "What happened to 1001"
    written = cli("history", "1001", "--as-scenario", "-o", "bug.scenario.yaml")
    assert written.err.splitlines() == [
        "bug.scenario.yaml: What happened to 1001",
        "next: orderstate run bug.scenario.yaml",
    ]
    assert Path("bug.scenario.yaml").read_text(encoding="utf-8") == told.out
    assert cli("run", "bug.scenario.yaml").status == 0
    assert cli("history", "1001", "--as-scenario", "--json").document["scenario"] == "What happened to 1001"


def test_a_file_that_is_there_is_never_overwritten(cli: Cli) -> None:
    cli("place", "--line", "MUG:2", "--to", KANSAS_CITY)
    Path("bug.scenario.yaml").write_text("mine", encoding="utf-8")
    assert cli("history", "1001", "--as-scenario", "-o", "bug.scenario.yaml").status == 4
    assert Path("bug.scenario.yaml").read_text(encoding="utf-8") == "mine"
    assert cli("history", "1001", "--as-scenario", "-o", "no/such/folder.yaml").status == 3
    assert cli("history", "1001", "-o", "bug.scenario.yaml").status == 2
    assert cli("history", "9999", "--as-scenario").status == 3


def test_a_counterexample_is_a_scenario_that_runs(cli: Cli) -> None:
    shutil.copy(FAULTY, "kept.yaml")
    checked = cli("flow", "check", "--exhaustive", "kept.yaml")
    assert checked.status == 1
    assert "  4. a: keep leads from inventory_tied to kept" in checked.err
    (scenario,) = read_all(checked.out)
    assert scenario.world.unchecked
    document = cli("flow", "check", "--exhaustive", "kept.yaml", "--json", "-o", "story.scenario.yaml").document
    assert document["counterexample"]["broken"] == "unit_lost"
    assert document["counterexample"]["scenario"]["scenario"] == scenario.title
    assert Path("story.scenario.yaml").read_text(encoding="utf-8") == checked.out
    assert cli("run", "story.scenario.yaml").status == 0
    assert cli("flow", "check", "kept.yaml", "-o", "story.scenario.yaml").status == 2


def test_a_flow_that_is_proved_has_no_story(cli: Cli) -> None:
    shutil.copy(PAYMENT, "payment.yaml")
    proved = cli("flow", "check", "--exhaustive", "payment.yaml", "-o", "story.scenario.yaml")
    assert (proved.status, proved.out) == (0, "")
    assert not Path("story.scenario.yaml").exists()


def test_a_kind_of_order_with_an_unknown_field_is_refused(cli: Cli) -> None:
    made = cli("scenario", "generate", "--order", '{"contct": "VIP"}')
    assert (made.status, made.out) == (2, "")
    assert "'contct' is not a field of place" in made.err
    assert "did you mean contact?" in made.err
    assert cli("scenario", "generate", "--order", '{"command": "place"}').status == 2


def test_a_scenario_goes_only_into_a_file_that_run_takes_for_one(cli: Cli) -> None:
    order = cli("place", "--line", "MUG:1", "--to", KANSAS_CITY, "--json").documents[0]["order"]
    refused = cli("history", order, "--as-scenario", "-o", "noext")
    assert refused.status == 2
    assert refused.err.splitlines() == [
        "error: usage: -o noext: a scenario's file ends with .yaml, or it would be run as commands",
        "hint: -o noext.scenario.yaml",
    ]
    assert not Path("noext").exists()
    assert cli("history", order, "--as-scenario", "-o", "told.YML").status == 0
    assert cli("run", "told.YML").status == 0


def test_generated_scenarios_do_not_go_into_a_file(cli: Cli) -> None:
    Path("my.yaml").write_text("mine", encoding="utf-8")
    made = cli("scenario", "generate", "-o", "my.yaml")
    assert made.status == 2
    assert "-o my.yaml is a file: a folder is needed" in made.err
    assert Path("my.yaml").read_text(encoding="utf-8") == "mine"
