"""TaskIndex: finding tasks, newest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from events.hints import hints_key
from events.log import EventLog
from events.model import Status
from events.state import TaskState, task_state

_SUMMARY = [
    "graph", "subject", "thread_id", "shown_thread_id", "metadata", "worker",
    "created_at", "started_at", "cancel_requested_at", "answered",
]  # fmt: skip

_STRIDE = 100


Listed = tuple[list[TaskState], str | None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tasks a list shall have: those of one tenant, and only of a subject, in a status, of a graph."""

    tenant: str
    subject: str | None = None
    status: Status | None = None
    graph: str | None = None

    def includes(self, state: TaskState) -> bool:
        """Whether a task of the tenant is one of them."""
        return (
            self.subject in (None, state.subject)
            and self.status in (None, state.status)
            and self.graph in (None, state.record["graph"])
        )


class TaskIndex:
    """All tasks under one key prefix, by their time of creation."""

    def __init__(self, log: EventLog) -> None:
        self._redis = log.redis
        self._keys = log.keys

    async def list(self, wanted: Wanted, *, limit: int, before: str | None = None) -> Listed:
        """Tasks, newest first, and the cursor of the next page (None at the end).

        Args:
            wanted: which tasks.
            limit: how many at most.
            before: the cursor: only tasks older than this id.
        """
        key = await self._smallest(wanted)
        found: list[TaskState] = []
        count = limit
        while task_ids := await self._older(key, before, count):
            for state in await self._states(key, task_ids):
                if wanted.includes(state):
                    found.append(state)
                    if len(found) == limit:
                        more = await self._older(key, state.task_id, 1)
                        return found, state.task_id if more else None
            before, count = task_ids[-1], max(limit, _STRIDE)
        return found, None

    async def _smallest(self, wanted: Wanted) -> str:
        """Of the sets that have all wanted tasks, the one with the fewest others."""
        key = hints_key(self._keys, wanted.tenant, wanted.status, wanted.graph)
        if wanted.subject is None:
            return key
        submitted = self._keys.submitted_by(wanted.tenant, wanted.subject)
        pipe = self._redis.pipeline(transaction=False)
        pipe.zcard(key)
        pipe.zcard(submitted)
        hinted, theirs = await pipe.execute()
        return key if hinted < theirs else submitted

    async def _older(self, key: str, before: str | None, count: int) -> list[str]:
        upper = "+" if before is None else f"({before}"
        found = await self._redis.zrevrangebylex(key, upper, "-", start=0, num=count)
        return [task_id.decode() for task_id in found]

    async def _states(self, key: str, task_ids: Sequence[str]) -> list[TaskState]:
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
        await self._forget(key, forgotten)
        return states

    async def _forget(self, key: str, task_ids: Sequence[str]) -> None:
        """Take tasks whose logs have expired out of what was read; those just being submitted stay."""
        gone = await self._without(task_ids, lambda pipe, it: pipe.zscore(self._keys.deadlines, it))
        # Looked for afterwards: it may have been made, run and settled since it was read.
        gone = await self._without(gone, lambda pipe, it: pipe.exists(self._keys.log(it)))
        if gone:
            await self._redis.zrem(key, *gone)

    async def _without(self, task_ids: Sequence[str], look: Callable[[Any, str], object]) -> list[str]:
        """Those of the tasks for which there is nothing where a pipeline looks."""
        if not task_ids:
            return []
        pipe: Any = self._redis.pipeline(transaction=False)
        for task_id in task_ids:
            look(pipe, task_id)
        found = await pipe.execute()
        return [task_id for task_id, it in zip(task_ids, found, strict=True) if it in (None, 0)]
