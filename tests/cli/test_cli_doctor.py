"""`doctor` where something is not installed: a finding among the others, and no reason to end."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from shops import Cli, database

from orderstate import errors
from orderstate.flow import document
from orderstate.machine import STANDARD

pytest_plugins = ["shop_fixtures"]

OWN = "shop_that_is_not_here:nice"
ABSENT = "ModuleNotFoundError: No module named 'shop_that_is_not_here'"
LACKS = f"{OWN}: {ABSENT}"
PATH_HINT = "PYTHONPATH=. before the command finds the modules of this folder"
NOBODY = "no package that is installed here offers it in the entry point group"


def execute(statement: str, *values: str) -> None:
    """Change the database behind the program's back: as it was when the plug-in was there."""
    with closing(sqlite3.connect(database())) as connection, connection:
        connection.execute(statement, values)


def put_in_force(*named: object) -> None:
    """The standard flow under the name `ours`, whose ship asks these guards."""
    flow = {**document(STANDARD), "name": "ours"}
    for transition in flow["transitions"]:
        if transition["trigger"] == "ship":
            transition["guards"] = list(named)
    execute("INSERT INTO setting (key, value) VALUES ('flow', ?)", json.dumps(flow))


def found(cli: Cli) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit status, and each finding by its code."""
    told = cli("doctor", "--json")
    assert told.err == ""
    assert len({d["code"] for d in told.documents}) == len(told.documents)
    return told.status, {d["code"]: d for d in told.documents}


def test_what_is_there_is_told_as_well(cli: Cli) -> None:
    status, findings = found(cli)
    assert status == 0
    told = [findings[code] for code in ("guards", "strategy", "subscribers")]
    assert [(d["level"], d["sentence"]) for d in told] == [
        ("ok", "every guard of the flow in force can be used here"),
        ("ok", "the strategy can be used here"),
        ("ok", "every subscriber that is on can be used here"),
    ]


def test_a_guard_that_is_not_installed_is_a_finding_and_every_other_check_is_made(cli: Cli) -> None:
    cli("place", "--line", "MUG:2", "--to", "US")
    cli("tie", "1001")
    status, sound = found(cli)
    put_in_force(OWN, "goods_still_here", "few_units")
    assert cli("list").status == 0
    assert cli("ship", "1001").status == errors.NotInstalled.exit_status
    status, findings = found(cli)
    assert status == 1
    assert list(findings) == list(sound)
    assert [f["code"] for f in findings.values() if f["level"] == "wrong"] == ["guards"]
    assert findings["guards"]["rows"] == [
        [OWN, f"{LACKS}; {PATH_HINT}"],
        ["few_units", f"{NOBODY} orderstate.guards"],
    ]
    assert findings["guards"]["sentence"] == (
        "the flow in force, ours, cannot be used here: "
        f"guard {OWN} ({ABSENT}; {PATH_HINT}); guard few_units ({NOBODY} orderstate.guards). "
        "Install what offers it, or put another flow in force: orderstate flow use FILE"
    )
    assert cli("doctor").err == f"1 of {len(findings)} checks found something wrong; nothing was changed\n"
    execute("UPDATE stock SET on_hand = on_hand + 1 WHERE sku = 'CUP'")
    execute("UPDATE orders SET state = 'lost'")
    _, findings = found(cli)
    wrong = {f["code"] for f in findings.values() if f["level"] == "wrong"}
    assert wrong == {"guards", "ledger", "allocations", "states", "flow"}


@pytest.mark.parametrize(
    ("use", "why"),
    [
        ({"canceller_may": {"bishop": "free"}}, "unknown parameter of guard canceller_may 'bishop'"),
        (
            {"canceller_may": {"operator": "late"}},
            "canceller_may.operator: 'late' is not one of free, tied, gone",
        ),
        ("json:dumps_it", "json:dumps_it: AttributeError: module 'json' has no attribute 'dumps_it'"),
        ("json:JSONDecodeError", "json:JSONDecodeError is a type"),
    ],
)
def test_a_guard_that_cannot_be_used_as_the_flow_says_is_told_with_the_reason(use: object, why: str, cli: Cli) -> None:
    put_in_force(use)
    status, findings = found(cli)
    ((_, reason),) = findings["guards"]["rows"]
    assert (status, reason) == (1, why)


def test_a_module_that_ends_the_program_does_not_end_the_doctor(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "ends_at_once.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    put_in_force("ends_at_once:nice")
    execute("INSERT INTO setting (key, value) VALUES ('strategy', 'ends_at_once:plan')")
    status, findings = found(cli)
    assert status == 1
    assert findings["guards"]["rows"] == [["ends_at_once:nice", "ends_at_once:nice ends the program"]]
    assert findings["strategy"]["rows"] == [["ends_at_once:plan", "ends_at_once:plan ends the program"]]


def test_a_strategy_that_is_not_installed_is_a_finding(cli: Cli) -> None:
    execute("INSERT INTO setting (key, value) VALUES ('strategy', 'greenest')")
    status, findings = found(cli)
    assert (status, findings["strategy"]["level"]) == (1, "wrong")
    assert findings["strategy"]["sentence"] == (
        f"no order can be tied here: strategy greenest ({NOBODY} orderstate.strategies). "
        "Install what offers it, or take another: orderstate config set strategy cheapest"
    )


@pytest.mark.parametrize("kind", ["local", "outside"])
def test_a_subscriber_that_is_not_installed_is_worth_knowing_unless_it_is_off(kind: str, cli: Cli) -> None:
    declare = "INSERT INTO subscriber (name, kind, target, types, enabled) VALUES (?, ?, ?, '', 1)"
    execute(declare, "crm", kind, OWN)
    execute(declare, "till", kind, "my_till")
    status, findings = found(cli)
    assert (status, findings["subscribers"]["level"]) == (0, "note")
    assert findings["subscribers"]["rows"] == [
        ["crm", OWN, f"{LACKS}; {PATH_HINT}"],
        ["till", "my_till", f"{NOBODY} orderstate.subscribers"],
    ]
    assert findings["subscribers"]["sentence"] == (
        f"what is on its way to them waits, unless another machine has them: crm ({LACKS}; {PATH_HINT}); "
        f"till ({NOBODY} orderstate.subscribers)"
    )
    cli("subscribers", "off", "crm")
    cli("subscribers", "off", "till")
    assert found(cli)[1]["subscribers"]["level"] == "ok"


def test_a_relay_is_no_plug_in(cli: Cli) -> None:
    assert cli("relay", "--to", "events.ndjson").status == 0
    assert found(cli)[1]["subscribers"]["level"] == "ok"
