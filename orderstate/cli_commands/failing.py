"""Every error, whoever raised it, as one line with its code, what blocked it, and a hint; or as a JSON document."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from typer.exceptions import TyperException

from orderstate.errors import OrderstateError

if TYPE_CHECKING:
    from orderstate.cli_commands.call import Call

_HINTS = {
    "unknown_state": "orderstate diagram",
    "unknown_trigger": "orderstate diagram",
    "unknown_strategy": "orderstate strategies",
    "unknown_setting": "orderstate config list",
    "unknown_facility_cost": "orderstate config list",
    "unknown_facility": "orderstate facility list",
}
"""What lists the names, where no name comes close to the one given."""

GLOBAL_OPTIONS = ("--db", "--debug", "--version")


class UsageError(OrderstateError):
    """The command line cannot be understood."""

    code = "usage"
    exit_status = 2


class Interrupted(OrderstateError):
    """Somebody pressed Ctrl-C."""

    code = "interrupted"
    exit_status = 130


_CHANGES_NOTHING = frozenset(
    {
        "config get", "config list", "diagram", "doctor", "events list", "events parked", "events show", "events tail",
        "facility list", "flow check", "flow diff", "flow show", "history", "list", "notify check", "plan", "schema",
        "show", "simulate", "stock list", "strategies", "subscribers list", "why",
    }
)  # fmt: skip
"""Commands that only ask: after a Ctrl-C nothing can be half done, and there is nothing to repeat."""

_WITHOUT_KEY = {
    "run": "a scenario leaves nothing behind; commands that were answered are done, the next one may be",
    "demo": "nothing of yours was touched",
    "scenario generate": "every file was written, or none",
}
"""What is known after a Ctrl-C in a command that takes no --key."""

_KEYED = frozenset(
    {
        "advance", "cancel", "config set", "deliver", "facility add", "facility set", "fire", "flow use", "place",
        "redirect", "ship", "split", "stock adjust", "stock receive", "tie", "untie",
    }
)  # fmt: skip
"""Commands that take --key."""


def interrupted(path: str) -> Interrupted:
    """The error of a Ctrl-C: it says what is known about what the command at this path was doing."""
    command = path.removeprefix("orderstate ")
    if command in _CHANGES_NOTHING:
        return Interrupted("nothing was changed")
    if command in _WITHOUT_KEY:
        return Interrupted(_WITHOUT_KEY[command])
    again = ": repeat with the same --key" if command in _KEYED else ""
    return Interrupted(f"what was not acknowledged may or may not be done{again}")


def unexpected(error: BaseException) -> OrderstateError:
    """An error that nobody foresaw, as ours. It is no fault of the one who typed."""
    if isinstance(error, OSError):
        named = f"{error.filename}: " if error.filename else ""
        return OrderstateError(f"{named}{error.strerror or error}", code="system")
    return OrderstateError(
        f"{type(error).__name__}: {error}", hint="orderstate --debug COMMAND shows where it happened"
    )


def usage(error: TyperException, arguments: Sequence[str]) -> UsageError:
    """An error of the parser, as ours."""
    # typer's own classes for these are private; what they carry is not.
    context: Any = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "orderstate"
    option = getattr(error, "option_name", None)
    if type(error).__name__ == "NoSuchOption" and option is not None:
        return _no_such_option(option, path, context, arguments)
    sentence = _no_number(error) or re.sub(r"\s+", " ", error.format_message()).strip().rstrip(".")
    return UsageError(sentence[:1].lower() + sentence[1:], hint=f"{path} --help")


def _no_number(error: Any) -> str | None:
    """What is wrong with a number, in the words of every other command; None for another error."""
    parameter = getattr(error, "param", None)
    kind = getattr(parameter, "type", None)
    given = re.match(r"'(.*)' is not a valid|(\S+) is not in the range", str(getattr(error, "message", "")), re.DOTALL)
    if given is None or parameter is None or getattr(kind, "name", None) not in ("integer", "int range"):
        return None
    least, most = getattr(kind, "min", None), getattr(kind, "max", None)
    bounds = "" if least is None else f" from {least}" + (" on" if most is None else f" to {most}")
    value = given[2] or repr(given[1])
    return f"{max(parameter.opts, key=len)}: {value} is not a whole number{bounds}"


def _no_such_option(option: str, path: str, context: Any, arguments: Sequence[str]) -> UsageError:
    number = next((a for a in arguments if re.match(r"-\d", a) and a.startswith(option)), None)
    if number is not None:
        return UsageError(f"{number} is negative, which makes no sense here", hint=f"{path} --help")
    if option in GLOBAL_OPTIONS and context is not None and context.parent is not None:
        words = path.removeprefix("orderstate ")
        return UsageError(f"{option} goes before the command", hint=f"orderstate {option} ... {words}")
    known = [name for p in context.command.get_params(context) for name in p.opts if name.startswith("--")]
    close = get_close_matches(option, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"{path} --help"
    return UsageError(f"no such option: {option}", hint=hint, name=option, close=close)


def no_such_command(name: str, path: str, known: list[str]) -> UsageError:
    """The error for a command that is not there, with close matches."""
    close = get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(f'{path} {c}' for c in close)}?" if close else f"{path} --help"
    return UsageError(f"no such command: {path} {name}", hint=hint, name=name, close=close)


def report(error: OrderstateError, call: Call) -> None:
    """Say on stderr what went wrong."""
    if error.hint is None:
        error.hint = _HINTS.get(
            error.code, f"{call.path} --help" if error.exit_status == UsageError.exit_status else None
        )
    if call.debug:
        traceback.print_exception(error, file=call.screen.err)
    if call.screen.json:
        from orderstate.render.words import line_of_json

        call.screen.word(line_of_json(_document(error, call)))
        return
    for line in _lines(error, call):
        call.screen.word(line)


def _document(error: OrderstateError, call: Call) -> dict[str, Any]:
    from orderstate.render.words import published

    document = published(error.document())
    inner = document["error"]
    if "hint" in inner:
        inner["hint"] = call.carried(inner["hint"])
    for blocker in inner.get("blocked", ()):
        if blocker["remedy"]:
            blocker["remedy"] = call.carried(blocker["remedy"])
    return document


def _lines(error: OrderstateError, call: Call) -> Iterator[str]:
    from orderstate.render.words import plain

    if isinstance(error, Interrupted):
        yield f"interrupted; {error.sentence}"
        return
    yield f"error: {error.code}: {plain(error.sentence)}"
    for blocker in error.blocked:
        yield f"  {blocker.code}: {plain(blocker.sentence)}"
        if blocker.remedy and (len(error.blocked) > 1 or blocker.remedy != error.hint):
            yield f"    try: {call.carried(plain(blocker.remedy))}"
    if error.hint:
        yield f"hint: {call.carried(plain(error.hint))}"
