"""The observer that makes spans and counts. What it shows are codes, names and numbers; texts of people stay here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TracerProvider, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from orderstate import __version__
from orderstate.engine.commands import VERBS, Command
from orderstate.engine.observing import Judgement, Outcome
from orderstate.errors import OrderstateError
from orderstate.model import Event
from orderstate.store.deliveries import Delivery
from orderstate.telemetry.measuring import DATABASE, NAME, SUBSCRIBER, Measures
from orderstate.telemetry.privacy import shown

if TYPE_CHECKING:
    from orderstate.engine import Engine

_DONE = frozenset({"delivered", "applied", "nothing to do", "repeated", "ignored"})
"""Outcomes that are no failure."""

_ASKED = {"id": "order", "order": "order", "trigger": "trigger", "facility": "facility", "strategy": "strategy"}
"""What of a command is shown, and as which attribute: names, and no text that a person wrote."""

_ANSWERED = {"order": "order", "was": "state.from", "state": "state.to", "trigger": "trigger", "facility": "facility"}
"""What of an answer is shown, and as which attribute."""

_LINKS = 128
"""Links of a span that every backend takes."""

_PROPAGATOR = TraceContextTextMapPropagator()

Attributes = dict[str, Any]


class Watch:
    """Watches one engine until it is closed. Belongs to the engine's thread, as the engine does."""

    def __init__(self, engine: Engine, tracers: TracerProvider, measures: Measures) -> None:
        self._engine = engine
        self._tracer = tracers.get_tracer(NAME, __version__)
        self._measures = measures
        self._database = {DATABASE: engine.id}
        self._path = engine.store.path.absolute()
        self._open = True
        measures.add(self._path, self._database[DATABASE], engine.clock)

    def close(self) -> None:
        """Watch no longer. What was seen is the providers' to pass on. Safe to call twice."""
        if self._open:
            self._open = False
            self._measures.remove(self._path)
            if self._engine.observer is self:
                self._engine.observer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # What an engine tells

    def command(self, command: Command, run: Callable[[str | None], Outcome]) -> Outcome:
        """A span, whose trace goes with the events that the command writes."""
        verb = VERBS.get(getattr(command, "trigger", ""), command.name)
        name = f"{NAME}.{verb}"
        code, exit_status = "unexpected", 1
        try:
            with self._span(name, SpanKind.INTERNAL, None, _asked(command)) as span:
                outcome = run(traceparent(span.get_span_context()))
                if isinstance(outcome, OrderstateError):
                    code, exit_status = outcome.code, outcome.exit_status
                    _refused(span, outcome)
                else:
                    code, exit_status = "", outcome.exit_status
                    span.set_attributes(_answered(outcome.document, outcome.repeated))
                return outcome
        except OrderstateError as error:
            code, exit_status = error.code, error.exit_status
            raise
        finally:
            kinds: Attributes = {f"{NAME}.command": verb, f"{NAME}.exit": exit_status, **self._database}
            if code:
                kinds["error.type"] = code
            self._measures.commands.add(1, kinds)

    def delivery(self, delivery: Delivery, run: Callable[[], Judgement]) -> Judgement:
        """A span below that of the command that wrote the event."""
        event = delivery.event
        asked = {
            SUBSCRIBER: delivery.subscriber,
            f"{NAME}.event": event.id,
            f"{NAME}.event.type": event.type,
            f"{NAME}.attempt": delivery.attempts + 1,
        }
        with self._span(f"{NAME}.delivery", SpanKind.CONSUMER, event.trace, asked) as span:
            judged = run()
            reason = judged.reason
            if reason is not None and span.is_recording():
                reason = shown(reason, self._contact(event))
            _judge(span, judged.outcome, reason)
        return judged

    def attempted(self, subscriber: str, outcome: str) -> None:
        """Counted."""
        self._measures.attempts.add(1, {SUBSCRIBER: subscriber, f"{NAME}.outcome": outcome, **self._database})

    def published(self, sink: str, began: int, answers: Sequence[tuple[Event, str, str | None]]) -> None:
        """A span for the wave, linked to what is in it, and one for each event that has a trace, below that."""
        ended = time_ns()
        tally: dict[str, int] = {}
        links: list[Link] = []
        for event, outcome, reason in answers:
            tally[outcome] = tally.get(outcome, 0) + 1
            if event.trace is None:
                continue
            parent = parent_of(event.trace)
            if len(links) < _LINKS:
                links.append(Link(get_current_span(parent).get_span_context()))
            asked: Attributes = {f"{NAME}.sink": sink, f"{NAME}.event": event.id, f"{NAME}.event.type": event.type}
            span = self._tracer.start_span(
                f"{NAME}.publish", parent, SpanKind.PRODUCER, asked | self._database, start_time=began
            )
            if span.is_recording():
                _judge(span, outcome, None if reason is None else shown(reason))
            span.end(ended)
        counted = {f"{NAME}.relay.{outcome}": number for outcome, number in tally.items()}
        asked = {f"{NAME}.sink": sink, f"{NAME}.relay.events": len(answers), **counted, **self._database}
        wave = self._tracer.start_span(f"{NAME}.relay", None, SpanKind.CLIENT, asked, links, began)
        if "down" in tally:
            wave.set_status(Status(StatusCode.ERROR, "down"))
        wave.end(ended)
        for outcome, number in tally.items():
            kinds = {f"{NAME}.sink": sink, f"{NAME}.outcome": outcome, **self._database}
            self._measures.published.add(number, kinds)

    def message(
        self,
        source: str,
        id: str,
        type: str | None,
        trace: str | None,
        contact: object,
        run: Callable[[], Judgement],
    ) -> Judgement:
        """A span below that of the system that sent it; what the message does here is below that again."""
        asked = {f"{NAME}.source": source, f"{NAME}.message": id}
        if type is not None:
            asked[f"{NAME}.message.type"] = type
        with self._span(f"{NAME}.consume", SpanKind.CONSUMER, trace, asked) as span:
            judged = run()
            _judge(span, judged.outcome, None if judged.reason is None else shown(judged.reason, contact))
        return judged

    def consumed(self, broker: str, outcome: str) -> None:
        """Counted."""
        self._measures.consumed.add(1, {f"{NAME}.broker": broker, f"{NAME}.outcome": outcome, **self._database})

    # How

    @contextmanager
    def _span(self, name: str, kind: SpanKind, trace: str | None, asked: Attributes) -> Iterator[Span]:
        """The current span while it lasts; below `trace`, or else below what is current already.

        What is raised is shown by its code or class alone: a sentence may quote what was asked for.
        """
        parent = None if trace is None else parent_of(trace)
        with self._tracer.start_as_current_span(
            name, parent, kind, asked | self._database, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except OrderstateError as error:
                _refused(span, error)
                raise
            except BaseException as error:
                _failed(span, type(error).__qualname__)
                raise

    def _contact(self, event: Event) -> str | None:
        try:
            return self._engine.order(event.subject).contact
        except OrderstateError:  # a facility has none, and an order that cannot be read shows none
            return None


def parent_of(trace: str) -> Context:
    """The context of a W3C traceparent; an empty one, which begins a trace, for what is none."""
    return _PROPAGATOR.extract({"traceparent": trace}, Context())


def traceparent(context: SpanContext) -> str | None:
    """The W3C traceparent of a span; None where nothing is traced."""
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _asked(command: Command) -> Attributes:
    found: Attributes = {f"{NAME}.command": command.name, f"{NAME}.role": command.role}
    for name, shown_as in _ASKED.items():
        value = getattr(command, name, None)
        if isinstance(value, str):
            found[f"{NAME}.{shown_as}"] = value
    return found


def _answered(document: Mapping[str, Any], repeated: bool) -> Attributes:
    found: Attributes = {
        f"{NAME}.{shown_as}": document[name] for name, shown_as in _ANSWERED.items() if document.get(name) is not None
    }
    found[f"{NAME}.exit"] = document["exit"]
    found[f"{NAME}.changed"] = document["changed"]
    if repeated:
        found[f"{NAME}.repeated"] = True
    if document.get("events"):
        found[f"{NAME}.events"] = document["events"]
    plan = document.get("plan")
    if isinstance(plan, Mapping):
        found[f"{NAME}.strategy"] = plan["strategy"]
        found[f"{NAME}.plan.cost"] = plan["cost"]
    return found


def _refused(span: Span, error: OrderstateError) -> None:
    span.set_attribute(f"{NAME}.exit", error.exit_status)
    if error.blocked:
        span.set_attribute(f"{NAME}.refusal.codes", [blocker.code for blocker in error.blocked])
    _failed(span, error.code)


def _judge(span: Span, outcome: str, reason: str | None) -> None:
    span.set_attribute(f"{NAME}.outcome", outcome)
    if reason is not None:
        span.set_attribute(f"{NAME}.reason", reason)
    if outcome not in _DONE:
        span.set_status(Status(StatusCode.ERROR, outcome))


def _failed(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR, kind))
