"""How commands run: each in its own transaction, or many in one; keys, savepoints, and the count of refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any

from orderstate.engine import changing, moving, retying, stocking
from orderstate.engine.answer import Answer
from orderstate.engine.commands import (
    Adjust,
    Advance,
    Cancel,
    Command,
    Configure,
    Count,
    Fire,
    Place,
    Receive,
    Redirect,
    Retie,
    SetFacility,
    Split,
    UseFlow,
)
from orderstate.engine.observing import Observer, Outcome
from orderstate.engine.reader import Reader
from orderstate.engine.session import Session
from orderstate.engine.unit import Unit
from orderstate.errors import InvalidInput, KeyReused, OrderstateError, Refused, StockShort
from orderstate.store import events


def _use_flow(s: Session, c: UseFlow) -> Answer:
    from orderstate.engine.flowing import use_flow  # reads and checks flows, which no other command does

    return use_flow(s, c)


HANDLERS: Mapping[type[Command], Callable[[Session, Any], Answer]] = {
    Place: moving.place,
    Fire: moving.fire,
    Retie: retying.retie,
    Advance: moving.advance,
    Cancel: changing.cancel,
    Redirect: changing.redirect,
    Split: changing.split,
    Receive: stocking.receive,
    Adjust: stocking.adjust,
    Count: stocking.count,
    SetFacility: stocking.set_facility,
    Configure: stocking.configure,
    UseFlow: _use_flow,
}


class Runner(Reader):
    """The half of an engine that runs commands."""

    observer: Observer | None = None
    """Who watches this engine, if anybody does."""

    def execute(self, command: Command) -> Answer:
        """Run one command in its own transaction."""
        outcome = self._alone(command)
        if isinstance(outcome, OrderstateError):
            raise outcome
        return outcome

    def run(self, commands: Iterable[Command], *, batch: int = 1) -> Iterator[Answer | OrderstateError]:
        """Run many commands, `batch` to a transaction, and give each one's answer or error once it is durable.

        A command that is refused changes nothing and does not stop the others. Raises what concerns the whole database:
        Locked, ReadOnly, Damaged.
        """
        if batch < 1:
            raise InvalidInput("batch", batch, "a whole number from 1")
        queue = iter(commands)
        while chunk := list(islice(queue, batch)):
            if len(chunk) == 1:
                yield self._alone(chunk[0])
                continue
            with self.store.write() as tx:
                session = Session(tx, self._cache, self.clock())
                outcomes = [self._among(self._attempt, session, command) for command in chunk]
            yield from outcomes

    def all_or_nothing(self, commands: Iterable[Command]) -> list[Answer]:
        """Run many commands in one transaction; the first that fails undoes all and is raised."""
        with self.store.write() as tx:
            session = Session(tx, self._cache, self.clock())
            return [self._among(self._once, session, command) for command in commands]

    @contextmanager
    def unit(self) -> Iterator[Unit]:
        """One transaction for somebody who does more in it than commands: it commits at the end, or not at all."""
        with self.store.write() as tx:
            session = Session(tx, self._cache, self.clock())
            yield Unit(session, partial(self._among, self._once), partial(self._among, self._attempt))

    def _among(self, run: Callable[[Session, Command], Outcome], session: Session, command: Command) -> Outcome:
        """Run one of the commands of a transaction; an observer watches each by itself."""
        if self.observer is None:
            return run(session, command)

        def traced(trace: str | None) -> Outcome:
            session.trace = trace
            return run(session, command)

        return self.observer.command(command, traced)

    def _alone(self, command: Command) -> Answer | OrderstateError:
        if self.observer is None:
            return self._by_itself(command, None)
        return self.observer.command(command, partial(self._by_itself, command))

    def _by_itself(self, command: Command, trace: str | None) -> Answer | OrderstateError:
        # A savepoint costs a durable command as much as two rows, and alone it would undo what the transaction undoes.
        with self.store.write() as tx:
            session = Session(tx, self._cache, self.clock())
            session.trace = trace
            try:
                return self._once(session, command)
            except OrderstateError as error:
                tx.begin_again()
                self._count_refusal(session, error)
                return error

    def _attempt(self, session: Session, command: Command) -> Answer | OrderstateError:
        execute = session.tx.execute
        execute("SAVEPOINT command")
        try:
            answer = self._once(session, command)
        except OrderstateError as error:
            execute("ROLLBACK TO command")
            self._count_refusal(session, error)
            return error
        finally:
            execute("RELEASE command")
        return answer

    def _once(self, session: Session, command: Command) -> Answer:
        session.now = self.clock() if command.at is None else command.at
        session.role, session.by = command.role, command.by
        handler = HANDLERS[type(command)]
        if command.key is None:
            return handler(session, command)
        fingerprint = command.fingerprint()
        first = events.first_answer(session.tx, command.key)
        if first is None:
            answer = handler(session, command)
            events.remember(session.tx, command.key, fingerprint, answer.document, session.now)
            return answer
        if first[0] != fingerprint:
            raise KeyReused(
                f"key {command.key!r} was used before for another {first[1]['command']}",
                hint="use a new key, or repeat the first command unchanged",
                key=command.key,
                first=first[1],
            )
        return Answer(first[1], repeated=True)

    def _count_refusal(self, session: Session, error: OrderstateError) -> None:
        order, trigger = error.values.get("order"), error.values.get("trigger")
        if not isinstance(error, Refused | StockShort) or not isinstance(order, str) or not isinstance(trigger, str):
            return
        row = session.tx.execute(session.tx.sql.order_at, (order,)).fetchone()
        if row is not None:
            codes = [b.code for b in error.blocked] or [error.code]
            events.count_refusal(session.tx, row[2], trigger, codes, session.now)
