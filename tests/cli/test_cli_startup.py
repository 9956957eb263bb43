"""What each command imports: the budget of a start, told by the modules and not by a clock."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["shop_fixtures"]

DATABASES = {"sqlalchemy", "sqlmodel", "pydantic", "pydantic_core", "alembic"}
HEAVY = {*DATABASES, "rich", "sqlite3", "transitions", "yaml", "orderstate.engine", "orderstate.model"}
SHOWN = """
import sys
from orderstate.cli import run
status = run(sys.argv[1:])
sys.stderr.write("\\n" + " ".join(sys.modules))
raise SystemExit(status)
"""


def modules_of(folder: Path, *command: str) -> set[str]:
    """The modules that a fresh interpreter has imported after the command."""
    done = subprocess.run(
        [sys.executable, "-c", SHOWN, *command], capture_output=True, text=True, cwd=folder, check=True, timeout=60
    )
    found = set(done.stderr.splitlines()[-1].split())
    assert "orderstate.cli" in found
    return found


@pytest.mark.parametrize("command", [("--help",), ("place", "--help"), ("stock", "--help"), ("--version",)])
def test_help_imports_nothing_heavy(folder: Path, command: tuple[str, ...]) -> None:
    assert modules_of(folder, *command) & HEAVY == set()


def test_the_diagram_imports_no_database(folder: Path) -> None:
    assert modules_of(folder, "diagram") & {*DATABASES, "rich", "sqlite3", "yaml"} == set()


def test_the_diagram_of_a_database_imports_the_drawing_and_what_a_list_does(shop: Path, folder: Path) -> None:
    shutil.copyfile(shop, folder / "orderstate.db")
    drawn, listed = modules_of(folder, "diagram"), modules_of(folder, "list")
    assert drawn & {*DATABASES, "rich", "yaml", "importlib.metadata", "pygraphviz"} == set()
    more = {name for name in drawn - listed if name.startswith("orderstate.")}
    assert {name for name in more if not name.startswith("orderstate.diagram")} == {"orderstate.cli_commands.drawing"}
    (folder / "own.yaml").write_text("name: own\nextends: standard\n", encoding="utf-8")
    modules_of(folder, "flow", "use", "own.yaml")
    own = modules_of(folder, "diagram") - drawn
    assert {name for name in own if name.startswith("orderstate.")} == {
        "orderstate.flow", "orderstate.flow.timing", "orderstate.flow.writing",
    }  # fmt: skip
    assert own & {*DATABASES, "rich", "yaml"} == set()


def test_everyday_commands_import_no_sqlalchemy_and_through_a_pipe_no_rich(shop: Path, folder: Path) -> None:
    shutil.copyfile(shop, folder / "orderstate.db")
    for command in (
        ("place", "--line", "MUG:1", "--to", "US", "--key", "k"),
        ("tie", "1001"),
        ("show", "1001"),
        ("list",),
        ("cancel", "1001"),
        ("why", "1001"),
        ("history", "1001"),
        ("stock", "receive", "DEN", "MUG", "1"),
        ("stock", "list"),
    ):
        found = modules_of(folder, *command)
        assert found & {*DATABASES, "rich", "yaml", "importlib.metadata"} == set(), command
        assert "orderstate.engine.engine" in found


def test_a_tab_imports_no_engine(shop: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copyfile(shop, folder / "orderstate.db")
    monkeypatch.setenv("_ORDERSTATE_COMPLETE", "complete_zsh")
    for words in ("orderstate sh", "orderstate stock receive D", "orderstate list --"):
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", words)
        assert (
            modules_of(folder) & {*DATABASES, "rich", "transitions", "orderstate.engine", "orderstate.model"} == set()
        )
