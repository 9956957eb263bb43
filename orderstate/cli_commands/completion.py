"""What Tab offers. Names of the standard flow are written down here, so that a Tab loads neither machine nor database
driver for them; a test holds them equal to the flow."""

from __future__ import annotations

from collections.abc import Sequence

import typer

STATES = ("pending", "backordered", "inventory_tied", "shipping", "delivered", "cancelled")
TRIGGERS = ("tie_inventory", "untie", "ship", "deliver", "cancel")
ROLES = ("customer", "operator", "system")
POLICIES = ("backorder", "split", "refuse")
POOLS = ("primary", "back")
FORMATS = ("terminal", "mermaid", "dot")
MAPS = ("online-retail",)


def _among(known: Sequence[str], incomplete: str) -> list[str]:
    return [name for name in known if name.startswith(incomplete)]


def states(incomplete: str) -> list[str]:
    """States of the standard flow."""
    return _among(STATES, incomplete)


def triggers(incomplete: str) -> list[str]:
    """Triggers of the standard flow."""
    return _among(TRIGGERS, incomplete)


def roles(incomplete: str) -> list[str]:
    """Who may ask."""
    return _among(ROLES, incomplete)


def policies(incomplete: str) -> list[str]:
    """What an order does when stock is short."""
    return _among(POLICIES, incomplete)


def pools(incomplete: str) -> list[str]:
    """The pools of a facility."""
    return _among(POOLS, incomplete)


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


def skus(ctx: typer.Context, incomplete: str) -> list[str]:
    """SKUs."""
    return _peek(ctx, "skus", incomplete)


def goods(ctx: typer.Context, incomplete: str) -> list[str]:
    """SKUs as a line of one unit: the shell ends the word, so a SKU that waits for its quantity would not do."""
    return [f"{sku}:1" for sku in _peek(ctx, "skus", incomplete)]


def _peek(ctx: typer.Context, what: str, incomplete: str) -> list[str]:
    from orderstate.cli_commands.call import Call
    from orderstate.cli_commands.screen import Screen
    from orderstate.errors import OrderstateError
    from orderstate.store import peek

    call = Call(Screen.standard(), db=ctx.find_root().params.get("db"))
    try:
        return peek.names(call.database(), what, incomplete)
    except OrderstateError:
        # A Tab is no place for an error: a configuration that cannot be read completes nothing.
        return []
