"""Connections: what is asked of redis-py beyond its own promises."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from events.connect import RedisError, connect
from events.settings import Settings
from tests.support.proxy import gate
from tests.support.waiting import wait_until


async def test_a_cancellation_in_a_command_is_always_heard(redis: Redis) -> None:
    """Whenever it comes, also as the write ends; what was cancelled doesn't go on."""
    client: Any = redis
    swallowed = 0
    for turn in range(800):
        command = asyncio.create_task(client.echo("x"))
        for _ in range(turn % 8):
            await asyncio.sleep(0)
        if command.cancel():
            await asyncio.wait([command])
            swallowed += not command.cancelled()
    assert swallowed == 0
    assert await client.echo("y") == b"y"


async def test_busy_callers_leave_others_their_turn(settings: Settings) -> None:
    """As many as there are connections, one command after another: whoever else asks gets in between."""
    client: Any = connect(settings.redis_url, timeout=2)
    busy, done = True, 0

    async def hurry() -> None:
        nonlocal done
        while busy:
            await client.ping()
            done += 1

    callers = [asyncio.create_task(hurry()) for _ in range(4)]
    await wait_until(lambda: done > 100)
    assert [await client.echo(f"{turn}") for turn in range(50)] == [b"%d" % turn for turn in range(50)]
    busy = False
    await asyncio.gather(*callers)
    await client.aclose()


async def test_who_gets_no_connection_is_told_to_which_server(redis_port: int) -> None:
    """Of several servers one may be slow."""
    client: Any = connect(f"redis://127.0.0.1:{redis_port}", connections=1, timeout=0.5)
    held = await client.connection_pool.get_connection()
    told = f"^none of the 1 connections to 127.0.0.1:{redis_port} became free in 0.5 s$"
    with pytest.raises(RedisConnectionError, match=told):
        await client.ping()
    await client.connection_pool.release(held)
    await client.aclose()


async def test_a_closed_client_keeps_no_connection(redis_port: int) -> None:
    """Nor one of a command that is about to connect, of a task that has yet to be cancelled."""
    client: Any = connect(f"redis://127.0.0.1:{redis_port}", connections=1)
    command = asyncio.create_task(client.echo("x"))
    await asyncio.sleep(0)
    (connection,) = client.connection_pool._in_use_connections
    assert not connection.is_connected
    await client.aclose()
    assert await command == b"x"
    assert not connection.is_connected


async def test_a_turn_is_given_back_whatever_happens(redis_port: int) -> None:
    """Cancelled while it waits, while it connects or in its command: the pool has all its turns still."""
    async with gate(redis_port) as between:
        client: Any = connect(between.url, connections=2, timeout=1)
        for turn in range(60):
            command = asyncio.create_task(client.echo("x"))
            for _ in range(turn % 9):
                await asyncio.sleep(0)
            if turn % 3 == 0:
                between.cut()
            command.cancel()
            await asyncio.wait([command])
        between.close()
        for _ in range(3):
            with pytest.raises(RedisError):
                await client.ping()
        between.shut = False
        assert await asyncio.gather(*(client.echo("y") for _ in range(6))) == [b"y"] * 6
        await client.aclose()
