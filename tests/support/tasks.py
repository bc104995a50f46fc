"""Waiting for what becomes of tasks, and what their logs tell of it."""

from __future__ import annotations

from typing import Any

import httpx
import orjson

from events.log import EventLog
from tests.support.logs import entries
from tests.support.pods import RunningPod
from tests.support.waiting import wait_until


async def until_status(pod: RunningPod, task_id: str, *status: str, seconds: float = 60) -> dict[str, Any]:
    """The task, once it has one of those states."""
    found: dict[str, Any] = {}

    async def reached() -> bool:
        found.update((await pod.client.get(f"/tasks/{task_id}")).json())
        return found["status"] in status

    await wait_until(reached, seconds)
    return found


async def log_ids(client: httpx.AsyncClient, task_id: str) -> list[str]:
    """The ids of all events of its log, as a pod tells them: as lines, for a page has a thousand at most."""
    lines = {"Accept": "application/x-ndjson"}
    found = (await client.get(f"/tasks/{task_id}/events", headers=lines)).content
    events = [orjson.loads(line) for line in found.splitlines()]
    return [f"{event['attempt']}-{event['seq']}" for event in events]


async def types(log: EventLog, task_id: str) -> list[str]:
    """The types of all events."""
    return [entry.type.value for entry in await entries(log, task_id)]


async def assert_whole(log: EventLog, task_id: str) -> None:
    """A sealed log is dense, its attempts ascend, and it has one terminal event, at its end."""
    found = await entries(log, task_id)
    assert [entry.id.seq for entry in found] == list(range(1, len(found) + 1))
    assert [entry.id for entry in found] == sorted(entry.id for entry in found)
    assert [entry.terminal for entry in found] == [False] * (len(found) - 1) + [True]
