"""Errors as RFC 9457 problem documents. No answer repeats what the client sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.responses import Response

from api.schemas import ProblemDocument
from events import errors
from events.connect import AWAY

PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ProblemDocument, "description": "what was wrong, and what to do"},
    "503": {"model": ProblemDocument, "description": "passing: try again after Retry-After"},
}
"""What every route may answer besides, for the OpenAPI document."""

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2


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

    def response(self, request_id: str) -> Response:
        """The answer."""
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
    if isinstance(error, AWAY):
        return passing("log_unavailable", "The log can't be reached", "Redis doesn't answer; try again soon.")
    known = _KNOWN.get(type(error))
    if known is None:
        return None
    extra: dict[str, Any] = {}
    detail = str(error)
    if isinstance(error, errors.ThreadBusy):
        extra = {"task": f"/tasks/{error.task_id}"}
        detail = "Wait until that task has ended, or cancel it."
    return Problem(*known, detail, extra)
