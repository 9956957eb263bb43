"""Subscribers added, changed, switched, removed; how far each is behind; the past, for those who ask for it."""

from __future__ import annotations

import pytest
from doers import alone, effects, forget, heard, plan, rows
from worlds import World

from orderstate import InvalidInput, NotFound, OrderstateError, Refused
from orderstate.events import subscribing
from orderstate.events.outcomes import Never
from orderstate.events.subscribing import add, named, remove, set_types, standings, switch
from orderstate.events.working import Worker
from orderstate.store import deliveries


def test_every_database_begins_with_four(world: World) -> None:
    found = {s.subscriber.name: (s.subscriber.kind, s.subscriber.enabled) for s in standings(world.engine)}
    assert found == {
        "fulfilment": ("local", False),
        "notify": ("outside", True),
        "restock": ("outside", True),
        "sourcing": ("local", True),
    }


def test_a_standing_says_how_far_behind_somebody_is(world: World) -> None:
    forget()
    alone(world, ("local", "local"))
    world.clock.step = 0
    begin = world.clock.now
    for _ in range(4):
        world.order(MUG=1)
    plan("local", "1001:1", OSError("no"))
    plan("local", "1002:1", Never("unreadable"))
    Worker(world.engine).drain()
    world.engine.cancel("1002")
    (found,) = standings(world.engine)
    assert (found.waiting, found.since, found.failing, found.parked) == (2, begin, 1, 1)
    assert found.due == begin + 1_000_000, "what is held back is due when somebody mends what is before it"


def test_one_that_is_added_hears_of_what_comes_from_now_on(world: World) -> None:
    alone(world)
    world.order(MUG=1)
    added, filled = add(world.engine, "my-crm", "doers:local", "local", ["OrderPlaced"])
    assert (added.types, filled) == (("OrderPlaced",), 0)
    world.engine.cancel(world.order(MUG=1))
    Worker(world.engine).drain()
    assert effects(world) == ["1002:1"]


@pytest.mark.parametrize("chunk", [1, 3, 2000])
@pytest.mark.parametrize("types", [(), ("OrderPlaced",), ("OrderCancelled", "OrderPlaced")])
def test_from_the_start_it_hears_of_all_that_it_wants_in_order(
    world: World, monkeypatch: pytest.MonkeyPatch, chunk: int, types: tuple[str, ...]
) -> None:
    monkeypatch.setattr(subscribing, "_CHUNK", chunk)
    forget()
    alone(world)
    for _ in range(3):
        world.engine.cancel(world.order(MUG=1))
    steps: list[tuple[int, int | None]] = []
    _, filled = add(
        world.engine,
        "mine",
        "doers:distant",
        "outside",
        types,
        from_start=True,
        progress=lambda done, total: steps.append((done, total)),
    )
    wanted = [
        f"{subject}:{number}"
        for subject, number, kind in world.rows("SELECT subject, number, type FROM event ORDER BY id")
        if not types or kind in types
    ]
    assert filled == len(wanted)
    assert steps[-1][0] == steps[-1][1]
    world.order(MUG=1)
    Worker(world.engine).drain()
    assert sorted(heard("distant")) == sorted([*wanted, "1004:1"])
    for order in ("1001", "1002", "1003"):
        mine = [event for event in heard("distant") if event.startswith(order)]
        assert mine == sorted(mine)


def test_filling_goes_on_after_a_break_and_nothing_is_told_before_it_is_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribing, "_CHUNK", 2)
    forget()
    alone(world)
    for _ in range(4):
        world.engine.cancel(world.order(MUG=1))

    def give_up(done: int, total: int | None) -> None:
        if done > 5:
            raise KeyboardInterrupt

    arguments = (world.engine, "mine", "doers:distant", "outside", ["OrderPlaced", "OrderCancelled"])
    with pytest.raises(KeyboardInterrupt):
        add(*arguments, from_start=True, progress=give_up)
    assert Worker(world.engine).drain() == 0
    world.order(MUG=1)
    add(*arguments, from_start=True)
    Worker(world.engine).drain()
    assert sorted(heard("distant")) == sorted([*(f"100{n}:{k}" for n in range(1, 5) for k in (1, 2)), "1005:1"])
    assert len(set(heard("distant"))) == len(heard("distant"))


WRONG: list[tuple[tuple[object, ...], type[OrderstateError], str]] = [
    (("My CRM", "doers:local", "local"), InvalidInput, "invalid_input"),
    (("", "doers:local", "local"), InvalidInput, "invalid_input"),
    (("x" * 64, "doers:local", "local"), InvalidInput, "invalid_input"),
    (("mine", "doers:local", "relay"), InvalidInput, "invalid_input"),
    (("mine", "doers:HEARD", "local"), InvalidInput, "invalid_input"),
    (("mine", "doers:nobody", "outside"), InvalidInput, "invalid_input"),
    (("mine", "notifyy", "outside"), NotFound, "unknown_subscriber"),
    (("mine", "doers:local", "local", ["OrderPlacd"]), NotFound, "unknown_event_type"),
    (("sourcing", "doers:local", "local"), Refused, "subscriber_exists"),
]


@pytest.mark.parametrize(("arguments", "error", "code"), WRONG)
def test_what_cannot_be_added_is_refused_and_changes_nothing(
    world: World, arguments: tuple[object, ...], error: type[OrderstateError], code: str
) -> None:
    before = world.engine.subscribers()
    with pytest.raises(error) as refused:
        add(world.engine, *arguments)  # type: ignore[arg-type]  # wrong on purpose
    assert refused.value.code == code
    assert world.engine.subscribers() == before


def test_to_add_the_same_twice_is_no_error(world: World) -> None:
    for _ in range(2):
        add(world.engine, "mine", "doers:local", "local")
    with pytest.raises(Refused):
        add(world.engine, "mine", "doers:local", "local", ["OrderPlaced"])
    with pytest.raises(Refused):
        add(world.engine, "mine", "doers:local", "local", from_start=True)


def test_events_that_happen_while_it_is_off_never_reach_it(world: World) -> None:
    alone(world, ("local", "local"))
    world.order(MUG=1)
    assert [switch(world.engine, "local", False), switch(world.engine, "local", False)] == [True, False]
    world.order(MUG=1)
    assert Worker(world.engine).drain() == 0
    assert [switch(world.engine, "local", True), switch(world.engine, "local", True)] == [True, False]
    world.order(MUG=1)
    Worker(world.engine).drain()
    assert effects(world) == ["1001:1", "1003:1"]


def test_other_types_count_from_now_on(world: World) -> None:
    alone(world, ("local", "local"))
    world.order(MUG=1)
    assert set_types(world.engine, "local", ["OrderCancelled", "OrderCancelled"])
    assert not set_types(world.engine, "local", ["OrderCancelled"])
    world.engine.cancel(world.order(MUG=1))
    assert set_types(world.engine, "local", [])
    world.order(MUG=1)
    assert list(rows(world, "local")) == ["1001:1", "1002:2", "1003:1"]
    with pytest.raises(NotFound):
        set_types(world.engine, "local", ["Nothing"])


def test_the_types_of_the_flow_in_force_are_known(world: World) -> None:
    from orderstate.flow import read

    text = """
extends: standard
states: {packed: {stock: tied}}
transitions: [{trigger: pack, from: inventory_tied, to: packed, event: OrderPacked}]
"""
    with pytest.raises(NotFound):
        set_types(world.engine, "notify", ["OrderPacked"])
    world.engine.use_flow(read(text, "packing"))
    assert set_types(world.engine, "notify", ["OrderPacked"])


def test_one_that_is_removed_is_forgotten_with_what_was_on_its_way(world: World) -> None:
    alone(world, ("local", "local"))
    world.order(MUG=1)
    assert remove(world.engine, "local") == 1
    world.order(MUG=1)
    assert world.rows("SELECT count(*) FROM delivery") == [(0,)]
    with pytest.raises(NotFound) as missing:
        remove(world.engine, "local")
    assert missing.value.code == "unknown_subscriber"
    add(world.engine, "later", "doers:local", "local")
    assert named(world.engine, "later").name == "later"
    world.check()


def test_a_change_is_seen_by_every_engine_at_its_next_command(world: World) -> None:
    alone(world)
    other = world.another()
    other.place({"MUG": 1}, "US")
    add(world.engine, "mine", "doers:local", "local")
    other.place({"MUG": 1}, "US")
    assert list(rows(world, "mine")) == ["1002:1"]


def test_backlogs_are_counted_without_reading_what_is_done(world: World) -> None:
    alone(world, ("local", "local"))
    for _ in range(5):
        world.order(MUG=1)
    Worker(world.engine).drain()
    with world.engine.store.read() as tx:
        assert deliveries.backlog(tx, "local") == (0, None, 0, 0)
        assert deliveries.failing(tx, "local") == 0
