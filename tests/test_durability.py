"""Milestones wait until enough replicas have them, on the connection that wrote."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from uuid_utils import uuid7

from events.append import Appender
from events.connect import connect
from events.durability import OFF, Durability, Level
from events.graphs import GraphDirectory
from events.keys import Keys
from events.log import EventLog, submitted
from events.model import EventId
from events.settings import Settings
from events.writer import AttemptWriter
from tests.support.attempts import SUCCESS, progress
from tests.support.checkpoints import put
from tests.support.cluster import Cluster, cluster
from tests.support.http import ECHO, submit
from tests.support.node import Node
from tests.support.pods import running_pod
from tests.support.server import server
from tests.support.waiting import wait_until
from worker.checkpoint import RedisSaver

REPLICA = Durability(Level.REPLICA, 1)
ROUNDS = 20


@pytest.fixture(scope="module")
def servers() -> Generator[Cluster]:
    """Three primaries, each with a replica."""
    with cluster() as it:
        yield it


@pytest.fixture
async def redis(servers: Cluster) -> AsyncGenerator[Redis]:
    """A client of the Cluster."""
    await servers.settled()
    client = connect(servers.url)
    yield client
    await client.aclose()


@pytest.fixture
def keys() -> Keys:
    """Of this test alone."""
    return Keys(f"durable-{uuid4().hex[:8]}")


@dataclass(frozen=True)
class Shard:
    """The servers that have a task's log."""

    primary: Node
    replica: Node

    @contextlib.contextmanager
    def frozen(self) -> Generator[None]:
        """The replica is connected within, and takes nothing."""
        os.kill(self.replica.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.replica.pid, signal.SIGCONT)


def shard(servers: Cluster, key: str) -> Shard:
    """Where a key is."""
    primary = servers.owner_of(key)
    return Shard(primary, servers.replicas_of(primary)[0])


async def writer_of(log: EventLog, appender: Appender) -> AttemptWriter:
    """The writer of a new task."""
    task_id = str(uuid7())
    await log.create(task_id, submitted({}), {"status": "queued"})
    return appender.writer(await log.claim(task_id, "me", worker="test", lease_ms=60_000))


@contextlib.asynccontextmanager
async def appending(redis: Redis, keys: Keys, durability: Durability) -> AsyncGenerator[AttemptWriter]:
    """A writer whose milestones wait for that much."""
    appender = Appender(redis, keys, durability=durability)
    try:
        yield await writer_of(EventLog(redis, keys), appender)
    finally:
        await appender.close()


async def has(log: EventLog, writer: AttemptWriter, last: EventId) -> bool:
    """Whether that is the log's last entry."""
    return (await log.last(writer.claim.task_id))[0].id == last


async def test_a_milestone_waits_for_its_replica(servers: Cluster, redis: Redis, keys: Keys) -> None:
    """It's in the log at once, and counts when the replica has it; others needn't wait for that."""
    log = EventLog(redis, keys)
    async with appending(redis, keys, REPLICA) as writer:
        with shard(servers, keys.log(writer.claim.task_id)).frozen():
            await writer.append(SUCCESS)
            flushing = asyncio.create_task(writer.flush())
            await wait_until(lambda: has(log, writer, EventId(1, 3)))
            await asyncio.wait([flushing], timeout=0.6)
            assert not flushing.done()
        await flushing


async def test_nobody_else_waits_for_a_replica_that_is_away(
    servers: Cluster, redis: Redis, keys: Keys
) -> None:
    """While one task's milestone waits, its server takes other entries."""
    log = EventLog(redis, keys)
    async with appending(redis, keys, REPLICA) as writer:
        with shard(servers, keys.log(writer.claim.task_id)).frozen():
            await writer.append(progress(1))
            flushing = asyncio.create_task(writer.flush())
            for number in range(2, 40):
                await writer.append(progress(number))
                await wait_until(lambda: has(log, writer, writer.last))
            assert not flushing.done()
        await flushing


async def test_copies_are_counted_for_what_the_connection_wrote(
    servers: Cluster, redis: Redis, keys: Keys
) -> None:
    """A new connection has written nothing, and WAIT there would say at once that all have that."""
    log = EventLog(redis, keys)
    async with appending(redis, keys, REPLICA) as writer:
        its = shard(servers, keys.log(writer.claim.task_id))
        with its.frozen():
            await writer.append(progress(1))
            await wait_until(lambda: has(log, writer, writer.last))
            its.primary.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            flushing = asyncio.create_task(writer.flush())
            await asyncio.wait([flushing], timeout=0.6)
            assert not flushing.done()
        await flushing


async def test_what_counts_survives_its_primary(servers: Cluster, redis: Redis, keys: Keys) -> None:
    """Time and again a replica that lagged is promoted as soon as the end counts, and the worker dies too."""
    log = EventLog(redis, keys)
    for _ in range(ROUNDS):
        async with appending(redis, keys, REPLICA) as writer:
            its = shard(servers, keys.log(writer.claim.task_id))
            its.replica.call("CONFIG", "SET", "masterauth", "wrong")  # back when it may
            its.primary.call("CLIENT", "KILL", "TYPE", "replica")
            await writer.append(progress(1))
            await writer.append(SUCCESS)
            flushing = asyncio.create_task(writer.flush())
            await wait_until(lambda: has(log, writer, writer.last))
            its.replica.call("CONFIG", "SET", "masterauth", "")
            await flushing
        its.replica.call("CLUSTER", "FAILOVER", "TAKEOVER")
        await servers.successor(its.primary)
        (last,) = its.replica.call("XREVRANGE", keys.log(writer.claim.task_id), "+", "-", "COUNT", "1")
        assert last[0] == b"1-4"
        await servers.settled()


async def test_a_submit_without_its_copies_is_told_so_and_found_again(
    servers: Cluster, redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503; the same Idempotency-Key leads to the same task, and to 202 once the replicas have it."""
    monkeypatch.setattr("events.milestones.SUBMIT_SECONDS", 0.3)
    await GraphDirectory(redis, keys).announce([ECHO])
    with server("valkey") as queue:
        settings = Settings(
            redis_url=servers.url, queue_url=queue.url(), key_prefix=keys.prefix, durability=Level.REPLICA
        )
        async with running_pod(settings) as pod:
            headers = {"Idempotency-Key": "once"}
            with contextlib.ExitStack() as stack:
                for primary in servers.primaries():
                    stack.enter_context(Shard(primary, servers.replicas_of(primary)[0]).frozen())
                for _ in range(2):
                    refused = await submit(pod, headers=headers)
                    assert (refused.status_code, refused.json()["code"]) == (503, "log_unavailable")
                    assert "Retry-After" in refused.headers
            answer = await submit(pod, headers=headers)
            assert answer.status_code == 202
            tasks = await redis.keys(keys.log("*").replace("{", "[{]").replace("}", "[}]"))
            assert len(tasks) == 1


async def test_a_checkpoint_waits_for_its_replica(servers: Cluster, redis: Redis, keys: Keys) -> None:
    """A worker waits as long as it takes, and then goes on."""
    saver = RedisSaver(redis, keys, ttl_seconds=60, durability=REPLICA)
    with shard(servers, keys.checkpoints("t").points).frozen():
        storing = asyncio.create_task(put(saver, "t", value=1))
        await asyncio.wait([storing], timeout=0.6)
        assert not storing.done()
    await storing


async def test_off_waits_for_nothing(servers: Cluster, redis: Redis, keys: Keys) -> None:
    """As ever: what one server has taken counts."""
    async with appending(redis, keys, OFF) as writer:
        with shard(servers, keys.log(writer.claim.task_id)).frozen():
            await writer.append(SUCCESS)
            await writer.flush()


async def test_a_disk_is_waited_for(keys: Keys) -> None:
    """`primary`, on a server that syncs each write."""
    with server("valkey", "--appendonly", "yes", "--appendfsync", "always") as one:
        client = connect(one.url())
        durability = Durability(Level.PRIMARY)
        log = EventLog(client, keys, durability)
        appender = Appender(client, keys, durability=durability)
        writer = await writer_of(log, appender)
        await writer.append(SUCCESS)
        await writer.flush()
        await appender.close()
        await client.aclose()
        one.restart()
        client = connect(one.url())
        assert await has(EventLog(client, keys), writer, EventId(1, 3))
        await client.aclose()
