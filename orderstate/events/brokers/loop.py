"""An event loop in a thread of its own, for the clients that are written for asyncio.

Not `asyncio.run` around each call: between two calls a broker asks for signs of life (AMQP every 30 s, NATS pings) and
hangs up on a client whose loop stands still, and messages that are worked on have to be kept from coming again.
"""

from __future__ import annotations

import asyncio
import threading
from abc import abstractmethod
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar

from orderstate.events.brokers.extras import needed
from orderstate.events.brokers.message import Opened

Value = TypeVar("Value")


class Loop:
    """Runs coroutines for a caller that is no coroutine. Starts with the first one."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def run(self, work: Coroutine[Any, Any, Value]) -> Value:
        """Run to its end; an interrupt of the caller cancels it."""
        if self._loop is None:
            self._start()
        assert self._loop is not None
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    @property
    def running(self) -> bool:
        """Whether something was run since the last `close`."""
        return self._thread is not None

    def close(self) -> None:
        """End the thread; tasks that still run are cancelled. Safe to call twice."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._thread = self._loop = self._stop = None

    def _start(self) -> None:
        ready = threading.Event()

        async def serve() -> None:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            ready.set()
            await self._stop.wait()

        def live() -> None:
            with asyncio.Runner() as runner:
                runner.run(serve())

        self._thread = threading.Thread(target=live, name="orderstate-broker", daemon=True)
        self._thread.start()
        ready.wait()


class OnLoop(Opened):
    """A sink or a source whose client lives on a loop of its own: opened once, let go of together with the loop."""

    client: ClassVar[tuple[str, str]]
    """The package that has the client, and the extra that installs it."""

    def __init__(self) -> None:
        self._loop = Loop()

    def open(self) -> None:
        """Connect, and make or verify what is published to or read from."""
        if self._alive():
            return
        needed(*self.client)
        try:
            self._loop.run(self._opened())
        except BaseException:
            self._loop.close()
            raise

    def close(self) -> None:
        """Let go of the connection and its thread."""
        if self._loop.running:
            self._loop.run(self._closed())
        self._loop.close()

    @abstractmethod
    def _alive(self) -> bool:
        """Whether the connection can be used."""

    @abstractmethod
    async def _opened(self) -> None:
        """Connect anew."""

    @abstractmethod
    async def _closed(self) -> None:
        """Let go of the connection, if there is one."""
