"""Migrations make exactly the tables; and the database itself refuses what must never be."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateIndex, CreateTable
from worlds import World

from orderstate.store import schema
from orderstate.store.sqlite import REVISIONS
from orderstate.store.tables import metadata


@pytest.fixture
def stocked(world: World) -> Iterator[sqlite3.Connection]:
    """A bare connection that may write, with a tied order; as somebody has who goes past the engine."""
    world.facility("DEN", "39.74,-104.99", MUG=10)
    world.tied(id="tied", MUG=4)
    with closing(sqlite3.connect(world.path, isolation_level=None)) as opened:
        opened.execute("PRAGMA foreign_keys=ON")
        yield opened


def normal(sql: str) -> str:
    """A CREATE statement without line breaks, tabs and quotes."""
    return re.sub(r"[\s\"]+", " ", sql).strip().replace("( ", "(").replace(" )", ")").replace(" ,", ",")


def parts(sql: str) -> tuple[str, list[str], str]:
    """Head, columns and constraints, tail of a CREATE TABLE; Alembic writes the constraints in an order of its own."""
    head, _, rest = normal(sql).partition("(")
    body, _, tail = rest.rpartition(")")
    return head.strip(), sorted(re.split(r", (?![^()]*\))", body)), tail.strip()


def made(path: Path, kind: str) -> dict[str, str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return dict(
            connection.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = ? AND sql IS NOT NULL AND name <> 'alembic_version'",
                (kind,),
            ).fetchall()
        )


def test_the_migrations_make_the_tables_that_are_declared(database: Path) -> None:
    with create_engine(f"sqlite:///{database}", poolclass=NullPool).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_each_table_has_its_checks_is_strict_and_lies_as_it_is_declared(database: Path) -> None:
    """What Alembic does not compare: CHECK, STRICT, WITHOUT ROWID."""
    declared = {n: str(CreateTable(t).compile(dialect=sqlite.dialect())) for n, t in metadata.tables.items()}
    found = made(database, "table")
    assert set(found) == set(declared)
    for name, sql in declared.items():
        assert parts(found[name]) == parts(sql), name
        assert parts(sql)[2].endswith("STRICT"), name


def test_the_columns_stand_in_the_order_in_which_they_are_declared(database: Path) -> None:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        for name, table in metadata.tables.items():
            found = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
            assert found == [column.name for column in table.columns], name


def test_each_index_is_as_it_is_declared(database: Path) -> None:
    declared = {
        str(index.name): str(CreateIndex(index).compile(dialect=sqlite.dialect()))
        for table in metadata.tables.values()
        for index in table.indexes
    }
    assert {n: normal(sql) for n, sql in made(database, "index").items()} == {n: normal(s) for n, s in declared.items()}


def test_the_revisions_are_one_line_that_ends_where_the_program_is() -> None:
    scripts = ScriptDirectory(str(Path(schema.__file__).with_name("migrations")))
    assert tuple(r.revision for r in scripts.walk_revisions())[::-1] == REVISIONS
    assert scripts.get_heads() == [REVISIONS[-1]]


def test_an_upgrade_of_what_is_up_to_date_changes_nothing(world: World) -> None:
    with world.unchanged():
        assert schema.upgrade(world.path) == (REVISIONS[-1], REVISIONS[-1])


def test_each_new_database_has_an_id_of_its_own(tmp_path: Path) -> None:
    ids = set()
    for name in ("a.db", "b.db"):
        schema.create(tmp_path / name)
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            ids.add(connection.execute("SELECT value FROM setting WHERE key = 'database.id'").fetchone()[0])
    assert len(ids) == 2
    assert {len(found) for found in ids} == {32}


def movement(kind: str, on_hand: int, allocated: int, sku: str = "MUG") -> str:
    values = f"'tied', 9, 'DEN', '{sku}', 'primary', '{kind}', {on_hand}, {allocated}, 0"
    return (
        f"INSERT INTO movement (subject, number, facility, sku, pool, kind, on_hand, allocated, at) VALUES ({values})"
    )


LINE = "INSERT INTO order_line (serial, sku, quantity, cancelled) VALUES "
MUST_NEVER_BE = {
    "more allocated than on hand": "UPDATE stock SET allocated = 11",
    "on hand below what is allocated": "UPDATE stock SET on_hand = 3",
    "less than nothing allocated": "UPDATE stock SET allocated = -1",
    "less than nothing on hand": "UPDATE stock SET on_hand = -1, allocated = 0",
    "negative safety stock": "UPDATE stock SET safety = -1",
    "a third pool": "INSERT INTO stock VALUES ('MUG', 'DEN', 'roof', 1, 0, 0)",
    "stock of an unknown SKU": "INSERT INTO stock VALUES ('CUP', 'DEN', 'primary', 1, 0, 0)",
    "stock in an unknown facility": "INSERT INTO stock VALUES ('MUG', 'LAX', 'primary', 1, 0, 0)",
    "the same stock twice": "INSERT INTO stock VALUES ('MUG', 'DEN', 'primary', 1, 0, 0)",
    "units that are text": "UPDATE stock SET on_hand = 'many'",
    "half a unit": "UPDATE stock SET on_hand = 10.5",
    "no units at all": "UPDATE stock SET on_hand = NULL",
    "a negative weight": "UPDATE sku SET grams = -1",
    "a line of nothing": "UPDATE order_line SET quantity = 0",
    "more cancelled than ordered": "UPDATE order_line SET cancelled = 5",
    "less than nothing cancelled": "UPDATE order_line SET cancelled = -1",
    "a line of an unknown SKU": LINE + "(1, 'CUP', 1, 0)",
    "a line of an unknown order": LINE + "(99, 'MUG', 1, 0)",
    "an allocation of nothing": "UPDATE allocation SET units = 0",
    "an allocation without its line": "INSERT INTO allocation VALUES (1, 'DEN', 'CUP', 'primary', 1)",
    "a line that goes while it is allocated": "DELETE FROM order_line",
    "two orders of one id": "INSERT INTO orders SELECT 99, id, state, version, placed_at, entered_at, destination,"
    " short, contact, parent FROM orders",
    "a version of nothing": "UPDATE orders SET version = 0",
    "an unknown policy": "UPDATE orders SET short = 'wait'",
    "an unknown parent": "UPDATE orders SET parent = 'nobody'",
    "one number for two events": "INSERT INTO event SELECT 99, subject, number, type, at, role, \"by\", \"trigger\","
    " source, target, payload FROM event WHERE id = 1",
    "an event without a number": "UPDATE event SET number = 0",
    "a facility that is half closed": "UPDATE facility SET closed = 2",
    "a shipment from nowhere": "INSERT INTO shipment VALUES (1, 'LAX', 0, 1)",
    "received, but fewer": movement("received", -1, 0),
    "received nothing": movement("received", 0, 0),
    "received and allocated": movement("received", 1, 1),
    "adjusted by nothing": movement("adjusted", 0, 0),
    "adjusted what is allocated": movement("adjusted", 1, 1),
    "allocated less": movement("allocated", 0, -1),
    "allocated what came in": movement("allocated", 1, 1),
    "released more": movement("released", 0, 1),
    "shipped into the house": movement("shipped", 1, 1),
    "shipped what was not allocated": movement("shipped", -1, 0),
    "shipped more than was allocated": movement("shipped", -2, -1),
    "an unknown kind": movement("lost", -1, 0),
    "a movement of what is not there": movement("received", 1, 0, "CUP"),
}  # fmt: skip


@pytest.mark.parametrize("what", MUST_NEVER_BE)
def test_the_database_itself_refuses(what: str, stocked: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        stocked.execute(MUST_NEVER_BE[what])


def test_the_database_takes_each_kind_of_movement_with_its_signs(stocked: sqlite3.Connection) -> None:
    """The control of the refusals above."""
    for kind, on_hand, allocated in (
        ("received", 1, 0), ("adjusted", -1, 0), ("adjusted", 1, 0), ("allocated", 0, 1), ("released", 0, -1),
        ("shipped", -1, -1),
    ):  # fmt: skip
        stocked.execute(movement(kind, on_hand, allocated))
    assert stocked.execute("SELECT count(*) FROM movement WHERE number = 9").fetchone() == (6,)
