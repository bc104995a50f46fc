"""One MULTI/EXEC as one buffer: what comes back, and what becomes of the connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from events.connect import AWAY, connect
from events.keys import Keys
from events.transaction import Transaction, execute, results
from tests.support.proxy import Proxy, proxy

SET = ("SET", "test-transaction", "1", "EX", "60")
ECHO = ("ECHO", "there")


@contextlib.asynccontextmanager
async def connection_to(url: str, timeout: float = 5) -> AsyncGenerator[Any]:
    """A connection of a pool's, up."""
    client: Any = connect(url, connections=1, timeout=timeout)
    connection = await client.connection_pool.get_connection()
    yield connection
    await client.connection_pool.release(connection)
    await client.aclose()


@pytest.fixture
async def connection(redis_port: int) -> AsyncGenerator[Any]:
    """A connection to Redis."""
    async with connection_to(f"redis://127.0.0.1:{redis_port}/0") as it:
        yield it


@pytest.fixture
async def between(redis_port: int) -> AsyncGenerator[Proxy]:
    """What can swallow replies."""
    async with proxy(redis_port) as it:
        yield it


async def test_an_error_of_one_command_stands_in_its_place(connection: Any, keys: Keys) -> None:
    """The others are executed all the same, and all replies are read."""
    log = keys.log("00000000-0000-7000-8000-000000000001")
    entry = ("type", "progress", "event", b"\x00\xff\r\n")
    commands = [("XADD", log, b"1-2", *entry), ("XADD", log, b"1-1", *entry), ("XRANGE", log, "-", "+")]
    (outcome,) = await execute(connection, [Transaction([*commands, ("DEL", log)])])
    assert isinstance(outcome, list)
    first, refused, read, _ = outcome
    assert first == b"1-2"
    assert isinstance(refused, ResponseError)
    assert "equal or smaller" in str(refused)
    assert read == [[b"1-2", [b"type", b"progress", b"event", b"\x00\xff\r\n"]]]


async def test_what_is_refused_while_it_is_queued_leaves_nothing(connection: Any, redis: Redis) -> None:
    """The error says why; the connection has no reply too many."""
    refused, other = await execute(connection, [Transaction([SET, ("NONSENSE",), SET]), Transaction([ECHO])])
    assert isinstance(refused, ResponseError)
    assert "unknown command" in str(refused)
    assert other == [b"there"]
    assert not await redis.exists(SET[1])
    assert await execute(connection, [Transaction([ECHO])]) == [[b"there"]]


async def test_memory_that_runs_out_between_queue_and_execution_passes(connection: Any, redis: Redis) -> None:
    """EXEC itself is refused then, with the true reason inside its error: worth another try."""
    replies = list[Any]()
    for command in (("MULTI",), SET):
        await connection.send_command(*command)
        replies.append(await connection.read_response())
    await redis.config_set("maxmemory", 1)
    try:
        await connection.send_command("EXEC")
        with pytest.raises(ResponseError) as refused:
            await connection.read_response()
    finally:
        await redis.config_set("maxmemory", 0)
    assert not isinstance(refused.value, AWAY)
    assert isinstance(results([*replies, refused.value]), OutOfMemoryError)
    assert not await redis.exists(SET[1])


async def test_a_cancellation_leaves_no_reply_to_the_next_command(between: Proxy) -> None:
    """Wherever it comes: a connection whose replies weren't all read is closed."""
    for turn in range(1, 60):
        async with connection_to(f"redis://127.0.0.1:{between.port}/0") as it:
            task = asyncio.create_task(execute(it, [Transaction([("ECHO", "a" * 100_000)] * 20)]))
            for _ in range(turn):
                await asyncio.sleep(0)
            if task.cancel():
                await asyncio.wait([task])
                assert task.cancelled()
                assert not it.is_connected
            assert await execute(it, [Transaction([ECHO])]) == [[b"there"]]


async def test_a_reply_that_never_comes_closes_the_connection(between: Proxy) -> None:
    """A network that went dead: nobody knows what was done."""
    async with connection_to(f"redis://127.0.0.1:{between.port}/0", timeout=0.5) as it:
        between.mute = True
        with pytest.raises(RedisTimeoutError):
            await execute(it, [Transaction([ECHO])])
        assert not it.is_connected


async def test_a_connection_that_breaks_is_known_to_be_broken(between: Proxy) -> None:
    """In the middle of the replies, too."""
    async with connection_to(f"redis://127.0.0.1:{between.port}/0") as it:
        between.lose = 1
        with pytest.raises(AWAY):
            await execute(it, [Transaction([ECHO])])
        assert not it.is_connected
