"""The subscribers that every database begins with. Each may hear of the same event twice, and acts once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

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
    """Goods came in: tie the orders that wait for them, oldest first, each in a transaction of its own.

    So nobody waits for a long queue; a repeat finds the orders tied, and has nothing to do.
    """
    for sku in dict.fromkeys(str(item[0]) for item in event.payload.get("received", ())):
        for outcome in engine.tie_waiting(sku=sku, role="system", by="restock"):
            if isinstance(outcome, OrderstateError) and not isinstance(outcome, Refused | StockShort):
                raise outcome


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


notify.lease = 900  # type: ignore[attr-defined]  # a slow mail server answers a dozen times, for a minute each
notify.opened = _telling  # type: ignore[attr-defined]  # one connection to the mail server for many events
