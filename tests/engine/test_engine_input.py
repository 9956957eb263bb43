"""Input that nobody thought of: each value is taken, or refused with one clear error and nothing changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from worlds import DENVER, World, check_database

from orderstate import Answer, InvalidInput, NotFound, OrderstateError
from orderstate.engine import reading
from orderstate.engine.commands import MAX_LINES, Fire, Place, Receive
from orderstate.model import MAX_QUANTITY


@pytest.fixture
def den(world: World) -> World:
    return world.facility("DEN", "39.74,-104.99", MUG=10)


# Single values


@pytest.mark.parametrize(
    "units",
    [
        0,
        -1,
        MAX_QUANTITY + 1,
        2**63,
        10**400,
        1.0,
        0.5,
        True,
        None,
        "",
        "x",
        "1e3",
        "1_000",
        "٣",
        "0x1",
        "-1",
        "9" * 5000,
        [1],
    ],
)
def test_units_are_whole_numbers_from_1_to_the_most(units: Any, den: World) -> None:
    with den.unchanged(), pytest.raises(InvalidInput):
        den.engine.place({"MUG": units}, DENVER)
    with den.unchanged(), pytest.raises(InvalidInput):
        den.engine.receive("DEN", "MUG", units)


@pytest.mark.parametrize("units", [1, MAX_QUANTITY, "1", " 7 ", "007"])
def test_text_that_reads_as_units_will_do(units: Any, den: World) -> None:
    order = den.engine.place({"MUG": units}, DENVER).order
    assert den.engine.order(order).open_units == int(units)


@pytest.mark.parametrize(
    "sku", ["", " MUG", "MUG ", "a\nb", "a\x00b", "\ud800", "x" * 65, "\u200b", "\u202eGUM", 7, None, b"MUG"]
)
def test_a_sku_is_printable_and_has_no_blanks_at_its_ends(sku: Any, den: World) -> None:
    with den.unchanged(), pytest.raises(InvalidInput):
        den.engine.receive("DEN", sku, 1)
    with den.unchanged(), pytest.raises(InvalidInput):
        den.engine.place([(sku, 1)], DENVER)


@pytest.mark.parametrize(
    "sku",
    [
        "Tasse à café",
        "杯子",
        "🍵🍵",
        "a b",
        "%",
        "a:b:c",
        "'; DROP TABLE stock; --",
        "?",
        "x" * 64,
        "é",
        "e\u0301",
        "\\",
        '"',
    ],
)
def test_a_sku_may_have_odd_signs(sku: str, den: World) -> None:
    den.engine.receive("DEN", sku, 3)
    order = den.engine.place({sku: 2}, DENVER).order
    den.engine.tie(order)
    den.engine.cancel(order, lines={sku: 1})
    den.engine.ship(order)
    assert [level.on_hand for level in den.engine.stock(sku=sku)] == [2]
    assert [o.id for o in den.engine.orders(sku=sku)] == [order]
    den.check()


def test_skus_that_look_alike_are_different_and_lines_stand_in_one_order(den: World) -> None:
    skus = ["é", "e\u0301", "E", "e", "Z", "\U0001f375", "\uffff"[:0] + "ﬀ", "ff"]
    for sku in skus:
        den.engine.receive("DEN", sku, 1)
    order = den.engine.place(dict.fromkeys(reversed(skus), 1), DENVER).order
    den.engine.tie(order)
    assert [line.sku for line in den.engine.order(order).lines] == sorted(skus)
    den.check()


@pytest.mark.parametrize("words", ["\x00", "a\x00b", "\ud800", "x" * 1001, 7, b"x", ["x"]])
def test_words_that_cannot_be_kept_are_invalid(words: Any, den: World) -> None:
    order = den.order(MUG=1)
    with den.unchanged(), pytest.raises(InvalidInput):
        den.engine.cancel(order, reason=words)
    with den.unchanged(), pytest.raises(InvalidInput):
        den.engine.tie(order, by=words)
    with den.unchanged(), pytest.raises(InvalidInput):
        den.engine.place({"MUG": 1}, DENVER, contact=words)


@pytest.mark.parametrize(
    "words", ["x" * 1000, 'O\'Brien "the" boss', "line\nbreak\ttab", "👩‍👩‍👧 é \u202e", "</script>", "\x1b[31m"]
)
def test_words_may_be_odd_and_come_back_as_they_were(words: str, den: World) -> None:
    order = den.engine.place({"MUG": 1}, DENVER, contact=words, by=words).order
    den.engine.cancel(order, reason=words)
    events = den.engine.history(order).events
    assert (events[0].by, events[1].payload["reason"], den.engine.order(order).contact) == (words, words, words)


@pytest.mark.parametrize("at", ["x", 1.5, -1, 2**63, 2**70, True, "0"])
def test_a_time_is_a_whole_number_of_microseconds(at: Any, den: World) -> None:
    with den.unchanged(), pytest.raises(InvalidInput) as caught:
        den.engine.place({"MUG": 1}, DENVER, at=at)
    assert caught.value.values["field"] == "at"


@pytest.mark.parametrize("at", [0, 1, 2**53 + 1, 2**63 - 1])
def test_any_time_of_sixty_three_bits_can_be_kept(at: int, den: World) -> None:
    order = den.engine.place({"MUG": 1}, DENVER, at=at).order
    den.engine.tie(order, at=at)
    assert (den.engine.order(order).placed_at, den.engine.show(order, 2).order.entered_at) == (at, at)
    assert [o.id for o in den.engine.orders()] == [order]


@pytest.mark.parametrize("role", ["", "root", "Operator", None, 7])
def test_there_are_three_roles(role: Any, den: World) -> None:
    with den.unchanged(), pytest.raises(InvalidInput) as caught:
        den.engine.place({"MUG": 1}, DENVER, role=role)
    assert caught.value.values["field"] == "as"


@pytest.mark.parametrize("order", ["", " ", "a b", "a\x00", "\ud800", "a/b", "a" * 257, None, 7, ["1001"]])
def test_what_cannot_be_an_order_id_is_invalid(order: Any, den: World) -> None:
    with den.unchanged(), pytest.raises(InvalidInput):
        den.engine.ship(order)


@pytest.mark.parametrize("order", ["", "a b", "\ud800", "a\x00", "🍵", "%", "' OR 1=1", "a" * 5000])
def test_a_question_about_nobody_is_not_found_or_invalid(order: str, den: World) -> None:
    for question in (den.engine.order, den.engine.show, den.engine.history, den.engine.why, den.engine.plan):
        with pytest.raises((NotFound, InvalidInput)):
            question(order)


# Size


def test_an_order_may_have_ten_thousand_lines_and_no_more(den: World) -> None:
    skus = [f"S{n:05}" for n in range(MAX_LINES)]
    received = den.attempt(Receive(facility="DEN", items=[(sku, 2) for sku in skus]))
    assert isinstance(received, Answer)
    order = den.engine.place(dict.fromkeys(skus, 1), DENVER, short="split", key="big").order
    assert den.engine.place(dict.fromkeys(skus, 1), DENVER, short="split", key="big").repeated
    den.engine.tie(order)
    den.engine.cancel(order, lines=dict.fromkeys(skus[:5000], 1))
    den.engine.ship(order)
    assert den.engine.order(order).open_units == 5000
    den.check()
    with den.unchanged(), pytest.raises(InvalidInput, match="at most 10000 different SKUs"):
        den.engine.place({**dict.fromkeys(skus, 1), "MUG": 1}, DENVER)


def test_a_batch_may_be_large(den: World) -> None:
    placed = list(den.engine.run([Place(lines={"MUG": 1}, to=DENVER, id=f"o{n}") for n in range(3000)], batch=3000))
    tied = list(den.engine.run([Fire(order=f"o{n}", trigger="tie_inventory") for n in range(3000)], batch=3000))
    assert sum(isinstance(outcome, Answer) for outcome in placed) == 3000
    assert [o.state for o in tied if isinstance(o, Answer)].count("inventory_tied") == 10
    check_database(den.path)


# Anything at all, as it comes from a file of commands

words = st.one_of(
    st.sampled_from(["MUG", "DEN", "1001", "web", DENVER, "US", "primary", "operator", "ship", "short", "nearest"]),
    st.text(max_size=12),
    st.sampled_from(["\x00", "\ud800", "x" * 3000, "9" * 5000, "__class__", "builtins:print", "os:getpid", ":", "a:b"]),
)
odd_numbers = st.sampled_from([2**31 - 1, 2**31, 2**63, 10**400])
numbers = st.one_of(st.integers(-3, 12), st.integers(), st.floats(), odd_numbers)
values = st.recursive(
    st.one_of(words, words, numbers, st.none(), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(words, inner, max_size=3)),
    max_leaves=8,
)
counted = st.tuples(st.just("MUG"), st.just("primary"), st.integers(0, 60))
plausible: dict[str, st.SearchStrategy[Any]] = {
    "order": st.sampled_from(["1001", "web", "web", "nobody"]),
    "lines": st.one_of(st.dictionaries(words, numbers), st.lists(st.tuples(words, numbers)), st.just({"MUG": 1})),
    "to": st.sampled_from([DENVER, "DE", "US@1,1"]),
    "id": st.sampled_from(["mine", "1001-2", "x" * 64]),
    "short": st.sampled_from(["split", "refuse", "backorder"]),
    "trigger": st.sampled_from(["tie_inventory", "ship", "cancel", "untie"]),
    "strategy": st.sampled_from(["nearest", "priority", "builtins:print", "os:getpid"]),
    "only": st.lists(st.sampled_from(["DEN", "NYC", "LAX"]), max_size=2),
    "exclude": st.one_of(st.just("DEN"), st.lists(words, max_size=2)),
    "facility": st.sampled_from(["DEN", "NYC", "NYC", "LAX"]),
    "sku": st.sampled_from(["MUG", "MUG", "PEN", "NEW"]),
    "pool": st.sampled_from(["primary", "back"]),
    "items": st.lists(st.one_of(counted, counted.map(lambda row: row[::2]), st.lists(values, max_size=6)), max_size=3),
    "costs": st.dictionaries(st.sampled_from(["handling", "pick", "x"]), values, max_size=2),
    "setting": st.sampled_from(["short", "strategy", "markets", "node_limit", "cost.pick"]),
    "at": st.sampled_from(["1,1", "90,180"]),
    "country": st.sampled_from(["US", "DE"]),
    "as": st.sampled_from(["customer", "operator", "system"]),
    "flow": st.one_of(
        st.sampled_from(["standard", "Standard", {"extends": "standard"}, {"extends": "payment.yaml"}]),
        st.fixed_dictionaries({"extends": st.just("standard"), "name": words, "states": values}),
    ),
    "map": st.dictionaries(st.sampled_from(["pending", "shipping", "here"]), words, max_size=2),
    "value": st.sampled_from(["split", "nearest", "7", "US,DE", None]),
    "gateway": st.sampled_from(["DEN", "JFK@40.6,-73.8"]),
    **dict.fromkeys(["key", "by", "reason", "contact", "name"], st.sampled_from(["a", "b", "c d", "é"])),
    **dict.fromkeys(["closed", "untie", "force", "complete", "whole_lines", "if_saves"], st.booleans()),
}
small = st.integers(1, 9)
NEEDED = {"order", "lines", "to", "trigger", "facility", "items", "sku", "country", "setting", "value", "flow"}


def document(name: str, needed: list[str], others: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Documents of one command: the fields that it needs, some others, each plausible or now and then anything."""

    def field(name: str) -> st.SearchStrategy[Any]:
        return st.one_of(*[plausible.get(name, small)] * 12, values)

    return st.fixed_dictionaries(
        {"command": st.just(name), **{n: field(n) for n in needed}},
        optional={n: field(n) for n in others},
    )


documents = st.one_of(
    *(
        document(name, [f for f in fields if f in NEEDED], [f for f in fields if f not in NEEDED])
        for name, fields in reading.FIELDS.items()
    ),
    st.dictionaries(words, values),
    values,
)


@pytest.fixture(scope="module")
def target(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for all that is thrown at it."""
    world = World(Path(shutil.copyfile(template, tmp_path_factory.mktemp("target") / "target.db")))
    world.facility("DEN", "39.74,-104.99", MUG=50)
    world.facility("NYC", "40.71,-74.01", MUG=50, back={"MUG": 50})
    world.order(MUG=2)
    world.tied(id="web", MUG=3)
    yield world
    world.close()


@given(found=documents)
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@example(found={"command": "place", "lines": 5, "to": 5})
@example(found={"command": "place", "lines": {"MUG": 1}, "to": "US", "short": ["split"], "as": {}})
@example(found={"command": "receive", "facility": ["DEN"], "items": [[]]})
@example(found={"command": "count", "facility": "DEN", "items": [["MUG", ["primary"], 1]]})
@example(found={"command": "tie", "order": "1001", "only": [["DEN"]]})
@example(found={"command": "tie", "order": "1001", "strategy": ["nearest"]})
@example(found={"command": "tie", "order": "1001", "max_shipments": 10**400})
@example(found={"command": "fire", "order": "1001", "trigger": ["ship"]})
@example(found={"command": "facility_set", "facility": "DEN", "costs": {"handling": {"a": 1}}, "key": "k"})
@example(found={"command": "facility_set", "facility": "DEN", "at": [1, 2], "country": {"a": 1}})
@example(found={"command": "config_set", "setting": ["short"], "value": {"a": 1}})
@example(found={"command": "config_set", "setting": "strategy", "value": "os:getpid"})
@example(found={"command": "use_flow", "flow": ["standard"], "map": [["pending", "x"]]})
@example(found={"command": "use_flow", "flow": "standard", "map": {"pending": ["x"]}})
@example(found={"command": "use_flow", "flow": {"states": {}}, "map": None})
def test_any_document_is_a_command_or_one_clear_error(found: Any, target: World) -> None:
    outcome: Answer | OrderstateError
    try:
        outcome = target.attempt(reading.read(json.loads(json.dumps(found))))
    except OrderstateError as unread:
        outcome = unread
    assert isinstance(outcome, Answer) or outcome.exit_status in (1, 2, 3, 4, 5, 6, 10)
    assert json.loads(json.dumps(outcome.document if isinstance(outcome, Answer) else outcome.document()))


def test_the_target_of_all_that_still_adds_up(target: World) -> None:
    target.check()
    assert target.rows("SELECT count(*) FROM event")[0][0] > 5
    target.engine.configure("strategy", "nearest")
    assert isinstance(target.attempt(Place(lines={"MUG": 1}, to=DENVER)), Answer)
