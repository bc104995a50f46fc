"""Bells: one connection of its own that hears channels ring, kept up over reconnects.

On a Cluster any primary will do, for what is published on one is heard on all.

redis-py's PubSub looks at a clock, takes a lock and builds a dict for each message, and subscribes one call
at a time; so this speaks the few words of pub/sub by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis

from events import metrics
from events.connect import AWAY
from events.wire import Wire

log = logging.getLogger(__name__)

PING_SECONDS = 5.0
"""How often the connection is asked for a sign of life; without one till the next time it's renewed."""


class Bells:
    """Keeps subscriptions up and says what rang.

    Args:
        redis: where to connect to; the connection isn't taken from its pool.
        rung: called with a channel's name when it rings, and when its subscription begins to hold: also after
            a reconnect, for it may have rung meanwhile.
    """

    def __init__(self, redis: Redis, rung: Callable[[str], None]) -> None:
        self._redis = redis
        self._rung = rung
        self._wanted: set[str] = set()
        self._have: set[str] = set()
        self._touched: set[str] = set()
        self._changed = asyncio.Event()
        self._heard = True
        self._lost = False

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
        while True:
            self._lost = False
            wire = Wire(self._redis, self._hear, self._lose)
            try:
                await wire.connect()
                self._begin()
                await self._listen(wire)
            except AWAY:
                pass
            finally:
                await wire.close()
            await asyncio.sleep(0.2)

    def _begin(self) -> None:
        self._have.clear()
        self._touch(*self._wanted)
        self._heard = True

    def _hear(self, reply: Any) -> None:
        self._heard = True
        if isinstance(reply, Exception):
            log.error("Redis refuses to ring bells: %s", reply)
            self._lose()
        elif reply[0] in (b"message", b"subscribe"):
            if reply[0] == b"message":
                metrics.BELLS_HEARD.inc()
            self._rung(reply[1].decode())

    def _lose(self) -> None:
        self._lost = True
        self._changed.set()

    async def _listen(self, wire: Wire) -> None:
        """Bring the subscriptions in line with what is wanted, in one command however many have changed."""
        loop = asyncio.get_running_loop()
        due = loop.time() + PING_SECONDS
        while True:
            try:
                # Not wait_for, which before Python 3.12 may swallow a cancellation that comes with the event.
                async with asyncio.timeout_at(due):
                    await self._changed.wait()
            except TimeoutError:
                if not self._heard:
                    return  # no sign of life
                self._ping(wire)
                due = loop.time() + PING_SECONDS
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
