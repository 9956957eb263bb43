"""Questions about orders."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from orderstate.cli_commands import completion, options
from orderstate.cli_commands.call import Call, called
from orderstate.cli_commands.failing import UsageError
from orderstate.cli_commands.options import duration, plan_options
from orderstate.errors import InvalidInput

if TYPE_CHECKING:
    from orderstate.engine import Planned


def show(
    ctx: typer.Context,
    order: Annotated[
        str,
        typer.Argument(
            metavar="ORDER[@N]",
            help="id of an order; with @N as it was at version N",
            autocompletion=completion.orders,
            show_default=False,
        ),
    ],
) -> int:
    """Lines, from where each unit comes and why from there, shipments, children."""
    call = called(ctx)
    order_id, at, number = order.partition("@")
    if at and not (number.isascii() and number.isdigit() and len(number) < 10):
        raise UsageError(f"{order!r} is not ORDER@VERSION", hint=f"orderstate show {order_id}@1")
    found = call.engine().show(order_id, int(number) if at else None)
    screen = call.screen
    if screen.json:
        from orderstate.render.documents import shown

        screen.document(shown(found))
        return 0
    from orderstate.render import orders

    if screen.drawn:
        screen.facts(orders.facts(found, call.carried), orders.tables(found, exact=False))
    else:
        screen.facts(orders.exact_facts(found), orders.tables(found, exact=True))
    if not at:
        call.continue_from(found.order.id, found.order.state)
        call.suggest()
    return 0


def list_orders(
    ctx: typer.Context,
    state: Annotated[
        str | None,
        typer.Option("--state", metavar="STATE", help="in this state", autocompletion=completion.states),
    ] = None,
    sku: options.SkuFilter = None,
    facility: Annotated[
        str | None,
        typer.Option(
            "--facility",
            metavar="FACILITY",
            help="with stock tied or shipped there",
            autocompletion=completion.facilities,
        ),
    ] = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="that wait for stock, oldest first")] = False,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="AGE", help="at least so long in their state, longest first: 90s, 30m, 48h, 7d, 2w"
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=100_000, help="at most so many")] = 50,
    after: Annotated[
        str | None,
        typer.Option(
            "--after",
            metavar="ORDER",
            help="the page behind this order, the last of the page before",
            autocompletion=completion.orders,
        ),
    ] = None,
) -> int:
    """A page of orders."""
    call = called(ctx)
    found = call.engine().orders(
        state=state,
        sku=sku,
        facility=facility,
        waiting=waiting,
        older_than=None if older_than is None else duration(older_than, "--older-than"),
        after=after,
        limit=limit,
    )
    screen = call.screen
    if screen.json:
        from orderstate.render.documents import summary

        for one in found:
            screen.document(summary(one))
        return 0
    from orderstate.render import listing

    if screen.drawn:
        screen.rows(listing.LIST_DRAWN, listing.listed_drawn(found))
        if not found:
            screen.line("no orders" if after is None else "no more orders")
    else:
        screen.rows(listing.LIST, listing.listed(found))
    if len(found) == limit:
        filters = {"--state": state, "--sku": sku, "--facility": facility, "--older-than": older_than}
        words = [word for option, value in filters.items() if value is not None for word in (option, value)]
        words += ["--waiting"] * waiting + (["--limit", str(limit)] if limit != 50 else [])
        screen.word("more: " + call.command("list", *words, "--after", found[-1].id))
    return 0


def history(
    ctx: typer.Context,
    order: options.Order,
    as_scenario: Annotated[
        bool, typer.Option("--as-scenario", help="as a scenario that runs, with the stock that the order saw")
    ] = False,
    file: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="write the scenario to a new file")
    ] = None,
) -> int:
    """Every event with its number, and what was refused, counted."""
    call = called(ctx)
    if as_scenario:
        return _retold(call, order, file)
    if file is not None:
        raise UsageError("-o goes with --as-scenario", hint=f"orderstate history {order} --as-scenario -o {file}")
    found = call.engine().history(order)
    if call.screen.json:
        from orderstate.render.documents import history as told

        call.screen.document(told(found))
        return 0
    from orderstate.render import orders

    if call.screen.drawn:
        for line in orders.history_drawn(found, call.screen.width):
            call.screen.line(line)
    else:
        call.screen.rows(orders.HISTORY, orders.history(found))
    return 0


def _retold(call: Call, order: str, file: str | None) -> int:
    """What happened to an order as a scenario."""
    from orderstate.cli_commands.scripting import named_as_scenario, write
    from orderstate.cli_commands.scripting import show as print_all
    from orderstate.scenario import from_history

    if file is not None:
        named_as_scenario(file)
    scenario = from_history(call.engine(), order)
    if file is None:
        print_all(call, [scenario])
    else:
        write(call, scenario, file)
    return 0


def why(
    ctx: typer.Context,
    order: options.Order,
    trigger: Annotated[
        str | None,
        typer.Argument(metavar="[TRIGGER]", help="only this trigger", autocompletion=completion.triggers),
    ] = None,
    role: options.Role = "operator",
) -> int:
    """For each trigger: would it go, every reason that it would not, and what would make it possible."""
    call = called(ctx)
    from orderstate.model import ROLES

    if role not in ROLES:
        raise InvalidInput("as", role, "one of " + ", ".join(ROLES))
    found = call.engine().why(order, trigger, role=role)
    from orderstate.render import documents, orders

    if call.screen.json:
        call.screen.document(documents.explanation(found, role, call.carried))
    elif call.screen.drawn:
        for line in orders.why_drawn(found, role, call.screen.width, call.carried):
            call.screen.line(line)
    else:
        call.screen.rows(orders.WHY, orders.why(found, call.carried))
        if found.timer is not None:
            call.screen.word(orders.BY_ITSELF + orders.timer_line(found.timer, found.asked_at, call.carried))
    return 0


def plan(
    ctx: typer.Context,
    order: options.Order,
    strategy: options.Strategy = None,
    only: options.Only = None,
    exclude: options.Exclude = None,
    max_shipments: options.MaxShipments = None,
    complete: options.Complete = False,
    whole_lines: options.WholeLines = False,
    check: Annotated[bool, typer.Option("--check", help="repeat the plan's proof with an independent checker")] = False,
    prove: Annotated[
        bool, typer.Option("--prove", help="close an open gap with HiGHS (pip install 'orderstate[prove]')")
    ] = False,
) -> int:
    """Changes nothing: what a tie would do now, or the plan that the order was tied with."""
    call = called(ctx)
    demanded = plan_options(only, exclude, max_shipments, complete, whole_lines)
    found = call.engine().plan(order, options=demanded, strategy=strategy)
    if prove:
        found = replace(found, plan=found.prove())
    from orderstate.render import documents, plans

    screen = call.screen
    if check:
        return _checked(call, found)
    if screen.json:
        screen.document(documents.planned(found))
        return 0
    if screen.drawn:
        currency = call.engine().settings()["currency"]
        tables = [plans.takes(found.plan), plans.costs(found), plans.facilities(found.plan)]
        screen.facts(plans.facts(found, currency), tables)
    else:
        screen.facts(plans.exact_facts(found), [*plans.exact_tables(found.plan), plans.exact_costs(found)])
    if not found.stored:
        call.continue_from(found.order.id, found.order.state)
        call.suggest()
    return 0


def _checked(call: Call, found: Planned) -> int:
    """What the independent checker says of a plan; 0 where everything that it covers holds."""
    findings, extent = found.check()
    screen = call.screen
    if screen.json:
        screen.document({"order": found.order.id, "verified": not findings, "extent": extent, "findings": findings})
    elif findings:
        for finding in findings:
            screen.say(f"wrong: {finding}")
    else:
        screen.say(f"{found.order.id}: the plan holds; {extent}")
    return 1 if findings else 0


def strategies(ctx: typer.Context) -> int:
    """Built in, or offered by an installed package under the entry point group orderstate.strategies."""
    call = called(ctx)
    from orderstate.allocation import strategies as registered
    from orderstate.render.network import STRATEGIES

    call.screen.each(
        registered().items(),
        lambda found: {"strategy": found[0], "doc": found[1]},
        STRATEGIES,
        lambda found: found,
    )
    return 0
