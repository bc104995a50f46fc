"""The sweeper: whatever was lost, an overdue task ends up in somebody's hands."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import cast

import pytest
from redis.asyncio import Redis

from events.append import Appender
from events.background import stop
from events.bells import Bells
from events.control import TaskControl
from events.log import EventLog
from events.model import START, Event, EventType, Status, now_ms, timestamp
from events.queue import Dispatcher
from events.settings import Settings
from events.tasks import TaskStore
from tests.support.attempts import open_attempt, write
from tests.support.graphs import SPECS
from tests.support.pods import RunningPod, running_worker
from tests.support.waiting import wait_until
from tests.test_store import submission
from worker.sweeper import Sweeper


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
    assert await tasks.log.redis.zrange(tasks.log.keys.deadlines, 0, -1) == []


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
    assert await tasks.log.redis.zrange(tasks.log.keys.deadlines, 0, -1) == []


async def test_an_overdue_task_is_run_by_a_worker_nobody_told(
    pod: RunningPod, settings: Settings, log: EventLog, tasks: TaskStore, queue: Redis
) -> None:
    """The queue was wiped after the submit; the worker's sweeper finds the task all the same."""
    async with running_worker(settings, SPECS):
        await pod.client.get("/graphs")
    task_id = await pod.submit("counting", input={"count": 1})
    await queue.delete(log.keys.queue("default"))
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


class Counted(Sweeper):
    """Counts the tasks that it looks after."""

    looks = 0

    async def look_after(self, task_id: str) -> str:
        """Count it."""
        Counted.looks += 1
        return await super().look_after(task_id)


async def test_of_many_sweepers_that_are_rung_one_ends_the_task(
    tasks: TaskStore, log: EventLog, appender: Appender, dispatcher: Dispatcher
) -> None:
    """Twenty workers hear of each cancellation; Redis gives the task to one of them, and no other claims."""
    Counted.looks = 0
    sweepers = [Counted(tasks, appender, dispatcher, f"worker-{number}") for number in range(20)]

    def ring(_: str) -> None:
        for one in sweepers:
            one.ring()

    bells = Bells(log.redis, ring)
    bells.listen(log.keys.sweep)
    loops = [asyncio.create_task(it.run()) for it in (bells, *sweepers)]
    control, cancelled = TaskControl(tasks, dispatcher), list[str]()
    for _ in range(20):
        one = submission()
        await tasks.submit(one)
        await control.cancel(one.task_id)
        await wait_until(lambda: is_settled(log, one.task_id))  # noqa: B023
        cancelled.append(one.task_id)
    await stop(loops)
    for task_id in cancelled:
        assert [entry.type.value for entry in await log.read(task_id, START)] == [
            "task.submitted", "attempt.started", "task.cancel_requested", "task.cancelled"
        ]  # fmt: skip
    assert Counted.looks < 2 * len(cancelled)  # a slow one may be looked at again, by one other


async def is_settled(log: EventLog, task_id: str) -> bool:
    """Whether nobody needs to look at the task any more."""
    return await log.redis.zscore(log.keys.deadlines, task_id) is None
