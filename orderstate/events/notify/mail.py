"""A message as a mail: RFC 5322 with text and HTML, the same bytes at every repeat."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP, Policy
from typing import Self

from orderstate.addresses import Mailbox, mailbox
from orderstate.errors import InvalidInput
from orderstate.events.notify.facts import line
from orderstate.events.notify.message import Message

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Every server takes 7 bits; a long line is folded or encoded, never sent as it is.
_POLICY = SMTP.clone(cte_type="7bit")
_IN_A_NAME = " .'’-_&+!/"
_LONGEST_NAME = 60
_LONGEST_WORDS = 200


def recipient(message: Message) -> Mailbox | None:
    """The mailbox of the contact; None where there is no contact, or one that is no mail address."""
    try:
        return None if message.to is None else mailbox("contact", message.to)
    except InvalidInput:
        return None


def mail(message: Message, sender: Mailbox | None, to: Mailbox | None) -> EmailMessage:
    """The mail that carries a message. What is not visible text has no way into a header."""
    made = EmailMessage(policy=_POLICY)
    made["Message-ID"] = message.message_id
    made["Date"] = _EPOCH + timedelta(microseconds=message.at)
    if sender is not None:
        made["From"] = _header("From", sender)
    if to is not None:
        made["To"] = _header("To", to)
    elif message.to is not None:
        made["X-Orderstate-Contact"] = _words("X-Orderstate-Contact", message.to)
    made["Subject"] = _words("Subject", message.subject)
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic reply, please
    made["X-Orderstate-Event"] = message.webhook_id
    made.set_content(message.text)
    if message.html is not None:
        made.add_alternative(message.html, subtype="html")
        made.set_boundary(_boundary(message, message.html))
    return made


def content(made: EmailMessage, *, utf8: bool = False) -> bytes:
    """The bytes of a mail, lines ending in CRLF. `utf8`: headers hold UTF-8 (RFC 6532), for addresses that need it."""
    return made.as_bytes(policy=_POLICY.clone(utf8=True) if utf8 else _POLICY)


def ascii_address(box: Mailbox) -> str:
    """The address with its domain in ASCII (IDNA); what stands before the sign may still not be."""
    local, _, domain = box.address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"


class _Written(str):
    """A header that is written as we say: `name` makes the email package take it as it is.

    Its own reading and folding loses blanks between encoded words, and decodes `=?utf-8?q?=0A?=` into a line break.
    """

    name: str
    box: Mailbox | None

    def __new__(cls, name: str, text: str, box: Mailbox | None = None) -> Self:
        made = super().__new__(cls, text)
        made.name = name
        made.box = box
        return made

    def fold(self, *, policy: Policy) -> str:
        """The header on lines of at most 78 characters where it can be split, as bytes on the wire will be."""
        if self.box is None:
            return f"{self.name}: {self._encoded(str(self), policy.linesep)}{policy.linesep}"
        address = f"<{ascii_address(self.box)}>"
        if not self:
            return f"{self.name}: {address}{policy.linesep}"
        phrase = f'"{self}"' if self.isascii() else self._encoded(str(self), policy.linesep)
        return f"{self.name}: {phrase}{policy.linesep} {address}{policy.linesep}"

    def _encoded(self, text: str, linesep: str) -> str:
        return Header(text, maxlinelen=76, header_name=self.name).encode(linesep=linesep)


def _words(name: str, text: str) -> _Written:
    """Text as a header. `=?` would be read as an encoded word by whoever receives it."""
    return _Written(name, (line(text) or "")[:_LONGEST_WORDS].replace("=?", "= ?"))


def _header(name: str, box: Mailbox) -> _Written:
    """A mailbox as a header. Names are for the eye only, so punctuation that mail gives a meaning to is left out."""
    shown = "".join(c if c.isalnum() or c in _IN_A_NAME else " " for c in box.name)
    return _Written(name, " ".join(shown.split())[:_LONGEST_NAME].strip(), box)


def _boundary(message: Message, html: str) -> str:
    """What parts text from HTML: made from the id so that a repeat is equal, and in neither of the two."""
    number = 0
    while (boundary := f"=_{message.digest[:40]}_{number}") in message.text or boundary in html:
        number += 1
    return boundary
