"""Appending on a Cluster: whatever happens to servers, a task's entries stay whole and in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import pytest
from uuid_utils import uuid7

from events.append import Appender
from events.connect import connect, patiently
from events.keys import Keys
from events.log import EventLog, submitted
from events.model import START, EventId
from events.writer import AttemptWriter
from tests.support.attempts import SUCCESS, progress
from tests.support.cluster import Cluster, cluster
from tests.support.node import Node
from tests.support.waiting import wait_until

TASKS = 24


@pytest.fixture(scope="module")
def servers() -> Generator[Cluster]:
    """Three primaries, each with a replica."""
    with cluster() as it:
        yield it


@dataclass(frozen=True)
class Fleet:
    """A worker's appender on a Cluster, and the writers of some tasks."""

    servers: Cluster
    log: EventLog
    appender: Appender
    writers: list[AttemptWriter]

    def key(self, writer: AttemptWriter) -> str:
        """Where a writer's log is."""
        return self.log.keys.log(writer.claim.task_id)

    def at(self, node: Node) -> list[AttemptWriter]:
        """The writers whose log a node has."""
        return [writer for writer in self.writers if self.servers.owner_of(self.key(writer)) is node]

    async def seqs(self, writer: AttemptWriter) -> list[int]:
        """Of all entries in a log."""
        position, found = START, list[int]()
        while entries := await patiently(partial(self.log.read, writer.claim.task_id, position)):
            position = entries[-1].id
            found += [entry.id.seq for entry in entries]
        return found


@contextlib.asynccontextmanager
async def fleet(servers: Cluster, tasks: int = TASKS) -> AsyncGenerator[Fleet]:
    """So many tasks under a prefix of their own."""
    await servers.settled()
    redis, keys = connect(servers.url), Keys(f"couriers-{uuid4().hex[:8]}")
    log, appender = EventLog(redis, keys), Appender(redis, keys)
    writers = list[AttemptWriter]()
    for _ in range(tasks):
        task_id = str(uuid7())
        await log.create(task_id, submitted({}), {"status": "queued"})
        writers.append(appender.writer(await log.claim(task_id, "me", worker="test", lease_ms=60_000)))
    try:
        yield Fleet(servers, log, appender, writers)
    finally:
        await appender.close()
        await redis.aclose()


@contextlib.asynccontextmanager
async def busy(its: Fleet) -> AsyncGenerator[None]:
    """All writers append within; at the end each log is whole, and has its end."""
    done = asyncio.Event()
    loops = [asyncio.create_task(_append_until(done, writer)) for writer in its.writers]
    try:
        yield
    finally:
        done.set()
        await asyncio.gather(*loops)
    for writer in its.writers:
        assert await its.seqs(writer) == list(range(1, writer.last.seq + 1))
        assert (await its.log.last(writer.claim.task_id))[0].terminal


async def _append_until(done: asyncio.Event, writer: AttemptWriter) -> None:
    number = 0
    while not done.is_set():
        number += 1
        await writer.append(progress(number))
        if number % 7 == 0:
            await writer.flush()
        await asyncio.sleep(0.002)
    await writer.append(SUCCESS)
    await writer.flush()


async def _all_go_on(its: Fleet) -> None:
    """Wait until each writer has had more written."""
    before = {writer: writer.last for writer in its.writers}
    await wait_until(lambda: all(writer.last.seq > before[writer].seq + 50 for writer in its.writers))


@pytest.mark.parametrize("atomic", [False, True])
async def test_slots_that_move_under_writers_cost_nothing(servers: Cluster, atomic: bool) -> None:
    """Key by key (ASK, then MOVED), and in one go."""
    async with fleet(servers) as its, busy(its):
        for writer in its.writers[:4]:
            slot = servers.slot(its.key(writer))
            target = next(node for node in servers.primaries() if node is not servers.owner(slot))
            await servers.migrate_slot(slot, target, atomic=atomic)
        await _all_go_on(its)


async def test_a_log_that_is_on_its_way_is_written_where_it_is(servers: Cluster) -> None:
    """Its keys have moved, the slot hasn't: who is given it is asked, and no second log begins."""
    async with fleet(servers, 1) as its:
        (writer,) = its.writers
        slot = servers.slot(its.key(writer))
        source = servers.owner(slot)
        target = next(node for node in servers.primaries() if node is not source)
        await servers.begin_migration(slot, target)
        await servers.move_keys(slot, target)
        for number in range(5):
            await writer.append(progress(number))
            await writer.flush()
        assert source.call("CLUSTER", "COUNTKEYSINSLOT", slot) == 0
        await servers.end_migration(slot, target)
        await writer.append(progress(6))
        await writer.flush()
        assert await its.seqs(writer) == list(range(1, 9))


async def test_a_killed_primary_under_load_leaves_no_hole(servers: Cluster) -> None:
    """Its replica takes over and is given what it lacks; writers elsewhere go on meanwhile."""
    async with fleet(servers) as its:
        dead = servers.primaries()[0]
        others = [writer for writer in its.writers if writer not in its.at(dead)]
        async with busy(its):
            await servers.kill(dead)
            before = {writer: writer.last.seq for writer in others}
            await wait_until(lambda: all(writer.last.seq > before[writer] + 50 for writer in others))
            await servers.successor(dead)
            await _all_go_on(its)
        await servers.restart(dead)


async def test_a_replica_that_lacks_the_end_is_given_it(servers: Cluster) -> None:
    """Its primary was cut off from it and then killed; the writer has nothing more to say."""
    async with fleet(servers, 6) as its:
        writer = its.writers[0]
        primary = servers.owner_of(its.key(writer))
        (replica,) = servers.replicas_of(primary)
        await _cut_off(primary, replica)
        for number in range(5):
            await writer.append(progress(number))
        await writer.flush()
        await servers.kill(primary)
        replica.call("CLUSTER", "FAILOVER", "TAKEOVER")
        await servers.successor(primary)
        replica.call("CONFIG", "SET", "masterauth", "")
        await wait_until(lambda: _holds(its, writer, 7))
        assert not writer.fenced
        await servers.restart(primary)


async def _holds(its: Fleet, writer: AttemptWriter, count: int) -> bool:
    return await its.seqs(writer) == list(range(1, count + 1))


async def _cut_off(primary: Node, replica: Node) -> None:
    """Have the replica hear nothing more of its primary: it signs in with a wrong password from now on."""
    replica.call("CONFIG", "SET", "masterauth", "wrong")
    primary.call("CLIENT", "KILL", "TYPE", "replica")
    await wait_until(lambda: replica.told("replication")["master_link_status"] == "down")


async def test_a_server_demoted_and_promoted_again_is_not_trusted(servers: Cluster) -> None:
    """The connection to it held all the time; what it lost as a replica is put back all the same."""
    async with fleet(servers, 6) as its:
        writer = its.writers[0]
        primary = servers.owner_of(its.key(writer))
        (replica,) = servers.replicas_of(primary)
        for number in range(3):
            await writer.append(progress(number))
        await writer.flush()
        await _cut_off(primary, replica)
        for number in range(3, 6):
            await writer.append(progress(number))
        await writer.flush()
        replica.call("CLUSTER", "FAILOVER", "TAKEOVER")
        replica.call("CONFIG", "SET", "masterauth", "")
        await servers.successor(primary)
        await servers.settled()
        primary.call("CLUSTER", "FAILOVER", "TAKEOVER")
        await servers.successor(replica)
        await wait_until(lambda: _holds(its, writer, 8))
        await writer.append(progress(6))
        await writer.flush()
        assert (await its.log.last(writer.claim.task_id))[0].id == EventId(1, 9)
        assert await _holds(its, writer, 9)
