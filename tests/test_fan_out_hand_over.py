"""Readers that come and go all the time: tails are dropped and made anew, and nobody misses anything."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from events.append import Appender
from events.keys import Keys
from events.model import EventId
from events.routes import routes
from events.tasks import TaskStore
from tests.support.clients import all_over, ask, assert_holds, crowd
from tests.support.followers import Follower
from tests.support.growing import Growing, growing, seal_all
from tests.support.pods import RunningPod
from tests.support.waiting import wait_until

Counting = Callable[[], Awaitable[int]]
READERS = 3
VISITS = 10


async def test_readers_that_come_and_go_between_two_pods_miss_nothing(
    pod: RunningPod, other_pod: RunningPod, tasks: TaskStore, appender: Appender
) -> None:
    """Three readers a log, each for a few events at this pod or that; one often comes as the last leaves."""
    logs = await growing(tasks, appender, 8)

    async def roam(log: Growing) -> Follower:
        follower = Follower()
        while follower.visits < VISITS:
            url = random.choice([pod, other_pod]).url
            await follower.visit(url, log.task_id, most=random.choice([0, 1, 2, 10, 40]))
        return follower

    async def work(log: Growing) -> list[Follower]:
        roaming = [asyncio.create_task(roam(log)) for _ in range(READERS)]
        while not all(it.done() for it in roaming):
            await log.grow(1)
            await asyncio.sleep(random.choice([0, 0, 0.01]))
        await log.seal()
        found = [await it for it in roaming]
        for follower in found:
            await follower.follow(other_pod.url, task_id=log.task_id)
        return found

    for log, followers in zip(logs, await asyncio.gather(*(work(log) for log in logs)), strict=True):
        whole = await log.whole()
        assert [follower.held == whole for follower in followers] == [True] * READERS
        assert not any(follower.rewinds for follower in followers)


async def test_a_reader_whose_predecessor_has_just_left_gets_what_it_lacks(
    pod: RunningPod, tasks: TaskStore, appender: Appender
) -> None:
    """The log has grown since, also beyond where the next one begins: nothing old is taken for the newest."""
    (log,) = await growing(tasks, appender, 1)
    await log.burst(10)
    early = Follower()
    await early.visit(pod.url, log.task_id, most=12)
    await wait_until(lambda: len(pod.pod.streams) == 0)
    await log.burst(40)
    async with crowd() as clients:
        clients.append(await ask(pod.url, log.task_id, "1-45"))
        await clients[0].gets(EventId(1, 52))
        await log.burst(5)
        await clients[0].gets(EventId(1, 57))
        clients += [await ask(pod.url, log.task_id, f"1-{seq}") for seq in (5, 12, 20, 50, 55)]
        await log.seal()
        await all_over(clients)
    whole = await log.whole()
    for client, seq in zip(clients, (45, 5, 12, 20, 50, 55), strict=True):
        assert_holds(client, whole[seq:])
    await early.follow(pod.url, task_id=log.task_id)
    assert early.held == whole


async def test_a_log_that_everybody_has_left_is_not_followed(
    pod: RunningPod, tasks: TaskStore, appender: Appender, redis: Redis, keys: Keys
) -> None:
    """When the last reader has gone, the pod hears its bells no longer; the next one has it listen again."""
    logs = await growing(tasks, appender, 20)

    async def heard() -> int:
        bells = [keys.bell(log.task_id) for log in logs]
        counts = [await node.pubsub_numsub(*bells) for node in routes(redis).nodes()]
        return sum(count for node in counts for _, count in node)

    for _ in range(3):
        async with crowd() as clients:
            clients += [await ask(pod.url, log.task_id) for log in logs for _ in range(2)]
            await wait_until(lambda: _equals(heard, len(logs)))
        await wait_until(lambda: _equals(heard, 0))
    await seal_all(logs)


async def _equals(count: Counting, due: int) -> bool:
    return await count() == due
