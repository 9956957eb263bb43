"""Tab: names from the flow and from the database, quick and quiet."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from shops import Cli, database

from orderstate.cli import run
from orderstate.store import peek

pytest_plugins = ["shop_fixtures"]


@pytest.fixture
def tab(cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> object:
    """What bash is offered behind the words; the last is what was begun."""
    cli("place", "--line", "MUG:1", "--to", "US")
    cli("place", "--line", "MUG:1", "--to", "US", "--id", "web-7")

    def offered(words: str) -> list[str]:
        monkeypatch.setenv("_ORDERSTATE_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
        assert run([]) == 0
        return capsys.readouterr().out.split()

    return offered


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("orderstate pl", ["place", "plan"]),
        ("orderstate stock ", ["receive", "adjust", "list", "import"]),
        ("orderstate show ", ["web-7", "1001"]),
        ("orderstate ship 10", ["1001"]),
        ("orderstate --db other.db show ", []),
        ("orderstate list --state ship", ["shipping"]),
        ("orderstate fire 1001 t", ["tie_inventory"]),
        ("orderstate stock receive D", ["DEN"]),
        ("orderstate stock list --sku M", ["MUG"]),
        ("orderstate place --line C", ["CUP:1"]),
        ("orderstate tie --strategy near", ["nearest"]),
        ("orderstate config get cost.pe", ["cost.per_km"]),
        ("orderstate cancel --as c", ["customer"]),
        ("orderstate stock adjust --unt", ["--untie"]),
        ("orderstate subscribers on f", ["fulfilment"]),
        ("orderstate work --subscriber s", ["sourcing"]),
        ("orderstate events show 10", ["1001:1"]),
        ("orderstate events show web-7:", ["web-7:1"]),
        ("orderstate events list --type InventoryU", ["InventoryUntied"]),
        ("orderstate subscribers add x y --kind o", ["outside"]),
        ("orderstate diagram --format d", ["dot"]),
    ],
)
def test_tab_offers(tab: object, words: str, expected: list[str]) -> None:
    assert tab(words) == expected  # type: ignore[operator]  # the fixture's function


def test_peek_never_fails_loudly(cli: Cli, folder: Path) -> None:
    assert peek.names("orderstate.db", "facilities", "") == ["DEN", "NYC"]
    assert peek.names("sqlite:///orderstate.db?timeout=3", "skus", "M") == ["MUG"]
    assert peek.names("sqlite:///orderstate.db", "orders", "") == []
    (folder / "text.db").write_text("nothing of ours", encoding="utf-8")
    for url in ("nowhere.db", "text.db", ".", "postgresql://x/y", "sqlite:///"):
        assert peek.names(url, "orders", "") == []
    assert not (folder / "nowhere.db").exists()


def test_peek_does_not_wait_for_a_writer(cli: Cli) -> None:
    with closing(sqlite3.connect(database(), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert peek.names("orderstate.db", "facilities", "") == ["DEN", "NYC"]


def test_a_broken_configuration_completes_nothing(tab: object, folder: Path) -> None:
    (folder / "orderstate.toml").write_text("db = ", encoding="utf-8")
    assert tab("orderstate show ") == []  # type: ignore[operator]  # the fixture's function
