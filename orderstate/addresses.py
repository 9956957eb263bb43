"""Where messages go: mailboxes, mail servers and webhooks, from text to values.

Everything here is read from settings or from an order's contact, and ends in a header, on a socket or in both: what
could break out of a line is refused here, once. Nothing is looked up and nothing is connected to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from orderstate.errors import InvalidInput

STARTTLS, TLS, NO_TLS = "starttls", "tls", "none"
_PORTS = {STARTTLS: 587, TLS: 465, NO_TLS: 25}
_TIMEOUT = 30
_MOST_TIMEOUT = 60

_LOCAL = re.compile(r'[^\s@<>()\[\],;:\\".]+(?:\.[^\s@<>()\[\],;:\\".]+)*')
_HOST = re.compile(r"(?!-)[\w-]{1,63}(?<!-)(?:\.(?!-)[\w-]{1,63}(?<!-))*")
_NAMED = re.compile(r"(?P<name>[^<>@]*?)\s*<(?P<address>[^<>]*)>")
_NEAR = (".local", ".internal", ".localhost")

_MAILBOX_FORM = "a mail address, such as ada@example.org or Ada <ada@example.org>"
_SERVER_FORM = "a mail server, such as smtp://user@mail.example.org:587?tls=starttls"
_WEBHOOK_FORM = "an address that begins with https://"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mail address (RFC 5321, without quoted or numeric forms), and the name of whose it is."""

    address: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address


@dataclass(frozen=True, slots=True)
class MailServer:
    """A mail server that takes messages from us. `timeout`: seconds for connecting in all, and for a mail in all."""

    host: str
    port: int
    tls: str = STARTTLS
    user: str = ""
    timeout: float = _TIMEOUT

    def __str__(self) -> str:
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        wait = f"&timeout={self.timeout:g}" if self.timeout != _TIMEOUT else ""
        return f"smtp://{user}{host}:{self.port}?tls={self.tls}{wait}"


def mailbox(field: str, text: str) -> Mailbox:
    """A mailbox from `ada@example.org` or `Ada <ada@example.org>`. Raises InvalidInput with that field."""
    plain = text.strip()
    named = _NAMED.fullmatch(plain)
    name, address = (named["name"], named["address"]) if named else ("", plain)
    name = name.strip().strip('"').strip()
    local, _, domain = address.rpartition("@")
    usable = (
        plain.isprintable()
        and _LOCAL.fullmatch(local)
        and _HOST.fullmatch(domain)
        and len(local.encode()) <= 64
        and len(address.encode()) <= 254
    )
    if not usable:
        raise InvalidInput(field, text, _MAILBOX_FORM)
    try:
        domain.encode("idna")
    except UnicodeError:
        raise InvalidInput(field, text, _MAILBOX_FORM) from None
    return Mailbox(address, name)


def mail_server(field: str, text: str) -> MailServer:
    """A mail server from `smtp://USER@HOST:PORT?tls=starttls|tls|none&timeout=SECONDS`; `smtps://HOST` means tls=tls.

    Without `tls`: starttls; without a port: 587 for starttls, 465 for tls, 25 for none. Raises InvalidInput with that
    field: no such address, a password in it, or a login that would go unencrypted over a network.
    """
    parts = _split(field, text, _SERVER_FORM)
    options = dict(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=8))
    if parts.scheme not in ("smtp", "smtps") or parts.path not in ("", "/") or set(options) - {"tls", "timeout"}:
        raise InvalidInput(field, text, _SERVER_FORM)
    if parts.password is not None:
        raise InvalidInput(
            field,
            text.replace(parts.password, "***") if parts.password else text,
            "a mail server without a password in it",
            hint="give the password in the environment, as ORDERSTATE_SMTP_PASSWORD",
        )
    tls = options.get("tls", TLS if parts.scheme == "smtps" else STARTTLS)
    if tls not in _PORTS or (parts.scheme == "smtps" and tls != TLS):
        raise InvalidInput(field, text, f"{_SERVER_FORM}; tls is starttls, tls or none")
    timeout = options.get("timeout", str(_TIMEOUT))
    if not (timeout.isascii() and timeout.isdigit() and 1 <= int(timeout[:9]) <= _MOST_TIMEOUT):
        raise InvalidInput(field, text, f"{_SERVER_FORM}; timeout is 1 to {_MOST_TIMEOUT} seconds")
    user, host = unquote(parts.username or ""), str(parts.hostname)
    if not user.isprintable():
        raise InvalidInput(field, text, _SERVER_FORM)
    if user and tls == NO_TLS and not nearby(host):
        raise InvalidInput(field, text, "a mail server that is logged in to over tls=starttls or tls=tls")
    return MailServer(host, parts.port or _PORTS[tls], tls, user, int(timeout))


def webhook(field: str, text: str) -> str:
    """The address of a webhook: https, or http within a private network. Raises InvalidInput with that field."""
    parts = _split(field, text, _WEBHOOK_FORM)
    if parts.scheme not in ("http", "https") or parts.fragment:
        raise InvalidInput(field, text, _WEBHOOK_FORM)
    if parts.username is not None or parts.password is not None:
        shown = text.replace(parts.netloc, "***@" + parts.netloc.rpartition("@")[2])
        raise InvalidInput(field, shown, f"{_WEBHOOK_FORM}, without a name or password in it")
    if parts.scheme == "http" and not nearby(str(parts.hostname)):
        raise InvalidInput(field, text, f"{_WEBHOOK_FORM} (http only within a private network)")
    return text.strip()


def nearby(host: str) -> bool:
    """True for a host that is not reached over the public network: loopback, private addresses, names of one word."""
    try:
        found = ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_NEAR)
    return found.is_private or found.is_loopback


class _Parts:
    """What urlsplit found, read once: its host and port raise only when they are asked for."""

    __slots__ = ("fragment", "hostname", "netloc", "password", "path", "port", "query", "scheme", "username")

    def __init__(self, text: str) -> None:
        found = urlsplit(text)
        self.scheme, self.netloc, self.path, self.query, self.fragment = found
        self.username, self.password, self.hostname, self.port = (
            found.username, found.password, found.hostname, found.port,
        )  # fmt: skip


def _split(field: str, text: str, expected: str) -> _Parts:
    plain = text.strip()
    # urlsplit would drop line breaks and tabs without a word
    if not plain.isascii() or not plain.isprintable() or " " in plain:
        raise InvalidInput(field, text, expected)
    try:
        parts = _Parts(plain)
    except ValueError:
        raise InvalidInput(field, text, expected) from None
    host = parts.hostname
    if not host or parts.port == 0 or not (_HOST.fullmatch(host) or _is_address(host)):
        raise InvalidInput(field, text, expected)
    return parts


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
