"""A Redis that restarts without its newest writes gets them again, before anybody reads or writes there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import pytest
from redis.asyncio import Redis

from events.connect import connect
from events.keys import Keys
from tests.support.checkpoints import (
    dumps,
    fenced,
    ids,
    names,
    newest,
    put,
    put_at,
    roll_back,
    thread,
)
from tests.support.proxy import Gate, gate
from tests.support.waiting import wait_until
from worker import journal
from worker.checkpoint import RedisSaver
from worker.journal import Journal


@pytest.fixture
async def between(redis_port: int) -> AsyncGenerator[Gate]:
    """What can cut a worker's connections."""
    async with gate(redis_port) as it:
        yield it


@pytest.fixture
async def saver(between: Gate, keys: Keys) -> AsyncGenerator[RedisSaver]:
    """A worker's saver, wired as in the worker."""
    remembered = Journal()
    client = connect(between.url, connected=remembered.redo)
    yield RedisSaver(client, keys, ttl_seconds=60, journal=remembered)
    await client.aclose()


@pytest.fixture
def other(redis: Redis, keys: Keys) -> RedisSaver:
    """Another worker's saver, on connections that aren't cut."""
    return RedisSaver(redis, keys, ttl_seconds=60)


async def _four(saver: RedisSaver) -> Any:
    """Four checkpoints, each the child of the one before, and each with a value that only it stores."""
    where: Any = fenced("t", "task", 1)
    for number in range(4):
        where = await put_at(saver, where, **{f"v{number}": number})
    return where


async def test_a_takeover_finds_the_newest_checkpoint_whole(
    saver: RedisSaver, other: RedisSaver, between: Gate, redis: Redis, keys: Keys
) -> None:
    """The graph went on from memory; what its newest checkpoint refers to is there nevertheless."""
    where: Any = await put_at(saver, fenced("t", "task", 1), first=1)
    older = await dumps(redis, keys)
    for number in range(3):
        where = await put_at(saver, where, **{f"v{number}": number})
    whole = await dumps(redis, keys)
    await roll_back(redis, keys, older)
    between.cut()
    await saver.aput_writes(where, [("answer", 43)], "after the restart")
    found = await other.aget_tuple(thread("t"))
    assert found is not None
    assert found.checkpoint["channel_values"] == {"v2": 2}
    assert found.pending_writes == [("after the restart", "answer", 43), ("task", "answer", 42)]
    restored = await dumps(redis, keys)
    assert restored.keys() == whole.keys()
    assert [len(it.pending_writes or ()) async for it in other.alist(thread("t"))] == [2, 1, 1, 1]


async def test_it_comes_before_the_first_read(
    saver: RedisSaver, between: Gate, redis: Redis, keys: Keys
) -> None:
    """Also when Redis has lost everything; and the fence is there again as well."""
    await _four(saver)
    await roll_back(redis, keys, {})
    between.cut()
    assert await newest(saver) == {"v3": 3}
    assert len(await ids(saver, thread("t"))) == 4
    assert await redis.get(keys.checkpoints("t").fence) == b"task 1"


async def test_it_changes_nothing_where_nothing_was_lost(
    saver: RedisSaver, between: Gate, redis: Redis, keys: Keys
) -> None:
    """Checkpoints, writes, an interrupt that was replaced, and what was pruned stay as they are."""
    where = await _four(saver)
    for question in ("first", "second"):
        await saver.aput_writes(where, [("__interrupt__", question)], "task")
    await put(saver, "u", unguarded=1)
    await saver.aprune(["t"])
    before, connections = await _contents(saver), between.connections
    between.cut()
    assert await _contents(saver) == before
    assert between.connections > connections
    assert len(before) == 2


async def _contents(saver: RedisSaver) -> list[Any]:
    return [found async for found in saver.alist(None)]


async def test_a_reply_lost_within_it_leaves_no_half(
    saver: RedisSaver, between: Gate, redis: Redis, keys: Keys
) -> None:
    """The connection on which it broke off isn't used; it begins again on the next."""
    await _four(saver)
    await roll_back(redis, keys, {})
    between.cut()
    between.lose = 3
    assert await newest(saver) == {"v3": 3}
    assert between.lost == 3
    assert len(await ids(saver, thread("t"))) == 4


async def test_it_makes_again_what_is_lost_a_second_time(
    saver: RedisSaver, between: Gate, redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was made again, after some time without Redis, isn't safe for as long as if it were new."""
    now = time.monotonic()
    monkeypatch.setattr(journal, "time", SimpleNamespace(monotonic=lambda: now))
    await _four(saver)
    for away in (20, 1):
        now += away
        await roll_back(redis, keys, {})
        between.cut()
        assert await newest(saver) == {"v3": 3}


async def test_what_a_newer_attempt_has_fenced_off_is_left_out(
    saver: RedisSaver, other: RedisSaver, between: Gate, redis: Redis, keys: Keys
) -> None:
    """In silence: the attempt is over, and the worker goes on with other tasks."""
    await _four(saver)
    await put_at(saver, fenced("u", "0199-a", 1), old=1)
    await roll_back(redis, keys, {})
    await put_at(other, fenced("t", "task", 2), new=1)
    await put_at(other, fenced("u", "0199-b", 1), new=2)
    between.cut()
    assert [await newest(saver, thread_id) for thread_id in "tu"] == [{"new": 1}, {"new": 2}]
    assert [len(await ids(saver, thread(thread_id))) for thread_id in "tu"] == [1, 1]


async def test_a_task_that_took_a_thread_does_not_take_it_again(
    saver: RedisSaver, other: RedisSaver, between: Gate, redis: Redis, keys: Keys
) -> None:
    """By then a newer task may have it."""
    await saver.open("t", "0199-a", 1)
    await other.open("t", "0199-b", 1)
    between.cut()
    assert await newest(saver) is None
    assert await redis.get(keys.checkpoints("t").fence) == b"0199-b 1"


async def test_deleted_threads_stay_deleted(
    saver: RedisSaver, between: Gate, redis: Redis, keys: Keys
) -> None:
    """Whoever asked for that doesn't want to see them again; other threads come back."""
    await _four(saver)
    await put(saver, "u", kept=1)
    await saver.adelete_thread("t")
    await roll_back(redis, keys, {})
    between.cut()
    assert await newest(saver) is None
    assert await newest(saver, "u") == {"kept": 1}


async def test_a_thread_that_was_thinned_out_comes_back_as_it_was(
    saver: RedisSaver, between: Gate, redis: Redis, keys: Keys
) -> None:
    """Its writes are made again and then what deleted the older ones."""
    await _four(saver)
    await saver.tidy("t")
    thin = await names(redis, keys)
    await roll_back(redis, keys, {})
    between.cut()
    assert await newest(saver) == {"v3": 3}
    assert len(await ids(saver, thread("t"))) == 1
    assert sorted(await names(redis, keys)) == sorted(thin)


async def test_what_is_on_the_disk_is_forgotten(
    saver: RedisSaver, between: Gate, redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reply that comes later than Redis syncs tells that it's there."""
    await _four(saver)
    monkeypatch.setattr(journal, "UNSAFE_SECONDS", 0)
    assert await newest(saver) == {"v3": 3}
    await roll_back(redis, keys, {})
    between.cut()
    assert await newest(saver) is None


async def test_an_outage_that_was_too_long_is_not_made_up_for(
    saver: RedisSaver, between: Gate, redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody may have deleted the thread meanwhile."""
    await _four(saver)
    monkeypatch.setattr(journal, "OUTAGE_SECONDS", 0)
    await roll_back(redis, keys, {})
    between.cut()
    assert await newest(saver) is None


async def test_its_memory_is_bounded(
    saver: RedisSaver, between: Gate, redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of too much the newest is remembered."""
    monkeypatch.setattr(journal, "MAX_BYTES", 100_000)
    stored = [await put(saver, "u", value="x" * 30_000) for _ in range(10)]
    await roll_back(redis, keys, {})
    between.cut()
    assert await newest(saver) is None
    every = [config["configurable"]["checkpoint_id"] for config in reversed(stored)]  # pyright: ignore[reportTypedDictNotRequiredAccess]
    kept = await ids(saver, thread("u"))
    assert 2 <= len(kept) <= 3
    assert kept == every[: len(kept)]


async def test_much_of_it_goes_in_parts(
    saver: RedisSaver, between: Gate, redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has the whole time that a reply may take."""
    monkeypatch.setattr(journal, "BATCH_BYTES", 3000)
    await _four(saver)
    await put(saver, "u", value="x" * 30_000)
    await roll_back(redis, keys, {})
    between.cut()
    assert await newest(saver) == {"v3": 3}
    assert await newest(saver, "u") == {"value": "x" * 30_000}


async def test_a_redis_that_cannot_write_is_waited_for(
    saver: RedisSaver, between: Gate, redis: Redis, keys: Keys
) -> None:
    """Nobody reads there before what was lost is back."""
    await _four(saver)
    await roll_back(redis, keys, {})
    await redis.execute_command("REPLICAOF", "127.0.0.1", "1")  # of nobody: it reads, and writes nothing
    try:
        between.cut()
        connections = between.connections
        reading = asyncio.create_task(newest(saver))
        await wait_until(lambda: between.connections > connections + 2)
        assert not reading.done()
    finally:
        await redis.execute_command("REPLICAOF", "NO", "ONE")
    assert await reading == {"v3": 3}


async def test_a_write_that_can_never_be_made_again_stops_nothing(
    saver: RedisSaver, between: Gate, redis: Redis, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody has put something else under the thread's key; the worker has other threads."""
    await _four(saver)
    await put(saver, "u", value=1)
    await roll_back(redis, keys, {})
    await redis.set(keys.checkpoints("t").points, "something else", ex=60)
    between.cut()
    assert await newest(saver, "u") == {"value": 1}
    assert "could not be made again: WRONGTYPE" in caplog.text
