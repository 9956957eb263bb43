"""What can be expected of a step: each kind holds where it is so, and names what is otherwise where it is not."""

from __future__ import annotations

import pytest

from orderstate.scenario import Difference, Report, StepReport, read, run

WORLD = """\
scenario: s
world:
  settings: {strategy: nearest}
  facilities:
    DEN: {country: US, at: "39.74,-104.99"}
    NYC: {country: US, at: "40.71,-74.01"}
  stock:
    DEN: {MUG: {primary: 3, back: 4, safety: 1}}
    NYC: {MUG: 5, CUP: 0}
steps:
  - place: {lines: {MUG: 2}, to: "US@39.74,-104.99"}
    as: a
"""
HOLDS = {
    "place: {lines: {MUG: 1}, to: US}": [
        "exit: 0",
        "state: pending",
        "version: 1",
        "changed: true",
        "events: [OrderPlaced]",
        "repeated: false",
        "orders: {a: pending, 1001: pending}",
        "short: {}",
        "stock: {DEN: {MUG: {allocated: 0}}}",
    ],
    "tie: ${a}": [
        "plan: {facilities: [DEN], strategy: nearest, optimal: false}",
        "cost: 650",
        "version: 2",
        "plan: {allocations: [[DEN, MUG, primary, 2]]}",
        "events: InventoryTied",
        "state: inventory_tied",
        "stock: {DEN: {MUG: {on_hand: 7, allocated: 2, available: 4, safety: 1}}, NYC: {MUG: {available: 5}}}",
        "stock: {DEN: {MUG: {primary: {available: 0}, back: {on_hand: 4, available: 4}}}}",
        "orders: {'${a}': inventory_tied}",
        "stock: {NYC: {HAT: {on_hand: 0}}}",
    ],
    "ship: ${a}": [
        "exit: 4",
        "error: not_from_here",
        "refused: [not_from_here]",
        "state: pending",
        "version: 1",
        "events: []",
        "changed: false",
        "says: ship",
        "{exit: 4, says: '${a} is pending'}",
    ],
    "tie: {order: '${a}', only: NYC, exclude: NYC}": [
        "refused: [may_wait, stock_covers_order]",
        "short: {MUG: 2}",
        "exit: 5",
    ],
    "fire: {order: '${a}', trigger: shp}": ["exit: 3", "error: unknown_trigger", "refused: unknown_trigger"],
    "place: {lines: {HAT: 1}, to: US}": ["error: unknown_sku"],
    "place: {lines: {MUG: 0}, to: US}": ["exit: 2", "error: invalid_input"],
    "untie: ${a}": ["changed: false", "events: []"],
    "receive: {facility: NYC, sku: CUP, quantity: 3}": ["events: [StockReceived]", "stock: {NYC: {CUP: {on_hand: 3}}}"],
    "repeat: a": ["repeated: true", "state: pending", "events: []", "changed: true"],
    "wait: 1h": ["events: []", "refused: []", "orders: {a: pending}"],
    "together: [{tie: '${a}'}, {place: {lines: {MUG: 1}, to: US}, as: b}]": [
        "exits: [0, 0]",
        "orders: {b: pending}",
        "events: [InventoryTied, OrderPlaced]",
        "events: [OrderPlaced, InventoryTied]",
    ],
    "together: [{ship: '${a}'}, {deliver: '${a}'}]": ["exits: [4, 4]", "refused: not_from_here", "says: deliver"],
}
FAILS: dict[str, dict[str, tuple[str, object, object]]] = {
    "place: {lines: {MUG: 1}, to: US}": {
        "exit: 4": ("exit", 4, 0),
        "error: refused": ("error", "refused", None),
        "refused: [a, b]": ("refused", ["a", "b"], []),
        "state: shipping": ("state", "shipping", "pending"),
        "version: 2": ("version", 2, 1),
        "changed: false": ("changed", False, True),
        "repeated: true": ("repeated", True, False),
        "events: []": ("events", [], ["OrderPlaced"]),
        "orders: {a: shipping}": ("orders.a", "shipping", "pending"),
        "orders: {1009: pending}": ("orders.1009", "pending", None),
        "stock: {DEN: {MUG: {on_hand: 8}}}": ("stock.DEN.MUG.on_hand", 8, 7),
        "stock: {DEN: {MUG: {back: {safety: 8}}}}": ("stock.DEN.MUG.back.safety", 8, 0),
        "plan: {facilities: [DEN]}": ("plan.facilities", ["DEN"], None),
        "cost: 5.30": ("cost", "5.30", None),
        "bound: 5": ("bound", "5", None),
        "short: {MUG: 2}": ("short.MUG", 2, 0),
        "says: no": ("says", "no", None),
    },
    "tie: ${a}": {
        "cost: 1": ("cost", "1", "650"),
        "bound: 1": ("bound", "1", None),
        "plan: {facilities: [NYC, DEN]}": ("plan.facilities", ["DEN", "NYC"], ["DEN"]),
        "plan: {allocations: []}": ("plan.allocations", [], [["DEN", "MUG", "primary", 2]]),
        "plan: {strategy: cheapest}": ("plan.strategy", "cheapest", "nearest"),
        "plan: {optimal: true}": ("plan.optimal", True, False),
    },
    "ship: ${a}": {
        "{state: pending, version: 1}": ("exit", 0, 4),
        "error: final": ("error", "final", "not_from_here"),
        "refused: [not_from_here, final]": ("refused", ["final", "not_from_here"], ["not_from_here"]),
    },
    "repeat: a": {"repeated: false": ("repeated", False, True)},
    "wait: 1h": {"events: [InventoryUntied]": ("events", ["InventoryUntied"], [])},
    "together: [{tie: '${a}'}, {ship: '1009'}]": {
        "exits: [0, 0]": ("exits", [0, 0], [0, 3]),
        "events: [InventoryTied]": ("2.exit", 0, 3),
    },
}


def reported(step: str, expect: str | None) -> StepReport:
    expected = "" if expect is None else f"\n    expect: {expect if expect.startswith('{') else '{' + expect + '}'}"
    return run(read(f"{WORLD}  - {step}{expected}\n")).steps[-1]


@pytest.mark.parametrize(("step", "expect"), [(step, expect) for step, all_of in HOLDS.items() for expect in all_of])
def test_what_is_so_holds(step: str, expect: str) -> None:
    # A step that fails without saying so is a difference of its own, and here the only one.
    allowed = set() if any(word in expect for word in ("exit", "error", "refused")) else {"exit", "1.exit", "2.exit"}
    assert {difference.field for difference in reported(step, expect).differences} <= allowed


@pytest.mark.parametrize(
    ("step", "expect", "difference"),
    [(step, expect, difference) for step, all_of in FAILS.items() for expect, difference in all_of.items()],
)
def test_what_is_otherwise_is_named_with_what_was_expected_and_what_was_seen(
    step: str, expect: str, difference: tuple[str, object, object]
) -> None:
    assert Difference(*difference) in reported(step, expect).differences


def test_a_step_must_succeed_unless_it_says_otherwise() -> None:
    for step in ("ship: ${a}", "place: {lines: {HAT: 1}, to: US}"):
        (difference,) = reported(step, None).differences
        assert (difference.field, difference.expected) == ("exit", 0)
    assert reported("tie: ${a}", None).passed


def short_of_stock(expect: str) -> Report:
    return run(
        read(f"{WORLD}  - place: {{lines: {{MUG: 99}}, to: US}}\n    as: b\n  - tie: ${{b}}\n    expect: {expect}\n")
    )


@pytest.mark.parametrize(
    ("expect", "passed"),
    [
        ("{}", False),
        ("{version: 2}", False),
        ("{exit: 5}", True),
        ("{state: backordered}", True),
        ("{exit: 0, state: backordered}", False),
        ("{exit: 5, state: backordered, short: {MUG: 88}, events: OrderBackordered}", True),
        ("{exit: 5, short: {MUG: 87}}", False),
    ],
)
def test_an_order_that_waits_is_a_success_only_where_that_is_expected(expect: str, passed: bool) -> None:
    assert short_of_stock(expect).passed is passed


def test_only_what_differs_is_told() -> None:
    report = reported("tie: ${a}", "{state: shipping, version: 2, cost: 1, plan: {facilities: [DEN], optimal: true}}")
    assert [d.field for d in report.differences] == ["state", "plan.optimal", "cost"]
    assert report.words == (
        "state: expected shipping, seen inventory_tied",
        "plan.optimal: expected true, seen false",
        "cost: expected 1, seen 650",
    )
