"""Scenarios as files: made from a flow, or from what happened to an order."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orderstate import outputs
from orderstate.cli_commands.call import Call, called
from orderstate.cli_commands.failing import UsageError
from orderstate.errors import InvalidInput

if TYPE_CHECKING:
    from orderstate.scenario import Scenario

_KIND = '{"contact": "VIP"}'


def generate(
    ctx: typer.Context,
    flow: Annotated[
        str | None,
        typer.Option("--flow", metavar="FILE", help="a flow file (YAML), or standard; without it the flow in force"),
    ] = None,
    folder: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="DIR", help="write a file for each scenario into this folder"),
    ] = None,
    most: Annotated[int, typer.Option("--paths", metavar="N", min=1, max=10_000, help="at most so many paths")] = 100,
    order: Annotated[
        list[str] | None,
        typer.Option(
            "--order", metavar="JSON", help=f"for guards of your own: a kind of order to try, as {_KIND}; repeatable"
        ),
    ] = None,
) -> int:
    """Together they take every transition and see every refusal; what they cannot show is said on stderr."""
    from orderstate.flow import load
    from orderstate.machine import STANDARD
    from orderstate.scenario.generating import survey

    call = called(ctx)
    found = call.flow() if flow is None else STANDARD if flow == STANDARD.name else load(flow)
    file = None
    if flow is not None and found != STANDARD:
        file = flow if folder is None else os.path.relpath(flow, folder)
    made = survey(found, orders=[_kind(text) for text in order or ()], most=most, file=file)
    if folder is None:
        show(call, made.scenarios)
    else:
        _write_all(call, made.scenarios, Path(folder))
    for sentence in made.left_out:
        call.screen.word(f"not shown: {sentence}")
    return 0


def _kind(text: str) -> dict[str, Any]:
    from orderstate.engine.decoding import GivenTwiceError, decode

    try:
        found = decode(text)
    except GivenTwiceError as twice:
        raise twice.told("--order") from twice
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidInput("order", text, f"fields of place in JSON, such as {_KIND}")
    return found


def show(call: Call, scenarios: Iterable[Scenario]) -> None:
    """Scenarios on stdout: YAML documents that `---` separates, or with --json a document a line."""
    from orderstate.scenario import document, dump

    for number, scenario in enumerate(scenarios):
        if call.screen.json:
            call.screen.document(document(scenario))
            continue
        if number:
            call.screen.line("---")
        for line in dump(scenario).splitlines():
            call.screen.line(line)


def named_as_scenario(file: str) -> None:
    """Refuse a file name that `run` would take for commands. Raises UsageError."""
    if not file.casefold().endswith((".yaml", ".yml")):
        raise UsageError(
            f"-o {file}: a scenario's file ends with .yaml, or it would be run as commands",
            hint=f"-o {file}.scenario.yaml",
        )


def write(call: Call, scenario: Scenario, file: str) -> None:
    """One scenario to a new file, and how to run it. Raises Refused where something is there already."""
    path = Path(file)
    put(path, scenario)
    if call.screen.json:
        call.screen.document({"file": str(path), "scenario": scenario.title, "steps": len(scenario.steps)})
    else:
        call.screen.say(f"{path}: {scenario.title}")
    run_next(call, str(path))


def _write_all(call: Call, scenarios: Iterable[Scenario], folder: Path) -> None:
    """A file for each, in a folder that is made if need be: all, or none where one is there already."""
    from orderstate.scenario import dump

    made = list(scenarios)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"-o {folder} is a file: a folder is needed for {len(made)} scenarios", hint="-o scenarios")
    files = {str(folder / scenario.source): scenario for scenario in made}
    content = {file: dump(scenario) for file, scenario in files.items()}
    fresh = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise outputs.unwritable(folder, error) from error
    try:
        outputs.write_new(content)
    except BaseException:
        with suppress(OSError):  # somebody else may have put something there meanwhile
            if fresh:
                folder.rmdir()
        raise
    if call.screen.json:
        for file, scenario in files.items():
            call.screen.document({"file": file, "scenario": scenario.title, "steps": len(scenario.steps)})
    else:
        call.screen.say(f"{folder}: {len(made)} scenarios")
    run_next(call, f"{folder}/*.scenario.yaml")


def run_next(call: Call, files: str) -> None:
    """Say how to run what was written."""
    if not call.screen.json:
        call.screen.word(f"next: orderstate run {files}")


def put(path: Path, scenario: Scenario) -> None:
    """Write one scenario to a new file. Raises Refused where something is there, NotFound, ReadOnly."""
    from orderstate.scenario import dump

    named_as_scenario(str(path))
    outputs.write_new({str(path): dump(scenario)})
