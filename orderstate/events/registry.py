"""Subscribers by what they are called: built in, by entry point, or by dotted path."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from orderstate.engine import Engine
from orderstate.engine.unit import Unit
from orderstate.errors import InvalidInput
from orderstate.events.outcomes import Later
from orderstate.model import Event
from orderstate.plugins import demand, load, path_of

GROUP = "orderstate.subscribers"
"""The entry point group in which an installed package offers subscribers."""

BUILT_IN = {
    "sourcing": "local",
    "restock": "outside",
    "fulfilment": "local",
    "notify": "outside",
}
"""Names of the subscribers in built_in.py, and what kind each is."""

Local = Callable[[Event, Unit], object]
"""Works inside the delivery's transaction: what it does through the unit is there exactly once."""

Outside = Callable[[Event, Engine], object]
"""Is called with no transaction open, at least once. It raises Later or Never where it could not be done."""

LEASE = 60
"""Seconds that an outside subscriber may take before another worker may call it for the same event.

A function may carry a `lease` of its own.
"""

LONGEST_LEASE = 86_400


@dataclass(frozen=True, slots=True)
class Handler:
    """A subscriber, loaded. An outside one is opened once for many events, so that it can keep a connection."""

    call: Callable[[Event, Any], object]
    open: Callable[[Engine], AbstractContextManager[Callable[[Event], object]]]
    lease: int


@cache
def handler(target: str, kind: str) -> Handler:
    """What is called for a subscriber.

    An outside one may carry `opened(engine)`, a context manager that gives what is called with each event.
    Raises NotFound with close matches for an unknown name, InvalidInput for what cannot be loaded or called.
    """
    own = BUILT_IN.get(target)
    if own not in (None, kind):
        raise InvalidInput("kind", kind, f"what {target} is: {own}")
    path = f"orderstate.events.built_in:{target}" if own else path_of("subscriber", target, GROUP, BUILT_IN)
    try:
        found = load("subscriber", target, path)
    except SystemExit as ended:
        raise InvalidInput(
            "subscriber", target, "a subscriber that can be loaded", hint=f"{path} ends the program"
        ) from ended
    inside = "the open unit" if kind == "local" else "the engine"
    demand("subscriber", target, path, found, 2, f"a callable that takes the event and {inside}")
    _demand_at_once(target, path, found)

    def simply(engine: Engine) -> AbstractContextManager[Callable[[Event], object]]:
        return nullcontext(lambda event: found(event, engine))

    opened = getattr(found, "opened", simply)
    if not callable(opened):
        raise InvalidInput("subscriber", target, "one whose `opened` can be called", hint=f"{path}.opened: {opened!r}")
    _demand_at_once(target, f"{path}.opened", opened)
    return Handler(found, opened, _lease(target, getattr(found, "lease", LEASE)))


def _demand_at_once(target: str, path: str, found: object) -> None:
    """Refuse what only begins when somebody awaits it or asks for its items: nobody does. Raises InvalidInput."""
    from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction

    while isinstance(found, partial):
        found = found.func
    for each in (found, type(found).__call__):
        if iscoroutinefunction(each) or isasyncgenfunction(each) or isgeneratorfunction(each):
            raise InvalidInput(
                "subscriber",
                target,
                "an ordinary function, which has done its work when it returns",
                hint=f"{path} is async or a generator: it would be made, not run; call asyncio.run(...) in a function",
            )


def demand_done(returned: object) -> None:
    """Refuse what a call returned where its work is yet to be done. Raises Later: an attempt that failed."""
    if returned is None or not isinstance(returned, Awaitable | Generator | AsyncGenerator):
        return
    if isinstance(returned, Coroutine | Generator):
        returned.close()  # Python would warn of one that nobody ran
    raise Later(f"it returned an unfinished {type(returned).__name__}, which nobody runs: nothing was done")


def _lease(target: str, lease: object) -> int:
    if isinstance(lease, bool) or not isinstance(lease, int) or not 1 <= lease <= LONGEST_LEASE:
        raise InvalidInput("lease", lease, f"whole seconds from 1 to {LONGEST_LEASE}, as {target} must say")
    return lease
