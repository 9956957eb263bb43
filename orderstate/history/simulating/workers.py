"""The processes of a simulation: one pair each at a time, the answers in the order of the tasks.

A worker ignores Ctrl-C, which its parent answers by ending it, and it ends by itself when the parent is gone, however
that ended: then its pipe is broken, and it writes to that every few hundred orders.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from orderstate.errors import OrderstateError
from orderstate.history.simulating.playing import Played, Task, play

_PATIENCE = 5
"""Seconds that a worker which was told to end may take before it is killed."""


def play_all(tasks: Sequence[Task], workers: int, told: Callable[[int], None]) -> list[Played]:
    """Play every task, on so many processes; one worker is this process.

    `told` hears of orders as they are done. Raises what the first task that fails raises, by the order of the tasks,
    and OrderstateError for a worker that ended before it answered.
    """
    workers = min(workers, len(tasks))
    if workers == 1:
        return [play(task, told) for task in tasks]
    crew = _Crew(tasks, told)
    try:
        crew.start(workers)
        return crew.work()
    finally:
        crew.end()


class _Crew:
    """The workers and what each is doing."""

    def __init__(self, tasks: Sequence[Task], told: Callable[[int], None]) -> None:
        self._tasks = tasks
        self._told = told
        self._next = 0
        self._processes: dict[Connection, SpawnProcess] = {}
        self._doing: dict[Connection, int] = {}
        self._played: dict[int, Played] = {}
        self._failed: dict[int, OrderstateError] = {}

    def start(self, workers: int) -> None:
        """Start the processes; spawned, because a fork would share what SQLite and threads do not survive."""
        context = get_context("spawn")
        for _ in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs,), daemon=True)
            with _undisturbed():
                process.start()
            theirs.close()
            self._processes[ours] = process
            self._hand_out(ours)

    def _hand_out(self, worker: Connection) -> None:
        """Give a worker its next task. After a failure there is none: only earlier tasks could still change the answer,
        and they are under way."""
        if self._next < len(self._tasks) and not self._failed:
            self._doing[worker] = self._next
            # A worker that is gone shows itself when its answer is waited for.
            with suppress(OSError):
                worker.send(self._tasks[self._next])
            self._next += 1

    def work(self) -> list[Played]:
        """Wait until every task is done, or one has failed and those before it are done."""
        while any(not self._failed or task < min(self._failed) for task in self._doing.values()):
            for worker in wait(list(self._doing)):
                assert isinstance(worker, Connection)
                self._hear(worker)
        if self._failed:
            raise self._failed[min(self._failed)]
        return [self._played[task] for task in range(len(self._tasks))]

    def _hear(self, worker: Connection) -> None:
        try:
            kind, content = worker.recv()
        except (EOFError, OSError):
            self._failed[self._doing.pop(worker)] = self._lost(worker)
            return
        if kind == "told":
            self._told(content)
            return
        task = self._doing.pop(worker)
        if kind == "played":
            self._played[task] = content
        else:
            self._failed[task] = _restored(*content)
        self._hand_out(worker)

    def _lost(self, worker: Connection) -> OrderstateError:
        process = self._processes[worker]
        process.join(_PATIENCE)
        return OrderstateError(
            f"a worker of the simulation ended with exit status {process.exitcode} before it had answered",
            hint="--workers 1 plays everything in one process; a script calls simulate() under "
            'if __name__ == "__main__"',
            code="worker_lost",
            status=process.exitcode,
        )

    def end(self) -> None:
        """End every worker, whatever it is doing."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.join(_PATIENCE)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()
        for worker in self._processes:
            worker.close()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach: they inherit which signals are blocked, from their first moment."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(parent: Connection) -> None:
    """What a worker does: tasks in, answers out, until the parent is gone."""
    with suppress(EOFError, OSError):
        while True:
            task = parent.recv()
            try:
                played = play(task, lambda orders: parent.send(("told", orders)))
            except OrderstateError as error:
                parent.send(("failed", _taken_apart(error)))
            else:
                parent.send(("played", played))


def _taken_apart(error: OrderstateError) -> tuple[type[OrderstateError], dict[str, Any]]:
    """An error as it goes through a pipe: by its class and fields, since each class takes other arguments."""
    return type(error), dict(vars(error))


def _restored(kind: type[OrderstateError], fields: dict[str, Any]) -> OrderstateError:
    error = kind.__new__(kind)
    vars(error).update(fields)
    error.args = (error.sentence,)
    return error
