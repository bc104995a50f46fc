"""A worker's leases on a Cluster: those of a server that is away hold up no others."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncGenerator, Generator
from uuid import uuid4

import pytest
from uuid_utils import uuid7

from events.connect import connect
from events.keys import Keys
from events.log import Claim, EventLog, submitted
from tests.support.cluster import Cluster, cluster
from tests.support.node import Node
from tests.support.waiting import wait_until
from worker.abandonment import Abandonment
from worker.execution import Stop
from worker.lease import LeaseKeeper

LEASE_SECONDS = 2.0


@pytest.fixture(scope="module")
def servers() -> Generator[Cluster]:
    """Three primaries, without replicas: one that is away stays away."""
    with cluster(replicas=0) as it:
        yield it


@pytest.fixture
async def log(servers: Cluster) -> AsyncGenerator[EventLog]:
    """Logs under a prefix of their own."""
    redis = connect(servers.url)
    yield EventLog(redis, Keys(f"leases-{uuid4().hex[:8]}"))
    await redis.aclose()


async def claims_of(log: EventLog, count: int) -> list[Claim]:
    """So many tasks, claimed."""
    found = list[Claim]()
    for _ in range(count):
        task_id = str(uuid7())
        await log.create(task_id, submitted({}), {"status": "queued"})
        lease_ms = round(LEASE_SECONDS * 1000)
        found.append(await log.claim(task_id, uuid4().hex, worker="test", lease_ms=lease_ms))
    return found


@contextlib.contextmanager
def frozen(node: Node) -> Generator[None]:
    """It takes connections and answers nothing, which is worse than being gone."""
    os.kill(node.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(node.pid, signal.SIGCONT)


@pytest.mark.alone
async def test_other_leases_hold_while_a_server_is_away(servers: Cluster, log: EventLog) -> None:
    """For three times as long as a lease does; nobody is told to stop."""
    claims, stopped = await claims_of(log, 30), list[Stop]()
    dead = servers.primaries()[0]
    keeper = LeaseKeeper(Abandonment(servers.url, log.keys, 60, 60, "w"), LEASE_SECONDS, 1)
    keeper.start()
    for claim in claims:
        keeper.keep(claim, stopped.append, 60)
    others = [claim for claim in claims if servers.owner_of(log.keys.lease(claim.task_id)) is not dead]
    assert 0 < len(others) < len(claims)
    with frozen(dead):
        loop = asyncio.get_running_loop()
        until = loop.time() + 3 * LEASE_SECONDS
        while loop.time() < until:
            assert all([await log.is_held(claim.task_id) for claim in others])
            await asyncio.sleep(0.1)
        await keeper.release(others[0])
        assert not await log.is_held(others[0].task_id)
    assert not stopped
    await wait_until(lambda: _all_held(log, [claim for claim in claims if claim is not others[0]]))
    await keeper.close()


@pytest.mark.alone
async def test_a_released_lease_stays_released(servers: Cluster, log: EventLog) -> None:
    """Whenever it comes, also in the middle of a renewal, which would take the lease again."""
    keeper = LeaseKeeper(Abandonment(servers.url, log.keys, 60, 60, "w"), 0.6, 1)
    keeper.start()
    for claim in await claims_of(log, 40):
        keeper.keep(claim, lambda _: None, 60)
        await asyncio.sleep(0.02)
        await keeper.release(claim)
        assert not await log.is_held(claim.task_id)
    await keeper.close()


async def _all_held(log: EventLog, claims: list[Claim]) -> bool:
    return all([await log.is_held(claim.task_id) for claim in claims])
