"""A pool of connections of redis-py's in which callers get fair turns, and clients with such a pool."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.exceptions import ConnectionError as RedisConnectionError


class FairPool(BlockingConnectionPool):
    """Callers get connections in the order in which they asked.

    redis-py hands a connection that is given back to whoever asks first, so that with as many busy callers as
    connections the others wait until they time out.

    Attributes:
        retired: whether it's closed, or its server isn't used any more: no connection is kept then.
    """

    retired = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._turns = asyncio.Semaphore(self.max_connections)

    async def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> Any:
        """A connection that is up.

        Raises:
            redis.exceptions.ConnectionError: there is none, or the caller's turn didn't come in time.
        """
        try:
            async with asyncio.timeout(self.timeout):
                await self._turns.acquire()
        except TimeoutError:
            raise RedisConnectionError(self._none_free()) from None
        connection = self.get_available_connection()
        try:
            await self.ensure_connection(connection)
        except BaseException:
            await self.release(connection)
            raise
        return connection

    def _none_free(self) -> str:
        its: Any = self
        host, port = (its.connection_kwargs.get(name) for name in ("host", "port"))
        where = "" if host is None else f" to {host}:{port}"
        return f"none of the {self.max_connections} connections{where} became free in {self.timeout:g} s"

    async def release(self, connection: Any) -> None:
        """Give a connection back; one to a server that says that it's a replica is closed."""
        if self.retired or connection._parser.demoted:
            await connection.disconnect(nowait=True)
        await ConnectionPool.release(self, connection)
        self._turns.release()

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Close all connections, and each that somebody makes or uses meanwhile when it's given back."""
        self.retired = True
        await super().disconnect(inuse_connections)

    async def retire(self) -> None:
        """Keep no connection from now on; those in use are closed when they're given back."""
        self.retired = True
        for connection in self._available_connections:
            await connection.disconnect(nowait=True)


def client(pool: BlockingConnectionPool) -> Redis:
    """A client with that pool, which it closes when it's closed."""
    return prepared(Redis.from_pool(pool))


def prepared(redis: Redis) -> Redis:
    """That client, with stream reads that come back raw."""
    # redis-py makes a dict of each entry and a list of each reply; the log wants neither.
    for command in ("XRANGE", "XREVRANGE", "XREAD"):
        redis.set_response_callback(command, _raw)
    return redis


def _raw(response: Any, **_: Any) -> Any:
    return response


@contextlib.asynccontextmanager
async def borrowed(redis: Redis) -> AsyncGenerator[Any]:
    """A connection of a client's pool, for a while.

    Raises:
        redis.exceptions.ConnectionError, redis.exceptions.TimeoutError: there is none.
    """
    pool: Any = redis.connection_pool
    connection = await pool.get_connection()
    try:
        yield connection
    finally:
        await pool.release(connection)
