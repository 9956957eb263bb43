"""The everyday statements: made from the tables, alike in both dialects; none reads a growing table whole."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orderstate.store import compiled, statements
from orderstate.store.compiled import POSTGRESQL, SQLITE, Statements
from orderstate.store.tables import metadata

SOURCE = Path(str(compiled.__file__)).read_text(encoding="utf-8")
NAMES = list(Statements._fields)
EVERYDAY = [name for name in NAMES if not name.startswith(("check_", "count_"))]
SMALL = {"subscriber", "facility", "setting", "counter"}
"""Tables that do not grow with orders and stock."""

SORTED = {"stock_for_order", "refusals_read"}
"""Statements that sort what they have found: the rows of one order, and the orders of one facility."""


@pytest.fixture(scope="module")
def connection(template: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{template}?mode=ro&immutable=1", uri=True)) as opened:
        yield opened


def test_the_compiled_statements_are_what_the_tables_give_today() -> None:
    assert statements.render() == SOURCE


def test_both_dialects_take_the_same_parameters_in_the_same_order() -> None:
    lite, post = statements._compiled("sqlite"), statements._compiled("postgresql")
    assert {name: parameters for name, (_, parameters) in lite.items()} == {
        name: parameters for name, (_, parameters) in post.items()
    }
    assert list(lite) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_statement_has_as_many_places_as_its_comment_names_parameters(name: str) -> None:
    found = re.search(rf"^    {name}: str  # (.*)$", SOURCE, re.M)
    assert found is not None
    named = 0 if found.group(1) == "none" else len(found.group(1).split(", "))
    assert getattr(SQLITE, name).count("?") == named
    assert len(re.findall(r"(?<!%)%s", getattr(POSTGRESQL, name))) == named


@pytest.mark.parametrize("name", NAMES)
def test_a_statement_can_be_prepared_on_the_migrated_database(name: str, connection: sqlite3.Connection) -> None:
    assert connection.execute(f"EXPLAIN {getattr(SQLITE, name)}", [None] * getattr(SQLITE, name).count("?")).fetchall()


def plan(connection: sqlite3.Connection, name: str) -> list[str]:
    """SQLite's query plan of one statement, a line a step."""
    sql = getattr(SQLITE, name)
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?"))]


@pytest.mark.parametrize("name", EVERYDAY)
def test_no_everyday_statement_scans_a_table_that_grows(name: str, connection: sqlite3.Connection) -> None:
    scanned = {step.split()[1] for step in plan(connection, name) if step.startswith("SCAN ")}
    assert scanned - SMALL == set()


def test_no_statement_walks_through_all_that_was_ever_delivered(connection: sqlite3.Connection) -> None:
    """By the subscriber alone the primary key leads through every delivery that it ever got."""
    alone = "PRIMARY KEY (subscriber=?)"
    walking = {name for name in NAMES if any(step.endswith(alone) for step in plan(connection, name))}
    assert walking == {"deliveries_drop"}
    held_back = "SEARCH older USING COVERING INDEX ix_delivery_subject (subscriber=? AND subject=? AND event<?)"
    for name in ("deliveries_next", "delivery_due"):
        assert held_back in plan(connection, name), name


def test_nothing_is_sorted_but_what_is_known_to_be(connection: sqlite3.Connection) -> None:
    assert {name for name in EVERYDAY if any("TEMP B-TREE" in step for step in plan(connection, name))} == SORTED


def test_a_scan_would_be_seen(connection: sqlite3.Connection) -> None:
    """The control: what the two tests above look for is what SQLite says."""
    steps = connection.execute("EXPLAIN QUERY PLAN SELECT * FROM orders ORDER BY contact").fetchall()
    assert [row[3] for row in steps] == ["SCAN orders", "USE TEMP B-TREE FOR ORDER BY"]


def test_every_table_that_grows_is_known_here() -> None:
    assert set(metadata.tables) - SMALL == {
        "allocation", "delivery", "event", "idempotency", "inbox", "movement", "order_line", "orders", "refusal",
        "shipment", "sku", "stock",
    }  # fmt: skip


def test_no_statement_carries_a_value_of_its_own_but_the_number_of_a_default() -> None:
    for name in NAMES:
        assert "'" not in getattr(SQLITE, name), name
