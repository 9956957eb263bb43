"""What is said below a drawing: a flow's guards; the path of an order, what it may do now, what blocks the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from orderstate.diagram.chart import ARROW, ARROW_ASCII, Counts, Walk, moment, orders, printable, tallied, titles

if TYPE_CHECKING:
    from orderstate.machine import Choice
    from orderstate.model import Flow, GuardUse


class Note(NamedTuple):
    """A title, and rows of two columns; the second may have several lines. `remark` closes it with a sentence."""

    title: str
    rows: tuple[tuple[str, str], ...]
    remark: str | None = None
    parts: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    """The same rows in parts that stand under each other: for drawings whose letters differ in width, where the spaces
    between the parts of a column cannot see to that. A first part is a number."""


ARROWS = Note(
    "arrows",
    (("thick", "taken, with the number of the event"), ("solid, green", "possible now"), ("dashed", "neither")),
)
"""How the arrows of an order's walk are told apart where there is colour."""


def notes(flow: Flow, walk: Walk | None = None, counts: Counts | None = None, *, ascii: bool = False) -> list[Note]:
    """Everything that belongs below a drawing, in order."""
    found: list[Note | None] = [] if walk is None else [_path(flow, walk, ascii=ascii)]
    if walk is not None and walk.choices:
        found += [_possible(flow, walk.choices, ascii=ascii), _blocked(flow, walk, ascii=ascii)]
    else:
        found.append(_guards(flow, ascii=ascii))
    found += [_timers(flow, walk, ascii=ascii), _elsewhere(flow, counts or {}, ascii=ascii)]
    return [note for note in found if note is not None]


def _path(flow: Flow, walk: Walk, *, ascii: bool) -> Note | None:
    """The steps with their numbers, and when which trigger took each."""
    shown = titles(flow, ascii=ascii)
    digits = max((len(str(step.number)) for step in walk.steps), default=1)
    rows, parts = [], []
    for step in walk.steps:
        state = shown.get(step.target) or printable(step.target, ascii=ascii)
        trigger = "placed" if step.source is None else printable(step.trigger or "-", ascii=ascii)
        rows.append((f"{step.number:>{digits}}  {state}", f"{moment(step.at)}  {trigger}"))
        parts.append(((str(step.number), state), (*moment(step.at).split(" "), trigger)))
    return Note("path taken (UTC)", tuple(rows), parts=tuple(parts)) if rows else None


def _possible(flow: Flow, choices: Sequence[Choice], *, ascii: bool) -> Note:
    """The triggers that would go now."""
    arrow, shown = ARROW_ASCII if ascii else ARROW, titles(flow, ascii=ascii)
    rows = tuple(
        (printable(choice.trigger, ascii=ascii), f"{arrow} {shown.get(choice.target, choice.target)}")
        for choice in choices
        if choice.target is not None
    )
    return Note("possible now" if rows else "possible now: nothing", rows)


def _blocked(flow: Flow, walk: Walk, *, ascii: bool) -> Note | None:
    """The triggers that would not go, those with the same reasons together."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for choice in walk.choices:
        if choice.target is None:
            reasons = _reasons(choice, titles(flow, ascii=ascii)[walk.state], ascii=ascii)
            groups.setdefault(reasons, []).append(printable(choice.trigger, ascii=ascii))
    return (
        Note("blocked", tuple((", ".join(named), "\n".join(why)) for why, named in groups.items())) if groups else None
    )


def _reasons(choice: Choice, present: str, *, ascii: bool) -> tuple[str, ...]:
    found = []
    for refusal in choice.refusals:
        if refusal.code == "not_from_here":
            found.append(f"not from {present}")
            continue
        found.append(printable(refusal.sentence, ascii=ascii))
        if refusal.remedy:
            found.append(f"try: {printable(refusal.remedy, ascii=ascii)}")
    return tuple(found)


def _guards(flow: Flow, *, ascii: bool) -> Note | None:
    """Which guards each trigger asks, in the order in which its transitions are tried."""
    rows = guard_rows(flow, ascii=ascii)
    pairs = [(t.trigger, source) for t in flow.transitions for source in t.sources]
    several = len(set(pairs)) < len(pairs)
    remark = "Where a trigger has several targets, the first whose guards agree is taken." if several else None
    return Note("guards", tuple(rows), remark) if rows else None


def _timers(flow: Flow, walk: Walk | None, *, ascii: bool) -> Note | None:
    """What is fired by itself, and after how long: in every state, or in the one where the order is."""
    shown = titles(flow, ascii=ascii)
    rows = []
    for state in flow.states:
        if state.after is None or state.timer is None or (walk is not None and walk.state != state.name):
            continue
        from orderstate.flow.timing import duration_text  # few flows have timers, and the start is budgeted

        rows.append((shown[state.name], f"after {duration_text(state.after)}: {printable(state.timer, ascii=ascii)}"))
    return Note("timers", tuple(rows)) if rows else None


def _elsewhere(flow: Flow, counts: Counts, *, ascii: bool) -> Note | None:
    """The orders that stand in states which the flow lacks."""
    known = {state.name for state in flow.states}
    rows = tuple(
        (printable(name, ascii=ascii), orders(tallied(count).orders))
        for name, count in counts.items()
        if name not in known
    )
    return Note("in states that this flow lacks", rows) if rows else None


def guard_rows(flow: Flow, *, ascii: bool = False) -> list[tuple[str, str]]:
    """What each guarded trigger asks, in the order in which transitions are tried: `cancel`, `[goods_still_here]`.

    Where the trigger alone does not tell which transition is meant, its target is named, and its sources if need be.
    """
    rows = []
    shown = titles(flow, ascii=ascii)
    for transition in flow.transitions:
        if not transition.guards:
            continue
        same = [t for t in flow.transitions if t.trigger == transition.trigger]
        name = printable(transition.trigger, ascii=ascii)
        if len(same) > 1:
            if len({t.target for t in same}) < len(same):
                name += " from " + ", ".join(shown[source] for source in transition.sources)
            name += f" {ARROW_ASCII if ascii else ARROW} {shown[transition.target]}"
        asked = ", ".join(_guard(use, ascii=ascii) for use in transition.guards)
        rows.append((name, f"[{asked}]"))
    return rows


def _guard(use: GuardUse, *, ascii: bool) -> str:
    name = printable(use.name, ascii=ascii)
    if not use.params:
        return name
    given = (f"{printable(key, ascii=ascii)}={printable(value, ascii=ascii)}" for key, value in use.params.items())
    return f"{name}({', '.join(given)})"
