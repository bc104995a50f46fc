"""The JSON routes. Each is one question to the log or the store, and its answer's shape."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse

from api import accept, metrics
from api.auth.access import require
from api.auth.principal import Permission, Principal, principal_of
from api.body import read_json
from api.history import Selection
from api.openapi import described
from api.openapi.formats import CursorText, ListCursor, TaskId, TypesText
from api.pod import Pod
from api.problems import Problem, from_error
from api.schemas import Accepted, EventPage, Graph, GraphList, Task, TaskList
from api.stream import StreamResponse, cancels_on_disconnect
from api.throttle import rate_headers
from api.views import accepted_view, read_cursor, summary_view, task_view, write_cursor
from events.index import Wanted
from events.model import START, EventId, EventType, Status
from events.position import Located
from events.tenancy import bare

router = APIRouter()


async def _pod(request: Request) -> Pod:
    return request.app.state.pod


async def _caller(request: Request) -> Principal:
    return principal_of(request.scope)


ThePod = Annotated[Pod, Depends(_pod)]
Caller = Annotated[Principal, Depends(_caller)]


async def accepts_json(request: Request) -> None:
    """Raises Problem, 406, for a client that doesn't take JSON."""
    accept.choose(request.headers.get("accept"), ["application/json"])


async def counts_refusals() -> AsyncGenerator[None]:
    """Counts what is wrong with a submit."""
    try:
        yield
    except Exception as error:
        metrics.submit_refused(from_error(error))
        raise


JSON_ONLY = [Depends(accepts_json)]


@router.post(
    "/tasks",
    status_code=202,
    response_model=Accepted,
    dependencies=[Depends(counts_refusals)],
    **described.SUBMIT,
)
async def submit_task(request: Request, pod: ThePod, caller: Caller) -> Response:
    """Submit a task. With `Accept: text/event-stream` the answer is its stream."""
    offered = ["application/json", "text/event-stream"]
    kind = accept.choose(request.headers.get("accept"), offered)
    if kind == "text/event-stream":
        pod.streams.admit()
    require(caller, Permission.SUBMIT)
    await pod.throttle.count_submit(request.scope)
    cancel = cancels_on_disconnect(request)
    if kind == "application/json":
        task_id, headers = await _submit(request, pod, caller)
        return json_answer(accepted_view(await pod.tasks.get(task_id)), 202, headers)
    async with pod.streams.reserve(caller) as place:
        task_id, headers = await _submit(request, pod, caller)
        located = Located(START)
        metrics.located(located, fresh=True)
        return StreamResponse(pod.streams, task_id, located, cancel=cancel, place=place, headers=headers)


async def _submit(request: Request, pod: Pod, caller: Principal) -> tuple[str, dict[str, str]]:
    """The id of the task that a request makes, or has made, and the answer's headers."""
    body = await read_json(request)
    keys = request.headers.getlist("idempotency-key")
    if len(keys) > 1:
        raise Problem(422, "invalid_key", "The Idempotency-Key is invalid", "Send one Idempotency-Key.")
    submitted = await pod.submitter.submit(body, keys[0] if keys else None, caller)
    headers = {**rate_headers(request.scope), "Location": f"/tasks/{bare(submitted.task_id)}"}
    if submitted.replayed:
        headers["Idempotent-Replayed"] = "true"
    return submitted.task_id, headers


@router.get("/tasks", response_model=TaskList, dependencies=JSON_ONLY, **described.LIST)
async def list_tasks(
    pod: ThePod,
    caller: Caller,
    status: Status | None = None,
    graph: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: ListCursor = None,
) -> Response:
    """List tasks, newest first, without their results."""
    require(caller, Permission.READ)
    before = caller.task_id(read_cursor(cursor)) if cursor else None
    wanted = Wanted(caller.tenant, None if caller.sees_all else caller.subject, status, graph)
    states, following = await pod.index.list(wanted, limit=limit, before=before)
    tasks = [summary_view(state) for state in states]
    return json_answer({"tasks": tasks, "next": write_cursor(bare(following)) if following else None})


@router.get("/tasks/{task_id}", response_model=Task, dependencies=JSON_ONLY, **described.SHOW)
async def show_task(task_id: TaskId, pod: ThePod, caller: Caller) -> Response:
    """Show a task as it is now."""
    task_id = await pod.access.task(caller, task_id, Permission.READ)
    await pod.log.locate(task_id, START)
    return json_answer(task_view(await pod.tasks.get(task_id)))


@router.get("/tasks/{task_id}/events", response_model=EventPage, **described.EVENTS)
async def read_events(
    task_id: TaskId,
    request: Request,
    pod: ThePod,
    caller: Caller,
    after: CursorText = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    types: TypesText = None,
    attempts: Literal["final", "all"] = "all",
) -> Response:
    """Read history: a page as JSON, or with `Accept: application/x-ndjson` all the rest, one event a line."""
    kind = accept.choose(request.headers.get("accept"), ["application/json", "application/x-ndjson"])
    position = EventId.parse(after) if after else START
    wanted = Selection(position, _types(types), attempts == "final")
    task_id = await pod.access.task(caller, task_id, Permission.READ)
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


@router.get("/graphs", response_model=GraphList, dependencies=JSON_ONLY, **described.GRAPHS)
async def list_graphs(pod: ThePod) -> Response:
    """List the graphs that can be run."""
    graphs = await pod.graphs.all()
    return json_answer({"graphs": [asdict(graph) for graph in graphs.values()]})


@router.get("/graphs/{name}", response_model=Graph, dependencies=JSON_ONLY, **described.GRAPH)
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
