"""Which optional part brings which client."""

from __future__ import annotations

from importlib.util import find_spec

from orderstate.errors import NotInstalled


def needed(module: str, extra: str) -> None:
    """Raises NotInstalled, with what to install, where the client is not there."""
    if find_spec(module) is None:
        raise NotInstalled(
            f"{extra} needs {module}, which is not installed",
            hint=f"pip install 'orderstate[{extra}]' installs it, 'orderstate[brokers]' the clients of every broker",
        )
