"""Nodes that don't stop: the task ends all the same, its log stays silent, and the process can still go."""

from __future__ import annotations

from pathlib import Path

import pytest

from events.log import EventLog
from events.model import now_ms, timestamp
from events.settings import Settings
from tests.support.graphs import SPECS
from tests.support.logs import entries
from tests.support.pods import RunningPod, running_worker
from tests.support.stubborn_graphs import STUBBORN, noted
from tests.support.tasks import assert_whole, types, until_status
from tests.support.waiting import wait_until
from tests.support.workers import worker_process
from worker.abandonment import Abandonment
from worker.lease import LeaseKeeper


@pytest.fixture
def impatient(settings: Settings) -> Settings:
    """Settings by which a node has half a second to stop."""
    return settings.model_copy(update={"stop_seconds": 0.5, "lease_seconds": 1})


async def submit(pod: RunningPod, graph: str, folder: Path) -> str:
    """Submit a task of a graph that can't be stopped, and wait until its node runs; gives its id."""
    given = {"until": str(folder / "until"), "record": str(folder / "record")}
    task_id = await pod.submit(graph, input=given)
    await wait_until(lambda: noted(folder / "record") != [])
    return task_id


def release(folder: Path) -> None:
    """Let the nodes go on."""
    (folder / "until").touch()


async def outlives_its_worker(
    pod: RunningPod, settings: Settings, folder: Path, graph: str, status: int, said: str
) -> str:
    """A task whose worker is told to go, and goes, and which another worker ends; gives its id."""
    async with worker_process(settings, folder) as worker:
        task_id = await submit(pod, graph, folder)
        worker.signal()
        assert await worker.ended() == status
        assert said in worker.said
    release(folder)
    async with worker_process(settings, folder):
        assert (await until_status(pod, task_id, "succeeded"))["attempt"] == 2
    return task_id


async def test_a_node_that_ignores_its_cancellation_is_abandoned(
    pod: RunningPod, impatient: Settings, log: EventLog, tmp_path: Path
) -> None:
    """The task ends without it; when the node comes to its end, nobody hears of it."""
    async with running_worker(impatient, STUBBORN) as runner:
        task_id = await submit(pod, "ignoring", tmp_path)
        await pod.client.post(f"/tasks/{task_id}/cancel")
        await until_status(pod, task_id, "cancelled")
        await wait_until(lambda: not runner.running)
        written = await entries(log, task_id)
        release(tmp_path)
        await wait_until(lambda: "woke" in noted(tmp_path / "record"))
    assert await entries(log, task_id) == written
    await assert_whole(log, task_id)
    assert [entry.id.attempt for entry in written][-1] == 1


async def test_a_thread_that_never_ends_keeps_neither_its_task_nor_its_process(
    pod: RunningPod, impatient: Settings, log: EventLog, tmp_path: Path
) -> None:
    """A cancelled synchronous node goes on in its thread; the worker ends on its signal all the same."""
    async with worker_process(impatient, tmp_path) as worker:
        task_id = await submit(pod, "sitting", tmp_path)
        await pod.client.post(f"/tasks/{task_id}/cancel")
        await until_status(pod, task_id, "cancelled")
        worker.signal()
        assert await worker.ended() == 0
        assert "nodes go on in threads" in worker.said
    assert noted(tmp_path / "record") == ["start sit"]
    await assert_whole(log, task_id)


async def test_a_task_that_hears_no_cancellation_keeps_no_process(
    pod: RunningPod, impatient: Settings, log: EventLog, tmp_path: Path
) -> None:
    """Its worker hands the task back and ends; another worker begins its node again."""
    task_id = await outlives_its_worker(
        pod, impatient, tmp_path, "ignoring", 0, "do not heed their cancellation"
    )
    await assert_whole(log, task_id)


async def test_a_blocked_event_loop_keeps_no_process(
    pod: RunningPod, impatient: Settings, tmp_path: Path
) -> None:
    """A worker that is told to go goes, and its lease runs out."""
    await outlives_its_worker(pod, impatient, tmp_path, "blocking", 1, "it did not end in time")


async def test_a_worker_without_such_nodes_ends_as_programs_do(impatient: Settings, tmp_path: Path) -> None:
    """Only what never ends is cut off."""
    async with worker_process(impatient, tmp_path) as worker:
        worker.signal()
        assert await worker.ended() == 0
        assert "ends at once" not in worker.said


async def test_a_task_whose_node_blocks_the_event_loop_is_cancelled(
    pod: RunningPod, impatient: Settings, log: EventLog, tmp_path: Path
) -> None:
    """The lease thread ends it as a new attempt; the other task there keeps its own and is merely late."""
    async with worker_process(impatient, tmp_path, [*STUBBORN, *SPECS]) as worker:
        other = await pod.submit("counting", input={"count": 30, "pause": 0.05})
        await pod.stream(other, most=4)
        task_id = await submit(pod, "blocking", tmp_path)
        await pod.client.post(f"/tasks/{task_id}/cancel")
        await until_status(pod, task_id, "cancelled")
        await wait_until(lambda: "the event loop has not turned" in worker.said)
        assert (await pod.client.get(f"/tasks/{other}")).json()["status"] == "running"
        written = await entries(log, task_id)
        release(tmp_path)
        assert (await until_status(pod, other, "succeeded"))["attempt"] == 1
        assert task_id in worker.said
        worker.signal()
        assert await worker.ended() == 0
    assert "woke" in noted(tmp_path / "record")
    assert await entries(log, task_id) == written
    expected = ["attempt.started", "task.cancel_requested", "task.cancelled"]
    assert (await types(log, task_id))[-3:] == expected
    assert await log.redis.ttl(log.keys.log(task_id)) > 0
    await assert_whole(log, task_id)


async def test_a_task_whose_node_blocks_the_event_loop_times_out(
    pod: RunningPod, impatient: Settings, log: EventLog, tmp_path: Path
) -> None:
    """The lease thread knows the time limit too."""
    async with worker_process(impatient, tmp_path, task_timeout_seconds=1):
        task_id = await submit(pod, "blocking", tmp_path)
        task = await until_status(pod, task_id, "failed")
        written = await entries(log, task_id)
        release(tmp_path)
        await wait_until(lambda: "woke" in noted(tmp_path / "record"))
        again = await pod.submit("steps", input={"record": str(tmp_path / "record")})
        await until_status(pod, again, "succeeded")
    assert task["error"]["code"] == "timeout"
    assert await entries(log, task_id) == written
    await assert_whole(log, task_id)


async def test_a_cancellation_whose_bell_was_lost_is_heard_with_the_next_renewal(
    pod: RunningPod, impatient: Settings, log: EventLog
) -> None:
    """The wish stands in the task's record, and nobody rang; the attempt that runs ends itself."""
    async with running_worker(impatient, SPECS):
        task_id = await pod.submit("counting", input={"count": 10_000, "pause": 0.01})
        await pod.stream(task_id, most=4)
        hash_name = log.keys.task(task_id)
        wish = {"cancel_requested_at": timestamp(now_ms())}
        await log.redis.hset(hash_name, mapping=wish)  # pyright: ignore[reportGeneralTypeIssues]
        assert (await until_status(pod, task_id, "cancelled"))["attempt"] == 1
    await assert_whole(log, task_id)


async def test_a_lease_that_is_given_back_too_late_holds_nobody_up(
    settings: Settings, log: EventLog, task_id: str
) -> None:
    """A worker that breaks down closes everything while its attempts are being cancelled."""
    claim = await log.claim(task_id, "late", worker="late", lease_ms=60_000)
    keeper = LeaseKeeper(Abandonment(settings.redis_url, log.keys, 60, 60, "late"), 2, 1)
    keeper.start()
    keeper.keep(claim, lambda _: None, 60)
    await keeper.close()
    await keeper.release(claim)
    assert await log.is_held(task_id)
