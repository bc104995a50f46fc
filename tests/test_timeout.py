"""The time limit of a task: counted from its first attempt or its last answer, whoever runs it."""

from __future__ import annotations

from typing import Any

from events.append import Appender
from events.log import EventLog
from events.model import START, now_ms, timestamp
from events.settings import Settings
from events.tasks import TaskStore
from tests.support.attempts import open_attempt, roll_back
from tests.support.graphs import SPECS
from tests.support.pods import RunningPod, running_worker
from tests.support.tasks import assert_whole, types, until_status
from tests.support.waiting import wait_until

ENDLESS = {"count": 10_000, "pause": 0.01}


async def began(log: EventLog, task_id: str, seconds_ago: float) -> None:
    """Have the task's clock run for so long."""
    then = timestamp(now_ms() - round(seconds_ago * 1000))
    hash_name = log.keys.task(task_id)
    await log.redis.hset(hash_name, "running_since", then)  # pyright: ignore[reportGeneralTypeIssues]


async def die(log: EventLog, tasks: TaskStore, task_id: str, seconds_ago: float) -> None:
    """Have the task's worker die when its clock has run for so long, and a sweeper look at once."""
    await log.redis.delete(log.keys.lease(task_id))
    await began(log, task_id, seconds_ago)
    await tasks.expect(task_id, -1)


async def until_timeout(pod: RunningPod, task_id: str) -> dict[str, Any]:
    """The task, once it has failed for that reason."""
    task = await until_status(pod, task_id, "failed")
    assert task["error"]["code"] == "timeout"
    return task


async def test_a_task_that_runs_too_long_fails(pod: RunningPod, settings: Settings, log: EventLog) -> None:
    """Its graph is cancelled, and the log tells why it ended."""
    limited = settings.model_copy(update={"task_timeout_seconds": 0.5})
    async with running_worker(limited, SPECS) as runner:
        task_id = await pod.submit("counting", input=ENDLESS)
        task = await until_timeout(pod, task_id)
        await wait_until(lambda: not runner.running)
    assert task["error"]["message"] == "the task has run for 0.5 s and has not ended"
    await assert_whole(log, task_id)


async def test_a_takeover_does_not_restart_the_clock(
    pod: RunningPod, settings: Settings, log: EventLog, appender: Appender, tasks: TaskStore
) -> None:
    """An attempt that begins after the limit ends at once, and no node runs."""
    async with running_worker(settings, SPECS):
        await pod.client.get("/graphs")
    task_id = await pod.submit("counting", input=ENDLESS)
    await open_attempt(log, appender, task_id)
    await die(log, tasks, task_id, seconds_ago=100)
    async with running_worker(settings.model_copy(update={"task_timeout_seconds": 99}), SPECS):
        await until_timeout(pod, task_id)
    assert await types(log, task_id) == [
        "task.submitted", "attempt.started", "attempt.started", "task.failed",
    ]  # fmt: skip


async def test_a_takeover_has_what_is_left_of_the_time(
    pod: RunningPod, settings: Settings, log: EventLog, appender: Appender, tasks: TaskStore
) -> None:
    """Of 100 seconds, 99 were used up by a worker that died."""
    async with running_worker(settings, SPECS):
        await pod.client.get("/graphs")
    task_id = await pod.submit("counting", input=ENDLESS)
    await open_attempt(log, appender, task_id)
    await die(log, tasks, task_id, seconds_ago=99)
    async with running_worker(settings.model_copy(update={"task_timeout_seconds": 100}), SPECS):
        await until_timeout(pod, task_id)
    assert "progress" in await types(log, task_id)


async def test_time_spent_waiting_for_a_person_does_not_count(
    pod: RunningPod, settings: Settings, log: EventLog
) -> None:
    """The clock starts anew with the answer, days later."""
    async with running_worker(settings.model_copy(update={"task_timeout_seconds": 60}), SPECS):
        task_id = await pod.submit("asking")
        await until_status(pod, task_id, "waiting")
        await began(log, task_id, 3 * 86_400)
        await pod.client.post(f"/tasks/{task_id}/resume", json={"value": "yes"})
        task = await until_status(pod, task_id, "succeeded", "failed")
    assert task["status"] == "succeeded"


async def test_a_graph_that_had_ended_in_time_has_succeeded(
    pod: RunningPod, settings: Settings, log: EventLog, tasks: TaskStore
) -> None:
    """Only its last event was missing when its worker died, and is written by a late successor."""
    async with running_worker(settings, SPECS):
        task_id = await pod.submit("counting", input={"count": 1})
        await until_status(pod, task_id, "succeeded")
    await roll_back(log, task_id, len(await log.read(task_id, START)) - 1)
    await log.redis.delete(log.keys.tombstone(task_id))
    await log.redis.persist(log.keys.task(task_id))
    await began(log, task_id, 100)
    await tasks.expect(task_id, -1)
    async with running_worker(settings.model_copy(update={"task_timeout_seconds": 50}), SPECS):
        task = await until_status(pod, task_id, "succeeded", "failed")
    assert (task["status"], task["attempt"]) == ("succeeded", 2)
