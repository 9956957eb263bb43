"""`tie`: orders by name, orders that wait, orders that are tied already."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orderstate.cli_commands import completion, options
from orderstate.cli_commands.call import Call, alone, called
from orderstate.cli_commands.failing import UsageError, report
from orderstate.cli_commands.options import plan_options

if TYPE_CHECKING:
    from orderstate.engine import Answer
    from orderstate.errors import OrderstateError


def tie(
    ctx: typer.Context,
    orders: options.SomeOrders = None,
    only: options.Only = None,
    exclude: options.Exclude = None,
    strategy: options.Strategy = None,
    max_shipments: options.MaxShipments = None,
    complete: options.Complete = False,
    whole_lines: options.WholeLines = False,
    again: Annotated[bool, typer.Option("--again", help="plan tied orders again, untie and tie in one step")] = False,
    every: Annotated[bool, typer.Option("--all", help="with --again: every tied order that it makes cheaper")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="with --again --all: only say what it would save")] = False,
    force: Annotated[bool, typer.Option("--force", help="with --again: the order may end backordered")] = False,
    waiting: Annotated[bool, typer.Option("--waiting", help="the orders that wait for stock, oldest first")] = False,
    sku: Annotated[
        str | None,
        typer.Option("--sku", metavar="SKU", help="with --waiting: for this SKU", autocompletion=completion.skus),
    ] = None,
    key: options.Key = None,
    role: options.Role = "operator",
    by: options.By = None,
    if_version: options.IfVersion = None,
) -> int:
    """Exit status 5 where an order was put to wait, because stock cannot cover it."""
    named = orders or []
    _fits(named, again=again, every=every, dry_run=dry_run, force=force, waiting=waiting, sku=sku)
    if every or waiting:
        for option, given in (("--key", key), ("--if-version", if_version)):
            if given is not None:
                raise UsageError(f"{option} goes with one order", hint=f"orderstate tie ORDER {option} {given}")
    alone(named, key, if_version)
    demanded = plan_options(only, exclude, max_shipments, complete, whole_lines)
    plans: dict[str, Any] = {"options": demanded, "strategy": strategy, "role": role, "by": by}
    call = called(ctx)
    engine = call.engine()
    if waiting:
        return _serve(call, engine.tie_waiting(sku=sku, **plans))
    if every:
        return _retie_all(call, engine.retie_all(dry_run=dry_run, **plans), dry_run)
    common = {**plans, "key": key, "if_version": if_version}
    if again:
        return call.each(named, lambda engine, order: [engine.retie(order, force=force, **common)])
    return call.each(named, lambda engine, order: [engine.tie(order, **common)])


def _fits(
    named: list[str], *, again: bool, every: bool, dry_run: bool, force: bool, waiting: bool, sku: str | None
) -> None:
    """Refuse options that say nothing together."""
    if not named and not every and not waiting:
        raise UsageError("no ORDER is named", hint="orderstate tie ORDER, tie --waiting, or tie --again --all")
    for option, given, needs, there in (
        ("--all", every, "--again", again),
        ("--force", force, "--again", again),
        ("--dry-run", dry_run, "--again --all", again and every),
        ("--sku", sku is not None, "--waiting", waiting),
    ):
        if given and not there:
            raise UsageError(f"{option} goes with {needs}", hint=f"orderstate tie {needs} {option}")
    for option, given, clashing, there in (
        ("--all", every, "ORDER", bool(named)),
        ("--waiting", waiting, "ORDER", bool(named)),
        ("--waiting", waiting, "--again", again),
        ("--all", every, "--force", force),
    ):
        if given and there:
            raise UsageError(f"{option} does not go with {clashing}", hint="orderstate tie --help")


def _serve(call: Call, outcomes: Iterable[Answer | OrderstateError]) -> int:
    """Orders that go on waiting are no error: they are counted."""
    from orderstate.errors import OrderstateError, StockShort

    status, tied, still = 0, 0, 0
    for outcome in outcomes:
        if isinstance(outcome, StockShort):
            still += 1
        elif isinstance(outcome, OrderstateError):
            report(outcome, call)
            status = status or outcome.exit_status
        else:
            tied += 1
            call.done(outcome)
    call.suggest()
    if not call.screen.json:
        call.screen.word(f"{tied} tied, {still} still waiting")
    return status


def _retie_all(call: Call, outcomes: Iterable[Answer | OrderstateError], dry_run: bool) -> int:
    from orderstate.errors import OrderstateError
    from orderstate.render.words import count, minor

    status, looked, changed, saved = 0, 0, 0, 0
    for outcome in outcomes:
        looked += 1
        if isinstance(outcome, OrderstateError):
            report(outcome, call)
            status = status or outcome.exit_status
        elif outcome.changed:
            changed += 1
            saved += outcome.document["saves"]
            call.done(outcome)
    call.forget()
    if not call.screen.json:
        would = "would be planned anew, and would save" if dry_run else "planned anew, saving"
        call.screen.word(f"{count(looked, 'tied order')} looked at; {changed} {would} {minor(saved)} minor units")
        if dry_run and changed:
            call.next("tie", "--again", "--all")
            call.suggest()
    return status
