"""The worked examples: clean, proved, compiled, and moving orders as their comments say."""

from __future__ import annotations

from pathlib import Path

import pytest
from worlds import DENVER, World

from orderstate.engine.commands import Fire, Receive
from orderstate.errors import Refused
from orderstate.flow import Proof, check, dump, examine, exhaustive, load, read, table
from orderstate.machine import STANDARD, Machine
from orderstate.model import ROLES, Destination, Line, Order, State, Stock
from orderstate.scenario import Coverage, load_all, run

FLOWS = Path(__file__).parents[2] / "examples" / "flows"
ALL = sorted(path for path in FLOWS.glob("*.yaml") if not path.name.endswith(".scenario.yaml"))


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_an_example_is_clean_proved_and_compiles(path: Path) -> None:
    flow, findings = examine(path)
    assert findings == []
    assert flow is not None
    assert flow.name == path.stem
    proof = exhaustive(flow)
    assert isinstance(proof, Proof)
    assert proof.orders == 2
    machine = Machine(flow)
    assert machine.state(machine.ahead(flow.initial)[-1]).final
    assert read(dump(flow)) == flow
    assert check(read(dump(flow))) == []


def test_there_are_four_of_them() -> None:
    assert [path.stem for path in ALL] == ["patient", "payment", "returns", "standard"]


@pytest.mark.parametrize("name", ["patient", "payment", "returns"])
def test_its_scenarios_pass_and_take_every_transition_that_can_be_taken(name: str) -> None:
    reports = [run(scenario) for scenario in load_all(FLOWS / f"{name}.scenario.yaml")]
    assert [(r.scenario.title, s.number, s.words) for r in reports for s in r.steps if not s.passed] == []
    coverage = Coverage.of(reports)
    assert not coverage.missing
    assert len(coverage.all) > 10
    assert all(report.scenario.world.flow == load(FLOWS / f"{name}.yaml") for report in reports)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_what_its_table_calls_refused_no_refusal_calls_possible(path: Path) -> None:
    flow = load(path)
    machine = Machine(flow)
    shown = table(flow)
    refused = {(row.state, t) for row in shown.rows for t, no in zip(shown.triggers, row.refused, strict=True) if no}
    orders = [
        Order("1001", state.name, 1, 0, 0, Destination("US"), "backorder", (Line("MUG", 1),)) for state in flow.states
    ]
    declared = {(order.state, trigger) for order in orders for trigger in machine.choices(order.state)}
    offered = {(order.state, t) for order in orders for role in ROLES for t in machine.open(order, role)}
    assert declared - offered == refused
    assert refused


def test_the_standard_flow_is_written_out_as_it_is() -> None:
    assert load(FLOWS / "standard.yaml") == STANDARD
    assert "extends" not in (FLOWS / "standard.yaml").read_text(encoding="utf-8").split("\nname:")[1]


def fire(world: World, order: str, *triggers: str, role: str = "operator") -> str:
    """Fire triggers in turn; the state after the last."""
    for trigger in triggers:
        world.engine.execute(Fire(order=order, trigger=trigger, role=role))
    return world.engine.show(order).order.state


def test_nothing_is_tied_before_it_is_paid(world: World) -> None:
    world.engine.machine = Machine(load(FLOWS / "payment.yaml"))
    world.facility("DEN", "39.74,-104.99", MUG=5)
    order = world.order(MUG=2)
    for state, trigger in (("pending", "authorise"), ("authorised", "capture")):
        assert world.engine.show(order).order.state == state
        with pytest.raises(Refused):
            world.engine.execute(Fire(order=order, trigger="tie_inventory"))
        assert world.level("DEN", "MUG") == (5, 0, 0)
        fire(world, order, trigger, role="system")
    assert fire(world, order, "tie_inventory") == "inventory_tied"
    assert world.level("DEN", "MUG") == (5, 2, 0)


def test_a_cancelled_order_that_was_paid_owes_the_money_back(world: World) -> None:
    world.engine.machine = Machine(load(FLOWS / "payment.yaml"))
    world.facility("DEN", "39.74,-104.99", MUG=5)
    unpaid, held, paid = (world.order(MUG=1) for _ in range(3))
    assert fire(world, unpaid, "cancel") == "cancelled"
    assert fire(world, held, "authorise", "cancel") == "void_due"
    assert fire(world, held, "void") == "voided"
    assert fire(world, paid, "authorise", "capture", "tie_inventory", "cancel") == "refund_due"
    assert world.level("DEN", "MUG") == (5, 0, 0)
    assert fire(world, paid, "refund") == "refunded"
    assert "OrderCancelled" in world.event_types(paid)
    assert world.event_types(paid)[-1] == "PaymentRefunded"


def test_the_timers_of_the_payment_flow_give_up_on_who_does_not_pay() -> None:
    flow = load(FLOWS / "payment.yaml")
    timers = {state.name: (state.timer, state.after) for state in flow.states if state.timer}
    day = 86_400_000_000
    assert timers == {
        "pending": ("cancel", day),
        "authorised": ("lapse", 7 * day),
        "backordered": ("cancel", 30 * day),
        "void_due": ("lapse", 7 * day),
    }


def test_returned_goods_come_back_as_received_stock_and_are_counted_once(world: World) -> None:
    world.engine.machine = Machine(load(FLOWS / "returns.yaml"))
    world.facility("DEN", "39.74,-104.99", MUG=5)
    order = world.order(MUG=2)
    assert fire(world, order, "tie_inventory", "ship", "deliver") == "delivered"
    assert world.level("DEN", "MUG") == (3, 0, 0)
    assert fire(world, order, "announce_return", "receive_return", "accept_return") == "returned"
    assert world.level("DEN", "MUG") == (3, 0, 0)
    world.engine.execute(Receive(facility="DEN", items=[("MUG", 2)], by="inspection"))
    assert world.level("DEN", "MUG") == (5, 0, 0)
    assert world.event_types("facility/DEN")[-1] == "StockReceived"
    again = world.order(DENVER, MUG=5)
    assert fire(world, again, "tie_inventory") == "inventory_tied"


def test_a_returned_order_can_never_be_cancelled_and_says_why(world: World) -> None:
    flow = load(FLOWS / "returns.yaml")
    world.engine.machine = Machine(flow)
    world.facility("DEN", "39.74,-104.99", MUG=5)
    order = world.order(MUG=1)
    fire(world, order, "tie_inventory", "ship", "deliver", "receive_return")
    with pytest.raises(Refused) as caught:
        fire(world, order, "cancel")
    assert caught.value.blocked[0].code == "goods_still_here"
    assert State("inspecting", Stock.GONE, label="in inspection") in flow.states
