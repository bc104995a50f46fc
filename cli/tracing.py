"""Sending spans to a collector by OTLP, if OpenTelemetry's own variables ask for it.

Whatever becomes of the collector, nobody waits for it: spans go to a queue that a thread empties, and are
dropped when it's full. The SDK is imported when it's needed and not before.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Generator, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from opentelemetry import trace

from events import tracing
from events.attempt_spans import span_id
from events.errors import SettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

CLOSE_SECONDS = 1.0
"""What the last spans may take, when the process ends."""

SILENT_SECONDS = 60.0
"""How long nothing more is said of spans that can't be sent."""

_LOGGERS = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.common.http",
    "opentelemetry.sdk._shared_internal",
)
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether spans are to be sent, by the variables of OpenTelemetry's specification.

    They are where an endpoint is named, or `OTEL_TRACES_EXPORTER=otlp` wants the usual one.

    Raises:
        SettingsError: they ask for an exporter or a protocol that isn't here, or an endpoint is no URL.
    """
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    endpoint = next((environment[name] for name in _ENDPOINTS if environment.get(name)), "")
    disabled = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if disabled or exporter == "none" or not (endpoint or exporter):
        return False
    if exporter not in ("", "otlp"):
        raise SettingsError(f"OTEL_TRACES_EXPORTER={exporter!r} isn't known here. It takes: otlp or none")
    protocol = next((environment[name] for name in _PROTOCOLS if environment.get(name)), "http/protobuf")
    if protocol != "http/protobuf":
        raise SettingsError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol!r} isn't known here. "
            "It takes: http/protobuf, whose usual port is 4318"
        )
    url = urlsplit(endpoint)
    if endpoint and not (url.scheme in ("http", "https") and url.hostname):
        raise SettingsError("OTEL_EXPORTER_OTLP_ENDPOINT isn't an http:// or https:// URL")
    return True


@contextlib.contextmanager
def exporting(command: str) -> Generator[None]:
    """Trace while the context lasts, if it's wanted.

    Args:
        command: `api` or `worker`; the service is `taskreel-api` or `taskreel-worker`, unless
            OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES says otherwise.

    Raises:
        SettingsError: as `wanted`.
    """
    if not wanted(os.environ):
        yield
        return
    provider = _provider(f"taskreel-{command}")
    trace.set_tracer_provider(provider)  # for what graphs trace themselves
    tracing.begin(provider.get_tracer("taskreel", version("taskreel")), lambda: _close(provider))
    try:
        yield
    finally:
        tracing.end()


def _provider(service: str) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        def generate_span_id(self) -> int:
            return span_id.get() or super().generate_span_id()

    for name in _LOGGERS:
        logging.getLogger(name).addFilter(Seldom())
    usual = {
        "service.name": service,
        "service.version": version("taskreel"),
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
    }
    resource = Resource.create({**usual, **OTELResourceDetector().detect().attributes})
    provider = TracerProvider(resource=resource, id_generator=Ids(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _close(provider: TracerProvider) -> None:
    """The SDK would wait for 30 s for a collector that is away: a thread may, and is left to itself."""
    closing: Callable[[], None] = provider.shutdown
    thread = threading.Thread(target=closing, name="tracing", daemon=True)
    thread.start()
    thread.join(CLOSE_SECONDS)


class Seldom(logging.Filter):
    """Lets one error a minute through, and nothing that is less: what is tried again isn't worth a line."""

    def __init__(self) -> None:
        super().__init__()
        self._silent_until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it's told."""
        full = record.msg == "Queue full, dropping %s."
        if (record.levelno < logging.ERROR and not full) or time.monotonic() < self._silent_until:
            return False
        self._silent_until = time.monotonic() + SILENT_SECONDS
        return True
