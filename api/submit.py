"""POST /tasks: from a request to a task that will run, whatever dies after the 202."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError
from uuid_utils import uuid7

from api.inputs import check_input
from api.problems import Problem, passing
from api.schemas import TaskRequest
from events.connect import AWAY
from events.graphs import GraphDescriptor, GraphDirectory
from events.model import now_ms, timestamp
from events.queue import Dispatcher
from events.tasks import Submission, TaskStore

log = logging.getLogger(__name__)

MAX_KEY_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a submit came to; `replayed` if an earlier request with the same key had made the task."""

    task_id: str
    replayed: bool


class Submitter:
    """Takes tasks in."""

    def __init__(
        self, tasks: TaskStore, graphs: GraphDirectory, dispatcher: Dispatcher, *, max_queued: int
    ) -> None:
        self._tasks = tasks
        self._graphs = graphs
        self._dispatcher = dispatcher
        self._max_queued = max_queued

    async def submit(self, body: Any, key: str | None) -> Submitted:
        """Check a request and make its task.

        Raises:
            Problem: 404 `graph_not_found`, 422 `invalid_request` or `invalid_input`, 503 `queue_full`.
            KeyReused, ThreadBusy: see there.
        """
        request = _parse(body)
        graph = await self._graph(request.graph)
        check_input(graph, request.input)
        new_id = str(uuid7())
        task_id = new_id
        if key is not None:
            task_id = await self._tasks.reserve(_check_key(key), _digest(body), new_id)
        if task_id != new_id and await self._tasks.exists(task_id):
            return Submitted(task_id, replayed=True)
        if await self._dispatcher.depth(graph.pool) >= self._max_queued:
            detail = f"{self._max_queued} tasks wait already; try again later."
            raise passing("queue_full", "The queue is full", detail)
        await self._tasks.submit(_submission(task_id, graph, request))
        await self._dispatch(task_id, graph.pool)
        return Submitted(task_id, replayed=False)

    async def _graph(self, name: str) -> GraphDescriptor:
        graph = await self._graphs.get(name)
        if graph is None:
            names = list(await self._graphs.all())
            detail = f"There are: {', '.join(names)}." if names else "No worker has announced any graph yet."
            raise Problem(404, "graph_not_found", "There is no such graph", detail, {"graphs": names})
        return graph

    async def _dispatch(self, task_id: str, pool: str) -> None:
        try:
            await self._dispatcher.dispatch(task_id, pool)
        except AWAY:
            # The task is in the log and its deadline is set, so a sweeper dispatches it soon.
            log.warning("the queue could not be reached for task %s; the sweeper will dispatch it", task_id)


def _parse(body: Any) -> TaskRequest:
    try:
        return TaskRequest.model_validate(body)
    except ValidationError as error:
        known = list(TaskRequest.model_fields)
        failures = [
            {"path": "".join(f"/{part}" for part in item["loc"] if part in known), "rule": item["type"]}
            for item in error.errors(include_input=False, include_url=False)
        ]
        detail = f"The body is an object with graph and, if you like, {', '.join(known[1:])}."
        extra = {"errors": failures}
        raise Problem(422, "invalid_request", "The request is invalid", detail, extra) from None


def _check_key(key: str) -> str:
    if not (0 < len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable()):
        detail = f"An Idempotency-Key has 1 to {MAX_KEY_LENGTH} printable ASCII characters."
        raise Problem(422, "invalid_key", "The Idempotency-Key is invalid", detail)
    return key


def _digest(body: Any) -> str:
    """Two bodies are the same request when they are the same JSON, whatever their white space."""
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _submission(task_id: str, graph: GraphDescriptor, request: TaskRequest) -> Submission:
    return Submission(
        task_id=task_id,
        graph=graph.name,
        pool=graph.pool,
        input=request.input,
        thread_id=request.thread_id or task_id,
        metadata=request.metadata,
        created_at=timestamp(now_ms()),
    )
