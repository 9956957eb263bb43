"""What differs between flows, which orders must be mapped, and the table of state x trigger.

`python tests/flow/test_flow_comparing.py` writes what comes out now into golden/, to be looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orderstate.errors import InvalidInput, NotFound
from orderstate.flow import Change, Difference, compare, dump, load, mapping, read, table
from orderstate.machine import STANDARD
from orderstate.model import Flow, Stock

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
FLOWS = HERE.parents[1] / "examples" / "flows"


def other() -> Flow:
    """The standard flow with one difference of every kind."""
    return read(
        "extends: standard\n"
        "initial: backordered\n"
        "path: [tie_inventory, ship]\n"
        "states:\n"
        "  inventory_tied: {stock: tied, after: 48h, trigger: untie}\n"
        "  shipping: {stock: tied}\n"
        "  parked: {stock: free}\n"
        "transitions:\n"
        "  - {trigger: park, from: pending, to: parked, event: OrderParked}\n"
        "  - {trigger: tie_inventory, from: pending, to: backordered, event: OrderBackordered}\n"
        "  - {trigger: tie_inventory, from: pending, to: inventory_tied, event: InventoryTied, guards: "
        "[stock_covers_order, goods_still_here]}\n"
        "  - {trigger: untie, from: inventory_tied, to: pending, event: StockGivenBack}\n"
        "  - trigger: cancel\n"
        "    from: any\n"
        "    to: cancelled\n"
        "    event: OrderCancelled\n"
        "    guards: [canceller_may: {customer: tied, operator: tied, system: tied}]\n"
        "remove:\n"
        "  states: delivered\n",
        "other",
    )


def differences(old: Flow, new: Flow) -> str:
    """The differences, a line each, and what must be mapped."""
    found = compare(old, new)
    lines = [*map(str, found.changes), f"missing: {', '.join(found.missing) or 'none'}"]
    return "\n".join([*lines, f"changed stock: {', '.join(found.changed_stock) or 'none'}"]) + "\n"


def drawn(flow: Flow) -> str:
    """The table as text, tab-separated."""
    shown = table(flow)
    rows = [shown.header, *shown.cells, *((t, to, guards) for t, to, guards in shown.guards)]
    return "".join("\t".join(row).rstrip() + "\n" for row in rows)


MADE: dict[str, Callable[[], str]] = {
    "diff-other.txt": lambda: differences(STANDARD, other()),
    "diff-back.txt": lambda: differences(other(), STANDARD),
    "diff-payment.txt": lambda: differences(STANDARD, load(FLOWS / "payment.yaml")),
    "diff-returns.txt": lambda: differences(STANDARD, load(FLOWS / "returns.yaml")),
    "table-standard.tsv": lambda: drawn(STANDARD),
    "table-payment.tsv": lambda: drawn(load(FLOWS / "payment.yaml")),
    "table-returns.tsv": lambda: drawn(load(FLOWS / "returns.yaml")),
    "table-standard.json": lambda: json.dumps(table(STANDARD).document(), indent=1) + "\n",
    "payment-dumped.yaml": lambda: dump(load(FLOWS / "payment.yaml")),
}


@pytest.mark.parametrize("name", MADE)
def test_it_comes_out_as_it_was_looked_at(name: str) -> None:
    assert MADE[name]() == (GOLDEN / name).read_text(encoding="utf-8")


def test_a_flow_does_not_differ_from_itself_nor_by_its_name() -> None:
    same = compare(STANDARD, replace(STANDARD, name="mine"))
    assert not same
    assert same == Difference((), (), ())
    assert same.must_map == ()


def test_what_is_added_one_way_is_removed_the_other_way() -> None:
    there, back = compare(STANDARD, other()), compare(other(), STANDARD)
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    assert {(c.kind, c.name, turned[c.how]) for c in there.changes} == {(c.kind, c.name, c.how) for c in back.changes}
    assert {(c.kind, c.name, c.before, c.after) for c in there.changes} == {
        (c.kind, c.name, c.after, c.before) for c in back.changes
    }


def test_every_kind_of_difference_is_told() -> None:
    kinds = {change.kind for change in compare(STANDARD, other()).changes}
    assert kinds == {"initial", "state", "timer", "transition", "guard", "order", "path"}


def test_states_that_are_missing_or_mean_something_else_must_be_mapped() -> None:
    found = compare(STANDARD, other())
    assert found.missing == ("delivered",)
    assert found.changed_stock == ("shipping",)
    assert found.must_map == ("delivered", "shipping")
    document = found.document()
    assert document["missing"] == ["delivered"]
    assert {"kind": "timer", "how": "added", "name": "inventory_tied", "before": None, "after": "untie after 48h"} in (
        document["changes"]  # type: ignore[operator]  # a JSON document has values of any type
    )
    assert str(Change("state", "added", "parked", None, "free")) == "+ state parked: free"


def test_a_mapping_moves_orders_between_states_of_one_meaning() -> None:
    payment = load(FLOWS / "payment.yaml")
    assert mapping(payment, STANDARD, {"paid": "pending"}) == {"paid": "pending"}
    with pytest.raises(NotFound, match="unknown state 'payed'"):
        mapping(payment, STANDARD, {"payed": "pending"})
    with pytest.raises(NotFound, match="unknown state 'pendng'"):
        mapping(payment, STANDARD, {"paid": "pendng"})
    with pytest.raises(InvalidInput, match="'paid=inventory_tied' is not from free to free") as caught:
        mapping(payment, STANDARD, {"paid": "inventory_tied"})
    assert caught.value.hint == "map paid to pending or backordered or cancelled"
    free_only = replace(STANDARD, states=tuple(replace(s, stock=Stock.FREE) for s in STANDARD.states))
    with pytest.raises(InvalidInput) as caught:
        mapping(STANDARD, free_only, {"shipping": "pending"})
    assert caught.value.hint == "empty shipping first"


def test_a_cell_whose_guards_let_nobody_through_says_so() -> None:
    shipping = next(row for row in table(STANDARD).rows if row.state == "shipping")
    refused = dict(zip(table(STANDARD).triggers, shipping.refused, strict=True))
    assert [trigger for trigger, never in refused.items() if never] == ["cancel"]
    assert "cancelled (refused)" in table(STANDARD).cells[3]
    assert sum(cell.endswith("(refused)") for row in table(STANDARD).cells for cell in row) == 1


if __name__ == "__main__":
    for file, make in MADE.items():
        (GOLDEN / file).write_text(make(), encoding="utf-8")
