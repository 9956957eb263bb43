"""What one command costs from the shell: CPU milliseconds of a whole process, against a bare typer program's --help.

Every program is a script of the same form, as pip would install it, started by the same Python, in turns. CPU time is
user and system time of the process, as the kernel counted it; what it prints goes nowhere.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench import world
from bench.report import Table, against, machine
from orderstate.engine import Answer, Engine
from orderstate.engine.commands import Place

PAYMENT = str(Path(__file__).parents[1] / "examples" / "flows" / "payment.yaml")
LEAN, EVERYDAY = 1.3, 2.0
"""Budgets, as multiples of the bare program: for what needs no database, and for everyday commands."""

BARE = '''import typer

app = typer.Typer()


@app.command()
def hello(name: str = "world") -> None:
    """Say hello."""
    print(f"hello {name}")


if __name__ == "__main__":
    app()
'''
OURS = """import sys

from orderstate.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """A command line to measure, a new one each time where it changes an order."""

    name: str
    lines: Iterator[Sequence[str]]
    budget: float
    environment: Mapping[str, str]


def always(*arguments: str) -> Iterator[Sequence[str]]:
    """The same arguments, again and again."""
    while True:
        yield arguments


def each(command: str, orders: Sequence[str]) -> Iterator[Sequence[str]]:
    """A command to one order after another."""
    return ([command, order] for order in orders)


def everything(folder: Path, orders: Sequence[str]) -> list[Asked]:
    """What is measured. `orders` are pending and enough for every run of tie and of cancel."""
    database = {"ORDERSTATE_DB": str(folder / "bench.db")}
    line = [f"--line={sku}:{units}" for sku, units in world.lines(1).items()]
    tab = {"_ORDERSTATE_COMPLETE": "complete_bash", "COMP_WORDS": "orderstate sho", "COMP_CWORD": "1"}
    half = len(orders) // 2
    return [
        Asked("--help", always("--help"), LEAN, {}),
        Asked("completion", always(), LEAN, tab),
        Asked("diagram", always("diagram"), LEAN, {}),
        Asked("--db FILE diagram", always("--db", database["ORDERSTATE_DB"], "diagram"), LEAN, {}),
        Asked("flow check", always("flow", "check", PAYMENT), LEAN, {}),
        Asked("list", always("list"), EVERYDAY, database),
        Asked("show", always("show", orders[0]), EVERYDAY, database),
        Asked("place", always("place", *line, "--to", world.destination(1)), EVERYDAY, database),
        Asked("tie", each("tie", orders[1:half]), EVERYDAY, database),
        Asked("cancel", each("cancel", orders[half:]), EVERYDAY, database),
    ]


def prepare(folder: Path, pending: int) -> list[str]:
    """Write both scripts and a database with so many pending orders; returns their ids."""
    (folder / "bare.py").write_text(BARE, encoding="ascii")
    (folder / "orderstate").write_text(OURS, encoding="ascii")
    world.create(folder / "bench.db")
    with Engine.open(folder / "bench.db") as engine:
        places = (Place(lines=world.lines(n), to=world.destination(n)) for n in range(pending))
        return [answer.order for answer in engine.run(places, batch=500) if isinstance(answer, Answer)]


def cpu(script: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> float:
    """CPU milliseconds of one run. Raises CalledProcessError, with what it said, where it fails."""
    # An installed package is compiled once; without leave to keep that, every run here would compile ours anew.
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, str(script), *arguments],
        check=True,
        cwd=script.parent,
        env={**ours, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def report(folder: Path, runs: int) -> Table:
    """Run everything in turns, once more than is counted: the first run compiles."""
    asked = everything(folder, prepare(folder, 2 * (runs + 2)))
    bare: list[float] = []
    times: list[list[float]] = [[] for _ in asked]
    for run in range(runs + 1):
        found = cpu(folder / "bare.py", ["--help"], {})
        if run:
            bare.append(found)
        for command, kept in zip(asked, times, strict=True):
            found = cpu(folder / "orderstate", next(command.lines), command.environment)
            if run:
                kept.append(found)
    table = Table("Start-up: CPU ms of one process", ["command", "median", "lowest", "ratio", "budget", ""])
    table.add("a bare typer program's --help", f"{median(bare):.0f}", f"{min(bare):.0f}", "1", "", "")
    for command, kept in zip(asked, times, strict=True):
        ratio = against(median(kept) / median(bare), command.budget)
        table.add(f"orderstate {command.name}", f"{median(kept):.0f}", f"{min(kept):.0f}", *ratio)
    table.notes += [f"{runs} runs of each, in turns; typer {version('typer')} with its defaults", machine()]
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.startup", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument("--runs", type=int, help="runs of each command (25; quick: 5)")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="orderstate-bench-") as folder:
        report(Path(folder), given.runs or (5 if given.quick else 25)).print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
