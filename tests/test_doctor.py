"""The doctor finds what is planted, and nothing where nothing is wrong."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from orderstate import Engine
from orderstate.store.doctor import Finding, examine


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "orders.db"
    with Engine.create(path) as engine:
        engine.add_facility("DEN", country="US", at="39.74,-104.99")
        engine.receive("DEN", "MUG", 10)
        for _ in range(3):
            engine.place({"MUG": 2}, "US")
        engine.tie("1001")
        engine.tie("1002")
        engine.ship("1002")
    return path


def findings(path: Path) -> dict[str, Finding]:
    with Engine.open(path) as engine:
        return {f.code: f for f in examine(engine.store, tied_states=engine.tied_states())}


def test_a_sound_database_has_nothing_wrong(database: Path) -> None:
    found = findings(database)
    assert {f.level for f in found.values()} <= {"ok", "note"}
    assert found["contents"].sentence == "3 orders, 7 events, 4 movements, 1 stock rows, 1 facilities, 1 SKUs"


@pytest.mark.parametrize(
    ("damage", "codes"),
    [
        ("UPDATE stock SET on_hand = on_hand + 1", {"ledger"}),
        ("UPDATE stock SET allocated = 0", {"ledger", "allocations"}),
        ("UPDATE allocation SET units = 1 WHERE serial = 1", {"allocations"}),
        ("DELETE FROM movement WHERE kind = 'shipped'", {"ledger"}),
        ("DELETE FROM event WHERE subject = '1002' AND number = 2", {"numbers", "references"}),
        ("DELETE FROM event WHERE subject = '1003'", {"numbers", "references"}),
        ("UPDATE orders SET version = 9 WHERE id = '1001'", {"numbers"}),
        ("UPDATE orders SET state = 'delivered' WHERE id = '1002'", {"states"}),
        ("PRAGMA ignore_check_constraints=ON; UPDATE stock SET allocated = 99", {"oversold", "ledger", "allocations"}),
        ("DELETE FROM sku", {"references"}),
    ],
)
def test_what_is_wrong_is_found_and_nothing_else(database: Path, damage: str, codes: set[str]) -> None:
    connection = sqlite3.connect(database)
    connection.executescript(damage)
    connection.close()
    found = findings(database)
    wrong = {code for code, finding in found.items() if finding.level == "wrong"}
    if "ignore_check_constraints" in damage:
        wrong -= {"integrity"}  # SQLite's own check says so too
    assert wrong == codes
    assert all(found[code].rows for code in codes)


def test_a_journal_that_may_lose_commits_is_told(database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()
    assert findings(database)["journal"].level == "wrong"
