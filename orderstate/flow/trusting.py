"""Where orders depend on guards of one's own: what such a guard says is not known, so it may refuse for ever.

Two questions look alike and differ. `Ways.leading` asks whether an order can end if every such guard answers as it is
wished; here each of them answers as it suits the worst case, at every step anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from orderstate.flow.possible import Ways
from orderstate.model import SHORT_POLICIES

MOST_ASKED = 8
"""Guards of one's own in one state whose answers are tried in every combination; where there are more, only ways that
ask none of them count as certain."""


@dataclass(frozen=True, slots=True)
class Trust:
    """A state out of which orders of some policies (--short) come only if guards of one's own wish it."""

    state: str
    wish: str
    """What some day must be so: `my_shop:small agrees`, `a agrees or b refuses`."""
    policies: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.wish} in {self.state}"


def trusting(ways: Ways) -> list[Trust]:
    """Every such state that an order can come to, in the order of the flow.

    Each is told where it is decided: with the guards granted their wish late on the way, a state that leads on there
    for certain is not told. What could not end even with guards that agree is no matter of trust; the check finds it as
    dead_end or no_way_to_end.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for short in SHORT_POLICIES:
        for state, wish in _trusting(ways, short):
            found.setdefault((state, wish), []).append(short)
    place = {name: number for number, name in enumerate(ways.states)}
    told = [Trust(state, wish, tuple(policies)) for (state, wish), policies in found.items()]
    return sorted(told, key=lambda trust: place[trust.state])


def _trusting(ways: Ways, short: str) -> Iterator[tuple[str, str]]:
    farthest_first = list(ways.reached([ways.flow.initial], short))[::-1]
    certain = _certain(ways, {name for name, state in ways.states.items() if state.final}, short)
    while True:
        open_ones = ((name, _wish(ways, name, certain, short)) for name in farthest_first if name not in certain)
        name, wish = next((one for one in open_ones if one[1]), ("", ""))
        if not wish:
            return
        yield name, wish
        certain = _certain(ways, certain | {name}, short)


def _certain(ways: Ways, goals: set[str], short: str) -> set[str]:
    """The states from which an order comes to one of the goals, whatever guards of one's own say."""
    found = set(goals)
    growing = True
    while growing:
        more = {name for name in ways.states.keys() - found if _forced(ways, name, found, short)}
        found |= more
        growing = bool(more)
    return found


def _forced(ways: Ways, name: str, goals: set[str], short: str) -> bool:
    """Whatever the guards say, some way leads from the state to a goal."""
    asked = ways.asked(name)
    if len(asked) > MOST_ASKED:
        free = (way for way in ways.leaving(name, short) if not way.agreeing and not way.refusing)
        return any(ways.target(way) in goals for way in free)
    return all(
        not goals.isdisjoint(ways.answered(name, frozenset(agreeing), short))
        for number in range(len(asked) + 1)
        for agreeing in combinations(asked, number)
    )


def _wish(ways: Ways, name: str, goals: set[str], short: str) -> str:
    """What guards would have to say for a way from the state to a goal; nothing where no way leads there."""
    wishes = dict.fromkeys(
        " and ".join([*(f"{own} agrees" for own in way.agreeing), *(f"{own} refuses" for own in way.refusing)])
        for way in ways.leaving(name, short)
        if ways.target(way) in goals
    )
    return " or ".join(wishes)
