"""Flow files: check them, show them, compare them."""

from __future__ import annotations

from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Annotated

import typer

from orderstate.cli_commands import options
from orderstate.cli_commands.call import Call, called, standard_input
from orderstate.cli_commands.failing import UsageError
from orderstate.errors import Refused

if TYPE_CHECKING:
    from orderstate.flow import Counterexample, Finding, Proof
    from orderstate.model import Flow
    from orderstate.scenario import Scenario

_STANDARD, _STDIN = "standard", "stdin"

_File = Annotated[str, typer.Argument(metavar="FILE", help="a flow file (YAML), or - for stdin", show_default=False)]
_Shown = Annotated[
    str | None, typer.Argument(metavar="[FILE]", help="a flow file, or - for stdin; without one the flow in force")
]


def check(
    ctx: typer.Context,
    file: _File,
    exhaustive: Annotated[
        bool, typer.Option("--exhaustive", help="also explore every situation: a proof, or the shortest counterexample")
    ] = False,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="NEW", help="write the counterexample as a scenario to a new file"),
    ] = None,
) -> int:
    """Exit status 1 where the flow cannot be used, or the proof fails; warnings alone end with 0."""
    from orderstate.flow import Proof

    call = called(ctx)
    screen = call.screen
    if output is not None and not exhaustive:
        raise UsageError("-o goes with --exhaustive", hint=f"orderstate flow check --exhaustive {file} -o {output}")
    text = _piped(file)
    flow, findings = _examined(file, text)
    broken = any(finding.level == "error" for finding in findings)
    found = _explored(file, text) if exhaustive else None
    failed = broken or flow is None or (found is not None and not isinstance(found, Proof))
    story = None if found is None or isinstance(found, Proof) or flow is None else _story(flow, found, file, output)
    if story is not None and output is not None:
        from orderstate.cli_commands.scripting import put

        put(Path(output), story)
    if screen.json:
        document: dict[str, object] = {"file": file, "findings": [finding.document() for finding in findings]}
        if isinstance(found, Proof):
            document["proof"] = {
                "nodes": found.nodes,
                "moves": found.moves,
                "orders": found.orders,
                "provided": list(found.provided),
            }
        elif found is not None:
            document["counterexample"] = _told(found, story)
        screen.document({**document, "usable": not failed})
        return int(failed)
    for finding in findings:
        screen.say(str(finding))
    if found is not None:
        screen.say(found.sentence)
        if not isinstance(found, Proof):
            for number, step in enumerate(found.steps, 1):
                screen.say(f"  {number}. {step.sentence}")
    if not findings:
        screen.say(f"{file if text is None else _STDIN}: nothing is wrong")
    if story is not None:
        from orderstate.cli_commands import scripting

        if output is None:
            scripting.show(call, [story])
        else:
            scripting.run_next(call, output)
    return int(failed)


def _piped(file: str) -> str | None:
    """The text on stdin, if that is the file. Raises InvalidInput."""
    if file != "-":
        return None
    from orderstate.flow.tree import text_from

    return text_from(standard_input(), _STDIN, "flow")


def _examined(file: str, text: str | None) -> tuple[Flow | None, list[Finding]]:
    """A flow with everything that is wrong with it; the standard one has no file, and nothing is wrong with it."""
    from orderstate.flow import examine, examine_text

    if file == _STANDARD:
        return of_file(file), []
    return examine(file) if text is None else examine_text(text, _STDIN)


def _explored(file: str, text: str | None) -> Proof | Counterexample | None:
    """What exploring a flow comes to, sound or not; None for one of which a part cannot be read."""
    from orderstate.errors import InvalidInput, NotFound
    from orderstate.flow import exhaustive

    try:
        return exhaustive(of_file(file, text))
    except (InvalidInput, NotFound):
        return None  # told among the findings


def _story(flow: Flow, found: Counterexample, file: str, output: str | None) -> Scenario:
    """The counterexample as a scenario, which names the flow's file as seen from where it will lie."""
    import os

    from orderstate.scenario import from_counterexample

    named = None if file == "-" else os.path.relpath(file, Path(output or "x").parent)
    return from_counterexample(flow, found, file=named)


def _told(found: Counterexample, story: Scenario | None) -> dict[str, object]:
    from orderstate.scenario import document

    told: dict[str, object] = {"broken": found.broken, "sentence": found.sentence, "commands": list(found.commands())}
    return told if story is None else {**told, "scenario": document(story)}


def show(ctx: typer.Context, file: _Shown = None) -> int:
    """States against triggers: each cell says where the trigger leads from there."""
    from orderstate.flow import table
    from orderstate.render.tables import Column

    call = called(ctx)
    screen = call.screen
    found = table(_named(call, file))
    if screen.json:
        screen.document(found.document())
        return 0
    columns = tuple(Column(name, optional=True) for name in found.header)
    screen.rows(columns, [tuple(row) for row in found.cells])
    return 0


def diff(ctx: typer.Context, file: _File, other: _Shown = None) -> int:
    """What FILE changes against another flow file, or against the flow in force. Exit status 1 where they differ."""
    from orderstate.flow import compare

    call = called(ctx)
    screen = call.screen
    new = _named(call, file)
    found = compare(_named(call, other), new)
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


def use(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="a flow file (YAML), standard, or - for stdin", show_default=False)
    ],
    map: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="OLD=NEW", help="orders that are OLD become NEW, with the same stock; repeatable"
        ),
    ] = None,
    reopen: Annotated[
        bool, typer.Option("--reopen", help="let --map take orders that have ended to states in which they go on")
    ] = False,
    key: options.Key = None,
    role: options.Role = "operator",
    by: options.By = None,
) -> int:
    """Checked first; refused where it would strand an order or re-open an ended one. In force from then on."""
    call = called(ctx)
    engine = call.engine()
    pairs = _pairs(map or [])
    new = _sound(call, file)
    try:
        status = call.done(engine.use_flow(new, mapping=pairs, reopen=reopen, key=key, role=role, by=by))
    except Refused as refused:
        refused.hint = None if refused.hint is None else refused.hint.replace(" FILE", f" {join([file])}")
        raise
    if engine.due(limit=1):
        call.next("advance", "--due")
    else:
        call.next("flow", "show")
    call.suggest()
    return status


def _named(call: Call, file: str | None) -> Flow:
    """The flow of a file, of that name, or in force."""
    return call.flow() if file is None else of_file(file)


def of_file(file: str, text: str | None = None) -> Flow:
    """The flow of a file, or of what it says; `standard` names the standard flow, `-` stdin.

    Raises NotFound, InvalidInput.
    """
    if file == _STANDARD:
        from orderstate.machine import STANDARD

        return STANDARD
    from orderstate.flow import load, read

    said = _piped(file) if text is None else text
    return load(file) if said is None else read(said, _STDIN)


def _sound(call: Call, file: str) -> Flow:
    """The flow of a file. Raises Refused with everything that is wrong with it, at its places; tells warnings."""
    from orderstate.engine.flowing import unsound
    from orderstate.model import Refusal

    flow, findings = _examined(file, _piped(file))
    wrong = [finding for finding in findings if finding.level == "error"]
    if flow is None or wrong:
        told = [
            Refusal(f.code, f"{f.mark}: {f.sentence}" if f.mark else f.sentence, f.mend, f.document()) for f in wrong
        ]
        raise unsound(file if flow is None else flow.name, told, call.command("flow", "check", file))
    if not call.screen.json:
        for finding in findings:
            call.screen.word(str(finding))
    return flow


def _pairs(given: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in given:
        old, equals, new = (part.strip() for part in text.partition("="))
        if not old or not equals or not new:
            raise UsageError(
                f"--map: {text!r} is not OLD=NEW", hint=f"--map {join([old or 'OLD'])}={join([new or 'NEW'])}"
            )
        if pairs.setdefault(old, new) != new:
            raise UsageError(f"--map: {old} goes to {pairs[old]} and to {new}", hint=f"--map {old}={new}")
    return pairs


def schema(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="flow, scenario, command, order, event, PlaceOrder, CancelOrder, StockReceived or ShipmentDelivered",
            show_default=False,
        ),
    ],
) -> int:
    """JSON Schema (draft 2020-12), for editors."""
    import json

    from orderstate.errors import NotFound

    if name == "flow":
        from orderstate.flow import schema as described
    elif name == "scenario":
        from orderstate.scenario import schema as described
    elif name in ("command", "order"):
        from orderstate.engine import schemas

        described = getattr(schemas, name)
    else:
        from orderstate.events.schemas import MESSAGES

        known = ["flow", "scenario", "command", "order", *MESSAGES]
        if name not in MESSAGES:
            raise NotFound.named("schema", name, known, hint=f"known: {', '.join(known)}")
        described = MESSAGES[name]
    screen = called(ctx).screen
    if screen.json:
        screen.document(described())
    else:
        screen.line(json.dumps(described(), indent=2))
    return 0
