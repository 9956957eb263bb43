"""Commands from a stream, run through the engine: one JSON object a line in, one answer a line out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from orderstate.engine import Answer, Engine
from orderstate.engine.commands import Command
from orderstate.engine.decoding import GivenTwiceError, decode
from orderstate.engine.reading import read
from orderstate.errors import InvalidInput, OrderstateError


def run_commands(engine: Engine, stream: Iterable[str], batch: int = 1) -> Iterator[dict[str, Any]]:
    """Run NDJSON commands in order, `batch` to a transaction, and give each line's answer once it is durable.

    An answer is the command's document with its `line`; a failed line gives `{"line": n, "error": {...}}` and does not
    stop the others. Blank lines and lines that begin with `#` are passed over. With `batch` 1 each line is answered
    before the next is read. Raises what concerns the whole database: Locked, ReadOnly, Damaged.
    """
    if not 1 <= batch <= 10_000:
        raise InvalidInput("batch", batch, "a whole number from 1 to 10000")
    numbered = ((n, line) for n, line in enumerate(stream, 1) if line.strip() and not line.lstrip().startswith("#"))
    while chunk := list(islice(numbered, batch)):
        read_lines = [(n, _parse(line)) for n, line in chunk]
        commands = [command for _, command in read_lines if isinstance(command, Command)]
        outcomes = iter(list(engine.run(commands, batch=len(commands))) if commands else [])
        for n, command in read_lines:
            outcome = next(outcomes) if isinstance(command, Command) else command
            yield {"line": n, **(outcome.document if isinstance(outcome, Answer) else outcome.document())}


def _parse(line: str) -> Command | OrderstateError:
    try:
        return read(decode(line))
    except GivenTwiceError as twice:
        return twice.told()
    except json.JSONDecodeError as broken:
        return InvalidInput("line", line.strip(), f"JSON ({broken.msg} at column {broken.colno})")
    except RecursionError:
        return InvalidInput("line", line.strip(), "JSON that is nested less deeply")
    except OrderstateError as error:
        return error
