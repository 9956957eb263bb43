"""A guard of one's own that answers as a test likes. It is named by its dotted path, so it lives in a module."""

from __future__ import annotations

from collections.abc import Mapping

from orderstate.guards import Facts
from orderstate.model import Order, Refusal

MOODY = "moods:moody"
MOOD = {"agrees": True}


def moody(order: Order, facts: Facts, params: Mapping[str, str]) -> Refusal | None:
    """It agrees, or not."""
    return None if MOOD["agrees"] else Refusal("moody", "not today")
