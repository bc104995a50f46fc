"""Reads: what many followed logs have new, asked for with one XREAD, on one connection of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from events.keys import Keys
from events.log import decode
from events.model import Entry, EventId
from events.position import PAGE
from events.wire import Wire

TIMEOUT_SECONDS = 5.0
"""How long a reply may take; no command here blocks."""


class Reads:
    """One reader's connection; it asks one question at a time.

    Args:
        redis: where to connect to; nothing is taken from its pool.
        keys: where logs are.
    """

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._wire: Wire | None = None
        self._reply: asyncio.Future[Any] | None = None

    async def after(self, positions: Mapping[str, EventId], count: int = PAGE) -> dict[str, list[Entry]]:
        """What each of several tasks has after its position; tasks with nothing new are left out.

        Raises:
            redis.exceptions.RedisError, OSError: it couldn't be read; the next question connects anew.
        """
        names = {self._keys.log(task_id): task_id for task_id in positions}
        after = [bytes(position) for position in positions.values()]
        try:
            reply = await self._ask("XREAD", "COUNT", str(count), "STREAMS", *names, *after)
        except BaseException:
            await self.close()
            raise
        return {names[name.decode()]: decode(raw) for name, raw in reply or ()}

    async def close(self) -> None:
        """Close the connection."""
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()

    async def _ask(self, *words: str | bytes) -> Any:
        if self._wire is None or not self._wire.open:
            await self.close()
            self._wire = Wire(self._redis, self._heard, self._lost)
            await self._wire.connect()
        self._reply = asyncio.get_running_loop().create_future()
        self._wire.send(*words)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                reply = await self._reply
        except TimeoutError:
            raise RedisTimeoutError("no reply from Redis") from None
        if isinstance(reply, Exception):
            raise reply
        return reply

    def _heard(self, reply: Any) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_result(reply)

    def _lost(self) -> None:
        self._heard(RedisConnectionError("the connection to Redis is lost"))
