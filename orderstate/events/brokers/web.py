"""A web address as a sink: a POST for each event, signed as Standard Webhooks prescribes where there is a secret.

Options stand behind a `#`, which is never sent: the query belongs to the receiver.
"""

from __future__ import annotations

import http.client
import os
import re
import ssl
import threading
from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from time import time

from orderstate.events.brokers.address import TLS, Address, down, tls, tls_failed
from orderstate.events.brokers.message import CONTENT_TYPE, Failure, Message, Opened, Sink
from orderstate.events.notify.timed import TimedConnection, within
from orderstate.events.notify.webhook import SECRET, secrets, signature
from orderstate.events.outcomes import Later, Never

_BUSY = (408, 425, 429, 502, 503, 504)
"""Answers about the receiver, not about this event."""

_MENDABLE = (401, 403, 404, 410)
"""Answers that look like a wrong address or login, which somebody may mend: tried again before it is parked."""

_GONE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)
_LONGEST_ANSWER = 65_536
_FEW = 4
"""Messages in a row that a receiver leaves without an answer at least, before the rest of a wave is not tried."""

_MARK = 16
"""Hexadecimal digits of the hash by which a query is known."""

_LONGEST_WAIT = 86_400.0


class _Wave:
    """What its messages have in common: once the receiver was silent for `most` in a row, the others do not wait too.

    One alone proves nothing: it may be the one that the receiver cannot bear.
    """

    def __init__(self, most: int) -> None:
        self._gate = threading.Lock()
        self._most = most
        self._vain = 0
        self._last: Later | None = None

    def over(self) -> Later | None:
        """Why the next one need not be tried."""
        with self._gate:
            return self._last if self._vain >= self._most else None

    def answered(self) -> None:
        with self._gate:
            self._vain = 0

    def silent(self, verdict: Later) -> Later:
        with self._gate:
            self._vain, self._last = self._vain + 1, verdict
        return verdict


class WebSink(Opened):
    """Posts with several connections at once, which are kept."""

    def __init__(self, address: Address) -> None:
        address.only("timeout", "together", *TLS)
        self._address = address
        self._timeout = address.seconds("timeout", 20.0)
        self._together = address.count("together", 8, most=64)
        self._tls = tls(address) if address.scheme == "https" else None
        path = "/" + "/".join(address.path)
        # Two addresses that differ in their queries are two receivers; what stands in one may be a secret.
        mark = f"?sha256={sha256(address.query.encode()).hexdigest()[:_MARK]}" if address.query else ""
        self.name = f"{address.server}{path}{mark}"
        self._target = re.sub(r"[^!-~]", _quoted, path) + (f"?{address.query}" if address.query else "")
        self._keys: tuple[bytes, ...] = ()
        self._pool: ThreadPoolExecutor | None = None
        self._own = threading.local()
        self._connections: list[TimedConnection] = []

    def open(self) -> None:
        """Read the secret; that somebody listens shows with the first event. Raises InvalidInput for a bad secret."""
        if self._pool is None:
            self._keys = secrets(os.environ.get(SECRET, ""))
            self._pool = ThreadPoolExecutor(self._together, thread_name_prefix="orderstate-web")

    def publish(self, messages: Sequence[Message]) -> list[Failure | None]:
        """As `Sink.publish`; any answer from 200 to 299 confirms."""
        self.open()
        assert self._pool is not None
        wave = _Wave(max(self._together, _FEW))
        return list(self._pool.map(lambda message: self._posted(message, wave), messages))

    def close(self) -> None:
        """Let go of the connections. Safe to call twice."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)
        for connection in self._connections:
            connection.close()
        self._connections, self._own = [], threading.local()

    def _posted(self, message: Message, wave: _Wave) -> Failure | None:
        """The verdict on one; a second try where a connection that was kept turns out to be gone."""
        if (over := wave.over()) is not None:
            return over
        try:
            with within(self._timeout):
                verdict = self._tried(message)
        except ssl.SSLError as error:
            return wave.silent(Later(tls_failed(self._address, self.name, error).reason, counts=False))
        except TimeoutError:
            return wave.silent(Later(f"{self.name} does not answer within {self._timeout:g} s", counts=False))
        except (OSError, http.client.HTTPException) as error:
            return wave.silent(down(self._address, self.name, error))
        wave.answered()
        return verdict

    def _tried(self, message: Message) -> Failure | None:
        kept = getattr(self._own, "connection", None) is not None
        try:
            return self._exchange(message)
        except _GONE:
            if not kept:
                raise
            return self._exchange(message)

    def _exchange(self, message: Message) -> Failure | None:
        connection: TimedConnection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = TimedConnection(*self._address.hosts[0], self._tls)
            self._connections.append(connection)
        try:
            connection.request("POST", self._target, message.body, self._headers(message))
            answer = connection.getresponse()
            said = answer.read(_LONGEST_ANSWER)
            if not answer.isclosed():
                connection.close()
        except BaseException:
            connection.close()
            self._own.connection = None
            raise
        return None if 200 <= answer.status < 300 else self._refused(answer, said)

    def _headers(self, message: Message) -> dict[str, str]:
        # A dot separates the parts that are signed, so the id must have none; the body has the id as it is.
        identity, now = re.sub(r"[^A-Za-z0-9_:/-]", _quoted, message.id), int(time())
        found = {**message.headers, "Content-Type": CONTENT_TYPE, "User-Agent": "orderstate"}
        found |= {"webhook-id": identity, "webhook-timestamp": str(now)}
        if self._keys:
            found["webhook-signature"] = signature(self._keys, identity, now, message.body)
        if self._address.user is not None:
            login = f"{self._address.user}:{self._address.password or ''}"
            found["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
        return found

    def _refused(self, answer: http.client.HTTPResponse, said: bytes) -> Failure:
        status = answer.status
        words = self._address.clean(said[:200].decode(errors="replace"))
        reason = f"{self.name} answers {status}" + (f": {words}" if words else "")
        if status in _BUSY:
            return Later(reason, after=_seconds(answer.getheader("Retry-After")), counts=False)
        if 300 <= status < 400:
            return Later(f"{self.name} answers {status}: a redirection is not followed; name the address itself")
        if 400 <= status < 500 and status not in _MENDABLE:
            return Never(reason)
        return Later(reason)


def _seconds(text: str | None) -> float | None:
    """What Retry-After says, where it is a number; never longer than a day."""
    return min(float(text[:9]), _LONGEST_WAIT) if text and text.isascii() and text.isdecimal() else None


def _quoted(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())


def sink(address: Address) -> Sink:
    """The sink of an address."""
    return WebSink(address)
