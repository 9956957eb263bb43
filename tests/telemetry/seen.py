"""What was seen, kept in memory; and subscribers, found by dotted path, that fail in words that quote a customer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler
from worlds import World

from orderstate import Engine
from orderstate.events.brokers import source
from orderstate.events.consuming import Consumer, Heard
from orderstate.events.outcomes import Later
from orderstate.model import Event, Subscriber
from orderstate.store import deliveries
from orderstate.telemetry import observe
from orderstate.telemetry.watching import Watch, traceparent

CONTACT = "Zoe <zoe@example.org>"
FOREIGN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
"""A traceparent of somebody else."""


class Seen:
    """Providers whose spans and metrics stay in memory."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracers = TracerProvider(sampler=sampler or ParentBased(ALWAYS_ON), shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.meters = MeterProvider([self._reader], shutdown_on_exit=False)

    def watch(self, engine: Engine) -> Watch:
        """Observe an engine."""
        return observe(engine, tracer_provider=self.tracers, meter_provider=self.meters)

    def spans(self, name: str | None = None) -> list[ReadableSpan]:
        """The spans that ended, in that order; only those of one name."""
        return [s for s in self._exporter.get_finished_spans() if name is None or s.name == f"orderstate.{name}"]

    def one(self, name: str) -> ReadableSpan:
        """The only span of that name."""
        (span,) = self.spans(name)
        return span

    def forget(self) -> None:
        """Begin anew, as far as spans go."""
        self._exporter.clear()

    def metric(self, name: str) -> list[tuple[dict[str, Any], float]]:
        """What a metric says now: (attributes without `orderstate.`, value) of each of its points."""
        data = self._reader.get_metrics_data()
        return [
            (_plain(point.attributes), point.value)  # type: ignore[union-attr]  # none of ours is a histogram
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == f"orderstate.{name}"
            for point in metric.data.data_points
        ]

    def units(self) -> dict[str, str | None]:
        """The unit of each metric that has a value now."""
        data = self._reader.get_metrics_data()
        return {
            metric.name: metric.unit
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


def _plain(attributes: Any) -> dict[str, Any]:
    found = {name.removeprefix("orderstate."): value for name, value in attributes.items()}
    assert len(found.pop("database")) == 32
    return found


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """The attributes of a span without `orderstate.`."""
    return _plain(span.attributes or {})


def trace_of(span: ReadableSpan) -> str:
    """The W3C traceparent of a span."""
    assert span.context is not None
    found = traceparent(span.context)
    assert found is not None
    return found


def below(span: ReadableSpan, parent: ReadableSpan) -> bool:
    """Whether a span is the child of another, in the same trace."""
    assert span.context is not None
    assert parent.context is not None
    here = span.parent is not None and span.parent.span_id == parent.context.span_id
    return here and span.context.trace_id == parent.context.trace_id


def alone(world: World, *names: str) -> None:
    """Only these subscribers: `quoting` is an outside one of this module, others are built in."""
    with world.engine.unit() as unit:
        for known in deliveries.subscribers(unit.tx):
            deliveries.remove(unit.tx, known.name)
        for name in names:
            own = name == "quoting"
            deliveries.declare(
                unit.tx,
                Subscriber(name, "outside" if own else "local", f"seen:{name}" if own else name, ("OrderPlaced",)),
            )


def consume(engine: Engine, file: Path) -> None:
    """Consume every line of a file, and no longer."""
    lines = file.read_bytes().count(b"\n")
    heard: list[Heard] = []
    Consumer(engine, source(str(file), "test"), told=heard.append, stop=lambda: len(heard) == lines).run()


def quoting(event: Event, engine: Engine) -> None:
    """Fails as a mail server does: it quotes whom it could not reach."""
    contact = engine.order(event.subject).contact
    raise Later(f"550 {contact}: nobody of that name; ask postmaster@example.org")
