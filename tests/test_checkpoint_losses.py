"""Whatever becomes of a call or of Redis, a checkpoint is there as a whole or not at all, and once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from redis.asyncio import Redis

from events.connect import connect
from events.keys import Keys
from tests.support.checkpoints import checkpoint, fenced, ids, names, put, put_at, thread
from tests.support.listening import listening, port_of
from tests.support.proxy import Proxy, gate, proxy
from tests.support.waiting import wait_until
from worker.checkpoint import RedisSaver


async def test_a_cancelled_put_is_whole_or_not_there(redis: Redis, keys: Keys) -> None:
    """Cut at any moment, the checkpoint and its values are there or neither is; the client lives on."""
    saver = RedisSaver(redis, keys, ttl_seconds=60)
    outcomes: set[bool] = set()
    for cut in range(60):
        new = checkpoint(a=cut, b="x" * 50_000)
        where = thread(f"t{cut}", checkpoint_ns="")
        writing = asyncio.create_task(saver.aput(where, new, {}, new["channel_versions"]))
        for _ in range(cut // 6):
            await asyncio.sleep(0)
        if cut % 6:
            writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        found = await saver.aget_tuple(where)
        outcomes.add(found is not None)
        assert found is None or found.checkpoint["channel_values"] == new["channel_values"]
    assert outcomes == {True, False}


class Severed(Proxy):
    """A proxy that forwards so many bytes of commands and no more, whoever tries."""

    def __init__(self, upstream: int, most: int) -> None:
        super().__init__(upstream)
        self.left = most

    async def _forward(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while self.left and (data := await source.read(self.left)):
                self.left -= len(data)
                target.write(data)
                await target.drain()
            target.close()


async def test_a_connection_that_breaks_within_a_put_leaves_nothing_half_done(
    redis: Redis, redis_port: int, keys: Keys
) -> None:
    """Wherever in the commands it breaks: Redis executes them all together or forgets them."""
    outcomes: list[bool] = []
    for most in range(150, 6000, 150):
        between = Severed(redis_port, most)
        async with listening(between.serve) as server:
            client = connect(f"redis://127.0.0.1:{port_of(server)}/0")
            new, where = checkpoint(a="a" * 300, b="b" * 300), thread(f"t{most}", checkpoint_ns="")
            saver = RedisSaver(client, keys, ttl_seconds=60)
            writing = asyncio.create_task(saver.aput(where, new, {}, new["channel_versions"]))
            await wait_until(lambda between=between, writing=writing: writing.done() or not between.left)
            await asyncio.sleep(0.01)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        await client.aclose()
        left = await names(redis, keys)
        outcomes.append(bool(left))
        assert len(left) in (0, 2)
        await RedisSaver(redis, keys, ttl_seconds=60).adelete_thread(f"t{most}")
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {True, False}


async def test_a_lost_reply_is_tried_again_without_harm(redis_port: int, keys: Keys) -> None:
    """The write was made and nobody heard of it: made a second time, it is there once."""
    async with proxy(redis_port) as between:
        client = connect(f"redis://127.0.0.1:{between.port}/0")
        saver = RedisSaver(client, keys, ttl_seconds=60)
        await client.ping()
        between.lose = 1
        config = await put(saver, "t", value=1)
        between.lose = 3
        await saver.aput_writes(config, [("answer", 42)], "task")
        assert between.lost == 4
        found = await saver.aget_tuple(thread("t"))
        assert found is not None
        assert found.pending_writes == [("task", "answer", 42)]
        assert len(await ids(saver, thread("t"))) == 1
        await client.aclose()


async def test_calls_wait_for_a_redis_that_is_away(redis_port: int, keys: Keys) -> None:
    """A graph doesn't fail because Redis restarts; it goes on when it's back."""
    async with gate(redis_port) as between:
        client = connect(between.url)
        saver = RedisSaver(client, keys, ttl_seconds=60)
        await put(saver, "t", value=1)
        between.close()
        calls = asyncio.gather(
            put(saver, "t", value=2), saver.aget_tuple(thread("t")), saver.adelete_thread("u")
        )
        await wait_until(lambda: between.refused > 6)
        assert not calls.done()
        between.shut = False
        await calls
        assert len(await ids(saver, thread("t"))) == 2
        await client.aclose()


Call = Callable[[RedisSaver, RunnableConfig], Coroutine[Any, Any, Any]]

CALLS: dict[str, Call] = {
    "aput": lambda saver, where: saver.aput(where, checkpoint(value=2), {}, {"value": "2"}),
    "aput_writes": lambda saver, where: saver.aput_writes(where, [("answer", 43)], "another"),
    "aget_tuple": lambda saver, where: saver.aget_tuple(where),
    "open": lambda saver, _: saver.open("t", "task", 2),
    "tidy": lambda saver, _: saver.tidy("t"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_call_that_waits_for_redis_to_come_back_can_be_cancelled(
    redis_port: int, keys: Keys, call: Call
) -> None:
    """While it's turned away again and again."""
    async with gate(redis_port) as between:
        client = connect(between.url)
        saver = RedisSaver(client, keys, ttl_seconds=60)
        where = await put_at(saver, fenced("t", "task", 1), value=1)
        between.close()
        waiting = asyncio.create_task(call(saver, where))
        await wait_until(lambda: between.refused > 3)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        await client.aclose()


class Deaf(Proxy):
    """A proxy that from some time on takes commands and doesn't pass them on."""

    def __init__(self, upstream: int) -> None:
        super().__init__(upstream)
        self.deaf = False
        self.swallowed = 0

    async def _forward(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if self.deaf:
                    self.swallowed += 1
                else:
                    target.write(data)
                    await target.drain()
            target.close()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_call_that_waits_for_a_reply_can_be_cancelled(
    redis_port: int, keys: Keys, call: Call
) -> None:
    """From a Redis that has gone silent."""
    between = Deaf(redis_port)
    async with listening(between.serve) as server:
        client = connect(f"redis://127.0.0.1:{port_of(server)}/0", timeout=60)
        saver = RedisSaver(client, keys, ttl_seconds=60)
        where = await put_at(saver, fenced("t", "task", 1), value=1)
        between.deaf = True
        waiting = asyncio.create_task(call(saver, where))
        await wait_until(lambda: between.swallowed > 0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        await client.aclose()
