"""What is told, as values: the notice that comes in, the message that goes out, and the names that make it unique."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from orderstate.model import Event, Order

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_ODD = re.compile(r"[^A-Za-z0-9_-]")
_READABLE = 60


@dataclass(frozen=True, slots=True)
class Notice:
    """One event to be told to the customer, and the order as it is when told.

    `source` is the CloudEvents source of the database, with its random id; `shop` is what the shop calls itself.
    """

    event: Event
    order: Order
    source: str
    shop: str = ""

    @property
    def id(self) -> str:
        """`<source>/1001:3`: unique in the world, and the same at every repeat."""
        return f"{self.source}/{self.event.id}"


@dataclass(frozen=True, slots=True)
class Message:
    """What the customer is told: made once, sent by every channel. Everything but the body is on one line.

    `id` is that of the notice. `to` is the order's contact as it was written, or None. `html` is None where there is no
    template for it. `at` is when it happened (UTC microseconds), not when it is told: a repeat is equal to the byte.
    `facts` are the template variables, for receivers that find words of their own.
    """

    id: str
    to: str | None
    subject: str
    text: str
    html: str | None = None
    source: str = ""
    event: str = ""
    type: str = ""
    order: str = ""
    at: int = 0
    facts: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)

    @property
    def digest(self) -> str:
        """64 hexadecimal digits that stand for the id wherever signs or length are limited."""
        return hashlib.sha256(self.id.encode()).hexdigest()

    @property
    def file_name(self) -> str:
        """`1001-3.2c26b46b68ffc68f`: readable, safe on every file system, and different for every id.

        The digest keeps apart what a file system takes for the same (`Web-1`, `web-1`), and other databases' orders.
        """
        readable = _ODD.sub("-", self.event)[-_READABLE:].lstrip("-")
        return f"{readable}.{self.digest[:16]}"

    @property
    def message_id(self) -> str:
        """The Message-ID of a mail (RFC 5322): the same at every repeat, whoever sends it from wherever."""
        return f"<{self.file_name}@{self.digest[16:32]}.orderstate>"

    @property
    def webhook_id(self) -> str:
        """The id with only such signs as fit a header and leave the dot to the signature, which separates by it."""
        return re.sub(r"[^A-Za-z0-9_:/-]", lambda found: quoted(found[0]), self.id)


def quoted(text: str) -> str:
    """Each byte as `%2E`."""
    return "".join(f"%{byte:02X}" for byte in text.encode())
