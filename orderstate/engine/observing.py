"""Who watches an engine at work: told of commands, deliveries and messages as they run. Nobody does, unless asked to.

An engine without an observer asks one attribute for each command, and knows no more than this about who could listen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from orderstate.engine.answer import Answer
from orderstate.engine.commands import Command
from orderstate.errors import OrderstateError
from orderstate.model import Event
from orderstate.store.deliveries import Delivery


class Judged(Protocol):
    """What became of a delivery or of a message, in one word, and why if it was not done."""

    @property
    def outcome(self) -> str: ...
    @property
    def reason(self) -> str | None: ...


Outcome = TypeVar("Outcome", bound=Answer | OrderstateError)
Judgement = TypeVar("Judgement", bound=Judged)


class Observer(Protocol):
    """Watches one engine, in the engine's thread. It raises nothing of its own.

    Where something is handed over as `run`, it is run exactly once, and what it gives or raises is passed on.
    """

    def command(self, command: Command, run: Callable[[str | None], Outcome]) -> Outcome:
        """One command. `run` takes the W3C traceparent that is kept with the events that it writes."""

    def delivery(self, delivery: Delivery, run: Callable[[], Judgement]) -> Judgement:
        """One attempt to bring an event to a subscriber, under the trace that the event carries."""

    def attempted(self, subscriber: str, outcome: str) -> None:
        """An attempt was written down."""

    def published(self, sink: str, began: int, answers: Sequence[tuple[Event, str, str | None]]) -> None:
        """A relay's wave is through: each event with what became of it, and why not.

        began: when the wave was handed to the broker (UTC nanoseconds).
        """

    def message(
        self,
        source: str,
        id: str,
        type: str | None,
        trace: str | None,
        contact: object,
        run: Callable[[], Judgement],
    ) -> Judgement:
        """One message of another system, under the trace that it carries.

        contact: what nobody is to be shown, as it may be quoted in the reason.
        """

    def consumed(self, broker: str, outcome: str) -> None:
        """What became of a message was written down."""
