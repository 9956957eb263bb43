"""Through a real terminal and through a real pipe: widths, colours, Ctrl-C, a reader that leaves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pexpect
import pytest
from shops import KANSAS_CITY, Cli

pytest_plugins = ["shop_fixtures"]

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
PROGRAM = [sys.executable, "-m", "orderstate"]


def environment(**more: str) -> dict[str, str]:
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("ORDERSTATE", "NO_COLOR", "FORCE_COLOR", "COLUMNS"))
    }
    return {**kept, "TERM": "xterm-256color", "PYTHONUTF8": "1", **more}


def type_in(*arguments: str, width: int = 80, env: Mapping[str, str] | None = None) -> tuple[str, int]:
    """What a terminal receives, escapes and all, and the exit status."""
    child = pexpect.spawn(
        PROGRAM[0],
        [*PROGRAM[1:], *arguments],
        dimensions=(50, width),
        env=env or environment(),
        encoding="utf-8",
        timeout=60,
    )
    shown = child.read()
    child.close()
    return shown.replace("\r\n", "\n"), int(child.exitstatus)


@pytest.fixture
def busy(cli: Cli) -> Cli:
    cli("place", "--line", "MUG:12", "--to", KANSAS_CITY, "--contact", "somebody-with-a-long-address@example.org")
    cli("tie", "1001")
    return cli


@pytest.mark.parametrize("width", [80, 44])
def test_tables_fit_the_terminal_and_lose_nothing(busy: Cli, width: int) -> None:
    for command, words in (
        (("list",), ("1001", "inventory_tied", KANSAS_CITY, "12")),
        (("show", "1001"), ("DEN", "NYC", "897", "1760", "primary", "somebody-with-a-long-address@example.org")),
        (("stock", "list"), ("available", "DEN", "CUP", "back")),
        (("facility", "list"), ("39.74,-104.99", "Denver")),
        (("history", "1001"), ("OrderPlaced", "InventoryTied")),
        (("plan", "1001"), ("DEN", "NYC", "minor units")),
    ):
        shown, status = type_in(*command, width=width)
        plain = ESCAPE.sub("", shown)
        assert status == 0
        body = [line for line in plain.splitlines() if not line.startswith("next: ")]
        assert max(map(len, body)) <= width, command
        together = re.sub(r"\s+", "", plain)
        for word in words:
            assert re.sub(r"\s+", "", word) in together, (command, word)
        assert "…" not in plain


def test_colours_are_there_and_no_color_takes_them_away(busy: Cli) -> None:
    coloured, _ = type_in("list")
    assert re.search(r"\x1b\[3\dm", coloured)
    bare, _ = type_in("list", env=environment(NO_COLOR="1"))
    assert not re.search(r"\x1b\[[0-9;]*3\d", bare)
    assert ESCAPE.sub("", bare) == ESCAPE.sub("", coloured)


def test_through_a_pipe_there_are_tabs_no_escapes_and_nothing_is_cut(busy: Cli, folder: Path) -> None:
    done = subprocess.run([*PROGRAM, "show", "1001"], capture_output=True, text=True, env=environment(), check=True)
    assert "\x1b" not in done.stdout
    assert "contact\tsomebody-with-a-long-address@example.org\n" in done.stdout
    assert done.stderr == "next: orderstate ship 1001\n"


def test_a_reader_that_leaves_is_no_error(busy: Cli, folder: Path) -> None:
    command = f"{sys.executable} -m orderstate config list | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout.splitlines() == ["setting\tvalue\tdefault\tunit\tdoc", "0"]
    assert done.stderr == ""


def test_ctrl_c_ends_with_130_and_one_line(busy: Cli, folder: Path) -> None:
    child = pexpect.spawn(PROGRAM[0], [*PROGRAM[1:], "run", "-"], env=environment(), encoding="utf-8", timeout=30)
    child.setecho(False)
    child.sendline('{"command": "place", "lines": {"MUG": 1}, "to": "US"}')
    child.expect('"order": "1002"')
    child.sendintr()
    rest = child.read()
    child.close()
    assert child.exitstatus == 130
    assert "interrupted; a scenario leaves nothing behind; commands that were answered are done" in rest
    assert "Traceback" not in rest


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_full_disk_behind_stdout_is_one_line(busy: Cli, folder: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*PROGRAM, "list"], stdout=full, stderr=subprocess.PIPE, text=True, env=environment(), check=False
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "error: system: No space left on device"


def test_an_encoding_without_the_signs_is_no_error(busy: Cli, folder: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, "diagram"],
        capture_output=True,
        env=environment(PYTHONUTF8="0", PYTHONIOENCODING="ascii"),
        check=True,
    )
    assert done.stdout.isascii()
    assert b"pending" in done.stdout
    assert b"\\u" not in done.stdout


@pytest.mark.parametrize("width", [60, 44])
def test_the_demo_runs_on_a_narrow_terminal(folder: Path, width: int) -> None:
    shown, status = type_in("demo", width=width)
    plain = ESCAPE.sub("", shown)
    assert status == 0
    for word in ("$ orderstate init", "1001: pending -> inventory_tied", "error: goods_still_here", "delivered"):
        assert word in plain
    drawn = [
        x for x in plain.splitlines() if not x.startswith(("next: ", "hint: ", "error: ", "  goods_", "  canceller_"))
    ]
    assert max(map(len, drawn)) <= width
    assert list(folder.iterdir()) == []


def test_the_demo_through_a_pipe_is_the_same_words_without_colours(folder: Path) -> None:
    done = subprocess.run([*PROGRAM, "demo"], capture_output=True, text=True, env=environment(), check=True)
    assert "\x1b" not in done.stdout
    assert done.stderr == ""
    assert "$ orderstate cancel 1001 --as customer" in done.stdout
    assert "canceller_may: a customer may cancel only until inventory is tied" in done.stdout
    assert list(folder.iterdir()) == []


def test_the_console_script_is_there(folder: Path) -> None:
    script = shutil.which("orderstate", path=str(Path(sys.executable).parent))
    if script is None:
        pytest.skip("the package is not installed, only on the path")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout.startswith("orderstate ")
