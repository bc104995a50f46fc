"""Dispatch: telling some worker that a task wants to be run. arq is used here and nowhere else in events.

A dispatch is only a hint. Whether a task runs is decided by its claim, and a lost dispatch is made good by
the sweeper, so nothing here has to be exactly-once.
"""

from __future__ import annotations

from datetime import datetime
from typing import cast

import orjson
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix
from redis.asyncio import ConnectionPool as AsyncPool
from redis.asyncio import Redis

from events.connect import connect
from events.keys import Keys

EXPIRES_SECONDS = 86_400
"""How long arq keeps a dispatch that nobody takes."""

FUNCTION = "run_task"
"""The name of arq's one job function."""


def arq_client(url: str, queue: str, *, connections: int = 4) -> ArqRedis:
    """arq's client on our kind of connections, with JSON in place of pickle."""
    pool = cast("AsyncPool", connect(url, connections=connections).connection_pool)
    return ArqRedis(
        pool, job_serializer=orjson.dumps, job_deserializer=orjson.loads, default_queue_name=queue
    )


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

    async def close(self) -> None:
        """Close arq's connections."""
        await self._arq.aclose(close_connection_pool=True)
