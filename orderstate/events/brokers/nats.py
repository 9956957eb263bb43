"""NATS JetStream: publish with acknowledgement and message id; a durable pull consumer per group.

The plain client, not FastStream: that runs handlers of its own, has no batch that is acknowledged after somebody else's
commit, and hides the acknowledgement of a publication unless asked for stream by stream.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from orderstate.errors import InvalidInput
from orderstate.events.brokers.address import (
    NAME,
    TLS,
    Address,
    down,
    login_refused,
    plain,
    tls,
    tls_error,
    tls_failed,
)  # fmt: skip
from orderstate.events.brokers.backlog import Backlog
from orderstate.events.brokers.loop import OnLoop
from orderstate.events.brokers.message import CONTENT_TYPE, Failure, Message, Received, Sink, Source
from orderstate.events.outcomes import Later, Never

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext
    from nats.js.api import StreamConfig

_KEY = "orderstate-key"
"""The header with the partition key."""

_TOO_LARGE = (10054,)
_REJECTED = (10060,)
_STREAM_OFFLINE = 500
"""Codes of JetStream: larger than max_msg_size; kept by another stream; and above, the server's own trouble."""


logging.getLogger("nats").addHandler(logging.NullHandler())  # else what goes to no handler goes to stderr


class _Connected(OnLoop):
    """What sink and source share: a connection, and the stream that must be there."""

    client = ("nats", "nats")

    def __init__(self, address: Address) -> None:
        address.only("timeout", "tls", "replicas", "dedup", "ack_wait", "prefetch", *TLS)
        self._address = address
        self._timeout = address.seconds("timeout", 10.0)
        self._replicas = address.count("replicas", 1, most=5)
        self._dedup = address.seconds("dedup", 600.0)
        self._prefetch = address.count("prefetch", 500)
        self._ack_wait = address.seconds("ack_wait", 5.0)
        if len(address.path) > 1:
            raise InvalidInput("broker", f"{address.server}/...", "nats://HOST/STREAM")
        self._stream = plain("stream", "".join(address.path) or NAME)
        if "." in self._stream:
            raise InvalidInput("stream", self._stream, "a name without dots, which NATS keeps for subjects")
        secure = any(option in address.options for option in TLS)
        self._secure = address.choice("tls", "yes" if secure else "no", ("no", "yes", "first"))
        self._tls = tls(address) if self._secure != "no" else None
        self.name = f"{address.server}/{self._stream}"
        super().__init__()
        self._client: Client | None = None
        self._js: JetStreamContext | None = None
        self._error: BaseException | None = None

    def _alive(self) -> bool:
        return self._client is not None and self._client.is_connected

    async def _opened(self) -> None:
        from nats.errors import Error

        await self._closed()
        self._error = None
        options: dict[str, Any] = {}
        if self._address.user is not None:
            options = {"user": self._address.user, "password": self._address.password or ""}
        elif self._address.password is not None:
            options = {"token": self._address.password}
        if self._tls is not None:
            options |= {"tls": self._tls, "tls_handshake_first": self._secure == "first"}
        try:
            self._client = _client(secure=self._tls is not None)
            await self._client.connect(
                [f"{'tls' if self._tls else 'nats'}://{host}:{port}" for host, port in self._address.hosts],
                name="orderstate",
                connect_timeout=max(1, round(self._timeout)),
                # While it is away the client would keep what is sent in memory, unconfirmed: we connect anew.
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                error_cb=self._noted,
                **options,
            )
            self._js = self._client.jetstream(timeout=self._timeout, publish_async_max_pending=100_000)
            await self._prepare(self._js)
        except (TimeoutError, Error, OSError) as error:
            await self._closed()
            raise self._told(error) from error
        except BaseException:
            await self._closed()
            raise

    async def _closed(self) -> None:
        client, self._client, self._js = self._client, None, None
        if client is not None:
            await client.close()

    async def _noted(self, error: Exception) -> None:
        self._error = error

    async def _prepare(self, js: JetStreamContext) -> None:
        """Make the stream, or see that it keeps what it confirms."""
        from nats.js.api import RetentionPolicy, StorageType, StreamConfig
        from nats.js.errors import NotFoundError

        try:
            config = (await js.stream_info(self._stream)).config
        except NotFoundError:
            config = StreamConfig(
                name=self._stream,
                subjects=[f"{self._stream}.>"],
                storage=StorageType.FILE,
                retention=RetentionPolicy.LIMITS,
                num_replicas=self._replicas,
                duplicate_window=self._dedup,
            )
            config = (await js.add_stream(config)).config
        self._verify(config)

    def _verify(self, config: StreamConfig) -> None:
        wrong = None
        if config.storage != "file":
            wrong = "keeps messages in memory only: a restart loses them"
        elif config.no_ack:
            wrong = "does not acknowledge (no_ack)"
        elif not any(takes(subject, f"{self._stream}.OrderPlaced") for subject in config.subjects or ()):
            wrong = f"does not take the subject {self._stream}.> (it has {', '.join(config.subjects or ()) or 'none'})"
        if wrong:
            raise Never(f"{self.name}: the stream {wrong}")

    async def _gone(self, *errors: BaseException | None) -> bool:
        """Whether one of these came because the stream is not there any more: nobody answers for it then."""
        from nats.errors import Error, NoRespondersError
        from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

        if not any(isinstance(error, NoStreamResponseError | NoRespondersError | APIError) for error in errors):
            return False
        assert self._js is not None
        try:
            await self._js.stream_info(self._stream)
        except NotFoundError:
            return True
        except (TimeoutError, Error, OSError):  # it is not the stream alone
            return False
        return False

    def _told(self, error: BaseException, gone: bool = False) -> Later | Never:
        """The verdict on an error that says nothing about a single message; `gone`: the stream is."""
        from nats import errors
        from nats.js.errors import APIError, NoStreamResponseError, ServiceUnavailableError

        noted = self._error if isinstance(error, errors.NoServersError | asyncio.TimeoutError) else None
        why = noted or error
        text = f"{error} {noted or ''}".casefold()
        if isinstance(why, errors.AuthorizationError) or "authorization violation" in text:
            return login_refused(self._address, self.name)
        if failed := tls_error(error) or tls_error(noted):
            return tls_failed(self._address, self.name, failed)
        secure = (errors.SecureConnWantedError, errors.SecureConnRequiredError, errors.SecureConnFailedError)
        if isinstance(why, secure) or "tls" in text:
            return tls_failed(self._address, self.name, why)
        if gone:
            return Later(f"{self.name}: the stream is not there any more", counts=False)
        if isinstance(error, ServiceUnavailableError | NoStreamResponseError):
            return Later(
                f"{self.name}: JetStream does not answer: is it switched on, and has it a leader?", counts=False
            )
        if isinstance(error, APIError):
            said = f"{self.name}: {self._address.clean(error.description or str(error))}"
            return Later(said, counts=False) if (error.code or 500) >= _STREAM_OFFLINE else Never(said)
        if isinstance(why, asyncio.TimeoutError):
            return down(self._address, self.name, f"no answer within {self._timeout:g} s")
        return down(self._address, self.name, why)


class NatsSink(_Connected):
    """Publishes all of a call at once, then waits for the acknowledgement of each."""

    def publish(self, messages: Sequence[Message]) -> list[Failure | None]:
        """As `Sink.publish`."""
        try:
            self.open()
        except (Later, Never) as error:
            return [Later(error.reason, counts=False)] * len(messages)
        return self._loop.run(self._published(messages))

    async def _published(self, messages: Sequence[Message]) -> list[Failure | None]:
        assert self._client is not None
        client = self._client
        sent = [asyncio.ensure_future(self._one(message)) for message in messages]
        lost = asyncio.ensure_future(_disconnected(client))
        everything = asyncio.ensure_future(asyncio.wait(sent)) if sent else asyncio.ensure_future(asyncio.sleep(0))
        await asyncio.wait({everything, lost}, timeout=self._timeout, return_when=asyncio.FIRST_COMPLETED)
        lost.cancel()
        everything.cancel()
        gone = await self._gone(*(task.exception() for task in sent if task.done()))
        found = [self._verdict(task, gone) for task in sent]
        await asyncio.gather(*sent, lost, everything, return_exceptions=True)
        if any(isinstance(answer, Later) and not answer.counts for answer in found):
            await self._closed()  # the next call looks anew for a server and for the stream
        return found

    async def _one(self, message: Message) -> None:
        from nats.js.api import Header

        assert self._js is not None
        headers = {**message.headers, "content-type": CONTENT_TYPE, _KEY: message.key, Header.MSG_ID: message.id}
        subject = f"{self._stream}.{_subject(message.type)}"
        future = await self._js.publish_async(subject, message.body, stream=self._stream, headers=headers)
        await future  # a duplicate is as good as stored: the server has it from an earlier time

    def _verdict(self, task: asyncio.Task[None], gone: bool) -> Failure | None:
        from nats.errors import MaxPayloadError
        from nats.js.errors import APIError

        if not task.done():
            task.cancel()
            up = self._client is not None and self._client.is_connected
            why = f"no acknowledgement within {self._timeout:g} s" if up else "the connection was lost"
            return down(self._address, self.name, why)
        error = task.exception()
        if error is None:
            return None
        if isinstance(error, MaxPayloadError):
            most = self._client.max_payload if self._client is not None else 0
            return Never(f"it is larger than the {most} bytes that {self.name} takes")
        if isinstance(error, APIError) and error.err_code in _TOO_LARGE + _REJECTED:
            return Never(f"{self.name}: {self._address.clean(error.description or str(error))}")
        told = self._told(error, gone)
        return Later(told.reason, counts=False)


class NatsSource(_Connected):
    """Fetches in the name of a durable consumer."""

    ended = False
    taken = begun = 0

    def __init__(self, address: Address, group: str) -> None:
        super().__init__(address)
        if "." in group:
            raise InvalidInput("group", group, "a name without dots, which NATS keeps for subjects")
        self._group = group
        self._backlog: Backlog[Msg] = Backlog()
        self._subscription: JetStreamContext.PullSubscription | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._last = 0
        self._owed = 0
        self._barrier = 0

    def receive(self, most: int, wait: float) -> list[Received]:
        """As `Source.receive`."""
        from nats.errors import Error

        self.open()
        try:
            self._loop.run(self._fetched(monotonic() + wait))
        except (TimeoutError, Error, OSError) as error:
            told = self._told(error, self._loop.run(self._gone(error)))
            self._loop.run(self._closed())
            raise told from error
        return [] if self._owed else self._backlog.take(most)

    async def _prepare(self, js: JetStreamContext) -> None:
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
        from nats.js.errors import NotFoundError

        await super()._prepare(js)
        wanted = ConsumerConfig(
            durable_name=self._group,
            ack_policy=AckPolicy.EXPLICIT,
            deliver_policy=DeliverPolicy.ALL,
            ack_wait=self._ack_wait,
            max_deliver=-1,
            max_ack_pending=self._prefetch,
        )
        try:
            found = await js.consumer_info(self._stream, self._group)
            same = ("ack_policy", "deliver_policy", "ack_wait", "max_deliver", "max_ack_pending")
            if any(getattr(found.config, one) != getattr(wanted, one) for one in same):
                found = await js.add_consumer(self._stream, wanted)
        except NotFoundError:
            found = await js.add_consumer(self._stream, wanted)
        # A reader that died has taken some and settled none. They come back when ack_wait is over, in any order, and
        # later ones would come before them: nothing is handed out until all of them are here.
        self._owed = found.num_ack_pending or 0
        self._barrier = found.delivered.stream_seq if found.delivered is not None and self._owed else 0
        self._last = 0
        self._subscription = await js.pull_subscribe_bind(self._group, self._stream)
        self._keeping = asyncio.ensure_future(self._keep())

    async def _closed(self) -> None:
        from nats.errors import Error

        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.cancel()
        # What cannot be sent any more means only that it comes again when ack_wait is over.
        with suppress(Error, OSError):
            if self._client is not None and self._client.is_connected and self._subscription is not None:
                await self._acknowledge()
                for slot in self._backlog.held.values():
                    await slot.token.nak()
                await self._client.flush(max(1, round(self._timeout)))
        self._backlog.clear()
        self._subscription = None
        await super()._closed()

    async def _keep(self) -> None:
        """Tell the server that we still work on what we hold, so that it does not deliver it again."""
        from nats.errors import Error

        while True:
            await asyncio.sleep(self._ack_wait / 3)
            with suppress(Error, OSError):  # a connection that is lost shows in the next fetch
                for slot in tuple(self._backlog.held.values()):
                    await slot.token.in_progress()

    async def _acknowledge(self) -> None:
        for slot in self._backlog.settled():
            await slot.token.ack()

    async def _fetched(self, until: float) -> None:
        assert self._js is not None
        assert self._subscription is not None
        assert self._client is not None
        await self._acknowledge()
        while True:
            ready = self._backlog.waiting and not self._owed
            room = self._prefetch - len(self._backlog.held)
            left = min(until - monotonic(), self._timeout / 2)
            if room <= 0 or (ready and left <= 0):
                return
            try:
                # Something to hand out: only what is there at once.
                for message in await self._subscription.fetch(room, timeout=0.02 if ready else max(0.02, left)):
                    self._add(message)
            except TimeoutError:
                if not self._client.is_connected:
                    raise
            if self._owed:
                await self._count_owed()
            if (self._backlog.waiting and not self._owed) or monotonic() >= until:
                return

    def _add(self, message: Msg) -> None:
        sequence = message.metadata.sequence
        headers = {name.casefold(): value for name, value in (message.headers or {}).items()}
        if self._backlog.add((sequence.stream,), message, message.data, headers.get(_KEY, ""), headers):
            gap = self._last and sequence.consumer != self._last + 1
            if gap and not self._owed:
                # A delivery was lost on its way, or went to another reader: it has to come before what came after it.
                self._owed, self._barrier = 1, sequence.stream
        self._last = sequence.consumer

    async def _count_owed(self) -> None:
        """How many of those up to the barrier are neither here nor acknowledged."""
        assert self._js is not None
        info = await self._js.consumer_info(self._stream, self._group)
        floor = info.ack_floor.stream_seq if info.ack_floor is not None else 0
        if floor >= self._barrier:
            self._owed = 0
            return
        self._owed = max(0, (info.num_ack_pending or 0) - len(self._backlog.held))


def _client(secure: bool) -> Client:
    """A client that, to be secure, never says who it is on a connection without TLS.

    The client itself uses TLS when the server's greeting asks for it, and else goes on without, login and all.
    """
    from nats.aio.client import Client
    from nats.errors import SecureConnFailedError

    class Secure(Client):
        def _connect_command(self) -> bytes:
            if not (self._server_info.get("tls_required") or self.options["tls_handshake_first"]):
                raise SecureConnFailedError
            return super()._connect_command()

    return Secure() if secure else Client()


async def _disconnected(client: Client) -> None:
    """Returns when the connection is gone, which fails no publication that waits for its acknowledgement."""
    while client.is_connected:
        await asyncio.sleep(0.05)


def takes(pattern: str, subject: str) -> bool:
    """Whether a subject with wildcards (`*` one token, `>` the rest) takes a subject."""
    tokens, given = pattern.split("."), subject.split(".")
    for number, token in enumerate(tokens):
        if token == ">":
            return len(given) > number
        if number >= len(given) or token not in ("*", given[number]):
            return False
    return len(tokens) == len(given)


def _subject(kind: str) -> str:
    """The type as tokens of a subject."""
    return ".".join(re.sub(r"[^A-Za-z0-9_-]", "_", token) or "_" for token in kind.split("."))


def sink(address: Address) -> Sink:
    """The sink of an address."""
    return NatsSink(address)


def source(address: Address, group: str) -> Source:
    """The source of an address."""
    return NatsSource(address, group)
