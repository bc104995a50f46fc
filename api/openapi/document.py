"""What the OpenAPI document tells and no route's signature: problems, headers, the stream, who may ask. Pure.

Formats: OpenAPI 3.1; RFC 9457 for problems.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.openapi.formats import CursorText, TaskId, schema_of
from api.paths import METRICS_PATH, OPEN_PATHS, STREAM_ROUTE
from api.schemas import ProblemDocument

JSON = dict[str, Any]

DESCRIPTION = """Runs LangGraph graphs, and keeps every event of a run in a log that can be streamed, resumed
and played back. What fails answers `application/problem+json` (RFC 9457); its `code` is stable."""

PROBLEMS: Mapping[int, str] = {
    400: "`invalid_cursor`, `invalid_json`, `too_deep`, or `bad_request`: it is not HTTP as it's taken here",
    401: "`unauthenticated`: no credential, or one that is not valid (any more)",
    403: "`forbidden`: the role does not allow it; `cross_origin`: another site's page sent it",
    404: "`task_not_found`, `graph_not_found`",
    406: "`not_acceptable`: the `Accept` excludes what is offered",
    408: "`request_timeout`: the request did not come whole in time",
    409: "`thread_busy`, `already_ended`, `not_waiting`: not in the state that it's in",
    410: "`log_expired`: the task's log has passed its retention",
    413: "`too_large`: the body is over 1 MiB",
    415: "`unsupported_media_type`: the body is not declared as JSON",
    421: "`misdirected_request`: the pod does not go by the name that `Host` gives",
    422: "`invalid_request`, or another code for what the request's content is not",
    429: "too much at a time for this client, or for this pod; try again after `Retry-After`",
    431: "`headers_too_large`",
    503: "passing: try again after `Retry-After`",
}
"""What can be wrong, by status, with the codes of each."""

_ANYWHERE = (400, 403, 408, 413, 421, 429, 431, 503)
_SECURED = (401,)
_CREDENTIALS: JSON = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "an API key, or a token"},
    "scraper": {
        "type": "http",
        "scheme": "bearer",
        "description": "TASKREEL_METRICS_TOKEN",
    },
    "ticket": {"type": "apiKey", "in": "query", "name": "ticket", "description": "for one stream, once"},
}


def header(description: str, **schema: Any) -> JSON:
    """A header of an answer."""
    return {"description": description, "schema": {"type": "string", **schema}}


_REQUEST_ID = header("names this request in the pod's log", pattern="^[A-Za-z0-9_.-]{1,64}$")
_RETRY_AFTER = header("seconds", pattern="^[0-9]+$")
_PROBLEM_HEADERS: Mapping[int, JSON] = {
    401: {"WWW-Authenticate": header("RFC 6750", pattern="^Bearer ")},
    429: {"Retry-After": _RETRY_AFTER},
    503: {"Retry-After": _RETRY_AFTER},
}
_ASK_REQUEST_ID: JSON = {
    "name": "X-Request-ID",
    "in": "header",
    "description": "names the request in the pod's log and in the answer, if it is a plain word",
    "schema": {"type": "string"},
}
ON_DISCONNECT: JSON = {
    "name": "on_disconnect",
    "in": "query",
    "description": "what becomes of the task when this client leaves its stream before the end",
    "schema": {"type": "string", "enum": ["continue", "cancel"], "default": "continue"},
}
_TICKET: JSON = {
    "name": "ticket",
    "in": "query",
    "description": "of POST /tasks/{task_id}/ticket, for who can't send a header; the header wins",
    "schema": {"type": "string"},
}
EVENT_STREAM: JSON = {
    "description": "server-sent events, see docs/protocol.md",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


def problems(*statuses: int) -> dict[int | str, JSON]:
    """Answers of those statuses, for a route's `responses`."""
    return {status: _problem(status) for status in statuses}


def complete(document: JSON, *, secured: bool) -> None:
    """Add to FastAPI's document what it can't know; `secured` if requests need a credential."""
    document["info"]["description"] = DESCRIPTION
    parts = document["components"]
    for name in ("HTTPValidationError", "ValidationError"):
        parts["schemas"].pop(name, None)
    parts["schemas"]["ProblemDocument"] = ProblemDocument.model_json_schema()
    document["paths"][STREAM_ROUTE] = {"get": _stream()}
    if secured:
        parts["securitySchemes"] = _CREDENTIALS
        document["security"] = [{"bearer": []}]
        document["paths"][STREAM_ROUTE]["get"]["security"] = [{"bearer": []}, {"ticket": []}]
        document["paths"][METRICS_PATH]["get"]["security"] = [{"scraper": []}]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _add_common(operation, secured=secured and path not in OPEN_PATHS)
            if secured and path in OPEN_PATHS:
                operation["security"] = []


def _add_common(operation: JSON, *, secured: bool) -> None:
    """What every operation takes and may answer."""
    operation.setdefault("parameters", []).append(_ASK_REQUEST_ID)
    answers = operation["responses"]
    if "HTTPValidationError" in str(answers.get("422")):
        del answers["422"]  # FastAPI's own, for parameters that take anything
    for status in (*_ANYWHERE, *(_SECURED if secured else ())):
        answers.setdefault(str(status), _problem(status))
    for answer in answers.values():
        answer["headers"] = {**answer.get("headers", {}), "X-Request-ID": _REQUEST_ID}
    operation["responses"] = dict(sorted(answers.items()))


def _problem(status: int) -> JSON:
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    return {
        "description": PROBLEMS[status],
        "content": {"application/problem+json": {"schema": schema}},
        "headers": dict(_PROBLEM_HEADERS.get(status, {})),
    }


def _stream() -> JSON:
    """The stream, which passes FastAPI by."""
    cursor = {"schema": schema_of(CursorText)}
    path = {"name": "task_id", "in": "path", "required": True, "schema": schema_of(TaskId)}
    start = {"type": "string", "pattern": "^(now|-[1-9][0-9]{0,5})$"}
    return {
        "summary": "Stream Events",
        "description": "What is after the cursor, then what happens, to the end. HEAD: the headers.",
        "operationId": "stream_events",
        "parameters": [
            path,
            {"name": "Last-Event-ID", "in": "header", "description": "the client's cursor", **cursor},
            {"name": "last_event_id", "in": "query", "description": "the same; the header wins", **cursor},
            {
                "name": "from",
                "in": "query",
                "description": "where to start without a cursor",
                "schema": start,
            },
            _TICKET,
            ON_DISCONNECT,
        ],
        "responses": {
            "200": EVENT_STREAM,
            "204": {"description": "the cursor is at the end of a log that has ended"},
            **{str(status): answer for status, answer in problems(400, 404, 406, 410, 422).items()},
        },
    }
