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


async def paced(
    events: AsyncGenerator[Event], speed: float, *, clock: Clock | None = None, sleep: Sleep = asyncio.sleep
) -> AsyncGenerator[Event]:
    """The events, each as long after the first as its `ts` says, divided by `speed`.

    Workers' clocks differ, so a later event may bear an earlier time: it comes at once.
    """
    clock = clock or asyncio.get_running_loop().time
    first: int | None = None
    began = clock()
    async with aclosing(events):
        async for event in events:
            at = parse_timestamp(event["ts"])
            first = at if first is None else first
            wait = (at - first) / 1000 / speed - (clock() - began)
            if wait > 0:
                await sleep(wait)
            yield event
