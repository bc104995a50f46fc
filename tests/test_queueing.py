"""arq's queue as workers take from it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest
from arq.connections import ArqRedis

from events.background import stop
from events.keys import Keys
from events.queue import FUNCTION, arq_client
from events.settings import Settings
from tests.support.waiting import wait_until
from worker.queueing import QueueWorker

CROWD = 120
"""More than arq looks at."""


@pytest.fixture
async def arq(settings: Settings, keys: Keys) -> AsyncGenerator[ArqRedis]:
    """arq's client."""
    it = arq_client(settings.queue_url or settings.redis_url, keys.queue("default"))
    yield it
    await it.aclose(close_connection_pool=True)


@contextlib.asynccontextmanager
async def taking(
    arq: ArqRedis, keys: Keys, concurrency: int, run_task: Callable[[str], Awaitable[None]]
) -> AsyncGenerator[QueueWorker]:
    """A worker that takes dispatches."""
    worker = QueueWorker(arq, keys.queue("default"), concurrency, run_task)
    loop = asyncio.create_task(worker.main())
    yield worker
    await stop([loop])
    await worker.finish()


async def test_what_others_have_taken_does_not_hide_what_waits(arq: ArqRedis, keys: Keys) -> None:
    """A worker with a hundred tasks under way must not keep an idle one from the next."""
    release, running, taken = asyncio.Event(), list[str](), list[str]()

    async def run_long(task_id: str) -> None:
        running.append(task_id)
        await release.wait()

    async def run(task_id: str) -> None:
        taken.append(task_id)

    async with taking(arq, keys, CROWD, run_long):
        for number in range(CROWD):
            await arq.enqueue_job(FUNCTION, f"task {number}", _job_id=f"{keys.prefix}:{number}")
        await wait_until(lambda: len(running) == CROWD)
        async with taking(arq, keys, 1, run):
            await arq.enqueue_job(FUNCTION, "the next", _job_id=f"{keys.prefix}:next")
            await wait_until(lambda: taken + running[CROWD:] == ["the next"])
            release.set()
    assert await arq.zcard(keys.queue("default")) == 0
