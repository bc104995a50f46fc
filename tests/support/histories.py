"""Logs that were written without a worker, for commands to show."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from uuid_utils import uuid7

from events.append import Appender
from events.log import EventLog
from events.model import Event as NewEvent
from events.model import EventType, now_ms, timestamp
from events.state import Submission
from events.tasks import TaskStore


async def submitted(log: EventLog) -> str:
    """A task that no worker takes."""
    task_id = str(uuid7())
    tasks = TaskStore(log, retention_seconds=60)
    await tasks.submit(Submission(task_id, "nobody's", "nowhere", {}, task_id, {}, timestamp(0)))
    await tasks.log.redis.zrem(tasks.log.keys.deadlines, task_id)
    return task_id


async def cancelled_task(log: EventLog) -> str:
    """A task that was cancelled."""
    task_id = await submitted(log)
    claim = await log.claim(task_id, "me", worker="me", lease_ms=60_000)
    appender = Appender(log.redis, log.keys)
    writer = appender.writer(claim)
    await writer.append(NewEvent(EventType.TASK_CANCELLED))
    await writer.flush()
    await appender.close()
    return task_id


def history_of(*seconds: float) -> Callable[[EventLog], Coroutine[Any, Any, str]]:
    """A task whose events bear times so many seconds after the first; attempt 2 does its third again."""

    async def make(log: EventLog) -> str:
        task_id = await submitted(log)
        started = {"worker": "w", "resumed_from": None, "supersedes": [3]}
        now = now_ms()
        for seq, at in enumerate(seconds, 2):
            attempt = 1 if seq < 4 else 2
            kind = "attempt.started" if seq in (2, 4) else "progress"
            data = started if seq in (2, 4) else {"message": f"{seq}"}
            ts = timestamp(now + int(at * 1000))
            event = {"seq": seq, "attempt": attempt, "type": kind, "ts": ts, "data": data}
            fields = {"type": kind, "event": orjson.dumps(event)}
            await log.redis.xadd(log.keys.log(task_id), fields, id=f"{attempt}-{seq}")  # pyright: ignore[reportArgumentType]
        return task_id

    return make
