"""The channel `webhook`: a POST for each message, signed as Standard Webhooks (standardwebhooks.com) prescribes.

The body is JSON: the attributes of CloudEvents 1.0, and as its data the message and the variables of the templates.
The header webhook-id is the same at every repeat.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import json
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from time import time
from urllib.parse import urlsplit

from orderstate.errors import InvalidInput
from orderstate.events.notify.masking import without_contact
from orderstate.events.notify.message import Message
from orderstate.events.notify.timed import TimedConnection, within
from orderstate.events.outcomes import Later, Never
from orderstate.events.wire import moment

SECRET = "ORDERSTATE_WEBHOOK_SECRET"
TIMEOUT = 20.0
"""Seconds for all of it: connecting, TLS, sending, and the answer to its end."""

_PREFIX = "whsec_"
_AGAIN = (408, 409, 425, 429)
_DOWN = (429, 503)
"""Answers about the receiver, not about this message."""

_GONE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)
_LONGEST_ANSWER = 65_536
_LONGEST_WAIT = 86_400.0


def secrets(text: str) -> tuple[bytes, ...]:
    """The keys of `whsec_<base64>`, several separated by blanks while one replaces another. Raises InvalidInput."""
    expected = f"{_PREFIX} and base64 of 24 to 64 random bytes"
    keys = []
    for word in text.split():
        try:
            key = base64.b64decode(word.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not word.startswith(_PREFIX) or not 24 <= len(key) <= 64:
            raise InvalidInput(
                SECRET, "(hidden)", expected, hint=f'echo "{_PREFIX}$(openssl rand -base64 32)" makes one'
            )
        keys.append(key)
    return tuple(keys)


def signature(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """The header webhook-signature: `v1,<base64>` for each key, separated by blanks."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    marks = (base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys)
    return " ".join(f"v1,{mark}" for mark in marks)


def document(message: Message) -> dict[str, object]:
    """What is posted. `timestamp` is `time` again, under the name that Standard Webhooks gives it."""
    at = moment(message.at)
    return {
        "specversion": "1.0",
        "id": message.event,
        "source": message.source,
        "type": message.type,
        "subject": message.order,
        "time": at,
        "timestamp": at,
        "datacontenttype": "application/json",
        "data": {
            "to": message.to,
            "subject": message.subject,
            "text": message.text,
            "html": message.html,
            "facts": dict(message.facts),
        },
    }


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    said: bytes
    retry_after: str | None
    location: str | None


class Webhook:
    """Posts messages to one address, over a connection that is kept. Not for several threads at once.

    `keys` sign, as `secrets` reads them; `clock` is seconds since 1970.
    """

    name = "webhook"

    def __init__(
        self, url: str, keys: Sequence[bytes], *, timeout: float = TIMEOUT, clock: Callable[[], float] = time
    ) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host, self._port = str(parts.hostname), parts.port
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # What comes after the host may be a secret of the receiver's.
        self._where = f"the webhook {parts.scheme}://{parts.netloc}"
        self._keys = tuple(keys)
        self._timeout = timeout
        self._clock = clock
        self._connection: TimedConnection | None = None

    def send(self, message: Message) -> None:
        """Post it; any answer from 200 to 299 is done. Raises Later, Never."""
        body = json.dumps(document(message), ensure_ascii=False, separators=(",", ":")).encode()
        now = int(self._clock())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "orderstate",
            "webhook-id": message.webhook_id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(self._keys, message.webhook_id, now, body),
        }
        with within(self._timeout):
            answer = self._posted(message, body, headers)
        if not 200 <= answer.status < 300:
            raise self._failed(message, answer)

    def close(self) -> None:
        """Let go of the connection. Safe to call twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _posted(self, message: Message, body: bytes, headers: Mapping[str, str]) -> _Answer:
        """The receiver's answer; once more where the connection that was kept turns out to be gone."""
        if self._connection is not None:
            with suppress(*_GONE):
                return self._exchange(message, body, headers)
        try:
            return self._exchange(message, body, headers)
        except _GONE as error:
            raise Later(f"{self._where} hangs up without an answer") from error

    def _exchange(self, message: Message, body: bytes, headers: Mapping[str, str]) -> _Answer:
        connection = self._connected()
        try:
            connection.request("POST", self._path, body, dict(headers))
            response = connection.getresponse()
            said = response.read(_LONGEST_ANSWER)
            if response.will_close or not response.isclosed():
                self.close()
            return _Answer(response.status, said, response.getheader("Retry-After"), response.getheader("Location"))
        except _GONE:
            self.close()
            raise
        except TimeoutError as error:  # it may have worked on it all the same, so the attempt counts
            self.close()
            raise Later(f"{self._where} does not answer within {self._timeout:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Later(f"{self._where} breaks off: {without_contact(repr(error), message)}") from error
        except BaseException:  # also Ctrl-C: half an exchange cannot be taken up again
            self.close()
            raise

    def _connected(self) -> TimedConnection:
        if self._connection is not None:
            return self._connection
        connection = TimedConnection(self._host, self._port, ssl.create_default_context() if self._secure else None)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            match error:
                case ssl.SSLCertVerificationError():
                    why = f"has a certificate that is not trusted: {error.verify_message}"
                case TimeoutError():
                    why = f"does not answer within {self._timeout:g} s"
                case _:
                    why = f"cannot be reached: {error.strerror or error}"
            raise Later(f"{self._where} {why}", counts=False) from error
        self._connection = connection
        return connection

    def _failed(self, message: Message, answer: _Answer) -> Later | Never:
        status = answer.status
        # Cut afterwards: half an address would not be found.
        words = without_contact(answer.said.decode("utf-8", "replace"), message)[:200]
        reason = f"{self._where} answers {status} to order {message.order}" + (f": {words}" if words.strip() else "")
        after = self._wait(answer.retry_after)
        if status in _DOWN:
            return Later(reason, after=after, counts=False)
        if 300 <= status < 400:
            to = f" to {without_contact(answer.location, message)}" if answer.location else ""
            return Later(f"{self._where} answers {status}: a redirection{to} is not followed; set notify.webhook")
        if 400 <= status < 500 and status not in _AGAIN:
            return Never(reason)
        return Later(reason, after=after)

    def _wait(self, retry_after: str | None) -> float | None:
        """Seconds, from seconds or a date (RFC 9110, 10.2.3); never longer than a day."""
        if retry_after is None:
            return None
        text = retry_after.strip()
        if text.isascii() and text.isdigit():
            return min(float(text[:9]), _LONGEST_WAIT)
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return min(max(0.0, at.timestamp() - self._clock()), _LONGEST_WAIT)
