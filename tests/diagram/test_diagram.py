"""What the drawings look like, and what is said about an order below them.

The drawings in golden/ are meant to be looked at. `python tests/diagram/test_diagram.py` draws them anew.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orderstate.diagram import Step, Walk, dot, mermaid, terminal
from orderstate.errors import NotFound
from orderstate.flow import load
from orderstate.guards import Facts
from orderstate.machine import STANDARD, Choice, Machine, standard
from orderstate.model import (
    Destination,
    Flow,
    GuardUse,
    Line,
    Order,
    Plan,
    Refusal,
    Shipment,
    State,
    Stock,
    Tally,
    Transition,
)

GOLDEN = Path(__file__).parent / "golden"
NOON = 1_795_348_800_000_000
"""2026-11-22 12:00 UTC, in microseconds."""
MINUTE = 60_000_000
HOUR = 60 * MINUTE


def asked(
    order_id: str,
    state: str,
    *,
    role: str = "operator",
    short: dict[str, int] | None = None,
    stock: Stock | None = None,
) -> Facts:
    """Facts in which stock is short by `short`, and whatever left did so in two shipments."""
    shipments = tuple(Shipment(order_id, facility, NOON, 1) for facility in ("DEN-1", "OAK-1"))
    return Facts(
        role,
        stock or standard().state(state).stock,
        lambda: Plan("nearest", (), short or {}, ()),
        lambda: shipments,
        lambda: (f"{order_id}-2",),
    )


def order(order_id: str, state: str) -> Order:
    return Order(order_id, state, 3, NOON, NOON, Destination("US"), "backorder", (Line("MUG", 5),))


def walk(order_id: str, state: str, *steps: Step, role: str = "operator", short: dict[str, int] | None = None) -> Walk:
    """A walk that ends in `state`, with what the standard flow would allow there."""
    choices = standard().explain(order(order_id, state), asked(order_id, state, role=role, short=short))
    return Walk(order_id, state, steps, choices)


def walk_on(machine: Machine, order_id: str, state: str, *steps: Step) -> Walk:
    """A walk on a flow of one's own."""
    facts = asked(order_id, state, stock=machine.state(state).stock)
    return Walk(order_id, state, steps, machine.explain(order(order_id, state), facts))


PLACED = Step(None, None, "pending", NOON, 1)
WAITED = walk(
    "1001",
    "inventory_tied",
    PLACED,
    Step("tie_inventory", "pending", "backordered", NOON + 2 * MINUTE, 2),
    Step("tie_inventory", "backordered", "inventory_tied", NOON + 182 * MINUTE, 4),
)
SENT = walk(
    "1002",
    "shipping",
    PLACED,
    Step("tie_inventory", "pending", "inventory_tied", NOON + 2 * MINUTE, 2),
    Step("ship", "inventory_tied", "shipping", NOON + 1562 * MINUTE, 3),
    role="customer",
)
WAITING = {
    "pending": Tally(12, 75 * HOUR, 5 * HOUR),
    "backordered": Tally(1, 20 * HOUR, 20 * HOUR),
    "inventory_tied": Tally(0),
    "shipping": Tally(1204, 50 * HOUR, 40 * MINUTE),
    "delivered": Tally(20311, 9000 * HOUR, 4000 * HOUR),
    "cancelled": Tally(31, 900 * HOUR, 200 * HOUR),
}
COUNTS = {"pending": 12, "shipping": 1204, "cancelled": 1, "on_hold": 3}


def _way(trigger: str, sources: str, target: str, *guards: str) -> Transition:
    return Transition(trigger, tuple(sources.split()), target, "Happened", tuple(map(GuardUse, guards)))


RETURNS = Flow(
    name="returns",
    initial="cart",
    states=(
        State("cart", Stock.FREE),
        State("pending", Stock.FREE),
        State("on_hold", Stock.FREE, label="on hold"),
        State("backordered", Stock.FREE),
        State("inventory_tied", Stock.TIED, label="inventory tied"),
        State("picking", Stock.TIED),
        State("packed", Stock.TIED),
        State("shipping", Stock.GONE),
        State("delivered", Stock.GONE),
        State("return_requested", Stock.GONE, label="return requested"),
        State("returned", Stock.FREE, final=True),
        State("lost", Stock.GONE, final=True),
        State("cancelled", Stock.FREE, final=True),
    ),
    transitions=(
        _way("place", "cart", "pending"),
        _way("hold", "pending backordered", "on_hold"),
        _way("release", "on_hold", "pending"),
        _way("tie_inventory", "pending backordered", "inventory_tied", "stock_covers_order"),
        _way("tie_inventory", "pending", "backordered", "may_wait"),
        _way("untie", "inventory_tied picking", "pending"),
        _way("pick", "inventory_tied", "picking"),
        _way("pick_again", "picking", "picking"),
        _way("pack", "picking", "packed"),
        _way("ship", "packed", "shipping"),
        _way("deliver", "shipping", "delivered"),
        _way("ask_return", "delivered", "return_requested"),
        _way("accept", "return_requested", "returned", "goods_still_here"),
        _way("reject", "return_requested", "delivered"),
        _way("lose", "shipping", "lost"),
        _way("cancel", "cart pending on_hold backordered inventory_tied picking packed", "cancelled", "canceller_may"),
    ),
    path=("place", "tie_inventory", "pick", "pack", "ship", "deliver"),
)

PAYMENT, SHOP_RETURNS = (
    Machine(load(Path(__file__).parents[2] / "examples" / "flows" / f"{name}.yaml")) for name in ("payment", "returns")
)
PAID = walk_on(
    PAYMENT,
    "1001",
    "paid",
    PLACED,
    Step("authorise", "pending", "authorised", NOON + 3 * MINUTE, 2),
    Step("capture", "authorised", "paid", NOON + 4 * MINUTE, 3),
)
BACK = walk_on(
    SHOP_RETURNS,
    "1001",
    "return_announced",
    PLACED,
    Step("tie_inventory", "pending", "inventory_tied", NOON + 1 * HOUR, 2),
    Step("ship", "inventory_tied", "shipping", NOON + 26 * HOUR, 3),
    Step("deliver", "shipping", "delivered", NOON + 75 * HOUR, 4),
    Step("announce_return", "delivered", "return_announced", NOON + 99 * HOUR, 5),
)
GIFTS = Machine(load(Path(__file__).parent / "flows" / "gifts.yaml"))
MOVED = walk_on(
    GIFTS,
    "1001",
    "inventory_tied",
    PLACED,
    Step("tie_inventory", "pending", "inventory_tied", NOON + 1 * HOUR, 2),
)
"""An order that was placed under the standard flow, which begins elsewhere."""

DRAWN: dict[str, Callable[[], str]] = {
    "standard-80.txt": lambda: terminal(STANDARD),
    "standard-60.txt": lambda: terminal(STANDARD, width=60),
    "standard-40.txt": lambda: terminal(STANDARD, width=40),
    "standard-ascii.txt": lambda: terminal(STANDARD, ascii=True),
    "standard-counts.txt": lambda: terminal(STANDARD, counts=COUNTS),
    "standard-waiting.txt": lambda: terminal(STANDARD, counts=WAITING),
    "standard-waiting-ascii-40.txt": lambda: terminal(STANDARD, counts=WAITING, width=40, ascii=True),
    "payment-80.txt": lambda: terminal(PAYMENT.flow),
    "payment-100.txt": lambda: terminal(PAYMENT.flow, width=100),
    "paid-80.txt": lambda: terminal(PAYMENT.flow, PAID),
    "shop-returns-80.txt": lambda: terminal(SHOP_RETURNS.flow),
    "shop-returns-110.txt": lambda: terminal(SHOP_RETURNS.flow, width=110),
    "back-80.txt": lambda: terminal(SHOP_RETURNS.flow, BACK),
    "moved-110.txt": lambda: terminal(GIFTS.flow, MOVED, width=110),
    "moved-40.txt": lambda: terminal(GIFTS.flow, MOVED, width=40),
    "gifts-40.txt": lambda: terminal(GIFTS.flow, width=40),
    "standard.mmd": lambda: mermaid(STANDARD),
    "standard.dot": lambda: dot(STANDARD),
    "waited-80.txt": lambda: terminal(STANDARD, WAITED),
    "waited-60.txt": lambda: terminal(STANDARD, WAITED, width=60),
    "waited-40.txt": lambda: terminal(STANDARD, WAITED, width=40),
    "waited-ascii.txt": lambda: terminal(STANDARD, WAITED, ascii=True),
    "waited.mmd": lambda: mermaid(STANDARD, WAITED, COUNTS),
    "waited.dot": lambda: dot(STANDARD, WAITED, COUNTS),
    "sent-120.txt": lambda: terminal(STANDARD, SENT, width=120),
    "returns-120.txt": lambda: terminal(RETURNS, width=120),
    "returns-80.txt": lambda: terminal(RETURNS, width=80),
}


@pytest.mark.parametrize("name", DRAWN)
def test_the_drawing_is_the_one_that_was_looked_at(name: str) -> None:
    assert DRAWN[name]() == (GOLDEN / name).read_text(encoding="utf-8")


def test_every_golden_drawing_is_compared() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(DRAWN)


def test_a_wider_terminal_draws_the_same_boxes() -> None:
    wide, usual = terminal(STANDARD, width=120), terminal(STANDARD, width=100)
    assert wide.split("guards")[0] == usual.split("guards")[0]


def test_a_terminal_too_narrow_for_any_drawing_gets_the_narrowest() -> None:
    assert terminal(STANDARD, width=3) == terminal(STANDARD, width=24)
    assert max(map(len, terminal(STANDARD, width=24).splitlines())) <= 24


def test_the_present_state_stands_in_a_double_frame_and_says_so() -> None:
    text = terminal(STANDARD, SENT)
    assert text.count("╔") == 1
    assert "║ shipping           ║" in text.replace("╟", "║")
    assert "stock gone · now" in text
    assert "now" not in terminal(STANDARD)


def test_reasons_stand_with_what_would_help_and_triggers_that_lead_nowhere_stand_together() -> None:
    blocked = terminal(STANDARD, SENT, width=120).split("blocked\n")[1].splitlines()
    assert blocked == [
        "  tie_inventory, untie, ship  not from shipping",
        "  cancel                      the goods left on 2026-11-22 in 2 shipments: DEN-1, OAK-1; not yet gone: 1002-2",
        "                              try: orderstate cancel 1002-2",
        "                              a customer may cancel only until inventory is tied",
    ]


def test_an_order_at_its_end_has_one_reason_for_every_trigger() -> None:
    text = terminal(STANDARD, walk("7", "delivered", PLACED), width=100)
    assert "possible now: nothing\n" in text
    assert text.endswith("blocked\n  tie_inventory, untie, ship, deliver, cancel  7 is delivered, which is final\n")


def test_short_stock_is_said_with_the_command_that_mends_it() -> None:
    text = terminal(STANDARD, walk("7", "backordered", PLACED, short={"MUG": 2}), width=100)
    assert "  tie_inventory         stock does not cover MUG (wanted 5, short 2)\n" in text
    assert "try: orderstate stock receive FACILITY MUG 2\n" in text
    assert "possible now\n  cancel  → cancelled\n" in text


def test_guards_give_way_to_reasons_where_an_order_is_drawn() -> None:
    assert "guards" not in terminal(STANDARD, WAITED)
    assert "guards" in terminal(STANDARD, Walk("1001", "pending", (PLACED,)))


def test_an_arrow_taken_often_names_its_first_events_and_counts_the_rest() -> None:
    steps = [PLACED]
    for number in range(2, 12, 2):
        steps.append(Step("tie_inventory", "pending", "inventory_tied", NOON, number))
        steps.append(Step("untie", "inventory_tied", "pending", NOON, number + 1))
    text = terminal(STANDARD, Walk("1", "pending", tuple(steps)), width=100)
    assert "┃ 2,4,6+2 tie_inventory" in text
    assert "━ 3,5,7+2 untie ━" in text
    assert " 11  pending         2026-11-22 12:00  untie" in text


def test_a_step_through_a_state_that_the_flow_no_longer_has_is_still_told() -> None:
    steps = (PLACED, Step("hold", "pending", "on_hold", NOON, 2), Step("release", "on_hold", "pending", NOON, 3))
    text = terminal(STANDARD, Walk("1", "pending", steps))
    assert "  2  on_hold  2026-11-22 12:00  hold\n" in text
    assert "on_hold" not in mermaid(STANDARD, Walk("1", "pending", steps)).split("notes[")[0]


@pytest.mark.parametrize("draw", [terminal, mermaid, dot])
def test_an_order_in_a_state_that_the_flow_lacks_is_an_error_with_near_names(draw: Callable[..., str]) -> None:
    with pytest.raises(NotFound, match="unknown state 'shiping'") as caught:
        draw(STANDARD, Walk("1", "shiping", ()))
    assert str(caught.value.hint).startswith("did you mean shipping")


def test_orders_in_states_that_the_flow_lacks_are_counted_below() -> None:
    assert terminal(STANDARD, counts=COUNTS).endswith("in states that this flow lacks\n  on_hold  3 orders\n")


@pytest.mark.parametrize("width", [40, 80, 130])
@pytest.mark.parametrize("ascii", [False, True])
def test_an_order_that_was_placed_under_another_flow_has_its_mark_where_that_was(width: int, ascii: bool) -> None:
    text = terminal(GIFTS.flow, MOVED, width, ascii)
    first = text.split("\n\n")[1].splitlines()
    start, line = ("*", "=>|") if ascii else ("●", "━►┃")
    assert first[0].strip() == start
    placed = [row for row in first if "1 placed" in row]
    assert len(placed) == 1
    assert f"{start} 1 placed" in placed[0]
    if width > 40:
        assert f"{start} 1 placed {line} " in placed[0]
    box = first[first.index(placed[0]) - 2 : first.index(placed[0]) + 1]
    assert any("pending" in row for row in box)


def test_it_has_it_beside_a_state_of_the_second_column_too() -> None:
    walk = Walk("1", "deposit_due", (Step(None, None, "deposit_due", NOON, 1),))
    assert "║◄━ 1 placed ● │" in terminal(GIFTS.flow, walk, width=130)
    assert "#<= 1 placed * |" in terminal(GIFTS.flow, walk, width=130, ascii=True)


def test_an_order_that_was_placed_in_a_state_that_the_flow_lacks_has_no_such_mark() -> None:
    steps = (Step(None, None, "basket", NOON, 1), Step("check_out", "basket", "pending", NOON, 2))
    walk = Walk("1", "pending", steps)
    for width in (40, 80, 130):
        assert "1 placed" not in terminal(STANDARD, walk, width)
    assert "placed" not in mermaid(STANDARD, walk).split("notes[")[0]
    assert "1 placed" not in dot(STANDARD, walk)
    assert "==>" not in mermaid(STANDARD, walk)


def test_text_for_other_programs_has_that_mark_where_it_belongs_as_well() -> None:
    text = mermaid(GIFTS.flow, MOVED)
    assert "    start -.-> s0\n" in text
    assert '    start ==>|"1 placed"| s1\n' in text
    assert '    s1("pending' in text
    assert [line.split(" stroke")[0] for line in text.splitlines() if "stroke-width:3px" in line] == [
        "    linkStyle 1,3"
    ]
    drawn = dot(GIFTS.flow, MOVED)
    plain, thick = (line for line in drawn.splitlines() if line.startswith('        "start" -> '))
    assert plain.startswith('        "start" -> "draft" [')
    assert "penwidth" not in plain
    assert thick.startswith('        "start" -> "pending" [label=<\u00a0\u00a01 placed')
    assert "penwidth=3" in thick


def test_mermaid_says_what_the_other_drawings_say() -> None:
    text = mermaid(STANDARD)
    assert 'title: "standard flow"' in text
    assert "canceller_may#40;customer=free, operator=tied, system=tied#41;" in text
    assert "Where a trigger has several targets, the first whose guards agree is taken#46;" in text
    assert "arrows" not in text
    walked = mermaid(STANDARD, WAITED)
    assert "<b>arrows</b><br/>thick · taken, with the number of the event<br/>solid, green · possible now" in walked
    assert 'title: "order 1001 · inventory tied · since 2026-11-22 15:02 UTC"' in walked


@pytest.mark.parametrize("width", range(32, 100, 3))
def test_guards_are_broken_between_names_and_not_in_them(width: int) -> None:
    text = terminal(GIFTS.flow, width=width).split("guards\n")[1]
    for name in ("stock_covers_order", "goods_still_here", "canceller_may(", "customer=free", "operator=tied"):
        assert name in text, width


def test_two_states_of_one_label_are_told_apart_by_their_names() -> None:
    flow = Flow(
        "twins",
        "one",
        (State("one", Stock.FREE, label="waiting"), State("two", Stock.FREE, label="waiting")),
        (_way("go", "one", "two"),),
        ("go",),
    )
    for text in (terminal(flow), mermaid(flow), dot(flow)):
        assert "one" in text
        assert "two" in text
        assert "waiting" not in text


def test_one_state_that_leads_to_itself_is_drawn() -> None:
    flow = Flow("loop", "a", (State("a", Stock.FREE),), (_way("again", "a", "a"),), ())
    assert terminal(flow).splitlines()[2:] == [
        "         ●",
        "         ▼",
        "  ┌────────────┐",
        "  │ a          ├─ again ─╮",
        "  │ stock free │◄────────╯",
        "  └────────────┘",
    ]


def test_a_flow_of_a_hundred_arrows_becomes_cards() -> None:
    names = [f"s{i}" for i in range(20)]
    flow = Flow(
        "big",
        "s0",
        tuple(State(name, Stock.FREE) for name in names),
        tuple(_way(f"go_{a}_{b}", f"s{a}", f"s{b}") for a in range(20) for b in range(20) if (a + b) % 4 == 0),
        (),
    )
    text = terminal(flow, width=200)
    assert "│ go_1_3 → s3    │" in text
    assert "╭" not in text


def test_a_refusal_with_a_remedy_that_is_not_ascii_is_escaped_on_request() -> None:
    refusal = Refusal("held", "gesperrt für immer", "orderstate fire 1 lösen")
    text = terminal(STANDARD, Walk("1", "pending", (), (Choice("ship", None, (refusal,)),)), ascii=True)
    assert text.isascii()
    assert "gesperrt f\\xfcr immer" in text
    assert "try: orderstate fire 1 l\\xf6sen" in text


def test_drawing_loads_no_library_beyond_the_standard_one() -> None:
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import orderstate.diagram\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - sys.stdlib_module_names))\n"
    )
    run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "['orderstate']\n"


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for drawing, make in DRAWN.items():
        (GOLDEN / drawing).write_text(make(), encoding="utf-8")
