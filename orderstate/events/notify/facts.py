"""What a template may say: the variables, made of one event and its order.

Every name is always there, None or empty where an event has nothing to say to it, so that a template that was checked
once stays right. Every text is on one line without invisible signs: it may end in a header, a terminal or a mail, and
half of it was written by strangers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from orderstate.addresses import mailbox
from orderstate.errors import InvalidInput
from orderstate.events.notify.message import Notice
from orderstate.events.outcomes import Never
from orderstate.geo import destination
from orderstate.model import Order

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_JOINERS = "\u200c\u200d"

Facts = dict[str, Any]


def facts(notice: Notice) -> Facts:
    """The variables of a notice. Raises Never where the event's payload is not what its type promises."""
    event, order = notice.event, notice.order
    at = _EPOCH + timedelta(microseconds=event.at)
    try:
        found = {
            "order": order.id,
            "event": event.type,
            "number": event.number,
            "state": event.target or order.state,
            "date": f"{at:%Y-%m-%d}",
            "time": f"{at:%H:%M}",
            "shop": line(notice.shop),
            "contact": line(order.contact),
            "name": _name(order),
            "parent": order.parent,
            "country": order.destination.country,
            "destination": str(order.destination),
            "by_customer": event.role == "customer",
            **_goods(notice),
            **_happened(event.payload),
        }
    except (KeyError, TypeError, ValueError, AttributeError, InvalidInput) as error:
        raise Never(f"the payload of {event.id} ({event.type}) cannot be read: {error!r}") from error
    return found


def _goods(notice: Notice) -> Facts:
    """The lines: as they were placed where that is told, else what is still wanted as the order stands."""
    event, order = notice.event, notice.order
    if event.type == "OrderPlaced" and "lines" in event.payload:
        lines = _rows(event.payload["lines"], "sku", "units")
    else:
        lines = [{"sku": line(each.sku), "units": each.open} for each in order.lines if each.open]
    return {"lines": lines, "units": sum(each["units"] for each in lines)}


def _happened(payload: Mapping[str, Any]) -> Facts:
    """What the payloads of the engine's events hold, each by the one name that it has in all of them."""
    short = payload.get("short")
    shipments = _rows(payload.get("shipments", ()), "facility", "units")
    before = payload.get("from")
    return {
        "reason": line(payload.get("reason")),
        "cancelled": _rows(payload.get("cancelled", ()), "sku", "units"),
        "short": _rows(short.items(), "sku", "units") if isinstance(short, Mapping) else [],
        "shipments": shipments,
        "parcels": len(shipments),
        "several_parcels": len(shipments) > 1,
        "moved": _rows(payload.get("moved", ()), "sku", "units"),
        "child": line(payload.get("child")),
        "old_country": None if before is None else destination(before).country,
        "old_destination": line(before),
    }


def _rows(found: Iterable[Any], first: str, second: str) -> list[Facts]:
    return [{first: line(name), second: _whole(units)} for name, units in found]


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is no whole number")
    return value


def line(text: str | None) -> str | None:
    """The text on one line, without what is invisible or turns the direction of reading; None and nothing stay None."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError(f"{text!r} is no text")
    words = "".join(c if c.isprintable() or c in _JOINERS else " " for c in text).split()
    return " ".join(words) or None


def _name(order: Order) -> str | None:
    """What the contact calls itself, if it does: `Ada` of `Ada <ada@example.org>`."""
    if order.contact is None:
        return None
    try:
        return line(mailbox("contact", order.contact).name)
    except InvalidInput:
        return None
