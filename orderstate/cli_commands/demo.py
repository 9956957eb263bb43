"""A guided run in a temporary database: real commands, typed for the reader, with what they really print."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from shlex import join, split

import typer

from orderstate.cli_commands.call import FILE, called
from orderstate.cli_commands.screen import Screen
from orderstate.errors import OrderstateError, Refused

_WIDEST = 100
_REFUSED = "cancel 1001 --as customer --reason 'changed my mind'"
_STEPS = (
    ("A new database, two facilities, a few mugs in each.", "init"),
    ("", "facility add DEN --at 39.74,-104.99 --country US --name Denver"),
    ("", "facility add NYC --at 40.71,-74.01 --country US --name 'New York'"),
    ("", "stock receive DEN MUG 2"),
    ("", "stock receive NYC MUG 2"),
    (
        "A customer in Kansas City orders. The key makes it safe to send the order again.",
        "place --line MUG:3 --to US@39.1,-94.58 --key web-1001",
    ),
    ("Nothing is reserved yet. Tying finds the best stock.", "tie 1001"),
    ("Where does each unit come from, and why from there?", "show 1001"),
    ("The goods leave; from now on it is too late to cancel.", "ship 1001"),
    ("", _REFUSED),
    ("They arrive.", "deliver 1001"),
    ("What happened, and the way it went.", "history 1001"),
    ("", "diagram --order 1001"),
)


def demo(ctx: typer.Context) -> int:
    """Touches nothing of yours; takes a few seconds. Ends at the first step that does not go as it should."""
    from orderstate.render.words import folded

    screen = called(ctx).screen
    width = min(screen.width, _WIDEST)
    # Both streams go to stdout: words and data belong together here, also through a pipe.
    with tempfile.TemporaryDirectory(prefix="orderstate-demo-") as folder, chdir(folder):
        for said, command in _STEPS:
            if screen.json:
                buffer = io.StringIO()
                status = _step(command, Screen(buffer, buffer, human=True, width=width))
                screen.document({"command": f"orderstate {command}", "exit": status, "shown": buffer.getvalue()})
            else:
                if said:
                    for line in folded(f"# {said}", width, hanging="# "):
                        screen.line(line)
                for line in _typed(command, width):
                    screen.line(line)
                status = _step(command, Screen(screen.out, screen.out, human=True, width=width))
                screen.line("")
            if status != _expected(command):
                return status or OrderstateError.exit_status
    return 0


def _expected(command: str) -> int:
    """How a step ends if all is well: 0, but for the one that shows a refusal."""
    return Refused.exit_status if command == _REFUSED else 0


def _step(command: str, screen: Screen) -> int:
    from orderstate.cli import run

    return run(split(command), screen, home=FILE)


def _typed(command: str, width: int) -> Iterator[str]:
    """The command as it is typed, on several lines where the terminal is narrow."""
    line = "$ orderstate"
    for word in split(command):
        text = join([word])
        if len(line) + 1 + len(text) > width - 2:
            yield f"{line} \\"
            line = "   "
        line += f" {text}"
    yield line
