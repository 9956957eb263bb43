"""A progress bar on stderr for what takes longer than a second, where a person is looking."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

    from orderstate.cli_commands.screen import Screen

_PATIENCE = 1.0
"""Seconds without a bar: what is done by then needs none, and does not pay for rich."""


@contextmanager
def progress(screen: Screen) -> Iterator[Callable[[int, int | None], None]]:
    """Gives a function of (done, total); total None: not known yet. The bar goes away at the end."""
    if not screen.err.isatty() or screen.json:
        yield lambda done, total: None
        return
    bar = _Bar(screen)
    try:
        yield bar.show
    finally:
        bar.stop()


class _Bar:
    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._begin = time.monotonic()
        self._progress: Progress | None = None
        self._total: int | None = None

    def show(self, done: int, total: int | None) -> None:
        if self._progress is None:
            if time.monotonic() - self._begin < _PATIENCE:
                return
            self._start()
        assert self._progress is not None
        if total != self._total:
            self._total = total
            self._progress.reset(self._progress.task_ids[0], total=total)
        what = "reading" if total is None else "orders"
        self._progress.update(self._progress.task_ids[0], completed=done, total=total, description=what)

    def stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(file=self._screen.err),
            transient=True,
        )
        self._progress.add_task("reading", total=None)
        self._progress.start()
