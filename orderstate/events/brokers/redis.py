"""Redis Streams: XADD in one pipeline; a consumer group whose pending entries are taken over by whoever reads next.

The plain client, not FastStream: that wraps each entry in an envelope of its own, has no pipelined XADD, and reads a
group without XAUTOCLAIM, so that what a dead reader had taken is never seen again.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from time import monotonic, sleep
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
from orderstate.events.brokers.extras import needed
from orderstate.events.brokers.message import CONTENT_TYPE, Failure, Message, Opened, Received, Sink, Source
from orderstate.events.outcomes import Later, Never

if TYPE_CHECKING:
    from redis import Redis

_LARGEST = 512 * 1024 * 1024
"""Bytes of one value where the server does not say (its own default of proto-max-bulk-len)."""

_READER = "orderstate"
"""The one consumer of each group: who may act as it is settled by a lease."""

_LOOK_AGAIN = 0.1

_RENEW = (
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) else return 0 end"
)
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"


class _Connected(Opened):
    """What sink and source share: one connection to one stream."""

    def __init__(self, address: Address) -> None:
        address.only("timeout", "maxlen", "durable", "lease", "prefetch", *TLS)
        self._address = address
        self._timeout = address.seconds("timeout", 10.0)
        self._prefetch = address.count("prefetch", 500)
        self._lease = int(1000 * address.seconds("lease", 10.0))
        self._durable = address.flag("durable", True)
        self._maxlen = address.count("maxlen", 1) if "maxlen" in address.options else None
        *before, stream = address.path or ("",)
        if not before and stream.isdecimal():  # redis://host/0, as Redis itself writes it
            before, stream = [stream], ""
        if len(before) > 1 or (before and not before[0].isdecimal()):
            raise InvalidInput("broker", f"{address.server}/...", "redis://HOST/STREAM or redis://HOST/DATABASE/STREAM")
        self._database = int(before[0]) if before else 0
        self._stream = plain("stream", stream or NAME)
        self._tls = tls(address) if address.scheme == "rediss" else None
        self._client: Redis | None = None
        database = f"/{self._database}" if self._database else ""
        self.name = f"{address.server}{database}/{self._stream}"

    def open(self) -> None:
        """Connect, and see whether what is confirmed will be there after a crash."""
        if self._client is not None:
            return
        needed("redis", "redis")
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError
        from redis.retry import Retry

        host, port = self._address.hosts[0]
        secure: dict[str, Any] = {}
        if self._tls is not None:
            options = self._address.options
            secure = {"ssl": True, "ssl_ca_certs": options.get("ca"), "ssl_certfile": options.get("cert")}
            secure["ssl_keyfile"] = options.get("key")
        client = Redis(
            host=host,
            port=port,
            db=self._database,
            username=self._address.user,
            password=self._address.password,
            socket_timeout=self._timeout,
            socket_connect_timeout=self._timeout,
            # A pipeline that is sent a second time by the client adds every entry twice: we decide what is sent again.
            retry=Retry(NoBackoff(), 0),
            **secure,
        )
        try:
            client.ping()
            self._prepare(client)
        except (RedisError, OSError) as error:
            client.close()
            raise self._told(error) from error
        except BaseException:
            client.close()
            raise
        self._client = client

    def close(self) -> None:
        """Let go of the connection."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _prepare(self, client: Redis) -> None:
        raise NotImplementedError

    def _told(self, error: BaseException) -> Later | Never:
        """The verdict on an error that says nothing about a single message."""
        from redis import exceptions

        text = str(error)
        if isinstance(error, exceptions.AuthenticationError) or text.startswith(("NOAUTH", "WRONGPASS")):
            return login_refused(self._address, self.name)
        if failed := tls_error(error):
            return tls_failed(self._address, self.name, failed)
        if isinstance(error, exceptions.NoPermissionError) or "WRONGTYPE" in text:
            return Never(f"{self.name}: {self._address.clean(text)}")
        if isinstance(error, exceptions.ResponseError) and "DB index" in text:
            return Never(f"{self.name}: there is no database {self._database}")
        if self._tls is not None and isinstance(error, exceptions.TimeoutError):
            return down(self._address, self.name, f"{error}; does it speak TLS on this port?")
        return down(self._address, self.name, error)

    def _configured(self, client: Redis) -> Mapping[str, str]:
        """Its settings that matter here; empty where it does not let us ask, as many hosted ones do."""
        from redis.exceptions import ResponseError

        found: dict[str, str] = {}
        for setting in ("appendonly", "appendfsync", "proto-max-bulk-len"):
            try:
                pairs: Any = client.config_get(setting)
            except ResponseError:
                return {}
            found.update({str(key): str(value) for key, value in pairs.items()})
        return found


class RedisSink(_Connected):
    """XADD for each message, all in one round trip."""

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self._largest = _LARGEST

    def publish(self, messages: Sequence[Message]) -> list[Failure | None]:
        """As `Sink.publish`."""
        try:
            self.open()
        except (Later, Never) as error:
            return [Later(error.reason, counts=False)] * len(messages)
        from redis.exceptions import RedisError

        assert self._client is not None
        # The server hangs up on a value that is too large, which would take every other message of the call with it.
        fitting = [len(message.body) <= self._largest for message in messages]
        try:
            pipeline = self._client.pipeline(transaction=False)
            for message, fits in zip(messages, fitting, strict=True):
                if fits:
                    pipeline.xadd(self._stream, _fields(message), maxlen=self._maxlen, approximate=True)
            answers = iter(pipeline.execute(raise_on_error=False))
        except (RedisError, OSError) as error:
            self.close()
            told = self._told(error)
            return [Later(told.reason, counts=False)] * len(messages)
        largest = f"larger than the {self._largest} bytes that {self.name} takes"
        return [
            self._verdict(next(answers)) if fits else Never(f"its {len(message.body)} bytes are {largest}")
            for message, fits in zip(messages, fitting, strict=True)
        ]

    def _prepare(self, client: Redis) -> None:
        found = self._configured(client)
        self._largest = int(found.get("proto-max-bulk-len", _LARGEST))
        durable = (found.get("appendonly", "yes"), found.get("appendfsync", "always"))
        if self._durable and durable != ("yes", "always"):
            raise Never(
                f"{self.name} confirms before it has stored (appendonly {durable[0]}, appendfsync {durable[1]}): set"
                " appendonly yes and appendfsync always, or accept the loss with durable=no"
            )
        if client.exists(self._stream) and client.type(self._stream) != b"stream":
            raise Never(f"{self.name}: the key {self._stream!r} holds something else than a stream")

    def _verdict(self, answer: object) -> Failure | None:
        if not isinstance(answer, BaseException):
            return None
        told = self._told(answer)
        return Later(told.reason, counts=False)


class RedisSource(_Connected):
    """XREADGROUP in the name of the group, by one reader at a time: a group alone keeps no order among several."""

    ended = False
    taken = begun = 0

    def __init__(self, address: Address, group: str) -> None:
        super().__init__(address)
        self._group = group
        self._lease_key = f"{self._stream}:{group}:reader"
        self._me = uuid.uuid4().hex
        self._mine = False
        self._backlog: Backlog[bytes] = Backlog()

    def receive(self, most: int, wait: float) -> list[Received]:
        """As `Source.receive`. While another process reads for this group, nothing comes."""
        from redis.exceptions import RedisError

        self.open()
        assert self._client is not None
        until = monotonic() + wait
        try:
            self._acknowledge(self._client)
            while not self._leased(self._client):
                if monotonic() >= until:
                    return []
                sleep(min(_LOOK_AGAIN, max(0.0, until - monotonic())))
            self._fetch(self._client, until)
        except (RedisError, OSError) as error:
            self._lost()
            raise self._told(error) from error
        return self._backlog.take(most)

    def close(self) -> None:
        """As `Source.close`."""
        from redis.exceptions import RedisError

        if self._client is not None:
            try:
                self._acknowledge(self._client)
                if self._mine:
                    self._client.eval(_RELEASE, 1, self._lease_key, self._me)
            except (RedisError, OSError):
                self._mine = False  # gone, and with it the lease soon: what was not acknowledged comes again
        self._lost()

    def _lost(self) -> None:
        super().close()
        self._mine = False
        self._backlog.clear()

    def _prepare(self, client: Redis) -> None:
        from redis.exceptions import ResponseError

        try:
            client.xgroup_create(self._stream, self._group, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def _leased(self, client: Redis) -> bool:
        """Whether we are the reader. Becoming it, everything that any reader had taken and not finished is ours."""
        if self._mine and client.eval(_RENEW, 1, self._lease_key, self._me, str(self._lease)):
            return True
        if self._mine:  # it lapsed while we worked, and whoever came has read what we hold
            self._mine = False
            self._backlog.clear()
        if not client.set(self._lease_key, self._me, nx=True, px=self._lease):
            return False
        start: Any = "0-0"
        while True:
            claimed: Any = client.xautoclaim(self._stream, self._group, _READER, 0, start_id=start, count=1000)
            start = claimed[0]
            for entry, fields in claimed[1]:
                self._add(entry, fields)
            if start == b"0-0":
                self._mine = True
                return True

    def _fetch(self, client: Redis, until: float) -> None:
        """Read what is new, as far as there is room; wait for the first where there is nothing else to hand out."""
        room = self._prefetch - len(self._backlog.held)
        if room <= 0:
            return
        while True:
            # Never block for longer than the lease allows, nor than the connection waits for an answer.
            left = min(until - monotonic(), self._lease / 3000, self._timeout / 2)
            block = max(1, int(1000 * left)) if left > 0 and not self._backlog.waiting else None
            found: Any = client.xreadgroup(self._group, _READER, {self._stream: ">"}, count=room, block=block)
            for _, entries in found or ():
                for entry, fields in entries:
                    self._add(entry, fields)
            if found or self._backlog.waiting or monotonic() >= until or not self._leased(client):
                return

    def _add(self, entry: bytes, fields: Mapping[bytes, bytes] | None) -> None:
        if not fields:
            fields = {}  # deleted or trimmed while it was pending: an empty body cannot be read, and says so
        text = {name.decode(errors="replace"): value for name, value in fields.items()}
        headers = {
            name.casefold(): value.decode(errors="replace")
            for name, value in text.items()
            if name not in ("body", "key")
        }
        body, key = text.get("body", text.get("data", b"")), text.get("key", b"").decode(errors="replace")
        first, _, second = entry.partition(b"-")
        self._backlog.add((int(first), int(second)), entry, body, key, headers)

    def _acknowledge(self, client: Redis) -> None:
        done = [slot.token for slot in self._backlog.settled()]
        if done:
            client.xack(self._stream, self._group, *done)


def _fields(message: Message) -> dict[Any, Any]:
    headers = {name: value for name, value in message.headers.items() if name not in ("body", "key")}
    given = {"id": message.id, "key": message.key, "type": message.type, "content-type": CONTENT_TYPE}
    return {**headers, **given, "body": message.body}


def sink(address: Address) -> Sink:
    """The sink of an address."""
    return RedisSink(address)


def source(address: Address, group: str) -> Source:
    """The source of an address."""
    return RedisSource(address, group)
