"""Cancelling, answering, draining: what people want of a running task, and one end whatever races."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from redis.asyncio import Redis

from events.append import Appender
from events.errors import AlreadyEnded
from events.log import EventLog
from events.model import START
from events.settings import Settings
from events.tasks import TaskStore
from tests.support.attempts import SUCCESS, open_attempt
from tests.support.graphs import SPECS
from tests.support.pods import RunningPod, running_worker
from tests.support.tasks import types, until_status
from tests.support.waiting import wait_until
from worker.run import Runner

SLOW = {"count": 10_000, "pause": 0.01}


@pytest.fixture
async def worker(settings: Settings) -> AsyncGenerator[Runner]:
    """A worker with the test graphs."""
    async with running_worker(settings, SPECS) as it:
        yield it


@pytest.mark.usefixtures("worker")
async def test_a_running_task_is_cancelled(pod: RunningPod, log: EventLog) -> None:
    """Its worker hears of it and seals the log; asking again is no error until it has ended."""
    task_id = await pod.submit("counting", input=SLOW)
    await pod.stream(task_id, most=5)
    assert (await pod.client.post(f"/tasks/{task_id}/cancel")).json()["status"] == "cancelling"
    await until_status(pod, task_id, "cancelled")
    assert (await types(log, task_id))[-2:] == ["task.cancel_requested", "task.cancelled"]
    again = await pod.client.post(f"/tasks/{task_id}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "already_ended")


CANCELLED_UNRUN = ["task.submitted", "attempt.started", "task.cancel_requested", "task.cancelled"]


@pytest.mark.usefixtures("sweeps")
async def test_a_queued_task_is_ended_by_a_sweeper_and_never_run(
    pod: RunningPod, log: EventLog, settings: Settings, queue: Redis
) -> None:
    """All workers may be busy: a place of theirs isn't needed to cancel what none of them has."""
    async with running_worker(settings, SPECS):
        await pod.client.get("/graphs")
    task_id = await pod.submit("counting")
    assert (await pod.client.post(f"/tasks/{task_id}/cancel")).status_code == 202
    await until_status(pod, task_id, "cancelled")
    assert await types(log, task_id) == CANCELLED_UNRUN
    async with running_worker(settings, SPECS):
        await wait_until(lambda: _is_empty(queue, log.keys.queue("default")))
    assert await types(log, task_id) == CANCELLED_UNRUN


async def test_a_task_that_is_cancelled_while_there_is_no_worker_is_ended_by_the_next_one(
    pod: RunningPod, log: EventLog, settings: Settings
) -> None:
    """A pod writes the wish and no more; the task is being cancelled until a worker comes, and isn't run."""
    async with running_worker(settings, SPECS):
        await pod.client.get("/graphs")
    task_id = await pod.submit("counting")
    for _ in range(2):
        answer = await pod.client.post(f"/tasks/{task_id}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (202, "cancelling")
    assert (await pod.client.get(f"/tasks/{task_id}")).json()["status"] == "cancelling"
    assert await types(log, task_id) == ["task.submitted"]
    async with running_worker(settings, SPECS):
        await until_status(pod, task_id, "cancelled")
    assert await types(log, task_id) == CANCELLED_UNRUN


async def _is_empty(queue: Redis, name: str) -> bool:
    return not await queue.zcard(name)


@pytest.mark.usefixtures("sweeps")
async def test_cancel_and_success_race_to_one_terminal_event(
    pod: RunningPod, tasks: TaskStore, log: EventLog, appender: Appender
) -> None:
    """Whoever comes first, the log has one terminal event and nothing after it."""
    for _ in range(100):
        task_id = await _submit_directly(tasks)
        writer = await open_attempt(log, appender, task_id)
        await log.redis.delete(log.keys.lease(task_id))

        async def succeed() -> None:
            await writer.append(SUCCESS)  # noqa: B023 - it's awaited within this very round
            await writer.flush()  # noqa: B023

        await asyncio.gather(succeed(), pod.pod.control.cancel(task_id), return_exceptions=True)
        await wait_until(lambda: _is_sealed(log, task_id))  # noqa: B023
        entries = await log.read(task_id, START)
        assert [entry.terminal for entry in entries].index(True) == len(entries) - 1
        await tasks.settle(task_id)


async def _is_sealed(log: EventLog, task_id: str) -> bool:
    return (await log.last(task_id))[0].terminal


async def _submit_directly(tasks: TaskStore) -> str:
    from tests.test_store import submission

    one = submission()
    await tasks.submit(one)
    return one.task_id


async def test_an_ended_task_cannot_be_cancelled(
    pod: RunningPod, tasks: TaskStore, log: EventLog, appender: Appender, task_id: str
) -> None:
    """Even when the wish arrives while the last event is being written."""
    writer = await open_attempt(log, appender, task_id)
    await writer.append(SUCCESS)
    await writer.flush()
    with pytest.raises(AlreadyEnded):
        await pod.pod.control.cancel(task_id)
    await tasks.settle(task_id)


@pytest.mark.usefixtures("worker")
async def test_a_waiting_task_goes_on_with_its_answer(pod: RunningPod, log: EventLog) -> None:
    """The graph gets the value in the same log; a second answer comes too late."""
    task_id = await pod.submit("asking")
    task = await until_status(pod, task_id, "waiting")
    body = {"value": {"enough": True}, "interrupt_id": task["interrupts"][0]["id"]}
    answers = await asyncio.gather(
        *(pod.client.post(f"/tasks/{task_id}/resume", json=body) for _ in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409, 409]
    done = await until_status(pod, task_id, "succeeded")
    assert done["result"]["items"] == [{"enough": True}]
    assert (await types(log, task_id))[3:6] == ["task.interrupted", "attempt.started", "task.resumed"]
    late = await pod.client.post(f"/tasks/{task_id}/resume", json=body)
    assert late.json()["code"] == "not_waiting"


@pytest.mark.usefixtures("worker")
async def test_an_answer_must_fit_its_question(pod: RunningPod) -> None:
    """An unknown id, a missing value and a wrong shape are told apart, and the task goes on waiting."""
    task_id = await pod.submit("asking")
    await until_status(pod, task_id, "waiting")
    for body, code in (
        ({"value": 1, "interrupt_id": "none"}, "unknown_interrupt"),
        ({}, "invalid_request"),
        ({"value": 1, "more": 2}, "invalid_request"),
    ):
        answer = await pod.client.post(f"/tasks/{task_id}/resume", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert (await until_status(pod, task_id, "waiting"))["interrupts"]
    await pod.client.post(f"/tasks/{task_id}/cancel")
    assert (await until_status(pod, task_id, "cancelled"))["ended_at"]


@pytest.mark.usefixtures("worker")
async def test_a_client_can_take_its_task_along(pod: RunningPod) -> None:
    """With on_disconnect=cancel the task ends with the stream; without, it goes on."""
    task_id = await pod.submit("counting", input=SLOW)
    url = f"/tasks/{task_id}/stream"
    async with pod.client.stream("GET", url) as answer:
        await anext(answer.aiter_bytes())
    assert (await until_status(pod, task_id, "running"))["attempt"] == 1
    async with pod.client.stream("GET", url, params={"on_disconnect": "cancel"}) as answer:
        await anext(answer.aiter_bytes())
    await until_status(pod, task_id, "cancelled")


@pytest.mark.usefixtures("worker")
async def test_a_pod_that_goes_takes_no_task_along(pod: RunningPod, other_pod: RunningPod) -> None:
    """A drain ends streams that would cancel on disconnect, and no task."""
    task_id = await pod.submit("counting", input=SLOW)
    params = {"on_disconnect": "cancel"}
    async with pod.client.stream("GET", f"/tasks/{task_id}/stream", params=params) as answer:
        body = answer.aiter_bytes()
        await anext(body)
        pod.pod.streams.drain()
        rest = b"".join([chunk async for chunk in body])
    assert b"retry: " in rest
    assert (await until_status(other_pod, task_id, "running"))["attempt"] == 1
    await other_pod.client.post(f"/tasks/{task_id}/cancel")
    await until_status(other_pod, task_id, "cancelled")


async def test_a_worker_that_goes_hands_its_task_to_another(
    pod: RunningPod, settings: Settings, log: EventLog
) -> None:
    """The next worker opens attempt 2 at once, and says what it does again."""
    async with running_worker(settings, SPECS):
        task_id = await pod.submit("counting", input={"count": 200, "pause": 0.01})
        await pod.stream(task_id, most=10)
    before = await log.read(task_id, START)
    async with running_worker(settings, SPECS):
        done = await until_status(pod, task_id, "succeeded")
    assert done["attempt"] == 2
    entries = await log.read(task_id, START)
    assert [entry.id.seq for entry in entries] == list(range(1, len(entries) + 1))
    started = next(entry for entry in entries[2:] if entry.type == "attempt.started").event
    assert started["data"]["supersedes"] == [entry.id.seq for entry in before[2:]]
    final = (await pod.client.get(f"/tasks/{task_id}/events?limit=1000&attempts=final")).json()["events"]
    assert sum(event["type"] == "progress" for event in final) == 200


async def test_an_answer_may_find_another_worker(pod: RunningPod, settings: Settings) -> None:
    """The worker that asked is gone; the question, its task and its state are not."""
    async with running_worker(settings, SPECS):
        task_id = await pod.submit("asking")
        await until_status(pod, task_id, "waiting")
    async with running_worker(settings, SPECS):
        await pod.client.post(f"/tasks/{task_id}/resume", json={"value": "yes"})
        done = await until_status(pod, task_id, "succeeded")
    assert (done["attempt"], done["result"]["items"]) == (2, ["yes"])


async def test_a_takeover_runs_no_finished_node_again(
    pod: RunningPod, settings: Settings, log: EventLog
) -> None:
    """The first of two nodes finished under a worker that went; only the second one is run by the next."""
    async with running_worker(settings, SPECS):
        task_id = await pod.submit("two_steps", input={"count": 200, "pause": 0.01})
        await pod.stream(task_id, most=8)
    async with running_worker(settings, SPECS):
        await until_status(pod, task_id, "succeeded")
    completed = [entry.event for entry in await log.read(task_id, START) if entry.type == "node.completed"]
    assert [event["node"] for event in completed] == ["first", "second"]
