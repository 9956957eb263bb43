"""The laws of sinks and sources, on every real broker alike."""

from __future__ import annotations

import random
import subprocess
import sys
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence

import pytest
from servers import Kafka, Server, free_port, until

from orderstate.errors import NotFound
from orderstate.events.brokers import Failure, Message, Received, Sink, Source, name, sink, source
from orderstate.events.outcomes import Later, Never

pytest_plugins = ["broker_fixtures"]

SPEED: dict[str, dict[str, object]] = {
    "nats": {"ack_wait": 1},
    "redis": {"lease": 1},
    "kafka": {"session": 2},
    "amqp": {"groups": "orderstate,second"},
}
"""Options that make a dead reader known soon; and for RabbitMQ the groups whose queues the sink makes."""


class Broker:
    """A server, and a stream, topic or exchange that no other test uses."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.topic = f"test-{uuid.uuid4().hex[:12]}"
        self._opened: list[Sink | Source] = []

    def url(self, *, login: str | None = None, **options: object) -> str:
        together = {"timeout": 5} | SPEED[self.server.scheme] | options
        return self.server.url(self.topic, login=login, **together)

    def group(self, group: str = "orderstate") -> str:
        """With Kafka one for each topic: members that other tests left behind would make it wait for their end."""
        return f"{group}-{self.topic}" if self.server.scheme == "kafka" else group

    def sink(self, *, login: str | None = None, **options: object) -> Sink:
        made = sink(self.url(login=login, **options))
        self._opened.append(made)
        return made

    def source(self, group: str = "orderstate", *, login: str | None = None, **options: object) -> Source:
        made = source(self.url(login=login, **options), self.group(group))
        self._opened.append(made)
        return made

    def settled(self) -> None:
        """What was just made is there after a kill."""
        self.server.settled(f"{self.topic}.orderstate", f"{self.topic}.second")

    def close(self) -> None:
        for one in self._opened:
            one.close()


@pytest.fixture(params=["nats", "redis", "rabbit", "kafka"])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Each broker in turn."""
    made = Broker(request.getfixturevalue(f"{request.param}_server"))
    yield made
    made.close()


@pytest.fixture(params=["nats", "redis", "rabbit"])
def lasting(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Each broker that keeps its data when it is started again."""
    made = Broker(request.getfixturevalue(f"{request.param}_server"))
    yield made
    made.close()


def message(key: str, number: int, size: int = 0) -> Message:
    """A message that says which it is."""
    body = f'{{"id":"{key}:{number}"{" " * size}}}'.encode()
    return Message(f"urn:test/{key}:{number}", key, "OrderPlaced", body, {"traceparent": f"00-{number}"})


def publish(out: Sink, messages: Sequence[Message]) -> None:
    """One after another, each confirmed."""
    for one in messages:
        assert out.publish([one]) == [None]


def collect(reader: Source, number: int, *, done: bool = True) -> list[Received]:
    """So many messages, waited for."""
    found: list[Received] = []

    def enough() -> bool:
        try:
            got = reader.receive(number - len(found), 1.0)
        except Later:
            return False
        for one in got:
            if done:
                one.done()
        found.extend(got)
        return len(found) >= number

    until(enough, f"{number} messages")
    return found


def nothing_more(reader: Source) -> None:
    """Send what is done, and see that nothing comes."""
    assert reader.receive(10, 0.3) == []


def bodies(received: Sequence[Received]) -> list[str]:
    return [one.body.decode() for one in received]


def expected(messages: Sequence[Message]) -> list[str]:
    return [one.body.decode() for one in messages]


def later(answers: Sequence[Failure | None]) -> Later:
    """The one answer, which must be that the broker is to blame."""
    (answer,) = answers
    assert isinstance(answer, Later)
    assert not answer.counts
    return answer


def test_what_is_published_is_received_in_order_per_key(broker: Broker) -> None:
    keys = [f"100{n}" for n in range(5)]
    out = broker.sink()
    for number in range(8):
        wave = [message(key, number) for key in keys]
        assert out.publish(wave) == [None] * len(wave)
    found: dict[str, list[str]] = defaultdict(list)
    reader = broker.source()
    for one in collect(reader, 40):
        assert one.headers["traceparent"].startswith("00-")
        assert one.headers["content-type"].startswith("application/cloudevents+json")
        found[one.key].append(one.body.decode())
    assert found == {key: expected([message(key, number) for number in range(8)]) for key in keys}
    nothing_more(reader)


def test_an_empty_call_publishes_nothing(broker: Broker) -> None:
    assert broker.sink().publish([]) == []


def test_what_was_confirmed_survives_kill_9_at_once(lasting: Broker) -> None:
    out = lasting.sink()
    sent = [message(f"k{n}", n) for n in range(50)]
    out.open()
    lasting.settled()
    assert out.publish(sent) == [None] * 50
    lasting.server.kill()
    lasting.server.start()
    assert sorted(bodies(collect(lasting.source(), 50))) == sorted(expected(sent))


READER = """
import sys
from orderstate.events.brokers import source
reader = source(sys.argv[1], sys.argv[2])
found = []
while len(found) < 4:
    found += reader.receive(4 - len(found), 1.0)
for one in found:
    one.done()
held = []
while len(held) < 6:
    held += reader.receive(6 - len(held), 1.0)
print(*(one.body.decode() for one in found + held), sep="\\n", flush=True)
sys.stdin.read()
"""


def test_what_a_killed_reader_had_not_acknowledged_comes_again_in_order(broker: Broker) -> None:
    sent = [message("1001", number) for number in range(20)]
    publish(broker.sink(), sent)
    dying = subprocess.Popen(
        [sys.executable, "-c", READER, broker.url(), broker.group()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert dying.stdout is not None
    assert dying.stdin is not None
    seen = [dying.stdout.readline().strip() for _ in range(10)]
    dying.kill()
    dying.communicate()
    assert seen == expected(sent[:10])
    reader = broker.source()
    assert bodies(collect(reader, 16)) == expected(sent[4:])
    nothing_more(reader)


WORKER = """
import sys
from orderstate.events.brokers import source
from orderstate.events.outcomes import Later
reader = source(sys.argv[1], sys.argv[2])
left = int(sys.argv[4])
while True:
    try:
        found = reader.receive(int(sys.argv[3]), 1.0 if left > 0 else 0.1)
    except Later:
        continue
    if left <= 0:  # it has sent what is done with that call
        break
    for one in found:
        print(one.body.decode(), flush=True)
        one.done()
        left -= 1
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.heavy
def test_readers_that_are_killed_at_random_let_nothing_out_and_no_later_one_come_first(broker: Broker) -> None:
    chance = random.Random(7)
    sent = expected([message("1001", number) for number in range(80)])
    publish(broker.sink(), [message("1001", number) for number in range(80)])
    behind = 0  # the first that nobody has seen
    kills = 0
    while behind < len(sent):
        most = min(chance.randint(1, 15), len(sent) - behind)
        arguments = [broker.url(), broker.group(), str(chance.randint(1, 10)), str(most)]
        with subprocess.Popen(
            [sys.executable, "-c", WORKER, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as worker:
            assert worker.stdout is not None
            lines = [worker.stdout.readline() for _ in range(chance.randint(1, most))]
            if chance.random() < 0.5:  # in the middle, or when nothing is under way
                lines += iter(worker.stdout.readline, "held\n")
            worker.kill()
            kills += 1
            seen = [line.strip() for line in (*lines, *worker.stdout) if line != "held\n"]
        first = sent.index(seen[0])
        assert first <= behind
        assert seen == sent[first : first + len(seen)]
        behind = max(behind, first + len(seen))
    assert kills > 3


def test_reading_resumes_where_it_was_and_another_group_reads_everything(broker: Broker) -> None:
    sent = [message("1001", number) for number in range(10)]
    publish(broker.sink(), sent)
    with broker.source() as first:
        assert bodies(collect(first, 4)) == expected(sent[:4])
        collect(first, 2, done=False)
    assert bodies(collect(broker.source(), 6)) == expected(sent[4:])
    assert bodies(collect(broker.source("second"), 10)) == expected(sent)


def test_what_is_to_come_again_comes_first(broker: Broker) -> None:
    sent = [message("1001", number) for number in range(6)]
    publish(broker.sink(), sent)
    reader = broker.source()
    one, two, three = collect(reader, 3, done=False)
    one.done()
    two.again()
    three.again()
    three.again()  # said twice, it comes once
    assert bodies(collect(reader, 5)) == expected(sent[1:])
    nothing_more(reader)


def test_no_more_is_fetched_than_prefetch_while_nothing_is_done(broker: Broker) -> None:
    publish(broker.sink(), [message("1001", number) for number in range(12)])
    reader = broker.source(prefetch=5)
    held = collect(reader, 5, done=False)
    assert reader.receive(10, 0.2) == []
    for one in held:
        one.done()
    collect(reader, 7)


def test_a_second_reader_of_a_group_gets_nothing_of_a_key_while_the_first_works_on_it(broker: Broker) -> None:
    if isinstance(broker.server, Kafka):
        pytest.skip("the mock cluster may never answer a reader that leaves while another one joins")
    sent = [message("1001", number) for number in range(10)]
    publish(broker.sink(), sent)
    first, second = broker.source(), broker.source()
    held = collect(first, 5, done=False)
    assert second.receive(5, 0.3) == []
    for one in held:
        one.done()
    first.close()
    found = bodies(collect(second, 5))
    while found[-1] != expected(sent)[-1]:  # in a rebalance Kafka may refuse what was done last: it comes again
        found += bodies(collect(second, 1))
    assert found == expected(sent[-len(found) :])


def test_a_broker_that_goes_down_is_said_counts_nothing_and_is_found_again(lasting: Broker) -> None:
    out, reader = lasting.sink(), lasting.source()
    publish(out, [message("1001", 0)])
    collect(reader, 1)
    nothing_more(reader)
    lasting.settled()
    lasting.server.kill()
    try:
        first = later(out.publish([message("1001", 1)])).reason
        assert lasting.topic in first
        assert " at 0x" not in first, "an object of the client is no word of ours"
        assert "cannot be reached" in later(out.publish([message("1001", 1)])).reason
        with pytest.raises(Later) as down:
            until(lambda: reader.receive(1, 0.1) != [], "an error")
        assert not down.value.counts
        assert " at 0x" not in down.value.reason
    finally:
        lasting.server.start()
    until(lambda: out.publish([message("1001", 1)]) == [None], "a broker that is found again")
    assert bodies(collect(reader, 1)) == expected([message("1001", 1)])


def test_a_broker_that_does_not_answer_counts_nothing_and_goes_on(broker: Broker) -> None:
    out = broker.sink(timeout=1)
    publish(out, [message("1001", 0)])
    broker.server.pause()
    try:
        later(out.publish([message("1001", 1)]))
    finally:
        broker.server.resume()
    until(lambda: out.publish([message("1001", 1)]) == [None], "an answer")
    found = bodies(collect(broker.source(), 2))
    assert found[0] == expected([message("1001", 0)])[0]
    assert set(found[1:]) == set(expected([message("1001", 1)]))


def test_a_message_that_is_too_large_is_never_taken_and_harms_no_other(broker: Broker) -> None:
    out = broker.sink()
    large, small = message("1001", 0, size=2_000_000), message("1002", 0)
    refused, other = out.publish([large, small])
    assert isinstance(refused, Never)
    assert "1048576" in refused.reason or "too large" in refused.reason
    assert not isinstance(other, Never)
    if other is not None:
        publish(out, [small])
    assert bodies(collect(broker.source(), 1)) == expected([small])


def test_a_wrong_password_is_said_without_it(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    out = broker.sink(login="relay:wrong%2Dsecret")
    with pytest.raises(Never, match=r"refused user 'relay'.*ORDERSTATE_BROKER_PASSWORD") as refused:
        out.open()
    said = [refused.value.reason, later(out.publish([message("1001", 0)])).reason, out.name]
    with pytest.raises(Never) as read:
        broker.source(login="relay:wrong%2Dsecret").receive(1, 0.1)
    for text in (*said, read.value.reason, str(read.value.__cause__)):
        assert "wrong" not in text
        assert "\n" not in text


def test_a_port_where_nobody_listens_is_a_broker_that_is_down(broker: Broker) -> None:
    host = f"{broker.server.scheme}://127.0.0.1:{free_port()}/orders"
    out = sink(f"{host}?timeout=1")
    with pytest.raises(Later, match="cannot be reached") as down:
        out.open()
    assert not down.value.counts
    assert down.value.reason.startswith(host)
    later(out.publish([message("1001", 0)]))
    with pytest.raises(Later, match="cannot be reached"):
        source(f"{host}?timeout=1").receive(1, 0.1)


def test_a_server_without_tls_is_said(broker: Broker) -> None:
    secured = {
        "amqp": ("amqps", ""),
        "redis": ("rediss", ""),
        "nats": ("nats", "&tls=yes"),
        "kafka": ("kafka", "&tls=yes"),
    }
    scheme, option = secured[broker.server.scheme]
    out = sink(f"{scheme}://127.0.0.1:{broker.server.port}/{broker.topic}?timeout=2{option}")
    # Redis says nothing at all to the first words of TLS, which could also be a server that hangs.
    kind = Later if scheme == "rediss" else Never
    with pytest.raises(kind, match="TLS") as failed:
        out.open()
    assert str(failed.value).startswith(out.name)


def test_an_unknown_option_is_refused_with_the_nearest_and_no_login(broker: Broker) -> None:
    with pytest.raises(NotFound, match="unknown option 'tiemout'") as unknown:
        broker.sink(tiemout=3)
    assert unknown.value.hint == "did you mean timeout?"
    assert "password" not in str(unknown.value.document())


def test_the_name_has_neither_login_nor_options(broker: Broker) -> None:
    shown = name(broker.url())
    assert shown == f"{broker.server.scheme}://127.0.0.1:{broker.server.port}/{broker.topic}"
    assert broker.sink().name == broker.source().name == shown
