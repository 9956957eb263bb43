"""What goes to a broker and comes from one: values and the two protocols. Knows neither a broker nor our database.

A sink is written to by the relay, a source is read by consume. Both are synchronous; an event loop, where a client
needs one, is theirs alone. What can go wrong has one of two classes (orderstate/events/outcomes.py):

    Later(counts=False)   the broker is down, slow, or refuses the login: no message is to blame, nothing is counted
    Later                 this one message could not be confirmed: try it again
    Never                 this one message will never be taken: too large, unroutable, rejected

`open` raises these itself. A `Never` from `open` is about the set-up (wrong password, a certificate that is not
trusted, a stream without the subject): nothing is parked, a person must mend it. In `publish`, trouble with the set-up
is a `Later(counts=False)` for each message, so that a password that was changed at noon parks no event.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, Self

from orderstate.events.outcomes import Later, Never

Failure = Later | Never
"""Why a message was not confirmed."""

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
"""What a body is: one CloudEvents 1.0 event, JSON, structured mode. Every sink sends it as the content type."""

NOTHING: Mapping[str, str] = MappingProxyType({})

LARGEST = 1_048_576
"""Bytes of a message that are read at most."""


class Cut(bytes):
    """The first bytes of a body that has more of them than are read at most; `size` and `digest` are of all of it."""

    size: int
    digest: str
    """SHA-256, hexadecimal."""

    def __new__(cls, kept: bytes, size: int, digest: str) -> Self:
        """Keep the beginning, with what the whole came to."""
        found = super().__new__(cls, kept)
        found.size, found.digest = size, digest
        return found


@dataclass(frozen=True, slots=True)
class Message:
    """One event on its way out.

    `id` is unique in the world ("<source>/1001:3") and the same at every repeat; `key` is the order's id: messages of
    one key keep their order; `type` is the event's type; `body` is the CloudEvents document; `headers` go along
    (traceparent), with names of ASCII letters, digits and hyphens, in lower case.
    """

    id: str
    key: str
    type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True)
class Received:
    """One message that came in, whoever wrote it: nothing about `body` is known.

    It is `Cut` where a source did not keep the whole. `key` is the partition key, "" where the sender gave none.
    `headers` have lower-case names. Say exactly one of `done` (after the commit) and `again`; a message of which
    nothing was said comes again after a crash or `close`.
    """

    body: bytes
    key: str
    headers: Mapping[str, str]
    settle: Callable[[bool], None] = field(repr=False, compare=False)

    def done(self) -> None:
        """Acknowledge. It reaches the broker with the next `receive` or `close`, many at a time.

        Does not fail: an acknowledgement that is lost means that the message comes again.
        """
        self.settle(True)

    def again(self) -> None:
        """Hand it out again with the next `receive`, before anything later.

        The order per key holds only if `again` is said of the later messages of that key that are out as well.
        """
        self.settle(False)


class Sink(Protocol):
    """Where the relay publishes to. Not for several threads at once."""

    @property
    def name(self) -> str:
        """The URL without credentials and options."""

    def open(self) -> None:
        """Connect; make or verify stream, topic or queue. A second call does nothing.

        Raises Later when the broker cannot be reached, Never when it refuses us or is set up wrongly.
        """

    def publish(self, messages: Sequence[Message]) -> list[Failure | None]:
        """Publish all of them, in flight together; an answer for each: None when the broker has confirmed it.

        At most one message per key in one call: two could overtake each other. Connects (again) where needed and does
        not raise for anything that a broker does.
        """

    def close(self) -> None:
        """Let go of the connection. Safe to call twice; `publish` opens again."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...


class Source(Protocol):
    """What consume reads from. Not for several threads at once."""

    @property
    def name(self) -> str:
        """The URL without credentials and options."""

    @property
    def ended(self) -> bool:
        """Whether nothing can come any more: the end of standard input. Never so for a broker."""

    @property
    def taken(self) -> int:
        """Bytes that were read so far. It grows while one long line arrives, of which `receive` can hand out nothing.

        Always 0 for a broker, which hands out whole messages.
        """

    @property
    def begun(self) -> int:
        """Bytes of a last line that has no end yet, and so was not handed out; after `close` too. 0 for a broker."""

    def open(self) -> None:
        """Connect; make or verify stream, consumer or group. Raises Later and Never as `Sink.open` does."""

    def receive(self, most: int, wait: float) -> list[Received]:
        """Up to `most` messages, in order per key; waits up to `wait` seconds for the first, never for the others.

        An empty list: nothing came. Sends the acknowledgements of what is `done` first. Connects (again) where needed;
        what was out before a reconnect comes again. Raises Later(counts=False) when the broker is down, Never where a
        person must mend the set-up.
        """

    def close(self) -> None:
        """Acknowledge what is done, give the rest back to the broker, and let go. Safe to call twice."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...


class Opened(ABC):
    """What `with` does for every sink and source: it opens, and closes behind itself."""

    @abstractmethod
    def open(self) -> None:
        """As `Sink.open`, or `Source.open`."""

    @abstractmethod
    def close(self) -> None:
        """As `Sink.close`, or `Source.close`."""

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
