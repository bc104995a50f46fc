"""The sweeper: whatever was lost, an overdue task ends up in somebody's hands."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable
from typing import cast

import pytest

from events.append import Appender
from events.log import EventLog
from events.model import START, Event, EventType, Status, now_ms, timestamp
from events.queue import Dispatcher, arq_client
from events.settings import Settings
from events.tasks import TaskStore
from tests.support.attempts import open_attempt, write
from tests.support.graphs import SPECS
from tests.support.pods import RunningPod, running_worker
from tests.support.waiting import wait_until
from worker.sweeper import Sweeper


@pytest.fixture
async def dispatcher(log: EventLog, settings: Settings) -> AsyncGenerator[Dispatcher]:
    """A dispatcher on arq's queue."""
    it = Dispatcher(log.redis, log.keys, arq_client(settings.redis_url, log.keys.queue("default")))
    yield it
    await it.close()


@pytest.fixture
def sweeper(tasks: TaskStore, appender: Appender, dispatcher: Dispatcher) -> Sweeper:
    """A sweeper that looks when it's told to."""
    return Sweeper(tasks, appender, dispatcher, "sweeper")


async def test_a_lost_enqueue_is_made_good(sweeper: Sweeper, dispatcher: Dispatcher, task_id: str) -> None:
    """An overdue task that isn't queued is; one that waits in the queue is left there."""
    await sweeper.look_after(task_id)
    assert await dispatcher.depth("default") == 1
    await sweeper.look_after(task_id)
    assert await dispatcher.depth("default") == 1


async def test_a_task_in_hand_is_left_alone(
    sweeper: Sweeper, dispatcher: Dispatcher, log: EventLog, appender: Appender, task_id: str
) -> None:
    """A live lease is enough."""
    await open_attempt(log, appender, task_id)
    await sweeper.look_after(task_id)
    assert await dispatcher.depth("default") == 0


async def test_a_task_whose_worker_died_is_dispatched_again(
    sweeper: Sweeper, dispatcher: Dispatcher, log: EventLog, appender: Appender, task_id: str
) -> None:
    """No lease, no seal: somebody has to go on."""
    await open_attempt(log, appender, task_id)
    await log.redis.delete(log.keys.lease(task_id))
    await sweeper.look_after(task_id)
    assert await dispatcher.depth("default") == 1


async def test_a_cancelled_task_whose_worker_died_is_ended_without_another_worker(
    sweeper: Sweeper,
    dispatcher: Dispatcher,
    tasks: TaskStore,
    log: EventLog,
    appender: Appender,
    task_id: str,
) -> None:
    """All of them may be busy; while its worker lives, the task is left to it."""
    await open_attempt(log, appender, task_id)
    wish = {"cancel_requested_at": timestamp(now_ms())}
    await log.redis.hset(log.keys.task(task_id), mapping=wish)  # pyright: ignore[reportGeneralTypeIssues]
    await sweeper.look_after(task_id)
    assert (await tasks.get(task_id)).status is Status.CANCELLING
    await log.redis.delete(log.keys.lease(task_id))
    await sweeper.look_after(task_id)
    assert (await tasks.get(task_id)).status is Status.CANCELLED
    assert await dispatcher.depth("default") == 0
    assert await log.redis.ttl(log.keys.log(task_id)) > 0


async def test_a_sealed_task_is_settled(
    sweeper: Sweeper, tasks: TaskStore, log: EventLog, appender: Appender, task_id: str
) -> None:
    """Its worker died between the terminal event and the settling."""
    await write(await open_attempt(log, appender, task_id), 0, seal=True)
    await sweeper.look_after(task_id)
    assert await log.redis.ttl(log.keys.log(task_id)) > 0
    assert await tasks.deadlines() == []


async def test_a_waiting_task_is_expected_by_nobody(
    sweeper: Sweeper, tasks: TaskStore, log: EventLog, appender: Appender, task_id: str
) -> None:
    """It may wait for its answer for days."""
    writer = await open_attempt(log, appender, task_id)
    await writer.append(Event(EventType.TASK_INTERRUPTED, {"interrupts": []}))
    await writer.flush()
    await sweeper.look_after(task_id)
    assert await log.redis.zscore(log.keys.deadlines, task_id) is None
    assert (await tasks.get(task_id)).status is Status.WAITING


async def test_what_a_cut_off_submit_left_is_cleared(
    sweeper: Sweeper, tasks: TaskStore, log: EventLog, task_id: str
) -> None:
    """A deadline and a hash without a log."""
    await log.redis.delete(log.keys.log(task_id))
    await sweeper.look_after(task_id)
    assert await log.redis.keys(f"{log.keys.prefix}:*{task_id}*") == []
    assert await tasks.deadlines() == []


async def test_an_overdue_task_is_run_by_a_worker_nobody_told(
    pod: RunningPod, settings: Settings, log: EventLog, tasks: TaskStore
) -> None:
    """The queue was wiped after the submit; the worker's sweeper finds the task all the same."""
    async with running_worker(settings, SPECS):
        await pod.client.get("/graphs")
    task_id = await pod.submit("counting", input={"count": 1})
    await log.redis.delete(log.keys.queue("default"))
    await tasks.expect(task_id, -1)
    async with running_worker(settings, SPECS):

        async def done() -> bool:
            return (await tasks.get(task_id)).status is Status.SUCCEEDED

        await wait_until(done)


async def test_a_task_whose_graph_a_worker_lacks_is_offered_again_later(
    settings: Settings, log: EventLog, task_id: str
) -> None:
    """It isn't claimed, and the queue isn't kept busy with it."""
    async with running_worker(settings, SPECS) as runner:
        await runner.run_task(task_id)
    assert [entry.type for entry in await log.read(task_id, START)] == [EventType.TASK_SUBMITTED]
    deadline = await cast("Awaitable[float]", log.redis.zscore(log.keys.deadlines, task_id))
    assert deadline > now_ms() + 30_000
