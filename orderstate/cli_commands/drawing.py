"""The diagram of the flow, or of the path that one order took through it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orderstate.cli_commands import completion
from orderstate.cli_commands.call import Call, called
from orderstate.cli_commands.failing import UsageError
from orderstate.diagram import Step, Walk, dot, mermaid, terminal

if TYPE_CHECKING:
    from orderstate.model import Flow, Tally

_SUFFIXES = {".txt": "terminal", ".mmd": "mermaid", ".mermaid": "mermaid", ".dot": "dot", ".gv": "dot"} | {
    f".{picture}": picture for picture in ("svg", "png", "pdf")
}
_BINARY = ("png", "pdf")


def diagram(
    ctx: typer.Context,
    order: Annotated[
        str | None,
        typer.Option(
            "--order", metavar="ORDER", help="the path that this order took", autocompletion=completion.orders
        ),
    ] = None,
    counts: Annotated[
        bool, typer.Option("--counts", help="how many orders each state holds, and how long they have been there")
    ] = False,
    flow: Annotated[
        str | None,
        typer.Option("--flow", metavar="FILE", help="the flow of this file, instead of the one in force"),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="terminal, mermaid, dot, svg, png or pdf; default: what the file's name says, else terminal",
            autocompletion=completion.formats,
        ),
    ] = None,
    ascii: Annotated[bool, typer.Option("--ascii", help="no other characters than ASCII")] = False,
    output: Annotated[str | None, typer.Option("--output", "-o", metavar="FILE", help="write it to this file")] = None,
) -> int:
    """Needs no database, but for --order and --counts. Pictures need the extra `diagram`."""
    call = called(ctx)
    if order is not None and flow is not None:
        raise UsageError(
            "--order goes with the flow in force: it says what that order could do now, not with --flow",
            hint=call.command("diagram", "--flow", flow),
        )
    if output is not None:
        from orderstate import outputs

        outputs.check(output, "-o")
    again = _again(order, flow, counts=counts, ascii=ascii)
    _kept(call, again, flow, output)
    chosen = _format(call, again, format, output)
    drawn_flow = _flow(call, flow, stored=order is not None or counts)
    walk = None if order is None else walked(call, order)
    tallies = call.engine().tallies() if counts else None
    drawn = _drawn(call, chosen, drawn_flow, walk, tallies, ascii=ascii, filed=output is not None)
    if output is not None:
        from orderstate import outputs

        outputs.write(output, drawn, "-o")
    if call.screen.json:
        call.screen.document(
            {
                "flow": drawn_flow.name,
                "order": order,
                "format": chosen,
                "file": output,
                "counts": None if tallies is None else {state: _told(tally) for state, tally in tallies.items()},
                "drawing": _as_text(chosen, drawn),
            }
        )
    elif output is not None:
        call.screen.word(f"{output}: {chosen} written")
    elif chosen in _BINARY:
        call.screen.out.flush()
        call.screen.out.buffer.write(drawn)
        call.screen.out.buffer.flush()
    else:
        call.screen.out.write(drawn.decode())
    return 0


def _again(order: str | None, flow: str | None, *, counts: bool, ascii: bool) -> list[str]:
    """The words that draw the same once more, for hints: but for the format and the file."""
    words = ["diagram"]
    for option, value in (("--order", order), ("--flow", flow)):
        words += [] if value is None else [option, value]
    return [*words, *["--counts"] * counts, *["--ascii"] * ascii]


def _format(call: Call, again: list[str], format: str | None, output: str | None) -> str:
    chosen = _ending(call, again, output) if format is None else format.casefold()
    if chosen not in completion.FORMATS:
        known = ", ".join(completion.FORMATS)
        raise UsageError(
            f"--format: {format!r} is not one of {known}", hint=call.command(*again, "--format", "mermaid")
        )
    bare = output is None and not call.screen.json
    if chosen in _BINARY and bare and (call.screen.human or not hasattr(call.screen.out, "buffer")):
        raise UsageError(
            f"a {chosen.upper()} is no text for a terminal: name a file with -o, or pipe it",
            hint=call.command(*again, "-o", f"flow.{chosen}"),
        )
    return chosen


def _ending(call: Call, again: list[str], output: str | None) -> str:
    """The format that a file's name says. Raises UsageError for one that says none."""
    if output is None:
        return "terminal"
    ending = Path(output).suffix.casefold()
    if ending not in _SUFFIXES:
        what = f"{ending!r} is not one of" if ending else "the name has no ending, such as"
        raise UsageError(
            f"-o: {what} {', '.join(_SUFFIXES)}",
            hint=f"{call.command(*again, '-o', str(Path(output).with_suffix('.svg')))}, or say which --format",
        )
    return _SUFFIXES[ending]


def _kept(call: Call, again: list[str], flow: str | None, output: str | None) -> None:
    """A drawing may take the place of an older one, but not of the flow that it shows. Raises UsageError."""
    if flow is None or output is None:
        return
    source, target = Path(flow), Path(output)
    if source.exists() and target.exists() and source.samefile(target):
        raise UsageError(
            f"-o: {output} is the flow file itself, which the drawing would overwrite",
            hint=call.command(*again, "-o", str(target.with_suffix(".svg"))),
        )


def _flow(call: Call, file: str | None, *, stored: bool) -> Flow:
    """The flow of a file, else the one in force of the database, else, where there is none, the standard one.

    `stored` says that a database is needed anyway.
    """
    if file is not None:
        from orderstate.cli_commands.flows import of_file

        return of_file(file)
    url = call.database()
    path = url.removeprefix("sqlite:///").partition("?")[0]
    if stored or Path(path).is_file() or url.startswith("postgresql"):
        return call.engine().flow
    from orderstate.machine import standard

    return standard().flow


def _drawn(
    call: Call,
    format: str,
    flow: Flow,
    walk: Walk | None,
    tallies: Mapping[str, Tally] | None,
    *,
    ascii: bool,
    filed: bool,
) -> bytes:
    if format == "terminal":
        narrow = (call.screen.out.encoding or "").casefold() not in ("utf-8", "utf8") and not filed
        width = call.screen.width if call.screen.human else 80
        return terminal(flow, walk, width, ascii or narrow, tallies).encode()
    if format in ("mermaid", "dot"):
        return (mermaid if format == "mermaid" else dot)(flow, walk, tallies).encode()
    from orderstate.diagram.pictures import picture

    drawn = picture(flow, walk, tallies, format)
    for word in _reservations(flow, walk, tallies, format):
        call.screen.word(word)
    return drawn


def _reservations(flow: Flow, walk: Walk | None, tallies: Mapping[str, Tally] | None, format: str) -> Iterator[str]:
    """What a picture does not show as it was asked for."""
    from orderstate.diagram.pictures import told_in_words, unseen

    number = told_in_words(flow, walk)
    if number:
        yield f"{number:,} arrows are told below the drawing: so many lines could not be followed"
    missing = unseen(flow, walk, tallies) if format in _BINARY else ""
    if missing:
        signs = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
        yield (
            f"the font of this package has no glyph for {signs}; without a font of this machine that has, a box stands "
            "there; an SVG shows it where the reader's fonts do"
        )


def _as_text(format: str, drawn: bytes) -> str:
    if format not in _BINARY:
        return drawn.decode()
    from base64 import b64encode

    return b64encode(drawn).decode()


def _told(tally: Tally) -> dict[str, int | None]:
    """A tally as a document: times in whole seconds."""
    oldest, median = (None if time is None else time // 1_000_000 for time in (tally.oldest, tally.median))
    return {"orders": tally.orders, "oldest_seconds": oldest, "median_seconds": median}


def walked(call: Call, order: str) -> Walk:
    """The path that an order took, and what each trigger would do to it now."""
    engine = call.engine()
    found = engine.history(order)
    steps = tuple(
        Step(e.trigger, e.source, str(e.target), e.at, e.number) for e in found.events if e.source != e.target
    )
    return Walk(order, found.order.state, steps, engine.why(order).choices)
