"""Kafka: the idempotent producer with acks=all; a consumer group that commits by hand, after the work.

confluent-kafka (librdkafka), not FastStream: a producer with all of a call in flight, one answer per message, and a
consumer that hands out batches are what it offers itself; and it needs no event loop.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from orderstate.errors import InvalidInput
from orderstate.events.brokers.address import NAME, TLS, Address, down, login_refused, plain, tls, tls_failed
from orderstate.events.brokers.backlog import Backlog
from orderstate.events.brokers.extras import needed
from orderstate.events.brokers.message import CONTENT_TYPE, Failure, Message, Opened, Received, Sink, Source
from orderstate.events.outcomes import Later, Never

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
    from confluent_kafka import Message as Record

_TOO_LARGE = {"MSG_SIZE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"}
_REJECTED = {"INVALID_MSG", "INVALID_RECORD", "POLICY_VIOLATION", "UNSUPPORTED_FOR_MESSAGE_FORMAT"}
_UNROUTABLE = {"_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION", "UNKNOWN_TOPIC_OR_PART", "TOPIC_EXCEPTION"}
_LOGIN = {"_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED", "TOPIC_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED"}
_HOPELESS = {*_LOGIN, "_SSL", "_ALL_BROKERS_DOWN"}
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

_QUIET = logging.getLogger("orderstate.events.brokers.kafka")
_QUIET.propagate = False
_QUIET.addHandler(logging.NullHandler())
"""librdkafka writes to stderr unless it is given a logger; what matters of it is in our verdicts."""


class _Connected(Opened):
    """What sink and source share: the configuration, the topic, and what was the last trouble."""

    def __init__(self, address: Address) -> None:
        address.only("timeout", "tls", "sasl", "partitions", "replicas", "prefetch", "session", *TLS)
        self._address = address
        self._timeout = address.seconds("timeout", 10.0)
        self._partitions = address.count("partitions", 6, most=10_000)
        self._replicas = address.count("replicas", 1, most=100) if "replicas" in address.options else -1
        self._prefetch = address.count("prefetch", 500)
        self._session = address.seconds("session", 10.0)
        if len(address.path) > 1:
            raise InvalidInput("broker", f"{address.server}/...", "kafka://HOST[:PORT][,HOST...]/TOPIC")
        self._topic = plain("topic", "".join(address.path) or NAME)
        self.name = f"{address.server}/{self._topic}"
        secure = address.flag("tls", any(option in address.options for option in TLS))
        sasl = address.choice("sasl", "PLAIN", _MECHANISMS) if address.user is not None else None
        protocol = ("SASL_" if sasl else "") + ("SSL" if secure else "PLAINTEXT")
        self._options: dict[str, Any] = {
            "bootstrap.servers": ",".join(f"{host}:{port}" for host, port in address.hosts),
            "client.id": "orderstate",
            "security.protocol": protocol,
            "socket.timeout.ms": max(1000, int(1000 * self._timeout)),
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 1000,
            "allow.auto.create.topics": False,
        }
        if sasl:
            self._options |= {"sasl.mechanisms": sasl, "sasl.username": address.user}
            self._options["sasl.password"] = address.password or ""
        if secure:
            tls(address)  # says which file cannot be used, before librdkafka says it in its own words
            named = {"ca": "ssl.ca.location", "cert": "ssl.certificate.location", "key": "ssl.key.location"}
            self._options |= {named[option]: address.options[option] for option in TLS if option in address.options}
        self._trouble: deque[KafkaError] = deque(maxlen=50)

    def _configured(self, **more: object) -> dict[str, Any]:
        dotted = {name.replace("_", "."): value for name, value in more.items()}
        return {**self._options, "error_cb": self._trouble.append, "logger": _QUIET, **dotted}

    def _look(self, client: Producer | Consumer) -> None:
        """Make the topic where it is not there. Raises Later, Never."""
        from confluent_kafka import KafkaException

        until = monotonic() + self._timeout
        while True:
            try:
                found = client.list_topics(self._topic, timeout=min(0.5, self._timeout)).topics[self._topic]
                break
            except KafkaException as error:
                client.poll(0)  # which tells of the trouble: what no waiting mends is said at once
                if monotonic() >= until or any(_hopeless(one) for one in self._trouble):
                    raise self._told(error.args[0]) from error
        if found.error is None:
            return
        if found.error.name() in _LOGIN:
            raise self._told(found.error)
        self._make()

    def _make(self) -> None:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient
        from confluent_kafka.cimpl import NewTopic

        admin = AdminClient(self._configured())
        topic = NewTopic(self._topic, num_partitions=self._partitions, replication_factor=self._replicas)
        try:
            admin.create_topics([topic], request_timeout=self._timeout)[self._topic].result()
        except KafkaException as error:
            if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
                raise self._told(error.args[0]) from error

    def _told(self, error: KafkaError) -> Later | Never:
        """The verdict on an error that says nothing about a single message."""
        known = {one.name(): one for one in (*self._trouble, error)}
        if refused := next((known[name] for name in known if name in _LOGIN), None):
            if "AUTHORIZATION" in refused.name():
                return Never(f"{self.name}: {self._address.clean(refused.str())}")
            return login_refused(self._address, self.name)
        # Not always its own error: a server without TLS only hangs up on the handshake.
        shaken = [one for one in self._trouble if one.name() == "_SSL" or "SSL handshake" in one.str()]
        if shaken:
            return tls_failed(self._address, self.name, _plainly(shaken[0].str()))
        if error.name() in ("INVALID_REPLICATION_FACTOR", "INVALID_PARTITIONS", "INVALID_CONFIG", "TOPIC_EXCEPTION"):
            return Never(f"{self.name}: {self._address.clean(error.str())}")
        transport = known.get("_TRANSPORT") or known.get("_RESOLVE")
        return down(self._address, self.name, _plainly((transport or error).str()))


class KafkaSink(_Connected):
    """Produces all of a call, then waits for the report on each."""

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self._producer: Producer | None = None

    def open(self) -> None:
        """As `Sink.open`."""
        if self._producer is not None:
            return
        needed("confluent_kafka", "kafka")
        from confluent_kafka import Producer

        self._trouble.clear()
        producer = Producer(
            self._configured(
                enable_idempotence=True,
                acks="all",
                message_timeout_ms=int(1000 * self._timeout),
                linger_ms=0,
                # The same partition for a key as every Java client chooses, so that all writers of a topic agree.
                partitioner="murmur2_random",
            )
        )
        self._look(producer)
        self._producer = producer

    def publish(self, messages: Sequence[Message]) -> list[Failure | None]:
        """As `Sink.publish`."""
        try:
            self.open()
        except (Later, Never) as error:
            return [Later(error.reason, counts=False)] * len(messages)
        from confluent_kafka import KafkaException

        producer = self._producer
        assert producer is not None
        self._trouble.clear()
        answers: list[Failure | None] = [down(self._address, self.name, "no confirmation came")] * len(messages)
        missing = set(range(len(messages)))

        def reported(number: int, error: KafkaError | None, record: Record) -> None:
            missing.discard(number)
            answers[number] = None if error is None else self._verdict(error, len(messages[number].body))

        for number, message in enumerate(messages):
            headers = {**message.headers, "content-type": CONTENT_TYPE, "id": message.id, "type": message.type}
            pairs: list[tuple[str, str | bytes | None]] = [(name, value.encode()) for name, value in headers.items()]
            report = partial(reported, number)
            try:
                producer.produce(self._topic, message.body, message.key.encode(), headers=pairs, on_delivery=report)
            except KafkaException as error:
                missing.discard(number)
                answers[number] = self._verdict(error.args[0], len(message.body))
            except BufferError:
                missing.discard(number)
                answers[number] = Later(f"{self.name}: too many messages in flight", counts=False)
        until = monotonic() + self._timeout + 5
        while missing and monotonic() < until:
            producer.poll(0.1)
        if missing or any(error.fatal() for error in self._trouble):
            self.close()
        return answers

    def close(self) -> None:
        """As `Sink.close`. Whatever is in flight still was answered with Later: it is not waited for."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
            producer.poll(0)

    def _verdict(self, error: KafkaError, size: int) -> Failure:
        if error.name() in _TOO_LARGE:
            return Never(f"its {size} bytes are more than {self.name} takes ({_plainly(error.str())})")
        if error.name() in _REJECTED | _UNROUTABLE:
            return Never(f"{self.name}: {self._address.clean(error.str())}")
        told = self._told(error)
        return Later(told.reason, counts=False)


class KafkaSource(_Connected):
    """Consumes in a group; a partition's position is committed up to the first message that is not done."""

    ended = False
    taken = begun = 0

    def __init__(self, address: Address, group: str) -> None:
        super().__init__(address)
        self._group = group
        self._consumer: Consumer | None = None
        self._backlog: Backlog[int] = Backlog()
        self._next: dict[int, int] = {}
        self._committed: dict[int, int] = {}
        self._adrift: set[int] = set()

    def open(self) -> None:
        """As `Source.open`."""
        if self._consumer is not None:
            return
        needed("confluent_kafka", "kafka")
        from confluent_kafka import Consumer

        self._trouble.clear()
        consumer = Consumer(
            self._configured(
                group_id=self._group,
                auto_offset_reset="error",  # see _find_again
                enable_auto_commit=False,
                enable_auto_offset_store=False,
                isolation_level="read_committed",
                partition_assignment_strategy="range",
                session_timeout_ms=int(1000 * self._session),
                heartbeat_interval_ms=max(1, int(1000 * self._session / 4)),
                # Work on one batch may take long; that the process lives is told by heartbeats.
                max_poll_interval_ms=max(600_000, int(1000 * self._session)),
                queued_max_messages_kbytes=16_384,
            )
        )
        try:
            self._look(consumer)
            consumer.subscribe([self._topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        except BaseException:
            consumer.close()
            raise
        self._consumer = consumer

    def receive(self, most: int, wait: float) -> list[Received]:
        """As `Source.receive`."""
        from confluent_kafka import KafkaException

        self.open()
        consumer = self._consumer
        assert consumer is not None
        self._trouble.clear()
        try:
            self._commit(consumer)
            until = monotonic() + wait
            while (room := self._prefetch - len(self._backlog.held)) > 0:
                # Rebalancing and heartbeats' news are served inside consume: never without it, but briefly.
                left = 0.0 if self._backlog.waiting else max(0.0, until - monotonic())
                records = consumer.consume(min(room, 10_000), timeout=min(left, 0.2))
                self._take(records)
                self._find_again(consumer)
                if self._backlog.waiting or (not records and monotonic() >= until):
                    break
        except KafkaException as error:
            raise self._told(error.args[0]) from error
        if not self._backlog.waiting and "_ALL_BROKERS_DOWN" in {error.name() for error in self._trouble}:
            raise self._told(self._trouble[-1])
        return self._backlog.take(most)

    def close(self) -> None:
        """As `Source.close`."""
        from confluent_kafka import KafkaException

        consumer, self._consumer = self._consumer, None
        if consumer is None:
            return
        try:
            self._commit(consumer)
        except KafkaException as error:
            _QUIET.info("not committed, so it comes again: %s", error)
        finally:
            self._leave(consumer)
            self._forget(self._next.keys())

    def _leave(self, consumer: Consumer) -> None:
        """Leave the group, but wait no longer than a session lasts: the client would wait for its broker for ever."""
        leaving = Thread(target=consumer.close, name="orderstate-kafka-leave", daemon=True)
        leaving.start()
        leaving.join(self._session + 5.0)
        if leaving.is_alive():
            _QUIET.info("the group did not let us go in time; it will notice by itself that we are gone")

    def _take(self, records: Sequence[Record]) -> None:
        """Keep what came. Raises KafkaException, after all of it was kept: it is not handed out twice."""
        from confluent_kafka import KafkaException

        failed = None
        for record in records:
            partition, offset = record.partition() or 0, record.offset() or 0
            if (error := record.error()) is not None:
                if error.name() == "_AUTO_OFFSET_RESET":
                    self._adrift.add(partition)
                elif not error.retriable() and error.name() not in (
                    "_PARTITION_EOF",
                    "_TRANSPORT",
                    "_ALL_BROKERS_DOWN",
                ):
                    failed = error
                continue
            headers = {name.casefold(): _text(value) for name, value in _pairs(record.headers())}
            self._backlog.add((offset, partition), offset, record.value() or b"", _text(record.key()), headers)
            self._next[partition] = offset + 1
        if failed is not None:
            raise KafkaException(failed)

    def _find_again(self, consumer: Consumer) -> None:
        """Read on from the oldest message where the place that we had is not there.

        Raises KafkaException; Later, once, where messages are gone that we never had: nothing is jumped without a word.
        """
        if not self._adrift:
            return
        places, gaps = consumer.committed(consumer.assignment(), timeout=self._timeout), []
        for place in places:
            ours = place.offset = self._next.get(place.partition, place.offset)
            if place.partition in self._adrift:
                place.offset, _ = consumer.get_watermark_offsets(place, timeout=self._timeout)
                if 0 <= ours < place.offset:
                    gaps.append(f"{ours} to {place.offset - 1} of partition {place.partition}")
        consumer.assign(_from_beginning(places))  # seeking would do, were a partition without its place not given up
        self._adrift.clear()
        if gaps:
            raise Later(f"{self.name}: {', '.join(gaps)} deleted before group {self._group!r} read them", counts=False)

    def _positions(self) -> Mapping[int, int]:
        """The offset, per partition, before which everything is done."""
        self._backlog.settled()
        found = dict(self._next)
        for offset, partition in self._backlog.held:
            found[partition] = min(found[partition], offset)
        return {partition: offset for partition, offset in found.items() if self._committed.get(partition) != offset}

    def _commit(self, consumer: Consumer) -> None:
        from confluent_kafka import TopicPartition

        moved = self._positions()
        if moved:
            # Nothing done of a new partition: its position is where it began, and committing that changes nothing.
            consumer.commit(offsets=[TopicPartition(self._topic, *pair) for pair in moved.items()], asynchronous=False)
            self._committed.update(moved)

    def _assigned(self, consumer: Consumer, partitions: Sequence[Any]) -> None:
        """We read these from now on, from where the group was."""
        consumer.assign(_from_beginning(consumer.committed(list(partitions), timeout=self._timeout)))

    def _revoked(self, consumer: Consumer, partitions: Sequence[Any]) -> None:
        from confluent_kafka import KafkaException

        try:
            self._commit(consumer)
        except KafkaException as error:
            _QUIET.info("not committed, so it comes again: %s", error)
        self._lost(consumer, partitions)

    def _lost(self, consumer: Consumer, partitions: Sequence[Any]) -> None:
        """Others read these from now on: what we hold of them is not ours to hand out."""
        self._forget([one.partition for one in partitions])

    def _forget(self, partitions: Any) -> None:
        gone = set(partitions)
        for place in [place for place in self._backlog.held if place[1] in gone]:
            self._backlog.forget(place)
        for partition in gone:
            self._next.pop(partition, None)
            self._committed.pop(partition, None)
            self._adrift.discard(partition)


def _from_beginning(places: Sequence[TopicPartition]) -> list[TopicPartition]:
    """The places to read from; a group that has none begins with the oldest message."""
    from confluent_kafka import OFFSET_BEGINNING

    for place in places:
        place.offset = OFFSET_BEGINNING if place.offset < 0 else place.offset
    return list(places)


def _hopeless(error: KafkaError) -> bool:
    """Whether waiting longer for an answer is of no use."""
    return error.name() in _HOPELESS or "SSL handshake" in error.str()


def _plainly(text: str) -> str:
    """librdkafka's text without the address, thread and times that it puts around the reason."""
    return text.rpartition("]: ")[2].partition(" (after ")[0]


def _pairs(headers: Any) -> Sequence[tuple[str, str | bytes | None]]:
    """The headers of a record, for which the client's types name more forms than it hands out."""
    return tuple(headers.items()) if isinstance(headers, dict) else tuple(headers or ())


def _text(value: str | bytes | None) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""


def sink(address: Address) -> Sink:
    """The sink of an address."""
    return KafkaSink(address)


def source(address: Address, group: str) -> Source:
    """The source of an address."""
    return KafkaSource(address, group)
