"""Arguments and options that several commands share, each under one name with one meaning."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from orderstate.cli_commands import completion
from orderstate.cli_commands.failing import UsageError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

Order = Annotated[
    str, typer.Argument(metavar="ORDER", help="id of an order", autocompletion=completion.orders, show_default=False)
]
Orders = Annotated[
    list[str],
    typer.Argument(metavar="ORDER...", help="ids of orders", autocompletion=completion.orders, show_default=False),
]
SomeOrders = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ORDER...]", help="ids of orders", autocompletion=completion.orders, show_default=False),
]
Key = Annotated[
    str | None,
    typer.Option("--key", metavar="KEY", help="makes it safe to repeat: the same key gives the first answer again"),
]
Role = Annotated[
    str,
    typer.Option(
        "--as",
        metavar="ROLE",
        help="who asks: customer, operator or system",
        autocompletion=completion.roles,
        show_default=True,
    ),
]
By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="a name to keep with the event")]
IfVersion = Annotated[
    int | None, typer.Option("--if-version", metavar="N", min=1, help="only if the order is at this version")
]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="why; kept with the event")]
Destination = Annotated[
    str, typer.Option("--to", metavar="DEST", help="where to: CC@LAT,LON or CC, such as US@39.74,-104.99")
]
Facility = Annotated[
    str,
    typer.Argument(
        metavar="FACILITY", help="code of a facility", autocompletion=completion.facilities, show_default=False
    ),
]
FacilityFilter = Annotated[
    str | None,
    typer.Option("--facility", metavar="FACILITY", help="of this facility", autocompletion=completion.facilities),
]
Sku = Annotated[
    str, typer.Argument(metavar="SKU", help="what is stored", autocompletion=completion.skus, show_default=False)
]
SkuFilter = Annotated[
    str | None, typer.Option("--sku", metavar="SKU", help="with this SKU", autocompletion=completion.skus)
]
Pool = Annotated[
    str,
    typer.Option("--pool", metavar="POOL", help="primary or back", autocompletion=completion.pools, show_default=True),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only", metavar="FACILITY", help="only from this facility; repeatable", autocompletion=completion.facilities
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude", metavar="FACILITY", help="not from this facility; repeatable", autocompletion=completion.facilities
    ),
]
Strategy = Annotated[
    str | None,
    typer.Option(
        "--strategy",
        metavar="NAME",
        help="a strategy, instead of the setting's; a name or package.module:function",
        autocompletion=completion.strategies,
    ),
]
MaxShipments = Annotated[
    int | None, typer.Option("--max-shipments", metavar="N", min=1, help="from at most so many facilities")
]
Complete = Annotated[bool, typer.Option("--complete", help="the whole order or nothing")]
WholeLines = Annotated[bool, typer.Option("--whole-lines", help="each line whole from one facility, or not at all")]


def _named(file: str) -> str:
    if not file:
        raise UsageError("the name of the file is empty")
    return file


File = Annotated[
    str, typer.Argument(metavar="FILE", help="a CSV file, may end in .gz", show_default=False, callback=_named)
]
Bad = Annotated[
    str, typer.Option("--bad", metavar="POLICY", help="refuse the whole file for one bad row, or keep the good rows")
]
Map = Annotated[
    str,
    typer.Option(
        "--map",
        metavar="MAP",
        help="how columns become fields: the name of a built-in mapping, or a YAML file",
        autocompletion=completion.maps,
        show_default=True,
    ),
]


def plan_options(
    only: list[str] | None, exclude: list[str] | None, max_shipments: int | None, complete: bool, whole_lines: bool
) -> Any:
    """What the caller demands of a plan, as allocation.Options."""
    from orderstate.allocation import NO_OPTIONS, Options

    found = Options(
        only=frozenset(only or ()),
        exclude=frozenset(exclude or ()),
        max_shipments=max_shipments,
        complete=complete,
        whole_lines=whole_lines,
    )
    return NO_OPTIONS if found == NO_OPTIONS else found


def keeps(bad: str) -> bool:
    """True for `--bad keep`. Raises UsageError for what is neither keep nor refuse."""
    if bad not in ("refuse", "keep"):
        raise UsageError(f"--bad: {bad!r} is not refuse or keep", hint="--bad keep")
    return bad == "keep"


def line_items(given: list[str], option: str = "--line") -> list[tuple[str, Any]]:
    """(SKU, units as text) from `SKU:QTY`; the last colon separates, so that a SKU may hold colons."""
    items = []
    for text in given:
        sku, colon, units = text.rpartition(":")
        if not colon or not sku:
            raise UsageError(f"{option}: {text!r} is not SKU:QTY", hint=f"{option} MUG:2")
        items.append((sku, units))
    return items


def duration(text: str, option: str) -> int:
    """Microseconds from `90s`, `30m`, `48h`, `7d` or `2w`. Raises UsageError."""
    found = re.fullmatch(r"(\d{1,6})([smhdw])", text.strip(), re.ASCII)
    if found is None:
        raise UsageError(f"{option}: {text!r} is not a time such as 90s, 30m, 48h, 7d or 2w")
    return int(found[1]) * _SECONDS[found[2]] * 1_000_000
