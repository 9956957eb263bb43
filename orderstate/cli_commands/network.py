"""Facilities and stock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orderstate.cli_commands import options
from orderstate.cli_commands.call import Call, called
from orderstate.cli_commands.failing import UsageError

if TYPE_CHECKING:
    from orderstate.history.network import Imported

At = Annotated[str | None, typer.Option("--at", metavar="LAT,LON", help="its position in degrees; empty: not known")]
Country = Annotated[str | None, typer.Option("--country", metavar="CC", help="its country, ISO 3166")]
Name = Annotated[str | None, typer.Option("--name", metavar="TEXT", help="what people call it")]
Gateway = Annotated[
    str | None,
    typer.Option(
        "--gateway",
        metavar="IATA[@LAT,LON]",
        help="the airport that its orders abroad leave through; empty: the nearest large one",
    ),
]
Priority = Annotated[
    str | None, typer.Option("--priority", metavar="N", help="lower is asked first by the strategy priority")
]
Closed = Annotated[bool | None, typer.Option("--closed/--open", help="whether it may ship")]
Cost = Annotated[
    list[str] | None,
    typer.Option(
        "--cost", metavar="NAME=AMOUNT", help="a cost of its own, in minor units; NAME= returns to the setting's"
    ),
]


def facility_add(
    ctx: typer.Context,
    code: Annotated[str, typer.Argument(metavar="CODE", help="1 to 32 letters, digits, '.', '_' or '-'")],
    country: Annotated[str, typer.Option("--country", metavar="CC", help="its country, ISO 3166")],
    at: At = None,
    name: Name = None,
    gateway: Gateway = None,
    priority: Priority = None,
    closed: Closed = None,
    cost: Cost = None,
    key: options.Key = None,
    role: options.Role = "operator",
    by: options.By = None,
) -> int:
    """Without --at it comes last in every plan."""
    values = _values(country, at, name, gateway, priority, closed, cost)
    return _set(called(ctx), code, values, new=True, key=key, role=role, by=by)


def facility_set(
    ctx: typer.Context,
    code: options.Facility,
    country: Country = None,
    at: At = None,
    name: Name = None,
    gateway: Gateway = None,
    priority: Priority = None,
    closed: Closed = None,
    cost: Cost = None,
    key: options.Key = None,
    role: options.Role = "operator",
    by: options.By = None,
) -> int:
    """Only what is named changes."""
    values = _values(country, at, name, gateway, priority, closed, cost)
    if not values:
        raise UsageError("name what to change", hint=f"orderstate facility set {code} --closed")
    return _set(called(ctx), code, values, new=False, key=key, role=role, by=by)


def _values(
    country: str | None,
    at: str | None,
    name: str | None,
    gateway: str | None,
    priority: str | None,
    closed: bool | None,
    cost: list[str] | None,
) -> dict[str, Any]:
    named = {"country": country, "priority": priority, "closed": closed}
    values: dict[str, Any] = {field: value for field, value in named.items() if value is not None}
    # Given empty, these are cleared.
    clearable = {"at": at, "name": name, "gateway": gateway}
    values |= {field: value or None for field, value in clearable.items() if value is not None}
    if cost:
        values["costs"] = dict(_amount(text) for text in cost)
    return values


def _amount(text: str) -> tuple[str, str | None]:
    name, sign, amount = text.partition("=")
    if not sign or not name:
        raise UsageError(f"--cost: {text!r} is not NAME=AMOUNT", hint="--cost per_km=0.5")
    return name, amount or None


def _set(call: Call, code: str, values: dict[str, Any], *, new: bool, **common: Any) -> int:
    from orderstate.engine.commands import SetFacility

    status = call.done(call.engine().execute(SetFacility(facility=code, values=values, new=new, **common)))
    if new:
        call.next("stock", "receive", code, "SKU", "QTY")
    else:
        call.next("facility", "list")
    call.suggest()
    return status


def facility_list(ctx: typer.Context) -> int:
    """By code."""
    call = called(ctx)
    found = call.engine().facilities()
    from orderstate.render import documents, network

    call.screen.each(found, documents.facility, network.FACILITIES, network.facilities)
    if not found and call.screen.drawn:
        call.screen.line("no facilities")
    return 0


def facility_import(
    ctx: typer.Context,
    file: options.File,
    bad: options.Bad = "refuse",
    role: options.Role = "operator",
    by: options.By = None,
) -> int:
    """Columns: code, country, at (or lat and lon), name, gateway, priority, closed."""
    call = called(ctx)
    from orderstate.history.network import import_facilities

    done = import_facilities(call.engine(), file, skip_bad=options.keeps(bad), role=role, by=by)
    return _imported(call, done, ("facility", "list"))


def stock_receive(
    ctx: typer.Context,
    facility: options.Facility,
    sku: options.Sku,
    quantity: Annotated[str, typer.Argument(metavar="QTY", help="units that came in", show_default=False)],
    pool: options.Pool = "primary",
    key: options.Key = None,
    role: options.Role = "operator",
    by: options.By = None,
) -> int:
    """A SKU that is new becomes known."""
    call = called(ctx)
    from orderstate.engine.commands import Receive

    command = Receive(facility=facility, items=[(sku, quantity, pool)], key=key, role=role, by=by)
    answer = call.engine().execute(command)
    status = call.done(answer)
    waiting = [str(one["order"]) for one in answer.document["waiting"]]
    for order in waiting:
        call.next("tie", order)
    if not waiting:
        call.next("stock", "list", "--sku", sku)
    call.suggest()
    return status


def stock_adjust(
    ctx: typer.Context,
    facility: options.Facility,
    sku: options.Sku,
    by: Annotated[str | None, typer.Option("--by", metavar="N", help="so many more, or with - fewer, on hand")] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="N", help="so many on hand")] = None,
    safety: Annotated[str | None, typer.Option("--safety", metavar="N", help="so many are not for sale")] = None,
    pool: options.Pool = "primary",
    untie: Annotated[
        bool, typer.Option("--untie", help="where orders hold more than is left, untie the newest of them")
    ] = False,
    reason: options.Reason = None,
    key: options.Key = None,
    role: options.Role = "operator",
    name: Annotated[str | None, typer.Option("--by-name", metavar="NAME", help="a name to keep with the event")] = None,
) -> int:
    """Below what orders hold it is refused, naming them, unless --untie."""
    call = called(ctx)
    answer = call.engine().adjust(
        facility,
        sku,
        by_units=by,
        to_units=to,
        safety=safety,
        pool=pool,
        untie=untie,
        reason=reason,
        key=key,
        role=role,
        by=name,
    )
    status = call.done(answer)
    for order in answer.document.get("untied", ()):
        call.next("tie", order)
    call.next("stock", "list", "--sku", sku)
    call.suggest()
    return status


def stock_list(ctx: typer.Context, sku: options.SkuFilter = None, facility: options.FacilityFilter = None) -> int:
    """Available is what a new order could tie: on hand, less allocated, less safety stock."""
    call = called(ctx)
    found = call.engine().stock(sku=sku, facility=facility)
    from orderstate.render import documents, network

    call.screen.each(found, documents.stock, network.STOCK, network.stock)
    return 0


def stock_import(
    ctx: typer.Context,
    file: options.File,
    bad: options.Bad = "refuse",
    role: options.Role = "operator",
    by: options.By = None,
) -> int:
    """Columns: facility, sku, on_hand, and if you like pool, safety, grams. What the file does not name is left."""
    call = called(ctx)
    from orderstate.history.network import import_stock

    done = import_stock(call.engine(), file, skip_bad=options.keeps(bad), role=role, by=by)
    return _imported(call, done, ("stock", "list"))


def _imported(call: Call, done: Imported, then: tuple[str, ...]) -> int:
    """Say what an import did; rows that were skipped are named on stderr."""
    from orderstate.render.tables import Column
    from orderstate.render.words import count, plain

    screen = call.screen
    if screen.json:
        screen.document(done.document())
        return 0
    sentence = f"{done.file}: {count(done.rows, 'row')}, {done.kept} kept, {count(done.changed, 'facility')} changed"
    if not screen.drawn:
        names = ("file", "rows", "kept", "changed", "bad")
        screen.rows([Column(name) for name in names], [[getattr(done, name) for name in names]])
    screen.say(plain(sentence))
    if done.bad:
        screen.word(f"skipped {count(done.bad, 'bad row')}:")
        for bad in done.bad_rows:
            screen.word(f"  {plain(str(bad))}")
        if done.bad > len(done.bad_rows):
            screen.word(f"  and {done.bad - len(done.bad_rows)} more")
    call.next(*then)
    call.suggest()
    return 0
