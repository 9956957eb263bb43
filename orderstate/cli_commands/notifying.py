"""The words that customers hear: are they in order, and what do they look like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orderstate.cli_commands.call import Call, called
from orderstate.errors import NotFound

if TYPE_CHECKING:
    from orderstate.events.notify import Checked, Message


def notify_check(
    ctx: typer.Context,
    folder: Annotated[
        str | None,
        typer.Argument(
            metavar="[FOLDER]",
            help="templates of your own; default: the setting notify.templates, else the built-in ones",
            show_default=False,
        ),
    ] = None,
    show: Annotated[
        str | None, typer.Option("--show", metavar="EVENT", help="also print what a customer would read of this event")
    ] = None,
) -> int:
    """Tries every template on sample orders, the fullest and the barest. Exit status 1 where one has an error."""
    from orderstate.events.notify import check
    from orderstate.render.tables import Column

    call = called(ctx)
    flow = call.flow()
    own = folder if folder is not None else _setting(call)
    found = list(check(None if own is None else Path(own), {transition.event for transition in flow.transitions}))
    shown = None if show is None else _shown(found, show, own)
    failed = [one for one in found if one.problem is not None]
    if call.screen.json:
        for one in found if shown is None or shown in found else [*found, shown]:
            call.screen.document(
                {
                    "event": one.name or None,
                    "file": one.file,
                    "problem": one.problem,
                    "messages": [_document(message) for message in one.messages] if one is shown else None,
                }
            )
        return int(bool(failed))
    if shown is not None and shown not in found:
        call.screen.word(f"{shown.name} is silenced: {shown.file} is empty")
    elif shown is not None:
        for message in shown.messages:
            call.screen.line(f"Subject: {message.subject}\n\n{message.text.rstrip()}\n")
    else:
        columns = (Column("event"), Column("template", folds=True), Column("problem", folds=True, optional=True))
        call.screen.rows(columns, [(one.name, one.file, one.problem) for one in found])
    for one in failed:
        if shown is not None:
            call.screen.word(f"{one.file}: {one.problem}")
    call.screen.word(f"{len(found) - len(failed)} in order, {len(failed)} with an error")
    return int(bool(failed))


def _setting(call: Call) -> str | None:
    if call.stored():
        return call.engine().settings()["notify.templates"] or None
    return None


def _shown(found: list[Checked], event: str, folder: str | None) -> Checked:
    """The template of an event; without messages, and none of `found`, where an empty file silences it."""
    from orderstate.events.notify import Checked, silenced

    for one in found:
        if one.name == event:
            return one
    file = None if folder is None else silenced(event, Path(folder))
    if file is not None:
        return Checked(event, str(file))
    raise NotFound.named("template", event, [one.name for one in found if one.name])


def _document(message: Message) -> dict[str, str | None]:
    return {"subject": message.subject, "text": message.text, "html": message.html}
