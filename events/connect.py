"""Connections to Redis or Valkey, set up the one way that suits a log."""

from __future__ import annotations

from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

AWAY = (RedisConnectionError, RedisTimeoutError, OSError, ReadOnlyError, OutOfMemoryError)
"""What a command raises when Redis isn't there, or can't write for now: worth another try.

After all but the last two nothing is known of what the command did.
"""

__all__ = ["AWAY", "RedisError", "connect"]


def _raw(response: Any, **_: Any) -> Any:
    return response


def connect(url: str, *, connections: int = 4, timeout: float = 5) -> Redis:
    """A client whose stream reads come back raw, and whose connections are few.

    Callers beyond `connections` wait for their turn: a command takes well under a millisecond, a connection
    kilobytes at both ends, and a pod must not open one for each of its clients.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        connections: the most it opens.
        timeout: seconds that a connect or a reply may take. No command of ours blocks.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),  # who may send a command twice knows it, and does
        health_check_interval=0,
    )
    client = Redis.from_pool(pool)
    # redis-py makes a dict of each entry and a list of each reply; the log wants neither.
    for command in ("XRANGE", "XREVRANGE", "XREAD"):
        client.set_response_callback(command, _raw)
    return client
