"""Connections: what is asked of redis-py beyond its own promises."""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import Redis


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
