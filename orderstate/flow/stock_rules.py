"""What states may mean for stock, one after the other, so that no unit is lost, promised twice or shipped unseen."""

from __future__ import annotations

from collections.abc import Iterator

from orderstate.flow.finding import WARNING, Examined, Finding
from orderstate.model import SHORT_POLICIES, Stock

CANCEL = "cancel"
"""The trigger that must never succeed once the goods have left."""


def stock_rules(examined: Examined) -> Iterator[Finding]:
    """Every rule that the flow breaks, states first."""
    flow = examined.flow
    initial = examined.ways.states[flow.initial]
    if initial.stock is not Stock.FREE:
        yield examined.at_state(
            "initial_not_free",
            initial.name,
            f"{initial.name} is the initial state, but its stock is {initial.stock}: an order begins with nothing tied",
            f"let {initial.name} be free, and tie in a transition that leads out of it",
            "stock",
        )
    for state in flow.states:
        if state.final and state.stock is Stock.TIED:
            yield examined.at_state(
                "final_tied",
                state.name,
                f"{state.name} is final, but its stock stays tied for ever",
                f"let {state.name} be free or gone",
                "stock",
            )
    yield from _moves(examined)
    yield from _tied_for_good(examined)


def _moves(examined: Examined) -> Iterator[Finding]:
    stock = {state.name: state.stock for state in examined.flow.states}
    for index, transition in enumerate(examined.flow.transitions):
        trigger, target = transition.trigger, transition.target
        guards = {use.name for use in transition.guards}
        leaving: dict[Stock, list[str]] = {}
        for source in transition.sources:
            leaving.setdefault(stock[source], []).append(source)
        gone, free = leaving.get(Stock.GONE, []), leaving.get(Stock.FREE, [])
        if gone and stock[target] is not Stock.GONE and "goods_still_here" not in guards:
            yield examined.at_transition(
                "gone_comes_back",
                index,
                gone,
                f"{trigger} leads from {', '.join(gone)}, where the goods have left, to {target}, where they count as "
                "here",
                "give it the guard goods_still_here; goods that come back are received as stock, and the order stays "
                "gone",
            )
        elif gone and trigger == CANCEL and "goods_still_here" not in guards:
            yield examined.at_transition(
                "cancel_after_gone",
                index,
                gone,
                f"cancel leads out of {', '.join(gone)}, where the goods have left",
                "give it the guard goods_still_here, or call the trigger something else, such as return_goods",
            )
        tied = leaving.get(Stock.TIED, [])
        if tied and trigger == CANCEL and stock[target] is Stock.GONE:
            yield examined.at_transition(
                "cancel_ships",
                index,
                tied,
                f"cancel leads from {', '.join(tied)} to {target}: it would ship what it cancels",
                "lead it to a state whose stock is free, or call the trigger something else",
            )
        if (tied or gone) and "stock_covers_order" in guards:
            holding = [source for source in transition.sources if source in (*tied, *gone)]
            yield examined.at_transition(
                "guard_misplaced",
                index,
                holding,
                f"{trigger} asks stock_covers_order in {', '.join(holding)}, where the order has its units already: "
                "the guard plans them once more and counts them as missing",
                "leave the guard out there; it is meant for what leads from free to tied",
                "guards",
                WARNING,
            )
        if free and stock[target] is Stock.GONE:
            yield examined.at_transition(
                "free_to_gone",
                index,
                free,
                f"{trigger} leads from {', '.join(free)} to {target}: goods would leave that were never tied",
                "lead it through a state whose stock is tied",
            )
        if free and stock[target] is Stock.TIED and "stock_covers_order" not in guards:
            yield examined.at_transition(
                "tie_uncovered",
                index,
                free,
                f"{trigger} leads from {', '.join(free)} to {target} whether or not there is stock to tie",
                "give it the guard stock_covers_order",
            )


def _tied_for_good(examined: Examined) -> Iterator[Finding]:
    """Tied states that lead to an end, but not to a state where the stock is free; others are findings already."""
    states = examined.flow.states
    found: dict[str, None] = {}
    for short in SHORT_POLICIES:
        arriving = examined.ways.reached([examined.flow.initial], short)
        freeing = examined.ways.leading([s.name for s in states if s.stock is Stock.FREE], short)
        ending = examined.ways.leading([s.name for s in states if s.final], short)
        tied = [s.name for s in states if s.stock is Stock.TIED and not s.final and s.name in arriving]
        found |= dict.fromkeys(name for name in tied if name in ending and name not in freeing)
    for name in found:
        yield examined.at_state(
            "tied_for_good",
            name,
            f"stock that is tied in {name} can be shipped, but never given back",
            f"lead untie or cancel from {name} to a state whose stock is free",
        )
