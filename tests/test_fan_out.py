"""Many clients of a pod while its logs grow as fast as they can: everything once, in order, byte for byte."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator

import pytest

from events.append import Appender
from events.model import EventId
from events.settings import Settings
from events.tasks import TaskStore
from tests.support.clients import Client, all_over, ask, assert_holds, crowd
from tests.support.growing import Growing, growing, seal_all
from tests.support.pod_process import pod_process


@pytest.fixture
async def url(settings: Settings) -> AsyncGenerator[str]:
    """Where a pod in a process of its own listens."""
    async with pod_process(settings) as it:
        yield it.url


async def test_every_client_gets_every_event_once_and_in_order(
    url: str, tasks: TaskStore, appender: Appender
) -> None:
    """Two hundred clients on ten tasks, bursts of any length, and events of 200 kB between small ones."""
    logs = await growing(tasks, appender, 10)

    async def work(log: Growing) -> None:
        for _ in range(2):
            await log.grow(20)
            await log.burst(30, large=True)
        await log.burst(1200)
        await log.seal()

    async with crowd() as clients:
        for _ in range(20):
            clients += [await ask(url, log.task_id) for log in logs]
        await asyncio.gather(*(work(log) for log in logs))
        await all_over(clients)
    for number, log in enumerate(logs):
        whole = await log.whole()
        for client in clients[number :: len(logs)]:
            assert_holds(client, whole)


async def test_clients_that_join_a_growing_log_miss_nothing_and_get_nothing_twice(
    url: str, tasks: TaskStore, appender: Appender
) -> None:
    """Four hundred joins at random moments, with cursors anywhere from the start to the newest event."""
    logs = await growing(tasks, appender, 8)

    async def join(log: Growing, newest: int) -> tuple[Client, int]:
        seq = random.choice([0, newest, newest, random.randrange(newest), max(newest - 50, 0)])
        return await ask(url, log.task_id, f"{seq > 1:d}-{seq}" if seq else None), seq

    async def work(log: Growing) -> list[tuple[Client, int]]:
        joining: list[asyncio.Task[tuple[Client, int]]] = []
        for _ in range(50):
            await log.burst(random.choice([1, 5, 100]))
            joining.append(asyncio.create_task(join(log, log.writer.last.seq)))
        joined = [await it for it in joining]
        clients.extend(client for client, _ in joined)
        await log.seal()
        return joined

    async with crowd() as clients:
        joined = await asyncio.gather(*(work(log) for log in logs))
        await all_over(clients)
    for log, found in zip(logs, joined, strict=True):
        whole = await log.whole()
        for client, seq in found:
            assert_holds(client, whole[seq:])


async def test_clients_that_count_from_the_end_join_a_growing_log_at_one_place(
    url: str, tasks: TaskStore, appender: Appender
) -> None:
    """`from=now` and `from=-20`: nothing is missing from a place that the log's end was at meanwhile."""
    (log,) = await growing(tasks, appender, 1)

    async def join(newest: int) -> tuple[Client, range]:
        back = random.choice([0, 20])
        client = await ask(url, log.task_id, query=f"?from={-back or 'now'}")
        return client, range(max(newest - back, 0), max(log.writer.last.seq - back, 0) + 1)

    async with crowd() as clients:
        joining: list[asyncio.Task[tuple[Client, range]]] = []
        for _ in range(100):
            await log.burst(random.choice([1, 5, 50]))
            joining.append(asyncio.create_task(join(log.writer.last.seq)))
        joined = [await it for it in joining]
        clients += [client for client, _ in joined]
        await log.seal()
        await all_over(clients)
    whole = await log.whole()
    for client, places in joined:
        place = int(client.ids[0].partition("-")[2]) - 1
        assert place in places
        assert_holds(client, whole[place:])


async def test_everybody_comes_back_at_once_while_the_logs_grow_and_one_is_sealed(
    url: str, tasks: TaskStore, appender: Appender
) -> None:
    """Three hundred clients are cut off and return with cursors 50 events back; each gets the exact rest."""
    logs = await growing(tasks, appender, 5)
    async with crowd() as before, crowd() as after:
        for log in logs:
            await log.burst(300)
            before += [await ask(url, log.task_id, "1-250") for _ in range(60)]
        for client in before:
            await client.gets(EventId(1, 302))
        for client in before:
            client.leave()
        back = [asyncio.create_task(ask(url, log.task_id, "1-252")) for _ in range(60) for log in logs]
        await asyncio.gather(*(log.grow(3) for log in logs))
        await logs[0].seal()
        await asyncio.gather(*(log.grow(30) for log in logs[1:]))
        after += [await it for it in back]
        await seal_all(logs[1:])
        await all_over(after)
    for number, log in enumerate(logs):
        whole = await log.whole()
        for client in after[number :: len(logs)]:
            assert_holds(client, whole[252:])
    await assert_204(url, logs)


async def assert_204(url: str, logs: list[Growing]) -> None:
    """Who has a log's end is told not to come back."""
    async with crowd() as late:
        late += [await ask(url, log.task_id, str(log.writer.last)) for log in logs for _ in range(10)]
        assert {(client.status, bytes(client.body)) for client in late} == {(204, b"")}
