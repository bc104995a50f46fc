"""Redis loses the ends of its logs while everybody comes back: nobody keeps what the log no longer has."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncGenerator, Sequence

import pytest
from redis.asyncio import Redis

from events.append import Appender
from events.keys import Keys
from events.log import EventLog
from events.model import START
from events.settings import Settings
from events.tailer import Tailer
from events.tasks import TaskStore
from tests.support.attempts import open_attempt, roll_back, write
from tests.support.followers import Follower
from tests.support.growing import Growing, growing, seal_all
from tests.support.logs import entries, ids
from tests.support.pod_process import pod_process
from tests.support.readers import Collector, Plain, following
from tests.support.waiting import wait_until

LOST = 30
EACH = 30

Crowd = list[tuple[Growing, list[Follower]]]


@pytest.fixture
async def url(settings: Settings) -> AsyncGenerator[str]:
    """Where a pod in a process of its own listens."""
    async with pod_process(settings) as it:
        yield it.url


@pytest.fixture
async def workers(redis: Redis, keys: Keys) -> AsyncGenerator[list[Appender]]:
    """Appenders of several processes."""
    them = [Appender(redis, keys) for _ in range(4)]
    yield them
    for it in them:
        await it.close()


async def restart(log: EventLog, task_ids: Sequence[str]) -> None:
    """Redis, as its clients see it, restarts and lacks the last entries of those logs."""
    kept = {log.keys.log(task_id): (await entries(log, task_id))[:-LOST] for task_id in task_ids}
    pipe = log.redis.pipeline(transaction=True)
    pipe.delete(*kept)
    for key, left in kept.items():
        for entry in left:
            pipe.xadd(key, {"type": entry.raw_type, "event": entry.document}, id=entry.raw_id)
    for kind in ("normal", "pubsub"):
        pipe.client_kill_filter(_type=kind)
    await pipe.execute()


async def reached(crowd: Crowd) -> None:
    """Wait until everybody has all there is."""
    for log, followers in crowd:
        newest = str(log.writer.last)
        await wait_until(lambda newest=newest, all_=followers: all(it.newest == newest for it in all_))


@contextlib.asynccontextmanager
async def flock(url: str, logs: Sequence[Growing]) -> AsyncGenerator[Crowd]:
    """Followers of each log; on leaving they have its end, and their copies are compared with it."""
    crowd = [(log, [Follower() for _ in range(EACH)]) for log in logs]
    async with asyncio.TaskGroup() as group:
        for log, followers in crowd:
            for follower in followers:
                group.create_task(follower.follow(url, task_id=log.task_id))
        yield crowd
    for log, followers in crowd:
        whole = await log.whole()
        assert all(follower.held == whole for follower in followers)


def drop_all(crowd: Crowd) -> None:
    """Everybody's connection is lost at once, and some of the last events with it."""
    for _, followers in crowd:
        for follower in followers:
            follower.drop(forget=random.randrange(2 * LOST))


@pytest.mark.usefixtures("redis_port")  # many logs are rolled back in one transaction
async def test_what_was_lost_for_good_is_taken_back_from_everybody(
    url: str, tasks: TaskStore, workers: list[Appender]
) -> None:
    """Three times a worker dies with Redis's last second, and another goes on from what is left."""
    logs = await growing(tasks, workers[0], 4)
    async with flock(url, logs) as crowd:
        for dead, alive in itertools.pairwise(workers):
            await asyncio.gather(*(log.burst(200) for log in logs))
            await reached(crowd)
            await dead.close()
            drop_all(crowd)
            await asyncio.sleep(random.choice([0, 0.01, 0.05]))
            await restart(tasks.log, [log.task_id for log in logs])
            for log in logs:
                log.writer = await open_attempt(tasks.log, alive, log.task_id)
            await asyncio.gather(*(log.grow(10) for log in logs))
        await seal_all(logs)
    assert any(follower.rewinds for _, followers in crowd for follower in followers)


@pytest.mark.usefixtures("redis_port")  # many logs are rolled back in one transaction
async def test_what_was_lost_and_put_back_is_nobodys_loss(
    url: str, tasks: TaskStore, appender: Appender
) -> None:
    """The workers live, and write the same again under the same ids while everybody comes back."""
    logs = await growing(tasks, appender, 4)
    async with flock(url, logs) as crowd:
        for _ in range(3):
            await asyncio.gather(*(log.burst(200) for log in logs))
            await reached(crowd)
            drop_all(crowd)
            await asyncio.sleep(random.choice([0, 0.01, 0.05]))
            await restart(tasks.log, [log.task_id for log in logs])
            await asyncio.gather(*(log.grow(10) for log in logs))
        await seal_all(logs)


async def test_a_reader_that_was_ahead_of_the_others_is_told_as_well(
    log: EventLog, redis: Redis, appender: Appender, task_id: str
) -> None:
    """It had read by itself what the shared reading of the log never came to, and what is gone now."""
    tailer = Tailer(log, redis, Plain())
    writer, one, ahead = await open_attempt(log, appender, task_id), Collector(), Collector()
    await write(writer, 2)
    async with following(tailer, task_id, START, one):
        await write(writer, 2)
        async with following(tailer, task_id, START, ahead):
            await roll_back(log, task_id, keep=5)
            await write(await open_attempt(log, appender, task_id), 1)
            await tailer.start()
            await wait_until(lambda: one.words[-1] == ahead.words[-1] == "2-7")
    await tailer.close()
    assert one.words == ["0-1", "1-2", "1-3", "1-4", "1-5", "2-6", "2-7"]
    assert ahead.words == ["0-1", *ids("1-2", "1-6"), "rewound:1-5", "2-6", "2-7"]
