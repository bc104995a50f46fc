"""The tailer: everything once, in order, whatever the moment a reader joins."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis

from events.append import Appender
from events.bells import Bells
from events.connect import connect
from events.keys import Keys
from events.log import EventLog
from events.model import START, Entry, EventId
from events.position import PAGE
from events.routes import routes
from events.tail import Tail
from events.tailer import RESYNC_SECONDS, Tailer
from events.tasks import TaskStore
from tests.support.attempts import open_attempt, roll_back, write
from tests.support.logs import lose
from tests.support.proxy import Proxy, proxy
from tests.support.readers import Collector, Plain, following
from tests.support.waiting import wait_until


@pytest.fixture
async def tailer(log: EventLog, redis: Redis) -> AsyncGenerator[Tailer]:
    """A tailer that delivers."""
    it = Tailer(log, redis, Plain())
    await it.start()
    yield it
    await it.close()


@dataclass(frozen=True)
class Fragile:
    """A tailer whose connections are at the test's mercy."""

    proxy: Proxy
    client: Redis
    tailer: Tailer


@pytest.fixture
async def fragile(redis_port: int, keys: Keys) -> AsyncGenerator[Fragile]:
    """A tailer that reaches Redis through a proxy."""
    async with proxy(redis_port) as it:
        client = connect(f"redis://127.0.0.1:{it.port}/0")
        tailer = Tailer(EventLog(client, keys), client, Plain())
        await tailer.start()
        yield Fragile(it, client, tailer)
        await tailer.close()
        await client.aclose()


async def follow(tailer: Tailer, task_id: str, reader: Collector, position: EventId = START) -> None:
    """Follow until the log is sealed."""
    async with following(tailer, task_id, position, reader):
        await wait_until(lambda: reader.ended)


async def test_history_and_live_join_without_loss_or_double(
    log: EventLog, tasks: TaskStore, appender: Appender, tailer: Tailer, task_id: str
) -> None:
    """Fifty readers join at random moments and cursors of a log that is being written fast."""
    writer = await open_attempt(log, appender, task_id)
    readers: list[tuple[Collector, int]] = []

    async def join() -> None:
        await asyncio.sleep(random.random())
        reader, cursor = Collector(), random.choice([0, 1, writer.last.seq // 2, writer.last.seq])
        reader.pace = random.choice([0, 0, 0.01])
        readers.append((reader, cursor))
        position = EventId(1, cursor) if cursor > 1 else EventId(0, cursor)
        await follow(tailer, task_id, reader, position)

    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(join())
        for _ in range(250):
            await write(writer, random.randrange(20))
            await asyncio.sleep(0.004)
        await write(writer, 0, seal=True)
    last = writer.last.seq
    for reader, cursor in readers:
        assert reader.seqs == list(range(cursor + 1, last + 1))
    assert tailer.watched == 0
    await tasks.settle(task_id)


class Meanwhile(EventLog):
    """A log to which something happens between a read's reply and the reader's next step."""

    happens: Callable[[], Awaitable[None]] | None = None

    async def read(self, task_id: str, position: EventId, count: int = PAGE) -> list[Entry]:
        """The page as it was before it happened."""
        page = await super().read(task_id, position, count)
        if self.happens is not None:
            happens, self.happens = self.happens, None
            await happens()
        return page


async def test_a_bell_between_the_last_page_and_the_joining_is_not_lost(
    redis: Redis, keys: Keys, log: EventLog, appender: Appender, task_id: str
) -> None:
    """It rang while nobody had joined; the first who joins is told to look again."""
    writer = await open_attempt(log, appender, task_id)
    meanwhile, reader, other = Meanwhile(redis, keys), Collector(), Collector()
    tailer = Tailer(meanwhile, redis, Plain())
    await tailer.start()

    async def append_and_wait() -> None:
        await write(writer, 1)
        await asyncio.sleep(0.1)  # time for the bell to be heard and acted upon

    async with following(tailer, task_id, EventId(1, 2), other):
        pass  # the subscription is up, so that no confirmation of it rings
    meanwhile.happens = append_and_wait
    async with following(tailer, task_id, START, reader):
        await wait_until(lambda: reader.words == ["0-1", "1-2", "1-3"], RESYNC_SECONDS / 2)
    await tailer.close()


async def test_a_lost_bell_costs_latency_and_no_event(
    log: EventLog, appender: Appender, tailer: Tailer, task_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries that were written without a ring are found by the regular look."""
    monkeypatch.setattr("events.tailer.RESYNC_SECONDS", 0.1)
    await open_attempt(log, appender, task_id)
    reader = Collector()
    async with following(tailer, task_id, START, reader):
        await log.redis.xadd(log.keys.log(task_id), {"type": "progress", "event": "{}"}, id="1-3")
        await wait_until(lambda: reader.words[-1] == "1-3")


async def test_a_gap_in_mid_stream_is_told_to_everybody(
    log: EventLog, appender: Appender, tailer: Tailer, task_id: str
) -> None:
    """Live readers learn of a hole at the place where it is."""
    await open_attempt(log, appender, task_id)
    one, other = Collector(), Collector()
    async with following(tailer, task_id, START, one), following(tailer, task_id, EventId(0, 1), other):
        await log.redis.xadd(log.keys.log(task_id), {"type": "progress", "event": "{}"}, id="1-6")
        await log.redis.publish(log.keys.bell(task_id), "")
        await wait_until(lambda: one.words == ["0-1", "1-2", "gap:3", "1-6"])
        await wait_until(lambda: other.words == ["1-2", "gap:3", "1-6"])


async def test_a_rollback_in_mid_stream_is_told_when_the_log_goes_on(
    log: EventLog, appender: Appender, tailer: Tailer, task_id: str
) -> None:
    """A failover lost the tail and attempt 2 wrote another one."""
    await write(await open_attempt(log, appender, task_id), 3)
    reader = Collector()
    async with following(tailer, task_id, START, reader):
        await roll_back(log, task_id, keep=3)
        await write(await open_attempt(log, appender, task_id), 1)
        await wait_until(lambda: len(reader.words) == 8)
    assert reader.words == ["0-1", "1-2", "1-3", "1-4", "1-5", "rewound:1-3", "2-4", "2-5"]


async def test_readers_are_told_of_a_rollback_when_redis_comes_back(
    fragile: Fragile, log: EventLog, appender: Appender, task_id: str
) -> None:
    """After a reconnect every position is checked, though nothing new was written."""
    await write(await open_attempt(log, appender, task_id), 3)
    reader = Collector()
    async with following(fragile.tailer, task_id, START, reader):
        await roll_back(log, task_id, keep=4)
        fragile.proxy.cut()
        await wait_until(lambda: reader.words[-1] == "rewound:1-4")


async def test_a_redis_that_blinks_is_ridden_out(
    fragile: Fragile, log: EventLog, tasks: TaskStore, appender: Appender, task_id: str
) -> None:
    """Connections are cut again and again while the log is written; the reader gets it whole."""
    writer = await open_attempt(log, appender, task_id)
    reader = Collector()
    following = asyncio.create_task(follow(fragile.tailer, task_id, reader))
    for _ in range(10):
        await write(writer, 20)
        fragile.proxy.cut()
        await asyncio.sleep(0.05)
    await write(writer, 0, seal=True)
    await following
    assert reader.seqs == list(range(1, 204))
    await tasks.settle(task_id)


async def test_readers_are_sent_home_when_redis_stays_away(
    fragile: Fragile, log: EventLog, appender: Appender, task_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the time that a pod waits, streams end without another id."""
    monkeypatch.setattr("events.pump.AWAY_SECONDS", 0.3)
    await write(await open_attempt(log, appender, task_id), 1)
    live, late = Collector(), Collector()
    async with following(fragile.tailer, task_id, START, live):
        fragile.proxy.lose = 10**6
        fragile.proxy.cut()
        async with following(fragile.tailer, task_id, START, late):
            await wait_until(lambda: live.ended and late.ended)
    assert live.words[:3] == ["0-1", "1-2", "1-3"]
    assert late.words[0] == ":"


async def test_a_log_that_vanishes_ends_its_readers(
    log: EventLog, appender: Appender, tailer: Tailer, task_id: str
) -> None:
    """A reader of a log that somebody deleted isn't left hanging once that shows."""
    await write(await open_attempt(log, appender, task_id), 1)
    reader = Collector()
    async with following(tailer, task_id, START, reader):
        await log.redis.delete(log.keys.log(task_id))
        await log.redis.xadd(log.keys.log(task_id), {"type": "progress", "event": "{}"}, id="9-9")
        await lose(log, task_id, ["9-9"])
        for node in routes(log.redis).nodes():
            await node.client_kill_filter(_type="normal", skipme=True)
        await wait_until(lambda: reader.ended)


async def test_a_reader_ahead_of_the_tail_gets_only_what_it_has_not() -> None:
    """Who has read further by itself joins with its own position."""
    entries = [Entry(f"1-{seq}".encode(), b"progress", b"{}") for seq in range(3, 7)]
    tail, live, ahead = Tail(Plain(), EventId(1, 2)), Collector(), Collector()
    assert tail.join(live, EventId(1, 2))
    assert tail.join(ahead, EventId(1, 4))
    assert not tail.join(Collector(), EventId(0, 1))
    tail.deliver(entries[:1])
    tail.deliver(entries[1:])
    assert live.seqs == [3, 4, 5, 6]
    assert ahead.seqs == [5, 6]
    assert set(tail.live) == {live, ahead}


async def test_bells_find_a_dead_connection(
    redis_port: int, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that swallows everything is noticed by its silence and replaced."""
    monkeypatch.setattr("events.bells.PING_SECONDS", 0.1)
    rung: list[str] = []
    async with proxy(redis_port) as it:
        client = connect(f"redis://127.0.0.1:{it.port}/0", timeout=0.3)
        bells = Bells(client, rung.append)
        listening = asyncio.create_task(bells.run())
        bells.listen("one")
        await wait_until(lambda: rung == ["one"])
        it.mute = True
        await wait_until(lambda: it.connections > 1)
        it.mute = False
        it.cut()  # what the new connection has asked for may have been swallowed
        await wait_until(lambda: len(rung) > 1)
        before = len(rung)
        await redis.publish("one", "")
        await wait_until(lambda: len(rung) > before)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await client.aclose()
