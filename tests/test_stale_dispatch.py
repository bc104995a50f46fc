"""A dispatch that comes twice, or late: what it found before its claim may have changed by then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from uuid_utils import uuid7

from events.log import EventLog
from events.model import timestamp
from events.settings import Settings
from events.state import Submission, TaskState
from events.tasks import TaskStore
from tests.support.attempts import open_attempt
from tests.support.pods import RunningPod, running_worker
from tests.support.stubborn_graphs import STUBBORN, noted
from tests.support.tasks import assert_whole, types, until_status
from worker.run import Runner

LONG = 60.0


def meanwhile(runner: Runner, happens: Callable[[], Awaitable[object]]) -> None:
    """Have something happen once, after the worker has next read a task's state."""
    get, due = runner.tasks.get, [happens]

    async def interrupted(task_id: str) -> TaskState:
        state = await get(task_id)
        while due:
            await due.pop()()
        return state

    runner.tasks.get = interrupted


@pytest.fixture
def aside(settings: Settings) -> Settings:
    """Settings of a worker that nobody dispatches to but the test."""
    return settings.model_copy(update={"pool": "another", "max_attempts": 1})


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Where a graph writes down what it does."""
    return tmp_path / "record"


@pytest.fixture
async def new(tasks: TaskStore, record: Path) -> str:
    """A task that nobody has claimed."""
    task_id, given = str(uuid7()), {"record": str(record), "pause": 0}
    await tasks.submit(Submission(task_id, "steps", "default", given, task_id, {}, timestamp(0)))
    return task_id


async def queued(queue: Redis, log: EventLog) -> int:
    """How many dispatches wait for other workers."""
    return await queue.zcard(log.keys.queue("default"))


async def test_a_task_that_is_handed_back_meanwhile_is_not_poison(
    aside: Settings, log: EventLog, tasks: TaskStore, new: str
) -> None:
    """The log says nothing of it, and the record that was read before says that it was the task's fault."""
    async with running_worker(aside, STUBBORN) as runner:
        first = await open_attempt(log, runner.appender, new)
        meanwhile(runner, lambda: runner.ending.hand_back(first))
        await runner.run_task(new)
    assert (await tasks.get(new)).status == "succeeded"
    assert (await types(log, new)).count("attempt.started") == 2
    await assert_whole(log, new)


async def test_an_answer_that_comes_meanwhile_is_not_lost(
    pod: RunningPod, settings: Settings, aside: Settings
) -> None:
    """An attempt that knows nothing of it must not open: it would ask the same question again."""

    async def answer() -> None:
        reply = await pod.client.post(f"/tasks/{task_id}/resume", json={"value": "first"})
        assert reply.status_code == 202

    async with running_worker(settings, STUBBORN):
        task_id = await pod.submit("asking_after")
        await until_status(pod, task_id, "waiting")
    async with running_worker(aside, STUBBORN) as runner:
        meanwhile(runner, answer)
        await runner.run_task(task_id)
    async with running_worker(settings, STUBBORN):
        task = await until_status(pod, task_id, "waiting")
    assert [question["value"] for question in task["interrupts"]] == ["other"]


async def test_a_worker_that_goes_claims_nothing(
    aside: Settings, log: EventLog, queue: Redis, new: str, record: Path
) -> None:
    """A dispatch that it took just before is in the queue again, and has cost no attempt."""
    async with running_worker(aside, STUBBORN) as runner:
        runner.drain(LONG)
        await runner.run_task(new)
    assert await types(log, new) == ["task.submitted"]
    assert not await log.is_held(new)
    assert await queued(queue, log) == 1
    assert noted(record) == []


async def test_a_task_claimed_as_its_worker_is_told_to_go_is_handed_back_unrun(
    aside: Settings,
    log: EventLog,
    queue: Redis,
    new: str,
    record: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The signal came while the claim was on its way; no node begins."""
    async with running_worker(aside, STUBBORN) as runner:
        claim = EventLog.claim

        async def signalled(log: EventLog, *words: Any, **more: Any) -> Any:
            runner.drain(LONG)
            return await claim(log, *words, **more)

        monkeypatch.setattr(EventLog, "claim", signalled)
        await runner.run_task(new)
    assert await types(log, new) == ["task.submitted", "attempt.started"]
    assert not await log.is_held(new)
    assert await queued(queue, log) == 1
    assert noted(record) == []
