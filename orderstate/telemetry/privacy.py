"""What is left out before anything is shown to others: contacts of customers, and logins of collectors.

Reasons quote what mail servers and messages said, and those quote addresses. So a reason is shown without the contact
that the order has, and without anything that looks like an address of a mailbox.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, unquote

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


_LOGIN = re.compile(r"(?<=://)[^/\s?#]*@")
_QUERY = re.compile(r"\?[^\s'\"<>()]+")
_SHORTEST = 4
"""Characters of a part of a secret from which on it is hidden wherever it stands."""


def without_secrets(sentence: str, environment: Mapping[str, str]) -> str:
    """What the exporters say, without the headers that the environment gives them, and without login and query of URLs.

    They quote both where they cannot be used: whole, in part, percent-encoded or decoded.
    """
    text = sentence
    for secret in sorted(set(_secrets(environment)), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _QUERY.sub(f"?{HIDDEN}", _LOGIN.sub(f"{HIDDEN}@", text))


def _secrets(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        if not name.startswith("OTEL_EXPORTER_OTLP_"):
            continue
        found: list[str] = []
        if name.endswith("HEADERS"):
            found += [value, *value.split(",")]
            for header in value.split(","):
                key, _, rest = header.partition("=") if "=" in header else header.partition(":")
                found += [rest] if rest else []
                found += (rest or key).split()
        elif name.endswith("ENDPOINT"):
            place, _, query = value.partition("?")
            login = place.partition("://")[2].rpartition("@")[0]
            found += [query, *(part.partition("=")[2] for part in query.split("&")), login, login.partition(":")[2]]
        for one in found:
            plain = one.strip()
            if len(plain) >= _SHORTEST:
                yield from {plain, quote(plain), quote(plain, safe=""), unquote(plain)}
