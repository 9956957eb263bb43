"""What the schemas of commands, orders and messages accept is what the program accepts."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from worlds import World

from orderstate.engine import schemas as commands
from orderstate.engine.reading import FIELDS, read
from orderstate.errors import InvalidInput
from orderstate.events import schemas
from orderstate.events.applying import COMMANDS, apply
from orderstate.events.incoming import Incoming, Unreadable
from orderstate.events.incoming import read as read_message
from orderstate.events.wire import document, source
from orderstate.store import deliveries

ALL: dict[str, Callable[[], dict[str, Any]]] = {
    "command": commands.command,
    "order": commands.order,
    "event": schemas.event,
    **{kind: partial(schemas.message, kind) for kind in COMMANDS},
}

GOOD: list[dict[str, Any]] = [
    {
        "command": "place",
        "lines": {"MUG": 2},
        "to": "US@39.74,-104.99",
        "id": "web-1",
        "short": "split",
        "contact": "a@b",
    },
    {
        "command": "place",
        "lines": [["MUG", 2], {"sku": "CUP", "quantity": "3"}],
        "to": "de",
        "key": "k",
        "as": "customer",
    },
    {"command": "tie", "order": "1001", "only": ["DEN"], "max_shipments": 2, "complete": True, "strategy": "nearest"},
    {"command": "untie", "order": "1001", "reason": "late", "if_version": 3},
    {"command": "ship", "order": "1001-2", "by": "dock"},
    {"command": "deliver", "order": "1001"},
    {"command": "fire", "order": "1001", "trigger": "pick", "exclude": "DEN", "whole_lines": False},
    {"command": "advance", "order": "1001", "strategy": None},
    {"command": "cancel", "order": "1001", "lines": {"MUG": 1}, "reason": None, "as": "customer"},
    {"command": "redirect", "order": "1001", "to": "CA@ +45.5 , -73.6"},
    {"command": "split", "order": "1001", "facility": "DEN"},
    {"command": "receive", "facility": "DEN", "sku": "MUG", "quantity": 5, "pool": "back"},
    {"command": "receive", "facility": "DEN", "items": [["MUG", 5], ["CUP", 1, "back"]]},
    {"command": "adjust", "facility": "DEN", "sku": "MUG", "by_units": "-3", "untie": True, "reason": "broken"},
    {"command": "adjust", "facility": "DEN", "sku": "MUG", "to_units": 0, "safety": "1"},
    {"command": "count", "facility": "DEN", "items": [["MUG", "primary", 4, None, 350], ["MUG", "back", 0]]},
    {"command": "facility_add", "facility": "DEN", "country": "US", "at": "39.74,-104.99"},
    {"command": "facility_set", "facility": "DEN", "closed": True},
    {"command": "config_set", "setting": "short", "value": "split"},
    {"command": "use_flow", "flow": "standard", "map": {"a": "b"}},
]

ODD: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [
            None,
            True,
            False,
            0,
            1,
            -1,
            2**31 - 1,
            2**31,
            10**30,
            "",
            " ",
            "0",
            "1",
            "007",
            " 2 ",
            "-1",
            "+5",
            "2147483647",
            "2147483648",
            "US",
            "us ",
            "XX",
            "US@91,0",
            "US@90,180",
            "US@-90.0,-180.00",
            "US@0,180.1",
            "US@039.7,00",
            "US@1,2,3",
            "U S",
            "US\n",
            "1001",
            "0x1",
            "a-b_c.d",
            "-a",
            "a" * 64,
            "a" * 65,
            "a" * 256,
            "a" * 257,
            "a" * 1000,
            "a" * 1001,
            "A B",
            " A",
            "A ",
            "A\tB",
            "A\x00B",
            "Ä",
            "split",
            "back",
            "customer",
            [],
            {},
            [[]],
            [["MUG", 1]],
            [["MUG", 0]],
            [["MUG", 1, "back"]],
            [["MUG", "back", 1]],
            {"MUG": 1},
            {"": 1},
            {"MUG": "x"},
            [{"sku": "A", "quantity": 1}],
            [{"sku": "A"}],
            ["DEN"],
            [1],
            "standard",
        ]
    ),
    st.integers(),
    st.text(alphabet="aZ09 ._-@,:\n", max_size=8),
)


@st.composite
def near_misses(draw: st.DrawFn, among: list[dict[str, Any]]) -> dict[str, Any]:
    """A good document with one to three things changed: a field gone, strange, or of another command."""
    found: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(among)))
    for _ in range(draw(st.integers(0, 3))):
        known = sorted({*found, "reason", "lines", "items", "sku", "quantity", "by_units", "safety", "nonsense"})
        field = draw(st.sampled_from(known))
        if draw(st.booleans()) and field in found:
            del found[field]
        else:
            found[field] = draw(ODD)
    return found


def taken(found: object) -> bool:
    try:
        read(found)
    except InvalidInput:
        return False
    return True


@pytest.mark.parametrize("name", ALL)
def test_every_schema_is_one(name: str) -> None:
    found = ALL[name]()
    Draft202012Validator.check_schema(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(found)) == found


def test_every_command_that_is_read_is_described_and_shown_here() -> None:
    described = {one["title"]: set(one["properties"]) - {"command"} for one in commands.command()["oneOf"]}
    assert described == {name: set(fields) for name, fields in FIELDS.items()}
    assert {one["command"] for one in GOOD} == set(FIELDS)


VALIDATOR = Draft202012Validator(commands.command())


@pytest.mark.parametrize("one", GOOD, ids=lambda one: str(one["command"]))
def test_a_good_command_is_good_for_both(one: dict[str, Any]) -> None:
    assert taken(one)
    assert VALIDATOR.is_valid(one)


KNOWN_TO_DIFFER = ("use_flow",)
"""Flows have a schema of their own, and more rules than a schema can say."""


@settings(max_examples=400, deadline=None)
@given(near_misses([one for one in GOOD if one["command"] not in KNOWN_TO_DIFFER]))
def test_the_schema_of_commands_accepts_what_the_reader_accepts(one: dict[str, Any]) -> None:
    if one.get("command") in KNOWN_TO_DIFFER:
        return
    assert VALIDATOR.is_valid(one) == taken(one), one


def test_an_order_of_a_file_may_but_need_not_say_place() -> None:
    validator = Draft202012Validator(commands.order())
    assert validator.is_valid({"lines": {"MUG": 1}, "to": "US"})
    assert validator.is_valid({"lines": {"MUG": 1}, "to": "US", "command": "place"})
    assert not validator.is_valid({"lines": {"MUG": 1}, "to": "US", "command": "ship"})
    assert not validator.is_valid({"lines": {"MUG": 1}})


# Messages

MESSAGES: list[dict[str, Any]] = [
    {
        "specversion": "1.0",
        "id": "m1",
        "source": "/shop",
        "type": "PlaceOrder",
        "data": {"lines": {"MUG": 2.0}, "to": "US", "id": "web-1"},
    },
    {
        "specversion": "1.0",
        "id": "m2",
        "source": "/shop",
        "type": "CancelOrder",
        "subject": "web-1",
        "data": {"as": "customer"},
    },
    {
        "specversion": "1.0",
        "id": "m3",
        "source": "/dock",
        "type": "StockReceived",
        "data": {"facility": "DEN", "sku": "MUG", "quantity": 3},
    },
    {"specversion": "1.0", "id": "m4", "source": "/carrier", "type": "ShipmentDelivered", "data": {"order": "1001"}},
]
ODD_ENVELOPE: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        "",
        "x",
        "1.0",
        "0.3",
        1,
        [],
        {},
        "application/json",
        "Application/JSON; charset=utf-8",
        "text/xml",
        "application/jsonx",
        "a" * 1000,
        "a" * 1001,
        "a\nb",
    ]
)


@st.composite
def odd_messages(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(MESSAGES)))
    if draw(st.booleans()):
        field = draw(
            st.sampled_from(["specversion", "id", "source", "subject", "datacontenttype", "data", "traceparent"])
        )
        if draw(st.booleans()):
            found.pop(field, None)
        else:
            found[field] = draw(ODD_ENVELOPE)
    if isinstance(found.get("data"), dict) and draw(st.booleans()):
        field = draw(st.sampled_from(sorted({*found["data"], "order", "key", "reason", "quantity", "nonsense"})))
        if draw(st.booleans()):
            found["data"].pop(field, None)
        else:
            found["data"][field] = draw(ODD)
    return found


@settings(max_examples=400, deadline=None)
@given(odd_messages())
def test_the_schema_of_a_message_accepts_what_consume_can_read(one: dict[str, Any]) -> None:
    from orderstate.events.applying import _command

    message = read_message(json.dumps(one).encode(), "test")
    fits = isinstance(message, Incoming)
    if isinstance(message, Incoming):
        try:
            _command(message)
        except InvalidInput:
            fits = False
    assert Draft202012Validator(schemas.message(one["type"])).is_valid(one) == fits, one


def test_whatever_the_database_says_fits_the_schema_of_events(world: World) -> None:
    world.facility("DEN", "39.74,-104.99", MUG=9).facility("NYC", "40.71,-74.01", MUG=9)
    shipped = world.shipped(MUG=1)
    world.engine.deliver(shipped)
    split = world.tied(MUG=12)
    world.engine.redirect(split, "US@41,-100")
    world.engine.cancel(split, lines={"MUG": 1})
    world.engine.split(split, "DEN" if split else "")
    world.engine.untie(split)
    world.engine.cancel(split, reason="enough")
    waiting = world.order(MUG=100)
    world.engine.tie(waiting)
    world.engine.adjust("NYC", "MUG", by_units=1)
    validator = Draft202012Validator(schemas.event())
    with world.engine.store.read() as tx:
        events = [event for _, event in deliveries.stream(tx, limit=1000)]
    kinds = {event.type for event in events}
    assert {
        "OrderSplit",
        "OrderReduced",
        "OrderRedirected",
        "InventoryUntied",
        "StockAdjusted",
        "OrderDelivered",
    } <= kinds
    for event in events:
        assert [e.message for e in validator.iter_errors(document(event, source(world.engine.id)))] == [], event


def test_an_event_without_its_parts_is_refused_by_both(world: World) -> None:
    validator = Draft202012Validator(schemas.event())
    whole = {"lines": [["MUG", 1]], "destination": "US"}
    world.facility("DEN", MUG=1)
    for data, fits in ((whole, True), ({**whole, "lines": []}, False), ({"lines": [["MUG", 1]]}, False)):
        found = {
            "specversion": "1.0",
            "id": "x-1:1",
            "source": "/orderstate/a",
            "type": "OrderPlaced",
            "subject": "x-1",
            "data": data,
        }
        message = read_message(json.dumps(found).encode(), "test")
        assert not isinstance(message, Unreadable)
        assert validator.is_valid(found) == fits
        with world.engine.unit() as unit:
            try:
                done = apply(unit, message)
            except InvalidInput:
                done = "wrong"
        assert (done == "applied") == fits


@pytest.mark.parametrize("kind", ["InventoryTied", "OrderCancelled", "OrderRedirected", "Unheard"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        (name, value)
        for name in ("as", "by", "trigger", "to")
        for value in (None, 7, True, ["pending"], {"state": "pending"})
    ],
)
def test_what_every_event_may_say_is_of_the_kind_that_the_schema_names(
    world: World, kind: str, name: str, value: object
) -> None:
    order = world.facility("DEN", MUG=1).order(MUG=1)
    data = {"destination": "US", name: value}
    found = {"specversion": "1.0", "id": "x:1", "source": "/wms", "type": kind, "subject": order, "data": data}
    message = read_message(json.dumps(found).encode(), "test")
    assert isinstance(message, Incoming)
    assert not Draft202012Validator(schemas.event()).is_valid(found)
    with pytest.raises(InvalidInput) as raised, world.engine.unit() as unit:
        apply(unit, message)
    assert raised.value.values["field"] == name
