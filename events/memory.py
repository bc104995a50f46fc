"""When Redis has used up its memory: what must be written even so, and who had better not begin.

A log's Redis evicts nothing (`maxmemory-policy noeviction`), so at its maxmemory it refuses whatever may take
more. What is running must come to its end all the same: its lease is renewed, it can be cancelled, its last
events are written, and the log is settled. New tasks are refused a little earlier, so that what runs has that
much left to go on with.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, OutOfMemoryError

from events import scripts
from events.routes import routes

RESERVE = 0.05
"""The part of maxmemory that is left to running tasks."""

LOOK_SECONDS = 1.0
"""How long a look at Redis's memory is believed."""


async def insist(pipe: Any) -> list[Any]:
    """Execute a pipeline whose commands, each on one key, are done even if Redis's memory is used up.

    Args:
        pipe: of redis-py's, no transaction; doing one of its commands twice must do no harm.

    Raises:
        redis.exceptions.RedisError: the first command's that failed.
    """
    commands: list[tuple[Any, ...]] = [words for words, _ in pipe.command_stack]
    replies: list[Any] = await pipe.execute(raise_on_error=False)
    refused = [at for at, reply in enumerate(replies) if isinstance(reply, OutOfMemoryError)]
    for name, key, *rest in (commands[at] for at in refused):
        pipe.eval(scripts.ESSENTIAL, 1, key, name, *rest)
    if refused:
        for at, reply in zip(refused, await pipe.execute(raise_on_error=False), strict=True):
            replies[at] = reply
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies


async def at_one_moment(redis: Redis, ask: Callable[[Any], object]) -> list[Any]:
    """The replies to reads of one task's keys, as all of them are at one moment.

    At its maxmemory Redis 7 queues nothing for a transaction, reads neither; then they come right after each
    other.

    Args:
        redis: where to read.
        ask: puts the reads into a pipeline of redis-py's.

    Raises:
        redis.exceptions.RedisError: the first read's that failed.
    """
    pipe = redis.pipeline(transaction=True)
    ask(pipe)
    try:
        return await pipe.execute()
    except OutOfMemoryError:
        pipe = redis.pipeline(transaction=False)
        ask(pipe)
        return await pipe.execute()


class Headroom:
    """Whether Redis has memory for new tasks.

    Args:
        redis: the log's.
    """

    def __init__(self, redis: Redis) -> None:
        self._routes = routes(redis)
        self._short = False
        self._until = 0.0

    async def is_short(self) -> bool:
        """Whether so much is used that running tasks should have the rest; looks once a second.

        Of a Cluster each primary must have room, for nobody knows where the next tasks will be.

        Raises:
            redis.exceptions.RedisError: no server can be reached.
        """
        now = time.monotonic()
        if now >= self._until:
            self._until = now + LOOK_SECONDS  # others go by what was seen last, meanwhile
            try:
                self._short = await self._look()
            except BaseException:
                self._until = 0.0
                raise
        return self._short

    async def _look(self) -> bool:
        """Ask all servers; one that's away doesn't count as long as another one answers."""
        await self._routes.ready()
        nodes = self._routes.nodes()
        patience = LOOK_SECONDS if len(nodes) > 1 else None
        looks = [_short_of_memory(node, patience) for node in nodes]
        found = await asyncio.gather(*looks, return_exceptions=True)
        told = [short for short in found if isinstance(short, bool)]
        if not told:
            raise next(error for error in found if isinstance(error, BaseException))
        return any(told)


async def _short_of_memory(server: Any, patience: float | None) -> bool:
    async with asyncio.timeout(patience):
        try:
            return is_short(await server.info("memory"))
        except NoPermissionError:
            return False  # then new tasks are taken until all is used


def is_short(memory: dict[str, Any]) -> bool:
    """The same, by what INFO says of its memory. Redis counts neither replicas' buffers nor the AOF's."""
    limit = memory.get("maxmemory", 0)
    used = memory["used_memory"] - memory.get("mem_not_counted_for_evict", 0)
    return bool(limit) and used > limit * (1 - RESERVE)
