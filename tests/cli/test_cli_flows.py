"""`flow use`, and everything that follows the flow in force; `advance --due`."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from shops import Cli, database
from worlds import HOUR, rows

from orderstate import Engine
from orderstate.cli import run
from orderstate.cli_commands import completion
from orderstate.machine import STANDARD
from orderstate.store import peek

pytest_plugins = ["shop_fixtures"]

FLOWS = Path(__file__).parents[2] / "examples" / "flows"
PAYMENT = str(FLOWS / "payment.yaml")
SHORT = """
name: short
initial: open
path: [reserve, send]
states:
  open: {stock: free, label: to do}
  reserved: {stock: tied, after: 48h, trigger: free_again}
  sent: {stock: gone, final: true}
  off: {stock: free, final: true}
transitions:
  - {trigger: reserve, from: open, to: reserved, event: StockReserved, guards: [stock_covers_order]}
  - {trigger: free_again, from: reserved, to: open, event: StockFreed}
  - {trigger: send, from: reserved, to: sent, event: OrderSent}
  - {trigger: drop, from: [open, reserved], to: off, event: OrderDropped}
"""


@pytest.fixture
def short(folder: Path) -> str:
    """A flow file whose names are not the standard flow's."""
    (folder / "short.yaml").write_text(SHORT, encoding="utf-8")
    return "short.yaml"


def place(cli: Cli, order: str, *, hours_ago: int = 0) -> None:
    """An order of two mugs, placed that long ago."""
    with Engine.open(database()) as engine:
        engine.place({"MUG": 2}, "US", id=order, at=time.time_ns() // 1000 - hours_ago * HOUR)


# flow use


def test_a_flow_is_put_in_force_and_the_next_command_follows_it(cli: Cli, short: str) -> None:
    done = cli("flow", "use", short, human=True)
    assert (done.status, done.out) == (0, "flow short is in force; it was standard\n")
    assert done.err == "next: orderstate flow show\n"
    placed = cli("place", "--line", "MUG:2", "--to", "US", human=True)
    assert placed.out == "1001: placed, open: 2 MUG to US\n"
    assert placed.err == "next: orderstate advance 1001\n"
    advanced = cli("advance", "1001", human=True)
    assert advanced.out.startswith("1001: open -> reserved\n  2 MUG from ")
    assert advanced.err == "next: orderstate advance 1001\n"
    assert cli("advance", "1001", human=True).err == "next: orderstate history 1001\n"
    assert cli("doctor").status == 0


def test_an_order_beside_the_main_path_is_looked_at_and_one_that_is_over_is_looked_back_on(cli: Cli) -> None:
    cli("flow", "use", str(FLOWS / "patient.yaml"))
    place(cli, "a")
    assert cli("fire", "a", "hold").err.endswith("next: orderstate why a\n")
    assert cli("cancel", "a").err.endswith("next: orderstate history a\n")


def test_several_orders_get_one_suggestion(cli: Cli, short: str) -> None:
    cli("flow", "use", short)
    for order in ("a", "b"):
        place(cli, order)
    assert cli("advance", "a", "b").err.endswith("next: orderstate advance a b\n")


def test_a_trigger_with_a_command_of_its_own_is_suggested_by_it_in_any_flow(cli: Cli) -> None:
    cli("flow", "use", PAYMENT)
    place(cli, "a")
    assert cli("advance", "a").err.endswith("next: orderstate advance a\n")
    assert cli("advance", "a").err.endswith("next: orderstate tie a\n")
    assert cli("tie", "a").err.endswith("next: orderstate ship a\n")
    assert cli("list", "--state", "inventory_tied").tsv[0]["order"] == "a"


def test_a_refusal_names_every_state_and_the_command_that_would_do(cli: Cli, short: str) -> None:
    place(cli, "a")
    place(cli, "b")
    cli("tie", "b")
    refused = cli("flow", "use", short)
    assert refused.status == 4
    assert refused.out == ""
    assert refused.err.splitlines() == [
        "error: orders_stand_there: flow short cannot be put in force: it would strand orders",
        "  orders_stand_there: 1 order stands in pending: flow short has no state pending",
        "    try: --map pending=open",
        "  orders_stand_there: 1 order stands in inventory_tied: flow short has no state inventory_tied",
        "    try: --map inventory_tied=reserved",
        "hint: orderstate flow use short.yaml --map pending=open --map inventory_tied=reserved",
    ]
    assert cli("flow", "use", short, "--map", "pending=open").err.splitlines()[-1] == refused.err.splitlines()[-1]
    hint = refused.err.splitlines()[-1].removeprefix("hint: orderstate ").split()
    done = cli(*hint, "--by", "ann", human=True)
    assert done.out.splitlines() == [
        "flow short is in force; it was standard",
        "  1 order: pending -> open",
        "  1 order: inventory_tied -> reserved",
    ]
    assert rows(database(), "SELECT type, \"by\" FROM event WHERE subject = 'b' AND number = 3") == [
        ("FlowChanged", "ann")
    ]
    told = cli("history", "b", human=True).out
    assert "FlowChanged: reserved (operator ann)" in told
    assert "flow short" in told
    assert "state\tinventory_tied" in cli("show", "b@2").out.splitlines()
    assert cli("doctor").status == 0


def test_the_answer_in_json_and_through_a_pipe(cli: Cli, short: str) -> None:
    place(cli, "a")
    shape = {"command": "use_flow", "flow": "short", "was": "standard", "changed": True, "exit": 0}
    mapped = [{"from": "pending", "to": "open", "orders": 1}]
    use = ("flow", "use", short, "--map", "pending=open", "--key", "k")
    assert cli(*use, "--json").document == {**shape, "mapped": mapped}
    again = cli(*use)
    assert "repeated: the key was used before" in again.err
    assert again.tsv == [
        {"flow": "short", "was": "standard", "changed": "yes", "from": "pending", "to": "open", "orders": "1"}
    ]
    same = cli("flow", "use", short, human=True)
    assert same.out == "flow short is in force already; nothing was done\n"
    error = cli("flow", "use", "standard", "--json").error
    assert (error["code"], error["exit"]) == ("orders_stand_there", 4)
    assert error["hint"] == "orderstate flow use standard --map open=pending"


def test_a_flow_with_errors_is_refused_with_their_places(cli: Cli, folder: Path) -> None:
    text = SHORT.replace("guards: [stock_covers_order]", "guards: [stock_covers_ordr]")
    (folder / "wrong.yaml").write_text(text, encoding="utf-8")
    refused = cli("flow", "use", "wrong.yaml")
    assert refused.status == 4
    assert "unknown_guard: wrong.yaml:11:81: unknown guard 'stock_covers_ordr'" in refused.err
    assert "try: did you mean stock_covers_order?" in refused.err
    assert refused.err.endswith("hint: orderstate flow check wrong.yaml\n")
    (folder / "odd.yaml").write_text("extends: standard\nstates: {lost: {stock: free}}\n", encoding="utf-8")
    refused = cli("flow", "use", "odd.yaml")
    assert "unreachable_state: odd.yaml:2:" in refused.err
    (folder / "warned.yaml").write_text(SHORT.replace("event: OrderSent", "event: Sending"), encoding="utf-8")
    warned = cli("flow", "use", "warned.yaml")
    assert warned.status == 0
    assert "warning event_name" in warned.err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("nowhere.yaml",), 3, "unknown flow file 'nowhere.yaml'"),
        ((PAYMENT, "--map", "pending"), 2, "--map: 'pending' is not OLD=NEW"),
        ((PAYMENT, "--map", "=paid"), 2, "--map: '=paid' is not OLD=NEW"),
        (
            (PAYMENT, "--map", "pending=paid", "--map", "pending=pending"),
            2,
            "--map: pending goes to paid and to pending",
        ),
        ((PAYMENT, "--map", "pnding=paid"), 3, "unknown state 'pnding'"),
        ((PAYMENT, "--map", "pending=payed"), 3, "unknown state 'payed'"),
        ((PAYMENT, "--map", "pending=inventory_tied"), 2, "inventory_tied is tied"),
        ((PAYMENT, "--map", "pending=paid", "--map", "paid=pending"), 3, "unknown state 'paid'"),
        (("standard", "--map", "pending=backordered", "--map", "backordered=pending"), 2, "is not free of circles"),
        ((PAYMENT, "--as", "boss"), 2, "as: 'boss'"),
        ((), 2, "missing argument"),
    ],
)
def test_what_cannot_be_put_in_force_says_why(arguments: tuple[str, ...], status: int, said: str, cli: Cli) -> None:
    before = database().read_bytes()
    refused = cli("flow", "use", *arguments)
    assert refused.status == status
    assert said in refused.err
    assert refused.err.startswith("error: ")
    assert "hint: " in refused.err or "unknown flow file" in refused.err
    assert database().read_bytes() == before


@pytest.mark.parametrize("command", ["check", "use", "show", "diff"])
def test_what_is_no_file_cannot_be_used(command: str, cli: Cli, folder: Path) -> None:
    (folder / "folder.yaml").mkdir()
    (folder / "long.yaml").write_text("#" * 1_000_001, encoding="utf-8")
    for file, said in (
        ("folder.yaml", "folder.yaml is a folder, not a flow file"),
        ("", "the name of the flow file is empty"),
        ("long.yaml", "long.yaml has more than 1,000,000 characters, and of a flow file no more are read"),
        ("/dev/zero", "/dev/zero has more than 1,000,000 characters, and of a flow file no more are read"),
    ):
        done = cli("flow", command, file)
        assert (done.status, done.out) == (2, "")
        assert done.err.splitlines()[0] == f"error: invalid_input: {said}"


def test_a_flow_may_come_from_stdin(cli: Cli) -> None:
    stdin = SHORT.encode()
    assert cli("flow", "check", "-", stdin=stdin).err == "stdin: nothing is wrong\n"
    assert "proof" in cli("flow", "check", "-", "--exhaustive", "--json", stdin=stdin).document
    wrong = cli("flow", "check", "-", stdin=b"extends: standard\nstates:\n\ta: {stock: free}\n")
    assert wrong.status == 1
    assert wrong.err == (
        "stdin:3:1: error invalid_input: line: 'a: {stock: free}' is indented with a tab, and YAML takes spaces only; "
        "write spaces in place of the tab\n"
    )
    assert cli("flow", "show", "-", stdin=stdin).tsv[0]["state"] == "open (initial)"
    assert cli("flow", "diff", "-", stdin=stdin).status == 1
    assert cli("flow", "use", "-", stdin=stdin).tsv[0]["flow"] == "short"
    broken = stdin.replace(b", guards: [stock_covers_order]", b"").replace(b"reserved, to: sent", b"open, to: sent")
    told = cli("flow", "check", "-", "--exhaustive", "--json", stdin=broken).document["counterexample"]
    assert told["scenario"]["world"]["flow"]["name"] == "short"


def test_a_flow_needs_a_database_to_be_put_in_force_in(empty: Cli) -> None:
    refused = empty("flow", "use", PAYMENT)
    assert (refused.status, refused.err.splitlines()[-1]) == (3, "hint: orderstate init")


# The flow in force


def test_show_and_diff_mean_the_flow_in_force_where_there_is_a_database(cli: Cli, short: str) -> None:
    assert cli("flow", "diff", "standard").status == 0
    assert cli("flow", "show", "--json").document["flow"] == "standard"
    cli("flow", "use", short)
    assert cli("flow", "show", "--json").document["flow"] == "short"
    assert cli("flow", "show", PAYMENT, "--json").document["flow"] == "payment"
    assert cli("flow", "show", "standard", "--json").document["flow"] == "standard"
    assert cli("flow", "diff", short).status == 0
    assert "- state open: free, 'to do'" in cli("flow", "diff", "standard").err.splitlines()
    assert cli("flow", "diff", PAYMENT, "standard").status == 1


def test_without_a_database_they_mean_the_standard_flow(empty: Cli, folder: Path, short: str) -> None:
    assert empty("flow", "show", "--json").document["flow"] == "standard"
    assert empty("flow", "show", short, "--json").document["flow"] == "short"
    assert empty("flow", "diff", str(FLOWS / "standard.yaml")).err == "no difference\n"
    assert not list(folder.glob("*.db"))


def test_a_database_that_is_named_and_not_there_is_an_error(empty: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert empty("--db", "other.db", "flow", "show").status == 3
    monkeypatch.setenv("ORDERSTATE_DB", "other.db")
    assert empty("flow", "diff", PAYMENT).status == 3


def test_the_settings_do_not_show_the_flow(cli: Cli, short: str) -> None:
    before = cli("config", "list").out
    cli("flow", "use", short)
    assert cli("config", "list").out == before
    assert cli("config", "get", "flow").status == 3


def test_why_list_and_names_follow_the_flow_in_force(cli: Cli, short: str) -> None:
    cli("flow", "use", short)
    place(cli, "a")
    assert [row["trigger"] for row in cli("why", "a").tsv if row["possible"] == "yes"] == ["reserve", "drop"]
    assert cli("why", "a", "ship").status == 3
    assert cli("list", "--state", "open").tsv[0]["order"] == "a"
    unknown = cli("list", "--state", "pending")
    assert (unknown.status, "unknown state 'pending'" in unknown.err) == (3, True)
    for command in ("tie", "ship", "deliver", "untie", "cancel"):
        refused = cli(command, "a")
        assert refused.status == 3
        assert "unknown trigger" in refused.err
    assert cli("advance", "a", "--until", "sent").status == 0


def test_a_guard_that_is_not_installed_here_is_one_clear_line(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "shop_of_mine.py").write_text("def nice(order, facts, params):\n    return None\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    (folder / "nice.yaml").write_text(
        SHORT.replace("event: OrderSent", "event: OrderSent, guards: ['shop_of_mine:nice']"), encoding="utf-8"
    )
    assert cli("flow", "use", "nice.yaml").status == 0
    for order in "abc":
        place(cli, order)
    from orderstate import guards
    from orderstate.engine import session

    monkeypatch.undo()
    monkeypatch.chdir(folder)
    monkeypatch.delitem(__import__("sys").modules, "shop_of_mine")
    (folder / "shop_of_mine.py").unlink()
    guards._own.cache_clear()
    session.in_force.cache_clear()
    for command in (("place", "--line", "MUG:1", "--to", "US"), ("ship", "a", "b", "c"), ("flow", "show")):
        refused = cli(*command)
        assert refused.status == 9, command
        first, last = refused.err.splitlines()
        assert first.startswith("error: flow_unusable: the flow in force, short, cannot be used here: ")
        assert "shop_of_mine:nice" in first
        assert last == (
            "hint: install what offers it (a dotted path: name its folder in PYTHONPATH), "
            "or put another flow in force: orderstate flow use FILE"
        )
    names = ("list", "history a", "events list", "stock list", "facility list", "config list")
    for name in names:
        assert cli(*name.split()).status == 0, name
    assert [row["code"] for row in cli("doctor").tsv if row["level"] == "wrong"] == ["guards"]
    assert cli("flow", "use", "standard", "--map", "open=pending").status == 0
    assert cli("place", "--line", "MUG:1", "--to", "US").status == 0
    assert cli("doctor").status == 0


# Completion


def test_tab_offers_the_states_and_triggers_of_the_flow_in_force(
    cli: Cli, short: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def offered(words: str) -> list[str]:
        monkeypatch.setenv("_ORDERSTATE_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
        assert run([]) == 0
        return capsys.readouterr().out.split()

    assert offered("orderstate list --state s") == ["shipping"]
    monkeypatch.delenv("_ORDERSTATE_COMPLETE")
    cli("flow", "use", short)
    assert offered("orderstate list --state s") == ["sent"]
    assert offered("orderstate fire 1001 ") == ["reserve", "free_again", "send", "drop"]
    assert offered("orderstate --db nowhere.db list --state s") == ["shipping"]
    assert offered("orderstate advance 1001 --until o") == ["open", "off"]


def test_the_names_written_down_for_tab_are_the_standard_flows() -> None:
    assert tuple(state.name for state in STANDARD.states) == completion.STATES
    assert tuple(dict.fromkeys(t.trigger for t in STANDARD.transitions)) == completion.TRIGGERS


def test_peek_reads_the_flow_and_never_fails_loudly(cli: Cli, short: str, folder: Path) -> None:
    assert peek.flow("orderstate.db") is None
    cli("flow", "use", short)
    expected = (["open", "reserved", "sent", "off"], ["reserve", "free_again", "send", "drop"])
    assert peek.flow("sqlite:///orderstate.db") == expected
    (folder / "text.db").write_text("nothing of ours", encoding="utf-8")
    for url in ("nowhere.db", "text.db", "postgresql://x/y"):
        assert peek.flow(url) is None
    import sqlite3
    from contextlib import closing

    for broken in ("{", "[]", '{"states": {"a": {}}}'):
        with closing(sqlite3.connect(database())) as connection:
            connection.execute("UPDATE setting SET value = ? WHERE key = 'flow'", (broken,))
            connection.commit()
        assert peek.flow("orderstate.db") is None


# advance --due


def test_what_is_due_is_fired_oldest_first_and_told(cli: Cli) -> None:
    cli("flow", "use", PAYMENT)
    for order, hours in (("new", 1), ("old", 50), ("older", 60)):
        place(cli, order, hours_ago=hours)
    done = cli("advance", "--due", human=True)
    assert done.status == 0
    assert done.out == "older: pending -> cancelled\nold: pending -> cancelled\n"
    assert done.err.startswith("2 fired; the next timer: cancel of new, 20")
    assert done.err.endswith(" UTC\n")
    again = cli("advance", "--due")
    assert again.out == ""
    assert again.err.startswith("nothing is due; the next timer: cancel of new, ")
    assert rows(database(), "SELECT DISTINCT role, \"by\" FROM event WHERE type = 'OrderCancelled'") == [
        ("system", "timer")
    ]


def test_a_limit_leaves_the_rest_for_the_next_time(cli: Cli) -> None:
    cli("flow", "use", PAYMENT)
    for number in range(4):
        place(cli, f"o{number}", hours_ago=50 - number)
    done = cli("advance", "--due", "--limit", "3")
    assert [row["order"] for row in done.tsv] == ["o0", "o1", "o2"]
    assert done.err.endswith("3 fired; more is due\nnext: orderstate advance --due\n")
    documents = cli("advance", "--due", "--json").documents
    assert [(d["command"], d["order"], d["trigger"], d["state"]) for d in documents] == [
        ("fire", "o3", "cancel", "cancelled")
    ]
    nothing = cli("advance", "--due", "--json")
    assert (nothing.status, nothing.out, nothing.err) == (0, "", "")


def test_a_flow_that_makes_timers_due_says_so(cli: Cli, folder: Path) -> None:
    place(cli, "old", hours_ago=50)
    assert cli("flow", "use", PAYMENT).err.endswith("next: orderstate advance --due\n")


def test_refused_timers_are_told_stay_due_and_give_the_exit_status(cli: Cli, folder: Path) -> None:
    (folder / "retry.yaml").write_text(
        "extends: standard\nstates: {backordered: {stock: free, after: 1h, trigger: tie_inventory}}\n", encoding="utf-8"
    )
    cli("flow", "use", "retry.yaml")
    then = time.time_ns() // 1000 - 5 * HOUR
    with Engine.open(database()) as engine:
        engine.place({"MUG": 99}, "US", id="a", at=then)
        engine.tie("a", at=then)
    for _ in range(2):
        refused = cli("advance", "--due")
        assert refused.status == 5
        assert "error: stock_covers_order: a is backordered: tie_inventory refused" in refused.err
        assert refused.err.endswith("0 fired; 1 refused, which stay due\n")
    cli("stock", "receive", "DEN", "MUG", "99")
    assert cli("advance", "--due").status == 0


def test_no_timers_at_all_is_told_too(cli: Cli) -> None:
    assert cli("advance", "--due").err == "nothing is due; no order waits for a timer\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--due", "1001"), "ORDER does not go with --due"),
        (("--due", "--until", "shipping"), "--until does not go with --due"),
        (("--due", "--key", "k"), "--key does not go with --due"),
        (("--due", "--if-version", "2"), "--if-version does not go with --due"),
        (("--due", "--as", "customer"), "--as does not go with --due"),
        (("--due", "--by", "ann"), "--by does not go with --due"),
        (("1001", "--limit", "2"), "--limit goes with --due"),
        ((), "no ORDER is named"),
        (("--due", "--limit", "0"), "--limit"),
    ],
)
def test_options_that_say_nothing_together_are_a_usage_error(arguments: tuple[str, ...], said: str, cli: Cli) -> None:
    refused = cli("advance", *arguments)
    assert refused.status == 2
    assert said in refused.err


def test_show_and_why_tell_when_a_timer_is_due(cli: Cli) -> None:
    cli("flow", "use", PAYMENT)
    then = time.time_ns() // 1000
    with Engine.open(database()) as engine:
        engine.place({"MUG": 1}, "US", id="a", at=then)
    shown = cli("show", "a", "--json").document
    assert shown["timer"]["trigger"] == "cancel"
    assert shown["timer"]["due_at"] > shown["entered_at"]
    assert cli("why", "a", "--json").document["timer"] == shown["timer"]
    assert {"timer\tcancel", f"due_at\t{shown['timer']['due_at']}"} <= set(cli("show", "a").out.splitlines())
    due = shown["timer"]["due_at"][:19].replace("T", " ")
    assert f"timer     cancel is due in 24 h, at {due}\n" in cli("show", "a", human=True).out
    told = cli("why", "a", human=True)
    assert told.out.startswith(
        f"a is pending; asked as operator\nby itself, as system: cancel is due in 24 h, at {due}\n"
    )
    assert "--due" not in told.out
    assert (told.err, cli("why", "a").err) == ("", f"by itself, as system: cancel is due in 24 h, at {due}\n")
    assert (shown["timer"]["overdue"], "overdue\tno" in cli("show", "a").out) == (False, True)
    cli("cancel", "a")
    assert cli("show", "a", "--json").document["timer"] is None
    assert "timer" not in cli("show", "a", human=True).out
    assert {"timer\t", "due_at\t", "overdue\t"} <= set(cli("show", "a").out.splitlines())


def test_show_and_why_say_that_a_timer_is_overdue_and_what_fires_it(cli: Cli) -> None:
    cli("flow", "use", PAYMENT)
    place(cli, "a", hours_ago=26)
    shown = cli("show", "a", "--json").document
    assert shown["timer"]["overdue"] is True
    assert cli("why", "a", "--json").document["timer"] == shown["timer"]
    assert "overdue\tyes" in cli("show", "a").out.splitlines()
    due = shown["timer"]["due_at"][:19].replace("T", " ")
    sentence = f"cancel was due 2 h ago, at {due}"
    db = str(database())
    wide = cli("show", "a", human=True, width=120).out
    assert f"timer     {sentence}: run orderstate advance --due\n" in wide
    assert f"run orderstate --db {db} advance --due\n" in cli("--db", db, "show", "a", human=True, width=120).out
    assert f"by itself, as system: {sentence}\n    try: orderstate advance --due\n" in cli("why", "a", human=True).out
    assert f"    try: orderstate --db {db} advance --due\n" in cli("--db", db, "why", "a", human=True).out
    assert cli("why", "a").err == f"by itself, as system: {sentence}: run orderstate advance --due\n"
    cli("advance", "--due")
    assert cli("show", "a", "--json").document["timer"] is None


def test_a_stream_of_commands_puts_a_flow_in_force(cli: Cli) -> None:
    commands = [
        {"command": "use_flow", "flow": {"extends": "standard", "name": "ours"}, "by": "ann"},
        {"command": "use_flow", "flow": "standard", "map": {}},
        {"command": "use_flow", "flow": {"extends": "payment.yaml"}},
    ]
    done = cli("run", "-", stdin="\n".join(map(json.dumps, commands)).encode())
    first, second, third = done.documents
    assert (first["flow"], first["was"], second["was"]) == ("ours", "standard", "ours")
    assert third["error"]["code"] == "invalid_input"
