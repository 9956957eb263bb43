"""What Tab offers. Names of the standard flow are written down here, so that a Tab loads no machine for them; a test
holds them equal to the flow."""

from __future__ import annotations

from collections.abc import Sequence

import typer

STATES = ("pending", "backordered", "inventory_tied", "shipping", "delivered", "cancelled")
TRIGGERS = ("tie_inventory", "untie", "ship", "deliver", "cancel")
ROLES = ("customer", "operator", "system")
POLICIES = ("backorder", "split", "refuse")
POOLS = ("primary", "back")
KINDS = ("local", "outside")
TYPES = (
    "FlowChanged", "InventoryTied", "InventoryUntied", "OrderBackordered", "OrderCancelled", "OrderDelivered",
    "OrderPlaced", "OrderRedirected", "OrderReduced", "OrderSplit", "ShippingStarted", "StockAdjusted", "StockReceived",
)  # fmt: skip
FORMATS = ("terminal", "mermaid", "dot", "svg", "png", "pdf")
MAPS = ("online-retail",)


def _among(known: Sequence[str], incomplete: str) -> list[str]:
    return [name for name in known if name.startswith(incomplete)]


def states(ctx: typer.Context, incomplete: str) -> list[str]:
    """States of the flow in force."""
    return _among(_flow(ctx)[0], incomplete)


def triggers(ctx: typer.Context, incomplete: str) -> list[str]:
    """Triggers of the flow in force."""
    return _among(_flow(ctx)[1], incomplete)


def roles(incomplete: str) -> list[str]:
    """Who may ask."""
    return _among(ROLES, incomplete)


def policies(incomplete: str) -> list[str]:
    """What an order does when stock is short."""
    return _among(POLICIES, incomplete)


def pools(incomplete: str) -> list[str]:
    """The pools of a facility."""
    return _among(POOLS, incomplete)


def kinds(incomplete: str) -> list[str]:
    """The kinds of subscribers that a worker serves."""
    return _among(KINDS, incomplete)


def types(incomplete: str) -> list[str]:
    """Types of events under the standard flow."""
    return _among(TYPES, incomplete)


def formats(incomplete: str) -> list[str]:
    """The formats of a diagram."""
    return _among(FORMATS, incomplete)


def maps(incomplete: str) -> list[str]:
    """The built-in maps of an import."""
    return _among(MAPS, incomplete)


def strategies(incomplete: str) -> list[str]:
    """The built-in strategies."""
    from orderstate.allocation.registry import BUILT_IN

    return _among(list(BUILT_IN), incomplete)


def settings(incomplete: str) -> list[str]:
    """The keys of all settings."""
    from orderstate.settings import SETTINGS

    return _among(list(SETTINGS), incomplete)


def orders(ctx: typer.Context, incomplete: str) -> list[str]:
    """Order ids, newest first."""
    return _peek(ctx, "orders", incomplete)


def facilities(ctx: typer.Context, incomplete: str) -> list[str]:
    """Codes of facilities."""
    return _peek(ctx, "facilities", incomplete)


def subscribers(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of subscribers."""
    return _peek(ctx, "subscribers", incomplete)


def events(ctx: typer.Context, incomplete: str) -> list[str]:
    """Ids of events, of the orders whose ids begin so."""
    order, colon, _ = incomplete.partition(":")
    found = _peek(ctx, "events", order)
    return [id for id in found if id.startswith(incomplete)] if colon else found


def skus(ctx: typer.Context, incomplete: str) -> list[str]:
    """SKUs."""
    return _peek(ctx, "skus", incomplete)


def goods(ctx: typer.Context, incomplete: str) -> list[str]:
    """SKUs as a line of one unit: the shell ends the word, so a SKU that waits for its quantity would not do."""
    return [f"{sku}:1" for sku in _peek(ctx, "skus", incomplete)]


def _flow(ctx: typer.Context) -> tuple[Sequence[str], Sequence[str]]:
    """(states, triggers) of the flow in force; of the standard one where the database says no other."""
    from orderstate.store import peek

    url = _database(ctx)
    return (None if url is None else peek.flow(url)) or (STATES, TRIGGERS)


def _peek(ctx: typer.Context, what: str, incomplete: str) -> list[str]:
    from orderstate.store import peek

    url = _database(ctx)
    return [] if url is None else peek.names(url, what, incomplete)


def _database(ctx: typer.Context) -> str | None:
    """Which database is meant. A Tab is no place for an error: None for a configuration that cannot be read."""
    from orderstate.cli_commands.call import Call
    from orderstate.cli_commands.screen import Screen
    from orderstate.errors import OrderstateError

    try:
        return Call(Screen.standard(), db=ctx.find_root().params.get("db")).database()
    except OrderstateError:
        return None
