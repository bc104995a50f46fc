"""Attempts at a task, as workers make them, and what a Redis that fails does to them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from redis.asyncio import Redis

from events.append import Appender
from events.log import EventLog
from events.model import Event, EventType
from events.routes import routes
from events.writer import AttemptWriter

SUCCESS = Event(EventType.TASK_SUCCEEDED, {"result": None})


def server_of(log: EventLog, task_id: str) -> Redis:
    """A client of the server that has a task's log now."""
    return routes(log.redis).node(log.keys.log(task_id))


def progress(number: int) -> Event:
    """A numbered event."""
    return Event(EventType.PROGRESS, {"message": f"step {number} ☃", "current": number})


async def open_attempt(
    log: EventLog, appender: Appender, task_id: str, worker: str = "test", supersedes: Sequence[int] = ()
) -> AttemptWriter:
    """The next attempt's writer, whoever had the task before."""
    await log.redis.delete(log.keys.lease(task_id))
    started = {"supersedes": list(supersedes)}
    claim = await log.claim(task_id, uuid4().hex, worker=worker, lease_ms=60_000, started=started)
    return appender.writer(claim)


async def write(writer: AttemptWriter, count: int, *, seal: bool = False) -> None:
    """Append so many events, and the terminal one."""
    for number in range(count):
        await writer.append(progress(number))
    if seal:
        await writer.append(SUCCESS)
    await writer.flush()


async def roll_back(log: EventLog, task_id: str, keep: int) -> None:
    """Put the log back to its first `keep` entries, as a failover to a lagging replica does."""
    key = log.keys.log(task_id)
    entries = [entry for entry in await log.redis.xrange(key)][:keep]
    await log.redis.delete(key)
    for raw_id, fields in entries:
        pairs = dict(zip(fields[::2], fields[1::2], strict=True))
        await log.redis.xadd(key, pairs, id=raw_id)
    last_attempt = entries[-1][0].partition(b"-")[0]
    await log.redis.hset(log.keys.task(task_id), "attempt", last_attempt)  # pyright: ignore[reportGeneralTypeIssues]


async def restart_with(log: EventLog, task_id: str, keep: int) -> None:
    """Restart Redis, as its clients see it, with the log's first `keep` entries only."""
    await roll_back(log, task_id, keep)
    await server_of(log, task_id).client_kill_filter(_type="normal")
