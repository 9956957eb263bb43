"""Commands and orders from files and streams."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from orderstate.cli_commands.call import Call, called
from orderstate.cli_commands.failing import report
from orderstate.errors import InvalidInput, NotFound, NotInstalled, OrderstateError

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
    path = Path(file)
    if not path.exists() or path.is_dir():
        raise NotFound(f"there is no file {file}", code="no_file", hint="name a file, or - for stdin", path=file)
    stream: IO[bytes] = path.open("rb")
    return stream


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
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="commands, one JSON object a line; - for stdin", show_default=False)
    ],
    batch: Annotated[
        int, typer.Option("--batch", metavar="N", min=1, max=10_000, help="so many commands to a transaction")
    ] = 1,
) -> int:
    """Answers are JSON, one a line, in the order of the commands; a failed line does not stop the others."""
    call = called(ctx)
    if file.casefold().endswith((".yaml", ".yml")):
        raise NotInstalled("scenario files are not in this version", hint="orderstate run FILE.ndjson")
    from orderstate.render.words import published
    from orderstate.scenario import run_commands

    status = 0
    for answer in run_commands(call.engine(), lines(file), batch):
        call.screen.document(published(answer))
        call.screen.out.flush()
        error = answer.get("error")
        status = status or int(answer["exit"] if error is None else error["exit"])
    return status
