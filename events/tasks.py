"""TaskStore: the record beside each log. Submitting, looking up and settling tasks.

The log is the truth and these are its index: whoever finds a sealed log may settle its task, any number of
times, and a task's status is read from its log's last entry.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, cast

import orjson
from redis.asyncio import Redis

from events import scripts
from events.errors import KeyReused, TaskExists, TaskNotFound, ThreadBusy
from events.hints import Hints
from events.keys import Keys
from events.log import EventLog, decode, submitted
from events.memory import at_one_moment, insist
from events.model import TERMINAL, Status, now_ms, parse_timestamp
from events.redaction import USUAL, Redactor
from events.state import SECRET_FIELDS, Submission, TaskState, task_state
from events.tenancy import ANYBODY, qualify, split, tenant_of

SUBMIT_DEADLINE_MS = 5_000
"""A submitted task that no worker has claimed after this long is looked at by a sweeper."""

IDEMPOTENCY_SECONDS = 86_400
"""How long an Idempotency-Key is remembered; a day, as Stripe does."""

TOMBSTONE_SECONDS = 30 * 86_400
"""How long after its log a task is still known to have been."""

NO_TTL = -1
"""What Redis says of a key that doesn't expire, as an unfinished task's log."""


class TaskStore:
    """All tasks under one key prefix."""

    def __init__(self, log: EventLog, *, retention_seconds: int, redactor: Redactor = USUAL) -> None:
        self.log = log
        self._redactor = redactor
        self.retention_seconds = retention_seconds
        self._redis: Redis = log.redis
        self._keys: Keys = log.keys
        self._ttl_seconds = retention_seconds + TOMBSTONE_SECONDS
        self._hints = Hints(log.keys, ttl_seconds=self._ttl_seconds)
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
        task_id, told = submission.task_id, submission.told(self._redactor)
        entry = submitted(told)
        await self._take_thread(submission)
        await self._announce(task_id, submission)
        record = submission.record(told)
        # It's there when an earlier try's reply was lost, or an Idempotency-Key finishes a cut-off submit.
        with contextlib.suppress(TaskExists):
            await self.log.create(task_id, entry, record)
        await self._announce(task_id)  # a sweeper may have forgotten what it found of a first, cut-off try

    async def reserve(self, subject: str, key: str, digest: str, task_id: str) -> str:
        """The task that a subject's Idempotency-Key stands for: the one given, if the key is new.

        Raises:
            KeyReused: the key came with another request before.
        """
        value = orjson.dumps([task_id, digest])
        name = self._keys.idempotency(tenant_of(task_id), subject, key)
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
        log = self._keys.log(task_id)

        def ask(pipe: Any) -> None:
            pipe.hgetall(self._keys.task(task_id))
            pipe.xrange(log, count=1)
            pipe.xrevrange(log, count=1)

        record, first, last = await at_one_moment(self._redis, ask)
        if not record or not last:
            raise TaskNotFound
        return task_state(task_id, record, first, last)

    async def exists(self, task_id: str) -> bool:
        """Whether the task's log was ever created and not yet forgotten."""
        return bool(await self._redis.exists(self._keys.log(task_id), self._keys.tombstone(task_id)))

    async def subject(self, task_id: str) -> str | None:
        """Who submitted a task, also of one whose log has expired; None if there has never been one."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.hget(self._keys.task(task_id), "subject")
        pipe.get(self._keys.tombstone(task_id))
        subject, late = await pipe.execute()
        found = subject or late
        return None if found is None else found.decode()

    async def settle(self, task_id: str) -> None:
        """Put all that lies beside a sealed log in order: retention, thread, deadline. Safe to repeat.

        A log that isn't sealed, or has expired, is left as it is. The deadline goes last, when all else is
        done: the keys may lie on several servers, and what is cut off between is found by a sweeper.
        """
        reading = self._redis.pipeline(transaction=False)
        reading.hmget(self._keys.task(task_id), ["thread_id", "graph", "subject"])
        reading.xrevrange(self._keys.log(task_id), count=1)
        (thread, graph, subject), last = await reading.execute()
        if not last or not (terminal := decode(last)[0]).terminal:
            return
        expires = parse_timestamp(terminal.event["ts"]) // 1000 + self.retention_seconds
        pipe = self._redis.pipeline(transaction=False)
        if graph:
            self._hints.add(pipe, task_id, graph.decode(), TERMINAL[terminal.type])
        pipe.set(self._keys.tombstone(task_id), subject or ANYBODY, exat=expires + TOMBSTONE_SECONDS)
        pipe.expireat(self._keys.task(task_id), expires)
        pipe.expireat(self._keys.log(task_id), expires)
        pipe.hdel(self._keys.task(task_id), *SECRET_FIELDS)
        tenant, name = split(task_id)
        if subject:
            pipe.zrem(self._keys.unfinished(tenant, subject.decode()), task_id)
        await insist(pipe)
        if thread and thread.decode() != name:
            whose = subject.decode() if subject else ANYBODY
            await self._release(keys=[self._keys.thread(tenant, whose, thread.decode())], args=[task_id])
        await self._redis.zrem(self._keys.deadlines, task_id)

    async def expect(self, task_id: str, within_ms: int) -> None:
        """Set the time by which somebody must have heard of the task, or a sweeper looks at it."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.zadd(self._keys.deadlines, {task_id: now_ms() + within_ms})
        await self._hints.refresh(pipe, task_id)  # who expects something of a task has often just changed it

    async def remind(self, task_id: str, within_ms: int) -> None:
        """Set that time alone; the server that has the task's log need not be there."""
        await self._redis.zadd(self._keys.deadlines, {task_id: now_ms() + within_ms})

    async def let_wait(self, task_id: str) -> None:
        """Expect nothing of a task that waits for a person, unless its answer or cancellation has come."""
        seen = await self._redis.zscore(self._keys.deadlines, task_id)
        if seen is None or (state := await self.get(task_id)).status is not Status.WAITING:
            return
        pipe = self._redis.pipeline(transaction=False)
        self._hints.add(pipe, task_id, state.record["graph"], Status.WAITING)
        await insist(pipe)
        await self._unexpect(keys=[self._keys.deadlines], args=[task_id, seen])

    async def reconcile(self, task_ids: Sequence[str]) -> int:
        """Have the unfinished ones of some tasks listed, and due if nothing is expected of them.

        Gives of how many nothing was; those that wait for a person are among them.
        """
        pipe = self._redis.pipeline(transaction=False)
        for task_id in task_ids:
            pipe.ttl(self._keys.log(task_id))
        ttls = zip(task_ids, await pipe.execute(), strict=True)
        unsettled = [task_id for task_id, ttl in ttls if ttl == NO_TTL]
        if not unsettled:
            return 0
        for task_id in unsettled:
            pipe.hget(self._keys.task(task_id), "subject")
        for task_id, subject in zip(unsettled, await pipe.execute(), strict=True):
            self._list(pipe, task_id, None if subject is None else subject.decode())
        await insist(pipe)
        pipe.zadd(self._keys.deadlines, dict.fromkeys(unsettled, now_ms()), nx=True)
        return (await insist(pipe))[0]

    async def forget(self, task_id: str) -> None:
        """Remove what a cut-off submit has left of a task without a log; if one comes meanwhile, it stays."""
        await self._forget(keys=[self._keys.log(task_id), self._keys.task(task_id)])
        await self._redis.zrem(self._keys.index(tenant_of(task_id)), task_id)
        await self._redis.zrem(self._keys.deadlines, task_id)
        if await self._redis.exists(self._keys.log(task_id)):
            await self._announce(task_id)

    async def _announce(self, task_id: str, new: Submission | None = None) -> None:
        pipe = self._redis.pipeline(transaction=False)
        pipe.zadd(self._keys.deadlines, {task_id: now_ms() + SUBMIT_DEADLINE_MS})
        if new is not None:
            self._hints.add(pipe, task_id, new.graph, Status.QUEUED)
        self._list(pipe, task_id, None if new is None else new.subject)
        await pipe.execute()

    def _list(self, pipe: Any, task_id: str, subject: str | None) -> None:
        for key in self._keys.listing(task_id, subject):
            pipe.zadd(key, {task_id: 0})
            pipe.expire(key, self._ttl_seconds)

    async def _take_thread(self, submission: Submission) -> None:
        """Hold the thread until the task is settled. A holder that is sealed or was never made gives way."""
        tenant, name = split(submission.task_id)
        if submission.thread_id == name:
            return
        eponym = qualify(tenant, submission.thread_id)
        if await self.subject(eponym) == submission.subject and await self._is_unfinished(eponym):
            raise ThreadBusy(submission.thread_id, eponym)  # it's the task's own thread, which holds no lock
        key = self._keys.thread(tenant, submission.subject, submission.thread_id)
        while True:
            holder = await self._redis.set(key, submission.task_id, nx=True, get=True, ex=self._ttl_seconds)
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
