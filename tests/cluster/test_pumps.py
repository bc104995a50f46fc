"""Logs on several servers, some of which fail, change places or hand a log over, while clients follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from uuid import uuid4

import pytest
from uuid_utils import uuid7

from events.connect import connect
from events.keys import Keys
from events.log import EventLog
from events.model import START, EventId
from events.tailer import Tailer
from tests.support.cluster import Cluster, cluster
from tests.support.logs import ids, plant
from tests.support.node import Node
from tests.support.readers import Collector, Plain, following
from tests.support.waiting import wait_until

NEVER = 600.0


@pytest.fixture(scope="module")
def servers() -> Iterator[Cluster]:
    """Three primaries, each with a replica; each test leaves them settled."""
    with cluster() as it:
        yield it


@dataclass(frozen=True)
class Shards:
    """A tailer on a Cluster, and a log on each of its primaries.

    Attributes:
        servers: the Cluster.
        log: of all tasks.
        tailer: it delivers.
        tasks: a task with the log 0-1, 1-2 … 1-4 on each primary, in the primaries' order.
    """

    servers: Cluster
    log: EventLog
    tailer: Tailer
    tasks: Sequence[str]

    def home(self, task_id: str) -> Node:
        """The primary that has a task's log."""
        return self.servers.owner_of(self.log.keys.log(task_id))


def on_each(servers: Cluster, keys: Keys) -> Sequence[str]:
    """New ids of tasks, one on each primary."""
    found: dict[str, str] = {}
    while len(found) < len(servers.primaries()):
        new = str(uuid7())
        found.setdefault(servers.owner_of(keys.log(new)).name, new)
    return [found[node.name] for node in servers.primaries()]


@pytest.fixture
async def shards(servers: Cluster) -> AsyncGenerator[Shards]:
    """A tailer that delivers, and a log on each primary."""
    client = connect(servers.url)
    log = EventLog(client, Keys(f"test-{uuid4().hex[:8]}"))
    tasks = on_each(servers, log.keys)
    for task_id in tasks:
        await plant(log, task_id, ["0-1", *ids("1-2", "1-4")])
    tailer = Tailer(log, client, Plain())
    await tailer.start()
    yield Shards(servers, log, tailer, tasks)
    await tailer.close()
    await client.aclose()


async def lose_in_failover(it: Shards, task_id: str, entry_ids: Sequence[str]) -> tuple[Node, Node]:
    """Write what no replica gets, and kill the primary; gives it and its replica, which is held up."""
    primary = it.home(task_id)
    (replica,) = it.servers.replicas_of(primary)
    replica.freeze()
    primary.call("CLIENT", "KILL", "TYPE", "replica")
    await plant(it.log, task_id, entry_ids)
    return primary, replica


async def restore(it: Shards, dead: Node, successor: Node) -> None:
    """Have the Cluster as it was at the beginning of the test."""
    await it.servers.restart(dead)
    await it.servers.failover(successor)


async def test_a_shard_that_is_away_holds_up_no_other(shards: Shards) -> None:
    """Its own readers wait, and are told exactly what it has lost once a replica has its place."""
    home, *others = shards.tasks
    lost, *flowing = [Collector() for _ in shards.tasks]
    tailer = shards.tailer
    async with following(tailer, home, START, lost):
        for task_id, reader in zip(others, flowing, strict=True):
            await tailer.follow(task_id, START, reader)
        primary, replica = await lose_in_failover(shards, home, ids("1-5", "1-8"))
        await wait_until(lambda: lost.words[-1] == "1-8")
        await shards.servers.kill(primary)
        for task_id, reader in zip(others, flowing, strict=True):
            await plant(shards.log, task_id, ["1-5"])
            await wait_until(lambda reader=reader: reader.words[-1] == "1-5")
        assert tailer.settling(home)
        assert not any(map(tailer.settling, others))
        assert lost.words == ["0-1", *ids("1-2", "1-8")]
        replica.thaw()
        await wait_until(lambda: lost.words[-1] == "rewound:1-4")
        assert tailer.settling(home)
        await plant(shards.log, home, ["2-5"])
        await wait_until(lambda: lost.words[-1] == "2-5")
        for task_id, reader in zip(others, flowing, strict=True):
            assert reader.words == ["0-1", *ids("1-2", "1-5")]
            tailer.leave(task_id, reader)
    await restore(shards, primary, replica)


async def test_readers_of_a_shard_that_stays_away_are_sent_home_alone(
    shards: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the time that a pod waits, its streams end without another id; the others' go on."""
    monkeypatch.setattr("events.pump.AWAY_SECONDS", 0.3)
    home, other = shards.tasks[1:]
    lost, late, flowing = Collector(), Collector(), Collector()
    primary = shards.home(home)
    (replica,) = shards.servers.replicas_of(primary)
    async with following(shards.tailer, home, START, lost), following(shards.tailer, other, START, flowing):
        replica.freeze()
        await shards.servers.kill(primary)
        async with following(shards.tailer, home, EventId(1, 4), late):
            await wait_until(lambda: lost.ended and late.ended)
        await plant(shards.log, other, ["1-5"])
        await wait_until(lambda: flowing.words[-1] == "1-5")
        assert not flowing.ended
    replica.thaw()
    await shards.servers.successor(primary)
    await restore(shards, primary, replica)
    assert lost.words[:5] == ["0-1", *ids("1-2", "1-4"), ":"]
    assert late.words[0] == ":"


@pytest.mark.parametrize("atomic", [False, True])
async def test_a_slot_that_moves_under_its_readers_shows_nothing(shards: Shards, atomic: bool) -> None:
    """Everything once and in order, before, while and after the slot moves; and nobody else is disturbed."""
    home, other, _ = shards.tasks
    one, two = Collector(), Collector()
    slot = shards.servers.slot(shards.log.keys.log(home))
    source, target = shards.home(home), shards.home(other)

    async def grow() -> None:
        for seq in range(5, 200):
            await plant(shards.log, home, [f"1-{seq}"])
            await plant(shards.log, other, [f"1-{seq}"])
            await asyncio.sleep(0.002)

    async with following(shards.tailer, home, START, one), following(shards.tailer, other, START, two):
        growing = asyncio.create_task(grow())
        await shards.servers.migrate_slot(slot, target, atomic=atomic)
        assert shards.home(home) is target
        await shards.servers.migrate_slot(slot, source, atomic=atomic)
        await growing
        await wait_until(lambda: one.words[-1] == two.words[-1] == "1-199")
    assert one.words == two.words == ["0-1", *ids("1-2", "1-199")]
    assert not shards.tailer.settling(home)


async def test_a_log_is_followed_while_it_is_on_its_way(shards: Shards) -> None:
    """Its keys have gone ahead of their slot: the old server says where they are, again and again."""
    home, other, _ = shards.tasks
    reader = Collector()
    slot = shards.servers.slot(shards.log.keys.log(home))
    source, target = shards.home(home), shards.home(other)
    async with following(shards.tailer, home, START, reader):
        await shards.servers.begin_migration(slot, target)
        await plant(shards.log, home, ["1-5"])
        await wait_until(lambda: reader.words[-1] == "1-5")
        await shards.servers.move_keys(slot, target)
        for seq in range(6, 9):
            await plant(shards.log, home, [f"1-{seq}"])
            await wait_until(lambda seq=seq: reader.words[-1] == f"1-{seq}")
        await shards.servers.end_migration(slot, target)
        await plant(shards.log, home, ["1-9"])
        await wait_until(lambda: reader.words[-1] == "1-9")
    assert reader.words == ["0-1", *ids("1-2", "1-9")]
    await shards.servers.settled()
    await shards.servers.migrate_slot(slot, source)


async def test_bells_ring_again_when_their_server_has_failed(
    shards: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are heard on any other primary, and what was missed meanwhile is read."""
    monkeypatch.setattr("events.tailer.RESYNC_SECONDS", NEVER)
    readers = [Collector() for _ in shards.tasks]
    for task_id, reader in zip(shards.tasks, readers, strict=True):
        await shards.tailer.follow(task_id, START, reader)
    await wait_until(lambda: bool(belfries(shards.servers)))
    (belfry,) = belfries(shards.servers)
    await shards.servers.kill(belfry)
    pairs = list(zip(shards.tasks, readers, strict=True))
    elsewhere = [pair for pair in pairs if shards.home(pair[0]) is not belfry]
    for seq in range(5, 25):
        for task_id, reader in elsewhere:
            await plant(shards.log, task_id, [f"1-{seq}"])
            await wait_until(lambda reader=reader, seq=seq: reader.words[-1] == f"1-{seq}")
    for _, reader in elsewhere:
        assert reader.words == ["0-1", *ids("1-2", "1-24")]
    for task_id, reader in pairs:
        shards.tailer.leave(task_id, reader)
    await restore(shards, belfry, await shards.servers.successor(belfry))


def belfries(servers: Cluster) -> list[Node]:
    """The primaries at which somebody listens to bells."""
    return [node for node in servers.primaries() if node.call("CLIENT", "LIST", "TYPE", "pubsub")]
