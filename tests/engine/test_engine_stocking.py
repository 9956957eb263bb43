"""Receiving, adjusting, counting, facilities, settings: the counters, the ledger beside them, and who holds what."""

from __future__ import annotations

import json
from typing import Any

import pytest
from worlds import DENVER, NEW_YORK, World

from orderstate import InvalidInput, NotFound, OrderstateError, Refused
from orderstate.engine.commands import Count, Fire, Receive, SetFacility
from orderstate.model import MAX_QUANTITY


@pytest.fixture
def den(world: World) -> World:
    return world.facility("DEN", "39.74,-104.99", MUG=10)


def last(world: World, subject: str = "facility/DEN") -> tuple[str, dict[str, object]]:
    """Type and payload of the newest event."""
    rows = world.rows("SELECT type, payload FROM event WHERE subject = ? ORDER BY number DESC LIMIT 1", subject)
    return rows[0][0], json.loads(rows[0][1])


# Receiving


def test_goods_that_come_in_raise_on_hand_and_write_one_event(den: World) -> None:
    answer = den.attempt(Receive(facility="DEN", items=[("MUG", 2), ("PEN", 3, "back"), ("MUG", 1)], by="dock"))
    assert not isinstance(answer, OrderstateError)
    assert answer.events == ("facility/DEN:2",)
    assert last(den) == ("StockReceived", {"received": [["MUG", 3, "primary"], ["PEN", 3, "back"]]})
    assert (den.level("DEN", "MUG"), den.level("DEN", "PEN", "back")) == ((13, 0, 0), (3, 0, 0))
    den.check()


def test_receiving_says_who_waits_for_it_oldest_first(den: World) -> None:
    for n in (1, 2, 3):
        den.engine.tie(den.order(MUG=20 + n))
    den.engine.tie(den.order(MUG=1))
    answer = den.engine.receive("DEN", "MUG", 1)
    assert [(w["order"], w["wants"]) for w in answer.document["waiting"]] == [
        ("1001", {"MUG": 21}), ("1002", {"MUG": 22}), ("1003", {"MUG": 23}),
    ]  # fmt: skip
    assert den.engine.receive("DEN", "PEN", 1).document["waiting"] == []


def test_receiving_where_nothing_is_known_is_not_found(den: World) -> None:
    with den.unchanged(), pytest.raises(NotFound) as caught:
        den.engine.receive("DNE", "MUG", 1)
    assert (caught.value.code, caught.value.hint) == ("unknown_facility", "did you mean DEN?")


# Adjusting


@pytest.mark.parametrize(("changes", "on_hand"), [({"by_units": 3}, 13), ({"by_units": -10}, 0), ({"to_units": 4}, 4)])
def test_a_counter_is_corrected_by_or_to(changes: dict[str, Any], on_hand: int, den: World) -> None:
    answer = den.engine.adjust("DEN", "MUG", reason="broken", **changes)
    assert (answer.document["was"], answer.document["on_hand"]) == (10, on_hand)
    assert den.level("DEN", "MUG") == (on_hand, 0, 0)
    assert last(den)[1]["reason"] == "broken"
    assert den.rows("SELECT kind, on_hand FROM movement WHERE number = 2") == [("adjusted", on_hand - 10)]
    den.check()


def test_an_adjustment_to_what_is_there_changes_nothing(den: World) -> None:
    with den.unchanged():
        assert not den.engine.adjust("DEN", "MUG", to_units=10, safety=0).changed


def test_safety_stock_alone_writes_an_event_and_no_movement(den: World) -> None:
    den.engine.adjust("DEN", "MUG", safety=4)
    assert den.level("DEN", "MUG") == (10, 0, 4)
    assert last(den)[0] == "StockAdjusted"
    assert den.rows("SELECT count(*) FROM movement") == [(1,)]
    den.check()


def test_below_what_is_allocated_is_refused_and_names_the_holders_newest_first(den: World) -> None:
    for _ in range(3):
        den.tied(MUG=2)
    with den.unchanged("refusal"), pytest.raises(Refused) as caught:
        den.engine.adjust("DEN", "MUG", to_units=5)
    (refusal,) = caught.value.blocked
    assert (caught.value.code, refusal.values["allocated"]) == ("allocated", 6)
    assert refusal.values["holders"] == [["1003", 2], ["1002", 2], ["1001", 2]]
    assert "tied to 1003 (2), 1002 (2), 1001 (2)" in refusal.sentence
    assert caught.value.hint == "orderstate stock adjust DEN MUG --pool primary --to 5 --untie"


def test_holders_beyond_ten_are_counted(den: World) -> None:
    den.engine.receive("DEN", "MUG", 10)
    for _ in range(13):
        den.tied(MUG=1)
    with pytest.raises(Refused) as caught:
        den.engine.adjust("DEN", "MUG", to_units=0)
    assert caught.value.blocked[0].sentence.endswith("and 3 more")


def test_with_untie_the_newest_are_untied_until_it_fits(den: World) -> None:
    orders = [den.tied(MUG=2) for _ in range(4)]
    answer = den.engine.adjust("DEN", "MUG", to_units=5, untie=True, by="bob")
    assert answer.document["untied"] == [orders[3], orders[2]]
    assert [den.engine.order(order).state for order in orders] == ["inventory_tied"] * 2 + ["pending"] * 2
    assert den.level("DEN", "MUG") == (5, 4, 0)
    event = den.engine.history(orders[3]).events[-1]
    assert (event.type, event.by) == ("InventoryUntied", "bob")
    assert "adjusted" in str(event.payload["reason"])
    den.check()


def test_with_untie_an_order_gives_back_what_it_holds_elsewhere_too(world: World) -> None:
    world.facility("DEN", "39.74,-104.99", MUG=2)
    world.facility("NYC", "40.71,-74.01", MUG=2)
    world.tied(MUG=3)
    world.engine.adjust("DEN", "MUG", to_units=1, untie=True)
    assert (world.level("DEN", "MUG"), world.level("NYC", "MUG")) == ((1, 0, 0), (2, 0, 0))
    world.check()


def test_below_nothing_is_invalid(den: World) -> None:
    with den.unchanged(), pytest.raises(InvalidInput, match="only 10 are on hand"):
        den.engine.adjust("DEN", "MUG", by_units=-11)


def test_stock_that_was_never_there_is_not_found(den: World) -> None:
    for sku, pool, code in (("MUG", "back", "unknown_stock"), ("MGU", "primary", "unknown_sku")):
        with den.unchanged(), pytest.raises(NotFound) as caught:
            den.engine.adjust("DEN", sku, to_units=1, pool=pool)
        assert caught.value.code == code


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"safety": None}, {"safety": -1}, {"by_units": 1, "to_units": 1},
        *({"by_units": odd} for odd in (0, "+-5", "--5", True, 1.5, "1_0", "٣", MAX_QUANTITY + 1)),
        *({"to_units": odd} for odd in (-1, "x", "", MAX_QUANTITY + 1)),
        {"to_units": 1, "pool": "roof"}, {"to_units": 1, "reason": "\x00"}, {"to_units": 1, "reason": "x" * 1001},
    ],
)  # fmt: skip
def test_an_adjustment_that_makes_no_sense_changes_nothing(changes: dict[str, Any], den: World) -> None:
    with den.unchanged(), pytest.raises(InvalidInput):
        den.engine.adjust("DEN", "MUG", **changes)


# Counting


def count(world: World, *items: tuple[object, ...], key: str | None = None) -> dict[str, object]:
    outcome = world.attempt(Count(facility="DEN", items=items, key=key))
    assert not isinstance(outcome, OrderstateError), outcome
    return dict(outcome.document)


def test_a_count_receives_what_is_new_adjusts_what_differs_and_leaves_what_is_equal(den: World) -> None:
    den.engine.receive("DEN", "PEN", 5)
    found = count(den, ("MUG", "primary", 7, None, None), ("PEN", "primary", 5, None, None), ("CUP", "back", 2, 1, 40))
    assert (found["received"], found["adjusted"], found["rows"]) == (1, 1, 3)
    assert den.level("DEN", "CUP", "back") == (2, 0, 1)
    assert den.rows("SELECT grams FROM sku WHERE code = 'CUP'") == [(40,)]
    den.check()


def test_a_count_is_safe_to_repeat(den: World) -> None:
    items = (("MUG", "primary", 7, 2, 300), ("CUP", "back", 2, 1, 40))
    assert count(den, *items)["changed"]
    with den.unchanged():
        assert not count(den, *items)["changed"]


@pytest.mark.parametrize("item", [("MUG", "primary", 10, 3, None), ("MUG", "primary", 10, None, 250)])
def test_a_count_that_changes_only_safety_or_weight_says_that_it_changed(item: tuple[object, ...], den: World) -> None:
    assert count(den, item)["changed"]
    assert not count(den, item)["changed"]
    den.check()


def test_a_count_below_what_is_allocated_is_refused_whole(den: World) -> None:
    den.tied(MUG=4)
    counted = Count(facility="DEN", items=[("CUP", "primary", 5, None, None), ("MUG", "primary", 3, None, None)])
    with den.unchanged():
        outcome = den.attempt(counted)
    assert isinstance(outcome, Refused)
    assert outcome.code == "allocated"


# Facilities and settings


def test_a_facility_changes_only_in_the_fields_that_are_named(world: World) -> None:
    world.engine.add_facility("DEN", country="us", at="39.74,-104.99", name="Denver", gateway="den", priority=5)
    world.engine.set_facility("DEN", name="Mile high", costs={"handling": "2.5"})
    (facility,) = world.engine.facilities()
    assert (facility.country, facility.latitude, facility.longitude, facility.gateway) == ("US", 39.74, -104.99, "DEN")
    assert (facility.name, facility.priority, facility.closed, facility.costs) == (
        "Mile high", 5, False, {"handling": 2500},
    )  # fmt: skip
    world.engine.set_facility("DEN", at=None, name=None, gateway=None, costs={"handling": None})
    (facility,) = world.engine.facilities()
    assert (facility.latitude, facility.name, facility.gateway, facility.costs) == (None, None, None, {})


def test_a_facility_is_added_once(den: World) -> None:
    with den.unchanged(), pytest.raises(Refused) as caught:
        den.engine.add_facility("DEN", country="US")
    assert caught.value.code == "facility_exists"
    with den.unchanged(), pytest.raises(NotFound, match="unknown facility 'DNE'"):
        den.engine.set_facility("DNE", closed=True)


@pytest.mark.parametrize(
    "values",
    [
        {"country": "XX"}, {"country": ""}, {"at": "91,0"}, {"at": "here"}, {"closed": "yes"},
        {"closed": 1}, {"priority": -1}, {"priority": 1.5}, {"gateway": "D"}, {"name": "x" * 1001}, {"name": "\ud800"},
        {"costs": {"handling": "-1"}}, {"costs": {"handling": "1e3"}}, {"costs": 5},
    ],
)  # fmt: skip
def test_a_facility_with_a_value_that_makes_no_sense_is_not_changed(values: dict[str, Any], den: World) -> None:
    with den.unchanged(), pytest.raises(InvalidInput):
        den.engine.set_facility("DEN", **values)


@pytest.mark.parametrize("values", [{"colour": "red"}, {"costs": {"handlng": "1"}}, {"costs": {"split_penalty": "1"}}])
def test_a_facility_has_no_other_fields_and_costs(values: dict[str, Any], den: World) -> None:
    with den.unchanged(), pytest.raises(NotFound):
        den.engine.set_facility("DEN", **values)


@pytest.mark.parametrize("code", ["", "a b", "a/b", "é", "-a", "a" * 33, "a\n", None, 7])
def test_a_facility_code_has_no_odd_signs(code: object, world: World) -> None:
    with world.unchanged(), pytest.raises(InvalidInput):
        world.attempt(SetFacility(facility=code, values={"country": "US"}, new=True))  # type: ignore[arg-type]  # bad input is the point


def test_a_facility_needs_a_country(world: World) -> None:
    with world.unchanged(), pytest.raises(InvalidInput, match="country"):
        world.engine.execute(SetFacility(facility="DEN", values={"at": "1,1"}, new=True))


def test_a_change_of_the_network_by_another_process_is_seen_at_once(den: World) -> None:
    den.facility("NYC", "40.71,-74.01", MUG=10)
    den.tied(MUG=1)
    den.another().set_facility("DEN", closed=True)
    den.tied(MUG=1)
    assert [a.facility for a in den.engine.show("1002").allocations] == ["NYC"]


def test_a_change_of_the_network_that_was_undone_is_not_remembered(den: World) -> None:
    """The version that counts changes of the network is used again after a rollback: a cache must not trust it."""
    den.facility("NYC", "40.71,-74.01", MUG=10)
    order = den.order(NEW_YORK, MUG=1)
    undone = [
        SetFacility(facility="NYC", values={"closed": True}),
        Fire(order=order, trigger="tie_inventory"),
        Fire(order="nobody", trigger="ship"),
    ]
    with den.unchanged(), pytest.raises(NotFound):
        den.engine.all_or_nothing(undone)
    den.another().set_facility("DEN", closed=True)
    den.engine.tie(order)
    assert [a.facility for a in den.engine.show(order).allocations] == ["NYC"]


def test_a_setting_changes_and_returns_to_its_default(den: World) -> None:
    assert den.engine.settings()["short"] == "backorder"
    assert den.engine.configure("short", " REFUSE ").document["value"] == "refuse"
    assert den.engine.settings()["short"] == "refuse"
    with den.unchanged():
        assert not den.engine.configure("short", "refuse").changed
    assert den.engine.configure("short", None).document["was"] == "refuse"
    assert den.engine.settings()["short"] == "backorder"


def test_a_setting_that_is_not_there_or_makes_no_sense_changes_nothing(den: World) -> None:
    with den.unchanged(), pytest.raises(NotFound, match="shrot"):
        den.engine.configure("shrot", "refuse")
    for setting, value in (("short", "wait"), ("node_limit", "0"), ("cost.handling", "-1"), ("markets", "US,US;US")):
        with den.unchanged(), pytest.raises(InvalidInput):
            den.engine.configure(setting, value)
    with den.unchanged(), pytest.raises(NotFound):
        den.engine.configure("database.id", "0")


def test_the_most_units_that_may_be_named_can_be_received_ordered_tied_and_shipped(world: World) -> None:
    world.facility("DEN", "39.74,-104.99", MUG=MAX_QUANTITY)
    world.engine.receive("DEN", "MUG", MAX_QUANTITY)
    order = world.shipped(MUG=MAX_QUANTITY)
    assert world.level("DEN", "MUG") == (MAX_QUANTITY, 0, 0)
    assert world.engine.show(order).shipments[0].units == MAX_QUANTITY
    with world.unchanged(), pytest.raises(InvalidInput):
        world.order(MUG=MAX_QUANTITY + 1)
    with world.unchanged(), pytest.raises(InvalidInput):
        world.engine.place([("MUG", MAX_QUANTITY), ("MUG", 1)], DENVER)
    world.check()
