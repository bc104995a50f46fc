"""Bells: one connection of its own that hears channels ring, kept up over reconnects.

redis-py's PubSub looks at a clock, takes a lock and builds a dict for each message, and subscribes one call
at a time; so this speaks the few words of pub/sub by itself.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis

from events.connect import AWAY
from events.wire import Wire

log = logging.getLogger(__name__)

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
        self._touched: set[str] = set()
        self._changed = asyncio.Event()
        self._heard = True
        self._lost = False
        self.renewed_at = -math.inf

    def listen(self, channel: str) -> None:
        """Hear that channel from soon on; `rung` is called when the subscription holds."""
        self._wanted.add(channel)
        self._touch(channel)

    def ignore(self, channel: str) -> None:
        """Hear it no longer."""
        self._wanted.discard(channel)
        self._touch(channel)

    async def run(self) -> None:
        """Listen until cancelled, over any number of reconnects."""
        renewed = False
        while True:
            self._lost = False
            wire = Wire(self._redis, self._hear, self._lose)
            try:
                await wire.connect()
                self._begin(renewed=renewed)
                await self._listen(wire)
            except AWAY:
                pass
            finally:
                await wire.close()
            renewed, self.renewed_at = True, math.inf
            await asyncio.sleep(0.2)

    def _begin(self, *, renewed: bool) -> None:
        self._have.clear()
        self._touch(*self._wanted)
        self._heard = True
        if renewed:
            self.renewed_at = time.monotonic()
            if self._reconnected is not None:
                self._reconnected()

    def _hear(self, reply: Any) -> None:
        self._heard = True
        if isinstance(reply, Exception):
            log.error("Redis refuses to ring bells: %s", reply)
            self._lose()
        elif reply[0] in (b"message", b"subscribe"):
            self._rung(reply[1].decode())

    def _lose(self) -> None:
        self._lost = True
        self._changed.set()

    async def _listen(self, wire: Wire) -> None:
        """Bring the subscriptions in line with what is wanted, in one command however many have changed."""
        while True:
            try:
                # Not wait_for, which before Python 3.12 may swallow a cancellation that comes with the event.
                async with asyncio.timeout(PING_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                if not self._heard:
                    return  # no sign of life
                self._ping(wire)
                continue
            self._changed.clear()
            if self._lost:
                return
            self._subscribe(wire)

    def _subscribe(self, wire: Wire) -> None:
        touched, self._touched = self._touched, set()
        new = (touched & self._wanted) - self._have
        old = (touched & self._have) - self._wanted
        self._have.update(new)
        self._have.difference_update(old)
        if new:
            wire.send("SUBSCRIBE", *new)
        if old:
            wire.send("UNSUBSCRIBE", *old)

    def _ping(self, wire: Wire) -> None:
        if self._have:  # outside of a subscription PING has another reply
            self._heard = False
            wire.send("PING")

    def _touch(self, *channels: str) -> None:
        self._touched.update(channels)
        self._changed.set()
