"""The JSON Schema for editors: what reads fits it; what it refuses is refused by the reader as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from test_scenario_writing import scenarios

from orderstate import OrderstateError
from orderstate.scenario import Scenario, document, read, schema

jsonschema: Any = pytest.importorskip("jsonschema", reason="the reader of schemas is not installed")
RULES = jsonschema.Draft202012Validator(schema())
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").rglob("*.scenario.yaml"))
MISTAKES = (Path(__file__).parent / "mistakes.txt").read_text(encoding="utf-8").split("----\n")[1:]
WRONG = (
    "{}", "scenario: s", "scenario: ''\nsteps: [{wait: 1h}]", "scenario: s\nsteps: []",
    "scenario: s\nsteps: [{as: a}]",
    "scenario: s\nsteps: [{wait: soon}]", "scenario: s\nsteps: [{wait: 1h, ship: a}]",
    "scenario: s\nsteps: [{plce: a}]",
    "scenario: s\nsteps: [{place: {lines: {M: 1}}}]", "scenario: s\nsteps: [{place: {lines: {M: 0}, to: US}}]",
    "scenario: s\nsteps: [{ship: {order: a, as: king}}]", "scenario: s\nsteps: [{ship: {}}]",
    "scenario: s\nsteps: [{together: [{ship: a}]}]", "scenario: s\nsteps: [{together: [{ship: a}, {wait: 1h}]}]",
    "scenario: s\nsteps: [{ship: '1', expect: {stat: a}}]", "scenario: s\nsteps: [{ship: '1', expect: {changed: 1}}]",
    "scenario: s\nsteps: [{use_flow: {map: {}}}]", "scenario: s\nworld: {settings: {shrt: a}}\nsteps: [{wait: 1h}]",
    "scenario: s\nworld: {facilities: {D: {at: '1,2'}}}\nsteps: [{wait: 1h}]",
    "scenario: s\nworld: {facilities: {D: {country: US}}, stock: {D: {M: x}}}\nsteps: [{wait: 1h}]",
)  # fmt: skip


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_example_fits_the_schema(file: Path) -> None:
    # What YAML makes a date of is text to the reader, and to editors.
    loader = type("Loader", (yaml.SafeLoader,), {"yaml_implicit_resolvers": _no_dates()})
    for found in yaml.load_all(file.read_text(encoding="utf-8"), Loader=loader):
        RULES.validate(found)


def _no_dates() -> dict[str, Any]:
    known = yaml.SafeLoader.yaml_implicit_resolvers
    return {first: [one for one in all_of if not one[0].endswith(":timestamp")] for first, all_of in known.items()}


@settings(max_examples=25, deadline=None)
@given(scenarios())
def test_whatever_is_written_fits_the_schema(scenario: Scenario) -> None:
    RULES.validate(document(scenario))


@pytest.mark.parametrize("text", WRONG)
def test_what_the_schema_refuses_the_reader_refuses(text: str) -> None:
    assert not RULES.is_valid(yaml.safe_load(text))
    with pytest.raises(OrderstateError):
        read(text)
