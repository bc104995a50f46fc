"""What a worker counts of the tasks it runs: attempts, takeovers, ends, checkpoints, sweeps, appends."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from uuid_utils import uuid7

from events.append import Appender
from events.connect import connect
from events.keys import Keys
from events.log import EventLog
from events.sealing import CANCELLED, seal
from events.settings import Settings
from events.state import Submission
from events.tasks import TaskStore
from tests.support.attempts import open_attempt, progress, roll_back
from tests.support.graphs import SPECS
from tests.support.metrics import Ledger, ledger
from tests.support.pods import RunningPod, running_worker
from tests.support.proxy import gate
from tests.support.server import free_port
from tests.support.stubborn_graphs import STUBBORN, noted
from tests.support.tasks import until_status
from tests.support.waiting import wait_until
from tests.support.workers import worker_process

ATTEMPTS = "taskreel_attempts_total"
ENDED = "taskreel_task_duration_seconds_count"


def held(folder: Path) -> dict[str, str]:
    """The input of a node that takes until it's released."""
    return {"until": str(folder / "until"), "record": str(folder / "record")}


@pytest.fixture
async def book(pod: RunningPod) -> Ledger:
    """What all metrics of the test's process grow by."""
    return await ledger(pod)


@pytest.fixture
async def worker(settings: Settings) -> AsyncGenerator[None]:
    """A worker with graphs of each habit."""
    async with running_worker(settings, SPECS):
        yield


@pytest.mark.usefixtures("worker")
async def test_each_end_of_a_task_is_counted_once(pod: RunningPod, book: Ledger) -> None:
    """By graph and outcome, with how long it took and waited; and of failures why."""
    for graph in ("counting", "failing", "bad_output"):
        await until_status(pod, await pod.submit(graph), "succeeded", "failed")
    await book.until("taskreel_running_tasks", least=0)
    assert await book.grown_all(ATTEMPTS) == {
        ("counting", "succeeded"): 1, ("failing", "failed"): 1, ("bad_output", "failed"): 1,
    }  # fmt: skip
    assert await book.grown_all(ENDED) == await book.grown_all(ATTEMPTS)
    assert await book.grown_all("taskreel_task_failures_total") == {("graph_error",): 1, ("bad_output",): 1}
    waits = await book.grown_all("taskreel_task_wait_seconds_count")
    assert waits == {("counting",): 1, ("failing",): 1, ("bad_output",): 1}
    assert await book.grown_all("taskreel_takeovers_total") == {}
    stored = await book.grown_all("taskreel_checkpoint_duration_seconds_count")
    assert stored["checkpoint",] >= 3
    assert stored["writes",] >= 1
    assert await book.grown("taskreel_append_batch_entries_sum") >= 3
    assert await book.grown("taskreel_append_duration_seconds_count") >= 3
    assert await book.grown("taskreel_bells_rung_total") >= 3


@pytest.mark.usefixtures("worker")
async def test_a_question_ends_an_attempt_and_not_the_task(pod: RunningPod, book: Ledger) -> None:
    """Going on with the answer is no takeover, and waiting for it no part of the queue's."""
    task_id = await pod.submit("asking")
    await until_status(pod, task_id, "waiting")
    await book.until(ATTEMPTS, graph="asking", outcome="waiting")
    assert await book.grown_all(ENDED) == {}
    assert (await pod.client.post(f"/tasks/{task_id}/resume", json={"value": 1})).status_code == 202
    await until_status(pod, task_id, "succeeded")
    await book.until(ATTEMPTS, graph="asking", outcome="succeeded")
    assert await book.grown_all(ATTEMPTS) == {("asking", "succeeded"): 1, ("asking", "waiting"): 1}
    assert await book.grown_all(ENDED) == {("asking", "succeeded"): 1}
    assert await book.grown_all("taskreel_takeovers_total") == {}
    assert await book.grown_all("taskreel_task_wait_seconds_count") == {("asking",): 1}


async def test_a_task_that_is_handed_back_is_not_taken_over(
    pod: RunningPod, book: Ledger, settings: Settings, tmp_path: Path
) -> None:
    """A worker that goes says so; the next one goes on with what it was given."""
    async with running_worker(settings, STUBBORN):
        task_id = await pod.submit("holding", input=held(tmp_path))
        await wait_until(lambda: len(noted(tmp_path / "record")) == 1)
        assert await book.grown("taskreel_running_tasks") == 1
        assert await book.grown("taskreel_running_tasks_limit") >= 0
    assert await book.grown_all(ATTEMPTS) == {("holding", "handed_back"): 1}
    assert await book.grown("taskreel_running_tasks") == 0
    (tmp_path / "until").touch()
    async with running_worker(settings, STUBBORN):
        await until_status(pod, task_id, "succeeded")
    assert await book.grown_all(ATTEMPTS) == {("holding", "handed_back"): 1, ("holding", "succeeded"): 1}
    assert await book.grown_all("taskreel_takeovers_total") == {}


async def test_a_killed_workers_task_is_taken_over(
    pod: RunningPod, book: Ledger, settings: Settings, tmp_path: Path
) -> None:
    """Who goes on counts it, once; the sweeper says that it was dispatched again."""
    short = settings.model_copy(update={"lease_seconds": 0.6})
    async with worker_process(short, tmp_path) as first:
        task_id = await pod.submit("holding", input=held(tmp_path))
        await wait_until(lambda: len(noted(tmp_path / "record")) == 1)
        first.signal(signal.SIGKILL)
        await first.ended()
    (tmp_path / "until").touch()
    async with running_worker(short, STUBBORN):
        await until_status(pod, task_id, "succeeded")
        await book.until(ATTEMPTS, graph="holding", outcome="succeeded")
    assert await book.grown_all("taskreel_takeovers_total") == {("holding",): 1}
    assert await book.grown_all(ATTEMPTS) == {("holding", "succeeded"): 1}
    assert await book.grown_all("taskreel_task_wait_seconds_count") == {}
    assert (await book.grown_all("taskreel_swept_tasks_total"))["dispatched",] >= 1
    assert await book.grown("taskreel_sweeps_total", outcome="ok") >= 1


async def test_a_lost_lease_is_counted(
    pod: RunningPod, book: Ledger, settings: Settings, redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    """As the lease's thread hears of it, and again as the attempt that it ends."""
    short = settings.model_copy(update={"lease_seconds": 0.6})
    async with running_worker(short, STUBBORN):
        task_id = await pod.submit("holding", input=held(tmp_path))
        await wait_until(lambda: len(noted(tmp_path / "record")) == 1)
        await redis.set(keys.lease(task_id), "another", px=1000)
        await book.until("taskreel_leases_lost_total")
        await book.until(ATTEMPTS, graph="holding", outcome="lost")
        (tmp_path / "until").touch()
        await until_status(pod, task_id, "succeeded")
    assert await book.grown("taskreel_leases_lost_total") == 1


async def test_a_cancelled_task_that_never_ran_has_ended_too(
    pod: RunningPod, book: Ledger, tasks: TaskStore, appender: Appender, task_id: str
) -> None:
    """Whoever seals it counts it; it was no attempt at a graph."""
    await seal(tasks, appender, task_id, CANCELLED, worker="w1")
    assert await book.grown_all(ENDED) == {("echo", "cancelled"): 1}
    assert await book.grown_all(ATTEMPTS) == {}


@pytest.mark.usefixtures("sweeps")
async def test_a_sweep_says_what_it_has_found(
    book: Ledger, tasks: TaskStore, keys: Keys, redis: Redis
) -> None:
    """A task whose dispatch was lost, and one that was never made."""
    lost, never = str(uuid7()), str(uuid7())
    await tasks.submit(Submission(lost, "echo", "default", {}, lost, {}, "2026-11-21T00:00:00.000Z"))
    await redis.zadd(keys.deadlines, {lost: 0, never: 0})
    await book.until("taskreel_swept_tasks_total", found="dispatched")
    await book.until("taskreel_swept_tasks_total", found="absent")


async def test_a_batch_is_counted_once_it_is_acknowledged(
    book: Ledger, log: EventLog, appender: Appender, task_id: str
) -> None:
    """Its entries, its time, and one bell for its task."""
    writer = await open_attempt(log, appender, task_id, worker="w1")
    for number in range(7):
        await writer.append(progress(number))
    await writer.flush()
    assert await book.grown("taskreel_append_batch_entries_sum") == 7
    batches = await book.grown("taskreel_append_batch_entries_count")
    assert 1 <= batches <= 7
    assert await book.grown("taskreel_bells_rung_total") == batches
    assert await book.grown("taskreel_append_duration_seconds_count") == batches
    assert 0 < await book.grown("taskreel_append_duration_seconds_sum") < 60


async def test_a_lost_connection_is_counted_as_it_is_made_again(
    settings: Settings, redis_port: int, book: Ledger
) -> None:
    """Those that fail as well, and a connection in use isn't counted again."""
    async with gate(redis_port) as through:
        client = connect(through.url, connections=1)
        for _ in range(5):
            await client.ping()
        assert await book.grown("taskreel_redis_connects_total", outcome="ok") == 1
        through.close()
        with pytest.raises(RedisConnectionError):
            await client.ping()
        through.shut = False
        await client.ping()
        assert await book.grown("taskreel_redis_connects_total", outcome="ok") == 2
        await client.aclose()
    nowhere = connect(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(RedisConnectionError):
        await nowhere.ping()
    assert await book.grown("taskreel_redis_connects_total", outcome="failed") == 1
    await nowhere.aclose()


async def test_a_log_that_is_put_back_is_counted(
    book: Ledger, redis_port: int, keys: Keys, log: EventLog, task_id: str
) -> None:
    """What Redis had acknowledged and lost, and has again."""
    async with gate(redis_port) as through:
        client = connect(through.url)
        appender = Appender(client, keys)
        writer = await open_attempt(log, appender, task_id, worker="w1")
        for number in range(3):
            await writer.append(progress(number))
        await writer.flush()
        await roll_back(log, task_id, keep=3)
        through.cut()
        await writer.append(progress(4))
        await writer.flush()
        await appender.close()
        await client.aclose()
    assert [entry.id.seq for entry in await log.read(task_id, writer.claim.started)] == [3, 4, 5, 6]
    assert await book.grown("taskreel_restored_logs_total") == 1
