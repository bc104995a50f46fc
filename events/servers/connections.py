"""Connections of redis-py's with what a log needs of them: heard cancellations, found servers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Container, Iterable, Mapping, Sequence
from typing import Any, Protocol

from redis.asyncio import Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from events import metrics
from events.servers.urls import Address


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


async def exchange(connection: Any, commands: Sequence[Sequence[Any]]) -> list[Any]:
    """Send commands as one buffer; gives the reply to each, an error in its place.

    Raises:
        redis.exceptions.ConnectionError, redis.exceptions.TimeoutError: nobody knows what was done. The
            connection is closed then.
    """
    await connection.send_packed_command(connection.pack_commands(commands))
    parser = connection._parser
    async with unbroken(connection, "reading from Redis"):
        return [await parser.read_response() for _ in commands]


def leave(connections: Iterable[Any], known: Container[Address]) -> None:
    """Cut connections of redis-py's to servers that aren't among the known ones any more."""
    for connection in connections:
        if connection.is_connected and (connection.host, connection.port) not in known:
            connection._writer.transport.abort()


class Heard:
    """A connection of redis-py's on which a cancellation is heard, and which is closed when it's said to be.

    redis-py writes inside `asyncio.wait_for`, which before Python 3.12 swallows a cancellation that comes as
    the write ends: of tasks cancelled within a command, 45 in 100 went on. It also makes a task for each
    command.
    """

    async def connect(self: Any) -> None:
        """Connect and sign in, unless that is done, and count it."""
        if self.is_connected:
            return
        try:
            await super().connect()  # pyright: ignore[reportAttributeAccessIssue]
        except Exception:
            metrics.NOT_CONNECTED.inc()
            raise
        metrics.CONNECTED.inc()

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

    async def disconnect(self: Any, nowait: bool = False) -> None:
        """Close it; if nobody waits for that, at once.

        A close lasts till what is still to be sent is gone, and with TLS till the other end has answered: for
        ever if that hangs, or if the event loop ends meanwhile.
        """
        if nowait and self._writer is not None:
            self._writer.transport.abort()
        await super().disconnect(nowait)  # pyright: ignore[reportAttributeAccessIssue]


class Finder(Protocol):
    """Knows where a connection should go."""

    async def find(self) -> Address:
        """Where the next connection should go.

        Raises:
            redis.exceptions.ConnectionError: nobody can tell.
        """
        ...

    async def check(self, connection: Any) -> None:
        """See whether the server that a connection has reached is the right one.

        Raises:
            redis.exceptions.ConnectionError: it isn't.
        """
        ...

    def failed(self, address: Address) -> None:
        """Take note that a connection to that server came to nothing."""
        ...


class Found(Heard):
    """A connection that asks where to go each time it connects."""

    host: str
    port: int

    def __init__(self, *, finder: Finder, **options: Any) -> None:
        super().__init__(**options)
        self._finder = finder

    async def _connect(self) -> None:
        self.host, self.port = await self._finder.find()
        try:
            await super()._connect()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        except Exception:
            self._finder.failed((self.host, self.port))
            raise

    async def on_connect(self) -> None:
        """Sign in, and see whether this is the right server."""
        await super().on_connect()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        await self._finder.check(self)


class _Tcp(Heard, Connection):
    pass


class _Tls(Heard, SSLConnection):
    pass


class _Unix(Heard, UnixDomainSocketConnection):
    pass


class _FoundTcp(Found, Connection):
    pass


class _FoundTls(Found, SSLConnection):
    pass


HEARD: Mapping[Any, type[Heard]] = {Connection: _Tcp, SSLConnection: _Tls, UnixDomainSocketConnection: _Unix}
"""Our kind of each of redis-py's kinds of connection."""

FOUND: Mapping[Any, type[Found]] = {Connection: _FoundTcp, SSLConnection: _FoundTls}
"""Our kind that asks where to go; its option `finder` is whom."""
