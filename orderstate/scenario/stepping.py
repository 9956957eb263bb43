"""The steps of a scenario, from their nodes. Names are known before they are used, and time never goes back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orderstate.engine.reading import read as read_command
from orderstate.errors import InvalidInput, OrderstateError
from orderstate.flow import duration, duration_text
from orderstate.flow.tree import Mark, Node, placed, wrong
from orderstate.machine import STANDARD
from orderstate.scenario import nodes
from orderstate.scenario.expecting import Expecting
from orderstate.scenario.planting import flow_of
from orderstate.scenario.references import PARTS, references, replaced
from orderstate.scenario.script import AT, NOTHING, REPEAT, TOGETHER, USE_FLOW, WAIT, WORK, Expectation, Step, World
from orderstate.scenario.vocabulary import (
    BESIDE,
    COMMANDS,
    FLOW_FIELDS,
    MOMENT_EXPECTED,
    NAME,
    VERBS,
    moment,
    moment_text,
    tellable,
)

_WAIT_EXPECTED = "a time such as 90s, 30m, 48h or 7d, at most ten years"
_NAME_EXPECTED = "a name: a letter, then letters, digits, '_' or '-', at most 64"
_BESIDE_MAP = ("reopen", "key", "as", "by")
"""What use_flow takes besides the flow and its map."""
_INVALID = (InvalidInput.exit_status, InvalidInput.code)


class Stepping:
    """The steps of one scenario on their way, one after the other."""

    def __init__(self, world: World, folder: Path) -> None:
        self.folder = folder
        self.now = world.clock
        self.unchecked = world.unchecked
        self.named: dict[str, Step] = {}
        self.marks: dict[str, Mark] = {}
        self.expecting = Expecting(STANDARD if world.flow is None else world.flow, world.facilities)

    def step(self, node: Node, number: int) -> Step:
        """The next step."""
        where = f"step {number}"
        given = nodes.fields(node, where, (*VERBS, *BESIDE), "a step")
        verb, value = self.verb(node, given, where)
        self.check_references([value])
        name = self.name(given["as"], where) if "as" in given else None
        step = self.made(verb, value, name, node, where)
        self.learn(step)
        if name is not None:
            if verb in (WAIT, AT, TOGETHER, WORK):
                mark = given["as"].mark
                nodes.fail(mark, f"{where}.as", name, f"beside a command: {verb} makes nothing that has a name")
            self.named[name] = step
            self.marks[name] = given["as"].mark
        expect = NOTHING
        if "expect" in given:
            self.check_references([given["expect"].value])
            expect = self.expecting.expectation(given["expect"].value, step, self.named)
        if step.verb in COMMANDS:
            self.check_command(step, value, expect)
        return Step(verb, step.fields, name, expect, step.members, step.flow, node.mark)

    def lost(self, node: Node) -> bool:
        """Take what a step that cannot be read would have made for made; False where it changes what names there are.

        Its names, ids and facilities are then known to the steps behind it, which are not wrong because it is.
        """
        for key, value in _pairs(node):
            if value.text is None:
                continue
            if key.text == "as" and NAME.fullmatch(value.text):
                self.named.setdefault(value.text, Step("place"))
                self.marks.setdefault(value.text, value.mark)
            elif key.text == "id":
                self.expecting.ids.append(value.text)
            elif key.text == "facility":
                self.expecting.facilities.append(value.text)
        return all(key.text != USE_FLOW for key, _ in node.fields or ())

    def verb(self, node: Node, given: Mapping[str, nodes.Field], where: str) -> tuple[str, Node]:
        """What the step does: exactly one of its names is a verb."""
        verbs = [name for name in given if name in VERBS]
        if not verbs:
            nodes.fail(node, where, None, f"what to do, one of {', '.join(VERBS)}")
        if len(verbs) > 1:
            second = given[verbs[1]].mark
            both = f"{verbs[0]} and {verbs[1]}"
            nodes.fail(second, where, both, "one thing to do: give each a step of its own, or use together")
        return verbs[0], given[verbs[0]].value

    def name(self, field: nodes.Field, where: str) -> str:
        """What the step is called."""
        name = nodes.text(field.value, f"{where}.as", _NAME_EXPECTED)
        if not NAME.fullmatch(name):
            nodes.fail(field.value, f"{where}.as", name, _NAME_EXPECTED)
        if name in self.marks:
            first = self.marks[name]
            also = "" if first.line is None else f" in line {first.line}"
            sentence = f"{where}.as: another step is called {name} already{also}"
            raise placed(wrong("invalid_input", sentence, f"{where}.as", name, "a name of its own"), field.value.mark)
        return name

    def made(self, verb: str, value: Node, name: str | None, node: Node, where: str) -> Step:
        """The step without what is expected of it."""
        if verb == WAIT:
            return self.wait(value, f"{where}.wait")
        if verb == AT:
            return self.until(value, f"{where}.at")
        if verb == WORK:
            return Step(WORK, {"subscribers": self.subscribers(value, f"{where}.work")})
        if verb == REPEAT:
            return Step(verb, {"step": self.repeated(value, f"{where}.repeat")}, name)
        if verb == TOGETHER:
            return self.together(value, where)
        if verb == USE_FLOW:
            return self.use_flow(value, name, f"{where}.use_flow")
        return Step(verb, self.command_fields(verb, value, where), name, mark=node.mark)

    def command_fields(self, verb: str, value: Node, where: str) -> dict[str, Any]:
        """The fields of a command; of a command to one order, the order alone is enough."""
        if value.text is not None and "order" in COMMANDS[verb]:
            return {"order": value.text}
        given = nodes.fields(value, f"{where}.{verb}", COMMANDS[verb], verb)
        return {name: nodes.plain(name, field.value) for name, field in given.items()}

    def wait(self, value: Node, where: str) -> Step:
        """Time passes."""
        micros = duration(nodes.text(value, where, _WAIT_EXPECTED))
        if micros is None:
            nodes.fail(value, where, value.text, _WAIT_EXPECTED)
        if not tellable(self.now + micros):
            expected = f"a time that ends in the year 9999 at the latest: it is {moment_text(self.now)} before it"
            nodes.fail(value, where, value.text, expected)
        self.now += micros
        return Step(WAIT, waiting(micros, value.text))

    def until(self, value: Node, where: str) -> Step:
        """Time passes up to a moment."""
        at = moment(nodes.text(value, where, MOMENT_EXPECTED))
        if at is None:
            nodes.fail(value, where, value.text, MOMENT_EXPECTED)
        if at < self.now:
            nodes.fail(value, where, value.text, f"later than {moment_text(self.now)}, which it is by then")
        self.now = at
        return Step(AT, {"moment": at})

    def subscribers(self, value: Node, where: str) -> tuple[str, ...]:
        """Who hears of what happened; nobody by name: all."""
        items = [value] if value.items is None else value.items
        names = tuple(nodes.text(item, where, "`all`, or the names of subscribers") for item in items)
        if not names:
            nodes.fail(value, where, None, "`all`, or the names of subscribers")
        return () if names == ("all",) else names

    def repeated(self, value: Node, where: str) -> str:
        """The name of the step that is done once more."""
        name = nodes.text(value, where, "the name of an earlier step")
        if name not in self.named:
            nodes.fail(value, where, name, f"the name of an earlier step ({_names(self.named)})", self.named)
        return name

    def together(self, value: Node, where: str) -> Step:
        """Commands at the same time."""
        if value.items is None or len(value.items) < 2:
            nodes.fail(value, f"{where}.together", nodes.shown(value), "a list of two or more commands")
        names = [name for name in VERBS if name not in (WAIT, AT, TOGETHER, WORK)]
        members = []
        for number, item in enumerate(value.items, 1):
            inner = f"{where}.{number}"
            self.nothing_expected(item)
            given = nodes.fields(item, inner, (*names, "as"), "a command that happens together with others")
            verb, one = self.verb(item, given, inner)
            name = self.name(given["as"], inner) if "as" in given else None
            member = self.made(verb, one, name, item, inner)
            if name is not None:
                self.marks[name] = given["as"].mark
            if verb in COMMANDS:
                self.check_command(member, one, NOTHING)
            members.append(member)
        # Only now: none of them can use what another one makes at the same time.
        for member in members:
            self.learn(member)
            if member.name is not None:
                self.named[member.name] = member
        return Step(TOGETHER, members=tuple(members))

    def nothing_expected(self, item: Node) -> None:
        """What several commands come to is expected of them together: which of them is first is nobody's to say."""
        for key, _ in item.fields or ():
            if key.text == "expect":
                expected = "a field of a command that happens together with others: write it beside together"
                nodes.fail(key, "field", "expect", expected)

    def use_flow(self, value: Node, name: str | None, where: str) -> Step:
        """Another flow is put in force."""
        if self.unchecked:
            # What is in force unchecked is so for each engine by itself, whatever the database says.
            nodes.fail(value, where, "a step", "possible where the world's flow is unchecked")
        found: dict[str, Any] = {}
        source = value
        if value.text is None:
            given = nodes.fields(value, where, FLOW_FIELDS, "use_flow")
            if "flow" not in given:
                nodes.fail(value, f"{where}.flow", None, "the flow: standard, a file, or a flow itself")
            source = given["flow"].value
            if "map" in given:
                pairs = nodes.mapping(given["map"].value, f"{where}.map", "a mapping of old states to new ones")
                found["map"] = {old: nodes.text(new.value, f"{where}.map.{old}", "a state") for old, new in pairs}
            found |= {field: nodes.plain(field, given[field].value) for field in _BESIDE_MAP if field in given}
        flow, file = flow_of(source, f"{where}.flow", self.folder)
        if flow is None:
            flow, file = STANDARD, source.text
        if file is not None:
            found["file"] = file
        return Step(USE_FLOW, found, name, flow=flow)

    def learn(self, step: Step) -> None:
        """Keep what later steps may name."""
        if step.flow is not None:
            self.expecting.flows.append(step.flow)
        if step.verb == "facility_add" and isinstance(step.fields.get("facility"), str):
            self.expecting.facilities.append(step.fields["facility"])
        if step.verb == "place" and isinstance(step.fields.get("id"), str):
            self.expecting.ids.append(step.fields["id"])

    def check_references(self, given: list[Node]) -> None:
        """Each `${a}` names an earlier step that is about an order."""
        for node in (scalar for one in given for scalar in nodes.scalars(one)):
            for written, name, part in references(str(node.text)):
                if name not in self.named:
                    expected = f"${{NAME}} of an earlier step ({_names(self.named)})"
                    nodes.fail(node, "reference", written if name else node.text, expected, self.named if name else ())
                if part is not None and part not in PARTS:
                    expected = f"${{{name}}}, ${{{name}.child}} or ${{{name}.version}}"
                    nodes.fail(node, "reference", written, expected)
                if not self.about_order(self.named[name]):
                    nodes.fail(node, "reference", written, f"a step about an order, which {name} is not")

    def about_order(self, step: Step) -> bool:
        """True where the step answers with an order."""
        if step.verb == REPEAT:
            return self.about_order(self.named[step.fields["step"]])
        return step.verb == "place" or "order" in COMMANDS.get(step.verb, ())

    def check_command(self, step: Step, value: Node, expect: Expectation) -> None:
        """Refuse what no engine would understand, where it stands; unless that is what the step expects to see."""
        if expect.exit == _INVALID[0] or expect.error == _INVALID[1]:
            return
        given = replaced(dict(step.fields), lambda name, part: "1" if part == "version" else "1001")
        try:
            read_command({"command": step.verb, **numbers(given)})
        except OrderstateError as error:
            raise placed(error, nodes.place_of(error, value)) from error


def waiting(micros: int, text: str | None) -> dict[str, Any]:
    """The fields of a wait, with its text where that is not how such a time is told: it is shown as it was written.

    What is written and read back is the same step, then.
    """
    written = None if text is None or text.strip() == duration_text(micros) else text.strip()
    return {"for": micros} if written is None else {"for": micros, "written": written}


def numbers(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a command after its references are resolved: a version that came in as text is a number."""
    version = given.get("if_version")
    return {**given, "if_version": int(version)} if isinstance(version, str) and version.isdigit() else given


def _pairs(node: Node) -> Iterator[tuple[Node, Node]]:
    """Every (name, value) of every mapping in a tree."""
    for item in node.items or ():
        yield from _pairs(item)
    for key, value in node.fields or ():
        yield key, value
        yield from _pairs(value)


def _names(known: Mapping[str, Step]) -> str:
    return ", ".join(known) or "no step before it has a name"
