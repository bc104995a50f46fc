"""Workers killed by `kill -9`: what was wanted of their tasks still holds, and tasks that kill end."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from events.log import EventLog
from events.settings import Settings
from tests.support.pods import RunningPod, running_worker
from tests.support.stubborn_graphs import STUBBORN, noted
from tests.support.tasks import assert_whole, types, until_status
from tests.support.waiting import wait_until
from tests.support.workers import worker_process


@pytest.fixture
def short(settings: Settings) -> Settings:
    """Settings by which a silent worker loses its tasks soon."""
    return settings.model_copy(update={"lease_seconds": 0.6})


def held(folder: Path) -> dict[str, str]:
    """The input of a node that takes until it's released."""
    return {"until": str(folder / "until"), "record": str(folder / "record")}


async def kill_while_it_runs(pod: RunningPod, settings: Settings, folder: Path, task_id: str = "") -> str:
    """Have a worker run a task, submitted unless it is there, and kill it in its first node; gives its id."""
    before = len(noted(folder / "record"))
    async with worker_process(settings, folder) as worker:
        task_id = task_id or await pod.submit("holding", input=held(folder))
        await wait_until(lambda: len(noted(folder / "record")) > before)
        worker.signal(signal.SIGKILL)
        await worker.ended()
    return task_id


async def test_a_task_is_taken_over_from_a_killed_worker(
    pod: RunningPod, short: Settings, log: EventLog, tmp_path: Path
) -> None:
    """The next attempt says what it does again, and ends the task."""
    task_id = await kill_while_it_runs(pod, short, tmp_path)
    (tmp_path / "until").touch()
    async with running_worker(short, STUBBORN):
        assert (await until_status(pod, task_id, "succeeded"))["attempt"] == 2
    assert noted(tmp_path / "record") == ["start hold", "start hold", "end hold", "start b", "end b"]
    await assert_whole(log, task_id)


async def test_a_cancellation_holds_though_its_worker_is_killed(
    pod: RunningPod, short: Settings, log: EventLog, tmp_path: Path
) -> None:
    """Asked for while the dead worker held the lease: who looks next ends the task, and no node runs."""
    slow = short.model_copy(update={"lease_seconds": 3})
    task_id = await kill_while_it_runs(pod, slow, tmp_path)
    assert (await pod.client.post(f"/tasks/{task_id}/cancel")).json()["status"] == "cancelling"
    assert await log.is_held(task_id)
    async with running_worker(short, STUBBORN):
        assert (await pod.client.post(f"/tasks/{task_id}/cancel")).status_code == 202
        await until_status(pod, task_id, "cancelled")
    assert noted(tmp_path / "record") == ["start hold"]
    expected = ["attempt.started", "task.cancel_requested", "task.cancelled"]
    assert (await types(log, task_id))[-3:] == expected
    await assert_whole(log, task_id)


async def test_a_cancelled_task_that_is_dispatched_again_runs_no_node(
    pod: RunningPod, short: Settings, log: EventLog, tmp_path: Path
) -> None:
    """A dispatch may come before the sweeper, and to a worker that doesn't even serve the graph."""
    slow = short.model_copy(update={"lease_seconds": 60})
    task_id = await kill_while_it_runs(pod, slow, tmp_path)
    await pod.client.post(f"/tasks/{task_id}/cancel")
    await log.redis.delete(log.keys.lease(task_id))
    async with running_worker(short, STUBBORN[:1]) as runner:
        await runner.run_task(task_id)
    assert (await until_status(pod, task_id, "cancelled"))["attempt"] == 2
    assert noted(tmp_path / "record") == ["start hold"]
    await assert_whole(log, task_id)


async def test_a_task_that_kills_its_workers_is_poison(
    pod: RunningPod, short: Settings, log: EventLog, tmp_path: Path
) -> None:
    """After so many attempts that finished no node the next one gives it up, and runs none."""
    given = short.model_copy(update={"max_attempts": 2})
    task_id = await kill_while_it_runs(pod, given, tmp_path)
    await kill_while_it_runs(pod, given, tmp_path, task_id)
    async with running_worker(given, STUBBORN):
        task = await until_status(pod, task_id, "failed")
    assert task["error"] == {"code": "poison", "message": "2 attempts in a row finished no node"}
    assert noted(tmp_path / "record") == ["start hold"] * 2
    await assert_whole(log, task_id)
