"""One party is held up between two of its commands, and another comes through in the middle of them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from uuid_utils import uuid7

from events import scripts
from events.append import Appender
from events.connect import connect
from events.index import TaskIndex, Wanted
from events.keys import Keys
from events.log import EventLog
from events.model import Event, EventType, Status
from events.queue import Dispatcher, arq_client
from events.sealing import seal
from events.settings import Settings
from events.state import Submission
from events.tasks import TaskStore
from events.tenancy import DEFAULT
from tests.chaos.interposer import Interposer, Point, interposed
from tests.support.attempts import SUCCESS, open_attempt
from tests.support.graphs import SPECS
from tests.support.pods import RunningPod, running_worker
from tests.support.waiting import wait_until
from worker.sweeper import Sweeper

UNEXPECT = hashlib.sha1(scripts.UNEXPECT.encode()).hexdigest().encode()
"""The script by which a waiting task's deadline goes."""


@dataclass
class Barrier:
    """Holds up batches that change those keys by one of those commands."""

    key: bytes
    commands: Sequence[bytes]
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    lifted: asyncio.Event = field(default_factory=asyncio.Event)

    async def judge(self, point: Point, batch: bytes) -> bool:
        """All may pass, if later."""
        if point is Point.SENT and self.key in batch and any(word in batch for word in self.commands):
            self.reached.set()
            await self.lifted.wait()
        return True


@asynccontextmanager
async def held_up(
    settings: Settings, key: bytes, *commands: bytes
) -> AsyncGenerator[tuple[Barrier, Interposer]]:
    """Redis, behind such a barrier."""
    barrier = Barrier(key, commands)
    async with interposed(urlsplit(settings.redis_url).port or 0, barrier.judge) as it:
        yield barrier, it


def submission() -> Submission:
    """A new task of a graph that nobody has."""
    new = str(uuid7())
    return Submission(new, "none", "default", {}, new, {}, "2026-11-21T00:00:00.000Z")


@pytest.mark.parametrize(("word", "status"), [("resume", "succeeded"), ("cancel", "cancelled")])
async def test_a_wish_that_comes_as_a_task_begins_to_wait_is_heard(
    pod: RunningPod, settings: Settings, word: str, status: str
) -> None:
    """Its worker has said that it waits and still holds it: neither answer nor cancellation may get lost."""
    async with (
        held_up(settings, b":deadlines", UNEXPECT) as (barrier, redis),
        running_worker(settings.model_copy(update={"redis_url": redis.url}), SPECS),
    ):
        task_id = await pod.submit("asking")
        await barrier.reached.wait()
        answer = await pod.client.post(f"/tasks/{task_id}/{word}", json={"value": 1})
        assert answer.status_code == 202
        barrier.lifted.set()

        async def ended() -> bool:
            return (await pod.client.get(f"/tasks/{task_id}")).json()["status"] == status

        await wait_until(ended)


async def test_a_submit_that_is_repeated_as_a_sweeper_forgets_it_makes_a_whole_task(
    tasks: TaskStore, settings: Settings, keys: Keys
) -> None:
    """The sweeper has found no log; before it removes what it found, the log is made after all."""
    new = submission()
    await tasks.expect(new.task_id, -1)
    async with held_up(settings, b":tasks", b"ZREM") as (barrier, proxy):
        redis = connect(proxy.url)
        dispatcher = Dispatcher(redis, keys, arq_client(proxy.url, keys.queue("default")))
        appender = Appender(redis, keys)
        slow = TaskStore(EventLog(redis, keys), retention_seconds=60)
        sweeping = asyncio.create_task(Sweeper(slow, appender, dispatcher, "w").look_after(new.task_id))
        await barrier.reached.wait()
        await tasks.submit(new)
        barrier.lifted.set()
        await sweeping
        await appender.close()
        await dispatcher.close()
        await redis.aclose()
    assert (await tasks.get(new.task_id)).status is Status.QUEUED
    assert await tasks.log.redis.zscore(keys.index(DEFAULT), new.task_id) is not None
    assert await tasks.log.redis.zscore(keys.deadlines, new.task_id) is not None


async def test_a_task_that_is_made_and_ends_while_tasks_are_listed_stays_listed(
    tasks: TaskStore, appender: Appender, settings: Settings, keys: Keys
) -> None:
    """The list has found no log; before it looks whether a submit is under way, the task has ended."""
    new = submission()
    await tasks.log.redis.zadd(keys.index(DEFAULT), {new.task_id: 0})
    async with held_up(settings, b":deadlines", b"ZSCORE") as (barrier, proxy):
        redis = connect(proxy.url)
        listing = asyncio.create_task(TaskIndex(EventLog(redis, keys)).list(Wanted(DEFAULT), limit=10))
        await barrier.reached.wait()
        await tasks.submit(new)
        await seal(tasks, appender, new.task_id, [SUCCESS], worker="w")
        barrier.lifted.set()
        await listing
        await redis.aclose()
    assert await tasks.log.redis.zscore(keys.index(DEFAULT), new.task_id) is not None


async def test_a_waiting_task_keeps_its_deadline_until_it_is_listed_as_waiting(
    tasks: TaskStore, appender: Appender, settings: Settings, keys: Keys, task_id: str
) -> None:
    """Whoever is killed between the two has a sweeper do it again; else nobody would list it, ever."""
    writer = await open_attempt(tasks.log, appender, task_id)
    await writer.append(Event(EventType.TASK_INTERRUPTED, {"interrupts": [{"id": "i1", "value": 1}]}))
    await writer.flush()
    async with held_up(settings, b":tasks:waiting", b"ZADD") as (barrier, proxy):
        redis = connect(proxy.url)
        waiting = asyncio.create_task(
            TaskStore(EventLog(redis, keys), retention_seconds=60).let_wait(task_id)
        )
        await barrier.reached.wait()
        assert await TaskIndex(tasks.log).list(Wanted(DEFAULT, status=Status.WAITING), limit=10) == ([], None)
        assert await tasks.log.redis.zscore(keys.deadlines, task_id) is not None
        barrier.lifted.set()
        await waiting
        await redis.aclose()
    assert await tasks.log.redis.zscore(keys.deadlines, task_id) is None
    page, _ = await TaskIndex(tasks.log).list(Wanted(DEFAULT, status=Status.WAITING), limit=10)
    assert [state.task_id for state in page] == [task_id]
