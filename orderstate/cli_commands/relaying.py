"""Events to a broker, and messages from one."""

from __future__ import annotations

import signal
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from orderstate.cli_commands.call import Call, called
from orderstate.cli_commands.failing import UsageError
from orderstate.cli_commands.log import Format, Log, checked
from orderstate.cli_commands.working import ending

if TYPE_CHECKING:
    from orderstate.cli_commands.progress import Progressing
    from orderstate.events.consuming import Heard
    from orderstate.events.relaying import Relay
    from orderstate.events.verdicts import Told

_INTERRUPTED = 130
_START, _NOW = "start", "now"


class _Words:
    """What happens, told as it happens."""

    def __init__(self, log: Log, shown: Progressing) -> None:
        self._log = log
        self._shown = shown
        self.tally: Counter[str] = Counter()

    def told(self, told: Told) -> None:
        """An event that could not be delivered; in a log of every attempt also one that was."""
        from orderstate.render import events

        self._log.tell(events.attempt(told, self._log.now()))

    def heard(self, heard: Heard) -> None:
        """A message that was dealt with."""
        from orderstate.render import relays

        self.tally[heard.outcome] += 1
        self._shown(self.tally.total(), None)
        if self._log.lines or heard.reason:
            self._log.tell(relays.message(heard, self._log.now()))

    def said(self, sentence: str) -> None:
        """Something about the broker, or the database."""
        self._log.warn(sentence)


def relay(
    ctx: typer.Context,
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="URL", help="nats:// kafka:// amqp:// redis:// https:// FILE or -", show_default=False
        ),
    ],
    follow: Annotated[bool, typer.Option("--follow", help="go on with what comes, until told to stop")] = False,
    batch: Annotated[
        int, typer.Option("--batch", metavar="N", min=1, max=10_000, help="at most so many events in flight")
    ] = 500,
    begin: Annotated[
        str, typer.Option("--from", metavar="WHEN", help="where a new one begins: start or now", show_default=True)
    ] = _START,
    log: Format = None,
) -> int:
    """At least once, with the same id, in order per order. The first run declares it; later ones go on from there."""
    if begin not in (_START, _NOW):
        raise UsageError(f"--from: {begin!r} is not start or now", hint="orderstate relay --to URL --from now")
    call = called(ctx)
    checked(call, log)
    engine = call.engine()
    from orderstate.cli_commands.progress import Progressing, progress
    from orderstate.events.brokers import sink
    from orderstate.events.relaying import PATIENCE, Relay
    from orderstate.events.waking import Alarm

    standard = to == "-"
    with ending() as (bell, got), progress(call.screen, "events") as shown:
        shows = Progressing(call.screen) if follow else shown
        words = _Words(Log(call, shows), shows)
        made = Relay(
            engine,
            sink(to),
            batch=batch,
            past=begin == _START,
            told=words.told,
            each=call.log,
            said=words.said,
            progress=lambda done: shown(done, None),
            stop=lambda: bell.rung,
            # Whoever reads our output and went away does not come back.
            give_up=0.0 if standard else None if follow else PATIENCE,
        )
        if follow:
            with Alarm(engine.store.path, engine.store.commits, bell) as alarm:
                made.run(alarm)
        else:
            made.run()
    _relayed(call, made, got, standard)
    return _INTERRUPTED if signal.SIGINT in got else 0


def _relayed(call: Call, made: Relay, got: list[int], standard: bool) -> None:
    from orderstate.render import relays

    screen, waiting = call.screen, made.waiting()
    row = relays.relayed(made.name, made.done, waiting)
    sentence = relays.relayed_sentence(made.name, made.done, waiting)
    if standard:  # stdout is the events' own
        if not screen.json:
            screen.word(sentence)
    elif screen.json:
        names = [column.name for column in relays.RELAYED]
        screen.document({**dict(zip(names, row, strict=True)), "stopped": _stopped(got)})
    elif screen.drawn:
        screen.say(sentence)
    else:
        screen.rows(relays.RELAYED, [row])
    if made.done.parked:
        call.next("events", "parked")
        call.suggest()


def consume(
    ctx: typer.Context,
    begin: Annotated[
        str,
        typer.Option("--from", metavar="URL", help="nats:// kafka:// amqp:// redis:// FILE or -", show_default=False),
    ],
    group: Annotated[
        str | None, typer.Option("--group", metavar="NAME", help="whose place is kept; default: this database's own")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="go on with what comes, until told to stop")] = False,
    until_empty: Annotated[
        bool, typer.Option("--until-empty", help="until nothing more comes for a while (the default)")
    ] = False,
    batch: Annotated[
        int, typer.Option("--batch", metavar="N", min=1, max=10_000, help="at most so many messages to a transaction")
    ] = 100,
    log: Format = None,
) -> int:
    """Each message has its effect once, whatever the broker repeats. What cannot be used is parked, with the reason."""
    if follow and until_empty:
        raise UsageError("--follow never ends, --until-empty does: name one of them", hint="orderstate consume --help")
    call = called(ctx)
    checked(call, log)
    engine = call.engine()
    from orderstate.cli_commands.progress import Progressing, progress
    from orderstate.events.brokers import source
    from orderstate.events.consuming import Consumer, own_group, quiet_of
    from orderstate.events.relaying import PATIENCE

    named = own_group(engine) if group is None else group
    with ending() as (bell, got), progress(call.screen, "messages") as shown:
        shows = Progressing(call.screen) if follow else shown
        words = _Words(Log(call, shows), shows)
        opened = source(begin, named)
        consumer = Consumer(
            engine,
            opened,
            batch=batch,
            told=words.heard,
            said=words.said,
            stop=lambda: bell.rung,
            give_up=None if follow else PATIENCE,
        )
        if follow:
            consumer.run()
        else:
            consumer.run(*quiet_of(opened.name))
    _consumed(call, opened.name, named, words.tally, got)
    return _INTERRUPTED if signal.SIGINT in got else 0


def _consumed(call: Call, name: str, group: str, tally: Counter[str], got: list[int]) -> None:
    from orderstate.events.verdicts import PARKED
    from orderstate.render import relays

    screen = call.screen
    row = relays.consumed(name, group, tally)
    if screen.json:
        names = [column.name for column in relays.CONSUMED]
        screen.document({**dict(zip(names, row, strict=True)), "stopped": _stopped(got)})
    elif screen.drawn:
        screen.say(relays.consumed_sentence(name, tally))
    else:
        screen.rows(relays.CONSUMED, [row])
    if tally[PARKED]:
        call.next("events", "parked")
        call.suggest()


def _stopped(got: list[int]) -> str | None:
    return signal.Signals(got[0]).name if got else None
