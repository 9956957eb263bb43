"""Whether standard error is free for notices: where a program reads it line by line, they have no place there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_gate = threading.Lock()
_said: list[Callable[[], object]] = []
"""Who asked for it; more than one only where they are nested. For the whole process, as standard error is."""


@contextmanager
def no_console(said: Callable[[], object]) -> Iterator[None]:
    """While this lasts, channels that are opened leave the console out; the first time `said` is called, by any thread.

    A channel that is given a stream of its own is not concerned.
    """
    told = False

    def once() -> None:
        nonlocal told
        with _gate:
            first, told = not told, True
        if first:
            said()

    _said.append(once)
    try:
        yield
    finally:
        _said.remove(once)


def left_out() -> bool:
    """Whether the console is to be left out now; who asked for that hears of it."""
    for once in _said[-1:]:
        once()
    return bool(_said)
