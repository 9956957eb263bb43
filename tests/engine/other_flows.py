"""A flow with names of its own, and a world with an order in every state of the standard flow."""

from __future__ import annotations

import json
import re
from typing import Any

from worlds import World

from orderstate.flow import document, read
from orderstate.machine import STANDARD
from orderstate.store.doctor import examine

RECEIVED = read(
    """
name: received
initial: received
path: [tie, send]
states:
  received: {stock: free}
  waiting: {stock: free}
  reserved: {stock: tied}
  sent: {stock: gone, final: true}
  dropped: {stock: free, final: true}
transitions:
  - {trigger: tie, from: [received, waiting], to: reserved, event: StockReserved, guards: [stock_covers_order]}
  - {trigger: tie, from: received, to: waiting, event: OrderDelayed, guards: [may_wait]}
  - {trigger: free, from: reserved, to: received, event: StockFreed}
  - {trigger: send, from: reserved, to: sent, event: OrderSent}
  - {trigger: drop, from: [received, waiting, reserved], to: dropped, event: OrderDropped}
"""
)
"""Hardly a name of it is the standard flow's."""
TO_RECEIVED = {
    "pending": "received",
    "backordered": "waiting",
    "inventory_tied": "reserved",
    "shipping": "sent",
    "delivered": "sent",
    "cancelled": "dropped",
}


def stand(world: World) -> None:
    """Put an order in each state of the standard flow, each named after it."""
    world.facility("DEN", "39.74,-104.99", MUG=9)
    world.order(id="pending", MUG=1)
    world.engine.tie(world.order(id="backordered", MUG=50))
    world.tied(id="inventory_tied", MUG=2)
    world.engine.ship(world.tied(id="shipping", MUG=1))
    world.engine.ship(world.tied(id="delivered", MUG=1))
    world.engine.deliver("delivered")
    world.engine.cancel(world.order(id="cancelled", MUG=1))


def renamed(one: str, other: str) -> dict[str, Any]:
    """The standard flow with the names of two states exchanged."""
    names = {f'"{one}"': f'"{other}"', f'"{other}"': f'"{one}"'}
    found: dict[str, Any] = json.loads(re.sub("|".join(names), lambda m: names[m[0]], json.dumps(document(STANDARD))))
    return found


def states(world: World) -> dict[str, str]:
    """The state of each order."""
    return dict(world.rows("SELECT id, state FROM orders"))


def sound(world: World) -> bool:
    """The doctor finds nothing wrong."""
    engine = world.engine
    found = examine(engine.store, tied_states=engine.tied_states(), states=list(engine.machine.states))
    return all(finding.level != "wrong" for finding in found)
