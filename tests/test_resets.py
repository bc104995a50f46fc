"""Clients whose connections are reset, at any moment: afterwards a pod holds what it held before."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis
from uuid_utils import uuid7

from events.append import Appender
from events.keys import Keys
from events.settings import Settings
from events.tasks import TaskStore
from tests.support.clients import Client, ask, crowd, dial, stream_request
from tests.support.growing import Growing, growing, seal_all
from tests.support.pod_process import pod_process
from tests.support.pods import RunningPod
from tests.support.waiting import wait_until

MOMENTS = ["connected", "in the request", "asked", "answered", "in the body"]
VISITORS = 40
VISITS = 50


@pytest.fixture
async def logs(tasks: TaskStore, appender: Appender) -> AsyncGenerator[list[Growing]]:
    """Ten logs with some history."""
    found = await growing(tasks, appender, 10)
    for log in found:
        await log.burst(100)
    yield found
    await seal_all(found)


Gauge = Callable[[], Awaitable[dict[str, int]]]


async def beside(redis: Redis, keys: Keys) -> dict[str, int]:
    """What all pods together have at Redis, and the test, which has always the same."""
    return {
        "subscriptions": len(await redis.pubsub_channels(keys.bell("*"))),
        "connections to Redis": len(await redis.client_list()),
    }


async def settled(held: Gauge) -> dict[str, int]:
    """What is held when nobody has been there for a moment."""
    found: dict[str, int] = {}

    async def still() -> bool:
        before = dict(found)
        found.update(await held())
        return found == before and not found["subscriptions"]

    await wait_until(still)
    return found


async def assert_falls_to(before: dict[str, int], held: Gauge) -> None:
    """All that is held is soon what it was."""

    async def reached() -> bool:
        return await held() == before

    with contextlib.suppress(AssertionError):
        await wait_until(reached)
    assert await held() == before


async def come(url: str, task_id: str, moment: str) -> Client:
    """A client that has come as far as that moment."""
    request = stream_request(task_id, random.choice([None, "1-50", "1-102", "9-999"]))
    if moment == "connected":
        return await dial(url, b"")
    if moment == "in the request":
        return await dial(url, request[: random.randrange(1, len(request))])
    if moment == "asked":
        return await dial(url, request)
    client = await ask(url, task_id)
    if moment == "in the body":
        await wait_until(lambda: client.count > 0 or client.over.is_set())
    return client


async def visit(url: str, logs: list[Growing]) -> None:
    """Come and go, again and again."""
    for _ in range(VISITS):
        task_id = random.choice([str(uuid7()), *(log.task_id for log in logs)])
        client = await come(url, task_id, random.choice(MOMENTS))
        await asyncio.sleep(random.choice([0, 0, 0, 0.001, 0.003]))
        client.reset()
        await client.over.wait()


async def come_and_go(url: str, logs: list[Growing], held: Gauge) -> None:
    """Two thousand connections that are reset while the logs grow; nothing may be left of them."""
    async with crowd() as first:  # so that all connections to Redis are there that a pod ever makes
        first += await asyncio.gather(*(ask(url, log.task_id) for log in logs for _ in range(5)))
    before = await settled(held)
    async with asyncio.TaskGroup() as group:
        for _ in range(VISITORS):
            group.create_task(visit(url, logs))
        for log in logs:
            await log.grow(10)
    await assert_falls_to(before, held)


async def test_nothing_is_left_of_clients_that_were_reset(
    capfd: pytest.CaptureFixture[str], pod: RunningPod, redis: Redis, keys: Keys, logs: list[Growing]
) -> None:
    """Before the request, in it and after it, after the head and in the body; nor did anything go wrong."""

    async def held() -> dict[str, int]:
        return {
            "streams": len(pod.pod.streams),
            "tasks": len(asyncio.all_tasks()),
            "descriptors": len(os.listdir("/dev/fd")),
            **await beside(redis, keys),
        }

    await come_and_go(pod.url, logs, held)
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks into another process as Linux lets it")
async def test_nothing_is_left_at_a_pod_in_a_process_of_its_own(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    redis: Redis,
    keys: Keys,
    logs: list[Growing],
) -> None:
    """The same, as pods are deployed."""
    monkeypatch.setenv("TASKREEL_ACCESS_LOG", "false")
    async with pod_process(settings) as pod:

        async def held() -> dict[str, int]:
            descriptors = len(os.listdir(f"/proc/{pod.pid}/fd"))
            return {"descriptors": descriptors, **await beside(redis, keys)}

        await come_and_go(pod.url, logs, held)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_client_that_is_reset_takes_nobody_along(
    pod: RunningPod, logs: list[Growing], moment: str
) -> None:
    """Whatever it had come to, the one beside it gets everything."""
    log = logs[0]
    async with crowd() as clients:
        clients.append(await ask(pod.url, log.task_id))
        for _ in range(20):
            goes = await come(pod.url, log.task_id, moment)
            await log.burst(1)
            goes.reset()
            await log.burst(1)
        await clients[0].gets(log.writer.last)
        assert clients[0].count == log.writer.last.seq
