"""A problem as a JSON document, so that a plan can be verified later, when stock and costs have moved on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orderstate.allocation.problem import Options, Problem, Sites


def document(problem: Problem) -> dict[str, Any]:
    """The problem as JSON values; `read` is its inverse. For 8 facilities and 3 lines about a kilobyte."""
    sites, options = problem.sites, problem.options
    names = list(dict.fromkeys(name for parts in sites.parts for name in parts))
    found: dict[str, Any] = {
        "parts": names,
        "sites": [
            [code, [parts.get(name, 0) for name in names], metres, gateway, priority, out, *marks]
            for code, parts, metres, gateway, priority, out, marks in zip(
                sites.codes,
                sites.parts,
                sites.metres,
                sites.gateways,
                sites.priorities,
                problem.out,
                sites.marks,
                strict=True,
            )
        ],
        "lines": [
            [sku, units, *(list(source) for source in sources)]
            for sku, units, sources in zip(problem.skus, problem.demand, problem.sources, strict=True)
        ],
        "rebate": sites.rebate,
        "node_limit": problem.node_limit,
    }
    if problem.max_shipments is not None:
        found["max_shipments"] = problem.max_shipments
    if problem.backorder is not None:
        found["backorder"] = problem.backorder
    if options.complete:
        found["complete"] = True
    if options.whole_lines:
        found["whole_lines"] = True
    return found


def read(document: Mapping[str, Any]) -> Problem:
    """The problem of a stored document."""
    sites, names = document["sites"], document["parts"]
    out = tuple(row[5] for row in sites)
    return Problem(
        Sites(
            [row[0] for row in sites],
            [sum(row[1]) for row in sites],
            metres=[row[2] for row in sites],
            gateways=[row[3] for row in sites],
            marks=[tuple(row[6:]) for row in sites],
            parts=[dict(zip(names, row[1], strict=True)) for row in sites],
            priorities=[row[4] for row in sites],
            out=out,
            rebate=document["rebate"],
        ),
        tuple(line[0] for line in document["lines"]),
        tuple(line[1] for line in document["lines"]),
        [[(rank, pool, units, cost) for rank, pool, units, cost in line[2:]] for line in document["lines"]],
        out,
        options=Options(complete=document.get("complete", False), whole_lines=document.get("whole_lines", False)),
        max_shipments=document.get("max_shipments"),
        node_limit=document["node_limit"],
        backorder=document.get("backorder"),
    )
