"""What every test may use: a real Valkey, a key prefix of its own, and the parts of the log on it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from uuid_utils import uuid7

from events.append import Appender
from events.connect import connect
from events.keys import Keys
from events.log import EventLog
from events.settings import Settings
from events.tasks import Submission, TaskStore
from tests.support.pods import RunningPod, running_pod
from tests.support.server import valkey


@pytest.fixture(scope="session")
def redis_port() -> Iterator[int]:
    """The port of one Valkey for the whole session."""
    with valkey() as port:
        yield port


@pytest.fixture
async def settings(redis_port: int) -> AsyncGenerator[Settings]:
    """Settings with a key prefix that no other test has.

    At the end it fails a test that leaves a key without a TTL that belongs to no unfinished task.
    """
    url, prefix = f"redis://127.0.0.1:{redis_port}/0", f"test-{uuid4().hex[:8]}"
    yield Settings(redis_url=url, key_prefix=prefix, lease_seconds=2, drain_seconds=0)
    client = connect(url)
    stray = await _stray_keys(EventLog(client, Keys(prefix)), f"{prefix}:*")
    for name in await client.keys(f"{prefix}:*"):
        await client.delete(name)
    await client.aclose()
    assert not stray, f"keys without a TTL: {stray}"


@pytest.fixture
def keys(settings: Settings) -> Keys:
    """The keys under this test's prefix."""
    return Keys(settings.key_prefix)


@pytest.fixture
async def redis(settings: Settings) -> AsyncGenerator[Redis]:
    """A client as pods and workers have it."""
    client = connect(settings.redis_url)
    yield client
    await client.aclose()


async def _stray_keys(log: EventLog, pattern: str) -> list[str]:
    found: list[bytes] = [name async for name in log.redis.scan_iter(match=pattern)]  # pyright: ignore[reportUnknownVariableType]
    names = [name.decode() for name in found]
    eternal = [name for name in names if await log.redis.ttl(name) == -1]
    return [name for name in eternal if not await _belongs_to_live_task(log, name)]


async def _belongs_to_live_task(log: EventLog, name: str) -> bool:
    if name == log.keys.deadlines or ":queue:" in name:
        return True
    task_id = name.partition("{")[2].partition("}")[0]
    if name not in (log.keys.log(task_id), log.keys.task(task_id)):
        return False
    last = await log.last(task_id)
    unsettled = await log.redis.zscore(log.keys.deadlines, task_id) is not None
    return unsettled or not (last and last[0].terminal)


@pytest.fixture
def log(redis: Redis, keys: Keys) -> EventLog:
    """The logs under this test's prefix."""
    return EventLog(redis, keys)


@pytest.fixture
def tasks(log: EventLog) -> TaskStore:
    """The task store beside the logs."""
    return TaskStore(log, retention_seconds=60)


@pytest.fixture
async def appender(redis: Redis, keys: Keys) -> AsyncGenerator[Appender]:
    """A process's appender."""
    it = Appender(redis, keys)
    yield it
    await it.close()


@pytest.fixture
async def task_id(tasks: TaskStore) -> str:
    """A task that was just submitted."""
    new = str(uuid7())
    await tasks.submit(Submission(new, "echo", "default", {}, new, {}, "2026-11-21T00:00:00.000Z"))
    return new


@pytest.fixture
async def pod(settings: Settings) -> AsyncGenerator[RunningPod]:
    """A pod on a real socket."""
    async with running_pod(settings) as it:
        yield it


@pytest.fixture
async def other_pod(settings: Settings) -> AsyncGenerator[RunningPod]:
    """Another pod of the same system."""
    async with running_pod(settings) as it:
        yield it
