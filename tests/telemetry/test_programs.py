"""Switched on by the environment: real programs that send to a real collector, or to one that is not there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from collector import Collector, collecting
from seen import CONTACT, FOREIGN
from worlds import World

WITHOUT = """
import sys
sys.modules[sys.argv.pop(1)] = None
from orderstate.cli import run
raise SystemExit(run(sys.argv[1:]))
"""
"""The program, where a module is not installed."""

Done = subprocess.CompletedProcess[str]
PLACE = ("place", "--line", "MUG:1", "--to", "US", "--contact", CONTACT)


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that runs."""
    with collecting() as found:
        yield found


@pytest.fixture
def shop(world: World) -> Path:
    """A database with 9 MUG in Denver."""
    world.facility("DEN", "39.74,-104.99", MUG=9)
    return world.path


def environment(**variables: str) -> dict[str, str]:
    plain = {n: v for n, v in os.environ.items() if not n.startswith(("OTEL_", "ORDERSTATE_", "TRACEPARENT"))}
    plain = {n: v for n, v in plain.items() if not n.casefold().endswith("_proxy")}
    return plain | variables


def run(shop: Path, *command: str, **variables: str) -> Done:
    return _run(["-m", "orderstate", "--db", str(shop), *command], variables)


def run_without(module: str, shop: Path, *command: str, **variables: str) -> Done:
    return _run(["-c", WITHOUT, module, "--db", str(shop), *command], variables)


def _run(arguments: list[str], variables: dict[str, str]) -> Done:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=60, env=environment(**variables)
    )


def otlp(collector: Collector, **more: str) -> dict[str, str]:
    return {"ORDERSTATE_TELEMETRY": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **more}


def nobody() -> str:
    """An address on the loopback where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def words(done: Done) -> list[str]:
    """What was said about telemetry."""
    return [line for line in done.stderr.splitlines() if "telemetry" in line]


def test_programs_send_one_trace_to_the_collector_and_a_worker_metrics_too(shop: Path, collector: Collector) -> None:
    placed = run(shop, *PLACE, **otlp(collector))
    assert (placed.returncode, words(placed)) == (0, [])
    assert placed.stdout == "order\twas\tstate\tversion\tchild\n1001\t\tpending\t1\t\n"
    assert (collector.names, collector.metrics) == (["orderstate.place"], set())
    worked = run(shop, "work", "--subscriber", "sourcing", **otlp(collector))
    assert (worked.returncode, words(worked)) == (0, [])
    assert collector.names == ["orderstate.place", "orderstate.delivery", "orderstate.tie"]
    assert len({span.trace_id for span in collector.spans}) == 1
    assert collector.services == {"orderstate"}
    backlog = {f"orderstate.backlog.{name}" for name in ("undelivered", "oldest", "parked")}
    assert collector.metrics == {*backlog, "orderstate.delivery.attempts", "orderstate.commands"}
    assert b"zoe@" not in b"".join(span.SerializeToString() for span in collector.spans)


def test_the_variables_of_the_specification_are_heard(shop: Path, collector: Collector) -> None:
    more = {
        "OTEL_SERVICE_NAME": "shop", "OTEL_EXPORTER_OTLP_HEADERS": "x-token=secret",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_METRICS_EXPORTER": "none", "TRACEPARENT": FOREIGN,
    }  # fmt: skip
    assert run(shop, *PLACE, **otlp(collector, **more)).returncode == 0
    assert run(shop, "work", **otlp(collector, **more)).returncode == 0
    assert (collector.services, collector.metrics) == ({"shop"}, set())
    assert {headers["x-token"] for headers in collector.headers} == {"secret"}
    placed = next(span for span in collector.spans if span.name == "orderstate.place")
    assert f"00-{placed.trace_id.hex()}-{placed.parent_span_id.hex()}-01" == FOREIGN


@pytest.mark.parametrize(
    "more", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}, {"ORDERSTATE_TELEMETRY": ""}]
)
def test_it_can_be_switched_off(shop: Path, collector: Collector, more: dict[str, str]) -> None:
    done = run(shop, *PLACE, **otlp(collector) | more)
    assert (done.returncode, words(done), collector.headers) == (0, [], [])


def test_a_collector_that_is_down_costs_one_line_and_no_command(shop: Path, world: World) -> None:
    variables = {"ORDERSTATE_TELEMETRY": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": nobody()}
    for command in (PLACE, ("tie", "1001"), ("work",)):
        done = run(shop, *command, **variables)
        assert done.returncode == 0
        (line,) = words(done)
        assert line.startswith("telemetry: what was seen does not arrive: ")
    assert "Traceback" not in done.stderr
    assert world.event_types("1001") == ["OrderPlaced", "InventoryTied"]


def test_a_collector_that_refuses_costs_one_line(shop: Path, collector: Collector) -> None:
    collector.status = 400
    done = run(shop, "--json", *PLACE, **otlp(collector))
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["level"] == "warning"
    assert json.loads(done.stdout)["order"] == "1001"


@pytest.mark.parametrize(
    "more",
    [
        {"OTEL_EXPORTER_OTLP_HEADERS": "authorization: Bearer TPASS1"},
        {"OTEL_EXPORTER_OTLP_HEADERS": "bad header TPASS1"},
        {"OTEL_EXPORTER_OTLP_TRACES_HEADERS": "api-key: x-TPASS1,other=1"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1/?k=TPASS1"},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://tu:TPASS1@127.0.0.1:1/x?k=TPASS1&l=%54PASS1"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "bogus://tu:TPASS1@h"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://tu:TPASS1@[bad"},
    ],
)
def test_what_a_collector_is_logged_in_to_with_is_not_shown(shop: Path, more: dict[str, str]) -> None:
    done = run(shop, *PLACE, **{"OTEL_EXPORTER_OTLP_ENDPOINT": nobody(), **more}, ORDERSTATE_TELEMETRY="otlp")
    said = [line for line in done.stderr.splitlines() if line.startswith("telemetry: ")]
    assert (done.returncode, len(said)) == (0, 1), done.stderr
    assert "PASS1" not in done.stderr
    assert "tu:" not in done.stderr


def test_nobody_waits_for_a_collector_that_does_not_answer(shop: Path, collector: Collector) -> None:
    collector.hold = threading.Event()
    done = run(shop, *PLACE, **otlp(collector, OTEL_EXPORTER_OTLP_TIMEOUT="3600"))
    assert done.returncode == 0
    assert words(done) == ["telemetry: what was seen did not arrive within 1 s"]


def test_a_refused_command_keeps_its_status_and_its_words(shop: Path, collector: Collector) -> None:
    done = run(shop, "ship", "9999", **otlp(collector))
    assert done.returncode == 3
    assert done.stderr.startswith("error: unknown_order")
    assert collector.names == ["orderstate.ship"]


def test_on_the_console_spans_are_lines_of_json_on_stderr(shop: Path) -> None:
    done = run(shop, *PLACE, ORDERSTATE_TELEMETRY="console")
    assert done.stdout == "order\twas\tstate\tversion\tchild\n1001\t\tpending\t1\t\n"
    spans = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert [span["name"] for span in spans] == ["orderstate.place"]
    worked = run(shop, "work", "--subscriber", "sourcing", ORDERSTATE_TELEMETRY="console")
    found = [json.loads(line) for line in worked.stderr.splitlines() if line.startswith("{")]
    assert [document.get("name") for document in found] == ["orderstate.tie", "orderstate.delivery", None]
    assert "resource_metrics" in found[-1]


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"ORDERSTATE_TELEMETRY": "zipkin"}, "ORDERSTATE_TELEMETRY: 'zipkin' is not otlp or console"),
        (
            {"ORDERSTATE_TELEMETRY": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' is not http/protobuf",
        ),
    ],
)
def test_a_variable_that_cannot_be_used_is_an_error_before_anything_is_done(
    shop: Path, world: World, variables: dict[str, str], named: str
) -> None:
    done = run(shop, *PLACE, **variables)
    assert done.returncode == 2
    assert named in done.stderr
    assert world.rows("SELECT * FROM orders") == []


@pytest.mark.parametrize(
    ("kind", "missing"),
    [("otlp", "opentelemetry"), ("console", "opentelemetry.sdk"), ("otlp", "opentelemetry.exporter")],
)
def test_where_it_is_not_installed_the_error_says_what_to_install(
    shop: Path, world: World, kind: str, missing: str
) -> None:
    done = run_without(missing, shop, *PLACE, ORDERSTATE_TELEMETRY=kind)
    assert done.returncode == 9
    assert done.stderr.startswith("error: not_installed: telemetry needs opentelemetry")
    assert done.stderr.endswith("hint: pip install 'orderstate[telemetry]'\n")
    assert world.rows("SELECT * FROM orders") == []


def test_help_needs_no_telemetry(shop: Path) -> None:
    done = run_without("opentelemetry", shop, "--help", ORDERSTATE_TELEMETRY="otlp")
    assert (done.returncode, done.stderr) == (0, "")
