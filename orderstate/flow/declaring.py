"""From nodes to what a file declares. A fault does not stop the reading: all are collected, each where it stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from orderstate.errors import InvalidInput, NotFound, OrderstateError
from orderstate.flow.draft import Declared, Draft
from orderstate.flow.naming import EVERYWHERE, Fault, Key, Places
from orderstate.flow.timing import EXPECTED, duration
from orderstate.flow.tree import Mark, Node, placed, wrong
from orderstate.model import GuardUse, State, Stock

TOP = ("name", "extends", "initial", "path", "states", "transitions", "remove")
STATE = ("stock", "final", "label", "after", "trigger")
TRANSITION = ("trigger", "from", "to", "event", "guards")
REMOVE = ("states", "triggers")
SPELLINGS = {"sources": "from", "target": "to"}
"""Other spellings of a transition's fields, which are read as well; `dump` writes `from` and `to`."""
STOCK = tuple(stock.value for stock in Stock)
MOST_LABEL = 80
_PATH = "the triggers of the main path, in order"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a mapping: its name's place, and its value."""

    mark: Mark
    value: Node


Fields = dict[str, Field]


class Declaring:
    """One document on its way to a draft."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.extends: Node | None = None
        self.removed: Fields = {}
        self.places: Places = {}

    def draft(self, node: Node) -> Draft:
        """What the document declares; `faults` then has what is wrong, `extends` and `removed` what it builds on."""
        if node.fields is None:
            raise placed(InvalidInput("flow", node.shown, "a mapping of " + ", ".join(TOP)), node.mark)
        self.places[()] = node.mark
        given = self.fields(node, "", TOP)
        self.extends = given["extends"].value if "extends" in given else None
        for field in () if self.extends else ("states", "transitions"):
            if field not in given:
                missing = InvalidInput(field, None, f"the {field} of the flow, or extends: standard")
                raise placed(missing, node.mark)
        if "remove" in given and not self.extends:
            sentence = "remove takes away from what a flow extends, but this one extends nothing"
            error = wrong("invalid_input", sentence, "remove", "remove", "extends: standard, or no remove")
            self.fault("remove", given["remove"].mark, error)
        elif "remove" in given:
            self.removed = self.fields(given["remove"].value, "remove", REMOVE)
        name = self.words(given["name"].value, "name") if "name" in given else None
        initial = self.initial(given["initial"].value) if "initial" in given else None
        path = self.texts(given["path"].value, "path", _PATH, ("path",)) if "path" in given else None
        states = self.states(given["states"].value) if "states" in given else {}
        broken: set[str] = set()
        transitions = self.transitions(given["transitions"].value, broken) if "transitions" in given else ()
        return Draft(
            name,
            initial,
            path,
            states,
            transitions,
            self.places,
            frozenset(broken),
            frozenset(self.removals("states")),
            frozenset(self.removals("triggers")),
        )

    def fault(self, place: str, mark: Mark, error: OrderstateError) -> None:
        """Keep what is wrong and go on."""
        self.faults.append(Fault(place, mark, error))

    def fields(self, node: Node, where: str, known: Iterable[str]) -> Fields:
        """The known fields of a mapping."""
        found: Fields = {}
        if node.fields is None:
            expected = "a mapping of " + ", ".join(known)
            self.fault(where, node.mark, InvalidInput(where, node.shown, expected))
            return found
        meant: Fields = {}
        for key, value in node.fields:
            name = key.shown
            if "from" in known:
                name = SPELLINGS.get(name, name)
            field = f"{where}.{name}" if where else name
            if name not in known:
                near = NotFound.named("field", key.shown, list(known))
                expected = f"a field of {where or 'a flow'}: {', '.join(known)}"
                self.fault(where or "flow", key.mark, InvalidInput("field", key.shown, expected, hint=near.hint))
                for close in get_close_matches(key.shown, list(known), n=1):
                    meant[close] = Field(key.mark, value)
            elif name in found:
                self.fault(where or "flow", key.mark, _twice(field, found[name].mark))
            else:
                found[name] = Field(key.mark, value)
        if where == "remove":
            return found  # what is taken away by guess would be missing in places where nothing is wrong
        return meant | found  # read on with what was meant, so that one slip is told once

    def text(self, node: Node, field: str, expected: str) -> str | None:
        """A text that is not empty, or None and a fault."""
        if node.text:
            return node.text
        value = None if node.shown == "nothing" or node.text == "" else node.shown
        self.fault(field, node.mark, InvalidInput(field, value, expected))
        return None

    def words(self, node: Node, field: str) -> str | None:
        """A text of one line for people, or None and a fault."""
        expected = f"one line of at most {MOST_LABEL} characters"
        found = self.text(node, field, expected)
        if found and (len(found) > MOST_LABEL or not found.isprintable()):
            self.fault(field, node.mark, InvalidInput(field, found, expected))
            return None
        return found

    def texts(self, node: Node, field: str, expected: str, key: Key) -> tuple[str, ...]:
        """A list of texts; one text alone will do."""
        if node.items is None:
            one = self.text(node, field, expected)
            self.places[key] = node.mark
            return () if one is None else (one,)
        found: list[str] = []
        self.places[key] = node.mark
        for item in node.items:
            one = self.text(item, field, expected)
            if one is not None:
                self.places[*key, len(found)] = item.mark
                found.append(one)
        return tuple(found)

    def initial(self, node: Node) -> str | None:
        """The initial state. A list of several is a fault of its own."""
        self.places["initial",] = node.mark
        if node.items is not None and len(node.items) > 1:
            several = [item.shown for item in node.items]
            sentence = f"initial names {len(several)} states, {', '.join(several)}, but an order begins in one"
            error = wrong("two_initial_states", sentence, "initial", several, "one of them")
            self.fault("initial", node.mark, error)
            return several[0]
        return self.text(node, "initial", "the state in which every order begins")

    def removals(self, field: str) -> list[str]:
        """The names under `remove`."""
        if field not in self.removed:
            return []
        expected = f"names of {field} of the flow that is extended"
        return list(self.texts(self.removed[field].value, f"remove.{field}", expected, ("remove", field)))

    def states(self, node: Node) -> dict[str, State]:
        """The states by name."""
        found: dict[str, State] = {}
        if node.fields is None:
            raise placed(InvalidInput("states", node.shown, "a mapping of names to states"), node.mark)
        for key, value in node.fields:
            name = self.text(key, "states", "the name of a state")
            if name is None:
                continue
            if name in found:
                self.fault(f"state {name}", key.mark, _twice(f"state {name}", self.places["state", name]))
                continue
            self.places["state", name] = key.mark
            found[name] = self.state(name, key, value)
        return found

    def state(self, name: str, key: Node, node: Node) -> State:
        """One state; what cannot be read of it is as if it were not said, and a fault."""
        where, place = f"states.{name}", f"state {name}"
        given = self.fields(node, where, STATE)
        for field in given:
            self.places["state", name, field] = given[field].value.mark
        stock = Stock.FREE
        if "stock" not in given:
            if node.fields is not None:
                self.fault(place, key.mark, InvalidInput(f"{where}.stock", None, "one of " + ", ".join(STOCK)))
        else:
            word = self.one_of(given["stock"].value, f"{where}.stock", place, STOCK)
            stock = Stock(word) if word else stock
        final = "final" in given and (
            self.one_of(given["final"].value, f"{where}.final", place, ("true", "false")) == "true"
        )
        label = self.words(given["label"].value, f"{where}.label") if "label" in given else None
        after, timer = self.timer(given, where, place)
        return State(name, stock, final, label, after, timer)

    def timer(self, given: Fields, where: str, place: str) -> tuple[int | None, str | None]:
        """`after` and `trigger`: both, or neither."""
        then = "the trigger that is fired then"
        for one, other, expected in (("after", "trigger", then), ("trigger", "after", f"when it is due, {EXPECTED}")):
            if one in given and other not in given:
                self.fault(place, given[one].mark, InvalidInput(f"{where}.{other}", None, expected))
        text = self.text(given["after"].value, f"{where}.after", EXPECTED) if "after" in given else None
        after = duration(text) if text else None
        if text and after is None:
            self.fault(place, given["after"].value.mark, InvalidInput(f"{where}.after", text, EXPECTED))
        timer = self.text(given["trigger"].value, f"{where}.trigger", then) if "trigger" in given else None
        return (after, timer) if after and timer else (None, None)

    def one_of(self, node: Node, field: str, place: str, known: tuple[str, ...]) -> str | None:
        """One of a few words, or None and a fault."""
        if node.text in known:
            return node.text
        value = None if node.shown == "nothing" else node.shown
        near = NotFound.named("", node.shown, known).hint
        self.fault(place, node.mark, InvalidInput(field, value, "one of " + ", ".join(known), hint=near))
        return None

    def transitions(self, node: Node, broken: set[str]) -> tuple[Declared, ...]:
        """The transitions in order; the triggers of those that cannot be read are added to `broken`."""
        if node.items is None:
            raise placed(InvalidInput("transitions", node.shown, "a list of transitions"), node.mark)
        found = []
        for number, item in enumerate(node.items, 1):
            before = len(self.faults)
            declared = self.transition(item, number)
            if declared is not None and len(self.faults) == before:
                found.append(declared)
            elif declared is not None:
                broken.add(declared.trigger)
        return tuple(found)

    def transition(self, node: Node, number: int) -> Declared | None:
        """One transition; None where it has no trigger even."""
        verb = next((value.text for key, value in node.fields or () if key.text == "trigger"), None)
        where = f"transition {verb}" if verb else f"transition {number}"
        given = self.fields(node, where, TRANSITION)
        if node.fields is None:
            return None
        texts = {
            "trigger": "the verb that asks for it, such as ship",
            "from": "the states that it leads out of, or any",
            "to": "the state that it leads to",
            "event": "the event that it writes, such as ShippingStarted",
        }
        for field, expected in texts.items():
            if field not in given:
                self.fault(where, node.mark, InvalidInput(f"{where}: {field}", None, expected))
        known = {
            field: self.text(given[field].value, f"{where}: {field}", texts[field]) or ""
            for field in ("trigger", "to", "event")
            if field in given
        }
        marks: dict[tuple[str | int, ...], Mark] = {(): node.mark}
        marks |= {(field,): given[field].value.mark for field in given}
        sources = self.sources(given["from"].value, where, marks) if "from" in given else ()
        guards = self.guards(given["guards"].value, where, marks) if "guards" in given else ()
        if not verb:
            return None
        return Declared(verb, sources, known.get("to", ""), known.get("event", ""), guards, marks)

    def sources(self, node: Node, where: str, marks: dict[tuple[str | int, ...], Mark]) -> tuple[str, ...] | None:
        """The sources of a transition; None: every state that is not final."""
        if node.text == EVERYWHERE:
            return None
        found = []
        for number, item in enumerate((node,) if node.items is None else node.items):
            name = self.text(item, f"{where}: from", "a state that it leads out of, or any")
            if name == EVERYWHERE:
                sentence = f"{where}: from lists {EVERYWHERE} beside other states, but it means all of them"
                error = wrong("invalid_input", sentence, "from", EVERYWHERE, f"from: {EVERYWHERE}, without a list")
                self.fault(where, item.mark, error)
            marks["from", number] = item.mark
            found.append(name or "")
        return tuple(found)

    def guards(self, node: Node, where: str, marks: dict[tuple[str | int, ...], Mark]) -> tuple[GuardUse, ...]:
        """`stock_covers_order`, or `canceller_may: {customer: free}`; one alone, or a list of them."""
        found = []
        field = f"{where}: guards"
        for number, item in enumerate((node,) if node.items is None else node.items):
            marks["guards", number] = item.mark
            name: str | None = item.text
            params: dict[str, str] = {}
            if item.fields is not None and len(item.fields) == 1:
                key, value = item.fields[0]
                name = key.text
                for parameter, given in value.fields or ():
                    if parameter.shown in params:
                        first = marks["guards", number, parameter.shown]
                        self.fault(where, parameter.mark, _twice(f"{name}.{parameter.shown}", first))
                    marks["guards", number, parameter.shown] = parameter.mark
                    marks["guards", number, parameter.shown, "value"] = given.mark
                    params[parameter.shown] = self.text(given, f"{field}: {name}.{parameter.shown}", "a word") or ""
                if value.fields is None and value.shown != "nothing":
                    error = InvalidInput(f"{field}: {name}", value.shown, "a mapping of its parameters to words")
                    self.fault(where, value.mark, error)
            if not name:
                expected = "a guard such as stock_covers_order, or canceller_may: {customer: free}"
                self.fault(where, item.mark, InvalidInput(field, item.shown, expected))
                continue
            found.append(GuardUse(name, params))
        return tuple(found)


def _twice(name: str, first: Mark) -> InvalidInput:
    other = "" if first.line is None else f": line {first.line} has it, too"
    code = "duplicate_state" if name.startswith("state ") else "invalid_input"
    return wrong(code, f"{name} is given twice{other}", name, name, "it once")
