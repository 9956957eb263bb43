"""Mistakes of a file, all of them: each part that is read by itself may fail by itself."""

from __future__ import annotations

from types import TracebackType

from orderstate.errors import OrderstateError


class Collecting:
    """Keeps what is raised inside and goes on behind it: `with collecting: ...`. Programming errors go through."""

    def __init__(self, mistakes: list[OrderstateError]) -> None:
        self.mistakes = mistakes

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if not isinstance(error, OrderstateError):
            return False
        self.mistakes.append(error)
        return True
