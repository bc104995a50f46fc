"""Dispatch: telling some worker that a task wants to be run. arq is used here and nowhere else in events.

A dispatch is only a hint. Whether a task runs is decided by its claim, and a lost dispatch is made good by
the sweeper, so nothing here has to be exactly-once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

import orjson
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix
from redis.asyncio import ConnectionPool as AsyncPool
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from events.connect import connect
from events.keys import Keys

EXPIRES_SECONDS = 86_400
"""How long arq keeps a dispatch that nobody takes."""

HEAD = 10
"""How many of the next dispatches are looked at for the oldest."""

FUNCTION = "run_task"
"""The name of arq's one job function."""


class _Pipeline(Pipeline):
    async def reset(self) -> None:
        """Let go of the connection, also when Redis doesn't answer the UNWATCH: else it's lost to the pool.

        arq watches a key as it queues a job, so each stop of Redis's just then would cost one for good.
        """
        try:
            await super().reset()
        except BaseException:
            connection: Any = self.connection
            self.connection = None
            if connection is not None:
                await connection.disconnect(nowait=True)
                await cast("AsyncPool", self.connection_pool).release(connection)
            raise


class _Arq(ArqRedis):
    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """A pipeline whose connection isn't lost."""
        pool = cast("AsyncPool", self.connection_pool)
        return _Pipeline(pool, self.response_callbacks, transaction, shard_hint)


def arq_client(url: str, queue: str, *, connections: int = 4) -> ArqRedis:
    """arq's client on our kind of connections, with JSON in place of pickle."""
    pool = cast("AsyncPool", connect(url, connections=connections).connection_pool)
    return _Arq(pool, job_serializer=orjson.dumps, job_deserializer=orjson.loads, default_queue_name=queue)


class Dispatcher:
    """Puts tasks into the queue of a pool of workers and wakes an idle one."""

    def __init__(self, redis: Redis, keys: Keys, arq: ArqRedis) -> None:
        self._redis = redis
        self._keys = keys
        self._arq = arq

    async def dispatch(self, task_id: str, pool: str) -> bool:
        """Queue a task once more. True if it was queued; if not, its deadline brings the sweeper.

        Every dispatch has an id of its own, `<task_id>:<n>`, since arq takes an id only once.
        """
        pipe = self._redis.pipeline(transaction=False)
        pipe.hincrby(self._keys.task(task_id), "dispatches", 1)
        pipe.hget(self._keys.task(task_id), "created_at")
        number, created_at = await pipe.execute()
        job = await self._arq.enqueue_job(
            FUNCTION,
            task_id,
            _job_id=f"{task_id}:{number}",
            _queue_name=self._keys.queue(pool),
            # Its place in the queue is that of its submit: what was begun goes on before what is new begins.
            _defer_until=datetime.fromisoformat(created_at.decode()) if created_at else None,
            _expires=EXPIRES_SECONDS,
        )
        await self._arq.publish(self._keys.queue_bell(pool), task_id)
        return job is not None

    async def is_queued(self, task_id: str, number: int, pool: str) -> bool:
        """Whether that dispatch still waits in the queue, taken by no worker."""
        job_id = f"{task_id}:{number}"
        if await self._arq.zscore(self._keys.queue(pool), job_id) is None:
            return False
        return not await self._arq.exists(in_progress_key_prefix + job_id)

    async def depth(self, pool: str) -> int:
        """How many dispatches wait in the queue."""
        return int(await self._arq.zcard(self._keys.queue(pool)))

    async def waiting(self, pool: str) -> tuple[int, int | None]:
        """How many dispatches wait in the queue, and since when the oldest of the first ten does (Unix ms).

        It is ordered by when tasks were submitted; what was begun may have been queued anew since then.
        """
        queue = self._keys.queue(pool)
        pipe: Any = self._arq.pipeline(transaction=False)
        pipe.zcard(queue)
        pipe.zrange(queue, 0, HEAD - 1)
        depth, names = await pipe.execute()
        if not names:
            return depth, None
        pipe = self._arq.pipeline(transaction=False)
        for name in names:
            pipe.get(job_key_prefix.encode() + name)
        since = [orjson.loads(job)["et"] for job in await pipe.execute() if job is not None]
        return depth, min(since, default=None)

    async def check(self) -> None:
        """Raises redis.exceptions.RedisError, OSError if the queue's Redis doesn't answer."""
        await self._arq.ping()

    async def close(self) -> None:
        """Close arq's connections."""
        await self._arq.aclose(close_connection_pool=True)
