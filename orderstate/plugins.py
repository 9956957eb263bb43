"""Plug-ins by name: an entry point of a group, or a dotted path `package.module:attribute`.

importlib.metadata, which takes some 40 ms to import and read, is imported only for a name that is not built in.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from importlib import import_module
from typing import Any

from orderstate.errors import InvalidInput, NotFound


@cache
def offered(group: str) -> dict[str, str]:
    """What installed packages offer in a group: the path of each name."""
    from importlib.metadata import entry_points

    return {point.name: point.value for point in entry_points(group=group)}


def path_of(kind: str, name: str, group: str, built_in: Collection[str]) -> str:
    """The dotted path behind a name that is not built in.

    Raises NotFound, which knows the built-in names too, as `unknown_<kind>`.
    """
    path = name if ":" in name else offered(group).get(name)
    if path is None:
        raise NotFound.named(kind, name, [*built_in, *sorted(set(offered(group)) - set(built_in))])
    return path


def load(kind: str, name: str, path: str) -> Any:
    """What a dotted path names. Raises InvalidInput where it cannot be imported."""
    module, _, attribute = path.partition(":")
    try:
        found: Any = import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as cause:
        hint = f"{path}: {type(cause).__name__}: {cause}"
        if isinstance(cause, ModuleNotFoundError) and cause.name == module.partition(".")[0]:
            # Never added by itself: a flow file from elsewhere would run whatever Python lies beside it.
            hint += "; PYTHONPATH=. before the command finds the modules of this folder"
        raise InvalidInput(kind, name, f"a {kind} that can be loaded", hint=hint) from cause
    return found


def demand(kind: str, name: str, path: str, found: object, arguments: int, expected: str) -> None:
    """Refuse a plug-in that cannot be called with so many arguments. Raises InvalidInput."""
    if not callable(found) or isinstance(found, type):
        raise InvalidInput(kind, name, expected, hint=f"{path} is a {type(found).__name__}")
    from inspect import signature

    try:
        signature(found).bind(*[None] * arguments)
    except ValueError:
        return  # a builtin without a signature shows itself when it is called
    except TypeError as cause:
        raise InvalidInput(kind, name, expected, hint=f"{path}: {cause}") from cause
