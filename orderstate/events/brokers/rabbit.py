"""RabbitMQ: persistent, mandatory, confirmed publishing to a topic exchange; a quorum queue per group.

The plain client (aio-pika), not FastStream: that hides what became of a mandatory message, declares its queues by
itself and acknowledges when a handler of its own returns, where we acknowledge a batch after somebody else's commit.

An exchange keeps nothing: what is published while no queue is bound to it is lost, or returned as unroutable. So the
sink too makes the queues of the groups that it is told of.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
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
    from aio_pika.abc import (
        AbstractChannel,
        AbstractConnection,
        AbstractExchange,
        AbstractIncomingMessage,
        AbstractQueue,
    )
    from aio_pika.connection import Connection

_KEY = "orderstate-key"
"""The header with the partition key."""

_HEARTBEAT = 30
_BODY = 16 * 1024 * 1024
"""Bytes of one message that RabbitMQ 4 takes by default; older ones take 128 MiB."""


for _client in ("aiormq", "aio_pika"):
    # They log a traceback for each lost connection; what goes to no handler goes to stderr.
    logging.getLogger(_client).addHandler(logging.NullHandler())


class _Connected(OnLoop):
    """What sink and source share: connection, channel, exchange and queues."""

    client = ("aio_pika", "rabbit")

    def __init__(self, address: Address) -> None:
        address.only("timeout", "groups", "declare", "max_bytes", "prefetch", *TLS)
        self._address = address
        self._timeout = address.seconds("timeout", 10.0)
        self._declares = address.flag("declare", True)
        self._groups = address.names("groups", NAME)
        self._largest = address.count("max_bytes", _BODY)
        self._prefetch = address.count("prefetch", 500, most=65_535)
        *before, exchange = address.path or ("",)
        if len(before) > 1:
            raise InvalidInput("broker", f"{address.server}/...", "amqp://HOST/EXCHANGE or amqp://HOST/VHOST/EXCHANGE")
        self._vhost = before[0] if before and before[0] else "/"
        self._exchange_name = plain("exchange", exchange or NAME)
        vhost = "" if self._vhost == "/" else f"/{self._vhost}"
        self.name = f"{address.server}{vhost}/{self._exchange_name}"
        self._tls = tls(address) if address.scheme == "amqps" else None
        super().__init__()
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._exchange: AbstractExchange | None = None

    def _alive(self) -> bool:
        connection, channel = self._connection, self._channel
        return connection is not None and not connection.is_closed and channel is not None and not channel.is_closed

    async def _opened(self) -> None:
        await self._closed()
        try:
            self._connection = await self._connected()
            # One channel, so that what is published in order arrives in order.
            self._channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
            await self._prepare(self._channel)
        except (Later, Never):
            await self._closed()
            raise
        except _troubles() as error:
            await self._closed()
            raise self._told(error) from error
        except BaseException:
            await self._closed()
            raise

    async def _connected(self) -> AbstractConnection:
        """The first of the hosts that answers."""
        from aio_pika.connection import make_url
        from aiormq.exceptions import AuthenticationError, ProbableAuthenticationError

        failed: BaseException | None = None
        for host, port in self._address.hosts:
            url = make_url(
                host=host,
                port=port,
                login=self._address.user or "guest",
                password=self._address.password or ("guest" if self._address.user is None else ""),
                virtualhost=self._vhost,
                ssl=self._tls is not None,
                heartbeat=_HEARTBEAT,
            )
            named: Any = {"connection_name": "orderstate"}
            connection = _connection()(url, ssl_context=self._tls, client_properties=named)
            try:
                await connection.connect(timeout=self._timeout)
            except (AuthenticationError, ProbableAuthenticationError):
                await connection.close()
                raise
            except _troubles() as error:
                await connection.close()
                failed = failed or error
            else:
                return connection
        assert failed is not None
        raise failed

    async def _closed(self) -> None:
        connection, self._connection, self._channel, self._exchange = self._connection, None, None, None
        if connection is not None:
            with suppress(*_troubles()):  # it is gone in any case
                await asyncio.wait_for(connection.close(), self._timeout)

    async def _prepare(self, channel: AbstractChannel) -> None:
        from aio_pika import ExchangeType

        self._exchange = await channel.declare_exchange(
            self._exchange_name,
            ExchangeType.TOPIC,
            durable=True,
            passive=not self._declares,
            timeout=self._timeout,
        )

    async def _queue(self, channel: AbstractChannel, group: str) -> AbstractQueue:
        """The queue of a group, bound to everything. Raises Never where it is there and set up otherwise."""
        from aiormq.exceptions import ChannelPreconditionFailed

        name = f"{self._exchange_name}.{group}"
        if not self._declares:
            return await channel.declare_queue(name, passive=True, timeout=self._timeout)
        assert self._exchange is not None
        # One consumer at a time, else two of a group work on one order at once.
        arguments: dict[str, Any] = {"x-queue-type": "quorum", "x-single-active-consumer": True}
        if await self._drops_by_default():
            arguments["x-delivery-limit"] = -1
        try:
            queue = await channel.declare_queue(name, durable=True, arguments=arguments, timeout=self._timeout)
        except ChannelPreconditionFailed as error:
            raise Never(f"{self.name}: the queue {name} is set up otherwise: {self._address.clean(error)}") from error
        await queue.bind(self._exchange, "#", timeout=self._timeout)
        return queue

    async def _drops_by_default(self) -> bool:
        """Whether this server gives up a message after 20 deliveries unless told not to: RabbitMQ from 4.0 on."""
        assert self._connection is not None
        transport = self._connection.transport
        properties: Any = transport.connection.server_properties if transport is not None else {}
        version = properties.get("version", b"") if properties else b""
        text = version.decode(errors="replace") if isinstance(version, bytes) else str(version)
        return bool(re.match(r"[4-9]|\d\d", text))

    def _told(self, error: BaseException) -> Later | Never:
        """The verdict on an error that says nothing about a single message."""
        from aiormq import exceptions

        text = self._address.clean(error)
        if isinstance(error, exceptions.AuthenticationError | exceptions.ProbableAuthenticationError):
            return login_refused(self._address, self.name)
        if failed := tls_error(error):
            return tls_failed(self._address, self.name, failed)
        if "Connection.OpenOk" in text:  # how the client tells that the server would not open the virtual host
            where = f"{self._address.scheme}://HOST/VHOST/EXCHANGE"
            return Never(
                f"{self.name}: the virtual host {self._vhost!r} is not there, or not open to us: it is named in {where}"
            )
        lasting = (
            exceptions.ChannelAccessRefused,
            exceptions.ChannelNotFoundEntity,
            exceptions.ChannelPreconditionFailed,
        )
        if isinstance(error, lasting):
            return Never(f"{self.name}: {text}")
        if isinstance(error, asyncio.TimeoutError):
            return down(self._address, self.name, f"no answer within {self._timeout:g} s")
        if isinstance(error, exceptions.ChannelInvalidStateError) or " at 0x" in text:  # its objects, not words
            return down(self._address, self.name, "the connection was lost")
        return down(self._address, self.name, error)


class RabbitSink(_Connected):
    """Publishes all of a call at once, then waits for the confirmation of each."""

    def publish(self, messages: Sequence[Message]) -> list[Failure | None]:
        """As `Sink.publish`."""
        try:
            self.open()
        except (Later, Never) as error:
            return [Later(error.reason, counts=False)] * len(messages)
        return self._loop.run(self._published(messages))

    async def _prepare(self, channel: AbstractChannel) -> None:
        await super()._prepare(channel)
        for group in self._groups:
            await self._queue(channel, group)

    async def _published(self, messages: Sequence[Message]) -> list[Failure | None]:
        # The server closes the channel on a message that is too large, which would fail all others of the call.
        fitting = [len(message.body) <= self._largest for message in messages]
        sent = [self._one(message) for message, fits in zip(messages, fitting, strict=True) if fits]
        results = iter(await asyncio.gather(*sent, return_exceptions=True))
        found: list[Failure | None] = []
        for message, fits in zip(messages, fitting, strict=True):
            size = len(message.body)
            large = Never(f"its {size} bytes are more than the {self._largest} that {self.name} takes (max_bytes)")
            found.append(self._verdict(next(results), message) if fits else large)
        if not self._alive() or any(isinstance(answer, Later) for answer in found):
            await self._closed()
        return found

    async def _one(self, message: Message) -> None:
        from aio_pika import DeliveryMode
        from aio_pika import Message as Outgoing

        assert self._exchange is not None
        outgoing = Outgoing(
            message.body,
            headers={**message.headers, _KEY: message.key},
            content_type=CONTENT_TYPE,
            message_id=message.id,
            type=message.type,
            delivery_mode=DeliveryMode.PERSISTENT,
        )
        await self._exchange.publish(outgoing, message.type, mandatory=True, timeout=self._timeout)

    def _verdict(self, result: BaseException | None, message: Message) -> Failure | None:
        from aiormq.exceptions import ChannelPreconditionFailed, DeliveryError, PublishError

        if result is None:
            return None
        if isinstance(result, PublishError):
            return Never(
                f"{self.name}: unroutable, no queue is bound for {message.type}: name the groups with groups=NAME,..."
            )
        if isinstance(result, DeliveryError):
            return Later(f"{self.name}: the broker did not take it (a queue is full, or lost its leader)", counts=False)
        if isinstance(result, ChannelPreconditionFailed):
            most = re.search(r"larger than configured max size (\d+)", str(result))
            if most and len(message.body) > int(most[1]):
                return Never(f"its {len(message.body)} bytes are more than the {most[1]} that {self.name} takes")
            return Later(f"{self.name}: the channel was closed under it: {self._address.clean(result)}", counts=False)
        if not isinstance(result, _troubles()):
            raise result
        told = self._told(result)
        return Later(told.reason, counts=False)


class RabbitSource(_Connected):
    """Consumes the queue of its group; at most `prefetch` are with us unacknowledged."""

    ended = False
    taken = begun = 0

    def __init__(self, address: Address, group: str) -> None:
        super().__init__(address)
        self._group = group
        self._backlog: Backlog[AbstractIncomingMessage] = Backlog()
        self._arrived: list[AbstractIncomingMessage] = []
        self._news = asyncio.Event()

    def receive(self, most: int, wait: float) -> list[Received]:
        """As `Source.receive`."""
        self.open()
        try:
            for message in self._loop.run(self._collected(monotonic() + wait)):
                headers = {name.casefold(): str(value) for name, value in message.headers.items()}
                given = {"id": message.message_id, "type": message.type, "content-type": message.content_type}
                headers |= {name: value for name, value in given.items() if value}
                self._backlog.add(
                    (message.delivery_tag or 0,),
                    message,
                    message.body,
                    headers.get(_KEY, message.routing_key or ""),
                    headers,
                )
        except _troubles() as error:
            self._loop.run(self._closed())
            told = self._told(error)
            raise Later(told.reason, counts=False) from error
        return self._backlog.take(most)

    async def _prepare(self, channel: AbstractChannel) -> None:
        await super()._prepare(channel)
        await channel.set_qos(prefetch_count=self._prefetch, timeout=self._timeout)
        queue = await self._queue(channel, self._group)
        self._arrived, self._news = [], asyncio.Event()
        arrived, news = self._arrived, self._news

        async def keep(message: AbstractIncomingMessage) -> None:
            arrived.append(message)
            news.set()

        await queue.consume(keep, no_ack=False, timeout=self._timeout)

    async def _closed(self) -> None:
        with suppress(*_troubles()):  # what is not acknowledged comes again
            if self._alive():
                await self._acknowledge()
        self._backlog.clear()
        self._arrived = []
        await super()._closed()

    async def _acknowledge(self) -> None:
        """Acknowledge what is done: with one frame everything before the first that is not."""
        done = sorted(self._backlog.settled(), key=lambda slot: slot.place)
        floor = min(self._backlog.held, default=None)
        together = [slot for slot in done if floor is None or slot.place < floor]
        if together:
            await together[-1].token.ack(multiple=True)
        for slot in done[len(together) :]:
            await slot.token.ack()

    async def _collected(self, until: float) -> list[AbstractIncomingMessage]:
        """What has arrived; waits for it while there is nothing else to hand out."""
        await self._acknowledge()
        while not self._arrived and not self._backlog.waiting and (left := until - monotonic()) > 0:
            self._news.clear()
            with suppress(asyncio.TimeoutError):
                # In short turns, to see a connection that is lost.
                await asyncio.wait_for(self._news.wait(), min(left, 0.5))
            if not self._alive():
                break
        if not self._arrived and not self._backlog.waiting:
            # Nothing may mean that the queue was deleted, of which a consumer is not told in a way to rely on.
            assert self._channel is not None
            name = f"{self._exchange_name}.{self._group}"
            await self._channel.declare_queue(name, passive=True, timeout=self._timeout)
        arrived = self._arrived[:]
        del self._arrived[: len(arrived)]
        return arrived


@cache
def _connection() -> type[Connection]:
    """The client's connection, but one that broke is not closed once more when it is collected.

    That would start a task in whatever thread collects it, or on a loop that has ended.
    """
    from aio_pika.connection import Connection

    class Ours(Connection):
        def __del__(self) -> None:
            """We close each by ourselves."""

    return Ours


def _troubles() -> tuple[type[BaseException], ...]:
    """What the client raises when something is wrong with the connection, the channel or the server."""
    from aiormq.exceptions import AMQPError, ChannelInvalidStateError

    return (AMQPError, ChannelInvalidStateError, OSError, asyncio.TimeoutError)


def sink(address: Address) -> Sink:
    """The sink of an address."""
    return RabbitSink(address)


def source(address: Address, group: str) -> Source:
    """The source of an address."""
    return RabbitSource(address, group)
