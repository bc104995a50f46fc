"""Quotas: places of which a subject has so many. They are counted in Redis, so that they hold over all pods.

Places are taken by scripts, so that however many ask at once, no more get one than there are. None is lost
for ever when a process dies with it: a stream's place is over soon unless its pod holds it on, and tasks that
stand in the way of a new one are looked at.

Clock: Redis's own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from typing import Any, NamedTuple, cast

from redis.asyncio import Redis

from events.keys import Keys
from events.log import EventLog, decode
from events.scripts import ALLOW_OOM

QUESTIONED_MS = 30_000
"""A task holds its place for so long unquestioned; its submit is over by then, or was cut off."""

QUESTIONED_AT_ONCE = 100
"""Tasks that are looked at when one more has no place."""

TASKS_TTL_SECONDS = 90 * 86_400
"""How long after its last submit a subject's tasks are counted."""

_NOW = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
"""

TAKE_STREAM = (
    ALLOW_OOM  # streams tell how the tasks end that still run
    + _NOW
    + """
-- KEYS: a subject's streams  ARGV: one more, the limit, ms that it holds.  1 if it has a place, else 0.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""
)

HOLD_STREAMS = (
    ALLOW_OOM
    + _NOW
    + """
-- KEYS: a subject's streams  ARGV: ms that they hold from now on, then streams that are open.
for at = 2, #ARGV do redis.call('ZADD', KEYS[1], now + tonumber(ARGV[1]), ARGV[at]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""
)

TAKE_TASK = (
    _NOW
    + """
-- KEYS: a subject's unfinished tasks
-- ARGV: one more, the limit, ms that it holds unquestioned, TTL in s, how many to question.
-- 1 if it has a place, else 0; then tasks to be questioned now, by this caller alone.
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return {1} end
if redis.call('ZCARD', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[4])
  return {1}
end
local tasks = redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[5])
for _, task in ipairs(tasks) do redis.call('ZADD', KEYS[1], 'XX', now + tonumber(ARGV[3]), task) end
return {0, unpack(tasks)}
"""
)


class Owner(NamedTuple):
    """Who places are counted for."""

    tenant: str
    subject: str


class StreamQuota:
    """The open streams of each subject, over all pods: a sorted set, scored by when a place is over.

    Args:
        redis: where they are counted.
        keys: their names.
        life_seconds: how long a place holds that nobody holds on.
    """

    def __init__(self, redis: Redis, keys: Keys, *, life_seconds: float) -> None:
        self._redis = redis
        self._keys = keys
        self._life_ms = round(life_seconds * 1000)
        self._take: Any = redis.register_script(TAKE_STREAM)

    async def take(self, owner: Owner, stream: str, limit: int) -> bool:
        """Have a place for a stream, if there is one."""
        return bool(await self._take(keys=[self._keys.streams(*owner)], args=[stream, limit, self._life_ms]))

    async def hold(self, streams: Mapping[Owner, Iterable[str]]) -> None:
        """Have the places of open streams hold on."""
        pipe: Any = self._redis.pipeline(transaction=False)
        for owner, names in streams.items():
            pipe.eval(HOLD_STREAMS, 1, self._keys.streams(*owner), self._life_ms, *names)
        await pipe.execute()

    async def leave(self, streams: Mapping[Owner, Iterable[str]]) -> None:
        """Give places back."""
        pipe: Any = self._redis.pipeline(transaction=False)
        for owner, names in streams.items():
            pipe.zrem(self._keys.streams(*owner), *names)
        await pipe.execute()


class TaskQuota:
    """The unfinished tasks of each subject: a sorted set, scored by when a place may be questioned.

    A task's place is taken before anything else of it is made, and given back as it's settled
    (`TaskStore.settle`). What a crash between leaves there is found when the subject's places have run out.

    Args:
        log: what tells which tasks have ended.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._take: Any = log.redis.register_script(TAKE_TASK)

    async def take(self, owner: Owner, task_id: str, limit: int) -> bool:
        """Have a place for a task, if there is one, or one is held by a task that isn't unfinished."""
        taken, questioned = await self._try(owner, task_id, limit)
        if taken or not await self._drop_finished(owner, questioned):
            return taken
        return (await self._try(owner, task_id, limit))[0]

    async def leave(self, owner: Owner, *task_ids: str) -> None:
        """Give places back."""
        await self._log.redis.zrem(self._log.keys.unfinished(*owner), *task_ids)

    async def _try(self, owner: Owner, task_id: str, limit: int) -> tuple[bool, list[str]]:
        taken, *questioned = await self._take(
            keys=[self._log.keys.unfinished(*owner)],
            args=[task_id, limit, QUESTIONED_MS, TASKS_TTL_SECONDS, QUESTIONED_AT_ONCE],
        )
        return bool(taken), [cast("bytes", task).decode() for task in questioned]

    async def _drop_finished(self, owner: Owner, task_ids: list[str]) -> bool:
        """Give back the places of tasks that have ended or were never made; whether there are any."""
        keys = self._log.keys
        pipe: Any = self._log.redis.pipeline(transaction=False)
        for task_id in task_ids:
            pipe.xrevrange(keys.log(task_id), count=1)
            pipe.zscore(keys.deadlines, task_id)
        replies = await cast("Awaitable[list[Any]]", pipe.execute())
        found = zip(task_ids, replies[::2], replies[1::2], strict=True)
        finished = [task for task, last, deadline in found if not _is_unfinished(last, deadline)]
        if finished:
            await self.leave(owner, *finished)
        return bool(finished)


def _is_unfinished(last: Any, deadline: float | None) -> bool:
    # A task without a log has a deadline while its submit may still be finished, or a sweeper will forget it.
    return not decode(last)[0].terminal if last else deadline is not None
