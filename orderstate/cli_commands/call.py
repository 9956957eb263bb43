"""One invocation of the program: on which database it works, on what it prints, what it says after a change."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from shlex import join, quote
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import typer

from orderstate.cli_commands.failing import UsageError, report
from orderstate.cli_commands.screen import Screen
from orderstate.errors import (
    Damaged,
    InvalidInput,
    Locked,
    NotFound,
    NotOurs,
    OrderstateError,
    ReadOnly,
    SchemaMismatch,
)

if TYPE_CHECKING:
    from orderstate.engine import Answer, Engine
    from orderstate.model import Flow
    from orderstate.telemetry.exporting import Exporting

FILE = "orderstate.db"
CONFIGURATION = "orderstate.toml"
_HOPELESS = (ReadOnly, Damaged, NotOurs, SchemaMismatch)
"""What is wrong with the database as a whole: the next order on the line would meet the same."""
_LASTING = ("orderstate work", "orderstate relay", "orderstate consume")
"""Programs that may go on for long, so that they have something to measure."""
_MOST = 20
"""More orders than this are not named in one suggestion."""


class Call:
    """One invocation. Owns the engine that its command opens, and closes it at the end.

    `home` is the database of a call that was made for another one, such as each step of the demo. `path` is the command
    as far as it is known: `orderstate stock list`. `log`: what is said on stderr are lines of JSON.
    """

    __slots__ = ("_engine", "_next", "_telemetry", "db", "debug", "home", "log", "path", "screen")

    def __init__(self, screen: Screen, *, db: str | None = None, home: str | None = None) -> None:
        self.screen = screen
        self.db = db
        self.home = home
        self.debug = False
        self.path = "orderstate"
        self.log = False
        self._engine: Engine | None = None
        self._telemetry: Exporting | None = None
        self._next: dict[str, list[str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            # Closing waits for the writer lock; what was done is durable already, so a lock held by others is no error.
            with suppress(Locked):
                engine.close()
        telemetry, self._telemetry = self._telemetry, None
        if telemetry is not None:
            self.screen.out.flush()  # nobody waits for our answer until somebody else has taken what was measured
            telemetry.close()

    # The database

    def database(self) -> str:
        """The URL or file: flag, ORDERSTATE_DB, orderstate.toml, ./orderstate.db, whether it exists or not."""
        if self.db is not None:
            if not self.db:
                raise InvalidInput("db", self.db, "a file name or sqlite:///PATH")
            return self.db
        if self.home is not None:
            return self.home
        return os.environ.get("ORDERSTATE_DB") or configured(Path(CONFIGURATION)) or FILE

    def engine(self) -> Engine:
        """The engine on the database. Raises NotFound with the hint `orderstate init` where there is none."""
        if self._engine is None:
            from orderstate.engine import Engine

            try:
                self._engine = self._observed(Engine.open(self.database()))
            except NotFound as missing:
                path = str(missing.values.get("path"))
                if missing.hint is not None and missing.hint.endswith(f"{quote(path)} init"):
                    missing.hint = "orderstate init"  # a database that this call named is named with every hint
                raise
        return self._engine

    def flow(self) -> Flow:
        """The flow in force; the standard one where nothing names a database and ./orderstate.db is not there."""
        if not self.stored():
            from orderstate.machine import STANDARD

            return STANDARD
        return self.engine().flow

    def stored(self) -> bool:
        """False where nothing names a database and ./orderstate.db is not there."""
        return self.database() != FILE or Path(FILE).exists()

    def another(self) -> Engine:
        """One more engine on the same database, for another thread; it belongs to the caller."""
        from orderstate.engine import Engine

        first = self.engine()  # not by its name again: a subscriber may have changed the working directory
        return self._observed(Engine(first.store.another(), clock=first.clock))

    def _observed(self, engine: Engine) -> Engine:
        """The engine, traced and measured if the environment asks for that. Raises InvalidInput, NotInstalled."""
        if not os.environ.get("ORDERSTATE_TELEMETRY"):
            return engine
        from orderstate.telemetry import exporting

        try:
            kind = exporting.asked()
            if kind is not None:
                if self._telemetry is None:
                    lasting = self.path in _LASTING
                    self._telemetry = exporting.Exporting(
                        kind, lasting=lasting, out=self.screen.err, said=self._say_of_telemetry
                    )
                self._telemetry.observe(engine)
        except BaseException:
            engine.close()
            raise
        return engine

    def _say_of_telemetry(self, sentence: str) -> None:
        from orderstate.render.words import line_of_json, plain

        if self.log or self.screen.json:
            self.screen.word(line_of_json({"level": "warning", "message": sentence}))
        else:
            self.screen.word(plain(sentence))

    # What a person should type

    def command(self, *words: str) -> str:
        """A command line that can be pasted: it names the database if this one did."""
        return self.carried("orderstate " + join(words))

    def carried(self, text: str) -> str:
        """A hint that is a command, with the database that this call named."""
        if self.db is None or not text.startswith("orderstate ") or text.startswith("orderstate --db"):
            return text
        return f"orderstate {join(['--db', self.db])} {text.removeprefix('orderstate ')}"

    def next(self, *words: str) -> None:
        """Suggest a command when this one is done; the same command for several orders becomes one line."""
        verb, last = (words[:1], words[1:]) if len(words) == 2 else (words, ())
        orders = self._next.setdefault(join(verb), [])
        if last and len(orders) <= _MOST:
            orders.extend(last)

    def suggest(self) -> None:
        """Say what was suggested."""
        for verb, orders in self._next.items():
            named = join(dict.fromkeys(orders)) if len(orders) <= _MOST else "ORDER..."
            if not self.screen.json:
                self.screen.word("next: " + self.carried(f"orderstate {verb} {named}".rstrip()))
        self._next.clear()

    def forget(self) -> None:
        """Suggest nothing of what came up so far."""
        self._next.clear()

    def _forget(self, order: str) -> None:
        """What came up for the order before it moved on is no advice any more."""
        for verb, orders in list(self._next.items()):
            if order in orders:
                self._next[verb] = [other for other in orders if other != order]
                if not self._next[verb]:
                    del self._next[verb]

    # Changes

    def done(self, answer: Answer) -> int:
        """Say what a command did; its exit status."""
        from orderstate.render import changes
        from orderstate.render.words import plain, published

        screen, document = self.screen, answer.document
        if screen.json:
            screen.document(published(document))
        else:
            if not screen.drawn:
                screen.rows(*changes.rows(document))
            for sentence in changes.sentences(document):
                screen.say(plain(sentence))
        screen.out.flush()
        if answer.repeated:
            screen.word("repeated: the key was used before, so nothing was done now; this is the first answer")
        if "order" in document:
            self._what_next(document)
        return answer.exit_status

    def _what_next(self, document: Mapping[str, Any]) -> None:
        order = document["order"]
        self._forget(order)
        for sku, units in sorted((document.get("short") or {}).items()):
            self.next("stock", "receive", "FACILITY", sku, str(units))
        self.continue_from(order, document["state"])
        if "child" in document:
            self.next("show", document["child"])

    def continue_from(self, order: str, state: str) -> None:
        """Suggest the main step that leaves a state; where there is none a look around, and at the end a look back."""
        from orderstate.engine.commands import VERBS

        machine = self.engine().machine
        trigger = machine.next_step(state)
        if trigger is not None:
            # A step without a command of its own is suggested as `advance`, which takes many orders on one line.
            self.next(VERBS.get(trigger, "advance"), order)
        else:
            self.next("history" if machine.state(state).final else "why", order)

    def hopeless(self, error: OrderstateError) -> bool:
        """True where the next command would meet the same: something is wrong with the whole database."""
        return isinstance(error, _HOPELESS) or error.code == "flow_unusable"

    def each(self, orders: Sequence[str], do: Callable[[Engine, str], Iterable[Answer]]) -> int:
        """Do something to several orders, a transaction each, all attempted; the first exit status that is not 0."""
        engine = self.engine()
        status = 0
        for order in orders:
            try:
                for answer in do(engine, order):
                    status = self.done(answer) or status
            except OrderstateError as error:
                if self.hopeless(error) or len(orders) == 1:
                    raise
                report(error, self)
                status = status or error.exit_status
        self.suggest()
        return status


def called(context: typer.Context) -> Call:
    """The call that a command belongs to."""
    found = context.find_object(Call)
    assert found is not None
    return found


def configured(file: Path) -> str | None:
    """The database that orderstate.toml names; None where there is no such file. Raises InvalidInput."""
    if not file.is_file():
        return None
    import tomllib

    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(str(file), str(error), 'TOML with one key, such as db = "orders.db"') from error
    except OSError as error:
        raise ReadOnly(f"{file} cannot be read: {error.strerror}") from error
    if set(found) != {"db"}:
        raise InvalidInput(str(file), sorted(found), 'a file with the one key db, such as db = "orders.db"')
    named = found["db"]
    if not isinstance(named, str) or not named:
        raise InvalidInput(f"{file}: db", named, 'the name of a database in quotes, such as db = "orders.db"')
    return named


def alone(orders: Sequence[str], key: str | None, if_version: int | None) -> None:
    """Refuse --key and --if-version for several orders: each names one command, one version."""
    if len(orders) > 1 and (key is not None or if_version is not None):
        option = "--key" if key is not None else "--if-version"
        raise UsageError(
            f"{option} goes with one order, not with {len(orders)}", hint="give each order its own command"
        )


def standard_input() -> BinaryIO:
    """The bytes of stdin. Raises UsageError where the caller closed it."""
    if sys.stdin is None:
        raise UsageError("standard input is closed: there is nothing to read")
    return sys.stdin.buffer
