"""Writing a milestone that is one command: a log's beginning, a checkpoint."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from events import scripts
from events.durability import SUBMIT_SECONDS, Durability
from events.errors import NotCopied
from events.servers.cluster import ClusterRedis
from events.servers.connections import exchange
from events.servers.persistence import persist
from events.servers.pool import borrowed
from events.transaction import ASKING

REWRITE = """
-- KEYS: log, task.  Writes one field of a task's record as it is, for WAIT to have something to wait for.
-- 1 if there is such a task, else 0.
local server = redis.call('HGET', KEYS[2], 'server')
if not server or redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[2], 'server', server)
return 1
"""


async def write(redis: Redis, key: str, command: Sequence[Any], durability: Durability) -> tuple[Any, bool]:
    """Execute a command, and on the same connection count the copies of what it wrote.

    Args:
        redis: of the logs.
        key: the first that the command names.
        command: if its reply is lost it may have to be executed once more, and so may what it's a part of.
        durability: how many copies there must be; not off.

    Returns:
        The reply, and whether there are enough copies.

    Raises:
        redis.exceptions.RedisError: it could not be done, or nobody knows.
    """

    async def do(node: Redis, asking: bool) -> tuple[Any, bool]:
        before = [ASKING] if asking else []
        async with borrowed(node) as connection:
            *_, reply, copies = await exchange(connection, [*before, command, durability.command])
        if isinstance(reply, Exception):
            raise reply
        return reply, durability.reached(copies)

    if isinstance(redis, ClusterRedis):
        return await persist(redis.topology, redis.topology.slot(key), do)
    return await do(redis, False)


async def create(redis: Redis, keys: Sequence[str], args: Sequence[Any], durability: Durability) -> int:
    """Open a log, and see that there are enough copies of its beginning; also of one that was there before.

    Args:
        redis: of the logs.
        keys: the log's, and the task's.
        args: what `scripts.CREATE` takes.
        durability: how many copies there must be; not off.

    Returns:
        1 if the log is new, else 0.

    Raises:
        NotCopied: it is there, but has too few copies after 5 s.
    """
    command = ["EVAL", scripts.CREATE, len(keys), *keys, *args]
    made, copied = await write(redis, keys[0], command, durability)
    if not (made and copied):
        await secure(redis, keys, durability)
    return made


async def secure(redis: Redis, keys: Sequence[str], durability: Durability) -> None:
    """See that there are enough copies of a log's beginning.

    Args:
        redis: of the logs.
        keys: the log's, and the task's.
        durability: how many copies there must be; not off.

    Raises:
        NotCopied: there are too few after 5 s, or the log has been lost meanwhile.
    """
    until = time.monotonic() + SUBMIT_SECONDS
    while time.monotonic() < until:
        there, copied = await write(redis, keys[0], ["EVAL", REWRITE, len(keys), *keys], durability)
        if not there:
            break
        if copied:
            return
    raise NotCopied(NotCopied.__doc__)
