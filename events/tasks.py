"""TaskStore: the record beside each log. Submitting, looking up and settling tasks.

The log is the truth and these are its index: whoever finds a sealed log may settle its task, any number of
times, and a task's status is read from its log's last entry.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson
from redis.asyncio import Redis

from events import scripts
from events.errors import KeyReused, TaskExists, TaskNotFound, ThreadBusy
from events.keys import Keys
from events.log import EventLog, decode, submitted
from events.model import JSON, SUBMITTED_ID, TERMINAL, Entry, EventType, Status, now_ms, parse_timestamp

SUBMIT_DEADLINE_MS = 5_000
"""A submitted task that no worker has claimed after this long is looked at by a sweeper."""

IDEMPOTENCY_SECONDS = 86_400
"""How long an Idempotency-Key is remembered; a day, as Stripe does."""

TOMBSTONE_SECONDS = 30 * 86_400
"""How long after its log a task is still known to have been."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What a user asks for.

    Attributes:
        task_id: a new UUIDv7.
        graph: the name of a graph.
        pool: the pool of workers that serves it.
        input: the graph's input, checked against its schema.
        thread_id: LangGraph's thread; the task's own id unless the user names one.
        metadata: anything of the user's; stored and given back.
        created_at: RFC 3339.
    """

    task_id: str
    graph: str
    pool: str
    input: JSON
    thread_id: str
    metadata: Mapping[str, JSON]
    created_at: str


@dataclass(frozen=True, slots=True)
class TaskState:
    """Where a task is: its record, and the ends of its log."""

    task_id: str
    record: Mapping[str, str]
    first: Entry
    last: Entry

    @property
    def status(self) -> Status:
        """Read from the log's last entry where that decides it."""
        if self.last.type in TERMINAL:
            return TERMINAL[self.last.type]
        if self.cancel_requested:
            return Status.CANCELLING
        if self.last.type is EventType.TASK_INTERRUPTED:
            return Status.QUEUED if self.answered else Status.WAITING
        return Status.QUEUED if self.last.id == SUBMITTED_ID else Status.RUNNING

    @property
    def answered(self) -> bool:
        """Whether the question at the log's end has its answer."""
        return self.record.get("answered") == str(self.last.id)

    @property
    def cancel_requested(self) -> bool:
        """Whether somebody wants the task to end, done or not."""
        return "cancel_requested_at" in self.record


def task_state(task_id: str, record: Mapping[bytes, bytes], first: Any, last: Any) -> TaskState:
    """A state from the raw replies of HGETALL, XRANGE and XREVRANGE."""
    text = {name.decode(): value.decode() for name, value in record.items()}
    return TaskState(task_id, text, decode(first)[0], decode(last)[0])


class TaskStore:
    """All tasks under one key prefix."""

    def __init__(self, log: EventLog, *, retention_seconds: int) -> None:
        self.log = log
        self.retention_seconds = retention_seconds
        self._redis: Redis = log.redis
        self._keys: Keys = log.keys
        self._release = self._redis.register_script(scripts.RELEASE)
        self._forget = self._redis.register_script(scripts.FORGET)
        self._unexpect = self._redis.register_script(scripts.UNEXPECT)

    async def submit(self, submission: Submission) -> None:
        """Make a task: its deadline, its log, its place in the index. Safe to repeat, and to be cut off.

        The deadline comes first, so that a task whose submit was cut off anywhere is found by a sweeper.

        Raises:
            ThreadBusy: the thread has an unfinished task.
            NotStorable: the input is over 1 MiB.
        """
        task_id = submission.task_id
        entry = submitted(
            {
                "graph": submission.graph,
                "input": submission.input,
                "thread_id": submission.thread_id,
                "metadata": submission.metadata,
            }
        )
        await self._take_thread(submission)
        await self._announce(task_id)
        record = {
            "graph": submission.graph,
            "pool": submission.pool,
            "thread_id": submission.thread_id,
            "metadata": orjson.dumps(submission.metadata).decode(),
            "created_at": submission.created_at,
            "attempt": "0",
        }
        # It's there when an earlier try's reply was lost, or an Idempotency-Key finishes a cut-off submit.
        with contextlib.suppress(TaskExists):
            await self.log.create(task_id, entry, record)
        await self._announce(task_id)  # a sweeper may have forgotten what it found of a first, cut-off try

    async def reserve(self, key: str, digest: str, task_id: str) -> str:
        """The task that an Idempotency-Key stands for: the one given, if the key is new.

        Raises:
            KeyReused: the key came with another request before.
        """
        value = orjson.dumps([task_id, digest])
        name = self._keys.idempotency(key)
        before = await self._redis.set(name, value, nx=True, get=True, ex=IDEMPOTENCY_SECONDS)
        if before is None:
            return task_id
        first_task, first_digest = orjson.loads(cast("bytes", before))
        if first_digest != digest:
            raise KeyReused(KeyReused.__doc__)
        return first_task

    async def get(self, task_id: str) -> TaskState:
        """The task's record and the two ends of its log.

        Raises:
            TaskNotFound: there is no such task, or nothing of it is left.
        """
        pipe = self._redis.pipeline(transaction=True)
        pipe.hgetall(self._keys.task(task_id))
        pipe.xrange(self._keys.log(task_id), count=1)
        pipe.xrevrange(self._keys.log(task_id), count=1)
        record, first, last = await pipe.execute()
        if not record or not last:
            raise TaskNotFound
        return task_state(task_id, record, first, last)

    async def exists(self, task_id: str) -> bool:
        """Whether the task's log was ever created and not yet forgotten."""
        found = await self._redis.exists(self._keys.log(task_id), self._keys.tombstone(task_id))
        return bool(found)

    async def settle(self, task_id: str) -> None:
        """Put all that lies beside a sealed log in order: retention, thread, deadline. Safe to repeat.

        A log that isn't sealed, or has expired, is left as it is.
        """
        reading = self._redis.pipeline(transaction=False)
        reading.hget(self._keys.task(task_id), "thread_id")
        reading.xrevrange(self._keys.log(task_id), count=1)
        found, last = await reading.execute()
        if not last or not (terminal := decode(last)[0]).terminal:
            return
        thread = found.decode() if found else task_id
        expires = parse_timestamp(terminal.event["ts"]) // 1000 + self.retention_seconds
        pipe = self._redis.pipeline(transaction=False)
        pipe.set(self._keys.tombstone(task_id), 1, exat=expires + TOMBSTONE_SECONDS)
        pipe.expireat(self._keys.task(task_id), expires)
        pipe.expireat(self._keys.log(task_id), expires)
        pipe.zrem(self._keys.deadlines, task_id)
        await pipe.execute()
        if thread != task_id:
            await self._release(keys=[self._keys.thread(thread)], args=[task_id])

    async def expect(self, task_id: str, within_ms: int) -> None:
        """Set the time by which somebody must have heard of the task, or a sweeper looks at it."""
        await self._redis.zadd(self._keys.deadlines, {task_id: now_ms() + within_ms})

    async def let_wait(self, task_id: str) -> None:
        """Expect nothing of a task that waits for a person, unless its answer or cancellation has come."""
        seen = await self._redis.zscore(self._keys.deadlines, task_id)
        if seen is not None and (await self.get(task_id)).status is Status.WAITING:
            await self._unexpect(keys=[self._keys.deadlines], args=[task_id, seen])

    async def forget(self, task_id: str) -> None:
        """Remove what a cut-off submit has left of a task without a log; if one comes meanwhile, it stays."""
        await self._forget(keys=[self._keys.log(task_id), self._keys.task(task_id)])
        await self._redis.zrem(self._keys.index, task_id)
        await self._redis.zrem(self._keys.deadlines, task_id)
        if await self._redis.exists(self._keys.log(task_id)):
            await self._announce(task_id)

    async def deadlines(self, limit: int = 100) -> list[tuple[str, float]]:
        """The tasks whose deadlines come first, and in how many seconds; below 0 when they have passed."""
        found = await self._redis.zrange(self._keys.deadlines, 0, limit - 1, withscores=True)
        now = now_ms()
        return [(task_id.decode(), (score - now) / 1000) for task_id, score in found]

    async def _announce(self, task_id: str) -> None:
        pipe = self._redis.pipeline(transaction=False)
        pipe.zadd(self._keys.deadlines, {task_id: now_ms() + SUBMIT_DEADLINE_MS})
        pipe.zadd(self._keys.index, {task_id: 0})
        pipe.expire(self._keys.index, self.retention_seconds + TOMBSTONE_SECONDS)
        await pipe.execute()

    async def _take_thread(self, submission: Submission) -> None:
        """Hold the thread until the task is settled. A holder that is sealed or was never made gives way."""
        if submission.thread_id == submission.task_id:
            return
        key = self._keys.thread(submission.thread_id)
        while True:
            ttl = self.retention_seconds + TOMBSTONE_SECONDS
            holder = await self._redis.set(key, submission.task_id, nx=True, get=True, ex=ttl)
            if holder is None or holder.decode() == submission.task_id:
                return
            if await self._is_unfinished(holder.decode()):
                raise ThreadBusy(submission.thread_id, holder.decode())
            await self._release(keys=[key], args=[holder])

    async def _is_unfinished(self, task_id: str) -> bool:
        last = await self.log.last(task_id)
        if last:
            return not last[0].terminal
        # Its submit may be under way between taking the thread and making the log.
        return await self._redis.zscore(self._keys.deadlines, task_id) is not None
