"""Bad input: one clear line, the right exit status, a hint, and nothing changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from shops import Cli, database
from worlds import snapshot

from orderstate.cli import commands
from orderstate.cli_commands.failing import interrupted

pytest_plugins = ["shop_fixtures"]

PLACE = ("place", "--to", "US", "--line")


@pytest.fixture
def ready(cli: Cli) -> Cli:
    """A shop with the order 1001."""
    cli("place", "--line", "MUG:1", "--to", "US")
    return cli


CASES: list[tuple[tuple[str, ...], int, str, str]] = [
    # Names that are not there, with close matches
    ((*PLACE, "MUGG:1"), 3, "unknown_sku", "did you mean MUG?"),
    (("stock", "list", "--sku", "CUPS"), 3, "unknown_sku", "did you mean CUP?"),
    (("stock", "receive", "DEB", "MUG", "1"), 3, "unknown_facility", "did you mean DEN?"),
    (("facility", "set", "NYX", "--closed"), 3, "unknown_facility", "did you mean NYC?"),
    (("list", "--facility", "nyc"), 3, "unknown_facility", "did you mean NYC?"),
    (("tie", "1001", "--only", "DNE"), 3, "unknown_facility", "did you mean DEN?"),
    (("ship", "1000"), 3, "unknown_order", "did you mean 1001?"),
    (("show", "X"), 3, "unknown_order", "orderstate list"),
    (("list", "--state", "pendng"), 3, "unknown_state", "did you mean pending?"),
    (("list", "--state", "zzz"), 3, "unknown_state", "orderstate diagram"),
    (("advance", "1001", "--until", "shiping"), 3, "unknown_state", "did you mean shipping"),
    (("fire", "1001", "shp"), 3, "unknown_trigger", "did you mean ship?"),
    (("why", "1001", "qqq"), 3, "unknown_trigger", "orderstate diagram"),
    (("plan", "1001", "--strategy", "nearst"), 3, "unknown_strategy", "did you mean nearest"),
    (("tie", "1001", "--strategy", "qqq"), 3, "unknown_strategy", "orderstate strategies"),
    (("config", "get", "cost.per_kn"), 3, "unknown_setting", "did you mean cost.per_km"),
    (("config", "set", "qqq", "1"), 3, "unknown_setting", "orderstate config list"),
    (("facility", "set", "DEN", "--cost", "per_kn=1"), 3, "unknown_facility_cost", "did you mean per_km"),
    # Quantities
    *(
        ((*PLACE, f"MUG:{units}"), 2, "invalid_input", "orderstate place --help")
        for units in ("0", "-1", "1e3", "99999999999", "abc", "", "1_0", "1.0", "٣")
    ),
    ((*PLACE, "MUG"), 2, "usage", "--line MUG:2"),
    ((*PLACE, ":1"), 2, "usage", "--line MUG:2"),
    (("cancel", "1001", "--line", "MUG:0"), 2, "invalid_input", "orderstate cancel --help"),
    (("stock", "receive", "DEN", "MUG", "0"), 2, "invalid_input", "orderstate stock receive --help"),
    (("stock", "receive", "DEN", "MUG", "-12"), 2, "usage", "orderstate stock receive --help"),
    (("stock", "receive", "DEN", "MUG", "1", "--pool", "attic"), 2, "invalid_input", "orderstate stock receive"),
    (("stock", "adjust", "DEN", "MUG", "--by", "-3"), 2, "invalid_input", "orderstate stock adjust --help"),
    (("stock", "adjust", "DEN", "MUG", "--by", "1", "--to", "1"), 2, "invalid_input", "orderstate stock adjust"),
    (("stock", "adjust", "DEN", "MUG"), 2, "invalid_input", "orderstate stock adjust --help"),
    # Destinations and positions
    *(
        (("place", "--line", "MUG:1", "--to", to), 2, "invalid_input", hint)
        for to, hint in (
            ("USA", "orderstate place --help"),
            ("UK", "the code of that country is GB"),
            ("US@91,0", "orderstate place --help"),
            ("US@1", "orderstate place --help"),
            ("", "orderstate place --help"),
        )
    ),
    (("place", "--line", "MUG:1", "--to", "US/80203"), 9, "not_installed", "write the position instead"),
    (("redirect", "1001", "--to", "XX"), 2, "invalid_input", "orderstate redirect --help"),
    (("facility", "set", "DEN", "--at", "north"), 2, "invalid_input", "orderstate facility set --help"),
    (("facility", "add", "CHI", "--country", "USA"), 2, "invalid_input", "orderstate facility add --help"),
    (("facility", "set", "DEN", "--cost", "per_km"), 2, "usage", "--cost per_km=0.5"),
    # Words that are no option of anything
    (("place", "--lin", "MUG:1"), 2, "usage", "did you mean --line"),
    (("plase",), 2, "usage", "did you mean orderstate place"),
    (("stock", "recieve"), 2, "usage", "did you mean orderstate stock receive"),
    (("qqqq",), 2, "usage", "orderstate --help"),
    (("place",), 2, "usage", "orderstate place --line SKU:QTY --to DEST"),
    (("place", "--line", "MUG:1"), 2, "usage", "orderstate place --line SKU:QTY --to DEST"),
    (("show",), 2, "usage", "orderstate show --help"),
    (("redirect", "1001"), 2, "usage", "orderstate redirect --help"),
    (("list", "--limit", "many"), 2, "usage", "orderstate list --help"),
    (("list", "--limit", "0"), 2, "usage", "orderstate list --help"),
    (("list", "--older-than", "5 days"), 2, "usage", "orderstate list --help"),
    (("list", "--db", "x"), 2, "usage", "orderstate --db ... list"),
    (("place", "--file", "x", "--to", "US"), 2, "usage", "orderstate place --help"),
    (("config", "set", "cost.per_km"), 2, "usage", "orderstate config set cost.per_km VALUE"),
    (("config", "set", "cost.per_km", "1", "--default"), 2, "usage", "orderstate config set cost.per_km VALUE"),
    (("config", "set", "cost.per_km", "cheap"), 2, "invalid_input", "orderstate config set --help"),
    (("facility", "set", "DEN"), 2, "usage", "orderstate facility set DEN --closed"),
    (("place", "--line", "MUG:1", "--to", "US", "--as", "boss"), 2, "invalid_input", "orderstate place --help"),
    (("place", "--line", "MUG:1", "--to", "US", "--id", "7"), 2, "invalid_input", "orderstate place --help"),
    (("place", "--line", "MUG:1", "--to", "US", "--short", "cry"), 2, "invalid_input", "orderstate place --help"),
    (("place", "--line", "MUG:1", "--to", "US", "--by", "\udcff"), 2, "usage", "orderstate --help"),
    (("import", "orders", "x.csv", "--ship-after", "soon"), 2, "usage", "orderstate import orders --help"),
    (("run", "plan.yaml"), 3, "unknown_scenario_file", "orderstate scenario generate"),
    (("run", "nothing.ndjson"), 3, "no_file", "name a file, or - for stdin"),
    # What is there already
    (("facility", "add", "DEN", "--country", "US"), 4, "facility_exists", "orderstate facility set DEN"),
    (("init",), 4, "exists", "name another file with --db"),
]


@pytest.mark.parametrize(
    ("command", "status", "code", "hint"),
    CASES,
    ids=lambda case: " ".join(case)[:60] if isinstance(case, tuple) else "",
)
def test_bad_input_is_one_clear_error_with_a_hint_and_changes_nothing(
    ready: Cli, command: tuple[str, ...], status: int, code: str, hint: str
) -> None:
    before = snapshot(database())
    refused = ready(*command)
    assert (refused.status, refused.out) == (status, "")
    lines = refused.err.splitlines()
    assert lines[0].startswith(f"error: {code}: "), lines
    assert lines[-1].startswith(f"hint: {hint}"), lines
    assert all(line.startswith("  ") for line in lines[1:-1])
    assert snapshot(database()) == before
    told = ready(*command, "--json")
    assert (told.status, told.error["code"], told.error["exit"]) == (status, code, status)
    assert told.error["hint"].startswith(hint)
    assert told.out == ""


def test_every_error_that_blocks_has_a_line_and_what_would_help(ready: Cli) -> None:
    ready("place", "--line", "MUG:20", "--to", "US", "--short", "refuse")
    refused = ready("tie", "1002")
    assert refused.err.splitlines() == [
        "error: stock_covers_order: 1002 is pending: tie_inventory refused",
        "  stock_covers_order: stock does not cover MUG (wanted 20, short 8)",
        "    try: orderstate stock receive FACILITY MUG 8",
        "  may_wait: 1002 was placed with --short refuse, so it does not wait for stock",
        "    try: orderstate cancel 1002",
        "hint: orderstate stock receive FACILITY MUG 8",
    ]


def test_an_adjustment_below_what_is_allocated_names_the_holders(ready: Cli) -> None:
    ready("tie", "1001", "--only", "DEN")
    refused = ready("stock", "adjust", "DEN", "MUG", "--to", "0")
    assert refused.status == 4
    assert "1 of MUG in DEN (primary) are tied to 1001 (1)" in refused.err
    assert refused.err.splitlines()[-1] == "hint: orderstate stock adjust DEN MUG --pool primary --to 0 --untie"
    untied = ready("stock", "adjust", "DEN", "MUG", "--to", "0", "--untie", human=True)
    assert untied.out == "DEN: MUG: 2 -> 0 on hand\n  untied: 1001\n"
    assert untied.err.splitlines()[0] == "next: orderstate tie 1001"


def test_control_characters_do_not_reach_the_terminal(ready: Cli) -> None:
    ready("place", "--line", "MUG:1", "--to", "US", "--contact", "a\tb\x1b[31mc\nd", "--by", "e\x07")
    for human in (True, False):
        for command in (("show", "1002"), ("history", "1002")):
            shown = ready(*command, human=human).out
            assert "\x1b" not in shown
            assert "\x07" not in shown
    assert "a\\tb\\x1b[31mc\\nd" in ready("show", "1002").out
    assert ready("show", "1002", "--json").document["contact"] == "a\tb\x1b[31mc\nd"


def test_what_nobody_foresaw_is_one_line_without_a_traceback(ready: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the sky fell")

    monkeypatch.setattr("orderstate.engine.Engine.show", fail)
    failed = ready("show", "1001")
    assert failed.status == 1
    assert failed.err.splitlines()[0] == "error: unexpected: RuntimeError: the sky fell"
    assert "Traceback" not in failed.err
    assert "Traceback" in ready("--debug", "show", "1001").err
    assert ready("show", "1001", "--json").error["code"] == "unexpected"


def test_ctrl_c_says_what_is_not_known(ready: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("orderstate.engine.Engine.place", interrupt)
    stopped = ready(*PLACE, "MUG:1")
    assert stopped.status == 130
    assert stopped.err == (
        "interrupted; what was not acknowledged may or may not be done: repeat with the same --key\n"
    )


def test_ctrl_c_tells_of_a_key_where_the_command_has_one_and_nowhere_else() -> None:
    told = {" ".join(path): interrupted(" ".join(("orderstate", *path))).sentence for path, _ in commands() if path}
    keyed = {
        " ".join(path) for path, command in commands() if "--key" in [name for p in command.params for name in p.opts]
    }
    assert {command for command, sentence in told.items() if "--key" in sentence} == keyed
    nothing = {command for command, sentence in told.items() if sentence == "nothing was changed"}
    assert {"list", "show", "why", "config get", "events tail", "flow check", "doctor"} <= nothing
    assert not nothing & {
        "work",
        "consume",
        "import orders",
        "events replay",
        "subscribers add",
        "stock import",
        "init",
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "--limit", "abc"), "--limit: 'abc' is not a whole number from 1 to 100000"),
        (("list", "--limit", "0"), "--limit: 0 is not a whole number from 1 to 100000"),
        (("list", "--limit", ""), "--limit: '' is not a whole number from 1 to 100000"),
        (("ship", "1001", "--if-version", "x"), "--if-version: 'x' is not a whole number from 1 on"),
        (("ship", "1001", "--if-version", "1.5"), "--if-version: '1.5' is not a whole number from 1 on"),
        (("events", "tail", "-n", "many"), "--lines: 'many' is not a whole number from 0 to 100000"),
    ],
)
def test_a_number_that_is_none_is_told_with_what_would_be_right(
    ready: Cli, arguments: tuple[str, ...], said: str
) -> None:
    refused = ready(*arguments)
    assert (refused.status, refused.err.splitlines()[0]) == (2, f"error: usage: {said}")


@pytest.mark.parametrize(
    ("arguments", "status", "lines"),
    [
        (
            ("--db", ".", "list"),
            3,
            ["error: no_database: . is a folder, not a database", "hint: orderstate --db orderstate.db"],
        ),
        (
            ("--db", "folder", "list"),
            3,
            [
                "error: no_database: folder is a folder, not a database",
                "hint: orderstate --db folder/orderstate.db init",
            ],
        ),
        (
            ("--db", "no/such/x.db", "list"),
            3,
            ["error: no_database: there is no database at no/such/x.db", "hint: mkdir -p no/such"],
        ),
        (
            ("--db", "folder/x.db", "list"),
            3,
            ["error: no_database: there is no database at folder/x.db", "hint: orderstate --db folder/x.db init"],
        ),
        (
            ("place", "--file", "folder"),
            2,
            ["error: usage: folder is a folder: name a file of orders", "hint: name a file, or - for stdin"],
        ),
        (("run", "folder"), 2, ["error: usage: folder is a folder: name files", "hint: name a file, or - for stdin"]),
        (("run", ""), 2, ["error: usage: the name of the file is empty", "hint: name a file, or - for stdin"]),
        (
            ("flow", "use", "standard", "--map", "deposit_due"),
            2,
            ["error: usage: --map: 'deposit_due' is not OLD=NEW", "hint: --map deposit_due=NEW"],
        ),
        (
            ("tie", "1001", "--only", "XIX"),
            3,
            ["error: unknown_facility: unknown facility 'XIX'", "hint: orderstate facility list"],
        ),
        (
            ("import", "orders", "folder"),
            2,
            ["error: invalid_input: folder is a folder, not a CSV file", "hint: orderstate import orders --help"],
        ),
        (
            ("stock", "import", "folder"),
            2,
            ["error: invalid_input: folder is a folder, not a CSV file", "hint: orderstate stock import --help"],
        ),
        (
            ("import", "orders", ""),
            2,
            ["error: usage: the name of the file is empty", "hint: orderstate import orders --help"],
        ),
    ],
)
def test_a_hint_leads_somewhere(
    ready: Cli, folder: Path, arguments: tuple[str, ...], status: int, lines: list[str]
) -> None:
    (folder / "folder").mkdir()
    refused = ready(*arguments)
    assert (refused.status, refused.err.splitlines()) == (status, lines)


@pytest.mark.parametrize("command", [("run", "x.yaml"), ("diagram",), ("history", "1001")])
def test_ctrl_c_gives_no_advice_about_keys_where_there_are_none(
    ready: Cli, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for taken in ("cli_commands.feeding._script", "cli_commands.drawing._drawn", "engine.Engine.history"):
        monkeypatch.setattr(f"orderstate.{taken}", interrupt)
    stopped = ready(*command)
    assert stopped.status == 130
    assert stopped.err.startswith("interrupted; ")
    assert "--key" not in stopped.err


@pytest.mark.parametrize("command", [(), ("stock",), ("facility",), ("config",), ("import",), ("db",)])
def test_a_command_that_is_not_whole_prints_its_help_on_stderr(empty: Cli, command: tuple[str, ...]) -> None:
    shown = empty(*command)
    assert (shown.status, shown.out) == (2, "")
    assert shown.err.startswith("Usage: orderstate")
    assert empty(*command, "--json").error["code"] == "usage"


def test_help_and_version_go_to_stdout(empty: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    assert empty("--version").out.startswith("orderstate ")
    assert empty("--json", "--version").document["version"]
    assert empty("--help").status == 0
    helped = capsys.readouterr().out
    for section in ("Orders:", "Questions:", "Network:", "Care:"):
        assert section in helped
    assert empty("stock", "adjust", "--help").status == 0
    assert capsys.readouterr().out.startswith("Usage: orderstate stock adjust")


def test_an_output_file_in_a_folder_that_is_not_there_is_no_traceback(empty: Cli, folder: Path) -> None:
    refused = empty("diagram", "-o", "nowhere/flow.mmd")
    assert (refused.status, refused.err.splitlines()[0]) == (
        3,
        "error: no_folder: there is no folder nowhere",
    )
