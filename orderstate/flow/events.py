"""The names of events: in the past tense, in CamelCase, and none that the engine writes for something else."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orderstate.flow.finding import WARNING, Examined, Finding
from orderstate.model import Stock

RESERVED = {
    "OrderPlaced": "when an order is recorded",
    "OrderReduced": "when a part is cancelled",
    "OrderRedirected": "when the destination changes",
    "OrderSplit": "when a part becomes a child",
    "FlowChanged": "when another flow is put in force",
    "StockReceived": "about a facility",
    "StockAdjusted": "about a facility",
}
"""Events that the engine writes itself, with contents that no transition has."""

_TIED = "InventoryTied"
_CAMEL = re.compile(r"([A-Z][a-z0-9]+|[A-Z]+(?![a-z]))+")
_WORD = re.compile(r"[A-Z][a-z0-9]+|[A-Z]+(?![a-z])")
_IRREGULAR = (
    "Become", "Begun", "Bought", "Broken", "Brought", "Built", "Caught", "Chosen", "Come", "Cut", "Done", "Drawn",
    "Driven", "Fallen", "Felt", "Forgotten", "Fought", "Found", "Frozen", "Given", "Gone", "Grown", "Had", "Heard",
    "Held", "Hidden", "Hit", "Kept", "Known", "Laid", "Led", "Left", "Lent", "Let", "Lost", "Made", "Met",
    "Overdrawn", "Overridden", "Paid", "Prepaid", "Put", "Quit", "Read", "Rebuilt", "Redone", "Repaid", "Rerun",
    "Resent", "Reset", "Resold", "Rewritten", "Risen", "Run", "Said", "Seen", "Sent", "Set", "Shut", "Sold",
    "Spent", "Split", "Spoken", "Stolen", "Stood", "Stuck", "Swept", "Taken", "Thrown", "Told", "Undone", "Unpaid",
    "Unset", "Unsold", "Upset", "Withdrawn", "Withheld", "Won", "Written",
)  # fmt: skip


def events(examined: Examined) -> Iterator[Finding]:
    """Each transition whose event has a name that misleads."""
    stock = {state.name: state.stock for state in examined.flow.states}
    for index, transition in enumerate(examined.flow.transitions):
        name, trigger = transition.event, transition.trigger
        moves = {(stock[source], stock[transition.target]) for source in transition.sources}
        if name in RESERVED:
            yield examined.at_transition(
                "event_reserved",
                index,
                (),
                f"{trigger} writes {name}, which the engine writes itself {RESERVED[name]}",
                "give the event another name",
                "event",
            )
        elif name == _TIED and moves - {(Stock.FREE, Stock.TIED)}:
            yield examined.at_transition(
                "event_reserved",
                index,
                (),
                f"{trigger} writes {_TIED}, which carries a plan, but does not lead from free to tied stock",
                "give the event another name",
                "event",
            )
        elif not past_tense(name):
            yield examined.at_transition(
                "event_name",
                index,
                (),
                f"{trigger} writes {name}: events say what happened, in CamelCase, such as ShippingStarted",
                "give it a name in the past tense",
                "event",
                WARNING,
            )


def past_tense(name: str) -> bool:
    """CamelCase with a word that says that something happened: one that ends in `ed`, or an irregular one."""
    if not _CAMEL.fullmatch(name):
        return False
    words = _WORD.findall(name)
    return any(word in _IRREGULAR or (word.endswith("ed") and len(word) > 3) for word in words)
