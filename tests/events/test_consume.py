"""Messages of other systems: each has its effect once, what cannot be used is parked, and nothing goes in circles."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sinks import MemorySink, MemorySource
from worlds import World

from orderstate import Conflict, Engine, Refused
from orderstate.errors import Locked
from orderstate.events.brokers.message import LARGEST, Cut, Received
from orderstate.events.consuming import Consumer, Heard, own_group, retry
from orderstate.events.outcomes import Later, Never
from orderstate.events.relaying import Relay
from orderstate.store import deliveries


def message(id: str, kind: str, data: dict[str, Any] | None = None, subject: str | None = None, **more: Any) -> bytes:
    """A CloudEvents document of the shop next door."""
    found = {"specversion": "1.0", "id": id, "source": "/shop", "type": kind, "subject": subject, "data": data or {}}
    return json.dumps({**found, **more}).encode()


def order(id: str, units: int = 1) -> bytes:
    return message(f"place-{id}", "PlaceOrder", {"lines": {"MUG": units}, "to": "US", "id": id})


def consume(engine: Engine, source: MemorySource | list[bytes], **more: Any) -> list[Heard]:
    heard: list[Heard] = []
    given = source if isinstance(source, MemorySource) else MemorySource(source)
    Consumer(engine, given, told=heard.append, **{"pauses": (0.0,), **more}).run(quiet=0.0)
    return heard


def parked(world: World) -> list[deliveries.Parked]:
    with world.engine.store.read() as tx:
        return deliveries.parked_messages(tx, 1000)


@pytest.fixture
def stocked(world: World) -> World:
    return world.facility("DEN", "39.74,-104.99", MUG=10)


def test_commands_are_carried_out_and_say_who_asked(stocked: World) -> None:
    heard = consume(
        stocked.engine,
        [
            order("web-1", 2),
            message("r1", "StockReceived", {"facility": "DEN", "sku": "MUG", "quantity": 5, "pool": "back"}),
            message("c1", "CancelOrder", {"as": "customer", "reason": "too slow"}, subject="web-1"),
        ],
    )
    assert [(h.type, h.outcome) for h in heard] == [
        ("PlaceOrder", "applied"), ("StockReceived", "applied"), ("CancelOrder", "applied"),
    ]  # fmt: skip
    assert stocked.engine.order("web-1").state == "cancelled"
    assert stocked.level("DEN", "MUG", "back") == (5, 0, 0)
    assert stocked.rows("SELECT role, by FROM event WHERE subject = 'web-1'") == [
        ("system", "/shop"), ("customer", "/shop"),
    ]  # fmt: skip


def test_a_delivered_shipment_moves_its_order(stocked: World) -> None:
    shipped = stocked.shipped(MUG=1)
    consume(stocked.engine, [message("d1", "ShipmentDelivered", {"order": shipped})])
    assert stocked.engine.order(shipped).state == "delivered"


class LongLine(MemorySource):
    """Takes part of a line with each of the first calls, and then hands it out."""

    def receive(self, most: int, wait: float) -> list[Received]:
        """Nothing, as long as the line has no end."""
        if self.taken < 3:
            self.taken += 1
            return []
        return super().receive(most, wait)


def test_a_source_in_the_middle_of_a_long_line_is_not_empty(stocked: World) -> None:
    heard = consume(
        stocked.engine, LongLine([message("r1", "StockReceived", {"facility": "DEN", "sku": "MUG", "quantity": 5})])
    )
    assert [h.outcome for h in heard] == ["applied"]


@pytest.mark.parametrize("size", [LARGEST + 1, 3 * LARGEST])
def test_a_message_of_which_the_beginning_was_kept_is_known_by_the_whole(stocked: World, size: int) -> None:
    cuts = [Cut(b"x" * (LARGEST + 1), size, digest) for digest in ("aa", "bb", "aa")]
    assert [h.outcome for h in consume(stocked.engine, list(cuts))] == ["parked", "parked", "repeated"]
    assert [(one.id, one.error) for one in parked(stocked)] == [
        (f"sha256:{digest}", f"it has {size} bytes: {LARGEST} are read at most") for digest in ("aa", "bb")
    ]


def test_a_repeat_has_no_effect_within_one_transaction_and_later(stocked: World) -> None:
    receipt = message("r1", "StockReceived", {"facility": "DEN", "sku": "MUG", "quantity": 5})
    first = consume(stocked.engine, [receipt, receipt, order("web-1"), receipt])
    assert [h.outcome for h in first] == ["applied", "repeated", "applied", "repeated"]
    assert [h.outcome for h in consume(stocked.engine, [receipt], batch=1)] == ["repeated"]
    assert stocked.level("DEN", "MUG") == (15, 0, 0)


def test_without_the_inbox_a_repeat_counts_twice(stocked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: forget what was received, and the same message has its effect again."""
    monkeypatch.setattr(deliveries, "received", lambda *_: None)
    receipt = message("r1", "StockReceived", {"facility": "DEN", "sku": "MUG", "quantity": 5})
    consume(stocked.engine, [receipt, receipt])
    assert stocked.level("DEN", "MUG") == (20, 0, 0)


BAD = {
    "broken JSON": (b'{"specversion": "1.0",', "it is not JSON: expecting property name"),
    "not UTF-8": (b"\xff\xfe", "it is not UTF-8: byte 0"),
    "no object": (b"[1]", "it is no CloudEvent: a JSON object is due"),
    "NaN": (
        message("m", "PlaceOrder").replace(b"{}", b'{"a": NaN}'),
        "it is JSON that cannot be read: NaN is no number",
    ),
    "a key twice": (
        message("m", "PlaceOrder", {"to": "US"}).replace(b'"US"', b'"US", "to": "DE"'),
        "the key 'to' is given twice in one object",
    ),
    "deep": (b"[" * 100_000, "it is JSON that cannot be read"),
    "no id": (json.dumps({"specversion": "1.0", "source": "/s", "type": "T", "data": {}}).encode(), "id is missing"),
    "an empty id": (message("", "PlaceOrder"), "id: '' is not text of 1 to 1000 characters"),
    "another version": (message("m", "PlaceOrder", specversion="0.3"), "specversion: '0.3' is not '1.0'"),
    "no data": (
        message("m", "PlaceOrder", data=None) and b'{"specversion":"1.0","id":"a","source":"s","type":"T"}',
        "data is missing",
    ),
    "XML": (
        message("m", "PlaceOrder", datacontenttype="text/xml"),
        "datacontenttype: 'text/xml' is not application/json",
    ),
    "an unknown type": (message("m", "PlaceOrdr"), "unknown type 'PlaceOrdr' (did you mean PlaceOrder"),
    "a field too many": (
        message("m", "CancelOrder", {"order": "1", "reson": "x"}),
        "field: 'reson' is not a field of cancel",
    ),
    "a field too few": (message("m", "PlaceOrder", {"to": "US"}), "lines is missing"),
    "a wrong value": (
        message("m", "PlaceOrder", {"lines": {"MUG": 0}, "to": "US"}),
        "quantity: 0 is not a whole number",
    ),
    "a wrong place": (message("m", "PlaceOrder", {"lines": {"MUG": 1}, "to": "XX"}), "destination: 'XX' is not CC"),
    "a command inside": (message("m", "PlaceOrder", {"command": "ship"}), "command: 'ship' is not left out"),
    "an unknown SKU": (
        message("m", "PlaceOrder", {"lines": {"MUGG": 1}, "to": "US"}),
        "unknown SKU 'MUGG' (did you mean MUG?)",
    ),
    "an unknown order": (message("m", "CancelOrder", {"order": "web-9"}), "unknown order 'web-9'"),
    "no subject": (message("m", "InventoryTied", {}), "subject is missing"),
    "an event of nobody's order": (message("m", "InventoryTied", {}, subject="web-9"), "unknown order 'web-9'"),
    "too large": (b'"' + b"x" * LARGEST + b'"', f"it has {LARGEST + 2} bytes: {LARGEST} are read at most"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_used_is_parked_with_one_clear_line_and_stops_nobody(kind: str, stocked: World) -> None:
    body, reason = BAD[kind]
    heard = consume(stocked.engine, [order("a"), body, body, order("b")])
    assert [h.outcome for h in heard] == ["applied", "parked", "repeated", "applied"]
    (one,) = parked(stocked)
    assert one.error is not None
    assert one.error.startswith(reason)
    assert "\n" not in one.error
    assert len(one.body or "") <= 1_000_000
    if kind not in ("too large", "deep", "not UTF-8"):
        assert (one.body or "").encode() == body
    assert stocked.rows("SELECT count(*) FROM orders") == [(2,)]


@pytest.mark.parametrize("kind", ["too large", "not UTF-8", "deep"])
def test_a_retry_of_what_was_kept_in_part_says_again_what_was_wrong_with_the_whole(kind: str, stocked: World) -> None:
    consume(stocked.engine, [BAD[kind][0]])
    (one,) = parked(stocked)
    assert retry(stocked.engine, one) == one.error
    assert parked(stocked)[0].error == one.error


def test_a_refusal_is_an_answer_with_its_reasons_counted_and_parked(stocked: World) -> None:
    shipped = stocked.shipped(MUG=1)
    (heard, _) = consume(
        stocked.engine, [message("c1", "CancelOrder", {"order": shipped, "as": "customer"}), order("next")]
    )
    assert heard.outcome == "parked"
    assert heard.reason is not None
    assert heard.reason.startswith(f"{shipped} is shipping: cancel refused: the goods left on ")
    assert sum(stocked.refusals(shipped).values()) == 1
    assert [one.id for one in parked(stocked)] == ["c1"]


def test_a_parked_message_is_applied_by_a_retry_once_its_cause_is_gone(stocked: World) -> None:
    consume(stocked.engine, [message("p1", "PlaceOrder", {"lines": {"CUP": 1}, "to": "US", "id": "web-1"})])
    (one,) = parked(stocked)
    reason = retry(stocked.engine, one)
    assert reason is not None
    assert reason.startswith("unknown SKU 'CUP'")
    stocked.engine.receive("DEN", "CUP", 3)
    assert retry(stocked.engine, one) is None
    assert retry(stocked.engine, one) is None
    assert parked(stocked) == []
    assert stocked.rows("SELECT id FROM orders") == [("web-1",)]
    assert [h.outcome for h in consume(stocked.engine, [(one.body or "").encode()])] == ["repeated"]


def test_what_is_parked_together_is_listed_in_its_order(stocked: World) -> None:
    consume(stocked.engine, [message(f"m{n}", "Nonsense") for n in (10, 9, 2, 1)])
    assert [one.id for one in parked(stocked)] == ["m10", "m9", "m2", "m1"]


# The database and the broker in the way


def test_a_locked_database_parks_nothing_and_the_messages_come_again_in_order(stocked: World) -> None:
    impatient = stocked.another(timeout=0.05)
    source = MemorySource([order("a"), order("b"), order("c")])
    said: list[str] = []
    with open(f"{stocked.engine.store.path}-lock", "rb") as lock:  # as another process has it
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Conflict) as caught:
            consume(impatient, source, said=said.append, give_up=0.0)
        assert caught.value.code == Locked.code
    assert len(said) == 1
    assert source.done == set()
    assert [h.id for h in consume(impatient, source)] == ["place-a", "place-b", "place-c"]


def test_a_broker_that_is_down_is_tried_again_and_told_once(stocked: World) -> None:
    source = MemorySource([order("a")])
    source.troubles = [Later("memory://source cannot be reached", counts=False)] * 3
    said: list[str] = []
    assert [h.outcome for h in consume(stocked.engine, source, said=said.append)] == ["applied"]
    assert said == ["memory://source cannot be reached; trying again", "memory://source: going on"]


def test_a_broker_that_refuses_us_ends_it_with_the_reason(stocked: World) -> None:
    source = MemorySource()
    source.troubles = [Never("wrong password")]
    with pytest.raises(Refused, match="wrong password"):
        consume(stocked.engine, source)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 9))
def test_whoever_dies_between_commit_and_acknowledgement_repeats_and_changes_nothing(
    template: Path, tmp_path_factory: pytest.TempPathFactory, seed: int, batch: int
) -> None:
    dice = Random(seed)
    world = World(Path(shutil.copyfile(template, tmp_path_factory.mktemp("law") / "orderstate.db")))
    try:
        world.facility("DEN", MUG=100)
        bodies = [order(f"o{n}") for n in range(12)]
        bodies += [
            message(f"r{n}", "StockReceived", {"facility": "DEN", "sku": "MUG", "quantity": 1}) for n in range(12)
        ]
        for body in dice.sample(bodies, 6):  # a producer that repeats itself
            bodies.append(body)
        source = MemorySource(bodies)
        while len(source.done) < len(bodies):
            taken = source.receive(batch, 0)
            before = set(source.done)
            source.crash()
            limit = iter(range(dice.randint(1, 3)))
            Consumer(world.engine, source, batch=batch, stop=lambda limit=limit: next(limit, None) is None).run(0.0)  # type: ignore[misc]  # a closure
            if dice.random() < 0.5:  # the acknowledgements of the last of it were lost
                source.done = before
            source.crash()
            assert taken or len(source.done) == len(bodies)
        assert world.level("DEN", "MUG") == (112, 0, 0)
        assert world.rows("SELECT count(*) FROM orders") == [(12,)]
        world.check()
    finally:
        world.close()


# Databases that hear of each other


@pytest.fixture
def other(template: Path, tmp_path: Path) -> Iterator[World]:
    (tmp_path / "there").mkdir()
    copied = Path(shutil.copyfile(template, tmp_path / "there" / "orderstate.db"))
    made = World(copied)
    with made.engine.store.write() as tx:  # a database of its own has an id of its own
        tx.execute("UPDATE setting SET value = ? WHERE key = 'database.id'", ("f" * 32,))
    yield made
    made.close()


def told(world: World, *, to: World, again: int = 1) -> Counter[str]:
    """Relay everything from one world to the other, so many times; what became of it."""
    sink = MemorySink()
    sink.name = f"memory://{to.engine.id}"
    Relay(world.engine, sink).run()
    counted: Counter[str] = Counter()
    for _ in range(again):
        counted.update(h.outcome for h in consume(to.engine, [m.body for m in sink.kept]))
    return counted


def test_another_database_follows_step_by_step(stocked: World, other: World) -> None:
    other.facility("NYC", "40.71,-74.01", MUG=50)
    gone, back, less = stocked.shipped(MUG=1), stocked.tied(MUG=1), stocked.tied(MUG=2)
    stocked.engine.deliver(gone)
    stocked.engine.untie(back)
    stocked.engine.cancel(back, reason="late")
    stocked.engine.redirect(less, "CA")
    stocked.engine.cancel(less, lines={"MUG": 1})
    assert told(stocked, to=other)["parked"] == 0
    for one in (gone, back, less):
        here, there = stocked.engine.order(one), other.engine.order(one)
        assert (here.state, here.destination, here.lines) == (there.state, there.destination, there.lines)
        assert stocked.event_types(one) == other.event_types(one)
    other.check()


def test_their_counted_ids_are_kept_and_ours_count_past_them(stocked: World, other: World) -> None:
    other.facility("NYC", MUG=5)
    first = stocked.order(MUG=1)
    told(stocked, to=other)
    assert other.engine.order(first).id == first == "1001"
    assert other.order(MUG=1) == "1002"


def test_another_order_of_the_same_id_is_not_taken_for_it(stocked: World, other: World) -> None:
    other.facility("NYC", MUG=5)
    assert stocked.order(MUG=1) == other.order(MUG=3)
    assert told(stocked, to=other)["parked"] == 1
    assert [one.error for one in parked(other)] == [
        "there is another order 1001 here, for other goods or another place (orderstate show 1001)"
    ]


def test_an_effect_that_is_there_already_is_quiet(stocked: World, other: World) -> None:
    other.facility("NYC", MUG=5)
    one = stocked.tied(MUG=1)
    other.engine.place({"MUG": 1}, "US@39.74,-104.99", id="x")
    told(stocked, to=other)
    other.engine.ship(one)  # it decided for itself meanwhile
    stocked.engine.ship(one)
    assert told(stocked, to=other) == {"nothing to do": 1}
    assert parked(other) == []


def test_two_databases_that_hear_of_each_other_come_to_rest(stocked: World, other: World) -> None:
    """Tied, untied, tied: if they followed what the other did only because it followed, it would never end."""
    other.facility("NYC", MUG=50)
    one = stocked.tied(MUG=1)
    stocked.engine.untie(one)
    stocked.engine.tie(one)
    second = other.tied(MUG=1, id="theirs")
    for _ in range(3):
        told(stocked, to=other, again=2)
        told(other, to=stocked, again=2)
    assert [stocked.event_types(one), stocked.event_types(second)] == [
        other.event_types(one),
        other.event_types(second),
    ]
    assert len(stocked.event_types(one)) == 4
    assert stocked.level("DEN", "MUG")[0] == 10
    assert parked(stocked) == parked(other) == []


def test_what_it_wrote_itself_is_ignored(stocked: World) -> None:
    stocked.shipped(MUG=1)
    sink = MemorySink()
    Relay(stocked.engine, sink).run()
    with stocked.unchanged():
        heard = consume(stocked.engine, [m.body for m in sink.kept])
    assert [h.outcome for h in heard] == ["ignored"] * 4


def test_what_follows_a_parked_order_waits_with_it_and_is_replayed_in_order(stocked: World, other: World) -> None:
    other.facility("NYC", "40.71,-74.01", CUP=5)
    shipped = stocked.shipped(MUG=1)
    counted = told(stocked, to=other)
    assert counted["parked"] == 3
    other.engine.receive("NYC", "MUG", 5)
    assert [retry(other.engine, one) for one in parked(other)] == [None, None, None]
    assert other.engine.order(shipped).state == "shipping"


def test_each_database_is_a_group_of_its_own(stocked: World, other: World) -> None:
    assert own_group(stocked.engine) != own_group(other.engine)
    assert own_group(other.engine) == "orderstate-ffffffffffff"


@pytest.mark.parametrize(
    ("contact", "kind"),
    [
        ({"name": "Annabel Lee", "phone": "+1 555 7788"}, "an object is not text of at most 1000 characters"),
        (["Annabel Lee"], "a list is not text of at most 1000 characters"),
        (15557788, "a number is not text of at most 1000 characters"),
        (True, "true or false is not text of at most 1000 characters"),
        (
            "Annabel Lee\x00",
            "text that cannot be kept: give text of at most 1000 characters, without NUL and half characters",
        ),
        (
            "Annabel Lee" * 100,
            "text that cannot be kept: give text of at most 1000 characters, without NUL and half characters",
        ),
    ],
)
def test_a_contact_that_cannot_be_used_is_named_and_not_told(stocked: World, contact: object, kind: str) -> None:
    data = {"lines": {"MUG": 1}, "to": "US", "contact": contact}
    (heard,) = consume(stocked.engine, [message("p1", "PlaceOrder", data)])
    assert (heard.outcome, heard.reason) == ("parked", f"contact: {kind}")
    assert parked(stocked)[0].error == heard.reason
