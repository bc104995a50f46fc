"""Routes: which server has a key, for those who hold connections of their own.

Whoever asks by the client that `connect` made need not know; it finds the server, and follows it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from events.servers.cluster import ClusterRedis
from events.servers.connections import Finder
from events.servers.topology import Redirect

__all__ = ["Redirect", "Routes", "routes"]


class Routes(Protocol):
    """Which server has a key. On anything but a Cluster it is always the same one."""

    @property
    def version(self) -> int:
        """Grows whenever another server has some slot; on a Cluster it is 0 as long as nothing is known."""
        ...

    def slot(self, key: str) -> int:
        """The slot of a key; 0 on anything but a Cluster: there all keys may stand in one command."""
        ...

    def node(self, key: str) -> Redis:
        """The client of the server that has the key's slot now, as far as is known.

        It is the same object as long as the server has slots, or somebody holds it; `sibling` and `Wire` take
        it.
        A server that hasn't the slot says so by MOVED or ASK; then ask `heed`.
        """
        ...

    def nodes(self) -> Sequence[Redis]:
        """The clients of all primaries that have slots."""
        ...

    def serves(self, connection: Any, key: str) -> bool:
        """Whether the server at the other end of a connection of redis-py's has the key's slot now."""
        ...

    async def ready(self) -> None:
        """See that the map is known; until then `node` gives any node, and `nodes` one.

        Raises:
            redis.exceptions.RedisError: no node can tell.
        """
        ...

    async def confirm(self) -> None:
        """Leave servers that others have replaced without breaking a connection; never fails."""
        ...

    async def heed(self, error: Exception) -> Redirect | None:
        """Learn from what went wrong: MOVED, ASK, CLUSTERDOWN, a lost connection.

        The map is looked at anew if that's called for, at most a few times a second, however many ask for it.

        Args:
            error: what a command raised, or the reply to it.

        Returns:
            Where a command goes that was answered with MOVED or ASK; None for all other errors: then `node`
            tells, and a pause may do.
        """
        ...


class _OneServer:
    """Of a single server, or of a primary that sentinels name: each new connection goes to the right one."""

    version = 0

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def slot(self, key: str) -> int:
        del key
        return 0

    def node(self, key: str) -> Redis:
        del key
        return self._redis

    def nodes(self) -> Sequence[Redis]:
        return (self._redis,)

    def serves(self, connection: Any, key: str) -> bool:
        del connection, key
        return True

    async def ready(self) -> None:
        pass

    async def confirm(self) -> None:
        pool: Any = self._redis.connection_pool
        finder: Finder | None = pool.connection_kwargs.get("finder")
        if finder is not None:
            with contextlib.suppress(RedisError, OSError):
                await finder.find()

    async def heed(self, error: Exception) -> Redirect | None:
        del error
        return None


def routes(redis: Redis) -> Routes:
    """The routes to the servers of a client that `connect` made."""
    return redis.topology if isinstance(redis, ClusterRedis) else _OneServer(redis)
