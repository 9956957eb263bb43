"""One command to its outcome, and several at the same time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Thread
from typing import Any

from orderstate.engine import Answer, Engine
from orderstate.engine.commands import Command
from orderstate.errors import Damaged, OrderstateError
from orderstate.scenario.report import Outcome
from orderstate.scenario.script import World
from orderstate.scenario.settling import unchecked


def outcome_of(asked: Mapping[str, Any], found: Answer | OrderstateError) -> Outcome:
    """An answer or an error, with the document of what was asked."""
    if isinstance(found, Answer):
        return Outcome(asked, found.document, found.repeated)
    return Outcome(asked, found.document())


def executed(engine: Engine, command: Command, asked: Mapping[str, Any]) -> Outcome:
    """What a command comes to. Raises OrderstateError where its database cannot be written: that is no answer to it."""
    try:
        return outcome_of(asked, engine.execute(command))
    except OrderstateError as error:
        if isinstance(error, Damaged) or error.code == "disk_full":
            raise
        return outcome_of(asked, error)


class _Racer(Thread):
    """One command with an engine of its own, which waits at the line until all are there."""

    def __init__(
        self,
        database: Path,
        clock: Callable[[], int],
        line: Barrier,
        command: Command,
        asked: Mapping[str, Any],
        world: World,
    ) -> None:
        super().__init__(name=f"scenario {command.name}")
        self.database, self.clock, self.line = database, clock, line
        self.command, self.asked, self.world = command, asked, world
        self.outcome: Outcome | None = None
        self.broken: BaseException | None = None

    def run(self) -> None:
        """Open, wait, execute."""
        try:
            with Engine.open(self.database, clock=self.clock) as engine:
                unchecked(engine, self.world)
                self.line.wait()
                self.outcome = executed(engine, self.command, self.asked)
        except BrokenBarrierError as given_up:
            self.broken = given_up
        except BaseException as broken:  # noqa: BLE001 - raised again in the thread that asked for the race
            self.broken = broken
            self.line.abort()


def race(
    database: Path, clock: Callable[[], int], commands: Sequence[tuple[Command, Mapping[str, Any]]], world: World
) -> list[Outcome]:
    """The outcome of each command, when all are let go at the same moment."""
    line = Barrier(max(len(commands), 1))
    racers = [_Racer(database, clock, line, command, asked, world) for command, asked in commands]
    started: list[_Racer] = []
    try:
        for racer in racers:
            racer.start()
            started.append(racer)
        for racer in racers:
            racer.join()
    except BaseException:
        # Nobody may use the database any more when its folder goes.
        line.abort()
        for racer in started:
            racer.join()
        raise
    for racer in racers:
        if racer.broken is not None and not isinstance(racer.broken, BrokenBarrierError):
            raise racer.broken
    return [racer.outcome for racer in racers if racer.outcome is not None]
