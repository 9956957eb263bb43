"""The import of order history."""

from __future__ import annotations

from typing import Annotated

import typer

from orderstate.cli_commands import options
from orderstate.cli_commands.call import called
from orderstate.cli_commands.options import duration
from orderstate.cli_commands.progress import progress


def import_orders(
    ctx: typer.Context,
    file: options.File,
    map: options.Map = "online-retail",
    replay: Annotated[
        bool, typer.Option("--replay", help="play the file in time order: tie, ship and cancel as it happened")
    ] = False,
    ship_after: Annotated[
        str,
        typer.Option(
            "--ship-after", metavar="DELAY", help="with --replay, after the order: 90s, 30m, 24h, 7d, or never"
        ),
    ] = "24h",
    deliver_after: Annotated[
        str,
        typer.Option("--deliver-after", metavar="DELAY", help="with --replay, after it was shipped; or never"),
    ] = "never",
    bad: options.Bad = "refuse",
    batch: Annotated[
        int, typer.Option("--batch", metavar="N", min=1, max=10_000, help="so many commands to a transaction")
    ] = 500,
    report: Annotated[
        str | None,
        typer.Option("--report", metavar="FILE", help="a CSV file for every row that did not become what it says"),
    ] = None,
) -> int:
    """CSV, also .gz. Safe to run twice. Without --replay orders are only placed, at their dates."""
    call = called(ctx)
    delays = {
        name: None if text == "never" else duration(text, option)
        for name, text, option in (
            ("ship_after", ship_after, "--ship-after"),
            ("deliver_after", deliver_after, "--deliver-after"),
        )
    }
    engine = call.engine()
    from orderstate.history import import_orders as import_file

    with progress(call.screen) as show:
        done = import_file(
            engine, file, mapping=map, replay=replay, bad=bad, batch=batch, report=report, progress=show, **delays
        )
    document = done.document()
    screen = call.screen
    if screen.json:
        screen.document(document)
    else:
        from orderstate.render import imports

        screen.facts(imports.facts(document) if screen.drawn else imports.exact_facts(document))
        call.next("doctor")
        call.suggest()
    return done.exit_status
