"""Telling the customer: what happens when one event is to be told, with no transaction open and no database.

    with open_channels(Notify.read(rows)) as channels:
        tell(Notice(event, order, source), channels, folder)     # raises Later or Never (orderstate/events/outcomes.py)

The names are loaded when they are first asked for, so that who tells by one channel does not load the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orderstate.lazily import named

if TYPE_CHECKING:
    from orderstate.events.notify.channels import Channel, Channels, open_channels, tell
    from orderstate.events.notify.message import Message, Notice
    from orderstate.events.notify.rendering import Checked, check, render, silenced

_HOME = {
    "Channel": "channels",
    "Channels": "channels",
    "Checked": "rendering",
    "Message": "message",
    "Notice": "message",
    "check": "rendering",
    "open_channels": "channels",
    "render": "rendering",
    "silenced": "rendering",
    "tell": "channels",
}

__all__ = [
    "Channel",
    "Channels",
    "Checked",
    "Message",
    "Notice",
    "check",
    "open_channels",
    "render",
    "silenced",
    "tell",
]


__getattr__, __dir__ = named(__name__, _HOME)
