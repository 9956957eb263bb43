"""Commands, orders and scenarios from files and streams."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from orderstate.cli_commands.call import Call, called
from orderstate.cli_commands.failing import UsageError, report
from orderstate.errors import ExpectationFailed, InvalidInput, NotFound, OrderstateError, ReadOnly

if TYPE_CHECKING:
    from orderstate.render.scenarios import Words
    from orderstate.scenario import NotRun, Report, Scenario

_BEGINS = re.compile(r"---|%YAML|[\"']?(scenario|about|world|steps)[\"']?\s*:")
"""How a scenario begins on stdin, where no file name tells it from commands."""
_ORDER = '{"lines": {"MUG": 2}, "to": "US"}'


def lines(file: str) -> Iterator[str]:
    """The lines of a UTF-8 file, or of stdin for `-`. Raises NotFound, and InvalidInput naming the line."""
    with _opened(file) as stream:
        # readline and not iteration, which reads ahead: a line is answered before the next one is waited for.
        for number, line in enumerate(iter(stream.readline, b""), 1):
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                shown = line[max(0, error.start - 10) : error.end + 10].decode("utf-8", "backslashreplace")
                raise InvalidInput(f"{_named(file)} line {number}", shown.strip(), "text in UTF-8") from error


def _named(file: str) -> str:
    return "stdin" if file == "-" else file


def _opened(file: str) -> Any:
    if file == "-":
        return nullcontext(sys.stdin.buffer)
    _there(file)
    path = Path(file)
    stream: IO[bytes] = path.open("rb")
    return stream


def _there(file: str) -> None:
    """Refuse what is no file. Raises NotFound and UsageError."""
    path = Path(file)
    if path.is_dir():
        raise UsageError(
            f"{file} is a folder: name files", hint=f"orderstate run {shlex.quote(str(path))}/*.scenario.yaml"
        )
    if not path.exists():
        raise NotFound(f"there is no file {file}", code="no_file", hint="name a file, or - for stdin", path=file)


def documents(given: Iterable[str], name: str) -> Iterator[tuple[str, Any]]:
    """(where, value) of each JSON value: one to a line (NDJSON), or one whole, whose list is many.

    A line that is no JSON gives the InvalidInput in place of a value.
    """
    stream = enumerate(given, 1)
    first = next(((n, line) for n, line in stream if line.strip()), None)
    if first is None:
        return
    begins, text = first
    whole = text.lstrip().startswith("[")
    if not whole:
        try:
            yield f"{name} line {begins}", json.loads(text)
        except ValueError:
            whole = True
    if not whole:
        for n, line in stream:
            if line.strip():
                yield f"{name} line {n}", _parsed(line, f"{name} line {n}")
        return
    found = _parsed("".join([text, *(line for _, line in stream)]), name)
    if isinstance(found, list):
        yield from ((f"{name} order {n}", one) for n, one in enumerate(found, 1))
    else:
        yield name, found


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        shown = text.splitlines()[error.lineno - 1] if text.strip() else ""
        place = f"column {error.colno}" if "\n" not in text.strip() else f"line {error.lineno}, column {error.colno}"
        return InvalidInput(where, shown.strip()[:60], f"JSON: {error.msg.casefold()} at {place}")
    except (ValueError, RecursionError) as error:
        return InvalidInput(where, text.strip()[:60], f"JSON that can be read: {error}")


def place_all(call: Call, file: str, *, short: str | None, role: str, by: str | None) -> int:
    """Place every order of a file, a transaction each, all attempted; the first exit status that is not 0."""
    from orderstate.engine.reading import read

    engine = call.engine()
    given = {"short": short, "as": role, "by": by}
    defaults = {name: value for name, value in given.items() if value is not None}
    status = orders = 0
    for where, found in documents(lines(file), _named(file)):
        orders += 1
        try:
            if isinstance(found, InvalidInput):
                raise found
            if not isinstance(found, dict):
                raise InvalidInput("order", found, f"a JSON object such as {_ORDER}")
            if found.get("command", "place") != "place":
                raise InvalidInput("command", found["command"], "place", hint=f"orderstate run {file}")
            status = call.done(engine.execute(read({**defaults, **found, "command": "place"}))) or status
        except OrderstateError as error:
            if call.hopeless(error):
                raise
            if error is not found:
                error.sentence = f"{where}: {error.sentence}"
            report(error, call)
            status = status or error.exit_status
    if not orders:
        raise InvalidInput(_named(file), "", f"orders in JSON, such as {_ORDER}")
    call.suggest()
    return status


def run(
    ctx: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="scenarios (YAML), or commands (one JSON object a line); - for stdin",
            show_default=False,
        ),
    ],
    batch: Annotated[
        int, typer.Option("--batch", metavar="N", min=1, max=10_000, help="so many commands to a transaction")
    ] = 1,
    keep_db: Annotated[
        str | None, typer.Option("--keep-db", metavar="FILE", help="keep the scenario's database in a new file")
    ] = None,
    junit: Annotated[
        str | None, typer.Option("--junit", metavar="FILE", help="write what the scenarios came to as JUnit XML")
    ] = None,
) -> int:
    """A scenario runs in a temporary database with its own clock; commands run on yours, an answer a line."""
    call = called(ctx)
    if junit is not None:
        _writable(junit, [*files, *([keep_db] if keep_db is not None else [])])
    scripts: list[Scenario] = []
    streams: list[Iterable[str]] = []
    for file in files:
        found = _script(file)
        if isinstance(found, tuple):
            scripts.extend(found)
        else:
            streams.append(found)
    _agree(scripts, streams, batch, keep_db, junit)
    status = _play(call, scripts, keep_db, junit) if scripts else 0
    for stream in streams:
        answered = _answers(call, stream, batch)
        status = status or answered
    return status


def _script(file: str) -> tuple[Scenario, ...] | Iterable[str]:
    """The scenarios of a file, read whole before anything runs; or its lines, if it holds commands."""
    if file == "-":
        given = lines(file)
        begin: list[str] = []
        for line in given:
            begin.append(line)
            if line.strip() and not line.lstrip().startswith("#"):
                break
        if not begin or not _BEGINS.match(begin[-1]):
            return chain(begin, given)
        from orderstate.scenario import read_all

        try:
            return read_all("".join([*begin, *given]), _named(file))
        except InvalidInput as error:
            error.hint = error.hint or "orderstate schema scenario"
            raise
    if file.casefold().endswith((".yaml", ".yml")):
        from orderstate.scenario import load_all

        if Path(file).is_dir():
            _there(file)
        try:
            return load_all(file)
        except InvalidInput as error:
            # What is wrong with a flow file that the scenario names stands in that file, and says its name.
            shown = "scenario" if error.sentence.startswith(file) else "flow"
            error.hint = error.hint or f"orderstate schema {shown}"
            raise
    _there(file)  # before the database is opened, which lines() would come after
    return lines(file)


def _writable(junit: str, others: Sequence[str]) -> None:
    """Refuse to write a report over a scenario, or where it cannot be, before anything runs."""
    path = Path(junit)
    if any(other != "-" and Path(other).resolve() == path.resolve() for other in others):
        raise UsageError(f"--junit would overwrite {junit}, which is named beside it", hint="--junit report.xml")
    if path.name.casefold().endswith((".yaml", ".yml")):
        raise UsageError(f"--junit writes XML: {junit} is called as scenarios are", hint="--junit report.xml")
    if path.is_dir():
        raise UsageError(f"--junit: {junit} is a folder, not a file", hint="--junit report.xml")
    if not path.parent.is_dir():
        raise NotFound(f"there is no folder {path.parent}", code="no_folder", path=junit)
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ReadOnly(f"{junit} cannot be written", path=junit)


def _agree(
    scripts: Sequence[Scenario], streams: Sequence[object], batch: int, keep_db: str | None, junit: str | None
) -> None:
    """Refuse what does not go together, before anything runs."""
    if scripts and streams:
        raise UsageError("scenarios run in databases of their own, commands in yours: run them one after the other")
    if batch != 1 and scripts:
        raise UsageError("--batch goes with commands, not with a scenario: its steps are a transaction each")
    for option, value in (("--keep-db", keep_db), ("--junit", junit)):
        if value is not None and streams:
            raise UsageError(f"{option} goes with scenarios, not with commands", hint="orderstate run FILE.yaml")
    if keep_db is not None and len(scripts) > 1:
        raise UsageError(f"--keep-db keeps the database of one scenario, not of {len(scripts)}")


def _answers(call: Call, stream: Iterable[str], batch: int) -> int:
    """Run commands, an answer a line; the first exit status that is not 0."""
    from orderstate.render.words import published
    from orderstate.scenario import run_commands

    status = 0
    for answer in run_commands(call.engine(), stream, batch):
        call.screen.document(published(answer))
        call.screen.out.flush()
        error = answer.get("error")
        status = status or int(answer["exit"] if error is None else error["exit"])
    return status


def _play(call: Call, scripts: Sequence[Scenario], keep_db: str | None, junit: str | None) -> int:
    """Run scenarios, all of them; the first exit status that is not 0, 7 where an expectation failed."""
    from orderstate.render import scenarios as render
    from orderstate.render.words import published
    from orderstate.scenario import NotRun
    from orderstate.scenario import run as play

    screen = call.screen
    status = 0
    reports = []
    everything: list[Report | NotRun] = []
    for script in scripts:
        try:
            found = play(script, keep=keep_db)
        except OrderstateError as error:
            everything.append(NotRun(script, error))
            if len(scripts) == 1:
                _as_xml(junit, everything)
                raise
            report(error, call)
            status = status or error.exit_status
            continue
        reports.append(found)
        everything.append(found)
        status = status or (0 if found.passed else ExpectationFailed.exit_status)
        if screen.json:
            screen.document(published(found.document()))
        else:
            _show(call, [*render.transcript(found, drawn=screen.drawn), *([render.GAP] if len(scripts) > 1 else [])])
        screen.out.flush()
    if reports and not screen.json:
        _show(call, render.summary(reports))
    _as_xml(junit, everything)
    return status


def _as_xml(file: str | None, found: Iterable[Report | NotRun]) -> None:
    if file is None:
        return
    from orderstate.scenario import junit

    try:
        Path(file).write_text(junit(found), encoding="utf-8")
    except OSError as error:
        raise ReadOnly(f"{file} cannot be written: {error.strerror}", path=file) from error


def _show(call: Call, found: Iterable[Words]) -> None:
    screen = call.screen
    if screen.drawn:
        from orderstate.render.scenarios import draw

        draw(found, screen.out, screen.width)
    else:
        for line in found:
            screen.line(line.text)
