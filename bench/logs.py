"""Logs to measure with, written as a worker writes them: claimed, appended to, sealed."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from redis.asyncio import Redis
from uuid_utils import uuid7

from bench import system
from events.append import Appender
from events.connect import connect
from events.keys import Keys
from events.log import EventLog, submitted
from events.model import Event, EventType
from events.writer import MAX_EVENTS, AttemptWriter

LARGEST = MAX_EVENTS
"""Entries in the longest sealed log there can be: the quota's most."""

_MESSAGE = "Fetched and parsed one more page; its links were added to the queue of the crawl."


@dataclass(frozen=True, slots=True)
class Bench:
    """The log and an appender on it, as one worker has them."""

    log: EventLog
    redis: Redis
    appender: Appender

    async def claim(self) -> AttemptWriter:
        """A new task's first attempt, open for appending."""
        task_id = str(uuid7())
        await self.log.create(task_id, submitted({"graph": "bench", "input": {}}), {"graph": "bench"})
        claim = await self.log.claim(task_id, "bench", worker="bench", lease_ms=600_000)
        return self.appender.writer(claim)


@contextlib.asynccontextmanager
async def open_bench(valkey_port: int) -> AsyncGenerator[Bench]:
    """The log on that Valkey."""
    redis = connect(system.url(valkey_port))
    log = EventLog(redis, Keys())
    appender = Appender(redis, log.keys)
    try:
        yield Bench(log, redis, appender)
    finally:
        await appender.close()
        await redis.aclose()


def progress(number: int, total: int) -> Event:
    """An event of a usual size: about 150 bytes of data, 270 with its envelope."""
    data = {"message": _MESSAGE, "current": number, "total": total, "percent": round(100 * number / total, 1)}
    return Event(EventType.PROGRESS, data, "crawl", "cb7a5eab")


async def sealed_log(bench: Bench, events: int) -> str:
    """A task whose log holds so many entries, from `task.submitted` to `task.succeeded`; gives its id."""
    writer = await bench.claim()
    for number in range(1, events - 2):
        await writer.append(progress(number, events - 3))
    await writer.append(Event(EventType.TASK_SUCCEEDED, {"result": {"pages": events - 3}}))
    await writer.flush()
    return writer.claim.task_id
