"""`--log json`: a line for each attempt, whoever makes it, in one shape; and nothing else on stderr."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from seen import CONTACT, alone
from worlds import DENVER, World

from orderstate.cli import run
from orderstate.cli_commands.screen import Screen


def lines(world: World, *command: str, status: int = 0) -> list[dict[str, Any]]:
    """What a command logs."""
    out, err = io.StringIO(), io.StringIO()
    assert run(["--db", str(world.path), *command], Screen(out, err, human=False, width=80)) == status
    return [json.loads(line) for line in err.getvalue().splitlines() if line.startswith("{")]


@pytest.fixture
def busy(world: World) -> World:
    """A database with one order, of which two subscribers are to hear."""
    world.facility("DEN", "39.74,-104.99", MUG=9)
    alone(world, "quoting", "sourcing")
    world.engine.place({"MUG": 1}, DENVER, id="web-1", contact=CONTACT)
    return world


def test_work_logs_every_attempt(busy: World) -> None:
    quoting, sourcing = sorted(lines(busy, "work", "--log", "json"), key=lambda line: line["subscriber"])
    assert sourcing == {
        "at": sourcing["at"], "level": "info", "message": "web-1:1 OrderPlaced to sourcing: delivered",
        "subscriber": "sourcing", "event": "web-1:1", "type": "OrderPlaced", "outcome": "delivered", "attempt": 1,
        "reason": None, "again": None, "took": sourcing["took"],
    }  # fmt: skip
    assert sourcing["took"] > 0
    assert (quoting["level"], quoting["outcome"], quoting["attempt"]) == ("warning", "later", 1)
    assert quoting["reason"].startswith("550 ")


def test_a_relay_logs_every_event_in_the_same_shape(busy: World, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    logged = lines(busy, "relay", "--to", str(file), "--log", "json")
    (worked, *_) = lines(busy, "work", "--log", "json")
    assert [line["event"] for line in logged] == ["facility/DEN:1", "web-1:1"]
    assert {line["outcome"] for line in logged} == {"delivered"}
    assert {line["attempt"] for line in logged} == {1}
    assert all(line["took"] > 0 for line in logged)
    assert all(str(file) in line["subscriber"] for line in logged)
    assert logged[0].keys() == worked.keys()


def test_a_relay_without_a_log_names_no_event_that_arrived(busy: World, tmp_path: Path) -> None:
    assert lines(busy, "relay", "--to", str(tmp_path / "events.ndjson")) == []


def test_consume_logs_every_message(busy: World, tmp_path: Path) -> None:
    file = tmp_path / "in.ndjson"
    good = {
        "specversion": "1.0", "id": "m1", "source": "/shop", "type": "CancelOrder", "subject": "web-1", "data": {},
    }  # fmt: skip
    file.write_text(f"{json.dumps(good)}\n{json.dumps(good)}\nwhat?\n")
    logged = lines(busy, "consume", "--from", str(file), "--log", "json")
    assert [line["outcome"] for line in logged] == ["applied", "repeated", "parked"]
    assert [line["level"] for line in logged] == ["info", "info", "error"]
    assert [line["id"] for line in logged][:2] == ["m1", "m1"]
    assert logged[2]["reason"].startswith("it is not JSON")
    assert logged[0]["took"] > 0


@pytest.mark.parametrize("command", [("work",), ("relay", "--to", "events.ndjson"), ("consume", "--from", "in.ndjson")])
def test_another_format_is_an_error(busy: World, command: tuple[str, ...]) -> None:
    out, err = io.StringIO(), io.StringIO()
    assert run(["--db", str(busy.path), *command, "--log", "xml"], Screen(out, err, human=False, width=80)) == 2
    assert err.getvalue() == (
        f"error: usage: --log: 'xml' is not json\nhint: orderstate --db {busy.path} {command[0]} --log json\n"
    )


def test_in_a_log_what_is_said_of_telemetry_is_a_line_of_it(busy: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERSTATE_TELEMETRY", "otlp")
    monkeypatch.setenv(
        "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"
    )  # the port of `discard`, which nobody serves
    monkeypatch.setenv("NO_PROXY", "*")
    logged = lines(busy, "work", "--subscriber", "sourcing", "--log", "json")
    assert [line["level"] for line in logged] == ["info", "warning"]
    assert logged[1]["message"].startswith("telemetry: what was seen d")
