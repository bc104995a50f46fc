"""What tests of tenants use: a pod that asks who one is, and a world of callers."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from redis.asyncio import Redis

from events.apikeys import KeyDirectory
from events.append import Appender
from events.graphs import GraphDirectory
from events.keys import Keys
from events.log import EventLog
from events.settings import Auth, Settings
from events.tasks import TaskStore
from tests.support.http import ECHO
from tests.support.pods import RunningPod
from tests.tenants.world import METRICS_TOKEN, World, headers


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The settings of a system that asks for API keys."""
    return settings.model_copy(update={"auth": Auth.KEYS, "metrics_token": METRICS_TOKEN})


@pytest.fixture
def tasks(log: EventLog) -> TaskStore:
    """A task store whose logs outlast the longest test, however busy the machine is."""
    return TaskStore(log, retention_seconds=3600)


@pytest.fixture
async def world(
    redis: Redis, keys: Keys, tasks: TaskStore, appender: Appender, pod: RunningPod
) -> AsyncGenerator[World]:
    """Callers and a pod that knows the graph `echo`. At the end no key and no unfinished task is left."""
    await GraphDirectory(redis, keys).announce([ECHO])
    yield World(pod, tasks, appender, await headers(KeyDirectory(redis, keys)))
    for task_id in await redis.zrange(keys.deadlines, 0, -1):
        await redis.delete(keys.log(task_id.decode()), keys.task(task_id.decode()))
    await redis.delete(keys.api_keys, keys.graphs)
