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

from typing import TYPE_CHECKING

from orderstate.lazily import named

if TYPE_CHECKING:
    from orderstate.flow.checking import check, examine, examine_text, unending
    from orderstate.flow.comparing import Change, Difference, compare, mapping
    from orderstate.flow.editor import schema
    from orderstate.flow.finding import Finding
    from orderstate.flow.proving import PROMISES, Counterexample, Proof, Step, exhaustive
    from orderstate.flow.reading import from_document, load, read
    from orderstate.flow.showing import Row, Table, table
    from orderstate.flow.timing import duration, duration_text
    from orderstate.flow.tree import Mark
    from orderstate.flow.writing import document, dump, recorded

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
    "examine_text": "checking",
    "exhaustive": "proving",
    "from_document": "reading",
    "load": "reading",
    "mapping": "comparing",
    "read": "reading",
    "recorded": "writing",
    "schema": "editor",
    "table": "showing",
    "unending": "checking",
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
    "examine_text",
    "exhaustive",
    "from_document",
    "load",
    "mapping",
    "read",
    "recorded",
    "schema",
    "table",
    "unending",
]


__getattr__, __dir__ = named(__name__, _HOME)
