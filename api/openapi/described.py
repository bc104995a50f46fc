"""What each route may answer beside its own model, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from api.openapi.document import EVENT_STREAM, ON_DISCONNECT, header, problems
from api.openapi.formats import IdempotencyKey, schema_of
from api.schemas import ResumeRequest, TaskRequest

Described = dict[str, Any]

_OF_A_TASK = ("show_task", "read_events", "cancel_task", "resume_task", "stream_events")


def _route(name: str, *statuses: int, answers: dict[int, Any] | None = None, **extra: Any) -> Described:
    """The keyword arguments of a route's decorator; `statuses` are of problems."""
    responses = {**(answers or {}), **problems(*statuses)}
    return {"operation_id": name, "responses": responses, "openapi_extra": extra}


def _links(pointer: str) -> dict[str, Any]:
    """Where to go from a task whose id is there in the answer."""
    parameters = {"task_id": f"$response.body#/{pointer}"}
    return {name: {"operationId": name, "parameters": parameters} for name in _OF_A_TASK}


def _body(model: type[BaseModel]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}}


_LOCATION = {"Location": header("the task", pattern="^/tasks/[0-9a-f-]{36}$")}
_REPLAYED = header("the task was made by an earlier request with this key", enum=["true"])
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "the same key and body make one task, however often they come",
    "schema": schema_of(IdempotencyKey),
}
_KNOWN = {
    "name": "If-None-Match",
    "in": "header",
    "description": "the `ETag` of what the client has",
    "schema": {"type": "string"},
}
_ETAG = {"ETag": header("of a sealed log's page", pattern='^"[0-9a-f]{32}"$')}

_GRAPH_LINKS = {
    "show_graph": {"operationId": "show_graph", "parameters": {"name": "$response.body#/graphs/0/name"}}
}

SUBMIT = _route(
    "submit_task",
    *(400, 404, 406, 409, 410, 413, 415, 422),
    answers={
        202: {"headers": {**_LOCATION, "Idempotent-Replayed": _REPLAYED}, "links": _links("task_id")},
        200: {**EVENT_STREAM, "headers": _LOCATION},
    },
    requestBody=_body(TaskRequest),
    parameters=[_KEY, ON_DISCONNECT],
)
LIST = _route("list_tasks", 400, 406, 422, answers={200: {"links": _links("tasks/0/task_id")}})
SHOW = _route("show_task", 404, 406, 410)
EVENTS = _route(
    "read_events",
    *(400, 404, 406, 410, 422),
    answers={
        200: {
            "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
            "headers": _ETAG,
        },
        304: {"description": "the client has it", "headers": _ETAG},
    },
    parameters=[_KNOWN],
)
CANCEL = _route("cancel_task", 404, 406, 409, 410)
RESUME = _route("resume_task", 400, 404, 406, 409, 410, 413, 415, 422, requestBody=_body(ResumeRequest))
GRAPHS = _route("list_graphs", 406, answers={200: {"links": _GRAPH_LINKS}})
GRAPH = _route("show_graph", 404, 406)
TICKET = _route("make_ticket", 404, 406, 410)
WHOAMI = _route("whoami", 406)
METRICS = _route(
    "read_metrics",
    404,
    answers={
        200: {
            "description": "the pod's metrics, as Prometheus reads them",
            "content": {
                "text/plain": {"schema": {"type": "string"}},
                "application/openmetrics-text": {"schema": {"type": "string"}},
            },
        }
    },
)
