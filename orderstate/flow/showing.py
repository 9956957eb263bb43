"""A flow as a table of state x trigger: where each trigger leads from each state."""

from __future__ import annotations

from dataclasses import dataclass

from orderstate.flow.possible import Ways, told
from orderstate.flow.timing import duration_text
from orderstate.model import Flow


@dataclass(frozen=True, slots=True)
class Row:
    """One state, and for each trigger of the flow the states that it leads to, in the order in which they are tried."""

    state: str
    stock: str
    marks: tuple[str, ...]
    """initial, final."""
    timer: str | None
    """`untie after 48h`."""
    targets: tuple[tuple[str, ...], ...]
    refused: tuple[bool, ...]
    """For each trigger: it is declared here, so that a refusal can say why, but the guards let nobody through."""


@dataclass(frozen=True, slots=True)
class Table:
    """The whole flow. `header` and `cells` are the same as text, for whoever prints it."""

    flow: str
    triggers: tuple[str, ...]
    path: tuple[str, ...]
    rows: tuple[Row, ...]
    guards: tuple[tuple[str, str, str], ...]
    """(trigger, target, guards) of each transition that has guards."""

    @property
    def header(self) -> tuple[str, ...]:
        """The columns: state, stock, each trigger (those of the main path first and starred), timer."""
        return ("state", "stock", *(f"{t}*" if t in self.path else t for t in self.triggers), "timer")

    @property
    def cells(self) -> tuple[tuple[str, ...], ...]:
        """A line of text for each state."""
        return tuple(
            (
                " ".join([row.state, *(f"({mark})" for mark in row.marks)]),
                row.stock,
                *(
                    " or ".join(targets) + (" (refused)" if refused else "")
                    for targets, refused in zip(row.targets, row.refused, strict=True)
                ),
                row.timer or "",
            )
            for row in self.rows
        )

    def document(self) -> dict[str, object]:
        """The shape that `--json` prints."""
        return {
            "flow": self.flow,
            "path": list(self.path),
            "states": [
                {
                    "state": row.state,
                    "stock": row.stock,
                    "initial": "initial" in row.marks,
                    "final": "final" in row.marks,
                    "timer": row.timer,
                    "triggers": {t: list(to) for t, to in zip(self.triggers, row.targets, strict=True) if to},
                    "refused": [t for t, refused in zip(self.triggers, row.refused, strict=True) if refused],
                }
                for row in self.rows
            ],
            "guards": [{"trigger": t, "to": target, "guards": guards} for t, target, guards in self.guards],
        }


def table(flow: Flow) -> Table:
    """The rows of a flow: states in its order, triggers of the main path first."""
    declared = dict.fromkeys(t.trigger for t in flow.transitions)
    triggers = tuple(dict.fromkeys([*(t for t in flow.path if t in declared), *declared]))
    ways = Ways(flow)
    rows = []
    for state in flow.states:
        marks = [*(["initial"] if state.name == flow.initial else []), *(["final"] if state.final else [])]
        timer = None if state.after is None else f"{state.timer} after {duration_text(state.after)}"
        targets = tuple(
            tuple(dict.fromkeys(t.target for t in flow.transitions if t.trigger == trigger and state.name in t.sources))
            for trigger in triggers
        )
        leaving = {flow.transitions[way.index].trigger for way in ways.leaving(state.name)}
        refused = tuple(bool(to) and trigger not in leaving for trigger, to in zip(triggers, targets, strict=True))
        rows.append(Row(state.name, state.stock.value, tuple(marks), timer, targets, refused))
    guards = tuple(
        (t.trigger, t.target, ", ".join(told(use) for use in t.guards)) for t in flow.transitions if t.guards
    )
    return Table(flow.name, triggers, flow.path, tuple(rows), guards)
