"""`work`, `events` and `subscribers` as a person and as a program sees them."""

from __future__ import annotations

import io
import json
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from programs import Program
from shops import Cli, database
from worlds import rows

from orderstate import Engine
from orderstate.cli import run
from orderstate.cli_commands import completion
from orderstate.cli_commands.eventing import moment
from orderstate.cli_commands.failing import UsageError
from orderstate.cli_commands.screen import Screen
from orderstate.events.working import KINDS
from orderstate.flow.events import RESERVED
from orderstate.machine import STANDARD

pytest_plugins = ["shop_fixtures"]


@pytest.fixture
def shop_with_orders(cli: Cli) -> Cli:
    """One order that stock covers and one that it does not; customers are told by nobody."""
    cli("subscribers", "off", "notify")
    cli("place", "--line", "MUG:2", "--to", "US@39.1,-94.58")
    cli("place", "--line", "CUP:9", "--to", "US")
    return cli


def test_work_delivers_and_sums_up(shop_with_orders: Cli) -> None:
    cli = shop_with_orders
    done = cli("work")
    assert done.status == 0
    assert done.tsv == [
        {"subscriber": "restock", "delivered": "3", "later": "0", "parked": "0"},
        {"subscriber": "sourcing", "delivered": "2", "later": "0", "parked": "0"},
    ]
    assert done.err == ""
    assert [row["state"] for row in cli("list").tsv] == ["backordered", "inventory_tied"]
    assert cli("work", human=True).out == "nothing was due\n"
    assert cli("work").out == "subscriber\tdelivered\tlater\tparked\n"


def test_work_for_one_subscriber_and_for_timers_alone(shop_with_orders: Cli) -> None:
    cli = shop_with_orders
    assert [row["subscriber"] for row in cli("work", "--subscriber", "restock").tsv] == ["restock"]
    assert cli("work", "--timers").tsv == []
    assert [row["subscriber"] for row in cli("work", "--timers", "--subscriber", "sourcing").tsv] == ["sourcing"]
    off = cli("work", "--subscriber", "fulfilment")
    assert (off.status, off.err) == (0, "fulfilment is off: orderstate subscribers on fulfilment\n")
    unknown = cli("work", "--subscriber", "sourcng")
    assert (unknown.status, unknown.err.splitlines()[1]) == (3, "hint: did you mean sourcing?")
    assert cli("work", "--log", "xml").status == 2
    assert cli("work", "--batch", "0").status == 2


def test_work_fires_what_is_due_and_says_when_the_next_is(cli: Cli, folder: Path) -> None:
    (folder / "now.yaml").write_text(
        "extends: standard\nstates:\n  pending: {stock: free, after: 1us, trigger: cancel}\n"
        "  inventory_tied: {stock: tied, after: 48h, trigger: untie}\n",
        encoding="utf-8",
    )
    cli("subscribers", "off", "sourcing")
    cli("subscribers", "off", "notify")
    assert cli("flow", "use", "now.yaml").status == 0
    cli("place", "--line", "MUG:2", "--to", "US")
    done = cli("work", "--timers", "--json").document
    assert done["timers"] == {"fired": 1, "refused": 0}
    cli("place", "--line", "MUG:2", "--to", "US")
    cli("tie", "1002")
    human = cli("work", "--timers", human=True)
    assert human.out == "nothing was due\n"
    assert human.err.startswith("the next timer is due 20")
    assert human.err.endswith(": orderstate work --follow\n")


@pytest.fixture
def with_doers(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """One order, and only the subscribers that a test adds."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "events"))
    for name in ("sourcing", "restock", "fulfilment", "notify"):
        assert cli("subscribers", "remove", name).status == 0
    return cli


def test_each_failure_is_a_line_and_what_is_parked_names_the_next_command(with_doers: Cli) -> None:
    cli = with_doers
    cli("subscribers", "add", "down", "doers:failing", "--kind", "outside")
    cli("subscribers", "add", "picky", "doers:refusing", "--kind", "outside", "--type", "OrderPlaced")
    cli("place", "--line", "MUG:2", "--to", "US")
    cli("cancel", "1001")
    done = cli("work", human=True)
    assert done.status == 0
    lines = done.err.splitlines()
    assert "1001:1 OrderPlaced to down: again in 1 s, attempt 1 of 8: OSError: no route to host" in lines
    assert "1001:1 OrderPlaced to picky: parked, attempt 1: unreadable" in lines
    assert lines[-1] == "next: orderstate events parked"
    assert lines[-2].startswith("the next delivery is due ")
    listed = {row["subscriber"]: row for row in cli("subscribers", "list").tsv}
    assert (listed["down"]["waiting"], listed["down"]["failing"], listed["picky"]["parked"]) == ("2", "1", "1")
    (parked,) = cli("events", "parked").tsv
    assert parked["what"] == "picky"
    assert (parked["id"], parked["attempts"], parked["behind"], parked["error"]) == ("1001:1", "1", "0", "unreadable")
    shown = cli("events", "parked", human=True)
    assert "to picky" in shown.out
    assert shown.err == "next: orderstate events replay --parked\n"
    again = cli("events", "replay", "--parked", "--json")
    assert again.documents == [{"subscriber": "picky", "event": "1001:1", "outcome": "parked", "reason": "unreadable"}]
    skipped = cli("events", "skip", "1001:1", "--to", "picky", "--reason", "by phone", "--json").document
    assert skipped == {"command": "events skip", "event": "1001:1", "subscriber": "picky", "changed": True}
    assert "had it already" in cli("events", "skip", "1001:1", "--to", "picky").err
    ways = {d["subscriber"]: d for d in cli("events", "show", "1001:1", "--json").document["deliveries"]}
    assert (ways["picky"]["state"], ways["picky"]["error"]) == ("skipped", "skipped: by phone")
    assert (ways["down"]["state"], ways["down"]["behind"]) == ("failing", 1)
    assert cli("events", "parked", human=True).out == "nothing is parked\n"


def test_what_a_subscriber_prints_does_not_get_among_the_data(
    with_doers: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = with_doers
    cli("subscribers", "add", "chatty", "doers:printing", "--kind", "outside")
    cli("place", "--line", "MUG:2", "--to", "US")
    capsys.readouterr()
    assert cli("work", "--json").document["subscribers"][0]["delivered"] == 1
    (again,) = cli("events", "replay", "1001:1", "--json").documents
    assert again["outcome"] == "delivered"
    assert capsys.readouterr() == ("", "hello from 1001:1\nhello from 1001:1\n")


def test_an_interrupt_that_a_subscriber_raised_is_no_ctrl_c(with_doers: Cli) -> None:
    cli = with_doers
    cli("subscribers", "add", "rude", "doers:interrupting", "--kind", "local")
    cli("place", "--line", "MUG:2", "--to", "US")
    for command in (("work",), ("events", "replay", "1001:1")):
        assert cli(*command).status == 0
    (way,) = cli("events", "show", "1001:1", "--json").document["deliveries"]
    assert (way["state"], way["error"]) == ("failing", "KeyboardInterrupt: not from a keyboard")


def test_a_subscriber_that_changes_the_folder_leads_no_worker_astray(
    with_doers: Cli, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = with_doers
    cli("subscribers", "add", "a-wanderer", "doers:wandering", "--kind", "local")
    cli("subscribers", "add", "later", "doers:write_down", "--kind", "outside")
    cli("place", "--line", "MUG:2", "--to", "US")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv("WANDERS_TO", str(elsewhere))
    here = Path.cwd()
    with Program(database(), "work", "--follow", "--log", "json", folder=folder) as follower:
        follower.until(subscriber="later", event="1001:1")
        assert cli("place", "--line", "MUG:2", "--to", "US").status == 0
        follower.until(subscriber="later", event="1002:1")
        follower.signal(signal.SIGTERM)
        assert follower.ended() == 0
    assert list(elsewhere.iterdir()) == []
    assert Path.cwd() == here


def test_work_logs_every_attempt_as_json(with_doers: Cli) -> None:
    cli = with_doers
    cli("subscribers", "add", "picky", "doers:refusing", "--kind", "outside", "--type", "OrderPlaced")
    cli("subscribers", "add", "quiet", "doers:idle", "--kind", "local", "--type", "OrderPlaced")
    cli("place", "--line", "MUG:2", "--to", "US")
    done = cli("work", "--log", "json")
    lines = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
    assert {(d["subscriber"], d["outcome"], d["level"], d["event"], d["attempt"]) for d in lines} == {
        ("picky", "parked", "error", "1001:1", 1),
        ("quiet", "delivered", "info", "1001:1", 1),
    }
    assert all(d["at"].endswith("Z") and d["took"] >= 0 for d in lines)


@pytest.fixture
def with_a_contact(cli: Cli) -> Cli:
    """Two orders of somebody who wants to hear of them; `notify` tells on the console, as it does by default."""
    for _ in range(2):
        cli("place", "--line", "MUG:1", "--to", "US", "--contact", "Ada <ada@example.org>")
    return cli


@pytest.mark.parametrize("flags", [("--log", "json"), ("--json",), ("--log", "json", "--json")])
def test_stderr_that_a_program_reads_has_no_notices_but_one_line_that_says_so(
    with_a_contact: Cli, flags: tuple[str, ...]
) -> None:
    done = with_a_contact("work", "--subscriber", "notify", "--batch", "1", *flags)
    lines = [json.loads(line) for line in done.err.splitlines()]
    assert "ada" not in done.err.lower()
    (warning,) = [line for line in lines if line.get("code") == "no_console"]
    assert warning["level"] == "warning"
    assert warning["message"] == (
        f"the channel console is not shown with {'--log json' if '--log' in flags else '--json'}; "
        "choose another: orderstate config set notify.channel ..."
    )
    delivered = [line["event"] for line in lines if line.get("outcome") == "delivered"]
    assert delivered == (["1001:1", "1002:1"] if "--log" in flags else [])
    (listed,) = [row for row in with_a_contact("subscribers", "list").tsv if row["subscriber"] == "notify"]
    assert listed["waiting"] == "0"


def test_a_replay_in_json_leaves_the_console_out_too_and_says_so_once(
    with_a_contact: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = with_a_contact
    done = cli("events", "replay", "--type", "OrderPlaced", "--to", "notify", "--json")
    assert [(d["event"], d["outcome"]) for d in done.documents] == [("1001:1", "delivered"), ("1002:1", "delivered")]
    (warning,) = [json.loads(line) for line in done.err.splitlines()]
    assert (warning["level"], warning["code"]) == ("warning", "no_console")
    assert warning["message"].startswith("the channel console is not shown with --json; ")
    assert capsys.readouterr().err == ""
    queued = cli("events", "replay", "1001:1", "--to", "notify", "--queue", "--json")
    assert (queued.document["outcome"], queued.err) == ("queued", "")
    assert cli("events", "replay", "1001:1", "--to", "notify").status == 0
    assert "1001:1 to Ada" in capsys.readouterr().err


def test_the_other_channels_are_told_where_the_console_is_left_out(with_a_contact: Cli, folder: Path) -> None:
    cli = with_a_contact
    cli("config", "set", "notify.folder", "sent")
    cli("config", "set", "notify.channel", "file,console")
    done = cli("work", "--subscriber", "notify", "--log", "json")
    assert len(list((folder / "sent").iterdir())) == 2
    assert done.err.count("no_console") == 1
    cli("config", "set", "notify.channel", "file")
    cli("cancel", "1001")
    assert "no_console" not in cli("work", "--subscriber", "notify", "--log", "json").err
    assert len(list((folder / "sent").iterdir())) == 3


def test_a_person_still_reads_notices_on_the_console(with_a_contact: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    with_a_contact("work", "--subscriber", "notify", "--log", "json")
    assert capsys.readouterr().err == ""
    with_a_contact("cancel", "1001")
    with_a_contact("work", "--subscriber", "notify", human=True)
    assert "1001:2 to Ada <ada@example.org>: " in capsys.readouterr().err


def test_events_are_listed_newest_first_by_what_is_asked(shop_with_orders: Cli) -> None:
    cli = shop_with_orders
    cli("work")
    ids = [row["id"] for row in cli("events", "list").tsv]
    assert ids[-3:] == ["facility/NYC:2", "facility/NYC:1", "facility/DEN:1"]
    assert [row["id"] for row in cli("events", "list", "--order", "1001").tsv] == ["1001:2", "1001:1"]
    assert [row["id"] for row in cli("events", "list", "--facility", "NYC", "--limit", "1").tsv] == ["facility/NYC:2"]
    assert len(cli("events", "list", "--type", "OrderPlaced").tsv) == 2
    assert len(cli("events", "list", "--since", "1h").tsv) == len(ids)
    assert cli("events", "list", "--since", "2100-01-01", human=True).out == "no events\n"
    drawn = cli("events", "list", "--facility", "DEN", human=True)
    assert "2 MUG to DEN" in drawn.out
    document = cli("events", "list", "--order", "1001", "--limit", "1", "--json").document
    assert (document["specversion"], document["id"], document["subject"]) == ("1.0", "1001:2", "1001")
    assert "problem" not in document["data"]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("list", "--order", "1009"), 3),
        (("list", "--order", "1001", "--facility", "DEN"), 2),
        (("list", "--type", "OrderPlacd"), 3),
        (("list", "--since", "yesterday"), 2),
        (("list", "--limit", "0"), 2),
        (("list", "--facility", "NO"), 3),
        (("tail", "--type", "OrderPlacd"), 3),
        (("show", "1001:9"), 3),
        (("replay",), 2),
        (("replay", "1001:1", "--parked"), 2),
        (("replay", "1001:9"), 3),
        (("replay", "--parked", "--to", "nobody"), 3),
        (("skip", "1001:1", "--to", "nobody"), 3),
        (("skip", "1001:1"), 2),
    ],
)
def test_what_cannot_be_asked_is_refused(shop_with_orders: Cli, arguments: tuple[str, ...], status: int) -> None:
    refused = shop_with_orders("events", *arguments)
    assert (refused.status, refused.out) == (status, "")
    assert refused.err.startswith("error: ")


def test_the_tail_shows_the_newest_at_the_end(shop_with_orders: Cli) -> None:
    cli = shop_with_orders
    assert [row["id"] for row in cli("events", "tail", "-n", "2").tsv] == ["1001:1", "1002:1"]
    assert [d["id"] for d in cli("events", "tail", "--lines", "1", "--json").documents] == ["1002:1"]
    line = cli("events", "tail", "-n", "1", human=True).out
    assert line.endswith("  1002:1  OrderPlaced: 9 CUP to US\n")


def test_replay_tells_what_became_of_each(shop_with_orders: Cli) -> None:
    cli = shop_with_orders
    cli("work")
    found = cli("events", "replay", "1001:1", "facility/NYC:2").tsv
    assert [(row["subscriber"], row["event"], row["outcome"]) for row in found] == [
        ("sourcing", "1001:1", "had it"),
        ("restock", "facility/NYC:2", "delivered"),
    ]
    assert [row["outcome"] for row in cli("events", "replay", "--type", "StockReceived", "--queue").tsv] == [
        "queued"
    ] * 3
    assert cli("events", "replay", "--since", "1h", "--to", "sourcing").status == 0
    assert cli("events", "replay", "--parked", human=True).out == "nothing to replay\n"


def test_parked_messages_of_other_systems_are_listed_and_tried_again(cli: Cli) -> None:
    from orderstate.store import deliveries

    with Engine.open(database()) as engine, engine.unit() as unit:
        deliveries.receive(
            unit.tx, "nats://x", "m-1", unit.now, type="PlaceOrder", body="{", error="broken JSON", parked=True
        )
    (parked,) = cli("events", "parked").tsv
    assert (parked["what"], parked["id"], parked["type"], parked["error"]) == (
        "nats://x", "m-1", "PlaceOrder", "broken JSON",
    )  # fmt: skip
    document = cli("events", "parked", "--json").document
    assert (document["source"], document["message"]) == ("nats://x", "m-1")
    (again,) = cli("events", "replay", "--parked").tsv
    assert (again["subscriber"], again["event"], again["outcome"]) == ("from nats://x", "m-1", "parked")
    note = {d["code"]: d for d in cli("doctor", "--json").documents}["deliveries"]
    assert note["level"] == "note"
    assert "1 parked" in note["sentence"]


def test_the_doctor_notes_what_nobody_delivers(shop_with_orders: Cli) -> None:
    cli = shop_with_orders
    found = {d["code"]: d for d in cli("doctor", "--json").documents}["deliveries"]
    assert (found["level"], found["rows"]) == ("ok", [])
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(database(), isolation_level=None)) as other:
        other.execute("UPDATE delivery SET due = due - 3 * 3600000000 WHERE subscriber = 'sourcing'")
    note = cli("doctor", "--json")
    found = {d["code"]: d for d in note.documents}["deliveries"]
    assert note.status == 0
    assert found["rows"] == [["sourcing", "due for 3 h: does orderstate work --follow run?"]]


def test_subscribers_are_switched_added_changed_and_removed(with_doers: Cli) -> None:
    cli = with_doers
    assert cli("subscribers", "list").tsv == []
    cli("place", "--line", "MUG:2", "--to", "US")
    added = cli("subscribers", "add", "mine", "doers:idle", "--kind", "local", "--from-start", "--json").document
    assert added == {"command": "subscribers add", "subscriber": "mine", "changed": True, "filled": 4}
    assert cli("subscribers", "set", "mine", "--type", "OrderPlaced", human=True).out == "mine hears of OrderPlaced\n"
    assert cli("subscribers", "set", "mine", "--every-type", human=True).out == "mine hears of every event\n"
    assert cli("subscribers", "set", "mine").status == 2
    assert cli("subscribers", "off", "mine", human=True).out == "mine is off\n"
    assert cli("subscribers", "off", "mine", human=True).out == "mine is off already\n"
    assert cli("subscribers", "on", "mine").tsv == [{"subscriber": "mine", "changed": "yes"}]
    listed = cli("subscribers", "list", human=True)
    assert "every one" in listed.out
    assert listed.err == "next: orderstate work\n"
    document = cli("subscribers", "list", "--json").document
    assert (document["subscriber"], document["waiting"], document["types"]) == ("mine", 4, [])
    assert cli("subscribers", "remove", "mine", human=True).out == "mine: removed; 4 events it never got\n"
    assert cli("subscribers", "remove", "mine").status == 3
    assert cli("subscribers", "add", "mine", "doers:HEARD", "--kind", "local").status == 2
    assert cli("subscribers", "add", "mine", "doers:idle", "--kind", "sideways").status == 2


def test_tab_knows_the_kinds_and_the_types() -> None:
    assert completion.KINDS == KINDS
    assert set(completion.TYPES) == {*RESERVED, *(t.event for t in STANDARD.transitions)}
    assert list(completion.TYPES) == sorted(completion.TYPES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", datetime(2026, 11, 22, 13, 4, tzinfo=UTC)),
        ("7d", datetime(2026, 11, 15, 15, 4, tzinfo=UTC)),
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        ("2026-11-22T15:04", datetime(2026, 11, 22, 15, 4, tzinfo=UTC)),
        ("2026-11-22 15:04:05.25Z", datetime(2026, 11, 22, 15, 4, 5, 250_000, tzinfo=UTC)),
        ("2026-11-22T15:04+02:00", datetime(2026, 11, 22, 13, 4, tzinfo=UTC)),
    ],
)
def test_a_moment_is_an_age_or_a_time(text: str, expected: datetime) -> None:
    now = round(datetime(2026, 11, 22, 15, 4, tzinfo=UTC).timestamp() * 1e6)
    assert moment(text, now) == round(expected.timestamp() * 1e6)


@pytest.mark.parametrize("text", ["", "2 h", "h", "26-11-22", "9999999d", "tomorrow", "-2h"])
def test_nonsense_is_no_moment(text: str) -> None:
    with pytest.raises(UsageError):
        moment(text, 0)


class Terminal(io.StringIO):
    """A stream that a person sees."""

    def isatty(self) -> bool:
        return True


def test_a_person_who_follows_is_told_so(shop_with_orders: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from orderstate.events import following

    def once(engine: Any, duty: Any, bell: Any, another: Any) -> None:
        following.clear(engine, duty, bell)
        another().close()

    monkeypatch.setattr(following, "follow", once)
    out, err = Terminal(), Terminal()
    assert run(["work", "--follow"], Screen(out, err, human=True, width=80)) == 0
    assert "waiting for events; Ctrl-C ends it" in err.getvalue()
    assert "sourcing" in out.getvalue()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_tail_that_follows_ends_cleanly_on_a_signal(cli: Cli) -> None:
    with Program(database(), "events", "tail", "--follow", "-n", "1", "--json", out=True) as tail:
        assert tail.document()["id"] == "facility/NYC:2"
        cli("place", "--line", "MUG:1", "--to", "US")
        assert tail.document()["id"] == "1001:1"
        tail.signal(signal.SIGINT)
        assert tail.ended() == 0


def test_everyday_work_imports_no_sqlalchemy_and_no_yaml(cli: Cli) -> None:
    import subprocess

    shown = (
        "import sys\nfrom orderstate.cli import run\nstatus = run(sys.argv[1:])\n"
        "sys.stderr.write('\\n' + ' '.join(sys.modules))\nraise SystemExit(status)\n"
    )
    for command in (("work",), ("events", "list"), ("subscribers", "list"), ("events", "replay", "--parked")):
        done = subprocess.run([sys.executable, "-c", shown, *command], capture_output=True, text=True, check=True)
        found = set(done.stderr.splitlines()[-1].split())
        assert found & {"sqlalchemy", "sqlmodel", "pydantic", "rich", "asyncio", "faststream"} == set(), command
    assert rows(database(), "SELECT count(*) FROM delivery WHERE delivered IS NULL") == [(0,)]
