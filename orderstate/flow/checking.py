"""Is a flow safe to put in force? Every way in which it could strand an order or leak stock is a finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from orderstate.errors import InvalidInput, NotFound, OrderstateError
from orderstate.flow.events import events
from orderstate.flow.finding import ERROR, WARNING, Examined, Finding, from_fault, mending
from orderstate.flow.naming import Places, mark_of, misnamed
from orderstate.flow.possible import Ways, told
from orderstate.flow.reading import FILE, STANDARD_NAME, Source, source, text_source
from orderstate.flow.stock_rules import stock_rules
from orderstate.flow.timers import timers
from orderstate.flow.tree import Mark
from orderstate.flow.trusting import trusting
from orderstate.model import SHORT_POLICIES, Flow


def check(flow: Flow, places: Places | None = None) -> list[Finding]:
    """Everything that is wrong with a flow, in a fixed order; nothing: it is safe.

    `places` say where its parts stand in a file. Names that are unknown are told first and alone, because all else
    follows from them. A flow without findings of level error never leaks stock, and strands no order as long
    as guards agree some day that a warning `guard_may_strand` names, as far as `exhaustive` can tell.
    """
    known = places or {}
    faults = list(misnamed(flow, known))
    if faults:
        return [from_fault(fault) for fault in faults]
    ways = Ways(flow)
    examined = Examined(flow, ways, known, _arriving(flow, ways))
    stuck, endless = _stranding(examined)
    return [
        *_states(examined),
        *_stranded(examined, stuck, endless),
        *_trusted(examined),
        *_transitions(examined),
        *_path(examined, {*stuck, *endless}),
        *stock_rules(examined),
        *timers(examined),
        *events(examined),
    ]


def examine(path: str | Path) -> tuple[Flow | None, list[Finding]]:
    """The flow of a file with everything that is wrong with it, each at its line and column.

    Where a part cannot be read, or names are unknown, these are the findings; None where nothing could be read. Raises
    NotFound where there is no such file, and InvalidInput for what is no file, or longer than any flow.
    """
    return _examined(lambda: source(path), str(path))


def examine_text(text: str, name: str = "flow", folder: str | Path = ".") -> tuple[Flow | None, list[Finding]]:
    """The same of a text. `name` stands for a file; flow files are looked up in `folder`."""
    return _examined(lambda: text_source(text, name, folder), name)


def _examined(read: Callable[[], Source], path: str) -> tuple[Flow | None, list[Finding]]:
    try:
        found = read()
    except (InvalidInput, NotFound) as error:
        if error.code == "unknown_flow_file" or error.values.get("field") == FILE:
            raise
        return None, [_unreadable(error, path)]
    if found.faults:
        return found.flow, [from_fault(fault) for fault in found.faults]
    return found.flow, [*_named(found), *check(found.flow, found.places)]


def _named(found: Source) -> Iterator[Finding]:
    """Where a file is asked for, `standard` is the standard flow; another one of the name could not be told from it."""
    if found.flow.name != STANDARD_NAME:
        return
    from orderstate.machine import STANDARD  # imports `transitions`, which few flows should pay for

    if found.flow != STANDARD:
        sentence = f"the flow is called {STANDARD_NAME}, but it is not the standard flow"
        yield Finding("name_taken", ERROR, "name", sentence, "give it another name", mark_of(found.places, ("name",)))


def _unreadable(error: OrderstateError, path: str) -> Finding:
    values = error.values
    line, column = values.get("line"), values.get("column")
    mark = Mark(str(values.get("file", path)), *(n if isinstance(n, int) else None for n in (line, column)))
    sentence = error.sentence.removeprefix(f"{mark}: ")
    return Finding(error.code, ERROR, "file", sentence, mending(error), mark)


def _arriving(flow: Flow, ways: Ways) -> dict[str, None]:
    """The states that an order can come to; where a transition is hidden by an earlier one, as if it were not.

    A hidden transition is a finding of its own, and what lies behind it should not be told again.
    """
    found = ways.reached([flow.initial])
    waiting = list(found)
    for state in waiting:
        for index, transition in enumerate(flow.transitions):
            if state in transition.sources and transition.target not in found and ways.alone(index, state):
                found |= ways.reached([transition.target])
                waiting += [name for name in found if name not in waiting]
    return found


def _states(examined: Examined) -> Iterator[Finding]:
    flow = examined.flow
    for state in flow.states:
        if state.name not in examined.arriving:
            yield examined.at_state(
                "unreachable_state",
                state.name,
                f"no order can come to {state.name}",
                f"lead a transition to {state.name} that its guards allow, or remove the state",
            )


def _stranded(examined: Examined, stuck: dict[str, list[str]], endless: dict[str, list[str]]) -> Iterator[Finding]:
    for name, policies in stuck.items():
        declared = [t for t in examined.flow.transitions if name in t.sources]
        reason = "no transition leads out of it"
        if declared:
            asked = dict.fromkeys(told(use) for t in declared for use in t.guards)
            reason = f"the guards of every way out refuse there ({', '.join(asked)})"
        yield examined.at_state(
            "dead_end",
            name,
            f"an order{_placed(policies)} that is {name} can never move: {name} is not final, and {reason}",
            f"let {name} be final, or lead a transition out of it that its guards allow",
        )
    for name, policies in endless.items():
        yield examined.at_state(
            "no_way_to_end",
            name,
            f"an order{_placed(policies)} that is {name} can move, but never comes to a final state",
            f"lead a way from {name} to a final state",
        )


def _trusted(examined: Examined) -> Iterator[Finding]:
    """What guards of one's own say is not known, and neither is it wrong to rely on them: a warning."""
    for trust in trusting(examined.ways):
        name = trust.state
        yield examined.at_state(
            "guard_may_strand",
            name,
            f"an order{_placed(list(trust.policies))} that is {name} can end only if some day {trust.wish}; "
            "otherwise it stays for ever",
            f"lead a way from {name} to an end that asks no guard of your own, such as one that gives the order up",
            level=WARNING,
        )


def _stranding(examined: Examined) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """States that cannot be left, and states that lead neither to an end nor to one of those, by policy."""
    stuck: dict[str, list[str]] = {}
    endless: dict[str, list[str]] = {}
    final = {state.name for state in examined.flow.states if state.final}
    for short in SHORT_POLICIES:
        arriving = examined.ways.reached([examined.flow.initial], short)
        dead = [name for name in arriving if name not in final and not examined.ways.leaving(name, short)]
        ending = examined.ways.leading({*final, *dead}, short)
        for name in arriving:
            if name in dead:
                stuck.setdefault(name, []).append(short)
            elif name not in ending:
                endless.setdefault(name, []).append(short)
    return stuck, endless


def unending(flow: Flow) -> dict[str, tuple[str, ...]]:
    """The states from which orders of some policies (--short) can come to where they never end, with those policies.

    Guards of one's own are taken to agree some day; where that matters, the check warns (`guard_may_strand`).
    An order that is placed under a sound flow never comes there; one that stood there before could.
    """
    ways = Ways(flow)
    found: dict[str, list[str]] = {}
    for short in SHORT_POLICIES:
        ending = ways.leading([state.name for state in flow.states if state.final], short)
        astray = ways.leading(ways.states.keys() - ending, short)
        for state in flow.states:
            if state.name in astray:
                found.setdefault(state.name, []).append(short)
    return {name: tuple(policies) for name, policies in found.items()}


def _placed(policies: list[str]) -> str:
    """Told only where it makes a difference how the order was placed."""
    return "" if "backorder" in policies else f" placed with --short {' or '.join(policies)}"


def _transitions(examined: Examined) -> Iterator[Finding]:
    flow, ways = examined.flow, examined.ways
    for index, transition in enumerate(flow.transitions):
        ended = [name for name in transition.sources if ways.states[name].final]
        if ended:
            yield examined.at_transition(
                "final_is_left",
                index,
                ended,
                f"{transition.trigger} leads out of {_listed(ended)}, which is final",
                f"take {_listed(ended)} out of its sources, or let it not be final",
            )
        repeated, hidden = [], []
        for name in transition.sources:
            earlier = [flow.transitions[i] for i in ways.before(index, name)]
            if any(t.target == transition.target and t.guards == transition.guards for t in earlier):
                repeated.append(name)
            elif ways.alone(index, name) and all(way.index != index for way in ways.leaving(name)):
                hidden.append(name)
        if repeated:
            yield examined.at_transition(
                "duplicate_transition",
                index,
                repeated,
                f"{transition.trigger} from {_listed(repeated)} to {transition.target} is declared already",
                "remove one of the two",
            )
        if hidden:
            yield examined.at_transition(
                "shadowed",
                index,
                hidden,
                f"{transition.trigger} from {_listed(hidden)} never leads to {transition.target}: whenever it "
                "could, an earlier transition of the same trigger is taken",
                "declare this one first, or give the earlier one a guard that this one has not",
            )
    for trigger in dict.fromkeys(t.trigger for t in flow.transitions):
        pairs = [(i, name) for i, t in enumerate(flow.transitions) if t.trigger == trigger for name in t.sources]
        if not any(ways.alone(index, name) for index, name in pairs):
            first = next(i for i, t in enumerate(flow.transitions) if t.trigger == trigger)
            reason = "its guards refuse in every state that it leads out of" if pairs else "it leads out of no state"
            yield examined.at_transition(
                "trigger_nowhere",
                first,
                (),
                f"no state accepts {trigger}: {reason}",
                "name a state that it leads out of, or remove it",
                field="from",
            )


def _path(examined: Examined, stranded: set[str]) -> Iterator[Finding]:
    flow = examined.flow
    final = {state.name for state in flow.states if state.final}
    crowded = False
    for name in examined.arriving:
        leaving = dict.fromkeys(t.trigger for t in flow.transitions if name in t.sources and t.trigger in flow.path)
        if len(leaving) > 1:
            crowded = True
            yield examined.at_path(
                f"the main path leaves {name} by {_listed(list(leaving), 'and')}, so advance cannot tell which to fire",
                "take all but one of them off the path",
                "two_main_triggers",
                max(flow.path.index(trigger) for trigger in leaving),
            )
    if crowded:
        return  # which way the path goes is not known, so where it ends is not either
    if not flow.path:
        yield examined.at_path("the main path is empty", "list the triggers from the initial state to a final one")
        return
    reached, used = _walked(examined)
    if final.isdisjoint(reached) and stranded.isdisjoint(reached):
        last = list(reached)[-1]
        yield examined.at_path(
            f"the main path does not lead from {flow.initial} to a final state: it ends in {last}",
            f"add the trigger that leaves {last} towards a final state",
        )
    for number, trigger in enumerate(flow.path):
        if trigger in flow.path[:number]:
            yield examined.at_path(
                f"{trigger} is on the main path twice",
                "name it once: the state decides when it is fired",
                number=number,
            )
        elif trigger not in used and not final.isdisjoint(reached):
            yield examined.at_path(
                f"{trigger} is on the main path, but leaves none of its states",
                f"take {trigger} off the path",
                number=number,
            )


def _walked(examined: Examined) -> tuple[dict[str, None], set[str]]:
    """The states of the main path from the initial one on, and the triggers that it fires."""
    flow, ways = examined.flow, examined.ways
    reached = {flow.initial: None}
    used: set[str] = set()
    waiting = [flow.initial]
    for name in waiting:
        for way in ways.leaving(name):
            transition = flow.transitions[way.index]
            if transition.trigger in flow.path:
                used.add(transition.trigger)
                if transition.target not in reached:
                    reached[transition.target] = None
                    waiting.append(transition.target)
    return reached, used


def _listed(names: list[str], word: str = "or") -> str:
    """`a`, `a or b`, `a, b or c`."""
    unique = list(dict.fromkeys(names))
    return unique[0] if len(unique) == 1 else f"{', '.join(unique[:-1])} {word} {unique[-1]}"
