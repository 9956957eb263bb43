"""Two subscribers of one's own: docs/events.md tells how they are added.

PYTHONPATH=examples orderstate subscribers add ship-small subscribers:ship_small --kind local --type InventoryTied
PYTHONPATH=examples orderstate subscribers add journal subscribers:journal --kind outside
PYTHONPATH=examples orderstate work
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from orderstate import Engine
from orderstate.engine.commands import Fire
from orderstate.engine.unit import Unit
from orderstate.events.outcomes import Later, Never
from orderstate.events.wire import encode, source
from orderstate.model import Event

SMALL = 2
"""Units up to which nobody needs to look at an order before it leaves."""

JOURNAL = Path("journal.ndjson")
TOO_LONG = 1_000_000
"""Bytes of a line that whoever reads the journal would not take."""


def ship_small(event: Event, unit: Unit) -> None:
    """Local: small orders leave as soon as their stock is tied, in the transaction that marks the event delivered."""
    order = unit.order(event.subject)
    if order.open_units > SMALL or "ship" not in unit.machine.choices(order.state):
        return  # somebody else was faster, or sent the order elsewhere: what was asked for once is not asked for again
    unit.execute(Fire(order=order.id, trigger="ship", role="system", by="ship-small"))


def journal(event: Event, engine: Engine) -> None:
    """Outside: every event as a line of CloudEvents in a file, which another program reads."""
    line = encode(event, source(engine.id)) + b"\n"
    if len(line) > TOO_LONG:
        raise Never(f"{event.id} is {len(line)} bytes long, and at most {TOO_LONG} are read")  # parked at once
    try:
        with JOURNAL.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())  # who returns says that it arrived
    except BlockingIOError:
        raise Later("the journal is being read", after=2) from None


journal.lease = 10  # type: ignore[attr-defined]  # seconds until another worker may call it for the same event
