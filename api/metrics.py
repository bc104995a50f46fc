"""What a pod is counted by, for Prometheus, besides the log's own (`events/metrics`)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fastapi.routing import APIRoute
from prometheus_client import Counter, Gauge, Histogram
from starlette.types import Message, Scope, Send

from api import methods
from api.context import streamed_task
from api.paths import OPEN_FOLDERS, OPEN_PATHS, STREAM_ROUTE
from events.position import Gap, Located

if TYPE_CHECKING:
    from api.problems import Problem

OPEN_STREAMS = Gauge("taskreel_open_streams", "Streams that are open.")
OPEN_STREAMS_LIMIT = Gauge("taskreel_open_streams_limit", "Streams that this pod takes.")
_RESUMES = Counter(
    "taskreel_resumes_total",
    "Streams asked for, by where they went on: start, exact, gap, rewound, ended.",
    ["outcome"],
)
SLOW_CLIENTS = Counter(
    "taskreel_slow_clients_total", "Clients cut off, for they took less than they were sent."
)
REFUSED_CONNECTIONS = Counter(
    "taskreel_refused_connections_total", "Newcomers turned away, for all connections were taken."
)
EVICTED_CONNECTIONS = Counter(
    "taskreel_evicted_connections_total", "Silent connections closed, so that a newcomer got in."
)

_REQUESTS = Counter(
    "taskreel_http_requests_total",
    "Requests that reached a route, by the answer.",
    ["method", "route", "status"],
)
_REQUEST_SECONDS = Histogram(
    "taskreel_http_request_duration_seconds",
    "From a request's arrival to the head of its answer; a stream goes on from there.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_PROBLEMS = Counter(
    "taskreel_http_problems_total",
    "Problems answered, by status and code; to an EventSource those that pass come as 200.",
    ["status", "code"],
)
for _code, _status in (("internal_error", "500"), ("log_full", "503")):
    _PROBLEMS.labels(_status, _code)  # a series that begins at 1 has not grown, as far as Prometheus can tell
_SUBMITS = Counter(
    "taskreel_submits_total", "Submits: accepted, replayed, or refused with a problem's code.", ["outcome"]
)

QUEUE_UP = Gauge("taskreel_queue_up", "1 if the queue's Redis answered just now, 0 if not.")
QUEUE_DEPTH = Gauge(
    "taskreel_queue_depth", "Dispatches that wait, in the system: the same at each pod.", ["pool"]
)
QUEUE_AGE = Gauge(
    "taskreel_queue_oldest_age_seconds",
    "Since when the oldest of the next dispatches waits, in the system.",
    ["pool"],
)


def located(found: Located, *, fresh: bool) -> None:
    """A stream was asked for, and goes on from there; `fresh`: its client hasn't had any of it yet."""
    if found.notice is not None:
        outcome = "gap" if isinstance(found.notice, Gap) else "rewound"
    elif found.ended:
        outcome = "ended"
    else:
        outcome = "start" if fresh else "exact"
    _RESUMES.labels(outcome).inc()


def submitted(*, replayed: bool) -> None:
    """A submit was taken."""
    _SUBMITS.labels("replayed" if replayed else "accepted").inc()


def submit_refused(problem: Problem | None) -> None:
    """A submit was answered with a problem; None for a fault of ours."""
    _SUBMITS.labels("internal_error" if problem is None else problem.code).inc()


def problem(status: int, code: str) -> None:
    """A problem was answered."""
    _PROBLEMS.labels(str(status), code).inc()


def measured(scope: Scope, send: Send) -> Send:
    """A way to send a request's answer by which it's counted, and timed to its head."""
    began = time.perf_counter()

    async def send_measured(message: Message) -> None:
        if message["type"] == "http.response.start":
            method, route = methods.told(scope), route_of(scope)
            _REQUESTS.labels(method, route, str(message["status"])).inc()
            _REQUEST_SECONDS.labels(method, route).observe(time.perf_counter() - began)
        await send(message)

    return send_measured


def route_of(scope: Scope) -> str:
    """The template of a request's path: one of few, whatever clients ask for."""
    if streamed_task(scope) is not None:
        return STREAM_ROUTE
    route, path = scope.get("route"), scope["path"]
    if isinstance(route, APIRoute):
        return route.path
    if path in OPEN_PATHS:
        return path
    return next((folder for folder in OPEN_FOLDERS if path.startswith(folder)), "other")
