"""What a URL of a broker says: hosts, login, path, options. And what may be told of it: never the password."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from orderstate.errors import InvalidInput, NotFound
from orderstate.events.outcomes import Later, Never

PASSWORD = "ORDERSTATE_BROKER_PASSWORD"
"""The environment variable that holds the password, where the URL has none."""

NAME = "orderstate"
"""Stream, topic, exchange and group, where none is named."""

PORTS = {
    "nats": 4222,
    "kafka": 9092,
    "amqp": 5672,
    "amqps": 5671,
    "redis": 6379,
    "rediss": 6379,
    "http": 80,
    "https": 443,
}

WEB = ("http", "https")
_LISTS = ("nats", "kafka", "amqp", "amqps")
"""Schemes that take several hosts."""

_SLIP = re.compile(rf"({'|'.join([*PORTS, 'file'])}):(?!//)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}", re.ASCII)
_YES, _NO = ("1", "yes", "true", "on"), ("0", "no", "false", "off")


@dataclass(frozen=True, slots=True)
class Address:
    """A URL taken apart. `path` is its parts, decoded; `options` what follows the `?` (for http, the `#`)."""

    scheme: str
    hosts: tuple[tuple[str, int], ...]
    user: str | None
    password: str | None = field(repr=False)
    path: tuple[str, ...]
    query: str = field(repr=False)
    options: Mapping[str, str]
    lone: bool = False
    """The user stands in the URL without a password, where some write a token: it is not shown."""

    @property
    def server(self) -> str:
        """Scheme and hosts."""
        return f"{self.scheme}://{','.join(f'{_bracketed(host)}:{port}' for host, port in self.hosts)}"

    def only(self, *known: str) -> None:
        """Raises NotFound, with the nearest known, for an option that is not one of these."""
        for name in self.options:
            if name not in known:
                raise NotFound.named("option", name, known, hint=f"{self.scheme} has: {', '.join(sorted(known))}")

    def seconds(self, name: str, default: float) -> float:
        """An option in seconds, above zero and at most a day."""
        text = self.options.get(name, str(default))
        try:
            found = float(text)
        except ValueError:
            found = -1.0
        if not 0 < found <= 86_400:
            raise InvalidInput(name, text, "a number of seconds above 0 and at most 86400")
        return found

    def count(self, name: str, default: int, most: int = 1_000_000_000) -> int:
        """An option that is a whole number from 1 on."""
        text = self.options.get(name, str(default))
        found = int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else 0
        if not 1 <= found <= most:
            raise InvalidInput(name, text, f"a whole number from 1 to {most}")
        return found

    def flag(self, name: str, default: bool) -> bool:
        """An option that is yes or no."""
        text = self.options.get(name, "yes" if default else "no").casefold()
        if text not in _YES + _NO:
            raise InvalidInput(name, text, "yes or no")
        return text in _YES

    def choice(self, name: str, default: str, known: Sequence[str]) -> str:
        """An option that is one of a few words."""
        text = self.options.get(name, default)
        if text not in known:
            raise InvalidInput(name, text, f"one of {', '.join(known)}")
        return text

    def names(self, name: str, default: str) -> tuple[str, ...]:
        """An option that is names, separated by commas; empty: none."""
        return tuple(plain(name, part) for part in self.options.get(name, default).split(",") if part)

    def clean(self, error: BaseException | str) -> str:
        """What an error says, without the password in any form in which a client might repeat it.

        Nor with the query of a web address, which may hold a secret of the receiver.
        """
        text = error if isinstance(error, str) else str(error) or type(error).__name__
        secrets = {self.password, self.user if self.lone else None, self.query if self.scheme in WEB else None}
        known = [secret for secret in secrets if secret]
        # The longest first: a short one may be a part of it.
        for secret in sorted({*known, *(quote(secret, safe="") for secret in known)}, key=len, reverse=True):
            text = text.replace(secret, "***")
        return re.sub(r"^\[Errno -?\d+\] ", "", text.strip()).rstrip(".")


def parsed(url: str) -> Address:
    """Take a URL apart. Raises InvalidInput, which shows no credentials, and NotFound for a scheme that is not ours."""
    scheme, _, rest = url.partition("://")
    scheme = scheme.casefold()
    if scheme not in PORTS:
        known = [f"{name}://" for name in PORTS]
        # Nothing behind a colon: that could be a login.
        raise NotFound.named(
            "broker", f"{scheme.partition(':')[0]}://", known, hint=f"known: {', '.join(known)}, a FILE, or -"
        )
    form = f"a URL as {scheme}://HOST[:PORT]{'[,HOST...]' if scheme in _LISTS else ''}/NAME"
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        login, _, where = parts.netloc.rpartition("@")
        hosts = tuple(_host(one, PORTS[scheme]) for one in where.split(",") if one)
    except ValueError:
        hosts = ()
    if not hosts or (len(hosts) > 1 and scheme not in _LISTS):
        raise InvalidInput("broker", f"{scheme}://...", form)
    if scheme in _LISTS and "," in login:
        one = f"{scheme}://USER:PASSWORD@HOST,HOST/NAME"
        hint = "in a user or a password, a comma is written %2C, and @ is written %40"
        raise InvalidInput("broker", f"{scheme}://...", f"a URL with one login for all hosts, as {one}", hint=hint)
    user, password, lone = _login(scheme, login)
    return Address(
        scheme,
        hosts,
        user,
        password,
        tuple(unquote(part) for part in parts.path.split("/")[1:]),
        parts.query,
        dict(parse_qsl(parts.fragment if scheme in WEB else parts.query, keep_blank_values=True)),
        lone,
    )


def _login(scheme: str, login: str) -> tuple[str | None, str | None, bool]:
    """User, password, and whether the user stands there alone. Raises InvalidInput."""
    first, separator, second = login.partition(":")
    user, given = unquote(first) or None, os.environ.get(PASSWORD) or None
    if separator:
        return user, unquote(second), False
    lone = user is not None and scheme not in ("kafka", "amqp", "amqps")
    if lone and given is None:
        if scheme == "nats":  # its usual form of a token
            return None, user, False
        if scheme.startswith("redis"):
            raise InvalidInput(
                "broker",
                f"{scheme}://...",
                f"a URL with a user and a password, as {scheme}://USER:PASSWORD@HOST or {scheme}://:PASSWORD@HOST",
                hint=f"the password may also stand in the environment, as {PASSWORD}",
            )
    return user, given, lone


def plain(what: str, name: str) -> str:
    """A name that every broker takes. Raises InvalidInput."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(what, name, "a name of letters, digits, _ and -, with dots inside, at most 200 long")
    return name


def is_url(url: str) -> bool:
    """Whether it is no FILE and no `-`. Raises InvalidInput for what would be a FILE by a slip, password and all."""
    if slip := _SLIP.match(url):
        scheme = slip[1].casefold()
        raise InvalidInput(
            "broker",
            f"{scheme}:...",
            f"a URL: it begins with {scheme}://",
            hint=f"a file of that name is ./{scheme}:...",
        )
    return "://" in url and not url.startswith("file://")


def file_of(url: str) -> Path:
    """The FILE, as an absolute path."""
    return Path(unquote(url.removeprefix("file://")) if url.startswith("file://") else url).expanduser().absolute()


def down(address: Address, name: str, error: BaseException | str) -> Later:
    """The broker cannot be reached, or is not fit to answer: nothing counts."""
    return Later(f"{name} cannot be reached: {address.clean(error)}", counts=False)


def login_refused(address: Address, name: str) -> Never:
    """The broker does not know this user, or not with this password."""
    if address.user is not None and not address.lone:
        who = f"user {address.user!r}"
    else:
        who = "the login" if address.password else "us without a user"
    return Never(f"{name} refused {who}: check the user, and the password in the URL or in {PASSWORD}")


def tls_failed(address: Address, name: str, error: BaseException | str) -> Never:
    """There is no trusted connection to be had."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Never(
            f"{name}: its certificate is not trusted ({error.verify_message}): name its authority with ca=FILE"
        )
    said = error.reason if isinstance(error, ssl.SSLError) and error.reason else error
    return Never(
        f"{name}: no TLS connection ({address.clean(str(said))}): check the port, and that the server speaks TLS"
    )


def tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """The error of TLS that an error is, or was raised from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, ssl.SSLError):
            return error
        seen.add(id(error))
        error = (
            error.__cause__ or error.__context__ or next((a for a in error.args if isinstance(a, ssl.SSLError)), None)
        )
    return None


TLS = ("ca", "cert", "key")
"""Options of every scheme with TLS: files with the authority to trust, and our own certificate and its key."""


def tls(address: Address) -> ssl.SSLContext:
    """A context that verifies certificate and host name. Raises InvalidInput for a file that cannot be used."""
    ca, cert, key = (address.options.get(name) for name in TLS)
    try:
        context = ssl.create_default_context(cafile=ca)
        if cert:
            context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError):
        wrong, expected = (
            ("ca", "a file of certificates, PEM") if cert is None else ("cert", "a certificate and its key, PEM")
        )
        raise InvalidInput(wrong, ca if cert is None else cert, expected) from None
    return context


def _host(text: str, port: int) -> tuple[str, int]:
    """HOST, HOST:PORT or [IPV6]:PORT. Raises ValueError."""
    found = urlsplit(f"//{text}")
    if not found.hostname:
        raise ValueError(text)
    return found.hostname, found.port or port


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
