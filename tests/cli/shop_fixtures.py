"""The command line in-process, in a folder of its own: `cli("place", "--line", "MUG:2", "--to", "US")`.

A plugin that the tests of this folder name, and no conftest.py: mypy knows only one module of that name.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from shops import Cli, Result

from orderstate import Engine
from orderstate.cli import run
from orderstate.cli_commands.screen import Screen


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed database with two facilities and some stock: to be copied, never opened."""
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    with Engine.create(path) as engine:
        engine.add_facility("DEN", country="US", at="39.74,-104.99", name="Denver")
        engine.add_facility("NYC", country="US", at="40.71,-74.01")
        engine.receive("DEN", "MUG", 2)
        engine.receive("NYC", "MUG", 10)
        engine.receive("NYC", "CUP", 5, pool="back")
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, with nothing of the tester's own around."""
    monkeypatch.chdir(tmp_path)
    for name in ("ORDERSTATE_DB", "_ORDERSTATE_COMPLETE", "COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def empty(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    """The command line in an empty folder."""

    def call(*arguments: str, human: bool = False, width: int = 80, stdin: bytes = b"") -> Result:
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = run(list(arguments), Screen(out, err, human=human, width=width))
        return Result(status, out.getvalue(), err.getvalue())

    return call  # type: ignore[return-value]  # pytest takes a plain value here as well


@pytest.fixture
def cli(shop: Path, folder: Path, empty: Cli) -> Cli:
    """The command line beside a copy of the shop, ./orderstate.db."""
    shutil.copyfile(shop, folder / "orderstate.db")
    return empty
