"""Flows that people write: read from YAML, checked, proved, compared, shown and written again.

    from orderstate.flow import check, exhaustive, load

    flow = load("examples/flows/payment.yaml")
    for finding in check(flow):
        print(finding)
    print(exhaustive(flow).sentence)

Pure: values in, values out; only `load` and `examine` read files. docs/flows.md is the format. Names are loaded when
they are first asked for, and YAML when the first text is read.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orderstate.flow.checking import check, examine
    from orderstate.flow.comparing import Change, Difference, compare, mapping
    from orderstate.flow.editor import schema
    from orderstate.flow.finding import Finding
    from orderstate.flow.proving import PROMISES, Counterexample, Proof, Step, exhaustive
    from orderstate.flow.reading import from_document, load, read
    from orderstate.flow.showing import Row, Table, table
    from orderstate.flow.timing import duration, duration_text
    from orderstate.flow.tree import Mark
    from orderstate.flow.writing import document, dump

_HOME = {
    "Change": "comparing",
    "Counterexample": "proving",
    "Difference": "comparing",
    "Finding": "finding",
    "Mark": "tree",
    "PROMISES": "proving",
    "Proof": "proving",
    "Row": "showing",
    "Step": "proving",
    "Table": "showing",
    "check": "checking",
    "compare": "comparing",
    "document": "writing",
    "dump": "writing",
    "duration": "timing",
    "duration_text": "timing",
    "examine": "checking",
    "exhaustive": "proving",
    "from_document": "reading",
    "load": "reading",
    "mapping": "comparing",
    "read": "reading",
    "schema": "editor",
    "table": "showing",
}

__all__ = [
    "PROMISES",
    "Change",
    "Counterexample",
    "Difference",
    "Finding",
    "Mark",
    "Proof",
    "Row",
    "Step",
    "Table",
    "check",
    "compare",
    "document",
    "dump",
    "duration",
    "duration_text",
    "examine",
    "exhaustive",
    "from_document",
    "load",
    "mapping",
    "read",
    "schema",
    "table",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
