"""Dispatches and the connections they take, when Redis stops in the middle of one."""

from __future__ import annotations

import asyncio

from arq.connections import ArqRedis
from redis.asyncio import Redis

from events.keys import Keys
from events.queue import Dispatcher, arq_client
from tests.support.proxy import Gate, gate
from tests.support.waiting import wait_until


async def begin(arq: ArqRedis, between: Gate) -> None:
    """What arq does first as it queues a job; then Redis stops answering."""
    async with arq.pipeline(transaction=True) as pipe:
        await pipe.watch("a job")
        between.mute = True
        await asyncio.Event().wait()


async def test_no_connection_is_lost_when_redis_stops_answering(
    redis: Redis, keys: Keys, redis_port: int
) -> None:
    """Not while a job is queued either, which arq does under a WATCH that it has to take back."""
    async with gate(redis_port) as between:
        arq = arq_client(between.url, keys.queue("default"), connections=1)
        queueing = asyncio.create_task(begin(arq, between))
        await wait_until(lambda: between.mute)
        queueing.cancel()
        await asyncio.wait([queueing], timeout=0.2)  # it takes the WATCH back, and hears nothing
        queueing.cancel()
        await asyncio.wait([queueing])
        between.mute = False
        assert await Dispatcher(redis, keys, arq).dispatch("a task", "default")
        await arq.aclose(close_connection_pool=True)
