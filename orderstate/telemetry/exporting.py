"""Telemetry of a whole program, switched on by the environment: `ORDERSTATE_TELEMETRY=otlp` or `console`.

The variables of the OpenTelemetry specification say where it goes (`OTEL_EXPORTER_OTLP_ENDPOINT` ...), who says it
(`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`), and what is left out (`OTEL_TRACES_EXPORTER=none` ...). Whoever
collects it is no part of the program: one that is down, slow or wrong costs a line of words and `PATIENCE` at most.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from contextvars import Token
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, TextIO
from uuid import uuid4

from orderstate import __version__
from orderstate.errors import InvalidInput
from orderstate.telemetry import installed, observe
from orderstate.telemetry.privacy import without_secrets

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter

    from orderstate.engine import Engine

VARIABLE = "ORDERSTATE_TELEMETRY"
OTLP, CONSOLE = "otlp", "console"

PATIENCE = 1.0
"""Seconds that a program which is done waits for its telemetry to be taken."""

_LONGEST = 300
"""Characters of a warning that are passed on."""

_PROTOCOL = "http/protobuf"
_PROTOCOLS = (
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
)


class Exporting:
    """The providers of one program, and what goes out through them.

    `lasting`: also metrics, of a program that goes on for a while; one that is over at once would begin a new time
    series each time. `out` is written to by `console`; `said` hears once that something did not arrive.
    Raises InvalidInput for a variable that cannot be used, NotInstalled.
    """

    def __init__(
        self,
        kind: str,
        *,
        lasting: bool,
        out: TextIO,
        said: Callable[[str], None],
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        _check(kind, environment)
        from opentelemetry.metrics import NoOpMeterProvider
        from opentelemetry.sdk.trace import TracerProvider

        self._said = said
        self._environment = environment
        self._trouble = _Trouble(self._heard)
        self._exporters: list[SpanExporter | MetricExporter] = []
        self._processor: SpanProcessor | None = None
        self._meters: MeterProvider | None = None
        self._parent: Token[Context] | None = None
        logger = logging.getLogger("opentelemetry")
        logger.addHandler(self._trouble)
        logger.propagate = False  # it would write to stderr in its own words, again and again
        resource = _resource(environment)
        self._tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        if environment.get("OTEL_TRACES_EXPORTER") != "none":
            self._processor = self._spans(kind, out)
            self._tracers.add_span_processor(self._processor)
        if lasting and environment.get("OTEL_METRICS_EXPORTER") != "none":
            self._meters = self._metrics(kind, out, resource)
        self._measured = self._meters or NoOpMeterProvider()
        self._begin_below(environment.get("TRACEPARENT"))

    def observe(self, engine: Engine) -> None:
        """Trace and measure what an engine does, for as long as it lives."""
        observe(engine, tracer_provider=self._tracers, meter_provider=self._measured)

    def close(self) -> None:
        """Pass on what is left, and wait for that for PATIENCE at most, or until it is known not to arrive."""
        if self._parent is not None:
            from opentelemetry.context import detach

            detach(self._parent)
            self._parent = None
        self._trouble.over.clear()  # what did not arrive an hour ago is no reason not to try
        # A daemon: whatever the far side does, the program ends when it is done.
        sender = Thread(target=self._send, name="orderstate-telemetry", daemon=True)
        sender.start()
        self._trouble.over.wait(PATIENCE)
        if not self._trouble.sent:
            self._heard(f"what was seen did not arrive within {PATIENCE:g} s")
            for exporter in self._exporters:  # ends the pauses between two attempts, so that nothing goes on behind us
                exporter.shutdown()
        else:
            sender.join()

    def _send(self) -> None:
        end = monotonic() + PATIENCE
        try:
            if self._processor is not None:
                self._processor.shutdown()
            if self._meters is not None:
                self._meters.shutdown(max(1.0, (end - monotonic()) * 1000))
        except Exception as error:  # noqa: BLE001 - whatever a stranger's exporter raises, the program is done
            self._heard(f"{type(error).__name__}: {error}")
        finally:
            self._trouble.sent = True
            self._trouble.over.set()
            logger = logging.getLogger("opentelemetry")
            logger.removeHandler(self._trouble)
            logger.propagate = not any(isinstance(handler, _Trouble) for handler in logger.handlers)

    def _heard(self, sentence: str) -> None:
        if not self._trouble.told:
            self._trouble.told = True
            self._said(f"telemetry: {without_secrets(sentence, self._environment)[:_LONGEST]}")

    def _spans(self, kind: str, out: TextIO) -> SpanProcessor:
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor

        if kind == CONSOLE:
            return SimpleSpanProcessor(ConsoleSpanExporter(out=out, formatter=lambda s: s.to_json(indent=None) + "\n"))
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter()
        self._exporters.append(exporter)
        return BatchSpanProcessor(exporter)

    def _metrics(self, kind: str, out: TextIO, resource: Resource) -> MeterProvider:
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader

        exporter: MetricExporter
        if kind == CONSOLE:
            exporter = ConsoleMetricExporter(out=out, formatter=lambda m: m.to_json(indent=None) + "\n")
        else:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

            exporter = OTLPMetricExporter()
        self._exporters.append(exporter)
        return MeterProvider([PeriodicExportingMetricReader(exporter)], resource=resource, shutdown_on_exit=False)

    def _begin_below(self, trace: str | None) -> None:
        """What this program does belongs to the trace that its caller left in the environment."""
        if trace:
            from opentelemetry.context import attach

            from orderstate.telemetry.watching import parent_of

            self._parent = attach(parent_of(trace))


class _Trouble(logging.Handler):
    """Hears what OpenTelemetry logs. `over`: everything was passed on (`sent`), or something will not be."""

    def __init__(self, heard: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._heard = heard
        self.over = Event()
        self.sent = False
        self.told = False

    def emit(self, record: logging.LogRecord) -> None:
        """The first line of a warning."""
        self._heard(f"what was seen does not arrive: {record.getMessage().partition(chr(10))[0]}")
        self.over.set()


def asked(environment: Mapping[str, str] = os.environ) -> str | None:
    """What the environment asks for: `otlp`, `console`, or None for nothing."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().casefold() == "true":
        return None
    return environment.get(VARIABLE) or None


def _check(kind: str, environment: Mapping[str, str]) -> None:
    if kind not in (OTLP, CONSOLE):
        raise InvalidInput(VARIABLE, kind, f"{OTLP} or {CONSOLE}")
    installed("opentelemetry.sdk.trace")
    if kind == OTLP:
        for name in _PROTOCOLS:
            if environment.get(name, _PROTOCOL) != _PROTOCOL:
                raise InvalidInput(name, environment[name], _PROTOCOL)
        installed("opentelemetry.exporter.otlp.proto.http")


def _resource(environment: Mapping[str, str]) -> Resource:
    """Who says all this, as far as the environment does not name it itself."""
    from opentelemetry.sdk.resources import Resource

    named = {
        name.strip()
        for name, _, _ in (p.partition("=") for p in environment.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","))
    }
    if environment.get("OTEL_SERVICE_NAME"):
        named.add("service.name")
    own = {"service.name": "orderstate", "service.version": __version__, "service.instance.id": str(uuid4())}
    return Resource.create({name: value for name, value in own.items() if name not in named})
