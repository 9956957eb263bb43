"""The diagram of the flow, or of the path that one order took through it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orderstate.cli_commands import completion
from orderstate.cli_commands.call import Call, called
from orderstate.cli_commands.failing import UsageError
from orderstate.diagram import Step, Walk, dot, mermaid, terminal
from orderstate.errors import NotInstalled, OrderstateError

_SUFFIXES = {".mmd": "mermaid", ".mermaid": "mermaid", ".dot": "dot", ".gv": "dot"}
_LATER = ("svg", "png", "pdf")


def diagram(
    ctx: typer.Context,
    order: Annotated[
        str | None,
        typer.Option(
            "--order", metavar="ORDER", help="the path that this order took", autocompletion=completion.orders
        ),
    ] = None,
    counts: Annotated[bool, typer.Option("--counts", help="how many orders each state holds")] = False,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="terminal, mermaid or dot; default: what the file's name says, else terminal",
            autocompletion=completion.formats,
        ),
    ] = None,
    ascii: Annotated[bool, typer.Option("--ascii", help="no other characters than ASCII")] = False,
    output: Annotated[str | None, typer.Option("--output", "-o", metavar="FILE", help="write it to this file")] = None,
) -> int:
    """Needs no database, but for --order and --counts."""
    call = called(ctx)
    chosen = _format(format, output)
    from orderstate.machine import standard

    flow = standard().flow
    walk = None if order is None else walked(call, order)
    counted = call.engine().counts() if counts else None
    if chosen == "terminal":
        narrow = (call.screen.out.encoding or "").casefold() not in ("utf-8", "utf8") and output is None
        drawn = terminal(flow, walk, call.screen.width if call.screen.human else 80, ascii or narrow, counted)
    elif chosen == "mermaid":
        drawn = mermaid(flow, walk, counted)
    else:
        drawn = dot(flow, walk, counted)
    if output is not None:
        _write(Path(output), drawn)
    if call.screen.json:
        call.screen.document({"flow": flow.name, "order": order, "format": chosen, "file": output, "drawing": drawn})
    elif output is None:
        call.screen.out.write(drawn if drawn.endswith("\n") else drawn + "\n")
    else:
        call.screen.word(f"{output}: {chosen} written")
    return 0


def _format(format: str | None, output: str | None) -> str:
    suffix = "" if output is None else Path(output).suffix.casefold()
    if format is None:
        chosen = _SUFFIXES.get(suffix, suffix[1:] if suffix[1:] in _LATER else "terminal")
    else:
        chosen = format.casefold()
    if chosen in _LATER:
        raise NotInstalled(f"format {chosen} is not in this version", hint="orderstate diagram --format dot")
    if chosen not in completion.FORMATS:
        known = ", ".join(completion.FORMATS)
        raise UsageError(f"--format: {format!r} is not one of {known}", hint="orderstate diagram --format mermaid")
    return chosen


def walked(call: Call, order: str) -> Walk:
    """The path that an order took, and what each trigger would do to it now."""
    engine = call.engine()
    found = engine.history(order)
    steps = tuple(
        Step(e.trigger, e.source, str(e.target), e.at, e.number) for e in found.events if e.source != e.target
    )
    return Walk(order, found.order.state, steps, engine.why(order).choices)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")
    except OSError as error:
        raise OrderstateError(f"{file} cannot be written: {error.strerror}", code="output") from error
