"""What follows the flow in force: commands, questions, engines that were open before, and guards that are missing."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from other_flows import RECEIVED, TO_RECEIVED, sound, stand, states
from racers import race
from worlds import DENVER, World, check_database

from orderstate import Answer, Engine, NotFound, Refused
from orderstate.engine.commands import Advance, Fire, Place, UseFlow
from orderstate.errors import NotInstalled
from orderstate.flow import load, read
from orderstate.history import import_orders
from orderstate.machine import STANDARD
from orderstate.model import Flow
from orderstate.store.doctor import examine

FLOWS = Path(__file__).parents[2] / "examples" / "flows"


@pytest.fixture
def shop(world: World) -> World:
    """An order in each state of the standard flow, each named after it."""
    stand(world)
    return world


# What follows from the flow in force


def test_commands_that_tie_again_or_make_room_find_the_triggers_by_what_they_mean(shop: World) -> None:
    shop.engine.use_flow(RECEIVED, mapping=TO_RECEIVED)
    shop.facility("NYC", "40.71,-74.01", MUG=60)
    engine = shop.engine
    assert engine.waiting_states() == ["waiting"]
    served = [outcome for outcome in engine.tie_waiting() if isinstance(outcome, Answer)]
    assert [(a.order, a.state) for a in served] == [("backordered", "reserved")]
    assert not engine.retie("inventory_tied").changed
    engine.adjust("DEN", "MUG", to_units=0, untie=True)
    assert engine.order("inventory_tied").state == "received"
    late = engine.place({"MUG": 900}, DENVER).order
    waits = engine.fire(late, "tie")
    assert (waits.exit_status, waits.state, waits.document["short"]) == (5, "waiting", {"MUG": 900 - 60})
    with pytest.raises(Refused) as caught:
        engine.retie(late)
    assert caught.value.blocked[0].remedy == f"orderstate fire {late} tie"
    assert sound(shop)


def test_stock_that_nothing_gives_back_is_refused_and_says_so(shop: World) -> None:
    shop.engine.use_flow(read("extends: standard\nremove: {triggers: [untie]}\n", "firm"))
    attempts: tuple[Callable[[], Answer], ...] = (
        lambda: shop.engine.adjust("DEN", "MUG", to_units=0, untie=True),
        lambda: shop.engine.retie("inventory_tied"),
    )
    for attempt in attempts:
        with shop.unchanged("refusal"), pytest.raises(Refused) as caught:
            attempt()
        assert caught.value.blocked[0].code == "no_way_back"


def test_an_order_is_not_planned_again_where_that_would_take_it_back_a_step(shop: World) -> None:
    packing = read(
        "extends: standard\nstates: {packed: {stock: tied}}\ntransitions:\n"
        "  - {trigger: pack, from: inventory_tied, to: packed, event: OrderPacked}\n"
        "  - {trigger: untie, from: [inventory_tied, packed], to: pending, event: InventoryUntied}\n"
        "  - {trigger: ship, from: packed, to: shipping, event: ShippingStarted}\n"
        "path: [tie_inventory, pack, ship, deliver]\n",
        "packing",
    )
    shop.engine.use_flow(packing)
    shop.engine.fire("inventory_tied", "pack")
    with shop.unchanged("refusal"):
        with pytest.raises(Refused, match="tie refused") as caught:
            shop.engine.retie("inventory_tied")
        assert "from where no tie leads back to packed" in caught.value.blocked[0].sentence
        assert [o.changed for o in shop.engine.retie_all() if isinstance(o, Answer)] == [False]


def test_a_version_from_before_the_change_is_shown_as_it_was(shop: World) -> None:
    before = shop.engine.show("inventory_tied")
    shop.engine.use_flow(RECEIVED, mapping=TO_RECEIVED)
    then = shop.engine.show("inventory_tied", 2)
    assert (then.order.state, then.next_step, then.timer) == ("inventory_tied", None, None)
    assert then.allocations == before.allocations
    now = shop.engine.show("inventory_tied")
    assert (now.order.state, now.order.version, now.next_step) == ("reserved", 3, "send")
    assert shop.engine.show("inventory_tied", 3).order == now.order
    assert [c.trigger for c in shop.engine.why("inventory_tied").choices if c.possible] == ["free", "send", "drop"]
    with pytest.raises(NotFound):
        shop.engine.why("inventory_tied", "ship")
    assert [e.type for e in shop.engine.history("inventory_tied").events][-1] == "FlowChanged"


def test_lists_and_counts_know_the_states_of_the_flow_in_force(shop: World) -> None:
    shop.engine.use_flow(RECEIVED, mapping=TO_RECEIVED)
    assert [o.id for o in shop.engine.orders(state="reserved")] == ["inventory_tied"]
    assert [o.id for o in shop.engine.orders(waiting=True)] == ["backordered"]
    assert shop.engine.counts() == {"received": 1, "waiting": 1, "reserved": 1, "sent": 2, "dropped": 1}
    with pytest.raises(NotFound, match="unknown state 'pending'"):
        shop.engine.orders(state="pending")


def test_the_part_of_a_split_order_goes_on_from_where_the_order_was(world: World) -> None:
    world.engine.use_flow(load(FLOWS / "payment.yaml"))
    world.facility("DEN", "39.74,-104.99", MUG=1)
    order = world.order(short="split", MUG=3)
    for trigger in ("authorise", "capture"):
        world.engine.fire(order, trigger, role="system")
    child = world.engine.tie(order).document["child"]
    assert world.engine.order(child).state == "paid"
    assert world.engine.history(child).events[0].target == "paid"
    world.engine.receive("DEN", "MUG", 2)
    assert world.engine.tie(child).state == "inventory_tied"


# A guard that is not there


@pytest.fixture
def guarded(shop: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A flow in force whose guard was there when it was put in force, and is not any more."""
    module = "shop_of_" + tmp_path.name.replace("-", "_")
    (tmp_path / f"{module}.py").write_text("def nice(order, facts, params):\n    return None\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    flow = read(
        "extends: standard\ntransitions:\n"
        "  - {trigger: ship, from: inventory_tied, to: shipping, event: ShippingStarted, "
        f"guards: ['{module}:nice']}}\n",
        "nice",
    )
    shop.engine.use_flow(flow)
    shop.engine.close()
    from orderstate import guards
    from orderstate.engine import session

    (tmp_path / f"{module}.py").unlink()
    sys.modules.pop(module)
    guards._own.cache_clear()
    session.in_force.cache_clear()
    shop.engine = Engine.open(shop.path, clock=shop.clock)
    yield shop
    guards._own.cache_clear()


def test_a_flow_whose_guard_is_not_installed_here_says_what_to_do(guarded: World) -> None:
    attempts: tuple[Callable[[], object], ...] = (
        lambda: guarded.engine.ship("inventory_tied"),
        lambda: guarded.engine.flow,
        lambda: guarded.engine.place({"MUG": 1}, DENVER),
    )
    for attempt in attempts:
        with guarded.unchanged(), pytest.raises(NotInstalled) as caught:
            attempt()
        assert caught.value.code == "flow_unusable"
        assert caught.value.exit_status == 9
        assert caught.value.sentence.startswith("the flow in force, nice, cannot be used here: ")
        assert ":nice" in caught.value.sentence
        assert caught.value.hint is not None
        assert "orderstate flow use FILE" in caught.value.hint


def test_another_flow_is_the_way_out_of_it_and_strands_nobody_either(guarded: World) -> None:
    with guarded.unchanged(), pytest.raises(Refused) as caught:
        guarded.engine.use_flow(RECEIVED)
    assert len(caught.value.blocked) == len(TO_RECEIVED)
    answer = guarded.engine.use_flow(STANDARD)
    assert (answer.document["was"], answer.document["flow"]) == ("nice", "standard")
    assert guarded.engine.ship("inventory_tied").state == "shipping"


# Two engines


def test_an_engine_that_is_open_sees_the_new_flow_at_its_next_command(shop: World) -> None:
    other = shop.another()
    assert other.place({"MUG": 1}, DENVER).state == "pending"
    assert other.show("pending").next_step == "tie_inventory"
    shop.engine.use_flow(RECEIVED, mapping=TO_RECEIVED)
    assert other.show("pending").next_step == "tie"
    assert other.place({"MUG": 1}, DENVER).state == "received"
    with pytest.raises(NotFound):
        other.fire("pending", "tie_inventory")
    assert other.fire("pending", "tie").state == "reserved"
    with pytest.raises(Refused):
        other.use_flow(STANDARD)


def test_a_batch_goes_on_under_the_flow_that_one_of_its_commands_put_in_force(shop: World) -> None:
    commands = [
        Fire(order="pending", trigger="tie_inventory"),
        UseFlow(flow=STANDARD, mapping={"inventory_tied": "pending"}),
        UseFlow(flow=RECEIVED, mapping=TO_RECEIVED),
        Advance(order="inventory_tied"),
        Place(lines={"MUG": 1}, to=DENVER, id="new"),
        Fire(order="new", trigger="ship"),
    ]
    outcomes = list(shop.engine.run(commands, batch=len(commands)))
    assert [o.code if not isinstance(o, Answer) else o.document.get("state") for o in outcomes] == [
        "inventory_tied", "invalid_input", None, "sent", "received", "unknown_trigger",
    ]  # fmt: skip
    assert states(shop)["pending"] == "reserved"
    assert sound(shop)


def test_a_flow_that_is_undone_with_its_batch_was_never_in_force(shop: World) -> None:
    with shop.unchanged(), pytest.raises(NotFound):
        shop.engine.all_or_nothing([UseFlow(flow=RECEIVED, mapping=TO_RECEIVED), Fire(order="nobody", trigger="tie")])
    assert shop.engine.place({"MUG": 1}, DENVER).state == "pending"


def test_advancing_goes_on_under_a_flow_that_comes_between_two_steps(shop: World) -> None:
    steps = shop.engine.advance("pending", until="delivered")
    assert next(steps).state == "inventory_tied"
    shop.another().use_flow(RECEIVED, mapping=TO_RECEIVED)
    assert [answer.state for answer in (next(steps),)] == ["sent"]
    with pytest.raises(Refused) as caught:
        next(steps)
    assert caught.value.code == "final"


def run_orders(path: Path, name: str, number: int) -> int:
    """Place so many orders and fire whatever the flow in force offers them, until they are over; how many steps."""
    steps = 0
    with Engine.open(f"sqlite:///{path}?timeout=60") as engine:
        for _ in range(number):
            order = engine.place({"MUG": 1}, DENVER, by=name).order
            while not engine.machine.state(engine.order(order).state).final:
                outcome = next(iter(engine.run([Advance(order=order, role="system")])))
                steps += isinstance(outcome, Answer)
                assert isinstance(outcome, Answer) or outcome.code in ("final", "unknown_state", "conflict"), outcome
    return steps


def change_flows(path: Path, name: str, number: int) -> int:
    """Put one flow and the other in force by turns."""
    back = {new: old for old, new in TO_RECEIVED.items() if old not in ("shipping",)}
    with Engine.open(f"sqlite:///{path}?timeout=60") as engine:
        for turn in range(number):
            forth: tuple[Flow, dict[str, str]] = (RECEIVED, TO_RECEIVED) if turn % 2 == 0 else (STANDARD, back)
            engine.use_flow(forth[0], mapping=forth[1], by=name)
    return number


def either(path: Path, name: str, number: int) -> int:
    """What the processes of the race below do."""
    return change_flows(path, name, number) if name == "changer" else run_orders(path, name, number)


def test_flows_change_while_other_processes_move_orders_and_all_adds_up(world: World) -> None:
    world.facility("DEN", "39.74,-104.99", MUG=100)
    world.engine.close()
    done = race(either, (world.path, "a", 12), (world.path, "b", 12), (world.path, "changer", 10))
    assert done[2] == 10
    assert all(isinstance(steps, int) and steps >= 12 for steps in done[:2]), done
    world.engine = Engine.open(world.path, clock=world.clock)
    assert world.engine.flow == STANDARD
    check_database(world.path)
    assert sound(world)
    assert set(states(world).values()) == {"delivered"}
    assert world.rows("SELECT count(*) FROM event WHERE type = 'FlowChanged'")[0][0] > 0


def test_the_doctor_names_orders_in_states_that_the_flow_in_force_lacks(shop: World) -> None:
    connection = sqlite3.connect(shop.path)
    with closing(connection), connection:
        connection.execute("UPDATE orders SET state = 'limbo' WHERE id = 'pending'")
    engine = shop.engine
    found = examine(engine.store, tied_states=engine.tied_states(), states=list(engine.machine.states))
    wrong = {finding.code: finding.sentence for finding in found if finding.level == "wrong"}
    assert wrong["flow"] == "it does not hold that each order is in a state of the flow in force: limbo 1"


def test_history_is_not_replayed_under_a_flow_that_cannot_tie_what_was_placed(world: World) -> None:
    world.engine.use_flow(load(FLOWS / "payment.yaml"))
    with world.unchanged(), pytest.raises(Refused, match="tie_inventory, which does not lead out of pending") as caught:
        import_orders(world.engine, "history.csv", replay=True)
    assert caught.value.code == "flow_unfit"
