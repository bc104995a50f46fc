"""Tracing: one trace a task, from its POST to its terminal event. Off until there is a tracer.

Spans are OpenTelemetry's, made by its API; who exports them is `cli/tracing`'s business. A trace's context is
in the task's record, so that a takeover, or an answer hours later, goes on with it. Spans bear names, ids,
times and outcomes, and nothing that a user has sent or a graph has said.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACEPARENT = "traceparent"
"""Field of a task's record, and header of W3C's Trace Context: the span of its POST."""

_W3C = TraceContextTextMapPropagator()


class _Process:
    """What this process traces with."""

    tracer: Tracer | None = None

    @staticmethod
    def close() -> None:
        """Nothing is open."""


def begin(tracer: Tracer, close: Callable[[], None]) -> None:
    """Trace from now on.

    Args:
        tracer: makes the spans.
        close: sends what is left of them, and takes a second at most.
    """
    _Process.tracer, _Process.close = tracer, staticmethod(close)


def end() -> None:
    """Send what is left, and trace no longer."""
    close, _Process.tracer, _Process.close = _Process.close, None, staticmethod(lambda: None)
    close()


def is_on() -> bool:
    """Whether there is a tracer."""
    return _Process.tracer is not None


def start(
    name: str,
    parent: Context | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, str | int] | None = None,
    links: Sequence[Link] = (),
    at_ms: int | None = None,
) -> Span:
    """A span that has begun, at a time in Unix milliseconds if it has begun before; while off, none.

    Without a parent it is within what is current.
    """
    tracer = _Process.tracer
    if tracer is None:
        return trace.INVALID_SPAN
    time_ns = None if at_ms is None else at_ms * 1_000_000
    return tracer.start_span(name, parent, kind, attributes, links, start_time=time_ns)


@contextmanager
def current(span: Span) -> Generator[Span]:
    """Have the span be what is current; it ends elsewhere."""
    if not is_on():
        yield span
        return
    with trace.use_span(span, record_exception=False, set_status_on_exception=False):
        yield span


@contextmanager
def within(name: str, **more: Any) -> Generator[Span]:
    """A span around what is done; of an error that goes through, it tells the type."""
    if not is_on():
        yield trace.INVALID_SPAN
        return
    span = start(name, **more)
    try:
        with current(span):
            yield span
    except BaseException as error:
        span.set_status(StatusCode.ERROR, type(error).__name__)
        raise
    finally:
        span.end()


def traceparent() -> str:
    """The current span as W3C writes it; empty if there is none."""
    carrier = dict[str, str]()
    if is_on():
        _W3C.inject(carrier)
    return carrier.get(TRACEPARENT, "")


def context_of(text: str | None) -> Context | None:
    """What a `traceparent` stands for; None if it isn't one. Nothing else is taken from outside."""
    context = _W3C.extract({TRACEPARENT: text or ""}, Context())
    return context if trace.get_current_span(context).get_span_context().is_valid else None


def current_trace_id() -> str:
    """The id of the trace that the current span is in; empty if there is none."""
    return trace_id({TRACEPARENT: traceparent()})


def trace_id(record: Mapping[str, str]) -> str:
    """The id of a task's trace, by its record; empty if it has none."""
    return record[TRACEPARENT].split("-")[1] if record.get(TRACEPARENT) else ""


def told(record: Mapping[str, str]) -> dict[str, str]:
    """What the log tells of a task's trace: `trace_id`, if it has one."""
    found = trace_id(record)
    return {"trace_id": found} if found else {}
