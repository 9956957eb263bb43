"""An order engine: a declarative state machine, explained allocation, durable orders and stock.

The public names are loaded when they are first asked for, so that `import orderstate` opens nothing and imports little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orderstate.lazily import named

__version__ = "0.1.0"

if TYPE_CHECKING:
    from orderstate.allocation import Options
    from orderstate.engine import Answer, Engine, Explanation, History, Planned, Shown
    from orderstate.errors import (
        Conflict,
        InvalidInput,
        KeyReused,
        NotFound,
        OrderstateError,
        Refused,
        StaleVersion,
        StockShort,
    )
    from orderstate.model import Order, Plan, Refusal

_HOME = {
    "Answer": "engine",
    "Conflict": "errors",
    "Engine": "engine",
    "Explanation": "engine",
    "History": "engine",
    "InvalidInput": "errors",
    "KeyReused": "errors",
    "NotFound": "errors",
    "Options": "allocation",
    "Order": "model",
    "OrderstateError": "errors",
    "Plan": "model",
    "Planned": "engine",
    "Refusal": "model",
    "Refused": "errors",
    "Shown": "engine",
    "StaleVersion": "errors",
    "StockShort": "errors",
}

__all__ = [
    "Answer",
    "Conflict",
    "Engine",
    "Explanation",
    "History",
    "InvalidInput",
    "KeyReused",
    "NotFound",
    "Options",
    "Order",
    "OrderstateError",
    "Plan",
    "Planned",
    "Refusal",
    "Refused",
    "Shown",
    "StaleVersion",
    "StockShort",
]


__getattr__, __dir__ = named(__name__, _HOME)
