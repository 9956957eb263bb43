"""Which database a command works on, and databases that cannot be worked on."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from shops import Cli, database
from worlds import snapshot

pytest_plugins = ["shop_fixtures"]

READING = ("list",)
WRITING = ("place", "--line", "MUG:1", "--to", "US")


def test_the_flag_comes_before_the_variable_before_the_file_before_the_default(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("flag", "variable", "file"):
        cli("--db", f"{name}.db", "init")
        cli("--db", f"{name}.db", "facility", "add", name.upper(), "--country", "US")

    def seen(*flag: str) -> list[str]:
        return [d["facility"] for d in cli(*flag, "facility", "list", "--json").documents]

    assert seen() == ["DEN", "NYC"]
    (folder / "orderstate.toml").write_text('db = "file.db"\n', encoding="utf-8")
    assert seen() == ["FILE"]
    monkeypatch.setenv("ORDERSTATE_DB", "variable.db")
    assert seen() == ["VARIABLE"]
    assert seen("--db", "flag.db") == ["FLAG"]
    assert seen("--db", "sqlite:///flag.db") == ["FLAG"]


@pytest.mark.parametrize("text", ["db = ", 'db = "a.db"\nother = 1\n', "db = 3\n", "", 'db = ""\n', "\xff"])
def test_a_configuration_file_holds_the_database_and_nothing_else(cli: Cli, folder: Path, text: str) -> None:
    (folder / "orderstate.toml").write_bytes(text.encode("latin-1"))
    refused = cli("list")
    assert refused.status == 2
    assert refused.err.startswith("error: invalid_input: orderstate.toml: ")


@pytest.mark.parametrize(("text", "value"), [("db = 5\n", "5"), ("db = ''\n", "''")])
def test_a_configuration_file_whose_database_is_no_name_says_so(cli: Cli, folder: Path, text: str, value: str) -> None:
    (folder / "orderstate.toml").write_text(text, encoding="utf-8")
    said = f'orderstate.toml: db: {value} is not the name of a database in quotes, such as db = "orders.db"'
    assert cli("list").err.splitlines()[0] == f"error: invalid_input: {said}"


@pytest.mark.parametrize("command", [READING, WRITING, ("doctor",), ("db", "upgrade"), ("stock", "list")])
def test_without_a_database_the_hint_is_init(empty: Cli, folder: Path, command: tuple[str, ...]) -> None:
    refused = empty(*command)
    assert refused.status == 3
    assert refused.err.startswith("error: no_database: there is no database at orderstate.db\n")
    assert refused.err.endswith("hint: orderstate init\n")
    named = empty("--db", "my shop.db", *command)
    assert named.err.endswith("hint: orderstate --db 'my shop.db' init\n")
    assert list(folder.iterdir()) == []


def test_init_makes_a_database_once(empty: Cli) -> None:
    made = empty("init", human=True)
    assert (made.status, made.out) == (0, "orderstate.db: a new, empty database\n")
    assert made.err == "next: orderstate facility add CODE --at LAT,LON --country CC\n"
    assert empty("list").status == 0
    assert empty("--db", "nowhere/x.db", "init").status == 3
    assert empty("--db", "second.db", "init", "--json").document == {"command": "init", "database": "second.db"}


@pytest.mark.parametrize("url", ["", "mysql://x", "sqlite://x", "sqlite:///x?timeout=soon"])
def test_a_url_that_cannot_be_read_is_usage(empty: Cli, url: str) -> None:
    refused = empty("--db", url, "list")
    assert (refused.status, refused.err.split(": ")[1]) == (2, "invalid_input")


def test_postgresql_is_not_in_this_version(empty: Cli) -> None:
    assert empty("--db", "postgresql://localhost/shop", "list").status == 9


@pytest.mark.parametrize("command", [READING, WRITING, ("doctor",), ("db", "upgrade")])
def test_a_file_that_is_not_ours_is_left_alone(empty: Cli, folder: Path, command: tuple[str, ...]) -> None:
    for name, content in (("text.db", b"order,units\n1,2\n" * 100), ("empty.db", b"")):
        (folder / name).write_bytes(content)
        refused = empty("--db", name, *command)
        assert (refused.status, refused.err.split(": ")[1]) == (2, "not_ours"), refused.err
        assert (folder / name).read_bytes() == content
    with closing(sqlite3.connect("other.db")) as other:
        other.execute("CREATE TABLE t (x)")
    refused = empty("--db", "other.db", *command)
    assert (refused.status, refused.err.split(": ")[1]) == (2, "not_ours"), refused.err


def test_a_locked_database_is_a_conflict_and_reading_goes_on(cli: Cli) -> None:
    with closing(sqlite3.connect(database(), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        before = snapshot(database())
        refused = cli("--db", "sqlite:///orderstate.db?timeout=0.2", *WRITING)
        assert refused.status == 6
        assert refused.err.startswith("error: locked: ")
        assert len(refused.err.splitlines()) == 2
        assert cli("list").status == 0
        assert snapshot(database()) == before
        other.execute("ROLLBACK")
    assert cli(*WRITING).status == 0


def test_a_truncated_database_is_damaged_or_not_ours(cli: Cli) -> None:
    cli(*WRITING)
    whole = database().read_bytes()
    for keep in (len(whole) // 2, 5000, 50):
        database().write_bytes(whole[:keep])
        for command in (READING, WRITING):
            refused = cli(*command)
            assert refused.status in (1, 2), refused.err
            assert refused.err.split(": ")[1] in ("damaged", "not_ours"), refused.err
            assert "Traceback" not in refused.err


@pytest.mark.parametrize("command", [READING, WRITING, ("doctor",), ("db", "upgrade")])
def test_a_newer_database_is_refused(cli: Cli, command: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(database())) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = snapshot(database())
    refused = cli(*command)
    assert refused.status == 4
    assert refused.err.startswith("error: schema_mismatch: ")
    assert snapshot(database()) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything: permissions do not refuse it")
def test_a_read_only_database_can_be_read_and_a_change_is_refused(cli: Cli, folder: Path) -> None:
    database().chmod(0o444)
    folder.chmod(0o555)
    try:
        refused = cli(*WRITING)
        assert refused.status == 4
        assert refused.err.startswith("error: read_only: ")
    finally:
        folder.chmod(0o755)
        database().chmod(0o644)


def test_a_folder_in_place_of_the_writer_lock_is_read_only(cli: Cli, folder: Path) -> None:
    (folder / "orderstate.db-lock").mkdir()
    refused = cli(*WRITING)
    assert refused.status == 4
    assert refused.err.startswith("error: read_only: the writer lock orderstate.db-lock cannot be opened")
    assert cli("list").status == 0


def test_an_upgrade_of_what_is_up_to_date_changes_nothing(cli: Cli) -> None:
    before = snapshot(database())
    done = cli("db", "upgrade", "--json").document
    assert done["was"] == done["revision"]
    assert snapshot(database()) == before
    assert "up to date" in cli("db", "upgrade", human=True).out


def test_the_doctor_ends_with_1_where_something_is_wrong(cli: Cli) -> None:
    sound = cli("doctor", "--json")
    assert sound.status == 0
    assert {d["level"] for d in sound.documents} <= {"ok", "note"}
    assert {"ledger", "oversold", "contents"} <= {d["code"] for d in sound.documents}
    with closing(sqlite3.connect(database())) as connection, connection:
        connection.execute("UPDATE stock SET on_hand = on_hand + 1 WHERE sku = 'CUP'")
    ill = cli("doctor")
    assert ill.status == 1
    assert [row["code"] for row in ill.tsv if row["level"] == "wrong"] == ["ledger"]
    assert ill.err == f"1 of {len(ill.tsv)} checks found something wrong; nothing was changed\n"
