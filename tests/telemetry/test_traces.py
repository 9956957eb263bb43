"""Spans: of commands, deliveries, relays and messages, below one another across databases; and never a contact."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode
from seen import CONTACT, FOREIGN, Seen, alone, attributes, below, consume, trace_of
from worlds import DENVER, World

from orderstate import Engine, NotFound, Refused
from orderstate.engine.commands import VERBS, Fire, Place, Receive
from orderstate.engine.runner import HANDLERS
from orderstate.events.brokers import sink
from orderstate.events.brokers.message import Failure, Message
from orderstate.events.incoming import Incoming, read
from orderstate.events.outcomes import Later, Never
from orderstate.events.relaying import Relay
from orderstate.events.wire import document
from orderstate.events.working import Worker
from orderstate.render import documents
from orderstate.store import deliveries


@pytest.fixture
def seen(world: World) -> Iterator[Seen]:
    """What the engine of the world does, seen; it has 10 MUG in Denver."""
    world.facility("DEN", "39.74,-104.99", MUG=10)
    world.clock.step = 0  # nothing falls due by itself
    found = Seen()
    with found.watch(world.engine):
        yield found


# Commands


def test_a_command_is_a_span_that_says_what_it_did(world: World, seen: Seen) -> None:
    order = world.order(MUG=2)
    world.engine.tie(order, by="zoe", strategy="cheapest")
    placed, tied = seen.spans()
    assert (placed.name, tied.name) == ("orderstate.place", "orderstate.tie")
    assert attributes(placed) == {
        "command": "place", "role": "operator", "order": order, "state.to": "pending", "exit": 0, "changed": True,
        "events": (f"{order}:1",),
    }  # fmt: skip
    assert attributes(tied) == {
        "command": "fire", "role": "operator", "order": order, "trigger": "tie_inventory", "strategy": "cheapest",
        "state.from": "pending", "state.to": "inventory_tied", "exit": 0, "changed": True,
        "plan.cost": world.engine.plan(order).plan.cost, "events": (f"{order}:2",),
    }  # fmt: skip
    assert {s.status.status_code for s in seen.spans()} == {StatusCode.UNSET}
    assert placed.parent is None
    assert tied.parent is None


def test_a_refused_command_is_an_error_with_every_code(world: World, seen: Seen) -> None:
    order = world.shipped(MUG=1)
    seen.forget()
    with pytest.raises(Refused):
        world.engine.cancel(order, role="customer", reason="call me at zoe@example.org")
    span = seen.one("cancel")
    assert span.status.status_code is StatusCode.ERROR
    found = attributes(span)
    assert found["refusal.codes"] == ("goods_still_here", "canceller_may")
    assert (found["exit"], found["error.type"], found["role"]) == (4, "goods_still_here", "customer")
    assert "zoe" not in span.to_json()
    assert world.refusals(order) == {("cancel", "goods_still_here canceller_may"): 1}


def test_each_command_of_a_batch_has_a_span_and_its_own_trace_in_its_event(world: World, seen: Seen) -> None:
    order = world.order(MUG=1)
    outcomes = list(world.engine.run([Fire(order=order, trigger="ship"), Fire(order=order, trigger="cancel")], batch=9))
    assert isinstance(outcomes[0], Refused)
    assert [(s.name, s.status.status_code) for s in seen.spans()[1:]] == [
        ("orderstate.ship", StatusCode.ERROR),
        ("orderstate.cancel", StatusCode.UNSET),
    ]
    traces = [e.trace for e in world.engine.history(order).events]
    assert traces == [trace_of(seen.one("place")), trace_of(seen.one("cancel"))]


def test_what_undoes_a_whole_transaction_is_an_error_and_raised(world: World, seen: Seen) -> None:
    commands = [Receive(facility="DEN", items=[("MUG", 1)]), Fire(order="9999", trigger="ship")]
    with pytest.raises(NotFound):
        world.engine.all_or_nothing(commands)
    assert [attributes(s).get("error.type") for s in seen.spans()] == [None, "unknown_order"]


def test_a_fault_of_the_program_is_shown_by_its_class_alone(
    world: World, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(*_: object) -> None:
        raise ZeroDivisionError(CONTACT)

    monkeypatch.setattr("orderstate.engine.runner.HANDLERS", {Place: faulty})
    with pytest.raises(ZeroDivisionError):
        world.order(MUG=1)
    span = seen.one("place")
    assert span.attributes is not None
    assert span.attributes["error.type"] == "ZeroDivisionError"
    assert "zoe" not in span.to_json()


def test_a_repeat_is_a_span_that_says_so(world: World, seen: Seen) -> None:
    for _ in range(2):
        world.engine.place({"MUG": 1}, DENVER, key="k")
    assert [attributes(s).get("repeated", False) for s in seen.spans()] == [False, True]


def test_a_command_belongs_to_the_span_in_which_it_is_called(world: World, seen: Seen) -> None:
    with seen.tracers.get_tracer("shop").start_as_current_span("checkout"):
        order = world.order(MUG=1)
    placed, checkout = seen.spans()
    assert below(placed, checkout)
    assert world.engine.history(order).events[0].trace == trace_of(placed)


def test_what_is_not_sampled_is_not_kept_but_goes_on_as_not_sampled(world: World) -> None:
    found = Seen(ALWAYS_OFF)
    world.facility("DEN", MUG=1)
    with found.watch(world.engine):
        order = world.order(MUG=1)
    assert found.spans() == []
    trace = world.engine.history(order).events[0].trace
    assert trace is not None
    assert int(trace[-2:], 16) & 1 == 0


def test_a_watch_that_is_closed_sees_nothing_and_leaves_no_trace(world: World, seen: Seen) -> None:
    watch = seen.watch(world.engine)
    watch.close()
    watch.close()
    order = world.order(MUG=1)
    assert seen.spans() == []
    assert world.engine.history(order).events[0].trace is None


# What is kept


def test_the_trace_of_an_event_is_kept_and_is_no_part_of_what_is_shown(world: World, seen: Seen) -> None:
    order = world.tied(MUG=2)
    (kept,) = world.rows("SELECT payload FROM event WHERE subject = ? AND number = 1", order)
    trace = trace_of(seen.one("place"))
    assert json.loads(kept[0])["traceparent"] == trace
    shown = json.dumps([documents.history(world.engine.history(order)), str(world.engine.show(order, 1))])
    assert "traceparent" not in shown
    assert trace not in json.dumps(documents.history(world.engine.history(order)))
    event = world.engine.history(order).events[0]
    found = document(event, "/orderstate/here")
    assert found["traceparent"] == trace
    assert "traceparent" not in found["data"]
    with world.engine.store.read() as tx:
        streamed = deliveries.event_at(tx, order, 1)
    assert streamed is not None
    assert streamed[1] == event
    world.check()


# Deliveries


def test_a_delivery_is_below_its_command_and_what_comes_of_it_below_the_delivery(world: World, seen: Seen) -> None:
    alone(world, "sourcing")
    order = world.order(MUG=2)
    assert Worker(world.engine).drain() == 1
    placed, tied, delivery = seen.one("place"), seen.one("tie"), seen.one("delivery")
    assert below(delivery, placed)
    assert below(tied, delivery)
    assert delivery.kind is SpanKind.CONSUMER
    assert attributes(delivery) == {
        "subscriber": "sourcing", "event": f"{order}:1", "event.type": "OrderPlaced", "attempt": 1,
        "outcome": "delivered",
    }  # fmt: skip
    assert world.engine.history(order).events[1].trace == trace_of(tied)


def test_a_delivery_that_fails_says_why_without_the_customer(world: World, seen: Seen) -> None:
    alone(world, "quoting")
    order = world.engine.place({"MUG": 1}, DENVER, contact=CONTACT).order
    assert Worker(world.engine).drain() == 1
    delivery = seen.one("delivery")
    assert delivery.status.status_code is StatusCode.ERROR
    assert attributes(delivery)["outcome"] == "later"
    assert attributes(delivery)["reason"] == "550 [hidden]: nobody of that name; ask [hidden]"
    (error,) = world.rows("SELECT error FROM delivery WHERE subject = ?", order)
    assert CONTACT in error[0], "the shop's own database keeps the whole reason"


def test_no_contact_is_in_anything_that_was_seen(world: World, seen: Seen) -> None:
    alone(world, "quoting", "sourcing")
    order = world.engine.place({"MUG": 1}, DENVER, contact=CONTACT, key=CONTACT, by=CONTACT).order
    Worker(world.engine).drain()
    world.engine.cancel(order, reason=CONTACT)
    assert len(seen.spans()) == 5
    assert "zoe" not in "".join(span.to_json() for span in seen.spans()).casefold()


# Relays and messages


class Broker:
    """A sink in memory that answers as it is told."""

    name = "memory://sink"

    def __init__(self, answers: dict[str, Failure]) -> None:
        self.answers = answers
        self.taken: list[Message] = []

    def open(self) -> None:
        """There is nothing to open."""

    def publish(self, messages: list[Message]) -> list[Failure | None]:
        """Take what is not to fail; what fails for the time being fails once."""
        self.taken.extend(messages)
        return [self.answers.pop(message.key, None) for message in messages]

    def close(self) -> None:
        """There is nothing to close."""


def test_a_wave_is_a_span_and_each_event_in_it_one_below_its_command(world: World, seen: Seen) -> None:
    alone(world)
    orders = [world.order(MUG=1, id=f"web-{number}") for number in range(3)]
    broker = Broker({"web-1": Never("too large for zoe@example.org")})
    Relay(world.engine, broker, past=True).run()  # type: ignore[arg-type]  # it is no context manager
    (wave,) = seen.spans("relay")
    counted = {name: attributes(wave)[name] for name in ("relay.events", "relay.delivered", "relay.parked")}
    assert counted == {"relay.events": 4, "relay.delivered": 3, "relay.parked": 1}
    assert len(wave.links) == 3, "the stock was there before anybody looked"
    published = {attributes(s)["event"]: s for s in seen.spans("publish")}
    assert set(published) == {f"{order}:1" for order in orders}
    for order, placed in zip(orders, seen.spans("place"), strict=True):
        assert below(published[f"{order}:1"], placed)
        (message,) = [m for m in broker.taken if m.key == order]
        assert message.headers == {"traceparent": trace_of(placed)}
        assert json.loads(message.body)["traceparent"] == trace_of(placed)
    assert attributes(published["web-1:1"])["reason"] == "too large for [hidden]"
    assert published["web-1:1"].status.status_code is StatusCode.ERROR
    (untraced,) = [m for m in broker.taken if m.key == "facility/DEN"]
    assert untraced.headers == {}


def test_a_wave_that_the_broker_did_not_take_is_an_error(world: World, seen: Seen) -> None:
    alone(world)
    world.order(MUG=1, id="web-1")
    broker = Broker({"web-1": Later("refused", counts=False)})
    Relay(world.engine, broker, pauses=(0.0,)).run()  # type: ignore[arg-type]  # it is no context manager
    assert [s.status.status_code for s in seen.spans("relay")] == [StatusCode.ERROR, StatusCode.UNSET]
    assert [attributes(s)["outcome"] for s in seen.spans("publish")] == ["down", "delivered"]


def test_an_order_is_one_trace_from_the_shop_to_the_stock_of_another_database(
    world: World, seen: Seen, tmp_path: Path
) -> None:
    alone(world)
    wire = tmp_path / "events.ndjson"
    order = world.order(MUG=2)
    Relay(world.engine, sink(str(wire))).run()
    elsewhere = tmp_path / "elsewhere.db"
    Engine.create(elsewhere).close()  # with an id of its own
    there = World(elsewhere)
    there.facility("CHI", "41.88,-87.63", MUG=5)
    alone(there, "sourcing")
    other = Seen()
    with other.watch(there.engine):
        consume(there.engine, wire)
        Worker(there.engine).drain()
    there.close()
    placed = seen.one("place")
    (heard,) = [s for s in other.spans("consume") if attributes(s)["message"] == f"{order}:1"]
    followed, delivery, tied = other.one("place"), other.one("delivery"), other.one("tie")
    assert below(heard, placed)
    assert below(followed, heard)
    assert below(delivery, followed)
    assert below(tied, delivery)
    assert attributes(heard)["outcome"] == "applied"
    assert heard.kind is SpanKind.CONSUMER
    assert {s.context.trace_id for s in (placed, tied) if s.context} == {
        placed.context.trace_id if placed.context else 0
    }


def message(**changed: object) -> bytes:
    whole = {"specversion": "1.0", "id": "m1", "source": "/shop", "type": "PlaceOrder", "data": {}} | changed
    return json.dumps(whole).encode()


def test_the_trace_of_a_message_is_its_own_before_that_of_the_broker() -> None:
    other = FOREIGN.replace("b7", "c8")
    own, broker = (
        read(message(traceparent=FOREIGN), "b", {"traceparent": other}),
        read(message(), "b", {"traceparent": other}),
    )
    neither = read(message(), "b")
    assert isinstance(own, Incoming)
    assert isinstance(broker, Incoming)
    assert isinstance(neither, Incoming)
    assert (own.trace, broker.trace, neither.trace) == (FOREIGN, other, None)


@pytest.mark.parametrize(
    ("trace", "parent"), [(FOREIGN, 0xB7AD6B7169203331), ("00-nonsense", None), ("", None), (None, None)]
)
def test_a_message_goes_on_with_the_trace_of_its_sender_if_that_is_one(
    world: World, seen: Seen, tmp_path: Path, trace: str | None, parent: int | None
) -> None:
    data = {"lines": {"MUG": 1}, "to": DENVER, "contact": CONTACT}
    file = tmp_path / "in.ndjson"
    file.write_bytes(message(data=data, **({} if trace is None else {"traceparent": trace})) + b"\n")
    consume(world.engine, file)
    heard = seen.one("consume")
    assert (heard.parent.span_id if heard.parent else None) == parent
    assert below(seen.one("place"), heard)
    assert attributes(heard) == {
        "source": "/shop", "message": "m1", "message.type": "PlaceOrder", "outcome": "applied",
    }  # fmt: skip


def test_a_message_that_is_parked_says_why_without_the_customer(world: World, seen: Seen, tmp_path: Path) -> None:
    file = tmp_path / "in.ndjson"
    unknown = {"lines": {"CUP": 1}, "to": DENVER, "contact": CONTACT}
    long = {"lines": {"MUG": 1}, "to": DENVER, "contact": CONTACT * 100}
    file.write_bytes(message(data=unknown) + b"\n" + message(id="m2", data=long) + b"\n{\n")
    consume(world.engine, file)
    found = seen.spans("consume")
    assert [attributes(s)["outcome"] for s in found] == ["parked"] * 3
    assert {s.status.status_code for s in found} == {StatusCode.ERROR}
    reasons = [attributes(s)["reason"] for s in found]
    assert reasons[0].startswith("unknown SKU 'CUP'")
    assert reasons[1] == "contact: [hidden]"
    assert reasons[2].startswith("it is not JSON")
    assert "zoe" not in "".join(s.to_json() for s in seen.spans()).casefold()


# Documentation


def test_every_span_and_every_attribute_is_documented(world: World, seen: Seen, tmp_path: Path) -> None:
    alone(world, "quoting", "sourcing")
    order = world.order(MUG=1, id="web-1")
    Worker(world.engine).drain()
    with pytest.raises(Refused):
        world.engine.deliver(order)
    for _ in range(2):
        world.engine.receive("DEN", "MUG", 1, key="k")
    Relay(world.engine, Broker({"web-1": Never("no")})).run()  # type: ignore[arg-type]  # it is no context manager
    file = tmp_path / "in.ndjson"
    file.write_bytes(message() + b"\n")
    consume(world.engine, file)
    text = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text("utf-8")
    documented = set(re.findall(r"`((?:orderstate|error)?\.[a-z._]+)`", text))
    assert {s.name for s in seen.spans()} <= {f"orderstate{n}" if n.startswith(".") else n for n in documented}
    assert {name for s in seen.spans() for name in s.attributes or ()} <= documented
    commands = {*VERBS.values(), *(kind.name for kind in HANDLERS)}
    assert {f"orderstate.{name}" for name in commands} <= {
        f"orderstate{n}" if n.startswith(".") else n for n in documented
    }
