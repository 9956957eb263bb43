"""Whether what a database names can be used in this environment: guards, the strategy, subscribers.

Beside the doctor's checks of the database itself, and after them: what is not there keeps nothing else from being told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from orderstate.errors import InvalidInput, NotFound
from orderstate.store.doctor import Finding

if TYPE_CHECKING:
    from orderstate.engine import Engine
    from orderstate.model import Flow, Subscriber

_Row = tuple[str, ...]
"""What is lacking: its name, where it is looked for if that is not its name, and the reason."""


def examine(engine: Engine, flow: Flow) -> list[Finding]:
    """A finding each for the guards of the flow in force, the strategy and the subscribers. Imports all of them.

    flow: as the database keeps it. Subscribers are worth knowing only: another machine may have them.
    """
    return [_guards(flow), _strategy(engine.settings()["strategy"]), _subscribers(engine.subscribers())]


def _guards(flow: Flow) -> Finding:
    from orderstate.guards import GROUP, bound

    uses = [use for transition in flow.transitions for use in transition.guards]
    tried = ((use.name, _trouble(use.name, GROUP, partial(bound, use))) for use in uses)
    rows = list(dict.fromkeys((name, why) for name, why in tried if why))
    if not rows:
        return Finding("guards", "ok", "every guard of the flow in force can be used here")
    return Finding(
        "guards",
        "wrong",
        f"the flow in force, {flow.name}, cannot be used here: {_listed(rows, 'guard ')}. "
        "Install what offers it, or put another flow in force: orderstate flow use FILE",
        tuple(rows),
    )


def _strategy(name: str) -> Finding:
    from orderstate.allocation.registry import GROUP, strategy

    why = _trouble(name, GROUP, partial(strategy, name))
    if why is None:
        return Finding("strategy", "ok", "the strategy can be used here")
    return Finding(
        "strategy",
        "wrong",
        f"no order can be tied here: {_listed([(name, why)], 'strategy ')}. "
        "Install what offers it, or take another: orderstate config set strategy cheapest",
        ((name, why),),
    )


def _subscribers(declared: Iterable[Subscriber]) -> Finding:
    from orderstate.events.registry import GROUP, handler

    rows: list[_Row] = []
    for each in declared:
        if not each.enabled or each.kind == "relay":  # a relay has a program of its own, and its target is a broker
            continue
        why = _trouble(each.target, GROUP, partial(handler, each.target, each.kind))
        if why is not None:
            rows.append((each.name, each.target, why))
    if not rows:
        return Finding("subscribers", "ok", "every subscriber that is on can be used here")
    return Finding(
        "subscribers",
        "note",
        f"what is on its way to them waits, unless another machine has them: {_listed(rows)}",
        tuple(rows),
    )


def _trouble(name: str, group: str, load: Callable[[], object]) -> str | None:
    """Why a plug-in cannot be used; None where it can."""
    try:
        load()
    except NotFound as error:
        if error.values.get("name") != name:  # the guard is there, but a parameter of it is not
            return error.sentence
        return f"no package that is installed here offers it in the entry point group {group}"
    except InvalidInput as error:
        return error.hint or error.sentence
    except SystemExit:
        return f"{name} ends the program"
    return None


def _listed(rows: Iterable[_Row], kind: str = "") -> str:
    return "; ".join(f"{kind}{row[0]} ({row[-1].removeprefix(f'{row[0]}: ')})" for row in rows)
