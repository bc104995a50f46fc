"""Bells: one connection of its own that hears channels ring, kept up over reconnects.

This speaks the two words of pub/sub by itself rather than through redis-py's PubSub, which looks at a clock,
takes a lock and builds a dict for each message, and subscribes one call at a time.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any, cast

from redis.asyncio import Redis

from events.connect import AWAY

PING_SECONDS = 5.0
"""How often a silent connection is asked for a sign of life; without one till the next time it's renewed."""


class Bells:
    """Keeps subscriptions up and says what rang.

    Args:
        redis: where to connect to; the connection isn't taken from its pool.
        rung: called with a channel's name when it rings, and once when its subscription begins to hold.
        reconnected: called after each reconnect, when anything may have been missed.

    Attributes:
        renewed_at: of the last reconnect, on the monotonic clock; infinite while the connection is lost.
    """

    def __init__(
        self, redis: Redis, rung: Callable[[str], None], reconnected: Callable[[], None] | None = None
    ) -> None:
        self._redis = redis
        self._rung = rung
        self._reconnected = reconnected
        self._wanted: set[str] = set()
        self._have: set[str] = set()
        self._changed = asyncio.Event()
        self._heard = True
        self.renewed_at = -math.inf

    def listen(self, channel: str) -> None:
        """Hear that channel from soon on; `rung` is called when the subscription holds."""
        self._wanted.add(channel)
        self._changed.set()

    def ignore(self, channel: str) -> None:
        """Hear it no longer."""
        self._wanted.discard(channel)
        self._changed.set()

    async def run(self) -> None:
        """Listen until cancelled, over any number of reconnects."""
        renewed = False
        while True:
            connection: Any = cast("Any", self._redis.connection_pool).make_connection()
            await self._use(connection, renewed)
            renewed, self.renewed_at = True, math.inf
            await asyncio.sleep(0.2)

    async def _use(self, connection: Any, renewed: bool) -> None:
        try:
            await connection.connect()
            connection.socket_timeout = None  # a bell may be silent for as long as it likes
            self._have.clear()
            self._changed.set()
            if renewed:
                self.renewed_at = time.monotonic()
                if self._reconnected is not None:
                    self._reconnected()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._subscribe(connection), name="bells-subscribe")
                group.create_task(self._hear(connection), name="bells-hear")
        except* AWAY:
            pass
        finally:
            await connection.disconnect(nowait=True)

    async def _hear(self, connection: Any) -> None:
        while True:
            reply = await connection.read_response(disconnect_on_error=False)
            self._heard = True
            if reply[0] in (b"message", b"subscribe"):
                self._rung(reply[1].decode())

    async def _subscribe(self, connection: Any) -> None:
        """Bring the subscriptions in line with what is wanted, in one command however many have changed."""
        while True:
            try:
                # Not wait_for, which before Python 3.12 may swallow a cancellation that comes with the event.
                async with asyncio.timeout(PING_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                await self._ping(connection)
                continue
            self._changed.clear()
            new, old = self._wanted - self._have, self._have - self._wanted
            self._have = set(self._wanted)
            if new:
                await connection.send_command("SUBSCRIBE", *new)
            if old:
                await connection.send_command("UNSUBSCRIBE", *old)

    async def _ping(self, connection: Any) -> None:
        if not self._heard:
            raise ConnectionError("no sign of life from Redis")
        if self._have:  # outside of a subscription PING has another reply
            self._heard = False
            await connection.send_command("PING")
