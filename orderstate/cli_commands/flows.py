"""Flow files: check them, show them, compare them."""

from __future__ import annotations

from typing import Annotated

import typer

from orderstate.cli_commands.call import called

_File = Annotated[str, typer.Argument(metavar="FILE", help="a flow file (YAML)", show_default=False)]
_Other = Annotated[str | None, typer.Argument(metavar="[FILE]", help="a flow file; the standard flow without one")]


def check(
    ctx: typer.Context,
    file: _File,
    exhaustive: Annotated[
        bool, typer.Option("--exhaustive", help="also explore every situation: a proof, or the shortest counterexample")
    ] = False,
) -> int:
    """Exit status 1 where the flow cannot be used, or the proof fails; warnings alone end with 0."""
    from orderstate.flow import Proof, examine
    from orderstate.flow import exhaustive as explore

    screen = called(ctx).screen
    flow, findings = examine(file)
    broken = any(finding.level == "error" for finding in findings)
    found = explore(flow) if exhaustive and flow is not None and not broken else None
    failed = broken or flow is None or (found is not None and not isinstance(found, Proof))
    if screen.json:
        document: dict[str, object] = {"file": file, "findings": [finding.document() for finding in findings]}
        if isinstance(found, Proof):
            document["proof"] = {"nodes": found.nodes, "moves": found.moves, "orders": found.orders}
        elif found is not None:
            document["counterexample"] = {"broken": found.broken, "commands": list(found.commands())}
        screen.document({**document, "usable": not failed})
        return int(failed)
    for finding in findings:
        screen.say(str(finding))
    if found is not None:
        screen.say(found.sentence)
        if not isinstance(found, Proof):
            for number, step in enumerate(found.steps, 1):
                screen.say(f"  {number}. {step}")
    if not findings:
        screen.say(f"{file}: nothing is wrong")
    return int(failed)


def show(ctx: typer.Context, file: _Other = None) -> int:
    """States against triggers: each cell says where the trigger leads from there."""
    from orderstate.flow import load, table
    from orderstate.machine import STANDARD
    from orderstate.render.tables import Column

    screen = called(ctx).screen
    found = table(STANDARD if file is None else load(file))
    if screen.json:
        screen.document(found.document())
        return 0
    columns = tuple(Column(name, optional=True) for name in found.header)
    screen.rows(columns, [tuple(row) for row in found.cells])
    return 0


def diff(ctx: typer.Context, file: _File, other: _Other = None) -> int:
    """What FILE changes against another flow file, or against the standard flow. Exit status 1 where they differ."""
    from orderstate.flow import compare, load
    from orderstate.machine import STANDARD

    screen = called(ctx).screen
    new = load(file)
    found = compare(STANDARD if other is None else load(other), new)
    changes = [str(change) for change in found.changes]
    if screen.json:
        screen.document({"changes": changes, "must_map": sorted(found.must_map)})
    else:
        for change in changes:
            screen.say(change)
        for state in sorted(found.must_map):
            screen.word(f"orders in {state} would have to be mapped to another state")
        if not changes:
            screen.say("no difference")
    return int(bool(changes))


def schema(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="what to describe: flow", show_default=False)],
) -> int:
    """JSON Schema (draft 2020-12), for editors."""
    import json

    from orderstate.errors import NotFound
    from orderstate.flow import schema as flow_schema

    if name != "flow":
        raise NotFound.named("schema", name, ["flow"], hint="orderstate schema flow")
    screen = called(ctx).screen
    if screen.json:
        screen.document(flow_schema())
    else:
        screen.line(json.dumps(flow_schema(), indent=2))
    return 0
