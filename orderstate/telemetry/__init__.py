"""Traces and metrics with OpenTelemetry. Optional: nothing of it is imported unless somebody asks for it.

    from orderstate.telemetry import observe

    with Engine.open("orderstate.db") as engine, observe(engine, tracer_provider=..., meter_provider=...):
        engine.place({"MUG": 2}, "US", contact="ada@example.org")

What there is to be seen, its names and its units are in docs/telemetry.md. No contact is in any of it.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from orderstate.errors import NotInstalled

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from orderstate.engine import Engine
    from orderstate.telemetry.watching import Watch

HINT = "pip install 'orderstate[telemetry]'"


def installed(module: str = "opentelemetry.trace") -> None:
    """Raises NotInstalled, with what to install, where a part of OpenTelemetry is not there."""
    try:
        found = find_spec(module)
    except ModuleNotFoundError:  # the package above it is not there either
        found = None
    if found is None:
        raise NotInstalled(f"telemetry needs {module}, which is not installed", hint=HINT)


def observe(
    engine: Engine,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
) -> Watch:
    """Trace and measure what an engine does, until the watch that is given back is closed.

    The providers are the program's global ones where none are given. Several engines may be observed at once, those of
    one database with the same providers: its backlog is measured once. Raises NotInstalled.
    """
    installed()
    from opentelemetry import metrics, trace

    from orderstate.telemetry.measuring import measures
    from orderstate.telemetry.watching import Watch

    watch = Watch(
        engine,
        tracer_provider or trace.get_tracer_provider(),
        measures(meter_provider or metrics.get_meter_provider()),
    )
    engine.observer = watch
    return watch


__all__ = ["HINT", "installed", "observe"]
