"""When Redis has used up its memory: new tasks are refused, and those that run keep their leases and end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest
from redis.exceptions import OutOfMemoryError

from events.append import Appender
from events.connect import connect
from events.keys import Keys
from events.log import EventLog
from events.model import START
from events.tasks import TaskStore
from events.writer import MAX_UNWRITTEN
from tests.redis.users import settings_of
from tests.support.attempts import SUCCESS, open_attempt, progress
from tests.support.graphs import SPECS
from tests.support.http import code
from tests.support.pods import RunningPod, running_pod, running_worker
from tests.support.proxy import proxy
from tests.support.server import Server, server
from tests.support.tasks import assert_whole, types, until_status
from tests.support.waiting import wait_until
from tests.test_store import submission

MIB = 1024 * 1024
LIMIT = 48 * MIB
ENDLESS = {"count": 100_000, "pause": 0.02}


class Memory:
    """A server's memory, which can be used up."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    async def fill(self) -> None:
        """Use it up, to the last connection's buffers."""
        with contextlib.suppress(OutOfMemoryError):
            for number in range(LIMIT // MIB):
                await self.redis.set(f"filler:{number}", b"x" * MIB)
        await self.redis.config_set("maxmemory", await self._used() - 8 * MIB)

    async def leave(self, part: float) -> None:
        """Use so much that only that part is left."""
        for number in range(LIMIT // MIB // 2):
            await self.redis.set(f"filler:{number}", b"x" * MIB)
        await self.redis.config_set("maxmemory", round(await self._used() / (1 - part)))

    async def make_room(self) -> None:
        """Give it all free."""
        await self.redis.config_set("maxmemory", LIMIT)
        for name in [name async for name in self.redis.scan_iter("filler:*")]:
            await self.redis.delete(name)

    async def _used(self) -> int:
        return (await self.redis.info("memory"))["used_memory"]


@pytest.fixture(params=["valkey", "redis"])
def small(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with little memory."""
    with server(request.param, "--maxmemory", str(LIMIT), "--maxmemory-policy", "noeviction") as it:
        yield it


@pytest.fixture
async def memory(small: Server) -> AsyncGenerator[Memory]:
    """Its memory."""
    client: Any = connect(small.url())
    yield Memory(client)
    await client.aclose()


@pytest.fixture
async def pod(small: Server) -> AsyncGenerator[RunningPod]:
    """A pod that has its log there."""
    async with running_pod(settings_of(small)) as it:
        yield it


@pytest.fixture
async def worker(small: Server) -> AsyncGenerator[None]:
    """A worker."""
    async with running_worker(settings_of(small), SPECS):
        yield


@pytest.fixture
def tasks(memory: Memory) -> TaskStore:
    """The tasks there."""
    return TaskStore(EventLog(memory.redis, Keys()), retention_seconds=60)


@pytest.fixture
async def appender(memory: Memory) -> AsyncGenerator[Appender]:
    """A process's appender."""
    it = Appender(memory.redis, Keys())
    yield it
    await it.close()


async def new_task(tasks: TaskStore) -> str:
    """A task that was just submitted."""
    one = submission()
    await tasks.submit(one)
    return one.task_id


async def renewed(tasks: TaskStore, task_id: str, times: int) -> None:
    """Wait until the lease on a task has been renewed so often."""
    seen, before = 0, 0

    async def often() -> bool:
        nonlocal seen, before
        left = await tasks.log.redis.pttl(tasks.log.keys.lease(task_id))
        assert left > 0, "the lease was lost"
        seen, before = seen + (left > before), left
        return seen > times

    await wait_until(often)


@pytest.mark.usefixtures("worker")
async def test_new_tasks_are_refused_and_others_can_be_cancelled(
    pod: RunningPod, memory: Memory, tasks: TaskStore
) -> None:
    """One that runs and one that waits for a person; a client that streams sees the end."""
    running, waiting = await pod.submit("counting", input=ENDLESS), await pod.submit("asking")
    await until_status(pod, waiting, "waiting")
    streaming = asyncio.create_task(pod.stream(running))
    await pod.stream(running, most=5)
    await memory.fill()
    refused = await pod.client.post("/tasks", json={"graph": "counting"})
    assert (code(refused), refused.headers["retry-after"]) == ((503, "log_full"), "2")
    as_browser = {"Accept": "text/event-stream"}
    refused = await pod.client.post("/tasks", json={"graph": "counting"}, headers=as_browser)
    assert (refused.status_code, refused.text[:7]) == (200, "retry: ")
    for task_id in (running, waiting):
        assert (await pod.client.post(f"/tasks/{task_id}/cancel")).status_code == 202
        await until_status(pod, task_id, "cancelled")
        await assert_whole(tasks.log, task_id)
        await _settled(tasks, task_id)
    assert (await streaming)[-1].event == "task.cancelled"
    await memory.make_room()
    taken = await _taken(pod)  # a look at the memory is believed for a second
    await until_status(pod, taken, "succeeded")


async def _settled(tasks: TaskStore, task_id: str) -> None:
    """Its log has got its TTL, which comes a moment after its end."""

    async def expires() -> bool:
        return await tasks.log.redis.ttl(tasks.log.keys.log(task_id)) > 0

    await wait_until(expires)


async def _taken(pod: RunningPod) -> str:
    """The first task that isn't refused any more."""
    found: list[str] = []

    async def submit() -> bool:
        answer = await pod.client.post("/tasks", json={"graph": "counting"})
        found.extend([answer.json()["task_id"]] if answer.status_code == 202 else [])
        return bool(found)

    await wait_until(submit)
    return found[0]


@pytest.mark.usefixtures("worker")
async def test_running_tasks_keep_their_leases_and_go_on_when_there_is_room(
    pod: RunningPod, memory: Memory, tasks: TaskStore
) -> None:
    """Their events have waited; nothing is missing and nothing has been run again."""
    task_id = await pod.submit("counting", input=ENDLESS)
    await pod.stream(task_id, most=5)
    await memory.fill()
    (last,) = await tasks.log.last(task_id)
    await renewed(tasks, task_id, times=5)  # 3 s with a lease of 2 s
    assert await tasks.log.last(task_id) == [last]
    await memory.make_room()
    cursor = str(last.id)
    assert [event.event for event in await pod.stream(task_id, cursor, most=5)] == ["progress"] * 5
    await pod.client.post(f"/tasks/{task_id}/cancel")
    assert (await until_status(pod, task_id, "cancelled"))["attempt"] == 1
    await assert_whole(tasks.log, task_id)


@pytest.mark.usefixtures("worker")
async def test_running_tasks_have_a_reserve(pod: RunningPod, memory: Memory, tasks: TaskStore) -> None:
    """With less than a twentieth left, new tasks are refused, and those there are go on and succeed."""
    task_id = await pod.submit("asking")
    await until_status(pod, task_id, "waiting")
    await memory.leave(0.1)
    assert (await pod.client.post("/tasks", json={"graph": "counting"})).status_code == 202
    await memory.leave(0.04)

    async def refused() -> bool:  # how much is used is looked at once a second
        return (await pod.client.post("/tasks", json={"graph": "counting"})).status_code == 503

    await wait_until(refused)
    assert (await pod.client.post(f"/tasks/{task_id}/resume", json={"value": 1})).status_code == 202
    await until_status(pod, task_id, "succeeded")
    await assert_whole(tasks.log, task_id)


async def test_a_task_ends_though_others_events_wait_before_its_own(
    memory: Memory, tasks: TaskStore, appender: Appender
) -> None:
    """What it still had on its way comes with its end; the other's comes when there's room."""
    waits, ends = await new_task(tasks), await new_task(tasks)
    waiting, ending = [await open_attempt(tasks.log, appender, task_id) for task_id in (waits, ends)]
    await memory.fill()
    for number in range(3):
        await waiting.append(progress(number))
        await ending.append(progress(number))
    flushing = asyncio.create_task(waiting.flush())
    await ending.append(SUCCESS)
    await ending.flush()
    await assert_whole(tasks.log, ends)
    assert (await types(tasks.log, ends))[2:] == ["progress"] * 3 + ["task.succeeded"]
    assert not flushing.done()
    assert await types(tasks.log, waits) == ["task.submitted", "attempt.started"]
    await memory.make_room()
    await flushing
    assert [entry.id.seq for entry in await tasks.log.read(waits, START)] == [1, 2, 3, 4, 5]


async def test_an_end_does_not_wait_behind_a_full_queue(
    memory: Memory, tasks: TaskStore, appender: Appender
) -> None:
    """A task may have a thousand events on their way and no more; its end is one more."""
    task_id = await new_task(tasks)
    writer = await open_attempt(tasks.log, appender, task_id)
    await memory.fill()
    for number in range(MAX_UNWRITTEN):
        await writer.append(progress(number))
    await writer.append(SUCCESS)
    await writer.flush()
    assert (await tasks.log.last(task_id))[0].id.seq == MAX_UNWRITTEN + 3


async def test_an_end_whose_reply_is_lost_is_written_once(
    small: Server, memory: Memory, tasks: TaskStore
) -> None:
    """The connection breaks as Redis answers; the new one puts back nothing, and the end is there."""
    async with proxy(small.port) as between:
        redis = connect(f"redis://127.0.0.1:{between.port}/0")
        appender, task_id = Appender(redis, Keys()), await new_task(tasks)
        writer = await open_attempt(EventLog(redis, Keys()), appender, task_id)
        await writer.append(progress(1))
        await writer.flush()
        await memory.fill()
        await writer.append(progress(2))
        await writer.append(SUCCESS)
        between.lose = 2  # of the batch that is refused, or of what follows it
        await writer.flush()
        assert between.lost
        await appender.close()
        await redis.aclose()
    await assert_whole(tasks.log, task_id)
    assert (await types(tasks.log, task_id))[2:] == ["progress", "progress", "task.succeeded"]
