"""Replaying history: the events of the past, with the time between them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from cli.wire import Event, event_id
from events.model import EventId, parse_timestamp

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


def read_speed(text: str) -> float:
    """How many times faster than it was: any positive number; `max` is infinity. Raises ValueError."""
    speed = math.inf if text == "max" else float(text.removesuffix("x"))
    if not speed > 0 or (math.isinf(speed) and text != "max"):
        raise ValueError("not a positive number")
    return speed


async def until(events: AsyncGenerator[Event], last: EventId | None) -> AsyncGenerator[Event]:
    """The events up to and including the one with that id, or all."""
    async with aclosing(events):
        async for event in events:
            if last is not None and EventId.parse(event_id(event)) > last:
                return
            yield event


class Playback:
    """Gives events each as long after the first as its `ts` says, divided by `speed`.

    Workers' clocks differ, so a later event may bear an earlier time: it comes at once.

    Args:
        speed: how many times as fast as it was.
        longest_pause: seconds that nobody waits longer for the next event.
        clock: seconds, of this machine.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        speed: float,
        longest_pause: float = math.inf,
        *,
        clock: Clock | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._speed = speed
        self._longest_pause = longest_pause
        self._clock = clock or asyncio.get_running_loop().time
        self._sleep = sleep
        self._began = 0.0
        self._first: int | None = None
        self._next = 0

    def now(self) -> int:
        """Unix milliseconds in the time of the events: how far it has come."""
        if self._first is None or math.isinf(self._speed):
            return self._next
        played = (self._clock() - self._began) * self._speed * 1000
        return min(self._first + round(played), self._next)

    async def play(self, events: AsyncGenerator[Event]) -> AsyncGenerator[Event]:
        """The events, each when it is due."""
        async with aclosing(events):
            async for event in events:
                await self._wait(parse_timestamp(event["ts"]))
                yield event

    async def _wait(self, at: int) -> None:
        now = self._clock()
        if self._first is None:
            self._first, self._began = at, now
        self._next = max(at, self._next)
        wait = (at - self._first) / 1000 / self._speed - (now - self._began)
        if wait > self._longest_pause:
            self._began -= wait - self._longest_pause  # as if the rest of the pause had been played
            wait = self._longest_pause
        if wait > 0:
            await self._sleep(wait)
