"""`relay`, `consume` and `schema`: what they print, how they end, and one clear line for each mistake."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from shops import Cli

pytest_plugins = ["shop_fixtures"]

PLACE = {
    "specversion": "1.0",
    "id": "m1",
    "source": "/shop",
    "type": "PlaceOrder",
    "data": {"lines": {"MUG": 1}, "to": "US"},
}
DOCS = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")


def written(name: str, *messages: object) -> str:
    Path(name).write_text("".join(json.dumps(one) + "\n" for one in messages))
    return name


def test_relay_appends_each_event_once_and_says_how_many(cli: Cli) -> None:
    first = cli("relay", "--to", "out.ndjson")
    assert first.tsv == [
        {"relay": str(Path("out.ndjson").absolute()), "published": "3", "parked": "0", "later": "0", "waiting": "0"}
    ]
    cli("place", "--line", "MUG:1", "--to", "US")
    assert cli("relay", "--to", "out.ndjson", "--json").document["published"] == 1
    events = [json.loads(line) for line in Path("out.ndjson").read_text().splitlines()]
    assert len({(e["source"], e["id"]) for e in events}) == len(events) == 4
    assert events[-1]["type"] == "OrderPlaced"


def test_relay_drawn_is_one_sentence(cli: Cli) -> None:
    assert cli("relay", "--to", "x", human=True, width=500).out.startswith("3 events to ")


def test_relay_from_now_sends_what_comes(cli: Cli) -> None:
    assert cli("relay", "--to", "x", "--from", "now", "--json").document["published"] == 0
    cli("place", "--line", "MUG:1", "--to", "US")
    assert cli("relay", "--to", "x", "--json").document["published"] == 1


def test_a_relay_is_listed_among_the_subscribers(cli: Cli) -> None:
    cli("relay", "--to", "x")
    found = {one["subscriber"]: one for one in cli("subscribers", "list").tsv}
    assert found[str(Path("x").absolute())]["kind"] == "relay"


def test_consume_says_what_became_of_the_messages(cli: Cli) -> None:
    done = cli("consume", "--from", written("in", PLACE, PLACE, {**PLACE, "id": "m2", "type": "Nonsense"}), "--json")
    assert done.status == 0
    wanted = {"applied": 1, "repeated": 1, "parked": 1, "nothing": 0, "ignored": 0, "stopped": None}
    assert {name: done.document[name] for name in wanted} == wanted
    assert re.fullmatch("orderstate-[0-9a-f]{12}", done.document["group"])
    example = DOCS.split("### `orderstate consume`")[1].split("### ")[0]
    assert set(re.findall(r'"(\w+)":', example)) == set(done.document)


def test_consume_says_each_reason_once_and_where_to_look(cli: Cli) -> None:
    done = cli("consume", "--from", written("in", {**PLACE, "type": "PlaceOrdr"}))
    assert (
        done.err.splitlines()
        == [
            "PlaceOrdr m1 of /shop: parked: unknown type 'PlaceOrdr' (did you mean PlaceOrder or OrderPlaced?)",
            "next: orderstate events parked",
        ]
        or "did you mean PlaceOrder" in done.err.splitlines()[0]
    )
    assert done.err.splitlines()[-1] == "next: orderstate events parked"


def test_what_is_parked_is_applied_by_a_replay_once_that_is_possible(cli: Cli) -> None:
    cli("consume", "--from", written("in", {**PLACE, "data": {"lines": {"POT": 1}, "to": "US"}}))
    assert [one["id"] for one in cli("events", "parked").tsv] == ["m1"]
    cli("stock", "receive", "DEN", "POT", "5")
    assert cli("events", "replay", "--parked").status == 0
    assert cli("events", "parked").tsv == []


def test_a_log_is_a_line_of_json_for_each_message(cli: Cli) -> None:
    done = cli("consume", "--from", written("in", PLACE), "--log", "json")
    (line,) = [json.loads(line) for line in done.err.splitlines()]
    assert (line["outcome"], line["level"], line["type"]) == ("applied", "info", "PlaceOrder")


@pytest.mark.parametrize(
    ("arguments", "status", "line"),
    [
        (("relay", "--to", "carrier://x"), 3, "error: unknown_broker: unknown broker 'carrier://'"),
        (("relay", "--to", "no/where/x"), 4, "error: broker_refused: "),
        (("relay", "--to", "x", "--from", "noon"), 2, "error: usage: --from: 'noon' is not start or now"),
        (("relay", "--to", "x", "--log", "xml"), 2, "error: usage: --log: 'xml' is not json"),
        (("relay",), 2, "error: usage: missing option '--to'"),
        (("consume", "--from", "x", "--follow", "--until-empty"), 2, "error: usage: --follow never ends"),
        (("consume", "--from", "https://example.org/x"), 2, "error: invalid_input: from: "),
        (("consume", "--from", "x", "--group", "a b"), 2, "error: invalid_input: group: 'a b' is not a name"),
        (("schema", "PlaceOrdr"), 3, "error: unknown_schema: unknown schema 'PlaceOrdr'"),
    ],
)
def test_a_mistake_is_one_clear_line(cli: Cli, arguments: tuple[str, ...], status: int, line: str) -> None:
    done = cli(*arguments)
    assert done.status == status
    assert done.err.startswith(line)
    assert done.out == ""


@pytest.mark.parametrize(
    "name", ["command", "order", "event", "PlaceOrder", "CancelOrder", "StockReceived", "ShipmentDelivered"]
)
def test_each_schema_is_printed(empty: Cli, name: str) -> None:
    done = empty("schema", name, "--json")
    assert done.document["title"] == name
    assert json.loads(empty("schema", name).out) == done.document
    assert name in DOCS.split("### `orderstate schema`")[1].split("### ")[0]


def test_events_go_to_standard_output_alone_and_come_in_by_standard_input(cli: Cli) -> None:
    program = [sys.executable, "-m", "orderstate"]
    out = subprocess.run([*program, "relay", "--to", "-", "--json"], capture_output=True, text=True, check=True)
    assert [json.loads(line)["specversion"] for line in out.stdout.splitlines()] == ["1.0"] * 3
    assert out.stderr == ""
    done = subprocess.run(
        [*program, "consume", "--from", "-", "--json"],
        input=json.dumps(PLACE),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["applied"] == 1
