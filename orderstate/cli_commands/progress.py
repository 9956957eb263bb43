"""A progress bar on stderr for what takes longer than a second, where a person is looking."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

    from orderstate.cli_commands.screen import Screen

_PATIENCE = 1.0
"""Seconds without a bar: what is done by then needs none, and does not pay for rich."""


@contextmanager
def progress(screen: Screen, things: str = "orders") -> Iterator[Progressing]:
    """Gives a function of (done, total); total None: not known yet. The bar goes away at the end."""
    if not screen.err.isatty() or screen.json:
        yield Progressing(screen)
        return
    bar = _Bar(screen, things)
    try:
        yield bar
    finally:
        bar.stop()


class Progressing:
    """How far something is; here nobody looks."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def __call__(self, done: int, total: int | None) -> None:
        """So many are done."""

    def word(self, text: str) -> None:
        """A line for a person, above the bar."""
        self._screen.word(text)


class _Bar(Progressing):
    def __init__(self, screen: Screen, things: str) -> None:
        super().__init__(screen)
        self._things = things
        self._begin = time.monotonic()
        self._progress: Progress | None = None
        self._total: int | None = None

    def __call__(self, done: int, total: int | None) -> None:
        if self._progress is None:
            if time.monotonic() - self._begin < _PATIENCE:
                return
            self._start()
        assert self._progress is not None
        if total != self._total:
            self._total = total
            self._progress.reset(self._progress.task_ids[0], total=total)
        what = "reading" if total is None else self._things
        self._progress.update(self._progress.task_ids[0], completed=done, total=total, description=what)

    def word(self, text: str) -> None:
        if self._progress is None:
            super().word(text)
        else:
            self._progress.console.print(text, markup=False, highlight=False, emoji=False)

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
