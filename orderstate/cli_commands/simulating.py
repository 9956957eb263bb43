"""What if: order history against strategies and networks."""

from __future__ import annotations

from typing import Annotated

import typer

from orderstate import outputs
from orderstate.cli_commands import completion, options
from orderstate.cli_commands.call import called
from orderstate.cli_commands.failing import UsageError
from orderstate.cli_commands.progress import progress


def simulate(
    ctx: typer.Context,
    orders: options.File,
    facilities: Annotated[
        str, typer.Option("--facilities", metavar="FILE", help="the network, as for facility import")
    ],
    stock: Annotated[str, typer.Option("--stock", metavar="FILE", help="what is in it, as for stock import")],
    map: options.Map = "online-retail",
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            "--strategy",
            metavar="NAME",
            help="a strategy to compare; repeatable; default: nearest, cheapest, fewest-shipments",
            autocompletion=completion.strategies,
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without", metavar="FACILITY", help="also with this facility closed; A,B closes both; repeatable"
        ),
    ] = None,
    move_stock: Annotated[
        bool, typer.Option("--move-stock", help="what a closed facility held goes to the nearest open one")
    ] = False,
    more: Annotated[
        str | None, typer.Option("--with", metavar="FILE", help="also with these facilities added or changed")
    ] = None,
    more_stock: Annotated[
        str | None, typer.Option("--with-stock", metavar="FILE", help="also with this stock counted in")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="a setting, instead of its default; repeatable"),
    ] = None,
    bad: options.Bad = "refuse",
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, max=64, help="processes; default: one a core")
    ] = None,
    csv: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="write a row for each strategy in each scenario")
    ] = None,
    report: Annotated[
        str | None,
        typer.Option("--report", metavar="FILE", help="write one HTML page (pip install 'orderstate[report]')"),
    ] = None,
) -> int:
    """In memory, on no database: each order is planned on what the ones before it have left."""
    call = called(ctx)
    screen = call.screen
    from orderstate.history.simulate import STRATEGIES, Addition, write_csv
    from orderstate.history.simulate import simulate as run

    if report is not None:
        from orderstate.history.report_page import require_matplotlib

        require_matplotlib()
        outputs.check(report, "--report")
    if csv is not None:
        outputs.check(csv, "--csv")
    with progress(screen) as show:
        found = run(
            orders,
            facilities=facilities,
            stock=stock,
            mapping=map,
            strategies=strategy or STRATEGIES,
            without=without or (),
            additions=[Addition(more, more_stock)] if more or more_stock else [],
            move_stock=move_stock,
            settings=dict(_pair(text) for text in settings or ()),
            bad=bad,
            workers=workers,
            progress=show,
        )
    if csv is not None:
        write_csv(found, csv)
    if report is not None:
        from orderstate.history.report_page import write_report

        write_report(found, report)
    document = found.document()
    from orderstate.render import simulation

    if screen.json:
        screen.document({**document, "timing": found.timing.document()})
        return 0
    if screen.drawn:
        screen.facts(simulation.facts(document), simulation.tables(document))
    else:
        screen.facts(simulation.exact_facts(document), simulation.exact_tables(document))
    for sentence in simulation.timing(found.timing.document()):
        screen.word(sentence)
    for file in (csv, report):
        if file is not None:
            screen.word(f"written: {file}")
    return 0


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise UsageError(f"--set: {text!r} is not KEY=VALUE", hint="--set cost.per_km=0.7")
    return key, value
