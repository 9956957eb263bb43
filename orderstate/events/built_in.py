"""The subscribers that every database begins with. Each may hear of the same event twice, and acts once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orderstate.engine import Engine
from orderstate.engine.commands import Fire
from orderstate.engine.unit import Unit
from orderstate.errors import OrderstateError, Refused, StockShort
from orderstate.model import Event


def sourcing(event: Event, unit: Unit) -> None:
    """An order was placed: tie the best stock to it, or let it wait."""
    _fire(unit, event.subject, unit.machine.tying, "sourcing")


def fulfilment(event: Event, unit: Unit) -> None:
    """Inventory is tied: send the order off."""
    _fire(unit, event.subject, unit.machine.sending, "fulfilment")


def _fire(unit: Unit, order: str, wanted: Callable[[str], str | None], by: str) -> None:
    """Fire what the flow offers from where the order stands; where it offers nothing, somebody was here before us."""
    trigger = wanted(unit.order(order).state)
    if trigger is None:
        return
    outcome = unit.attempt(Fire(order=order, trigger=trigger, role="system", by=by))
    # A refusal is an answer: it is counted with the order, and asking again would not change it.
    if isinstance(outcome, OrderstateError) and not isinstance(outcome, Refused | StockShort):
        raise outcome


def restock(event: Event, engine: Engine) -> None:
    """Goods came in, or back: tie the orders that wait for them, oldest first, each in a transaction of its own.

    So nobody waits for a long queue; a repeat finds the orders tied, and has nothing to do. It understands
    StockReceived, StockAdjusted, and every event of an order that gave stock back.
    """
    for sku in _came(event.payload):
        for outcome in engine.tie_waiting(sku=sku, role="system", by="restock"):
            if isinstance(outcome, OrderstateError) and not isinstance(outcome, Refused | StockShort):
                raise outcome


def _came(payload: Mapping[str, Any]) -> list[str]:
    """The SKUs of which an event brought more."""
    received = [sku for sku, *_ in payload.get("received", ())]
    released = [sku for _, sku, *_ in payload.get("released", ())]
    counted = [payload["sku"]] if payload.get("on_hand", 0) > payload.get("was", 0) else []
    return list(dict.fromkeys(map(str, [*received, *released, *counted])))


restock.lease = 600  # type: ignore[attr-defined]  # read by registry.handler


def notify(event: Event, engine: Engine) -> None:
    """Tell the customer. Raises Later and Never."""
    with _telling(engine) as told:
        told(event)


@contextmanager
def _telling(engine: Engine) -> Iterator[Callable[[Event], object]]:
    from orderstate.events.notify import Notice, open_channels, tell
    from orderstate.events.wire import source
    from orderstate.settings import Notify

    settings = Notify.read(engine.settings())
    folder = Path(settings.templates) if settings.templates else None
    origin = source(engine.id)
    with open_channels(settings) as channels:
        yield lambda event: tell(Notice(event, engine.order(event.subject), origin), channels, folder)


notify.lease = 900  # type: ignore[attr-defined]  # a mail may take two minutes, and finding the server by its name longer
notify.opened = _telling  # type: ignore[attr-defined]  # one connection to the mail server for many events
