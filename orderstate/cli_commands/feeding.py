"""Commands, orders and scenarios from files and streams."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from orderstate import outputs
from orderstate.cli_commands.call import Call, called, standard_input
from orderstate.cli_commands.failing import UsageError, report
from orderstate.errors import ExpectationFailed, InvalidInput, NotFound, OrderstateError

if TYPE_CHECKING:
    from orderstate.render.scenarios import Words
    from orderstate.scenario import NotRun, Report, Scenario

_BEGINS = re.compile(r"---|%YAML|[\"']?(scenario|about|world|steps)[\"']?\s*:")
"""How a scenario begins on stdin, where no file name tells it from commands."""
_NAME_ONE = "name a file, or - for stdin"
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
        return nullcontext(standard_input())
    _there(file)
    path = Path(file)
    stream: IO[bytes] = path.open("rb")
    return stream


def _there(file: str) -> None:
    """Refuse what is no file. Raises NotFound and UsageError."""
    path = Path(file)
    if not file:
        raise UsageError("the name of the file is empty", hint=_NAME_ONE)
    if path.is_dir():
        raise UsageError(f"{file} is a folder: name files", hint=_inside(path))
    if not path.exists():
        raise NotFound(f"there is no file {file}", code="no_file", hint=_NAME_ONE, path=file)


def _inside(folder: Path) -> str:
    """What can be run of a folder, if anything."""
    found = any(folder.glob("*.scenario.yaml"))
    return f"orderstate run {shlex.quote(str(folder))}/*.scenario.yaml" if found else _NAME_ONE


def documents(given: Iterable[str], name: str) -> Iterator[tuple[str, Any]]:
    """(where, value) of each JSON value: one to a line (NDJSON), or one whole, whose list is many.

    What is no JSON, or gives a key twice, gives the InvalidInput in place of a value.
    """
    from orderstate.engine.decoding import GivenTwiceError, decode

    stream = enumerate(given, 1)
    first = next(((n, line) for n, line in stream if line.strip()), None)
    if first is None:
        return
    begins, text = first
    whole = text.lstrip().startswith("[")
    if not whole:
        try:
            yield f"{name} line {begins}", decode(text)
        except GivenTwiceError as twice:
            yield f"{name} line {begins}", twice.told(f"{name} line {begins}")
        except ValueError:
            whole = True
    if not whole:
        for n, line in stream:
            if line.strip():
                yield f"{name} line {n}", _parsed(line, f"{name} line {n}")
        return
    # Lines that stand before the first one that is not empty count, too.
    yield from _items("\n" * (begins - 1) + text + "".join(line for _, line in stream), name)


def _items(text: str, name: str) -> Iterator[tuple[str, Any]]:
    """The same of one JSON value that goes over many lines."""
    from orderstate.engine.decoding import GivenTwiceError, decode, decode_each

    try:
        found = decode(text)
    except GivenTwiceError as twice:
        if not text.lstrip().startswith("["):
            yield name, twice.told(name)
            return
        for n, (line, one) in enumerate(decode_each(text), 1):
            wrong = isinstance(one, GivenTwiceError)
            yield f"{name} order {n}", one.told(f"{name} line {line}, order {n}") if wrong else one
        return
    except (ValueError, RecursionError):
        found = _parsed(text, name)
    if isinstance(found, list):
        yield from ((f"{name} order {n}", one) for n, one in enumerate(found, 1))
    else:
        yield name, found


def _parsed(text: str, where: str) -> Any:
    from orderstate.engine.decoding import GivenTwiceError, decode

    try:
        return decode(text)
    except GivenTwiceError as twice:
        return twice.told(where)
    except json.JSONDecodeError as error:
        shown = text.splitlines()[error.lineno - 1] if text.strip() else ""
        place = f"column {error.colno}" if "\n" not in text.strip() else f"line {error.lineno}, column {error.colno}"
        return InvalidInput(where, shown.strip()[:60], f"JSON: {error.msg.casefold()} at {place}")
    except (ValueError, RecursionError) as error:
        return InvalidInput(where, text.strip()[:60], f"JSON that can be read: {error}")


def place_all(call: Call, file: str, *, short: str | None, role: str, by: str | None) -> int:
    """Place every order of a file, a transaction each, all attempted; the first exit status that is not 0."""
    from orderstate.engine.reading import read

    if file != "-" and Path(file).is_dir():
        raise UsageError(f"{file} is a folder: name a file of orders", hint=_NAME_ONE)
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
    mistakes: list[OrderstateError] = []
    for file in files:
        try:
            found = _script(file, mistakes)
        except OrderstateError as error:  # the other files have something to say, too
            mistakes.append(error)
            continue
        if isinstance(found, tuple):
            scripts.extend(found)
        else:
            streams.append(found)
    if mistakes:
        return _told(call, mistakes)
    _agree(scripts, streams, batch, keep_db, junit)
    status = _play(call, scripts, keep_db, junit) if scripts else 0
    for stream in streams:
        answered = _answers(call, stream, batch)
        status = status or answered
    return status


def _told(call: Call, mistakes: Sequence[OrderstateError]) -> int:
    """Everything that is wrong with what was to be run, of which nothing is; the first exit status."""
    for mistake in mistakes[:-1]:
        report(mistake, call)
    if len(mistakes) == 1:
        raise mistakes[0]
    report(mistakes[-1], call)
    return mistakes[0].exit_status


def _script(file: str, mistakes: list[OrderstateError]) -> tuple[Scenario, ...] | Iterable[str]:
    """The scenarios of a file, read whole before anything runs; or its lines, if it holds commands.

    What is wrong with scenarios goes to `mistakes`. Raises NotFound, and UsageError for a folder.
    """
    if file.casefold().endswith((".yaml", ".yml")):
        from orderstate.scenario import examine

        if Path(file).is_dir():
            _there(file)
        scripts, wrong = examine(file)
    else:
        given = lines(file)
        begin: list[str] = []
        for line in given:
            begin.append(line)
            if line.strip() and not line.lstrip().startswith("#"):
                break
        if not begin or not _BEGINS.match(begin[-1]):
            return chain(begin, given)
        if file != "-":
            raise UsageError(
                f"{file} begins as a scenario does, but would be read as commands: the ending decides, "
                "which is .scenario.yaml (or .yaml, .yml) for scenarios",
                hint=f"orderstate run - < {shlex.quote(file)}",
            )
        from orderstate.scenario.reading import examine_text

        scripts, wrong = examine_text("".join([*begin, *given]), _named(file))
    unhinted = [error for error in wrong if error.hint is None and isinstance(error, InvalidInput)]
    for error in unhinted[-1:]:  # once is enough
        # What is wrong with a flow file that the scenario names stands in that file, and says its name.
        shown = "scenario" if error.sentence.startswith(_named(file)) else "flow"
        error.hint = f"orderstate schema {shown}"
    mistakes += wrong
    return scripts


def _writable(junit: str, others: Sequence[str]) -> None:
    """Refuse to write a report over a scenario, or where it cannot be, before anything runs."""
    path = Path(junit)
    if any(other != "-" and Path(other).resolve() == path.resolve() for other in others):
        raise UsageError(f"--junit would overwrite {junit}, which is named beside it", hint="--junit report.xml")
    if path.name.casefold().endswith((".yaml", ".yml")):
        raise UsageError(f"--junit writes XML: {junit} is called as scenarios are", hint="--junit report.xml")
    outputs.check(junit, "--junit")


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
            with _undisturbed(call):
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


def _undisturbed(call: Call) -> AbstractContextManager[None]:
    """Keeps what customers are told on the console off a stderr that a program reads, and says so there."""
    if not call.screen.json:
        return nullcontext()
    from orderstate.events.notify.quiet import no_console
    from orderstate.render.words import line_of_json

    told = {
        "level": "warning",
        "message": "the channel console is not shown with --json; choose another in the scenario: notify.channel",
        "code": "no_console",
    }
    return no_console(lambda: call.screen.word(line_of_json(told)))


def _as_xml(file: str | None, found: Iterable[Report | NotRun]) -> None:
    if file is None:
        return
    from orderstate.scenario import junit

    outputs.write(file, junit(found), "--junit")


def _show(call: Call, found: Iterable[Words]) -> None:
    screen = call.screen
    if screen.drawn:
        from orderstate.render.scenarios import draw

        draw(found, screen.out, screen.width)
    else:
        for line in found:
            screen.line(line.text)
