"""The work loop: deliveries and timers, once or for as long as the machine runs."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Annotated

import typer

from orderstate.cli_commands import completion
from orderstate.cli_commands.call import Call, called
from orderstate.cli_commands.failing import UsageError
from orderstate.cli_commands.log import Format, Log, checked

if TYPE_CHECKING:
    from types import FrameType

    from orderstate.cli_commands.progress import Progressing
    from orderstate.errors import OrderstateError
    from orderstate.events.following import Duty
    from orderstate.events.timing import Fired
    from orderstate.events.verdicts import Told
    from orderstate.events.waking import Bell

_INTERRUPTED = 130
_STOPPING = b"stopping: what is in hand is finished first; once more, and it ends at once\n"


class Report:
    """What a worker did, told as it happens and summed up at the end."""

    def __init__(self, log: Log, shown: Progressing) -> None:
        self._log = log
        self._shown = shown
        self._done = 0
        self.total: int | None = None
        """How many deliveries there seemed to be at the beginning."""
        self.tallies: dict[str, Counter[str]] = {}
        self.fired = 0
        self.refused = 0

    def told(self, told: Told) -> None:
        """One attempt."""
        from orderstate.events.verdicts import DELIVERED
        from orderstate.render import events

        self.tallies.setdefault(told.subscriber, Counter())[told.outcome] += 1
        self._done += 1
        self._shown(self._done, None if self.total is None else max(self.total, self._done))
        if self._log.lines or told.outcome != DELIVERED:
            self._log.tell(events.attempt(told, self._log.now()))

    def timer(self, fired: Fired) -> None:
        """One timer."""
        from orderstate.render import events

        if fired.refused is None:
            self.fired += 1
        else:
            self.refused += 1
        if self._log.lines or fired.refused is not None:
            self._log.tell(events.timer(fired, self._log.now()))

    def trouble(self, error: OrderstateError) -> None:
        """The database cannot be worked on for a moment."""
        self._log.warn(f"{error.code}: {error.sentence}; trying again", code=error.code)


def work(
    ctx: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", help="go on with what comes, until told to stop")] = False,
    subscriber: Annotated[
        list[str] | None,
        typer.Option(
            "--subscriber",
            metavar="NAME",
            help="only for this subscriber, and no timers; repeatable",
            autocompletion=completion.subscribers,
        ),
    ] = None,
    timers: Annotated[
        bool, typer.Option("--timers", help="timers, and of subscribers only those that are named")
    ] = False,
    batch: Annotated[
        int, typer.Option("--batch", metavar="N", min=1, max=10_000, help="at most so many deliveries to a transaction")
    ] = 100,
    log: Format = None,
) -> int:
    """Bring events to their subscribers and fire the timers that are due. Several may run at once."""
    call = called(ctx)
    checked(call, log)
    engine = call.engine()
    _known(call, subscriber or ())
    from orderstate.cli_commands.progress import Progressing, progress
    from orderstate.events import following
    from orderstate.events.subscribing import standings

    # Without a name all are served, unless it is about timers alone.
    only = None if not subscriber and not timers else tuple(subscriber or ())
    with ending() as (bell, got), progress(call.screen, "events") as shown, ExitStack() as stack:
        shows = Progressing(call.screen) if follow else shown
        lines = Log(call, shows)
        report = Report(lines, shows)
        stack.enter_context(lines.undisturbed())
        stack.enter_context(words_on_stderr())
        duty = following.Duty(
            subscribers=only,
            timers=timers or not subscriber,
            batch=batch,
            told=report.told,
            fired=report.timer,
            trouble=report.trouble,
            interruptible=False,
        )
        if follow:
            if call.screen.err.isatty() and not call.screen.json:
                call.screen.word("waiting for events; Ctrl-C ends it")
            following.follow(engine, duty, bell, call.another)
            due = None
        else:
            report.total = sum(s.waiting for s in standings(engine) if only is None or s.subscriber.name in only)
            due = following.clear(engine, duty, bell)
    _sum_up(call, report, duty, due, got)
    return _INTERRUPTED if signal.SIGINT in got else 0


def _known(call: Call, names: tuple[str, ...] | list[str]) -> None:
    """Refuse names that nobody has, and those of relays; say who is switched off."""
    from orderstate.events.subscribing import named

    for name in names:
        found = named(call.engine(), name)
        if found.kind == "relay":
            raise UsageError(f"{name} is a relay", hint=f"orderstate relay --to {name}")
        if not found.enabled and not call.screen.json:
            call.screen.word(f"{name} is off: orderstate subscribers on {name}")


def _sum_up(call: Call, report: Report, duty: Duty, due: tuple[int | None, int | None] | None, got: list[int]) -> None:
    from orderstate.render import events
    from orderstate.render.words import count, iso, moment

    screen = call.screen
    deliveries, timers = due or (None, None)
    if screen.json:
        names = [column.name for column in events.WORKED]
        screen.document(
            {
                "subscribers": [dict(zip(names, row, strict=True)) for row in events.worked(report.tallies)],
                "timers": {"fired": report.fired, "refused": report.refused},
                "next": {
                    "delivery": None if deliveries is None else iso(deliveries),
                    "timer": None if timers is None else iso(timers),
                },
                "stopped": signal.Signals(got[0]).name if got else None,
            }
        )
        return
    if report.tallies or not screen.drawn:
        screen.rows(events.WORKED, events.worked(report.tallies))
    if report.fired or report.refused:
        refused = f", {report.refused} refused" if report.refused else ""
        screen.say(f"{count(report.fired, 'timer')} fired{refused}")
    elif screen.drawn and not report.tallies and not got:
        screen.line("nothing was due")
    if got:
        screen.word("stopped: the rest waits for the next worker")
        return
    if deliveries is not None:
        screen.word(f"the next delivery is due {moment(deliveries)}: {call.command('work', '--follow')}")
    if timers is not None:
        screen.word(f"the next timer is due {moment(timers)}: {call.command('work', '--follow')}")
    if any(counted["parked"] for counted in report.tallies.values()):
        call.next("events", "parked")
        call.suggest()


def words_on_stderr() -> AbstractContextManager[object]:
    """What a subscriber prints goes to stderr, in every thread: stdout is for data, and this program has it already."""
    return redirect_stdout(sys.stderr)


@contextmanager
def ending() -> Iterator[tuple[Bell, list[int]]]:
    """A bell that SIGTERM and Ctrl-C ring, and which of them did. The second one ends the process as it always would:
    nothing is lost by that, as a kill at any moment loses nothing."""
    from orderstate.events.waking import Bell

    bell, got = Bell(), list[int]()
    before: dict[int, object] = {}

    def ring(number: int, frame: FrameType | None) -> None:
        got.append(number)
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        bell.ring()
        if os.isatty(2):
            os.write(2, _STOPPING)  # not through Python's streams, which may be in the middle of a line

    if threading.current_thread() is threading.main_thread():
        before.update({n: signal.signal(n, ring) for n in (signal.SIGINT, signal.SIGTERM)})
    try:
        yield bell, got
    finally:
        for number, handler in before.items():
            # None: one that is not Python's, which cannot be put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # type: ignore[arg-type]  # as it gave it
        bell.close()
