"""Ending a task that nobody runs. There is one way to write: as the newest attempt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import uuid4

from events import metrics
from events.append import Appender
from events.attempt_spans import attempt_ended, attempting
from events.model import Event, EventType
from events.tasks import TaskStore
from events.tracing import told

SEALING_LEASE_MS = 5_000

CANCELLED = (Event(EventType.TASK_CANCEL_REQUESTED), Event(EventType.TASK_CANCELLED))
"""The last events of a task that was cancelled."""


async def seal(
    tasks: TaskStore,
    appender: Appender,
    task_id: str,
    ending: Sequence[Event],
    *,
    worker: str,
    record: Mapping[str, str] | None = None,
) -> None:
    """Claim a task that nobody has, append its last events and settle it.

    Args:
        tasks: where the task is.
        appender: what to write with.
        task_id: the task.
        ending: its last events; the last of them is terminal.
        worker: who does it, for people.
        record: the task's, which names its trace, if it has one.

    Raises:
        TaskNotFound, Sealed, Held, Waiting, Moved: why it can't be claimed.
        Fenced: a newer attempt opened meanwhile.
    """
    claim = await tasks.log.claim(
        task_id,
        f"{worker}:{uuid4().hex}",
        worker=worker,
        lease_ms=SEALING_LEASE_MS,
        started=told(record or {}),
        to_end=True,
    )
    writer = appender.writer(claim)
    async with attempting(tasks.log, claim):
        for event in ending:
            await writer.append(event)
        await writer.flush()
        await attempt_ended(tasks.log, claim, ending[-1])
    metrics.task_ended(claim, ending[-1])
    await tasks.settle(task_id)
    await tasks.log.release(claim)
