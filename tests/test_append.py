"""Appending when replies get lost, connections break and memory runs out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from events.append import Appender
from events.cargo import MAX_BATCH
from events.connect import connect
from events.keys import Keys
from events.log import EventLog, submitted
from events.model import START, Event, EventId, EventType
from events.writer import MAX_UNWRITTEN, MAX_UNWRITTEN_BYTES, AttemptWriter
from tests.support.attempts import server_of
from tests.support.proxy import Proxy, proxy
from tests.support.server import free_port, valkey
from tests.support.waiting import wait_until

TRIES = 1000


@dataclass(frozen=True)
class Fragile:
    """A log reached through a proxy that can lose replies."""

    proxy: Proxy
    log: EventLog
    appender: Appender


@pytest.fixture
async def fragile(redis_port: int, keys: Keys) -> AsyncGenerator[Fragile]:
    """An appender whose connection is at the test's mercy."""
    async with proxy(redis_port) as it:
        client = connect(f"redis://127.0.0.1:{it.port}/0")
        appender = Appender(client, keys)
        await client.ping()
        yield Fragile(it, EventLog(client, keys), appender)
        await appender.close()
        await client.aclose()


async def writer_of(log: EventLog, appender: Appender, task_id: str, owner: str = "me") -> AttemptWriter:
    """The writer of a fresh claim."""
    return appender.writer(await log.claim(task_id, owner, worker="test", lease_ms=60_000))


async def test_a_lost_reply_makes_no_double_and_no_hole(
    fragile: Fragile, log: EventLog, task_id: str
) -> None:
    """A thousand appends, the reply to each lost after Redis had executed it."""
    writer = await writer_of(log, fragile.appender, task_id)
    for number in range(TRIES):
        fragile.proxy.lose = 1
        await writer.append(Event(EventType.PROGRESS, {"number": number}))
        await writer.flush()
    assert fragile.proxy.lost >= TRIES
    entries = [*await log.read(task_id, START), *await log.read(task_id, EventId(1, 1000))]
    assert [entry.id.seq for entry in entries] == list(range(1, TRIES + 3))
    assert [entry.event["data"]["number"] for entry in entries[2:]] == list(range(TRIES))


async def test_a_claim_whose_reply_is_lost_wins_all_the_same(
    fragile: Fragile, log: EventLog, task_id: str
) -> None:
    """It is asked again by itself, and the second call opens no second attempt."""
    await writer_of(fragile.log, fragile.appender, task_id, "warm-up")
    await log.redis.delete(log.keys.lease(task_id))
    fragile.proxy.lose = 1
    writer = await writer_of(fragile.log, fragile.appender, task_id)
    assert writer.claim.started == EventId(2, 3)
    assert len(await log.read(task_id, START)) == 3


async def test_cut_connections_in_the_middle_of_a_flood_lose_nothing(
    fragile: Fragile, log: EventLog, task_id: str
) -> None:
    """Batches are whole or not there at all, so a cut leaves neither a hole nor a double."""
    writer = await writer_of(log, fragile.appender, task_id)
    for number in range(3000):
        await writer.append(Event(EventType.PROGRESS, {"number": number}))
        if number % 100 == 0:
            fragile.proxy.cut()
            await asyncio.sleep(0)
    await writer.flush()
    position, seqs = START, list[int]()
    while entries := await log.read(task_id, position):
        position = entries[-1].id
        seqs += [entry.id.seq for entry in entries]
    assert seqs == list(range(1, 3003))


async def test_appends_gather_while_a_write_is_under_way(
    log: EventLog, appender: Appender, task_id: str
) -> None:
    """A flood takes few round trips; the number of commands shows it."""
    writer = await writer_of(log, appender, task_id)
    server = server_of(log, task_id)
    before = (await server.info("commandstats")).get("cmdstat_exec", {"calls": 0})["calls"]
    for _ in range(900):
        await writer.append(Event(EventType.PROGRESS))
    await writer.flush()
    after = (await server.info("commandstats"))["cmdstat_exec"]["calls"]
    assert 900 / MAX_BATCH <= after - before <= 10
    assert (await log.last(task_id))[0].id == EventId(1, 902)


async def test_a_writer_waits_when_too_much_is_on_the_way(
    fragile: Fragile, log: EventLog, task_id: str
) -> None:
    """While Redis is away a graph is held back at a bound, and goes on when it's there again."""
    writer = await writer_of(log, fragile.appender, task_id)
    fragile.proxy.lose = 10**6  # every reply is lost: nothing is ever acknowledged

    async def flood() -> None:
        for _ in range(MAX_UNWRITTEN + 50):
            await writer.append(Event(EventType.PROGRESS))

    flooding = asyncio.create_task(flood())
    await wait_until(lambda: writer.last.seq == MAX_UNWRITTEN + 2)
    assert not flooding.done()
    fragile.proxy.lose = 0
    await flooding
    await writer.flush()
    assert (await log.last(task_id))[0].id.seq == MAX_UNWRITTEN + 52


async def test_large_events_are_not_gathered_without_bound(
    fragile: Fragile, log: EventLog, task_id: str
) -> None:
    """While Redis is away the bytes on their way are bounded too; then they go in writes of a megabyte."""
    writer = await writer_of(log, fragile.appender, task_id)
    fragile.proxy.lose = 10**6
    large = Event(EventType.PROGRESS, {"message": "x" * 200_000})

    async def flood() -> None:
        for _ in range(40):
            await writer.append(large)

    flooding = asyncio.create_task(flood())
    await wait_until(lambda: writer.last.seq * 200_000 > MAX_UNWRITTEN_BYTES)
    await asyncio.sleep(0.1)
    assert not flooding.done()
    fragile.proxy.lose = 0
    await flooding
    await writer.flush()
    assert (await log.last(task_id))[0].id.seq == 42


async def test_a_redis_whose_memory_is_full_is_waited_for(
    log: EventLog, appender: Appender, task_id: str
) -> None:
    """Nothing is written, nothing is given up, and it goes on in order when there's room."""
    writer = await writer_of(log, appender, task_id)
    server = server_of(log, task_id)
    await server.config_set("maxmemory", 1)
    try:
        await append_and_see_it_wait(writer, log)
    finally:
        await server.config_set("maxmemory", 0)
    await writer.flush()
    assert [entry.id.seq for entry in await log.read(task_id, START)] == [1, 2, 3, 4, 5]


async def test_a_redis_that_has_become_a_replica_is_waited_for(keys: Keys, task_id: str) -> None:
    """It may be the primary again, or another one may answer under its name."""
    with valkey() as port:
        redis = connect(f"redis://127.0.0.1:{port}/0")
        log, appender = EventLog(redis, keys), Appender(redis, keys)
        await log.create(task_id, submitted({}), {"status": "queued"})
        writer = await writer_of(log, appender, task_id)
        await redis.replicaof("127.0.0.1", free_port())
        await append_and_see_it_wait(writer, log)
        await redis.replicaof("NO", "ONE")
        await writer.flush()
        assert [entry.id.seq for entry in await log.read(task_id, START)] == [1, 2, 3, 4, 5]
        await appender.close()
        await redis.aclose()


async def append_and_see_it_wait(writer: AttemptWriter, log: EventLog) -> None:
    """Three events, which Redis refuses time and again."""
    server = server_of(log, writer.claim.task_id)
    before = await _refusals(server)

    async def again_and_again() -> bool:
        return await _refusals(server) >= before + 10

    for number in range(3):
        await writer.append(Event(EventType.PROGRESS, {"number": number}))
    await wait_until(again_and_again)
    assert [entry.id.seq for entry in await log.last(writer.claim.task_id)] == [2]


async def _refusals(server: Redis) -> int:
    """How many commands Redis has refused for its own state."""
    stats = await server.info("errorstats")
    return sum(stats.get(f"errorstat_{code}", {}).get("count", 0) for code in ("OOM", "READONLY"))


async def test_what_redis_forbids_fails_the_attempt_and_writes_nothing(
    redis_port: int, log: EventLog, task_id: str
) -> None:
    """Bells that may not be rung: an entry that nobody hears of would be half a write."""
    name = f"mute-{task_id}"
    await log.redis.acl_setuser(name, enabled=True, nopass=True, keys="*", channels="*", categories=["+@all"])
    client = connect(f"redis://{name}:any@127.0.0.1:{redis_port}/0")
    appender = Appender(client, log.keys)
    writer = await writer_of(log, appender, task_id)
    await writer.append(Event(EventType.PROGRESS))
    await writer.flush()
    await log.redis.acl_setuser(name, commands=["-publish"])
    await writer.append(Event(EventType.PROGRESS))
    with pytest.raises(NoPermissionError):
        await writer.flush()
    assert (await log.last(task_id))[0].id == EventId(1, 3)
    await appender.close()
    await client.aclose()
    await log.redis.acl_deluser(name)


async def test_many_tasks_share_one_write(log: EventLog, appender: Appender) -> None:
    """Fifty tasks append at once; each log is dense and in its own order."""
    task_ids = [f"00000000-0000-7000-8000-{number:012}" for number in range(50)]
    for task_id in task_ids:
        await log.create(task_id, submitted({}), {"status": "queued"})
    writers = [await writer_of(log, appender, task_id) for task_id in task_ids]
    for number in range(20):
        await asyncio.gather(*(writer.append(Event(EventType.PROGRESS, {"n": number})) for writer in writers))
    await asyncio.gather(*(writer.flush() for writer in writers))
    for task_id in task_ids:
        entries = await log.read(task_id, START)
        assert [entry.id.seq for entry in entries] == list(range(1, 23))
        assert [entry.event["data"]["n"] for entry in entries[2:]] == list(range(20))
