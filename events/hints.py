"""Hints: which tasks may be in a status, of a graph, or both, so that a filtered list reads few logs.

A hint may be wrong: a task's status is read from its log's end whenever it's listed. A missing one would hide
the task from that list, so hints are written before anybody can lose sight of the task: of a new one before
its log is made, of one that waits or has ended before its deadline is taken away, and of any other whenever a
deadline is set. What a crash cuts off in between has a deadline, and a sweeper does it again.

Only what may never come back is removed: what a task was, once it waits or has ended. The hints of logs that
have expired go when they are listed. There are none of tasks that a version before this one made.
"""

from __future__ import annotations

from typing import Any

from events.keys import Keys
from events.memory import insist
from events.model import Status
from events.tenancy import tenant_of

_PAST = {
    Status.QUEUED: (),
    Status.RUNNING: (),
    Status.CANCELLING: (),
    Status.WAITING: (Status.QUEUED, Status.RUNNING),
}
"""What a task in a status isn't any more; a task that has ended isn't any of these four."""

_RECORD = ("graph", "attempt", "answered", "cancel_requested_at")


def hints_key(keys: Keys, tenant: str, status: Status | None, graph: str | None) -> str:
    """The set in which tasks in that status, of that graph, are found; the index itself without either."""
    if status is None and graph is None:
        return keys.index(tenant)
    # Both are soon over, so there are few of them together: at most what the workers have in hand.
    return keys.hints(tenant, Status.RUNNING if status is Status.CANCELLING else status, graph)


class Hints:
    """All hints under one key prefix. They are written with a pipeline, together with what they go with.

    Args:
        keys: where they are.
        ttl_seconds: how long they are kept after the last write.
    """

    def __init__(self, keys: Keys, *, ttl_seconds: int) -> None:
        self._keys = keys
        self._ttl_seconds = ttl_seconds

    def add(self, pipe: Any, task_id: str, graph: str, status: Status) -> None:
        """Have a task of a graph found in that status, and no longer in those it has left for good."""
        tenant = tenant_of(task_id)
        for key in (hints_key(self._keys, tenant, None, graph), *self._in(tenant, status, graph)):
            pipe.zadd(key, {task_id: 0})
            pipe.expire(key, self._ttl_seconds)
        for past in _PAST.get(status, _PAST):
            for key in self._in(tenant, past, graph):
                pipe.zrem(key, task_id)

    async def refresh(self, pipe: Any, task_id: str) -> None:
        """Execute the pipeline, and have a task that isn't new found in the status that its record tells."""
        pipe.hmget(self._keys.task(task_id), _RECORD)
        graph, attempt, answered, cancel_requested = (await insist(pipe))[-1]
        if graph is None or (attempt == b"0" and not cancel_requested):
            return
        status = Status.RUNNING  # or being cancelled, which is looked for in the same place
        if not cancel_requested and (answered or b"").startswith(attempt + b"-"):
            status = Status.QUEUED
        self.add(pipe, task_id, graph.decode(), status)
        await insist(pipe)

    def _in(self, tenant: str, status: Status, graph: str) -> tuple[str, str]:
        return hints_key(self._keys, tenant, status, None), hints_key(self._keys, tenant, status, graph)
