"""The reconciler: a log that has lost its deadline is found, whoever has died."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError

from events import scripts
from events.append import Appender
from events.background import stop
from events.connect import connect
from events.keys import Keys
from events.log import EventLog
from events.model import Status
from events.servers.slots import slot_of
from events.settings import Settings
from events.tasks import TaskStore
from tests.support.attempts import open_attempt, write
from tests.support.graphs import SPECS
from tests.support.pods import RunningPod, running_worker
from tests.support.server import server
from tests.support.tasks import until_status
from tests.support.waiting import wait_until
from tests.test_store import submission
from worker import reconciler as module
from worker.reconciler import Reconciler


@pytest.fixture
def reconciler(tasks: TaskStore) -> Reconciler:
    """A reconciler that looks when it's told to."""
    return Reconciler(tasks)


async def lose(tasks: TaskStore, *task_ids: str) -> None:
    """What a failover of the servers with the deadlines and the lists may take, and who knew the task."""
    redis, keys = tasks.log.redis, tasks.log.keys
    await redis.zrem(keys.deadlines, *task_ids)
    await redis.zrem(keys.index("default"), *task_ids)
    await redis.delete(keys.reconciled)


async def test_a_task_without_a_deadline_is_due(
    reconciler: Reconciler, tasks: TaskStore, task_id: str
) -> None:
    """It is also listed again, for those who list all and for who submitted it."""
    await lose(tasks, task_id)
    assert await reconciler.look()
    redis, keys = tasks.log.redis, tasks.log.keys
    assert await redis.zscore(keys.deadlines, task_id)
    assert await redis.zscore(keys.index("default"), task_id) == 0
    assert await redis.ttl(keys.index("default")) > 0


async def test_a_deadline_that_is_there_stays(reconciler: Reconciler, tasks: TaskStore, task_id: str) -> None:
    """Else each search would have sweepers look at all that runs."""
    before = await tasks.log.redis.zscore(tasks.log.keys.deadlines, task_id)
    assert await reconciler.look()
    assert await tasks.log.redis.zscore(tasks.log.keys.deadlines, task_id) == before


async def test_what_has_ended_is_left_alone(
    reconciler: Reconciler, tasks: TaskStore, log: EventLog, appender: Appender, task_id: str
) -> None:
    """A settled log has a TTL; one whose settling was cut off is due, so that it gets one."""
    cut_off = submission()
    await tasks.submit(cut_off)
    for ended in (task_id, cut_off.task_id):
        await write(await open_attempt(log, appender, ended), 1, seal=True)
    await tasks.settle(task_id)
    await lose(tasks, task_id, cut_off.task_id)
    assert await reconciler.look()
    assert await log.redis.zscore(log.keys.deadlines, task_id) is None
    assert await log.redis.zscore(log.keys.deadlines, cut_off.task_id)
    await tasks.settle(cut_off.task_id)


async def test_a_history_is_reconciled_once(tasks: TaskStore, task_id: str) -> None:
    """Of several workers one does it; in another history of the server's it's done again."""
    first, second = Reconciler(tasks), Reconciler(tasks)
    assert [await first.look(), await second.look(), await first.look()] == [True, False, False]
    await tasks.log.redis.set(tasks.log.keys.reconciled, "another", ex=3600)
    assert [await second.look(), await first.look()] == [True, False]
    ttl = await tasks.log.redis.ttl(tasks.log.keys.reconciled)
    assert module.TAKEN_MS / 1000 < ttl <= module.ANEW_MS / 1000


async def test_a_search_that_breaks_off_is_made_again(
    reconciler: Reconciler, tasks: TaskStore, task_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the same worker at its next look; by another one when it was killed, soon."""
    await lose(tasks, task_id)

    async def away(_: object) -> int:
        raise RedisConnectionError("away")

    with monkeypatch.context() as patched:
        patched.setattr(tasks, "reconcile", away)
        with pytest.raises(RedisConnectionError):
            await reconciler.look()
    assert not await Reconciler(tasks).look()
    assert 0 < await tasks.log.redis.pttl(tasks.log.keys.reconciled) <= module.TAKEN_MS
    assert await reconciler.look()
    assert await tasks.log.redis.zscore(tasks.log.keys.deadlines, task_id)


async def test_a_worker_that_may_not_search_goes_on(
    reconciler: Reconciler, tasks: TaskStore, task_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so and asks again, for its rights or the server may change."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    tried = 0

    async def refused(_: object) -> int:
        nonlocal tried
        tried += 1
        raise NoPermissionError("this user has no permissions")

    with monkeypatch.context() as patched:
        patched.setattr(tasks, "reconcile", refused)
        searching = asyncio.create_task(reconciler.run())
        await wait_until(lambda: tried > 1)
    await lose(tasks, task_id)

    async def expected() -> bool:
        return await tasks.log.redis.zscore(tasks.log.keys.deadlines, task_id) is not None

    await wait_until(expected)
    await stop([searching])


async def test_many_logs_take_several_pages(
    reconciler: Reconciler,
    tasks: TaskStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """All are found, and while the search goes on it's said that it does."""
    monkeypatch.setattr(module, "PAGE", 3)
    monkeypatch.setattr(module, "GOES_ON_SECONDS", 0.0)
    new = [submission() for _ in range(10)]
    for one in new:
        await tasks.submit(one)
    await lose(tasks, *(one.task_id for one in new))
    caplog.set_level(logging.INFO, "worker.reconciler")
    assert await reconciler.look()
    assert await tasks.log.redis.zcard(tasks.log.keys.deadlines) == 10
    assert "10 tasks had no deadline" in caplog.text


async def test_a_task_that_everybody_has_forgotten_ends(
    settings: Settings, pod: RunningPod, redis: Redis, keys: Keys
) -> None:
    """Neither a deadline nor a dispatch is left of it; a worker that comes finds its log."""
    async with running_worker(settings, SPECS):
        waiting = await pod.submit("asking")
        await until_status(pod, waiting, "waiting")
    tasks = TaskStore(EventLog(redis, keys), retention_seconds=60)
    forgotten = submission(graph="counting")
    await tasks.submit(forgotten)
    await lose(tasks, forgotten.task_id)
    async with running_worker(settings, SPECS):
        await until_status(pod, forgotten.task_id, "succeeded")
        await until_status(pod, waiting, "waiting")  # it was looked at as well, and still waits

        async def unexpected() -> bool:
            return await redis.zscore(keys.deadlines, waiting) is None

        await wait_until(unexpected)
        await pod.client.post(f"/tasks/{waiting}/cancel")
        await until_status(pod, waiting, Status.CANCELLED)


def test_who_has_the_deadlines_tells_the_history() -> None:
    """On a Cluster both keys are in one slot."""
    for prefix in ("taskreel", "a:b", "x-1"):
        keys = Keys(prefix)
        assert slot_of(keys.reconciled) == slot_of(keys.deadlines)


def test_a_log_tells_its_task() -> None:
    """Also where a prefix has several parts, and of any tenant."""
    for prefix in ("taskreel", "a:b"):
        keys = Keys(prefix)
        for task_id in ("0190-1", "acme/0190-1"):
            assert keys.task_of_log(keys.log(task_id).encode()) == task_id


@pytest.mark.parametrize(
    "name",
    [
        b"a:b:default:{1}:log", b"a:{1}:log", b"a:X:{1}:log", b"a:\xff:{1}:log", b"a:t:{\xff}:log",
        b"a:t:{1}:log:log", b"a::{}:log",
    ],
    ids=repr,
)  # fmt: skip
def test_what_looks_like_a_log_and_is_none(name: bytes) -> None:
    """Another system's prefix may begin like ours, and others may write what they like."""
    assert Keys("a").task_of_log(name) is None


async def test_a_restart_is_another_history() -> None:
    """What a server says of itself changes with each start, and by that the search is due."""
    told = list[object]()
    with server("valkey") as it:
        for _ in range(2):
            redis = connect(it.url())
            tasks = TaskStore(EventLog(redis, Keys("x")), retention_seconds=60)
            history: Any = redis.eval(scripts.SERVER + "return server()", 0)
            told += [await Reconciler(tasks).look(), await history]
            await redis.aclose()
            await asyncio.to_thread(it.restart)
    assert told[0] is told[2] is True
    assert told[1] != told[3]
