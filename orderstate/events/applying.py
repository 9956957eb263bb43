"""What a message of another system does here: a command is carried out, an event of another database is followed.

Where several databases hear of each other, each decides for itself and follows what others decided. What a database
wrote because it followed is an echo (its `by` is the source that was followed), and nobody follows an echo: so nothing
goes round in circles, and no two databases wind each other up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orderstate.engine.commands import Cancel, Command, Fire, Place, Redirect, line_items
from orderstate.engine.reading import read
from orderstate.engine.unit import Unit
from orderstate.errors import InvalidInput, NotFound, OrderstateError, Refused
from orderstate.events.incoming import Incoming
from orderstate.geo import destination
from orderstate.model import ROLES, Order, Transition
from orderstate.store import deliveries, events

COMMANDS = {
    "PlaceOrder": "place",
    "CancelOrder": "cancel",
    "StockReceived": "receive",
    "ShipmentDelivered": "deliver",
}
"""Types of messages that ask for something, and the command that each is."""

DATABASE = "/orderstate/"
"""How the source of every orderstate database begins."""

_CHANGES = ("OrderPlaced", "OrderReduced", "OrderRedirected", "OrderSplit")
"""Events that no transition writes."""

APPLIED, NOTHING = "applied", "nothing to do"

_TEXT = "text"
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (str, _TEXT), (bool, "true or false"), ((int, float), "a number"), (list, "a list"), (object, "an object"),
)  # fmt: skip
"""The kinds of values in JSON, the first that fits; null is a contact that is not given."""

_NOT_FOLLOWED = ("StockReceived", "StockAdjusted", "FlowChanged")
"""Events of another database that concern it alone: its goods lie there, and not here."""


def concerns(message: Incoming, own: str) -> bool:
    """False for what this database wrote itself, for an echo, and for what concerns another database alone."""
    if not message.source.startswith(DATABASE):
        return True
    by = message.data.get("by")
    echo = isinstance(by, str) and by.startswith(DATABASE)
    return message.source != own and not echo and message.type not in _NOT_FOLLOWED


def apply(unit: Unit, message: Incoming) -> str | OrderstateError:
    """Carry a message out in an open transaction: APPLIED, or NOTHING where its effect is there already.

    What a command refuses is given back: it changed nothing but the count of refusals. What is wrong with the message
    itself is raised, as InvalidInput, NotFound or Refused, before anything is changed.
    """
    if message.type in COMMANDS:
        return _done(unit, _command(message))
    return _follow(unit, message)


def _command(message: Incoming) -> Command:
    document = dict(message.data)
    if "command" in document:
        raise InvalidInput("command", document["command"], f"left out: the type {message.type} says it")
    name = COMMANDS[message.type]
    if message.subject and name in ("cancel", "deliver"):
        document.setdefault("order", message.subject)
    try:
        return read({"as": "system", "by": message.source, **document, "command": name})
    except InvalidInput as error:
        if error.values.get("field") != "contact":
            raise
        # The reason is kept and logged, and the contact has its place on the order alone: not a part of it is told.
        kind, expected = _kind(document["contact"]), str(error.values["expected"])
        sentence = f"contact: {kind} that cannot be kept: give {expected}, without NUL and half characters"
        if kind != _TEXT:
            sentence = f"contact: {kind} is not {expected}"
        raise InvalidInput("contact", kind, expected, sentence=sentence) from None


def _follow(unit: Unit, message: Incoming) -> str | OrderstateError:
    """Do here what an event says was done elsewhere."""
    _check(message.data)
    transitions = _transitions(unit, message)
    if message.type not in _CHANGES and not transitions:
        if message.source.startswith(DATABASE):
            return NOTHING  # a step of a flow that is not ours
        known = [*COMMANDS, "OrderPlaced", *dict.fromkeys(t.event for t in unit.machine.flow.transitions)]
        raise NotFound.named("type", message.type, known, hint=f"known: {', '.join(known)}")
    if not message.subject:
        raise InvalidInput("subject", None, "the id of the order")
    order = _known(unit, message.subject)
    if message.type == "OrderPlaced":
        return _place(unit, message, order)
    if order is None:
        return _stranger(unit, message)
    if message.type in _CHANGES:
        return _done(unit, _change(message, order))
    leaving = [t.trigger for t in transitions if order.state in t.sources]
    if not leaving and (order.state in {t.target for t in transitions} or _happened(unit, message)):
        return NOTHING
    said = message.data.get("trigger")
    trigger = said if said in leaving else (leaving or [t.trigger for t in transitions])[0]
    return _done(unit, Fire(order=order.id, trigger=str(trigger), reason=_reason(message), **_who(message)))


def _check(data: Mapping[str, Any]) -> None:
    """What every event may say beside its own, as schemas.event describes it. Raises InvalidInput."""
    if "as" in data and data["as"] not in ROLES:
        raise InvalidInput("as", data["as"], "one of " + ", ".join(ROLES))
    for name in ("by", "trigger", "to"):
        if name in data:
            _text(name, data[name])


def _transitions(unit: Unit, message: Incoming) -> list[Transition]:
    """What our flow has for an event: what writes it, or else what leads to the state that it says was reached."""
    declared = unit.machine.flow.transitions
    state = message.data.get("to")
    # A change that is no move says the state that the order stays in.
    moved = state if state != message.data.get("from") else None
    return [t for t in declared if t.event == message.type] or [t for t in declared if t.target == moved]


def _place(unit: Unit, message: Incoming, order: Order | None) -> str | OrderstateError:
    data = message.data
    for name in ("lines", "destination"):
        if name not in data:
            raise InvalidInput(name, None, "what the order asks for" if name == "lines" else "where the order goes")
    lines = _pairs("lines", data["lines"])
    to = _text("destination", data["destination"])
    if order is None:
        short = data.get("short")
        return _done(unit, Place(lines=lines, to=to, id=message.subject, short=short, theirs=True, **_who(message)))
    first = events.of(unit.tx, order.id, 1)[0].payload
    same = line_items(_pairs("lines", first["lines"])) == line_items(lines)
    if same and destination(str(first["destination"])) == destination(to):
        return NOTHING
    raise Refused(
        f"there is another order {order.id} here, for other goods or another place",
        code="order_exists",
        hint=f"orderstate show {order.id}",
    )


def _change(message: Incoming, order: Order) -> Command:
    """The command that repeats a change which is no move."""
    data, who = message.data, _who(message)
    if message.type == "OrderRedirected":
        return Redirect(order=order.id, to=_text("destination", data.get("destination")), **who)
    name = "moved" if message.type == "OrderSplit" else "cancelled"
    if name not in data:
        raise InvalidInput(name, None, 'units by SKU, such as [["MUG", 2]]')
    reason = f"went to {data.get('child')}" if name == "moved" else _reason(message)
    return Cancel(order=order.id, lines=_pairs(name, data[name]), reason=reason, **who)


def _stranger(unit: Unit, message: Incoming) -> str:
    """An event about an order that is not known here."""
    if not message.source.startswith(DATABASE):
        raise NotFound.named("order", message.subject, (), hint="orderstate list")
    placed = deliveries.received(unit.tx, message.source, f"{message.subject}:1")
    if placed is not None and placed[1] is not None:
        raise NotFound(
            f"{message.subject} is not known here: its OrderPlaced is parked",
            code="unknown_order",
            hint="replay that first: orderstate events parked",
        )
    return NOTHING


def _known(unit: Unit, order: str) -> Order | None:
    try:
        return unit.order(order)
    except NotFound:
        return None


def _happened(unit: Unit, message: Incoming) -> bool:
    return any(event.type == message.type for event in events.of(unit.tx, message.subject))


def _who(message: Incoming) -> dict[str, Any]:
    return {"role": message.data.get("as", "system"), "by": message.source}


def _reason(message: Incoming) -> str | None:
    reason = message.data.get("reason")
    return reason if isinstance(reason, str) else None


def _kind(value: object) -> str:
    """What a value of JSON is, and nothing of what it says."""
    return next(name for types, name in _KINDS if isinstance(value, types))


def _text(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidInput(field, value, "text")
    return value


def _pairs(field: str, given: object) -> list[tuple[Any, Any]]:
    if not isinstance(given, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in given):
        raise InvalidInput(field, given, 'pairs such as [["MUG", 2]]')
    return [(pair[0], pair[1]) for pair in given]


def _done(unit: Unit, command: Command) -> str | OrderstateError:
    outcome = unit.attempt(command)
    if isinstance(outcome, OrderstateError):
        return outcome
    return APPLIED if outcome.changed and not outcome.repeated else NOTHING
