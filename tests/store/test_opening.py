"""Opening a database that is missing, not ours, damaged, too new, read-only: one clear error, nothing changed."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from worlds import DENVER, World, check_database, fork, rows

from orderstate import Answer, Engine, InvalidInput, NotFound, OrderstateError
from orderstate.engine.commands import Fire, Place
from orderstate.errors import Damaged, NotInstalled, NotOurs, ReadOnly, Refused, SchemaMismatch
from orderstate.store import schema, sqlite
from orderstate.store.sqlite import SqliteStore, location

USES: dict[str, Callable[[Engine], object]] = {
    "read": lambda engine: engine.facilities(),
    "list": lambda engine: engine.orders(),
    "write": lambda engine: engine.receive("DEN", "MUG", 1),
}
each_use = pytest.mark.parametrize("use", USES)


@pytest.fixture(scope="module")
def model(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed database with some orders, made once."""
    world = World(Path(shutil.copyfile(template, tmp_path_factory.mktemp("model") / "model.db")))
    world.facility("DEN", "39.74,-104.99", MUG=500)
    orders = [Place(lines={"MUG": 1}, to=DENVER, contact="somebody@example.com") for _ in range(150)]
    ties = [Fire(order=str(1001 + n), trigger="tie_inventory") for n in range(150)]
    assert all(isinstance(outcome, Answer) for outcome in world.engine.run([*orders, *ties], batch=300))
    world.check()
    world.close()
    return world.path


@pytest.fixture
def filled(model: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copyfile(model, tmp_path / "filled.db"))


def used(path: Path, use: str) -> object:
    """Open, use once, close."""
    with Engine.open(path) as engine:
        return USES[use](engine)


@each_use
def test_a_missing_database_is_not_found_and_not_made(use: str, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no database at") as caught:
        used(tmp_path / "none.db", use)
    assert (caught.value.code, caught.value.exit_status) == ("no_database", 3)
    assert str(caught.value.hint).endswith("init")
    assert list(tmp_path.iterdir()) == []


@each_use
def test_what_is_no_file_is_no_database_and_the_hint_is_a_command_that_works(use: str, tmp_path: Path) -> None:
    inside = tmp_path / "orderstate.db"
    for path, said, hint in (
        (tmp_path, f"{tmp_path} is a folder, not a database", f"orderstate --db {inside} init"),
        (Path("/dev/null"), "/dev/null is no file, so it is no database", "name another file with --db"),
        (tmp_path / "a b" / "x.db", f"there is no database at {tmp_path}/a b/x.db", f"mkdir -p '{tmp_path}/a b'"),
    ):
        with pytest.raises(NotFound) as caught:
            used(path, use)
        assert (caught.value.code, caught.value.sentence, caught.value.hint) == ("no_database", said, hint)
    inside.touch()
    with pytest.raises(NotFound) as caught:
        used(tmp_path, use)
    assert caught.value.hint == f"orderstate --db {inside}"


def other_program(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


FOREIGN: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("hello, this is no database at all. " * 200),
    "an empty file": lambda path: path.touch(),
    "another program's database": lambda path: other_program(path, "CREATE TABLE note (text)"),
    "another program's database that Alembic migrates": lambda path: other_program(
        path, "CREATE TABLE alembic_version (version_num)", "INSERT INTO alembic_version VALUES ('deadbeef')"
    ),
    "one whose alembic_version is something else": lambda path: other_program(path, "CREATE TABLE alembic_version (x)"),
    "one that has settings too": lambda path: other_program(
        path, "CREATE TABLE alembic_version (version_num)", "CREATE TABLE setting (name)"
    ),
}


@each_use
@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_not_ours_is_said_to_be_so_and_left_alone(what: str, use: str, tmp_path: Path) -> None:
    path = tmp_path / "foreign.db"
    FOREIGN[what](path)
    before = path.read_bytes()
    with pytest.raises(NotOurs, match="not an orderstate database") as caught:
        used(path, use)
    assert (caught.value.code, caught.value.exit_status) == ("not_ours", 2)
    assert path.read_bytes() == before


@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_not_ours_is_not_upgraded(what: str, tmp_path: Path) -> None:
    path = tmp_path / "foreign.db"
    FOREIGN[what](path)
    before = path.read_bytes()
    with pytest.raises(NotOurs):
        schema.upgrade(path)
    assert path.read_bytes() == before


@each_use
def test_a_newer_database_is_refused(use: str, filled: Path) -> None:
    other_program(filled, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaMismatch, match="written by a newer orderstate") as caught:
        used(filled, use)
    assert (caught.value.exit_status, caught.value.hint) == (4, "upgrade orderstate to open it")
    with pytest.raises(SchemaMismatch, match="newer"):
        schema.upgrade(filled)


@each_use
def test_an_older_database_names_the_command_that_upgrades_it(
    use: str, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "REVISIONS", (*sqlite.REVISIONS, "9999"))
    with pytest.raises(SchemaMismatch, match="written by an older orderstate") as caught:
        used(filled, use)
    assert caught.value.hint == f"orderstate --db {filled} db upgrade"


@each_use
@pytest.mark.parametrize("size", [1, 50, 100, 600, 4095, 4096, 10_000, 60_000])
def test_a_database_that_was_cut_is_damaged(size: int, use: str, filled: Path) -> None:
    assert filled.stat().st_size > 100_000
    os.truncate(filled, size)
    with pytest.raises((Damaged, NotOurs)) as caught:
        used(filled, use)
    assert caught.value.exit_status in (1, 2)
    assert filled.stat().st_size == size


@pytest.mark.parametrize("page", range(2, 30, 3))
def test_a_page_of_noise_is_damage_or_not_noticed_but_never_a_bare_error(page: int, filled: Path) -> None:
    noise = bytes(range(256)) * 16
    with filled.open("r+b") as file:
        file.seek(page * len(noise))
        file.write(noise)
    said = set()
    for use in USES:
        try:
            used(filled, use)
            said.add("done")
        except OrderstateError as error:
            said.add(error.code)
    assert said <= {"done", "damaged", "unknown_facility"}


def test_a_new_database_is_made_only_where_nothing_is(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    Engine.create(path).close()
    before = path.read_bytes()
    with pytest.raises(Refused, match="exists already") as caught:
        Engine.create(path)
    assert (caught.value.code, caught.value.exit_status) == ("exists", 4)
    assert path.read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} <= {"new.db", "new.db-lock"}


def test_a_new_database_needs_its_folder(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no folder") as caught:
        Engine.create(tmp_path / "none" / "new.db")
    assert str(caught.value.hint).startswith("mkdir -p ")


def test_a_log_left_over_from_a_database_that_is_gone_is_not_played_into_a_new_one(filled: Path) -> None:
    child = fork()
    if child == 0:
        Engine.open(filled).receive("DEN", "MUG", 7)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert Path(f"{filled}-wal").stat().st_size > 0
    filled.unlink()
    with pytest.raises(Refused, match="left over") as caught:
        Engine.create(filled)
    assert caught.value.hint == f"rm {filled}-wal"
    assert not filled.exists()
    Path(f"{filled}-wal").unlink()
    with Engine.create(filled) as engine:
        assert engine.facilities() == []


# Read-only places. Tests may run as root, whom no permission stops: so a child gives its rights up first.


@pytest.fixture
def public(filled: Path) -> Iterator[Path]:
    """A folder that everybody may enter, with a database in it."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    path = Path(shutil.copyfile(filled, folder / "orderstate.db"))
    path.chmod(0o666)
    yield path
    shutil.rmtree(folder)


def as_nobody(work: Callable[[], object]) -> str:
    """`done`, or the code and exit status of the error, of `work` in a child without rights."""
    read, write = os.pipe()
    child = fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            work()
            said = "done"
        except OrderstateError as error:
            said = f"{error.code} {error.exit_status}"
        except BaseException as error:  # noqa: BLE001 - the parent must be told
            said = repr(error)
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with open(read, "rb") as end:
        said = end.read().decode()
    os.waitpid(child, 0)
    return said


def test_who_may_write_everything_may_do_everything(public: Path) -> None:
    """The control of the three tests that follow."""
    assert {use: as_nobody(lambda use=use: used(public, use)) for use in USES} == dict.fromkeys(USES, "done")  # type: ignore[misc]  # the default binds it now


def test_a_read_only_file_can_be_read_and_writing_says_why_not(public: Path) -> None:
    public.chmod(0o444)
    assert as_nobody(lambda: used(public, "read")) == "done"
    assert as_nobody(lambda: used(public, "write")) == "read_only 4"
    check_database(public)


def test_a_folder_that_cannot_be_written_refuses_writers_in_one_line(public: Path) -> None:
    public.parent.chmod(0o555)
    assert as_nobody(lambda: used(public, "write")) == "read_only 4"
    assert as_nobody(lambda: Engine.create(public.parent / "new.db")) == "read_only 4"
    assert as_nobody(lambda: used(public, "read")) in ("done", "read_only 4")


def test_a_file_that_cannot_be_read_is_said_to_be_so(public: Path) -> None:
    public.chmod(0)
    assert as_nobody(lambda: used(public, "read")) == "read_only 4"
    assert as_nobody(lambda: used(public, "write")) == "read_only 4"


def test_the_writer_lock_can_be_shared_by_users_of_one_database(public: Path) -> None:
    """The lock file that one user's command made must not lock the others out."""
    with Engine.open(public) as engine:
        engine.receive("DEN", "MUG", 1)
    mode = stat.S_IMODE(Path(f"{public}-lock").stat().st_mode)
    assert mode & 0o444 == 0o444, oct(mode)


# URLs


@pytest.mark.parametrize(
    ("url", "path", "timeout"),
    [
        ("orderstate.db", "orderstate.db", 10.0),
        ("./a b/%41?.db", "./a b/%41?.db", 10.0),
        ("C:orders", "C:orders", 10.0),
        ("sqlite:///orders.db", "orders.db", 10.0),
        ("sqlite:////var/orders.db", "/var/orders.db", 10.0),
        ("sqlite:///orders.db?timeout=0.2", "orders.db", 0.2),
        ("sqlite:///orders.db?timeout=0", "orders.db", 0.0),
        ("sqlite:///orders.db?timeout=3600", "orders.db", 3600.0),
    ],
)
def test_a_location_is_a_file_and_a_patience(url: str, path: str, timeout: float) -> None:
    assert location(url) == (Path(path), timeout)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://host/db",
        "sqlite://orders.db",
        "://",
        "sqlite:///orders.db?timeout=",
        "sqlite:///orders.db?timeout=soon",
        "sqlite:///orders.db?timeout=-1",
        "sqlite:///orders.db?timeout=nan",
        "sqlite:///orders.db?timeout=inf",
        "sqlite:///orders.db?timeout=3601",
        "sqlite:///orders.db?mode=ro",
        "sqlite:///orders.db?timeout=1&mode=ro",
    ],
)
def test_another_location_is_invalid(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        location(url)
    assert caught.value.values["field"] == "db"


@pytest.mark.parametrize("url", ["postgresql://host/db", "postgres://host/db", "postgresql+psycopg://host/db"])
def test_postgresql_is_not_installed_yet(url: str) -> None:
    with pytest.raises(NotInstalled) as caught:
        Engine.open(url)
    assert caught.value.exit_status == 9


@pytest.mark.parametrize("name", ["a b.db", "a?b#c%20.db", "ünï.db", "-x.db", "a'b\".db", "x" * 200 + ".db"])
def test_a_database_may_have_any_name(name: str, template: Path, tmp_path: Path) -> None:
    path = Path(shutil.copyfile(template, tmp_path / name))
    with Engine.open(path) as engine:
        engine.add_facility("DEN", country="US")
        engine.receive("DEN", "MUG", 1)
        assert engine.order(engine.place({"MUG": 1}, DENVER).order).state == "pending"
    assert rows(template, "SELECT count(*) FROM orders") == [(0,)]
    assert {p.name for p in tmp_path.iterdir()} == {name, f"{name}-lock"}


def test_a_relative_path_stays_the_same_database_wherever_the_program_goes(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(database.parent)
    with Engine.open(database.name) as engine:
        monkeypatch.chdir(elsewhere)
        engine.add_facility("DEN", country="US")
        engine.store.another().close()
        assert [f.code for f in engine.facilities()] == ["DEN"]
        assert (engine.store.path, engine.store.named) == (database, Path(database.name))
    assert list(elsewhere.iterdir()) == []
    with Engine.open(database) as again:
        assert [f.code for f in again.facilities()] == ["DEN"]


def test_errors_name_a_database_as_its_user_did(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(database.parent)
    Path(f"{database}-lock").mkdir()  # what cannot be opened, also by root
    with Engine.open(database.name) as engine, pytest.raises(ReadOnly) as caught:
        engine.add_facility("DEN", country="US")
    assert caught.value.sentence.startswith(f"the writer lock {database.name}-lock cannot be opened")
    assert caught.value.about == str(database)


def test_too_old_a_sqlite_is_not_installed(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    with pytest.raises(NotInstalled, match="too old"):
        SqliteStore(database)


def test_a_folder_that_refuses_even_readers_says_why_and_the_way_out(
    public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = {(public.parent, os.W_OK): False, (public, os.R_OK): True}
    monkeypatch.setattr(os, "access", lambda path, mode: allowed[path, mode])
    for beside in ("-wal", "-shm"):
        Path(f"{public}{beside}").unlink(missing_ok=True)
    Path(f"{public}-wal").mkdir()  # what cannot be opened, also by root
    with pytest.raises(ReadOnly, match="cannot be opened or written") as caught:
        used(public, "read")
    assert caught.value.hint == (
        f"SQLite must write into the folder of a database, even to read it: cp {public}* FOLDER, "
        "then orderstate --db FOLDER/orderstate.db"
    )
    allowed[public, os.R_OK] = False
    with pytest.raises(ReadOnly) as caught:
        used(public, "read")
    assert caught.value.hint == "check who owns it and its folder"
