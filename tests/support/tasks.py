"""Waiting for what becomes of tasks, and what their logs tell of it."""

from __future__ import annotations

from typing import Any

from events.log import EventLog
from events.model import START
from tests.support.pods import RunningPod
from tests.support.waiting import wait_until


async def until_status(pod: RunningPod, task_id: str, *status: str, seconds: float = 30) -> dict[str, Any]:
    """The task, once it has one of those states."""
    found: dict[str, Any] = {}

    async def reached() -> bool:
        found.update((await pod.client.get(f"/tasks/{task_id}")).json())
        return found["status"] in status

    await wait_until(reached, seconds)
    return found


async def types(log: EventLog, task_id: str) -> list[str]:
    """The types of all events."""
    return [entry.type.value for entry in await log.read(task_id, START)]


async def assert_whole(log: EventLog, task_id: str) -> None:
    """A sealed log is dense, its attempts ascend, and it has one terminal event, at its end."""
    entries = await log.read(task_id, START)
    assert [entry.id.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry.id for entry in entries] == sorted(entry.id for entry in entries)
    assert [entry.terminal for entry in entries] == [False] * (len(entries) - 1) + [True]
