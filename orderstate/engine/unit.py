"""An open transaction in which somebody else works: what is done inside commits together, or not at all."""

from __future__ import annotations

from collections.abc import Callable

from orderstate.engine.answer import Answer
from orderstate.engine.commands import Command
from orderstate.engine.session import Session
from orderstate.errors import OrderstateError
from orderstate.machine import Machine
from orderstate.model import Order
from orderstate.store import orders
from orderstate.store.sqlite import Transaction


class Unit:
    """Commands inside one transaction that somebody else commits.

    `tx` is the store's transaction, `now` its moment (UTC microseconds).
    """

    __slots__ = ("_attempt", "_once", "_session")

    def __init__(
        self,
        session: Session,
        once: Callable[[Session, Command], Answer],
        attempt: Callable[[Session, Command], Answer | OrderstateError],
    ) -> None:
        self._session = session
        self._once = once
        self._attempt = attempt

    @property
    def tx(self) -> Transaction:
        """The open transaction."""
        return self._session.tx

    @property
    def now(self) -> int:
        """UTC microseconds at the beginning of the transaction, or of its newest command."""
        return self._session.now

    @property
    def machine(self) -> Machine:
        """The flow in force."""
        return self._session.machine

    def order(self, order: str) -> Order:
        """The order as it stands. Raises NotFound."""
        return orders.read(self.tx, order)

    def execute(self, command: Command) -> Answer:
        """Run a command. Raises what the command raises: then everything is to be undone."""
        return self._once(self._session, command)

    def attempt(self, command: Command) -> Answer | OrderstateError:
        """Run a command; one that fails changes nothing but the count of refusals, and its error is given back."""
        return self._attempt(self._session, command)
