"""Connections to Redis or Valkey, set up the one way that suits a log."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

from redis.asyncio import (
    BlockingConnectionPool,
    Connection,
    ConnectionPool,
    Redis,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

AWAY = (RedisConnectionError, RedisTimeoutError, OSError, ReadOnlyError, OutOfMemoryError)
"""What a command raises when Redis isn't there, or can't write for now: worth another try.

After all but the last two nothing is known of what the command did.
"""

UNSAFE_SECONDS = 5.0
"""For how long a write that was acknowledged may not be on Redis's disk.

With `appendfsync everysec` that is a second; at a slow disk two, then Redis has its writers wait
(https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/).
"""

__all__ = ["AWAY", "UNSAFE_SECONDS", "RedisError", "connect", "patiently", "sibling", "unbroken"]

T = TypeVar("T")


@contextlib.asynccontextmanager
async def unbroken(connection: Any, doing: str) -> AsyncGenerator[None]:
    """Do something on a connection of redis-py's in the time that it has, or close it.

    For half a command may have been sent, or the replies that are still to come would answer nobody.

    Raises:
        redis.exceptions.TimeoutError, redis.exceptions.ConnectionError: it was closed, and why.
    """
    try:
        async with asyncio.timeout(connection.socket_timeout):
            yield
    except TimeoutError:
        await connection.disconnect(nowait=True)
        raise RedisTimeoutError(f"Timeout {doing}") from None
    except OSError as error:
        await connection.disconnect(nowait=True)
        raise RedisConnectionError(f"Error while {doing}: {error}") from error
    except BaseException:
        await connection.disconnect(nowait=True)
        raise


class Heard:
    """A connection of redis-py's on which a cancellation is heard.

    redis-py writes inside `asyncio.wait_for`, which before Python 3.12 swallows a cancellation that comes as
    the write ends: of tasks cancelled within a command, 45 in 100 went on. It also makes a task for each
    command.
    """

    async def send_packed_command(
        self: Any, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        """Send a command, in the time that a reply may take too. No connection of ours has health checks."""
        del check_health
        await self.connect()
        parts = command.encode() if isinstance(command, str) else command
        async with unbroken(self, "writing to socket"):
            self._writer.writelines([parts] if isinstance(parts, bytes) else parts)
            await self._writer.drain()


class _Tcp(Heard, Connection):
    pass


class _Tls(Heard, SSLConnection):
    pass


class _Unix(Heard, UnixDomainSocketConnection):
    pass


_HEARD: dict[Any, type[Heard]] = {Connection: _Tcp, SSLConnection: _Tls, UnixDomainSocketConnection: _Unix}


def _raw(response: Any, **_: Any) -> Any:
    return response


class _FairPool(BlockingConnectionPool):
    """Callers get connections in the order in which they asked.

    redis-py hands a connection that is given back to whoever asks first, so that with as many busy callers as
    connections the others wait until they time out.
    """

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
            raise RedisConnectionError("No connection available.") from None
        connection = self.get_available_connection()
        try:
            await self.ensure_connection(connection)
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def release(self, connection: Any) -> None:
        """Give a connection back."""
        await ConnectionPool.release(self, connection)
        self._turns.release()


Connected = Callable[[Any], Awaitable[None]]
"""Called with each new connection before its first command; the connection speaks redis-py's protocol."""


def connect(
    url: str, *, connections: int = 4, timeout: float = 5, connected: Connected | None = None
) -> Redis:
    """A client whose stream reads come back raw, and whose connections are few.

    Callers beyond `connections` wait for their turn: a command takes well under a millisecond, a connection
    kilobytes at both ends, and a pod must not open one for each of its clients.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        connections: the most it opens.
        timeout: seconds that a connect or a reply may take. No command of ours blocks.
        connected: puts right on a new connection what the loss of an old one may have meant.
    """
    pool = _FairPool.from_url(
        url,
        max_connections=connections,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),  # who may send a command twice knows it, and does
        health_check_interval=0,
        redis_connect_func=None if connected is None else _greeting(connected),
    )
    pool.connection_class = _HEARD[pool.connection_class]  # pyright: ignore[reportAttributeAccessIssue]
    return _client(pool)


def sibling(redis: Redis, connected: Connected | None = None) -> Redis:
    """Another client of the same server, with one connection of its own."""
    pool: Any = redis.connection_pool
    options: dict[str, Any] = {
        **pool.connection_kwargs,
        "connection_class": pool.connection_class,
        "max_connections": 1,
        "timeout": pool.timeout,
        "redis_connect_func": None if connected is None else _greeting(connected),
    }
    return _client(_FairPool(**options))


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until Redis answers, however long it's away; what is asked must do no harm when it's done twice."""
    delay = 0.01
    while True:
        try:
            return await ask()
        except AWAY:
            await asyncio.sleep(delay)
            delay = min(delay * 2, 0.5)


def _greeting(connected: Connected) -> Callable[[Any], Awaitable[None]]:
    async def greet(connection: Any) -> None:
        try:
            await connection.on_connect()
            await connected(connection)
        except BaseException:
            await connection.disconnect(nowait=True)  # else it would be used as it is
            raise

    return greet


def _client(pool: BlockingConnectionPool) -> Redis:
    client = Redis.from_pool(pool)
    # redis-py makes a dict of each entry and a list of each reply; the log wants neither.
    for command in ("XRANGE", "XREVRANGE", "XREAD"):
        client.set_response_callback(command, _raw)
    return client
