"""Wire: one connection to Redis whose replies are taken where they arrive.

redis-py connects, greets and signs in. From then on its reader would wake a task for each packet, and its
client costs some 100 µs a command; a pod that hears thousands of bells a second can afford neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, cast

import hiredis
from redis.asyncio import Redis
from redis.exceptions import InvalidResponse

from events.servers.refusals import parse_error

Command = tuple[str | bytes, ...]

pack = cast("Callable[[Command], bytes]", hiredis.pack_command)  # its stub takes one part alone
"""A command as Redis takes it."""

_INCOMPLETE = object()


class Wire(asyncio.Protocol):
    """A connection of one's own.

    Args:
        redis: where to connect to; nothing is taken from its pool.
        heard: called with each reply; an error is an exception (`events.servers.refusals`).
        lost: called once when the connection is lost; not if it's closed by `close`.
    """

    def __init__(self, redis: Redis, heard: Callable[[Any], None], lost: Callable[[], None]) -> None:
        self._connection: Any = cast("Any", redis.connection_pool).make_connection()
        self._heard = heard
        self._lost = lost
        self._replies = hiredis.Reader(
            protocolError=InvalidResponse,
            replyError=parse_error,
            notEnoughData=_INCOMPLETE,
        )
        self._transport: Any = None

    @property
    def open(self) -> bool:
        """Whether the connection is up, as far as is known."""
        return self._transport is not None

    async def connect(self) -> None:
        """Connect, and take replies from then on.

        Raises:
            redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError: it can't.
        """
        try:
            await self._connection.connect()
        except BaseException:
            await self._connection.disconnect(nowait=True)
            raise
        self._transport = self._connection._writer.transport
        self._transport.set_protocol(self)

    def send(self, *words: str | bytes) -> None:
        """Send a command. On a lost connection nothing happens but what `lost` told already."""
        if self._transport is not None:
            self._transport.write(pack(words))

    def send_all(self, commands: Iterable[Command]) -> None:
        """Send several commands at once; otherwise as `send`."""
        if self._transport is not None:
            self._transport.write(b"".join(map(pack, commands)))

    async def close(self) -> None:
        """Close the connection, if it is open."""
        self._transport = None
        await self._connection.disconnect(nowait=True)

    def data_received(self, data: bytes) -> None:
        """Take what has arrived."""
        self._replies.feed(data)
        while (reply := self._replies.gets()) is not _INCOMPLETE:
            self._heard(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so, unless it was closed."""
        if self._transport is not None:
            self._transport = None
            self._lost()
