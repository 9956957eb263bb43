"""Allocation: a problem in, a plan out. Pure: no database, no clock, no randomness.

`Network` makes an order's `Problem`, `propose` has a strategy plan it, and `check` refuses a plan that breaks the
rules. Names are loaded when they are first asked for, so that planning with `nearest` imports nothing of `cheapest`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orderstate.lazily import named

if TYPE_CHECKING:
    from orderstate.allocation.checking import check
    from orderstate.allocation.network import Network
    from orderstate.allocation.problem import NO_OPTIONS, Options, Problem, Sites
    from orderstate.allocation.registry import Strategy, propose, strategies, strategy

_HOME = {
    "NO_OPTIONS": "problem",
    "Network": "network",
    "Options": "problem",
    "Problem": "problem",
    "Sites": "problem",
    "Strategy": "registry",
    "check": "checking",
    "propose": "registry",
    "strategies": "registry",
    "strategy": "registry",
}

__all__ = [
    "NO_OPTIONS",
    "Network",
    "Options",
    "Problem",
    "Sites",
    "Strategy",
    "check",
    "propose",
    "strategies",
    "strategy",
]


__getattr__, __dir__ = named(__name__, _HOME)
