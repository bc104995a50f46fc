"""TaskIndex: finding tasks, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from events.log import EventLog
from events.model import Status
from events.tasks import TaskState, task_state

_SUMMARY = [
    "graph", "thread_id", "metadata", "worker", "created_at", "started_at", "cancel_requested_at", "answered",
]  # fmt: skip

_STRIDE = 100


class TaskIndex:
    """All tasks under one key prefix, by their time of creation."""

    def __init__(self, log: EventLog) -> None:
        self._redis = log.redis
        self._keys = log.keys

    async def list(
        self, *, limit: int, before: str | None = None, status: Status | None = None, graph: str | None = None
    ) -> tuple[list[TaskState], str | None]:
        """Tasks, newest first, and the cursor of the next page (None at the end).

        Args:
            limit: how many at most.
            before: the cursor: only tasks older than this id.
            status: only those in this status.
            graph: only those of this graph.
        """
        found: list[TaskState] = []
        while task_ids := await self._older(before, max(limit, _STRIDE)):
            for state in await self._states(task_ids):
                if status in (None, state.status) and graph in (None, state.record["graph"]):
                    found.append(state)
                    if len(found) == limit:
                        more = await self._older(state.task_id, 1)
                        return found, state.task_id if more else None
            before = task_ids[-1]
        return found, None

    async def _older(self, before: str | None, count: int) -> list[str]:
        upper = "+" if before is None else f"({before}"
        found = await self._redis.zrevrangebylex(self._keys.index, upper, "-", start=0, num=count)
        return [task_id.decode() for task_id in found]

    async def _states(self, task_ids: Sequence[str]) -> list[TaskState]:
        pipe = self._redis.pipeline(transaction=False)
        for task_id in task_ids:
            pipe.hmget(self._keys.task(task_id), _SUMMARY)
            pipe.xrange(self._keys.log(task_id), count=1)
            pipe.xrevrange(self._keys.log(task_id), count=1)
        replies = await pipe.execute()
        states: list[TaskState] = []
        forgotten: list[str] = []
        for task_id, *reply in zip(task_ids, replies[::3], replies[1::3], replies[2::3], strict=True):
            record: list[Any]
            record, first, last = reply
            if last and record[0]:
                fields = {name.encode(): value for name, value in zip(_SUMMARY, record, strict=True) if value}
                states.append(task_state(task_id, fields, first, last))
            else:
                forgotten.append(task_id)
        await self._forget(forgotten)
        return states

    async def _forget(self, task_ids: Sequence[str]) -> None:
        """Take tasks whose logs have expired out of the index; those just being submitted stay."""
        pipe = self._redis.pipeline(transaction=False)
        for task_id in task_ids:
            pipe.zscore(self._keys.deadlines, task_id)
            pipe.exists(self._keys.log(task_id))  # it may have been made, run and settled since it was read
        found = await pipe.execute() if task_ids else []
        kept = zip(task_ids, found[::2], found[1::2], strict=True)
        gone = [task_id for task_id, score, there in kept if score is None and not there]
        if gone:
            await self._redis.zrem(self._keys.index, *gone)
