"""What a command answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one command. `document` is its JSON shape, kept under the key and given again to a repeat.

    It always has `command`, `changed` (False: there was nothing to do) and `exit` (0, or 5 where an order was put to
    wait for stock). For an order it also has `order`, `was` and `state` (`was` is None before it existed), `version`
    and `events` (their ids). `repeated` is True when the key was known, so that nothing was done now.
    """

    document: Mapping[str, Any]
    repeated: bool = field(default=False, compare=False)

    @property
    def command(self) -> str:
        """The command's name."""
        return str(self.document["command"])

    @property
    def order(self) -> str:
        """The order's id. Raises KeyError for a command that is not about an order."""
        return str(self.document["order"])

    @property
    def was(self) -> str | None:
        """The state before, None for a new order."""
        found = self.document.get("was")
        return None if found is None else str(found)

    @property
    def state(self) -> str:
        """The state afterwards. Raises KeyError for a command that is not about an order."""
        return str(self.document["state"])

    @property
    def version(self) -> int:
        """The number of the order's, or the facility's, newest event."""
        return int(self.document["version"])

    @property
    def events(self) -> tuple[str, ...]:
        """Ids of the events that the command wrote."""
        return tuple(self.document.get("events", ()))

    @property
    def changed(self) -> bool:
        """False where there was nothing to do."""
        return bool(self.document["changed"])

    @property
    def exit_status(self) -> int:
        """0, or 5 where the order was put to wait because stock cannot cover it."""
        return int(self.document["exit"])
