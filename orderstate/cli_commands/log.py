"""What a program says on stderr while it runs: sentences for a person, or with `--log json` lines of JSON."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orderstate.cli_commands.call import Call
from orderstate.cli_commands.failing import UsageError

if TYPE_CHECKING:
    from orderstate.cli_commands.progress import Progressing

Format = Annotated[
    str | None, typer.Option("--log", metavar="FORMAT", help="json: every attempt as a line of JSON on stderr")
]
_JSON = "json"


def checked(call: Call, log: str | None) -> None:
    """Refuse a format that is not known; from then on the call knows what its lines are. Raises UsageError."""
    if log not in (None, _JSON):
        raise UsageError(f"--log: {log!r} is not {_JSON}", hint=f"{call.path} --log {_JSON}")
    call.log = log is not None


class Log:
    """Lines of JSON if the call says so; else sentences, and under `--json` nothing, as stderr is for errors then.

    For several threads at once.
    """

    def __init__(self, call: Call, shown: Progressing) -> None:
        self.lines = call.log
        self._sentences = not call.log and not call.screen.json
        self._clock = call.engine().clock
        self._shown = shown
        self._gate = threading.Lock()

    def now(self) -> int:
        """The engine's clock: UTC us."""
        return self._clock()

    def tell(self, document: Mapping[str, Any]) -> None:
        """Something that happened: its `message` is the sentence."""
        from orderstate.render.words import plain

        if self.lines:
            self._line(document)
        elif self._sentences:
            with self._gate:
                self._shown.word(plain(document["message"]))

    def warn(self, sentence: str, **values: Any) -> None:
        """Something stands in the way; whoever says so tries again."""
        self.tell(self._warning(sentence, values))

    def warn_program(self, sentence: str, **values: Any) -> None:
        """A line of JSON under `--json`, too: what is read by a program is not as the settings say."""
        self._line(self._warning(sentence, values))

    def undisturbed(self) -> AbstractContextManager[None]:
        """Keeps notices of the channel console off a stderr that a program reads; the first left out is told there."""
        if self._sentences:
            return nullcontext()
        from orderstate.events.notify.quiet import no_console

        return no_console(self._no_console)

    def _no_console(self) -> None:
        flag = "--log json" if self.lines else "--json"
        self.warn_program(
            f"the channel console is not shown with {flag}; choose another: orderstate config set notify.channel ...",
            code="no_console",
        )

    def _warning(self, sentence: str, values: Mapping[str, Any]) -> dict[str, Any]:
        from orderstate.render.words import iso

        return {"at": iso(self.now()), "level": "warning", "message": sentence, **values}

    def _line(self, document: Mapping[str, Any]) -> None:
        from orderstate.render.words import line_of_json

        with self._gate:
            self._shown.word(line_of_json(document))
