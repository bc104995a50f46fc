"""Two pods that ask for API keys, clients of several principals, and a graph that no worker runs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from events.apikeys import KeyDirectory, Role
from events.graphs import GraphDirectory
from events.keys import Keys
from events.settings import Auth, Settings
from tests.support.credentials import made
from tests.support.http import ECHO
from tests.support.pods import RunningPod, running_pod

Bearer = Callable[..., Awaitable[dict[str, str]]]
"""Makes a key for a principal, and gives the header that shows it."""

Pods = Callable[..., contextlib.AbstractAsyncContextManager[tuple[RunningPod, RunningPod]]]
"""Two pods of one system with some settings."""


@pytest.fixture(autouse=True)
async def graphs(redis: Redis, keys: Keys) -> None:
    """One graph that some worker has announced, and no worker."""
    await GraphDirectory(redis, keys).announce([ECHO])


@pytest.fixture
async def bearer(redis: Redis, keys: Keys) -> AsyncGenerator[Bearer]:
    """Keys under this test's prefix, which are gone afterwards, as is what other tenants left."""
    directory = KeyDirectory(redis, keys)

    async def header(tenant: str = "default", name: str = "ada", role: Role = Role.OPS) -> dict[str, str]:
        key, _ = await made(directory, tenant, name, role)
        return {"Authorization": f"Bearer {key}"}

    yield header
    for name in await redis.keys(f"{keys.prefix}:acme:*"):
        await redis.delete(name)
    await redis.delete(keys.api_keys)


@pytest.fixture
def pods(settings: Settings) -> Pods:
    """Two pods with API keys, and the limits that are given; else there are none."""

    @contextlib.asynccontextmanager
    async def running(**limits: Any) -> AsyncGenerator[tuple[RunningPod, RunningPod]]:
        none = {"submits_per_minute": 0, "max_streams_per_principal": 0, "max_unfinished": 0}
        guarded = settings.model_copy(update={"auth": Auth.KEYS, **none, **limits})
        async with running_pod(guarded) as one, running_pod(guarded) as other:
            yield one, other

    return running
