"""What is told of each request, once the head of its answer is sent: a line in the log, and a submit's span.

A stream's line comes when it opens, and tells nothing of its end. Paths, query strings, headers and bodies
are in neither: a path may hold what a client has made up, and a query string a ticket.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, StatusCode
from starlette.types import Message, Scope, Send

from api import methods
from api.auth.principal import NOBODY_ASKED, known_principal
from api.context import request_id
from api.metrics import route_of
from api.paths import METRICS_PATH
from events import tracing
from events.logfields import about

log = logging.getLogger(__name__)

_PROBES = frozenset({"/healthz", "/readyz", METRICS_PATH})
"""Asked for every few seconds; a line for each would hide the others."""


@contextmanager
def attended(scope: Scope, send: Send, *, told: bool) -> Generator[Send]:
    """A way to send a request's answer that tells of it; what is logged meanwhile bears the request's id.

    Args:
        scope: of the request.
        send: its own way.
        told: whether there's a line for each request; faults of ours have one all the same.
    """
    began, span = time.perf_counter(), _span(scope)

    async def send_told(message: Message) -> None:
        if message["type"] == "http.response.start":
            status: int = message["status"]
            _end(span, status)
            if told and not (scope["path"] in _PROBES and status < 400):
                _tell(scope, status, time.perf_counter() - began)
        await send(message)

    with tracing.current(span), about(request_id=request_id(scope), trace_id=tracing.current_trace_id()):
        try:
            yield send_told
        finally:
            if span.is_recording():  # nothing was sent
                span.end()


def _span(scope: Scope) -> Span:
    """A submit's, within the client's own if it names one."""
    if not (tracing.is_on() and scope["method"] == "POST" and scope["path"] == "/tasks"):
        return INVALID_SPAN
    given = [value for name, value in scope["headers"] if name == b"traceparent"]
    parent = tracing.context_of(given[0].decode("latin-1")) if len(given) == 1 else None
    about_it = {
        "http.request.method": "POST",
        "http.route": "/tasks",
        "taskreel.request_id": request_id(scope),
    }
    return tracing.start("POST /tasks", parent or Context(), kind=SpanKind.SERVER, attributes=about_it)


def _end(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(StatusCode.ERROR)
    span.end()


def _tell(scope: Scope, status: int, seconds: float) -> None:
    method, route = methods.told(scope), route_of(scope)
    fields: dict[str, Any] = {
        "method": method, "route": route, "status": status, "seconds": round(seconds, 6),
    }  # fmt: skip
    principal = known_principal(scope)
    if principal is not None and principal is not NOBODY_ASKED:
        digest = hashlib.sha256(principal.subject.encode("utf-8", "surrogatepass")).hexdigest()
        fields |= {"tenant": principal.tenant, "subject": digest[:12]}
    log.info("%s %s %d", method, route, status, extra=fields)
