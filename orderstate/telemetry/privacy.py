"""What is left out before anything is shown to others: contacts of customers.

Reasons quote what mail servers and messages said, and those quote addresses. So a reason is shown without the contact
that the order has, and without anything that looks like an address of a mailbox.
"""

from __future__ import annotations

import re

HIDDEN = "[hidden]"

_MAILBOX = re.compile(r"""[^\s<>()\[\]"',;:@]+@[^\s<>()\[\]"',;:@]+""")
_FIELD = re.compile(r"contact: .*", re.DOTALL)
"""How an error about a contact begins that cannot be used; what follows quotes it, maybe in part."""


def shown(reason: str, contact: object = None) -> str:
    """A reason without the contact, as far as it can be found in there."""
    text = _FIELD.sub(f"contact: {HIDDEN}", reason)
    if contact is not None and str(contact).strip():
        text = text.replace(str(contact).strip(), HIDDEN)
    return _MAILBOX.sub(HIDDEN, text)
