"""A collector of spans: takes what OpenTelemetry's exporters send by OTLP over HTTP, and keeps it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Told:
    """One span, as it was sent.

    Attributes:
        service: whose it is.
        attributes: its own.
        links: ids of the spans that it's linked to.
        error: what its status says, if that is an error.
        began, ended: Unix time in ns.
    """

    name: str
    service: str
    trace_id: str
    span_id: str
    parent: str
    attributes: dict[str, Any]
    links: tuple[str, ...]
    error: str | None
    events: tuple[str, ...]
    began: int
    ended: int


@dataclass
class Collector:
    """What has come, and how the next request is answered."""

    url: str = ""
    status: int = 200
    requests: int = 0
    spans: list[Told] = field(default_factory=list[Told])
    raw: list[bytes] = field(default_factory=list[bytes])
    released: threading.Event = field(default_factory=threading.Event)
    """Answers wait for it."""

    def take(self, body: bytes) -> None:
        """Keep a request's spans."""
        self.requests += 1
        if self.status != 200:
            return
        self.raw.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            about = {item.key: item.value.string_value for item in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [_told(about["service.name"], span) for span in scope.spans]

    def of_trace(self, trace_id: str) -> dict[str, Told]:
        """The spans of a trace, by their ids; no two have the same."""
        found = [span for span in self.spans if span.trace_id == trace_id]
        by_id = {span.span_id: span for span in found}
        assert len(by_id) == len(found), f"told twice: {sorted(span.name for span in found)}"
        return by_id


def _told(service: str, span: Any) -> Told:
    attributes = {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes}
    return Told(
        name=span.name,
        service=service,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        attributes=attributes,
        links=tuple(link.span_id.hex() for link in span.links),
        error=span.status.message if span.status.code == 2 else None,
        events=tuple(event.name for event in span.events),
        began=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
    )


@contextlib.contextmanager
def collecting(*, slow: bool = False) -> Generator[Collector]:
    """A collector that listens; a slow one answers nobody before it's released."""
    it = Collector()
    if not slow:
        it.released.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            it.take(body)
            it.released.wait(60)
            with contextlib.suppress(OSError):
                self.send_response(it.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its base names it so
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    it.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield it
    finally:
        it.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
