"""Commands that change orders."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from orderstate.cli_commands import completion, options
from orderstate.cli_commands.call import Call, alone, called
from orderstate.cli_commands.failing import UsageError, report
from orderstate.cli_commands.options import line_items

Lines = Annotated[
    list[str] | None,
    typer.Option(
        "--line",
        metavar="SKU:QTY",
        help="so many units of a SKU; repeatable; the last colon separates",
        autocompletion=completion.goods,
    ),
]


def _common(key: str | None, role: str, by: str | None, if_version: int | None) -> dict[str, Any]:
    return {"key": key, "role": role, "by": by, "if_version": if_version}


def place(
    ctx: typer.Context,
    line: Lines = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="DEST", help="where to: CC@LAT,LON or CC, such as US@39.74,-104.99"),
    ] = None,
    id: Annotated[str | None, typer.Option("--id", metavar="ID", help="an id of your own, not all digits")] = None,
    short: Annotated[
        str | None,
        typer.Option(
            "--short",
            metavar="POLICY",
            help="when stock is short: backorder, split or refuse; default: the setting's",
            autocompletion=completion.policies,
        ),
    ] = None,
    contact: Annotated[
        str | None, typer.Option("--contact", metavar="TEXT", help="whom to tell; kept on the order only")
    ] = None,
    file: Annotated[
        str | None, typer.Option("--file", "-f", metavar="FILE", help="orders in JSON or NDJSON; - for stdin")
    ] = None,
    key: options.Key = None,
    role: options.Role = "operator",
    by: options.By = None,
) -> int:
    """One order from the options, or many from a file, a transaction each."""
    call = called(ctx)
    if file is not None:
        given = {"--line": line, "--to": to, "--id": id, "--contact": contact, "--key": key}
        if clash := [option for option, value in given.items() if value]:
            raise UsageError(f"{clash[0]} does not go with --file: each order in it says so itself")
        from orderstate.cli_commands.feeding import place_all

        return place_all(call, file, short=short, role=role, by=by)
    if not line:
        raise UsageError("missing option --line", hint="orderstate place --line SKU:QTY --to DEST")
    if to is None:
        raise UsageError("missing option --to", hint="orderstate place --line SKU:QTY --to DEST")
    engine = call.engine()
    answer = engine.place(line_items(line), to, id=id, short=short, contact=contact, key=key, role=role, by=by)
    status = call.done(answer)
    call.suggest()
    return status


def untie(
    ctx: typer.Context,
    orders: options.Orders,
    reason: options.Reason = None,
    key: options.Key = None,
    role: options.Role = "operator",
    by: options.By = None,
    if_version: options.IfVersion = None,
) -> int:
    """Back to the state before the tie."""
    return _fire(ctx, orders, "untie", reason, key, role, by, if_version)


def ship(
    ctx: typer.Context,
    orders: options.Orders,
    key: options.Key = None,
    role: options.Role = "operator",
    by: options.By = None,
    if_version: options.IfVersion = None,
) -> int:
    """One shipment for each facility."""
    return _fire(ctx, orders, "ship", None, key, role, by, if_version)


def deliver(
    ctx: typer.Context,
    orders: options.Orders,
    key: options.Key = None,
    role: options.Role = "operator",
    by: options.By = None,
    if_version: options.IfVersion = None,
) -> int:
    """The end of the main path."""
    return _fire(ctx, orders, "deliver", None, key, role, by, if_version)


def fire(
    ctx: typer.Context,
    order: options.Order,
    trigger: Annotated[
        str,
        typer.Argument(
            metavar="TRIGGER", help="a trigger of the flow", autocompletion=completion.triggers, show_default=False
        ),
    ],
    reason: options.Reason = None,
    key: options.Key = None,
    role: options.Role = "operator",
    by: options.By = None,
    if_version: options.IfVersion = None,
) -> int:
    """Whatever the flow declares, also what has no command of its own."""
    return _fire(ctx, [order], trigger, reason, key, role, by, if_version)


def _fire(
    ctx: typer.Context,
    orders: list[str],
    trigger: str,
    reason: str | None,
    key: str | None,
    role: str,
    by: str | None,
    if_version: int | None,
) -> int:
    alone(orders, key, if_version)
    common = _common(key, role, by, if_version)
    return called(ctx).each(orders, lambda engine, order: [engine.fire(order, trigger, reason=reason, **common)])


def advance(
    ctx: typer.Context,
    orders: options.SomeOrders = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="STATE",
            help="take steps up to this state, a transaction each",
            autocompletion=completion.states,
        ),
    ] = None,
    due: Annotated[
        bool, typer.Option("--due", help="no ORDER: fire the timers that are due now, those due longest first")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="with --due: at most so many")
    ] = None,
    key: options.Key = None,
    role: options.Role = "operator",
    by: options.By = None,
    if_version: options.IfVersion = None,
) -> int:
    """A stop midway keeps the steps made."""
    named = orders or []
    call = called(ctx)
    if due:
        given = {
            "ORDER": named,
            "--until": until,
            "--key": key,
            "--if-version": if_version,
            "--by": by,
            "--as": None if role == "operator" else role,
        }
        if clash := [option for option, value in given.items() if value]:
            raise UsageError(
                f"{clash[0]} does not go with --due: timers fire by themselves, as the role system",
                hint="orderstate advance --due",
            )
        return _fire_due(call, limit)
    if limit is not None:
        raise UsageError("--limit goes with --due", hint=f"orderstate advance --due --limit {limit}")
    if not named:
        raise UsageError("no ORDER is named", hint="orderstate advance ORDER, or advance --due")
    alone(named, key, if_version)
    common = _common(key, role, by, if_version)
    return call.each(named, lambda engine, order: engine.advance(order, until=until, **common))


def _fire_due(call: Call, limit: int | None) -> int:
    """What is due, one after the other; then what is due next."""
    from orderstate.errors import OrderstateError
    from orderstate.render.words import moment

    engine = call.engine()
    status = fired = refused = 0
    for outcome in engine.fire_due(limit=limit):
        if isinstance(outcome, OrderstateError):
            refused += 1
            report(outcome, call)
            status = status or outcome.exit_status
        else:
            fired += 1
            call.done(outcome)
    call.forget()
    if call.screen.json:
        return status
    waiting = engine.next_due()
    stays = f"; {refused} refused, which stay due" if refused else ""
    done = f"{fired} fired{stays}" if fired or refused else "nothing is due"
    if waiting is None:
        call.screen.word(f"{done}; no order waits for a timer")
    elif waiting.due_at > engine.clock():
        call.screen.word(f"{done}; the next timer: {waiting.trigger} of {waiting.order}, {moment(waiting.due_at)} UTC")
    elif not refused:
        call.screen.word(f"{done}; more is due")
        call.next("advance", "--due")
    else:
        call.screen.word(done)
    call.suggest()
    return status


def cancel(
    ctx: typer.Context,
    orders: options.Orders,
    line: Lines = None,
    reason: options.Reason = None,
    key: options.Key = None,
    role: options.Role = "operator",
    by: options.By = None,
    if_version: options.IfVersion = None,
) -> int:
    """With --line only these units; the last unit cancels the order."""
    alone(orders, key, if_version)
    lines = line_items(line) if line else None
    common = _common(key, role, by, if_version)
    return called(ctx).each(orders, lambda engine, order: [engine.cancel(order, lines=lines, reason=reason, **common)])


def redirect(
    ctx: typer.Context,
    order: options.Order,
    to: options.Destination,
    key: options.Key = None,
    role: options.Role = "operator",
    by: options.By = None,
    if_version: options.IfVersion = None,
) -> int:
    """While the goods are still here."""
    common = _common(key, role, by, if_version)
    return called(ctx).each([order], lambda engine, one: [engine.redirect(one, to, **common)])


def split(
    ctx: typer.Context,
    order: options.Order,
    facility: Annotated[
        str,
        typer.Option(
            "--facility",
            metavar="FACILITY",
            help="whose part becomes an order of its own",
            autocompletion=completion.facilities,
        ),
    ],
    key: options.Key = None,
    role: options.Role = "operator",
    by: options.By = None,
    if_version: options.IfVersion = None,
) -> int:
    """The rest need not wait for a late facility."""
    common = _common(key, role, by, if_version)
    return called(ctx).each([order], lambda engine, one: [engine.split(one, facility, **common)])
