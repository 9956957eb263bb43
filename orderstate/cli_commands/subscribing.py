"""Who hears of events."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from orderstate.cli_commands import completion
from orderstate.cli_commands.call import Call, called
from orderstate.cli_commands.failing import UsageError

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="name of a subscriber", autocompletion=completion.subscribers, show_default=False
    ),
]
Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type",
        metavar="TYPE",
        help="a type of event that it hears of; repeatable; none: every one",
        autocompletion=completion.types,
    ),
]


def subscribers_list(ctx: typer.Context) -> int:
    """With how far each is behind."""
    call = called(ctx)
    from orderstate.events.subscribing import standings
    from orderstate.render import events

    found = standings(call.engine())
    if call.screen.drawn:
        call.screen.rows(events.SUBSCRIBERS_DRAWN, events.subscribers_drawn(found, call.engine().clock()))
    else:
        call.screen.each(found, events.standing, events.SUBSCRIBERS, events.subscribers)
    if any(s.parked for s in found):
        call.next("events", "parked")
    if any(s.waiting and s.subscriber.enabled and s.subscriber.kind != "relay" for s in found):
        call.next("work")
    call.suggest()
    return 0


def subscribers_on(ctx: typer.Context, name: Name) -> int:
    """It hears of what happens from now on, and gets what was on its way before."""
    return _switch(called(ctx), name, True)


def subscribers_off(ctx: typer.Context, name: Name) -> int:
    """What happens from now on never reaches it; what was on its way waits until it is on again."""
    return _switch(called(ctx), name, False)


def _switch(call: Call, name: str, on: bool) -> int:
    from orderstate.events.subscribing import switch

    changed = switch(call.engine(), name, on)
    word = "on" if on else "off"
    _told(call, word, name, changed, f"{name} is {word}" if changed else f"{name} is {word} already")
    return 0


def subscribers_add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="a name of its own, such as my-crm", show_default=False)],
    target: Annotated[
        str,
        typer.Argument(metavar="TARGET", help="package.module:function, or an entry point's name", show_default=False),
    ],
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="local: works inside the transaction, once; outside: is called, at least once",
            autocompletion=completion.kinds,
        ),
    ],
    type: Types = None,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="it hears of everything that ever happened, not only what comes")
    ] = False,
) -> int:
    """Loaded and looked at first. It hears of what happens from now on."""
    call = called(ctx)
    from orderstate.cli_commands.progress import progress
    from orderstate.events.subscribing import add
    from orderstate.render.words import count

    with progress(call.screen, "events") as shown:
        _, filled = add(call.engine(), name, target, kind, type or (), from_start=from_start, progress=shown)
    past = f"; {count(filled, 'event')} of the past on the way" if from_start else ""
    _told(call, "add", name, True, f"{name}: added, {kind}{past}", filled=filled)
    call.next("work")
    call.suggest()
    return 0


def subscribers_set(
    ctx: typer.Context,
    name: Name,
    type: Types = None,
    every: Annotated[bool, typer.Option("--every-type", help="of every type")] = False,
) -> int:
    """Of which events it hears from now on."""
    if bool(type) is every:
        raise UsageError("name --type or --every-type", hint=f"orderstate subscribers set {name} --type OrderPlaced")
    call = called(ctx)
    from orderstate.events.subscribing import set_types

    changed = set_types(call.engine(), name, type or ())
    hears = " ".join(sorted(set(type or ()))) or "every event"
    _told(call, "set", name, changed, f"{name} hears of {hears}" + ("" if changed else " already"))
    return 0


def subscribers_remove(ctx: typer.Context, name: Name) -> int:
    """With what was on its way to it."""
    call = called(ctx)
    from orderstate.events.subscribing import remove
    from orderstate.render.words import count

    dropped = remove(call.engine(), name)
    gone = f"; {count(dropped, 'event')} it never got" if dropped else ""
    _told(call, "remove", name, True, f"{name}: removed{gone}", dropped=dropped)
    return 0


def _told(call: Call, command: str, name: str, changed: bool, sentence: str, **more: Any) -> None:
    from orderstate.render.tables import Column

    screen = call.screen
    if screen.json:
        screen.document({"command": f"subscribers {command}", "subscriber": name, "changed": changed, **more})
        return
    if not screen.drawn:
        screen.rows([Column("subscriber"), Column("changed")], [(name, "yes" if changed else "no")])
    screen.say(sentence)
