"""Every benchmark runs, says what it measured, and measures two programs that do the same work. No time is asserted."""

from __future__ import annotations

import importlib
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from orderstate import Engine
from orderstate.store.doctor import examine

ROOT = Path(__file__).parents[1]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The package `bench` of this tree, which is not installed, with its modules loaded."""
    monkeypatch.syspath_prepend(ROOT)
    for name in ("lifecycle", "filling", "world", "__main__"):
        importlib.import_module(f"bench.{name}")
    return sys.modules["bench"]


def table(name: str, *options: str) -> str:
    """What a benchmark prints, run as people run it."""
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{name}", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def row(printed: str, beginning: str) -> list[str]:
    """The cells of the row that begins so."""
    (found,) = (line for line in printed.splitlines() if line.strip().startswith(beginning))
    return found.strip().removeprefix(beginning).split()


def test_the_lifecycle_is_measured_both_ways_and_both_programs_wrote_the_same_rows(tmp_path: Path) -> None:
    printed = table("lifecycle", "--orders", "6", "--durable", "3", "--rounds", "2", "--dir", str(tmp_path))
    for way in ("3 for each order  cheapest", "3 for 6 orders    cheapest", "3 for 6 orders     nearest"):
        assert any(cell.endswith("x") for cell in row(printed, way))
    # Two rounds and one that is not counted: of three orders, and of six.
    assert "9 orders, 18 order_line, 18 allocation" in printed
    assert "18 orders, 36 order_line, 36 allocation" in printed
    assert not list(tmp_path.iterdir())


def test_both_programs_leave_every_row_that_a_lifecycle_has(bench: ModuleType, tmp_path: Path) -> None:
    found = bench.lifecycle.measure(tmp_path, 4, 1, batched=False)
    received = len(bench.world.FACILITIES) * bench.world.ARTICLES * 2 // 3
    assert len(found.engine) == len(found.hand) == 1
    assert found.rows["orders"] == 8
    assert found.rows["event"] == 8 * 3 + len(bench.world.FACILITIES)
    assert found.rows["movement"] == 8 * 2 * 2 + found.rows["stock"]
    assert found.rows["stock"] == pytest.approx(received, abs=2)


@pytest.mark.parametrize(
    "tampered",
    [
        "UPDATE stock SET on_hand = on_hand + 1 WHERE sku = 'SKU-03'",
        "UPDATE event SET payload = '{}' WHERE type = 'InventoryTied' AND number = 2 AND subject = '1001'",
        "DELETE FROM shipment WHERE serial = 1",
        "UPDATE movement SET number = 9 WHERE id = (SELECT max(id) FROM movement)",
    ],
)
def test_rows_that_differ_between_the_programs_are_an_error(bench: ModuleType, tmp_path: Path, tampered: str) -> None:
    paths = tmp_path / "engine.db", tmp_path / "hand.db"
    for path in paths:
        bench.world.create(path)
        with Engine.open(path) as engine:
            bench.lifecycle.engine_one_by_one(engine)(range(3))
    assert bench.lifecycle.compare(*paths, 3)["orders"] == 3
    with closing(sqlite3.connect(paths[1])) as hand, hand:
        hand.execute(tampered)
    with pytest.raises(bench.lifecycle.WrongRows):
        bench.lifecycle.compare(*paths, 3)


def test_orders_that_both_programs_left_unfinished_are_an_error(bench: ModuleType, tmp_path: Path) -> None:
    paths = tmp_path / "engine.db", tmp_path / "hand.db"
    for path in paths:
        bench.world.create(path)
    with pytest.raises(bench.lifecycle.WrongRows):
        bench.lifecycle.compare(*paths, 1)


def test_a_machine_step_is_measured_beside_its_guards_and_the_library() -> None:
    printed = table("machine_step", "--calls", "20", "--rounds", "2")
    for trigger in ("ship: no guard", "tie: one guard, plan ready", "cancel: two guards refuse"):
        assert len(row(printed, trigger)) == 8


def test_start_up_is_measured_for_every_everyday_command() -> None:
    printed = table("startup", "--runs", "1")
    assert row(printed, "a bare typer program's --help")[2] == "1"
    for command in (
        "--help", "completion", "diagram", "--db FILE diagram", "flow check", "list", "show", "place", "tie", "cancel",
    ):  # fmt: skip
        assert len(row(printed, f"orderstate {command}")) == 5


def test_scale_is_measured_for_every_question_at_both_sizes(tmp_path: Path) -> None:
    printed = table("scale", "--small", "1000", "--large", "1200", "--samples", "2", "--dir", str(tmp_path))
    assert "us at 1,000  us at 1,200" in printed
    for asked in ("show, any order", "list --sku", "list --facility", "list --waiting", "tie, durable"):
        assert len(row(printed, asked)) == 5
    assert not list(tmp_path.iterdir())


def test_what_sql_fills_in_is_sound_and_as_many_as_said(bench: ModuleType, tmp_path: Path) -> None:
    bench.filling.fill(tmp_path / "filled.db", 700)
    with Engine.open(tmp_path / "filled.db") as engine:
        wrong = [f for f in examine(engine.store, tied_states=engine.tied_states()) if f.level == "wrong"]
        assert wrong == []
        assert engine.counts() == {
            "pending": 70,
            "backordered": 28,
            "inventory_tied": 42,
            "shipping": 70,
            "delivered": 455,
            "cancelled": 35,
        }
        pending = {order.id for order in engine.orders(state="pending", limit=1000)}
        assert pending == {str(1001 + n) for n in range(700) if bench.filling.pending_at_first(n)}
        shown = engine.show(engine.orders(state="inventory_tied")[0].id)
        assert shown.plan is not None
        assert shown.plan.allocations == shown.allocations
        engine.tie(min(pending))


def test_every_module_that_can_be_run_is_run_by_its_name(bench: ModuleType) -> None:
    listed = set(sys.modules["bench.__main__"].BENCHMARKS)
    runnable = {path.stem for path in (ROOT / "bench").glob("*.py") if '__name__ == "__main__"' in path.read_text()}
    assert runnable - {"__main__"} == listed


def test_an_unknown_benchmark_is_refused_with_the_known_ones() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "lifecicle"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "lifecycle" in done.stderr
