"""Connections with one deadline for everything: finding the way, TLS, sending, and the whole answer.

A timeout of a socket is one for each read, so a far side that sends a byte a second holds its caller for as long as it
likes. Within `within(20)` every operation of such a connection gets only what is left of the 20 s; after that it raises
TimeoutError, which is what the caller of a socket expects. Only looking a name up has the patience of the system's
resolver, for nothing in Python can end that.
"""

from __future__ import annotations

import http.client
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any

_END: ContextVar[float | None] = ContextVar("orderstate_deadline", default=None)
"""When what goes on in this thread has to be over (time.monotonic). In the context and not on the socket, as TLS makes
a socket of its own out of the one that it gets."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What is done on timed connections meanwhile has so many seconds in all, or less where it has less already."""
    end, outer = monotonic() + seconds, _END.get()
    token = _END.set(end if outer is None else min(end, outer))
    try:
        yield
    finally:
        _END.reset(token)


def _left() -> float | None:
    """Seconds; None: there is no deadline. Raises TimeoutError where it has passed."""
    end = _END.get()
    if end is None:
        return None
    left = end - monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


class _Timed(socket.socket):
    """Goes before each operation that may wait: those that http.client and smtplib use, and those that they end in."""

    def recv(self, *args: Any) -> bytes:
        self.settimeout(_left())
        return super().recv(*args)

    def recv_into(self, *args: Any) -> int:
        self.settimeout(_left())
        return super().recv_into(*args)

    def send(self, *args: Any) -> int:
        self.settimeout(_left())
        return super().send(*args)

    def sendall(self, *args: Any) -> None:
        self.settimeout(_left())
        super().sendall(*args)


class _TimedTls(_Timed, ssl.SSLSocket):
    """The same for what a context makes."""

    def do_handshake(self, block: bool = False) -> None:
        self.settimeout(_left())
        super().do_handshake(block)


def timed(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same context, of which every socket keeps to the deadline from now on."""
    context.sslsocket_class = _TimedTls
    return context


def _connected(host: str, port: int) -> socket.socket:
    """As socket.create_connection; several addresses share the time, so a dead one leaves some for the others."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failed = OSError(f"no address of {host} is known")
    for place, (family, kind, protocol, _, address) in enumerate(found):
        left = _left()
        made = _Timed(family, kind, protocol)
        try:
            made.settimeout(None if left is None else left / (len(found) - place))
            made.connect(address)
        except OSError as error:
            made.close()
            failed = error
        except BaseException:
            made.close()
            raise
        else:
            return made
    raise failed


class TimedConnection(http.client.HTTPConnection):
    """HTTP, with a context HTTPS."""

    def __init__(self, host: str, port: int | None, context: ssl.SSLContext | None = None) -> None:
        if context is not None:
            self.default_port = http.client.HTTPS_PORT
        super().__init__(host, port)
        self._tls = None if context is None else timed(context)

    def connect(self) -> None:
        """Also TLS. Raises OSError."""
        made = self.sock = _connected(self.host, self.port)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(made, server_hostname=self.host)


class TimedSmtp(smtplib.SMTP):
    """SMTP. `starttls` is to be given a context that is `timed`."""

    def _get_socket(self, host: str, port: int, timeout: float | None) -> socket.socket:
        return _connected(host, port)


class TimedSmtpTls(smtplib.SMTP_SSL, TimedSmtp):
    """SMTP that begins with TLS, by a context that is `timed`."""
