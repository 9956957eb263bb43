"""What happened, who hears of it, and what to do about those who did not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orderstate.cli_commands import completion
from orderstate.cli_commands.call import Call, called
from orderstate.cli_commands.failing import UsageError
from orderstate.cli_commands.options import duration

if TYPE_CHECKING:
    from orderstate.events.replaying import Pair
    from orderstate.model import Event

Id = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="id of an event, such as 1001:3", autocompletion=completion.events, show_default=False
    ),
]
Type = Annotated[
    str | None, typer.Option("--type", metavar="TYPE", help="of this type only", autocompletion=completion.types)
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="that happened since: 2h, 7d, 2026-11-22, 2026-11-22T15:04"),
]


def moment(text: str, now: int) -> int:
    """UTC microseconds from an age (`90s`, `30m`, `48h`, `7d`, `2w`) or a time in ISO 8601, which is UTC unless it says
    otherwise. Raises UsageError."""
    if re.fullmatch(r"\d+[smhdw]", text.strip(), re.ASCII):
        return now - duration(text, "--since")
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"--since: {text!r} is neither an age such as 2h or 7d nor a time such as 2026-11-22T15:04"
        ) from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    since = found - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def events_list(
    ctx: typer.Context,
    order: Annotated[
        str | None,
        typer.Option("--order", metavar="ORDER", help="of this order", autocompletion=completion.orders),
    ] = None,
    facility: Annotated[
        str | None,
        typer.Option("--facility", metavar="FACILITY", help="of this facility", autocompletion=completion.facilities),
    ] = None,
    type: Type = None,
    since: Since = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=100_000, help="at most so many")] = 50,
) -> int:
    """Newest first."""
    if order is not None and facility is not None:
        raise UsageError("an event is about an order or about a facility: name one")
    call = called(ctx)
    engine = call.engine()
    subject = f"facility/{facility}" if facility is not None else order
    if order is not None:
        engine.order(order)
    if facility is not None:
        engine.facility(facility)
    from orderstate.events import stream

    begin = 0 if since is None else moment(since, engine.clock())
    found = stream.newest(engine, subject=subject, type=type, since=begin, limit=limit)
    _show(call, found, type)
    return 0


def _show(call: Call, found: Iterator[Event], type: str | None) -> None:
    from orderstate.render import events

    screen, first = call.screen, next(found, None)
    if first is None:
        if type is not None:
            _known_type(call, type)
        if screen.drawn:
            screen.line("no events")
    several = () if first is None else _and_then(first, found)
    if screen.json:
        document = _document(call)
        for event in several:
            screen.document(document(event))
    elif screen.drawn:
        screen.rows(events.EVENTS_DRAWN, events.events_drawn(several))
    else:
        screen.rows(events.EVENTS, events.events(several))


def _and_then(first: Event, rest: Iterator[Event]) -> Iterator[Event]:
    yield first
    yield from rest


def _known_type(call: Call, type: str) -> None:
    """A type that nobody writes is a slip, and an empty list would hide it. Raises NotFound."""
    from orderstate.events.subscribing import checked_types

    checked_types(call.engine(), [type])


def _document(call: Call) -> Any:
    from orderstate.events import wire

    origin = wire.source(call.engine().id)
    return lambda event: wire.document(event, origin)


def events_tail(
    ctx: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on with what comes, until Ctrl-C")] = False,
    type: Type = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", metavar="N", min=0, max=100_000, help="so many that are there already")
    ] = 10,
) -> int:
    """The newest, the last one at the end; with --follow each as it is committed."""
    call = called(ctx)
    engine, screen = call.engine(), call.screen
    if type is not None:
        _known_type(call, type)
    from orderstate.cli_commands.working import ending
    from orderstate.events import stream
    from orderstate.render import events

    document = _document(call) if screen.json else None
    with ending() as (bell, got):
        for event in stream.tail(engine, lines, type=type, bell=bell if follow else None):
            if document is not None:
                screen.document(document(event))
            elif screen.drawn:
                screen.line(events.line(event))
            else:
                screen.rows(events.EVENTS, events.events([event]))
            screen.out.flush()  # whoever reads our pipe is waiting for it
    return 130 if got and not follow else 0


def events_show(ctx: typer.Context, id: Id) -> int:
    """The event, and for each subscriber to which it was sent: when, how often, why not."""
    call = called(ctx)
    engine, screen = call.engine(), call.screen
    from orderstate.events import stream
    from orderstate.render import events
    from orderstate.render.tables import Table
    from orderstate.render.words import iso, line_of_json
    from orderstate.render.words import moment as told

    key, event = stream.find(engine, id)
    ways = stream.ways(engine, key)
    shown = _document(call)(event)
    if screen.json:
        screen.document({"event": shown, "deliveries": [events.way(way) for way in ways]})
        return 0
    facts = [
        ("event", event.id),
        ("type", event.type),
        ("at", told(event.at) if screen.drawn else iso(event.at)),
        ("says", events.said(event)),
        ("data", line_of_json(shown["data"])),
    ]
    table = Table("delivery", events.WAYS, list(events.ways(ways)))
    if screen.drawn:
        facts = [fact for fact in facts[:-1] if fact[1]]
        table = Table("delivery", events.WAYS_DRAWN, list(events.ways_drawn(ways)))
    screen.facts(facts, [table])
    if any(way.state == "parked" for way in ways):
        call.next("events", "replay", event.id)
        call.suggest()
    return 0


def events_parked(ctx: typer.Context) -> int:
    """What was given up, the first first: for which subscriber, how often, why, and how much waits behind it."""
    call = called(ctx)
    engine, screen = call.engine(), call.screen
    from orderstate.events import replaying, stream
    from orderstate.render import events

    def found() -> Iterator[Any]:
        yield from stream.parked(engine)
        yield from replaying.parked_messages(engine)

    if screen.drawn:
        everything = list(found())
        screen.rows(events.PARKED_DRAWN, events.parked_drawn(everything))
        if everything:
            call.next("events", "replay", "--parked")
            call.suggest()
        else:
            screen.line("nothing is parked")
        return 0
    screen.each(found(), events.parked_document, events.PARKED_ROWS, events.parked)
    return 0


def events_replay(
    ctx: typer.Context,
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID...]", help="ids of events, such as 1001:3", autocompletion=completion.events,
            show_default=False,
        ),
    ] = None,
    parked: Annotated[bool, typer.Option("--parked", help="everything that is parked, messages too")] = False,
    since: Since = None,
    type: Type = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="NAME", help="for this subscriber only, new to it or not",
            autocompletion=completion.subscribers,
        ),
    ] = None,
    queue: Annotated[bool, typer.Option("--queue", help="only put them on their way: a worker delivers")] = False,
) -> int:  # fmt: skip
    """Again from the first attempt, with the same ids, and now. A local subscriber that had one is not called."""
    wanted = (bool(ids), parked, since is not None or type is not None)
    if sum(wanted) != 1:
        raise UsageError("name ids, or --parked, or --since and --type", hint="orderstate events replay 1001:3")
    call = called(ctx)
    engine, screen = call.engine(), call.screen
    from orderstate.cli_commands.log import Log
    from orderstate.cli_commands.progress import Progressing
    from orderstate.cli_commands.working import ending, words_on_stderr
    from orderstate.events import replaying
    from orderstate.events.subscribing import named
    from orderstate.render import events

    if to is not None:
        named(engine, to)
    if type is not None:
        _known_type(call, type)
    with ending() as (bell, got), Log(call, Progressing(screen)).undisturbed(), words_on_stderr():
        done = replaying.replay(
            engine,
            _pairs(call, ids, parked, since, type, to),
            insert=to is not None,
            deliver=not queue,
            stop=lambda: bell.rung,
            interruptible=False,
        )
        if screen.json:
            for one in done:
                screen.document(events.replayed_document(one))
        else:
            _say_replayed(call, list(done) if screen.drawn else done)
        if parked and to is None and not queue:
            _retry(call)
    return 130 if got else 0


def _pairs(
    call: Call, ids: Sequence[str] | None, parked: bool, since: str | None, type: str | None, to: str | None
) -> Iterator[Pair]:
    from orderstate.events import replaying

    engine = call.engine()
    if ids:
        return replaying.by_ids(engine, ids, to)
    if parked:
        return replaying.by_parking(engine, to)
    begin = 0 if since is None else moment(since, engine.clock())
    return replaying.by_filter(engine, to, type=type, since=begin)


def _say_replayed(call: Call, done: Any) -> None:
    from orderstate.render import events

    call.screen.rows(events.REPLAYED, events.replayed(done))
    if call.screen.drawn and not done:
        call.screen.line("nothing to replay")


def _retry(call: Call) -> None:
    """Parked messages of other systems are tried again, too."""
    from orderstate.events import replaying
    from orderstate.events.replaying import Replayed
    from orderstate.render import events

    done = [
        Replayed(f"from {message.source}", message.id, "applied" if why is None else "parked", why)
        for message, why in replaying.retry_messages(call.engine())
    ]
    if call.screen.json:
        for one in done:
            call.screen.document(events.replayed_document(one))
    elif done:
        call.screen.rows(events.REPLAYED, events.replayed(done))


def events_skip(
    ctx: typer.Context,
    id: Id,
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="NAME", help="the subscriber that is not to hear of it",
            autocompletion=completion.subscribers,
        ),
    ],
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="why; kept with the delivery")] = None,
) -> int:  # fmt: skip
    """Count it as delivered; what waited behind it goes on."""
    call = called(ctx)
    from orderstate.events import replaying

    changed = replaying.skip(call.engine(), id, to, reason)
    if call.screen.json:
        call.screen.document({"command": "events skip", "event": id, "subscriber": to, "changed": changed})
    else:
        call.screen.say(f"{id}: {to} is not told of it" if changed else f"{id}: {to} had it already; nothing was done")
    if changed:
        call.next("work")
        call.suggest()
    return 0
