"""The JSON Schema for editors: what is read fits it, what it refuses is refused by the reader, too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from random_flows import made

from orderstate.errors import OrderstateError
from orderstate.flow import document, read, schema
from orderstate.machine import STANDARD

FLOWS = Path(__file__).parents[2] / "examples" / "flows"
WHOLE = schema()


def misfits(value: Any, rule: dict[str, Any]) -> Iterator[str]:
    """Why a value does not fit a rule: the part of JSON Schema that the flow schema uses, and no more."""
    unknown = set(rule) - _KEYWORDS
    assert not unknown, f"the schema uses {unknown}, which this reader of schemas does not know"
    if "$ref" in rule:
        yield from misfits(value, WHOLE["$defs"][rule["$ref"].removeprefix("#/$defs/")])
    if "enum" in rule and value not in rule["enum"]:
        yield f"{value!r} is none of {rule['enum']}"
    if "const" in rule and value != rule["const"]:
        yield f"{value!r} is not {rule['const']!r}"
    if "not" in rule and not list(misfits(value, rule["not"])):
        yield f"{value!r} is what it must not be"
    kinds = rule.get("type", [])
    if kinds and not any(isinstance(value, _TYPES[k]) for k in ([kinds] if isinstance(kinds, str) else kinds)):
        yield f"{value!r} is no {kinds}"
        return
    for one in rule.get("allOf", []):
        yield from misfits(value, one)
    for word, most in (("anyOf", len(rule.get("anyOf", []))), ("oneOf", 1)):
        if word in rule and not 1 <= sum(not list(misfits(value, one)) for one in rule[word]) <= most:
            yield f"{value!r} fits not {word}"
    if isinstance(value, str):
        if "pattern" in rule and not re.search(rule["pattern"], value):
            yield f"{value!r} is not like {rule['pattern']}"
        if not rule.get("minLength", 0) <= len(value) <= rule.get("maxLength", len(value)):
            yield f"{value!r} is too short or too long"
    elif isinstance(value, list):
        for item in value:
            yield from misfits(item, rule.get("items", {}))
        if rule.get("uniqueItems") and len(set(map(str, value))) < len(value):
            yield f"{value!r} has an item twice"
    elif isinstance(value, dict):
        yield from misfit_fields(value, rule)


def misfit_fields(value: dict[str, Any], rule: dict[str, Any]) -> Iterator[str]:
    """The same for the fields of a mapping."""
    yield from (f"{name} is missing" for name in rule.get("required", []) if name not in value)
    for name, needed in rule.get("dependentRequired", {}).items():
        yield from (f"{name} needs {other}" for other in needed if name in value and other not in value)
    if not rule.get("minProperties", 0) <= len(value) <= rule.get("maxProperties", len(value)):
        yield f"{value!r} has too few or too many fields"
    others = rule.get("additionalProperties", {})
    for name, item in value.items():
        yield from misfits(name, rule.get("propertyNames", {}))
        if name in rule.get("properties", {}):
            yield from misfits(item, rule["properties"][name])
        elif others is False:
            yield f"{name} is unknown"
        else:
            yield from misfits(item, others)


_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "number": int | float}
_KEYWORDS = {
    *("$schema", "$id", "$ref", "$defs", "title", "description", "default", "examples", "type", "enum", "const", "not"),
    *("allOf", "anyOf", "oneOf", "pattern", "minLength", "maxLength", "items", "uniqueItems", "properties", "required"),
    *("additionalProperties", "propertyNames", "dependentRequired", "minProperties", "maxProperties"),
}


@pytest.mark.parametrize(
    "path", sorted({*FLOWS.glob("*.yaml")} - {*FLOWS.glob("*.scenario.yaml")}), ids=lambda path: path.stem
)
def test_the_examples_fit_the_schema(path: Path) -> None:
    assert list(misfits(yaml.safe_load(path.read_text(encoding="utf-8")), WHOLE)) == []


def test_the_standard_flow_fits_it() -> None:
    assert WHOLE["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert list(misfits(document(STANDARD), WHOLE)) == []


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False))
def test_every_flow_that_is_written_fits_it(random: Any) -> None:
    assert list(misfits(document(made(random)), WHOLE)) == []


WRONG = [
    "name: x",
    "extends: standard\nextend: x",
    "remove: {states: a}\nstates: {}\ntransitions: []\ninitial: a\npath: []",
    "extends: standard\nstates: {a: {stock: fre}}",
    "extends: standard\nstates: {a: {}}",
    "extends: standard\nstates: {any: {stock: free}}",
    "extends: standard\nstates: {a: {stock: free, after: 4 days, trigger: ship}}",
    "extends: standard\nstates: {a: {stock: free, after: 4d}}",
    "extends: standard\ntransitions: [{trigger: a, to: shipping, event: Sent}]",
    "extends: standard\ntransitions: [{trigger: a, from: pending, sources: pending, to: shipping, event: Sent}]",
    "extends: standard\ntransitions: [{trigger: a, from: pending, to: shipping}]",
    "extends: standard\ntransitions: [{trigger: a, from: [any], to: shipping, event: Sent}]",
    "extends: standard\ntransitions: [{trigger: a, from: pending, to: shipping, event: Sent, guards: [{}]}]",
    "extends: standard\ntransitions: [{trigger: a, from: pending, to: shipping, event: Sent, guards: "
    "[canceller_may: {customer: frei}]}]",
]


@pytest.mark.parametrize("text", WRONG)
def test_what_the_schema_refuses_the_reader_refuses_too(text: str) -> None:
    assert list(misfits(yaml.safe_load(text), WHOLE))
    with pytest.raises(OrderstateError):
        read(text)


def test_the_schema_names_every_built_in_guard_and_the_words_of_its_parameters() -> None:
    named = WHOLE["$defs"]["guard"]["anyOf"][2]["properties"]
    assert set(named) == {"stock_covers_order", "may_wait", "goods_still_here", "canceller_may"}
    assert named["canceller_may"]["properties"]["customer"] == {"enum": ["free", "tied", "gone"]}
