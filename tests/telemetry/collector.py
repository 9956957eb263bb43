"""A collector for tests: OTLP over HTTP on the loopback, kept as the protocol's own messages."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """What came in. `hold`: answer nothing until it is set."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()
        self.metrics: set[str] = set()
        self.headers: list[dict[str, str]] = []
        self.hold: threading.Event | None = None
        self.status = 200
        self.url = ""

    def take(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        """One request."""
        self.headers.append(headers)
        if path == "/v1/traces":
            for spans in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.services |= {a.value.string_value for a in spans.resource.attributes if a.key == "service.name"}
                self.spans.extend(span for scope in spans.scope_spans for span in scope.spans)
        else:
            assert path == "/v1/metrics"
            for metrics in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.metrics |= {metric.name for scope in metrics.scope_metrics for metric in scope.metrics}

    @property
    def names(self) -> list[str]:
        """The names of the spans, as they began."""
        return [span.name for span in sorted(self.spans, key=lambda span: span.start_time_unix_nano)]


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that runs; at the end it lets everybody go."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802, RUF100 - as http.server calls it
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if collector.hold is not None:
                collector.hold.wait()
            elif collector.status == 200:
                collector.take(self.path, body, {name.casefold(): value for name, value in self.headers.items()})
            self.send_response(collector.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Whoever waits no longer for an answer is none of our business."""

    server = Server(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        if collector.hold is not None:
            collector.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()
