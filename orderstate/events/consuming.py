"""Commands and events of other systems, through the inbox: each has its effect once, whatever the broker repeats.

Many messages go into one transaction, a savepoint each, and a message's effect commits together with the row that
remembers it. Only then is it acknowledged: whoever dies in between finds the row when the message comes again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from orderstate.engine import Engine
from orderstate.engine.unit import Unit
from orderstate.errors import Conflict, Damaged, InvalidInput, OrderstateError, ReadOnly, Refused, StaleVersion
from orderstate.events.applying import APPLIED, NOTHING, apply, concerns
from orderstate.events.brokers.message import Source
from orderstate.events.incoming import Incoming, Unreadable, read
from orderstate.events.outcomes import Later, Never, one_line
from orderstate.events.own_files import refuse_own
from orderstate.events.relaying import PATIENCE, PAUSES
from orderstate.events.verdicts import PARKED, reason_of
from orderstate.events.wire import source as origin_of
from orderstate.store import deliveries
from orderstate.store.deliveries import Parked

BATCH = 100
"""Messages to a transaction."""

WAIT = 1.0
"""Seconds that a broker is asked for messages before we ask whether to stop."""

QUIET = 6.0
"""Seconds without a message after which a broker counts as empty: longer than it takes to give out again what another
reader held when it died."""

JOINING = {"kafka": 15.0, "redis": 12.0, "rediss": 12.0}
"""The same while nothing has come yet, by scheme: until Kafka has noticed that an earlier reader is gone, and until the
lease of one that died has run out in Redis."""

QUIET_FILE = 0.3
"""The same for a FILE, which has no other readers."""

STDIN = "-"
"""The name of the source that is standard input."""

REPEATED, IGNORED = "repeated", "ignored"

_STANDARD_INPUT = 0

_SLICE = 0.1

_FAULTS = (
    OrderstateError, ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError
)  # fmt: skip
"""What a message may lead to without taking the others with it; not what the database driver raises: then the whole
transaction is gone."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of one message: applied, nothing to do, repeated, ignored, or parked for `reason`.

    repeated: it was here before. ignored: it is not for this database; nothing was written down.
    """

    source: str
    id: str
    type: str | None
    outcome: str
    subject: str = ""
    reason: str | None = None
    took: float = 0.0


class _Again(Exception):
    """The database was in the way, and no message is to blame."""

    def __init__(self, error: OrderstateError) -> None:
        self.error = error


class Consumer:
    """Applies the messages of one source to one database, in the thread that made the engine.

    `told` hears of every message after the commit; `said` of the broker, or the database, standing in the way. `stop`
    is asked between two transactions. `give_up` in seconds: how long the broker may be down; None: for ever.

    Raises InvalidInput where the source is a file of the database itself.
    """

    def __init__(
        self,
        engine: Engine,
        source: Source,
        *,
        batch: int = BATCH,
        told: Callable[[Heard], None] = lambda _: None,
        said: Callable[[str], None] = lambda _: None,
        stop: Callable[[], bool] = lambda: False,
        pauses: Sequence[float] = PAUSES,
        give_up: float | None = PATIENCE,
    ) -> None:
        if batch < 1:
            raise InvalidInput("batch", batch, "a whole number from 1")
        refuse_own(engine.store.path, "from", source.name, _STANDARD_INPUT)
        self._engine = engine
        self._source = source
        self._batch = batch
        self._told = told
        self._said = said
        self._stop = stop
        self._pauses = pauses
        self._give_up = give_up
        self._own = origin_of(engine.id)
        self._tries = 0
        self._down_since: float | None = None

    def run(self, quiet: float | None = None, first: float = 0.0) -> None:
        """Apply what comes until told to stop, or with `quiet` until nothing came for so many seconds.

        `first`: seconds that the first message may take, where that is longer.

        Raises Conflict where the broker, or the database, stays unreachable, Refused where a person must mend the
        set-up (`broker_refused`), and what concerns the whole database: ReadOnly, Damaged.
        """
        try:
            self._run(quiet, first)
        finally:
            self._source.close()
        if begun := self._source.begun:
            self._said(f"{self._source.name}: its last {begun} bytes have no line end and were left out")

    def _run(self, quiet: float | None, first: float) -> None:
        last = time.monotonic()
        enough = None if quiet is None else max(quiet, first)
        while not self._stop():
            taken = self._source.taken
            try:
                if self._received(WAIT if quiet is None else min(WAIT, quiet)):
                    last, enough = time.monotonic(), quiet
                elif self._source.taken != taken:  # in the middle of a long line
                    last = time.monotonic()
                elif self._source.ended or (enough is not None and time.monotonic() - last >= enough):
                    return
            except Later as error:
                self._pause(error.reason, "broker_down", error.after)
            except Never as error:
                raise Refused(
                    error.reason, code="broker_refused", hint="nothing was lost; mend it, and try again"
                ) from error

    def _received(self, wait: float) -> int:
        """Receive and apply once; how many messages came."""
        self._source.open()
        got = self._source.receive(self._batch, wait)
        messages = [read(one.body, self._source.name, one.headers) for one in got]
        try:
            heard = apply_all(self._engine, messages, self._own)
        except _Again as again:
            # All of them, in their order: the order per key would be gone if later ones went first.
            for one in got:
                one.again()
            self._pause(reason_of(again.error), again.error.code, None)
            return len(got)
        if self._down_since is not None:
            self._said(f"{self._source.name}: going on")
        self._tries, self._down_since = 0, None
        for one in got:
            one.done()
        for told in heard:
            if self._engine.observer is not None:
                self._engine.observer.consumed(self._source.name, told.outcome)
            self._told(told)
        return len(got)

    def _pause(self, reason: str, code: str, after: float | None) -> None:
        """Wait, longer each time. Raises Conflict when that goes on for too long."""
        now = time.monotonic()
        if self._down_since is None:
            self._down_since = now
            self._said(f"{reason}; trying again")
        elif self._give_up is not None and now - self._down_since > self._give_up:
            raise Conflict(reason, code=code, hint="what was not acknowledged comes again: run it again")
        pause = max(self._pauses[min(self._tries, len(self._pauses) - 1)], after or 0.0)
        self._tries += 1
        while (left := now + pause - time.monotonic()) > 0 and not self._stop():
            time.sleep(min(_SLICE, left))


def apply_all(engine: Engine, messages: Sequence[Incoming | Unreadable], own: str) -> list[Heard]:
    """Apply messages in their order, in one transaction; what became of each, once it is durable."""
    if not any(isinstance(m, Unreadable) or concerns(m, own) for m in messages):
        return [_ignored(m) for m in messages if isinstance(m, Incoming)]
    heard = []
    try:
        with engine.unit() as unit:
            began = unit.now
            for place, message in enumerate(messages):
                if isinstance(message, Incoming) and not concerns(message, own):
                    heard.append(_ignored(message))
                else:
                    # A moment each, so that what is parked together is listed and replayed in its order.
                    heard.append(_watched(engine, message, partial(_settle, unit, message, began + place)))
    except Conflict as error:
        raise _Again(error) from error
    return heard


def quiet_of(name: str) -> tuple[float | None, float]:
    """When the source of that name counts as empty: (seconds after the last message, seconds without a first one).

    None: never, as standard input, which says by itself when it ends, however long its writer thinks.
    """
    if name == STDIN:
        return None, 0.0
    scheme, separator, _ = name.partition("://")
    return (QUIET, JOINING.get(scheme, QUIET)) if separator else (QUIET_FILE, QUIET_FILE)


def own_group(engine: Engine) -> str:
    """The group of a database: two of them on one stream must both hear everything."""
    return f"orderstate-{engine.id[:12]}"


def retry(engine: Engine, parked: Parked) -> str | None:
    """Apply a parked message once more, in a transaction of its own; why it stays parked, or None where it does not.

    Raises Conflict where the database was in the way.
    """
    message: Incoming | Unreadable = read((parked.body or "").encode(), parked.source)
    own = origin_of(engine.id)
    with engine.unit() as unit:
        state = deliveries.received(unit.tx, parked.source, parked.id)
        if state is None or state[1] is None:
            return None
        if isinstance(message, Unreadable):
            # What is kept of it may be cut: what was wrong with the whole of it was said when it came.
            reason = parked.error or message.reason
            message = Unreadable(parked.source, parked.id, parked.type, parked.body or "", reason)
        elif not concerns(message, own):
            deliveries.receive(unit.tx, parked.source, parked.id, unit.now, type=message.type)
            return None
        heard = _watched(engine, message, partial(_settle, unit, message, unit.now, again=True))
        if (heard.source, heard.id) != (parked.source, parked.id) and heard.outcome != PARKED:
            # It could not be read when it came, and was known by what it says.
            deliveries.receive(unit.tx, parked.source, parked.id, unit.now, type=heard.type)
        return heard.reason


def _watched(engine: Engine, message: Incoming | Unreadable, settle: Callable[[], Heard]) -> Heard:
    if engine.observer is None:
        return settle()
    trace, contact = (message.trace, message.data.get("contact")) if isinstance(message, Incoming) else (None, None)
    return engine.observer.message(message.source, message.id, message.type, trace, contact, settle)


def _settle(unit: Unit, message: Incoming | Unreadable, at: int, *, again: bool = False) -> Heard:
    """Apply one message and remember it. `again`: although it was parked."""
    began = time.perf_counter()
    state = deliveries.received(unit.tx, message.source, message.id)
    if state is not None and (state[0] is not None or not again):
        return Heard(message.source, message.id, message.type, REPEATED)
    outcome = message.reason if isinstance(message, Unreadable) else _attempted(unit, message)
    parked = outcome not in (APPLIED, NOTHING)
    reason = outcome if parked else None
    deliveries.receive(
        unit.tx,
        message.source,
        message.id,
        at,
        type=message.type,
        body=message.text if parked else None,
        error=reason,
        parked=parked,
    )
    subject = message.subject if isinstance(message, Incoming) else ""
    took = time.perf_counter() - began
    return Heard(message.source, message.id, message.type, PARKED if parked else outcome, subject, reason, took)


def _attempted(unit: Unit, message: Incoming) -> str:
    """APPLIED or NOTHING; or why not, and then nothing was changed but the count of refusals."""
    error: BaseException
    try:
        with unit.tx.savepoint():
            outcome = apply(unit, message)
        if isinstance(outcome, str):
            return outcome
        error = outcome
    except _FAULTS as fault:
        error = fault
    if isinstance(error, Damaged | ReadOnly) or (isinstance(error, Conflict) and not isinstance(error, StaleVersion)):
        raise error  # it is the database that stands in the way
    blocked = getattr(error, "blocked", ())
    if isinstance(error, OrderstateError) and blocked:  # a refusal says why in what blocked it
        return one_line(f"{error.sentence}: {'; '.join(b.sentence for b in blocked)}")
    return reason_of(error)


def _ignored(message: Incoming) -> Heard:
    return Heard(message.source, message.id, message.type, IGNORED, message.subject)
