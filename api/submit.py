"""POST /tasks: from a request to a task that will run, whatever dies after the 202."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError
from uuid_utils import uuid7

from api import metrics
from api.auth.principal import Principal
from api.inputs import check_input
from api.problems import Problem, log_full, passing
from api.schemas import TaskRequest
from api.throttle import Throttle
from events.connect import AWAY
from events.errors import NotCopied
from events.graphs import GraphDescriptor, GraphDirectory
from events.logfields import about
from events.memory import Headroom
from events.model import now_ms, timestamp
from events.queue import Dispatcher
from events.state import Submission
from events.tasks import TaskStore
from events.tenancy import bare
from events.tracing import traceparent

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
        self,
        tasks: TaskStore,
        graphs: GraphDirectory,
        dispatcher: Dispatcher,
        throttle: Throttle,
        *,
        max_queued: int,
    ) -> None:
        self._tasks = tasks
        self._graphs = graphs
        self._dispatcher = dispatcher
        self._throttle = throttle
        self._max_queued = max_queued
        self._headroom = Headroom(tasks.log.redis)

    async def submit(self, body: Any, key: str | None, principal: Principal) -> Submitted:
        """Check a request and make its task.

        Raises:
            Problem: 404 `graph_not_found`, 422 `invalid_request` or `invalid_input`, 429 `too_many_tasks`,
                503 `queue_full`, `log_full` or `log_unavailable`.
            KeyReused, ThreadBusy: see there.
        """
        request = _parse(body)
        graph = await self._graph(request.graph)
        check_input(graph, request.input)
        new_id = principal.task_id(str(uuid7()))
        task_id = new_id
        if key is not None:
            task_id = await self._tasks.reserve(principal.subject, _check_key(key), _digest(body), new_id)
        if task_id != new_id and await self._tasks.exists(task_id):
            await self._secured(self._tasks.log.secure(task_id))
            metrics.submitted(replayed=True)
            return Submitted(task_id, replayed=True)
        if await self._dispatcher.depth(graph.pool) >= self._max_queued:
            detail = f"{self._max_queued} tasks wait already; try again later."
            raise passing("queue_full", "The queue is full", detail)
        if await self._headroom.is_short():
            raise log_full()
        async with self._throttle.unfinished(principal, task_id):
            submission = _submission(task_id, graph, request, principal.subject)
            await self._secured(self._tasks.submit(submission))
        metrics.submitted(replayed=False)
        await self._dispatch(task_id, graph.pool)
        return Submitted(task_id, replayed=False)

    async def _secured(self, writing: Awaitable[None]) -> None:
        try:
            await writing
        except NotCopied:
            detail = (
                "The task is in the log, but not on as many servers as it must be. Send it again with the"
                " same Idempotency-Key, which leads to this task; without one it may make another."
            )
            raise passing("log_unavailable", "The log can't be reached", detail) from None

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
            with about(task=task_id):
                log.warning("the queue could not be reached for task %s; a sweeper dispatches it", task_id)


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


def _submission(task_id: str, graph: GraphDescriptor, request: TaskRequest, subject: str) -> Submission:
    return Submission(
        task_id=task_id,
        graph=graph.name,
        pool=graph.pool,
        input=request.input,
        thread_id=request.thread_id or bare(task_id),
        metadata=request.metadata,
        created_at=timestamp(now_ms()),
        subject=subject,
        traceparent=traceparent(),
    )
