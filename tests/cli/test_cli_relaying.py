"""`relay`, `consume` and `schema`: what they print, how they end, and one clear line for each mistake."""

from __future__ import annotations

import json
import re
import select
import signal
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
        (("relay", "--to", "nats:user:hidden@host"), 2, "error: invalid_input: broker: 'nats:...' is not "),
        (("consume", "--from", "."), 4, "error: broker_refused: "),
        (("schema", "PlaceOrdr"), 3, "error: unknown_schema: unknown schema 'PlaceOrdr'"),
    ],
)
def test_a_mistake_is_one_clear_line(cli: Cli, arguments: tuple[str, ...], status: int, line: str) -> None:
    done = cli(*arguments)
    assert done.status == status
    assert done.err.startswith(line)
    assert "hidden" not in done.err
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


@pytest.mark.parametrize("command", [("relay", "--to"), ("consume", "--from")])
def test_the_files_of_the_database_are_neither_written_nor_read(cli: Cli, command: tuple[str, str]) -> None:
    cli("relay", "--to", "x")
    own = sorted(Path().glob("orderstate.db*"))
    assert len(own) >= 3, "the database, its lock, and the lock of a relay"
    Path("linked").symlink_to("orderstate.db")
    Path("hard").hardlink_to("orderstate.db")
    Path("folder").symlink_to(".")
    later = [Path("orderstate.db-wal"), Path("orderstate.db-journal")]
    before = {path: path.read_bytes() for path in own}
    for path in [
        *own,
        *later,
        Path("linked"),
        Path("hard"),
        Path("folder/orderstate.db"),
        Path("./x/../orderstate.db"),
    ]:
        done = cli(*command, str(path))
        assert done.status == 2, path
        assert "belongs to the database" in done.err
        assert "--to events.ndjson" in done.err or "--from events.ndjson" in done.err
    assert {path: path.read_bytes() for path in own} == before
    assert [one["subscriber"] for one in cli("subscribers", "list").tsv if one["kind"] == "relay"] == [
        str(Path("x").absolute())
    ]
    Path("orderstate.db-events").touch()
    assert cli(*command, "orderstate.db-events").status == 0, "a name that none of them has"


def test_a_redirection_does_not_hide_the_database(cli: Cli) -> None:
    before = Path("orderstate.db").read_bytes()
    program = [sys.executable, "-m", "orderstate"]
    with Path("orderstate.db").open("ab") as file:
        done = subprocess.run([*program, "relay", "--to", "-"], stdout=file, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, "belongs to the database" in done.stderr) == (2, True)
    with Path("orderstate.db").open("rb") as file:
        done = subprocess.run([*program, "consume", "--from", "-"], stdin=file, capture_output=True, text=True)
    assert (done.returncode, "belongs to the database" in done.stderr) == (2, True)
    assert Path("orderstate.db").read_bytes() == before


def test_a_file_that_is_not_ours_stays_as_it_is(cli: Cli) -> None:
    Path("diary").write_bytes(b"dear diary\nto be gone on with")
    done = cli("relay", "--to", "diary")
    assert done.status == 4
    assert done.err.startswith("error: broker_refused: ")
    assert Path("diary").read_bytes() == b"dear diary\nto be gone on with"
    assert "diary" not in "".join(one["subscriber"] for one in cli("subscribers", "list").tsv)


def test_a_last_line_without_an_end_is_said(cli: Cli) -> None:
    message = json.dumps(PLACE)
    Path("in").write_text(message)
    done = cli("consume", "--from", "in")
    assert done.status == 0
    assert done.tsv[0]["applied"] == "0"
    assert done.err.startswith(
        f"{Path('in').absolute()}: its last {len(message)} bytes have no line end and were left out"
    )
    with Path("in").open("a") as file:
        file.write("\n")
    assert cli("consume", "--from", "in").tsv[0]["applied"] == "1"


class Consuming:
    """`consume` in a process of its own, fed by us."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "orderstate", "consume", *arguments, "--log", "json", "--json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def say(self, text: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def heard(self) -> dict[str, object]:
        """The next message that was dealt with."""
        assert self.process.stderr is not None
        found: dict[str, object] = json.loads(self.process.stderr.readline())
        return found

    def end(self) -> tuple[int, dict[str, object]]:
        """Its status and its result, once it has ended."""
        out, _ = self.process.communicate(timeout=60)
        found: dict[str, object] = json.loads(out)
        return self.process.returncode, found


@pytest.mark.parametrize("follow", [(), ("--follow",)])
def test_standard_input_is_read_until_it_ends_however_long_its_writer_thinks(cli: Cli, follow: tuple[str, ...]) -> None:
    reader = Consuming("--from", "-", *follow)
    assert reader.process.stdout is not None
    for number in range(3):
        reader.say(json.dumps({**PLACE, "id": f"m{number}"}).encode() + b"\n")
        assert reader.heard()["outcome"] == "applied"
        assert not select.select([reader.process.stdout], [], [], 0.7)[0], "it waits for more"
    assert reader.process.poll() is None
    status, result = reader.end()
    assert (status, result["applied"]) == (0, 3)


@pytest.mark.parametrize("follow", [(), ("--follow",)])
def test_a_signal_is_heard_in_the_middle_of_a_line_that_does_not_end(cli: Cli, follow: tuple[str, ...]) -> None:
    reader = Consuming("--from", "-", *follow)
    reader.say(json.dumps(PLACE).encode() + b"\n" + b"x" * 3_000_000)
    assert reader.heard()["outcome"] == "applied"
    reader.process.send_signal(signal.SIGTERM)
    assert reader.process.wait(60) == 0
    _, result = reader.end()
    assert (result["applied"], result["stopped"]) == (1, "SIGTERM")
