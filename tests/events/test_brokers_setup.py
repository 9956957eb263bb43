"""What each broker must be set to: verified when a sink or source opens, and what happens when it changes under us."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import Nats, Server, running, until

from orderstate.events.brokers import Message, sink, source
from orderstate.events.brokers.message import Source
from orderstate.events.brokers.nats import takes
from orderstate.events.outcomes import Later, Never

pytest_plugins = ["broker_fixtures"]

EVENT = Message("urn:test/1001:1", "1001", "OrderPlaced", b"{}")


@pytest.fixture
def topic() -> str:
    """A name that no other test uses."""
    return f"test-{uuid.uuid4().hex[:12]}"


def in_nats(server: Server, work: Callable[[Any], Any]) -> Any:
    """Do something with JetStream, as its administrator would."""

    async def done() -> Any:
        import nats

        client = await nats.connect(f"nats://127.0.0.1:{server.port}", user=server.user, password=server.password)
        try:
            return await work(client.jetstream())
        finally:
            await client.close()

    return asyncio.run(done())


def in_rabbit(server: Server, work: Callable[[Any], Any]) -> Any:
    """Do something over a channel, as an administrator would."""

    async def done() -> Any:
        import aio_pika

        async with await aio_pika.connect(server.url()) as connection:
            return await work(await connection.channel())

    return asyncio.run(done())


def test_nats_stores_an_event_that_is_published_twice_once(nats_server: Server, topic: str) -> None:
    with sink(nats_server.url(topic)) as out:
        assert [out.publish([EVENT]) for _ in range(3)] == [[None]] * 3
    assert in_nats(nats_server, lambda js: js.stream_info(topic)).state.messages == 1


def test_a_stream_in_memory_is_refused(nats_server: Server, topic: str) -> None:
    in_nats(nats_server, lambda js: js.add_stream(name=topic, subjects=[f"{topic}.>"], storage="memory"))
    with pytest.raises(Never, match="in memory only"):
        sink(nats_server.url(topic)).open()


def test_a_stream_that_does_not_take_the_subject_is_refused(nats_server: Server, topic: str) -> None:
    in_nats(nats_server, lambda js: js.add_stream(name=topic, subjects=[f"other.{topic}"]))
    with pytest.raises(Never, match=f"does not take the subject {topic}.>"):
        sink(nats_server.url(topic)).open()


@pytest.mark.parametrize(
    ("pattern", "subject", "yes"),
    [
        ("a.>", "a.b.c", True),
        ("a.>", "a", False),
        ("a.*", "a.b", True),
        ("a.*", "a.b.c", False),
        (">", "a.b", True),
        ("b.>", "a.b", False),
    ],
)
def test_a_subject_is_matched_as_nats_does(pattern: str, subject: str, yes: bool) -> None:
    assert takes(pattern, subject) is yes


def test_a_stream_that_was_deleted_is_made_again(nats_server: Server, topic: str) -> None:
    with sink(nats_server.url(topic, timeout=2)) as out:
        out.open()
        in_nats(nats_server, lambda js: js.delete_stream(topic))
        (answer,) = out.publish([EVENT])
        assert isinstance(answer, Later)
        assert not answer.counts
        assert answer.reason == f"{out.name}: the stream is not there any more"
        assert out.publish([EVENT]) == [None]


def test_a_stream_that_is_deleted_under_its_reader_is_said(nats_server: Server, topic: str) -> None:
    with source(nats_server.url(topic, timeout=2)) as reader:
        assert reader.receive(1, 0.1) == []
        in_nats(nats_server, lambda js: js.delete_stream(topic))
        with pytest.raises(Later, match="the stream is not there any more") as said:
            until(lambda: reader.receive(1, 0.1), "a word of it")
        assert not said.value.counts


class TokenNats(Nats):
    """NATS that knows one token, and nobody by name."""

    def command(self) -> Sequence[str]:
        """As ever, with other words about who may log in."""
        found, settings = super().command(), self.folder / "nats.conf"
        settings.write_text(
            re.sub("authorization .*", f"authorization {{ token: {self.password} }}", settings.read_text())
        )
        return found


def test_a_token_logs_in_and_is_not_shown(tmp_path: Path, topic: str) -> None:
    with contextmanager(running)(TokenNats, tmp_path) as server:
        with sink(server.url(topic, login=server.password)) as out:
            assert out.publish([EVENT]) == [None]
            assert server.password not in out.name
        with pytest.raises(Never, match="refused the login: check the user") as refused:
            sink(server.url(topic, login="T0KENinvain")).open()
        assert "T0KEN" not in refused.value.reason


def test_a_type_that_is_no_subject_is_published_all_the_same(nats_server: Server, topic: str) -> None:
    with sink(nats_server.url(topic)) as out, source(nats_server.url(topic)) as reader:
        assert out.publish([Message("urn:test/1", "k e y", "io..Bestellt * >", b"{}")]) == [None]
        (found,) = reader.receive(1, 20)
        assert found.key == "k e y"


def test_without_a_queue_every_event_is_unroutable(rabbit_server: Server, topic: str) -> None:
    with sink(rabbit_server.url(topic, groups="")) as out:
        answers = out.publish([EVENT, Message("urn:test/1002:1", "1002", "OrderPlaced", b"{}")])
        for answer in answers:
            assert isinstance(answer, Never)
            assert "no queue is bound for OrderPlaced" in answer.reason
        with source(rabbit_server.url(topic)) as reader:  # its queue is there from now on
            assert out.publish([EVENT]) == [None]
            assert [one.key for one in reader.receive(1, 20)] == ["1001"]


def test_a_queue_that_is_set_up_otherwise_is_refused(rabbit_server: Server, topic: str) -> None:
    in_rabbit(rabbit_server, lambda channel: channel.declare_queue(f"{topic}.orderstate", durable=True))
    with pytest.raises(Never, match=r"is set up otherwise: .*inequivalent arg"):
        sink(rabbit_server.url(topic)).open()


def test_what_must_be_there_and_is_not_is_refused(rabbit_server: Server, topic: str) -> None:
    with pytest.raises(Never, match=f"no exchange '{topic}'"):
        sink(rabbit_server.url(topic, declare="no")).open()


def test_a_virtual_host_that_is_not_there_is_said(rabbit_server: Server, topic: str) -> None:
    with pytest.raises(Never, match=r"virtual host 'nowhere' is not there.*HOST/VHOST/EXCHANGE"):
        sink(rabbit_server.url(f"nowhere/{topic}")).open()


def test_a_queue_that_is_deleted_under_its_reader_is_noticed(rabbit_server: Server, topic: str) -> None:
    with source(rabbit_server.url(topic)) as reader:
        reader.open()
        in_rabbit(rabbit_server, lambda channel: channel.queue_delete(f"{topic}.orderstate"))
        with pytest.raises(Later) as noticed:
            until(lambda: reader.receive(1, 0.1), "a word of it")
        assert not noticed.value.counts
        assert reader.receive(1, 0.1) == []  # made again


def test_a_channel_that_closes_under_a_publication_is_told_in_words(
    rabbit_server: Server, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aiormq.exceptions import ChannelInvalidStateError

    async def closed(_: Message) -> None:
        raise ChannelInvalidStateError('<Channel: "1" at 0x7fda768af480> closed')

    with sink(rabbit_server.url(topic)) as out:
        with monkeypatch.context() as patched:
            patched.setattr(out, "_one", closed)
            (answer,) = out.publish([EVENT])
        assert isinstance(answer, Later)
        assert (answer.reason, answer.counts) == (f"{out.name} cannot be reached: the connection was lost", False)
        assert out.publish([EVENT]) == [None]


def test_the_limit_of_the_client_spares_the_channel(rabbit_server: Server, topic: str) -> None:
    with sink(rabbit_server.url(topic, max_bytes=1000)) as out:
        refused, kept = out.publish(
            [Message("urn:test/a", "a", "T", b" " * 1001), Message("urn:test/b", "b", "T", b" " * 1000)]
        )
        assert isinstance(refused, Never)
        assert kept is None


def test_a_redis_that_confirms_before_it_stores_is_refused(redis_server: Server, topic: str) -> None:
    from redis import Redis

    with Redis(port=redis_server.port, password=redis_server.password) as client:
        client.config_set("appendfsync", "everysec")
        try:
            with pytest.raises(Never, match=r"appendfsync everysec.*durable=no"):
                sink(redis_server.url(topic)).open()
            with sink(redis_server.url(topic, durable="no")) as out:
                assert out.publish([EVENT]) == [None]
        finally:
            client.config_set("appendfsync", "always")
        client.set(f"{topic}-text", "x")
    with pytest.raises(Never, match="something else than a stream"):
        sink(redis_server.url(f"{topic}-text")).open()


def test_what_another_reader_of_the_group_had_taken_is_taken_over(redis_server: Server, topic: str) -> None:
    from redis import Redis

    with sink(redis_server.url(topic)) as out:
        for number in range(4):
            assert out.publish([Message(f"urn:test/{number}", "1001", "T", str(number).encode())]) == [None]
    with Redis(port=redis_server.port, password=redis_server.password) as client:
        client.xgroup_create(topic, "orderstate", id="0")
        client.xreadgroup("orderstate", "somebody-else", {topic: ">"}, count=2)
    with source(redis_server.url(topic)) as reader:
        found = reader.receive(10, 5)
        found += reader.receive(10, 5) if len(found) < 4 else []
        assert [one.body for one in found] == [b"0", b"1", b"2", b"3"]


def test_a_database_of_redis_can_be_named(redis_server: Server, topic: str) -> None:
    with sink(redis_server.url(f"3/{topic}")) as out, source(redis_server.url(f"3/{topic}")) as reader:
        assert out.publish([EVENT]) == [None]
        assert [one.key for one in reader.receive(1, 10)] == ["1001"]
        assert source(redis_server.url(topic)).receive(1, 0.1) == []


def test_kafka_keeps_one_key_in_one_partition(kafka_server: Server, topic: str) -> None:
    from confluent_kafka import Consumer, TopicPartition

    with sink(kafka_server.url(topic)) as out:
        for number in range(3):
            wave = [Message(f"urn:test/{key}:{number}", f"k{key}", "T", b"{}") for key in range(20)]
            assert out.publish(wave) == [None] * 20
    looking = Consumer({"bootstrap.servers": f"127.0.0.1:{kafka_server.port}", "group.id": topic})
    partitions = sorted(looking.list_topics(topic, timeout=10).topics[topic].partitions)
    ends = [looking.get_watermark_offsets(TopicPartition(topic, number), timeout=10)[1] for number in partitions]
    looking.close()
    assert sum(ends) == 60
    assert all(end % 3 == 0 for end in ends)
    assert sum(1 for end in ends if end) > 1


def read(reader: Source, last: int) -> list[int]:
    """The numbers that come, up to `last`; each is done."""
    found: list[int] = []

    def ended() -> bool:
        for one in reader.receive(10, 1.0):
            found.append(int(one.body))
            one.done()
        return last in found

    until(ended, f"message {last}")
    return found


def test_what_kafka_deleted_before_it_was_read_is_said_once_and_the_rest_is_read(
    kafka_server: Server, topic: str
) -> None:
    url = kafka_server.url(topic, session=1)  # so long the cluster waits for a reader that has left
    with sink(url) as out:
        for number in range(12):  # more than a partition of the mock cluster holds
            body = b"%d" % number + b" " * 900_000
            assert out.publish([Message(f"urn:test/1001:{number}", "1001", "T", body)]) == [None]
            if number == 2:
                with source(url, "away") as reader:
                    assert read(reader, 2) == [0, 1, 2]
    with source(url, "away") as reader:
        with pytest.raises(Later, match=r"\b3 to \d+ of partition \d+ deleted before group 'away' read them") as gone:
            read(reader, 11)
        assert not gone.value.counts
        left = read(reader, 11)
    assert left == list(range(left[0], 12))
    assert left[0] > 3
    assert f"3 to {left[0] - 1} of" in gone.value.reason
    with source(url, "new") as reader:
        assert read(reader, 11) == left
