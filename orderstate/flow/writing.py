"""A flow as a document, and as canonical YAML. What is written here reads back as the same flow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orderstate.flow.timing import duration, duration_text
from orderstate.model import Flow, GuardUse, State, Stock, Transition


def document(flow: Flow) -> dict[str, Any]:
    """The flow as JSON values, whole: it extends nothing. `from_document` reads it.

    States stand in a mapping whose order is the flow's, so whoever stores it must keep the order of keys.
    """
    return {
        "name": flow.name,
        "initial": flow.initial,
        "path": list(flow.path),
        "states": {state.name: _state(state) for state in flow.states},
        "transitions": [_transition(transition) for transition in flow.transitions],
    }


def _state(state: State) -> dict[str, Any]:
    found: dict[str, Any] = {"stock": state.stock.value}
    if state.final:
        found["final"] = True
    if state.label is not None:
        found["label"] = state.label
    if state.after is not None and state.timer is not None:
        found |= {"after": duration_text(state.after), "trigger": state.timer}
    return found


def _transition(transition: Transition) -> dict[str, Any]:
    found: dict[str, Any] = {
        "trigger": transition.trigger,
        "from": list(transition.sources),
        "to": transition.target,
        "event": transition.event,
    }
    if transition.guards:
        found["guards"] = [_guard(use) for use in transition.guards]
    return found


def _guard(use: GuardUse) -> str | dict[str, dict[str, str]]:
    return {use.name: dict(use.params)} if use.params else use.name


def recorded(found: Mapping[str, Any]) -> Flow:
    """The flow that `document` wrote down. Quick: nothing is checked again, and no guard is looked up."""
    states = tuple(
        State(
            name,
            Stock(state["stock"]),
            state.get("final", False),
            state.get("label"),
            duration(state["after"]) if "after" in state else None,
            state.get("trigger"),
        )
        for name, state in found["states"].items()
    )
    transitions = tuple(
        Transition(t["trigger"], tuple(t["from"]), t["to"], t["event"], tuple(_use(use) for use in t.get("guards", ())))
        for t in found["transitions"]
    )
    return Flow(found["name"], found["initial"], states, transitions, tuple(found["path"]))


def _use(found: str | Mapping[str, Mapping[str, str]]) -> GuardUse:
    if isinstance(found, str):
        return GuardUse(found)
    ((name, params),) = found.items()
    return GuardUse(name, dict(params))


def dump(flow: Flow) -> str:
    """The flow as YAML, in one way only: `read(dump(flow)) == flow`, and `dump(read(text))` does not change again."""
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

    Dumper.add_representer(
        Inline, lambda d, v: d.represent_mapping("tag:yaml.org,2002:map", v.items(), flow_style=True)
    )
    Dumper.add_representer(Row, lambda d, v: d.represent_sequence("tag:yaml.org,2002:seq", v, flow_style=True))
    whole = document(flow)
    for name, state in whole["states"].items():
        whole["states"][name] = Inline(state)
    for transition in whole["transitions"]:
        transition["from"] = Row(transition["from"])
        if "guards" in transition:
            uses = [use if isinstance(use, str) else Inline(use) for use in transition["guards"]]
            transition["guards"] = Row(uses)
    whole["path"] = Row(whole["path"])
    return yaml.dump(whole, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False)
