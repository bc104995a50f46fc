"""Logs for the tests of what reads them: planted entry by entry, or written as a worker does."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from events.append import Appender
from events.connect import patiently
from events.log import EventLog
from events.model import START, TERMINAL, Entry, Event, EventId, EventType, now_ms, timestamp
from events.tasks import TaskStore
from tests.support.attempts import open_attempt

SUCCEEDED = Event(EventType.TASK_SUCCEEDED, {"result": {"answer": 42}})


def numbered(count: int) -> list[Event]:
    """So many progress events."""
    return [Event(EventType.PROGRESS, {"current": number, "total": count}) for number in range(1, count + 1)]


def ids(first: str, last: str) -> list[str]:
    """The ids of one attempt from the first to the last: `1-2`, `1-3`, …"""
    start, end = EventId.parse(first), EventId.parse(last)
    return [f"{start.attempt}-{seq}" for seq in range(start.seq, end.seq + 1)]


async def plant(log: EventLog, task_id: str, entry_ids: Sequence[str], event: Event | None = None) -> None:
    """Write entries with those very ids, and ring the bell."""
    event = event or Event(EventType.PROGRESS)
    pipe = log.redis.pipeline(transaction=True)
    for entry_id in entry_ids:
        pipe.xadd(
            log.keys.log(task_id), {"type": event.type, "event": _document(entry_id, event)}, id=entry_id
        )
    await pipe.execute()
    await patiently(lambda: log.redis.publish(log.keys.bell(task_id), entry_ids[-1]))


async def lose(log: EventLog, task_id: str, entry_ids: Sequence[str]) -> None:
    """Take entries out of a log, as only a failing Redis would."""
    assert await log.redis.xdel(log.keys.log(task_id), *entry_ids) == len(entry_ids)


async def seal(tasks: TaskStore, task_id: str, entry_id: str) -> None:
    """Plant the terminal entry and settle the task."""
    await plant(tasks.log, task_id, [entry_id], SUCCEEDED)
    await tasks.settle(task_id)


async def attempt(
    tasks: TaskStore,
    appender: Appender,
    task_id: str,
    events: Sequence[Event] = (),
    supersedes: Sequence[int] = (),
) -> EventId:
    """Write a whole attempt as a worker does, once no other's lease is left; gives its last id."""
    writer = await open_attempt(tasks.log, appender, task_id, worker="w1", supersedes=supersedes)
    for event in events:
        await writer.append(event)
    await writer.flush()
    if events and events[-1].type in TERMINAL:
        await tasks.settle(task_id)
    return writer.last


async def entries(log: EventLog, task_id: str) -> list[Entry]:
    """All of a log."""
    return await log.read(task_id, START, 100_000)


def frames(found: Sequence[Entry]) -> bytes:
    """Entries as the stream must show them, written down here a second time on purpose."""
    return b"".join(
        b"id: " + entry.raw_id + b"\nevent: " + entry.raw_type + b"\ndata: " + entry.document + b"\n\n"
        for entry in found
    )


def _document(entry_id: str, event: Event) -> bytes:
    attempt, seq = EventId.parse(entry_id)
    envelope = {"seq": seq, "attempt": attempt, "type": event.type, "ts": timestamp(now_ms())}
    return orjson.dumps({**envelope, "data": event.data})
