"""The JSON routes. Each is one question to the log or the store, and its answer's shape."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse

from api import accept
from api.body import read_json
from api.history import Selection
from api.pod import Pod
from api.problems import PROBLEMS, Problem
from api.schemas import Accepted, EventPage, Graph, GraphList, Task, TaskList, TaskRequest
from api.stream import StreamResponse, cancels_on_disconnect, check_task_id
from api.views import accepted_view, read_cursor, task_view, write_cursor
from events.model import START, EventId, EventType, Status
from events.position import Located

router = APIRouter(responses=PROBLEMS)


def _pod(request: Request) -> Pod:
    return request.app.state.pod


ThePod = Annotated[Pod, Depends(_pod)]


def accepts_json(request: Request) -> None:
    """Raises Problem, 406, for a client that doesn't take JSON."""
    accept.choose(request.headers.get("accept"), ["application/json"])


JSON_ONLY = [Depends(accepts_json)]

_REQUEST_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": TaskRequest.model_json_schema()}},
    },
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "schema": {"type": "string", "maxLength": 255},
            "description": "the same key and body make one task, however often they come",
        }
    ],
}


@router.post("/tasks", status_code=202, response_model=Accepted, openapi_extra=_REQUEST_BODY)
async def submit_task(request: Request, pod: ThePod) -> Response:
    """Submit a task. With `Accept: text/event-stream` the answer is its stream."""
    offered = ["application/json", "text/event-stream"]
    kind = accept.choose(request.headers.get("accept"), offered)
    if kind == "text/event-stream":
        pod.streams.admit()
    cancel = cancels_on_disconnect(request)
    body = await read_json(request)
    submitted = await pod.submitter.submit(body, request.headers.get("idempotency-key"))
    headers = {"Location": f"/tasks/{submitted.task_id}"}
    if submitted.replayed:
        headers["Idempotent-Replayed"] = "true"
    if kind == "text/event-stream":
        located = Located(START)
        return StreamResponse(pod.streams, submitted.task_id, located, cancel=cancel, headers=headers)
    state = await pod.tasks.get(submitted.task_id)
    return json_answer(accepted_view(state), 202, headers)


@router.get("/tasks", response_model=TaskList, dependencies=JSON_ONLY)
async def list_tasks(
    pod: ThePod,
    status: Status | None = None,
    graph: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: str | None = None,
) -> Response:
    """List tasks, newest first."""
    before = read_cursor(cursor) if cursor else None
    states, following = await pod.index.list(limit=limit, before=before, status=status, graph=graph)
    tasks = [task_view(state) for state in states]
    return json_answer({"tasks": tasks, "next": write_cursor(following) if following else None})


@router.get("/tasks/{task_id}", response_model=Task, dependencies=JSON_ONLY)
async def show_task(task_id: str, pod: ThePod) -> Response:
    """Show a task as it is now."""
    task_id = check_task_id(task_id)
    await pod.log.locate(task_id, START)
    return json_answer(task_view(await pod.tasks.get(task_id)))


@router.get("/tasks/{task_id}/events", response_model=EventPage)
async def read_events(
    task_id: str,
    request: Request,
    pod: ThePod,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    types: str | None = None,
    attempts: Literal["final", "all"] = "all",
) -> Response:
    """Read history: a page as JSON, or with `Accept: application/x-ndjson` all the rest, one event a line."""
    kind = accept.choose(request.headers.get("accept"), ["application/json", "application/x-ndjson"])
    position = EventId.parse(after) if after else START
    wanted = Selection(position, _types(types), attempts == "final")
    task_id = check_task_id(task_id)
    if kind == "application/x-ndjson":
        await pod.log.locate(task_id, START)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(pod.history.lines(task_id, wanted), 200, headers, kind)
    page = await pod.history.page(task_id, wanted, limit)
    if page.etag is None:
        return Response(page.body(), headers={"Cache-Control": "no-store"}, media_type=kind)
    headers = {"ETag": page.etag, "Cache-Control": "private, max-age=0", "Vary": "Accept"}
    known = request.headers.get("if-none-match", "")
    if page.etag in known or known.strip() == "*":
        return Response(status_code=304, headers=headers)
    return Response(page.body(), headers=headers, media_type=kind)


@router.get("/graphs", response_model=GraphList, dependencies=JSON_ONLY)
async def list_graphs(pod: ThePod) -> Response:
    """List the graphs that can be run."""
    graphs = await pod.graphs.all()
    return json_answer({"graphs": [asdict(graph) for graph in graphs.values()]})


@router.get("/graphs/{name}", response_model=Graph, dependencies=JSON_ONLY)
async def show_graph(name: str, pod: ThePod) -> Response:
    """Show a graph: its input's JSON Schema and its drawing."""
    graph = await pod.graphs.get(name)
    if graph is None:
        raise Problem(
            404, "graph_not_found", "There is no such graph", "See GET /graphs for those there are."
        )
    return json_answer(asdict(graph))


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Alive."""
    return {"status": "alive"}


@router.get("/readyz")
async def readyz(pod: ThePod) -> dict[str, str]:
    """Ready: the log answers and the pod isn't draining."""
    await pod.check_ready()
    return {"status": "ready"}


def _types(text: str | None) -> frozenset[EventType] | None:
    if text is None:
        return None
    try:
        return frozenset(EventType(word) for word in text.split(","))
    except ValueError:
        detail = f"types is a comma-separated list of: {', '.join(EventType)}."
        raise Problem(422, "invalid_request", "The request is invalid", detail) from None


def json_answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer that no cache keeps."""
    headers = {"Cache-Control": "no-store", **(headers or {})}
    return Response(orjson.dumps(content), status, headers, "application/json")
