"""A subscriber of the inventory service's own: what a cancelled order gives back is offered to those that wait."""

from __future__ import annotations

from orderstate import Engine
from orderstate.errors import OrderstateError, Refused, StockShort
from orderstate.model import Event


def reoffer(event: Event, engine: Engine) -> None:
    """Tie the orders that wait for what was released, oldest first. A repeat finds them tied."""
    for sku in sorted({str(sku) for _, sku, _, _ in event.payload.get("released", ())}):
        for outcome in engine.tie_waiting(sku=sku, role="system", by="reoffer"):
            if isinstance(outcome, OrderstateError) and not isinstance(outcome, Refused | StockShort):
                raise outcome
