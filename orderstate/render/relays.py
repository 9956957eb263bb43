"""What relay and consume did, as a person and as a program sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orderstate.events.applying import APPLIED, NOTHING
from orderstate.events.consuming import IGNORED, REPEATED, Heard
from orderstate.events.relaying import Relayed
from orderstate.events.verdicts import PARKED
from orderstate.render.tables import Column
from orderstate.render.words import count, iso

RELAYED = (
    Column("relay"),
    Column("published", number=True),
    Column("parked", number=True),
    Column("later", number=True),
    Column("waiting", number=True),
)
CONSUMED = (
    Column("source"),
    Column("group"),
    Column("applied", number=True),
    Column("nothing", number=True),
    Column("repeated", number=True),
    Column("ignored", number=True),
    Column("parked", number=True),
)
OUTCOMES = (APPLIED, NOTHING, REPEATED, IGNORED, PARKED)
"""In the order of the columns."""


def relayed(name: str, done: Relayed, waiting: int) -> tuple[str | int, ...]:
    """A row of RELAYED. `waiting`: what is still on its way."""
    return name, done.published, done.parked, done.later, waiting


def relayed_sentence(name: str, done: Relayed, waiting: int) -> str:
    """The same in words."""
    more = [
        f"{number:,} {what}" for number, what in ((done.parked, "parked"), (waiting, "still on their way")) if number
    ]
    return f"{count(done.published, 'event')} to {name}" + "".join(f", {one}" for one in more)


def consumed(name: str, group: str, tally: Mapping[str, int]) -> tuple[str | int, ...]:
    """A row of CONSUMED, from how often each outcome came."""
    return name, group, *(tally.get(outcome, 0) for outcome in OUTCOMES)


def consumed_sentence(name: str, tally: Mapping[str, int]) -> str:
    """The same in words."""
    parts = [f"{tally[outcome]:,} {outcome}" for outcome in OUTCOMES if tally.get(outcome)]
    return f"{count(sum(tally.values()), 'message')} from {name}" + (f": {', '.join(parts)}" if parts else "")


def sentence(heard: Heard) -> str:
    """What became of one message."""
    named = f"{heard.type or 'a message'} {heard.id} of {heard.source}"
    return f"{named}: {heard.outcome}" + (f": {heard.reason}" if heard.reason else "")


def message(heard: Heard, at: int) -> dict[str, Any]:
    """`consume --log json`: one message, written down at that moment (UTC us)."""
    return {
        "at": iso(at),
        "level": "error" if heard.outcome == PARKED else "info",
        "message": sentence(heard),
        "source": heard.source,
        "id": heard.id,
        "type": heard.type,
        "subject": heard.subject or None,
        "outcome": heard.outcome,
        "reason": heard.reason,
        "took": round(heard.took, 6),
    }
