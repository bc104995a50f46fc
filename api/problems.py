"""Errors as RFC 9457 problem documents. No answer repeats what the client sent."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.responses import Response

from api import metrics
from api.auth.jwks import KeysAway
from events import errors
from events.connect import AWAY, OutOfMemoryError
from events.tenancy import bare

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2

_DRAINING = "draining"


@dataclass(eq=False)
class Problem(Exception):
    """An answer that isn't what was asked for.

    Attributes:
        status: of HTTP.
        code: one word for programs; stable.
        title: the same for every occurrence of the code.
        detail: what was wrong, what was expected, what to do.
        extra: more members of the document.
        headers: more headers of the answer.
    """

    status: int
    code: str
    title: str
    detail: str
    extra: dict[str, Any] = field(default_factory=dict[str, Any])
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed a little later."""
        return "Retry-After" in self.headers

    @property
    def elsewhere(self) -> bool:
        """Whether another pod may answer the same request now."""
        return self.code == _DRAINING

    def response(self, request_id: str) -> Response:
        """The answer."""
        metrics.problem(self.status, self.code)
        document = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "request_id": request_id,
            **self.extra,
        }
        return Response(orjson.dumps(document), self.status, self.headers, MEDIA_TYPE)


def passing(code: str, title: str, detail: str, status: int = 503) -> Problem:
    """A problem that goes away by itself."""
    return Problem(status, code, title, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def draining() -> Problem:
    """The pod is going away and opens nothing more."""
    return passing(_DRAINING, "This pod is going away", "It is draining; another one serves you.")


def log_full() -> Problem:
    """Redis has no memory for more tasks, or for what was asked."""
    detail = "Redis has no memory left for this; tasks that run may end, and make room. Try again later."
    return passing("log_full", "The log is full", detail)


def internal_error(error: Exception, request_id: str) -> Problem:
    """The problem for a fault of ours, of which only the pod's log tells more."""
    log.error("request %s failed", request_id, exc_info=error)
    detail = "The fault is ours. The request id leads to it in the pod's log."
    return Problem(500, "internal_error", "Internal error", detail)


_KNOWN: dict[type[Exception], tuple[int, str, str]] = {
    errors.InvalidCursor: (400, "invalid_cursor", "The cursor is not an event id"),
    errors.TaskNotFound: (404, "task_not_found", "There is no such task"),
    errors.LogExpired: (410, "log_expired", "The task's log has passed its retention"),
    errors.ThreadBusy: (409, "thread_busy", "The thread has an unfinished task"),
    errors.AlreadyEnded: (409, "already_ended", "The task has ended"),
    errors.NotWaiting: (409, "not_waiting", "The task does not wait for an answer"),
    errors.KeyReused: (422, "key_reused", "The Idempotency-Key belongs to another request"),
    errors.NotStorable: (422, "invalid_input", "The input can't be stored"),
}


def from_error(error: Exception) -> Problem | None:
    """The problem for an error of the log's; None for one that is a fault of ours."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, KeysAway):
        return passing("issuer_unavailable", "The issuer's keys can't be read", "Try again soon.")
    if isinstance(error, OutOfMemoryError):
        return log_full()
    if isinstance(error, AWAY):
        return passing("log_unavailable", "The log can't be reached", "Redis doesn't answer; try again soon.")
    known = _KNOWN.get(type(error))
    if known is None:
        return None
    extra: dict[str, Any] = {}
    detail = str(error)
    if isinstance(error, errors.ThreadBusy):
        extra = {"task": f"/tasks/{bare(error.task_id)}"}
        detail = "Wait until that task has ended, or cancel it."
    return Problem(*known, detail, extra)
