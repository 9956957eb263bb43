"""A scenario as a document, as YAML, and a step on one line. What is written here reads back as the same scenario."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from orderstate.flow import document as flow_document
from orderstate.flow import duration_text
from orderstate.flow.reading import STANDARD_NAME
from orderstate.model import BACK, PRIMARY, Allocation
from orderstate.scenario.script import (
    AT,
    BEGINNING,
    REPEAT,
    TOGETHER,
    USE_FLOW,
    WAIT,
    WORK,
    Expectation,
    Scenario,
    Step,
    World,
)
from orderstate.scenario.vocabulary import COMMANDS, moment_text
from orderstate.settings import decimal

_BARE = re.compile(r"(?!.*: )[\w.@+/-]([\w.@+/: -]*[\w.@+/-])?")
_ONE_LINE = 90
"""A longer mapping is written as a line for each of its parts."""
_NEVER_FOLDED = 1_000_000
_REFERENCE_ALONE = re.compile(r"\$\{[\w.-]+\}")


def document(scenario: Scenario) -> dict[str, Any]:
    """The scenario as JSON values, in the shape of its YAML. `from_document` reads it."""
    found: dict[str, Any] = {"scenario": scenario.title}
    if scenario.about is not None:
        found["about"] = scenario.about
    world = _world(scenario.world)
    if world:
        found["world"] = world
    return {**found, "steps": [_step(step) for step in scenario.steps]}


def _world(world: World) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if world.clock != BEGINNING:
        found["clock"] = moment_text(world.clock)
    if world.flow is not None:
        found["flow"] = flow_document(world.flow) if world.flow_file is None else world.flow_file
    if world.unchecked:
        found["unchecked"] = True
    if world.settings:
        found["settings"] = dict(world.settings)
    if world.facilities:
        found["facilities"] = {code: dict(values) for code, values in world.facilities.items()}
    if world.stock:
        found["stock"] = _stock(world)
    return found


def _stock(world: World) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for row in world.stock:
        held = found.setdefault(row.facility, {}).setdefault(row.sku, {})
        held[row.pool] = row.units
        if row.safety is not None:
            held.setdefault("safety", {})[row.pool] = row.safety
        if row.grams is not None:
            held["grams"] = row.grams
    return {code: {sku: _held(one) for sku, one in skus.items()} for code, skus in found.items()}


def _held(held: dict[str, Any]) -> int | dict[str, Any]:
    if set(held) == {PRIMARY}:
        return int(held[PRIMARY])
    names = (PRIMARY, BACK, "safety", "grams")
    return {name: held[name] for name in names if name in held}


def asked(step: Step) -> Any:
    """What stands behind the verb of a step, as short as it can be said."""
    if step.verb == WAIT:
        return step.fields.get("written") or duration_text(step.fields["for"])
    if step.verb == AT:
        return moment_text(step.fields["moment"])
    if step.verb == REPEAT:
        return step.fields["step"]
    if step.verb == WORK:
        return list(step.fields["subscribers"]) or "all"
    if step.verb == TOGETHER:
        return [_step(member) for member in step.members]
    if step.verb == USE_FLOW:
        return _use_flow(step)
    if set(step.fields) == {"order"} and "order" in COMMANDS.get(step.verb, ()):
        return step.fields["order"]
    return dict(step.fields)


def _use_flow(step: Step) -> Any:
    file = step.fields.get("file")
    more = {name: value for name, value in step.fields.items() if name != "file"}
    if file is not None and not more:
        return file
    if file is None and step.flow is not None:
        return {"flow": flow_document(step.flow), **more}
    return {"flow": STANDARD_NAME if file is None else file, **more}


def _step(step: Step) -> dict[str, Any]:
    found: dict[str, Any] = {step.verb: asked(step)}
    if step.name is not None:
        found["as"] = step.name
    expect = dict(_expected(step.expect))
    if expect:
        found["expect"] = expect
    return found


def _expected(expect: Expectation) -> Iterator[tuple[str, Any]]:
    for name, value in expect.given():
        if name in ("cost", "bound"):
            yield name, amount(value)
        elif name == "plan":
            yield name, plan_document(value)
        else:
            yield name, jsonable(value)


def amount(thousandths: int) -> str:
    """`5.30`: minor units, from 1/1000 of them, with two decimals where that is exact."""
    text = decimal(thousandths, 3)
    whole, dot, decimals = text.partition(".")
    return f"{whole}.{decimals:0<2}" if dot else whole


def plan_document(plan: Mapping[str, Any]) -> dict[str, Any]:
    """What is expected of a plan, with its allocations as rows."""
    found = {name: jsonable(value) for name, value in plan.items()}
    if "allocations" in plan:
        found["allocations"] = [row(allocation) for allocation in plan["allocations"]]
    return found


def row(allocation: Allocation) -> list[str | int]:
    """`[DENVER, MUG, primary, 2]`."""
    return [allocation.facility, allocation.sku, allocation.pool, allocation.units]


def jsonable(value: Any) -> Any:
    """The value with lists in place of tuples."""
    if isinstance(value, Mapping):
        return {name: jsonable(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [jsonable(item) for item in value]
    return value


def title(step: Step) -> str:
    """The step on one line, as people write it: `place: {lines: {MUG: 2}, to: "US@39.74,-104.99"}`.

    Of a flow that stands in the scenario only the name is told.
    """
    return _title(step, inside=False)


def _title(step: Step, *, inside: bool) -> str:
    if step.verb == TOGETHER:
        return f"{TOGETHER}: [{', '.join(_title(member, inside=True) for member in step.members)}]"
    given = asked(step)
    if step.verb == USE_FLOW and isinstance(given, dict) and step.flow is not None and isinstance(given["flow"], dict):
        given = {**given, "flow": step.flow.name}
    return f"{step.verb}: {_inline(given, inside=inside)}"


def _inline(value: Any, *, inside: bool = False) -> str:
    """A JSON value in one line of YAML, with quotes only where they help. `inside`: of braces or brackets."""
    if isinstance(value, Mapping):
        parts = (f"{_inline(name, inside=True)}: {_inline(item, inside=True)}" for name, item in value.items())
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_inline(item, inside=True) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    text = str(value)
    if isinstance(value, str) and not (_BARE.fullmatch(text) or (not inside and _REFERENCE_ALONE.fullmatch(text))):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text


def dump(scenario: Scenario) -> str:
    """The scenario as YAML: `read(dump(s)) == s`, if flow files lie where they did."""
    import yaml

    class Inline(dict[str, Any]):
        """A mapping on one line."""

    class Row(list[Any]):
        """A list on one line."""

    class Dumper(yaml.SafeDumper):
        """Lists under a key are indented, as people write them."""

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def inline(value: Any) -> Any:
        if isinstance(value, dict):
            return Inline({name: inline(item) for name, item in value.items()})
        return Row(map(inline, value)) if isinstance(value, list) else value

    def fitting(value: Any) -> Any:
        # On one line where it fits, else a line for each of its parts.
        if isinstance(value, dict) and len(_inline(value)) > _ONE_LINE:
            return {name: fitting(item) for name, item in value.items()}
        return inline(value)

    def laid_out(step: dict[str, Any]) -> dict[str, Any]:
        return {name: [inline(m) for m in v] if name == TOGETHER else fitting(v) for name, v in step.items()}

    Dumper.add_representer(
        Inline, lambda d, v: d.represent_mapping("tag:yaml.org,2002:map", v.items(), flow_style=True)
    )
    Dumper.add_representer(Row, lambda d, v: d.represent_sequence("tag:yaml.org,2002:seq", v, flow_style=True))
    whole = document(scenario)
    for name, part in whole.get("world", {}).items():
        if name in ("facilities", "stock"):
            whole["world"][name] = {code: fitting(values) for code, values in part.items()}
    whole["steps"] = [laid_out(step) for step in whole["steps"]]
    return yaml.dump(
        whole, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=_NEVER_FOLDED, default_flow_style=False
    )
