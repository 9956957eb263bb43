"""Commands gathered into transactions. Each command's outcome goes back to whoever sent it, once it is durable."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from orderstate.engine import Answer, Engine
from orderstate.engine.commands import Command
from orderstate.errors import OrderstateError

Outcome = Answer | OrderstateError


class Batches:
    """A queue of commands, `size` to a transaction at most; `unsettled` are the orders that wait for an outcome."""

    def __init__(self, engine: Engine, size: int, flushed: Callable[[], None]) -> None:
        self.unsettled: set[str] = set()
        self._engine = engine
        self._size = size
        self._flushed = flushed
        self._queue: list[tuple[Command, Callable[[Outcome], None]]] = []

    def room(self, commands: int) -> None:
        """Make sure that so many commands come into one transaction."""
        if self._queue and len(self._queue) + commands > self._size:
            self.flush()

    def send(self, order: str, command: Command, then: Callable[[Outcome], None]) -> None:
        """Queue a command about the order of that id."""
        self._queue.append((command, then))
        self.unsettled.add(order)

    def settle(self, orders: Iterable[str]) -> bool:
        """Flush if the outcome of any of the orders is not known yet; says whether it did."""
        if self.unsettled.isdisjoint(orders):
            return False
        self.flush()
        return True

    def flush(self) -> None:
        """Run what is queued, and what the outcomes lead to. Raises what concerns the whole database."""
        while self._queue:
            queue, self._queue = self._queue, []
            self.unsettled.clear()
            outcomes = self._engine.run([command for command, _ in queue], batch=len(queue))
            for (_, then), outcome in zip(queue, outcomes, strict=True):
                then(outcome)
        self._flushed()
