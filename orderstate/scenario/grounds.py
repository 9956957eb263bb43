"""The network and the settings of a story that is told again, as far as they can be found out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from orderstate.allocation import Network, Options, stored
from orderstate.engine.reader import Reader
from orderstate.geo import destination
from orderstate.model import POOLS, Facility, Plan
from orderstate.scenario.script import Step
from orderstate.scenario.shelves import Row, Shelves
from orderstate.settings import SETTINGS, Settings, decimal, facility_cost_text

_OURS = ("notify.", "currency")
"""Settings that decide nothing about an order."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A problem put again: steps before it, fields that say how to plan, what must be available, what is out.

    exact: the problem is the same to the last digit. Otherwise only what the plan took is available.
    """

    steps: list[Step]
    options: dict[str, Any]
    available: dict[Row, int]
    out: frozenset[str] = frozenset()
    exact: bool = True


class Grounds:
    """Facilities and settings as the scenario's steps change them, beginning with those that the first plan saw."""

    def __init__(self, engine: Reader, problems: Sequence[Mapping[str, Any]]) -> None:
        self._known: dict[str, Facility] = {facility.code: facility for facility in engine.facilities()}
        self.settings = {
            name: text
            for name, text in engine.settings().items()
            if text != SETTINGS[name].default and not name.startswith(_OURS)
        }
        codes = [row[0] for row in problems[0]["sites"]] if problems else sorted(self._known)[:1]
        self._now: dict[str, Facility] = {code: self._known[code] for code in sorted(codes)}
        self._planned = False
        self.settings_of_world = dict(self.settings)
        self.facilities_of_world = {code: _fields(facility) for code, facility in self._now.items()}

    def any_facility(self) -> str:
        """The first of the facilities."""
        return next(iter(self._now))

    def open_facility(self) -> tuple[str, list[Step]]:
        """The first that is not closed; where all are, the first, and the step that opens it."""
        code = next((code for code, facility in self._now.items() if not facility.closed), self.any_facility())
        if not self._now[code].closed:
            return code, []
        self._now[code] = replace(self._now[code], closed=False)
        return code, self._committed([Step("facility_set", {"facility": code, "closed": False})])

    def put(self, told: Mapping[str, Any] | None, plan: Plan, to: str, chooses: bool, shelves: Shelves) -> Asked:
        """The problem that an event keeps, put again for an order `to` there; `chooses`: the command takes options."""
        steps: list[Step] = []
        took = {(a.facility, a.sku, a.pool): a.units for a in plan.allocations}
        if told is None:
            return Asked(self._committed(self._set({"max_shipments": "none"})), {}, took, exact=False)
        steps += self._network(told)
        options, given, settings = self._demands(told, plan, chooses)
        steps += self._set(settings)
        available = _available(told)
        demand = {line[0]: line[1] for line in told["lines"]}
        rows = [(facility, sku, pool, units) for (facility, sku, pool), units in available.items()]
        network = Network(self._now.values(), Settings.read(self.settings))
        again = network.problem(destination(to), demand, rows, shelves.grams, given)
        if json.loads(json.dumps(stored.document(again))) != told:
            steps += self._set({"max_shipments": "none"})
            strategy = {name: value for name, value in options.items() if name == "strategy"}
            return Asked(self._committed(steps), strategy, took, exact=False)
        out = frozenset(row[0] for row in told["sites"] if row[5] is not None)
        return Asked(self._committed(steps), options, available, out)

    def _network(self, told: Mapping[str, Any]) -> list[Step]:
        """Facilities that were added since the plan before, or closed, or opened."""
        steps = []
        for row in sorted(told["sites"]):
            code, closed = row[0], row[5] == "closed"
            now = self._now.get(code)
            if now is None:
                now = replace(self._known[code], closed=closed)
                steps.append(Step("facility_add", {"facility": code, **_fields(now)}))
            elif now.closed != closed:
                steps.append(Step("facility_set", {"facility": code, "closed": closed}))
            self._now[code] = replace(now, closed=closed)
        return steps

    def _demands(
        self, told: Mapping[str, Any], plan: Plan, chooses: bool
    ) -> tuple[dict[str, Any], Options, dict[str, str]]:
        """(fields of the command, the same as options, settings) that make the problem what it was."""
        found: dict[str, Any] = {}
        settings = {"node_limit": str(told["node_limit"]), "cost.split_penalty": decimal(told["rebate"], 3)}
        backorder = told.get("backorder")
        settings["cost.backorder"] = "none" if backorder is None else decimal(backorder, 3)
        for name in ("handling", "carrier_base", "export_fee"):
            if name in told["parts"]:
                values = {row[1][told["parts"].index(name)] for row in told["sites"]} - {0}
                if len(values) == 1 and not any(f.costs for f in self._now.values()):
                    settings[f"cost.{name}"] = decimal(values.pop(), 3)
        excluded = sorted(row[0] for row in told["sites"] if row[5] == "excluded")
        limited = any(row[5] == "not_among_only" for row in told["sites"])
        if excluded:
            found["exclude"] = excluded
        if limited:
            found["only"] = sorted(row[0] for row in told["sites"] if row[5] != "not_among_only")
        for name in ("complete", "whole_lines"):
            if told.get(name):
                found[name] = True
        most = told.get("max_shipments")
        if chooses and most is not None and str(most) != self.settings.get("max_shipments", "none"):
            found["max_shipments"] = most
        elif most is None or not chooses:
            settings["max_shipments"] = "none" if most is None else str(most)
        options = Options(
            only=frozenset(found.get("only", ())),
            exclude=frozenset(excluded),
            max_shipments=found.get("max_shipments"),
            complete=found.get("complete", False),
            whole_lines=found.get("whole_lines", False),
        )
        if plan.strategy != self.settings.get("strategy", SETTINGS["strategy"].default):
            if chooses:
                found["strategy"] = plan.strategy
            else:
                settings["strategy"] = plan.strategy
        return found, options, settings

    def _set(self, wanted: Mapping[str, str]) -> list[Step]:
        """The steps that change settings to what is wanted."""
        steps = []
        for name, text in wanted.items():
            default = SETTINGS[name].default
            if self.settings.get(name, default) == text:
                continue
            if text == default:
                self.settings.pop(name, None)
            else:
                self.settings[name] = text
            steps.append(Step("config_set", {"setting": name, "value": text}))
        return steps

    def _committed(self, steps: list[Step]) -> list[Step]:
        """Before the first plan the changes belong to the world that the story begins in."""
        if self._planned:
            return steps
        self._planned = True
        self.settings_of_world = dict(self.settings)
        self.facilities_of_world = {code: _fields(facility) for code, facility in self._now.items()}
        return []


def _available(told: Mapping[str, Any]) -> dict[Row, int]:
    codes = [row[0] for row in told["sites"]]
    return {(codes[rank], line[0], POOLS[pool]): units for line in told["lines"] for rank, pool, units, _ in line[2:]}


def _fields(facility: Facility) -> dict[str, Any]:
    """The fields of the command that adds a facility."""
    found: dict[str, Any] = {"country": facility.country}
    if facility.latitude is not None:
        found["at"] = f"{facility.latitude:.10g},{facility.longitude:.10g}"
    for name in ("name", "gateway"):
        value = getattr(facility, name)
        if value is not None:
            found[name] = value
    if facility.priority != Facility("", "").priority:
        found["priority"] = facility.priority
    if facility.closed:
        found["closed"] = True
    if facility.costs:
        found["costs"] = {name: facility_cost_text(name, value) for name, value in facility.costs.items()}
    return found
