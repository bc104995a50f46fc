"""Questions: each gets its own answer and no other, whoever asks and whoever dies in between."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from events.errors import NotWaiting
from events.log import EventLog
from events.model import START
from events.settings import Settings
from events.tasks import TaskStore
from tests.support.attempts import roll_back
from tests.support.pods import RunningPod, running_worker
from tests.support.stubborn_graphs import STUBBORN
from tests.support.tasks import assert_whole, types, until_status
from tests.support.waiting import wait_until
from worker.run import Runner


@pytest.fixture
async def worker(settings: Settings) -> AsyncGenerator[Runner]:
    """A worker with graphs that ask."""
    async with running_worker(settings, STUBBORN) as it:
        yield it


async def answer(pod: RunningPod, task_id: str, value: Any, interrupt_id: str | None = None) -> int:
    """Answer a question; gives the HTTP status."""
    body = {"value": value} | ({"interrupt_id": interrupt_id} if interrupt_id else {})
    return (await pod.client.post(f"/tasks/{task_id}/resume", json=body)).status_code


async def questions(pod: RunningPod, task_id: str) -> dict[Any, str]:
    """The ids of the open questions by their values, once the task waits."""
    task = await until_status(pod, task_id, "waiting", "failed")
    return {question["value"]: question["id"] for question in task["interrupts"]}


@pytest.mark.usefixtures("worker")
async def test_several_questions_at_once_are_answered_by_id(pod: RunningPod, log: EventLog) -> None:
    """In any order; which is meant must be said while there are several."""
    task_id = await pod.submit("asking_both")
    asked = await questions(pod, task_id)
    assert set(asked) == {"one", "other"}
    assert await answer(pod, task_id, "?") == 422
    assert await answer(pod, task_id, 2, asked["other"]) == 202
    assert await questions(pod, task_id) == {"one": asked["one"]}
    assert await answer(pod, task_id, 1) == 202
    assert (await until_status(pod, task_id, "succeeded"))["result"]["items"] == [1, 2]
    resumed = [
        entry.event["data"] for entry in await log.read(task_id, START) if entry.type == "task.resumed"
    ]
    assert resumed == [
        {"interrupt_id": asked["other"], "value": 2},
        {"interrupt_id": asked["one"], "value": 1},
    ]
    await assert_whole(log, task_id)


@pytest.mark.usefixtures("worker")
async def test_questions_of_one_node_are_asked_one_after_the_other(pod: RunningPod) -> None:
    """An answer is kept while the node asks its next question."""
    task_id = await pod.submit("asking_twice")
    for value in ("one", "two"):
        assert set(await questions(pod, task_id)) == {value}
        assert await answer(pod, task_id, value.upper()) == 202
    assert (await until_status(pod, task_id, "succeeded"))["result"]["items"] == ["ONE", "TWO"]


@pytest.mark.parametrize("graph", ["asking_twice", "asking_after"])
async def test_an_answer_is_never_taken_for_another_question(
    pod: RunningPod, settings: Settings, log: EventLog, tasks: TaskStore, graph: str
) -> None:
    """The worker died when the graph had the answer and had asked its next question, which the log lacks."""
    async with running_worker(settings, STUBBORN):
        task_id = await pod.submit(graph)
        await questions(pod, task_id)
        assert await answer(pod, task_id, "first") == 202
        await until_status(pod, task_id, "waiting")
    assert (await types(log, task_id))[-1] == "task.interrupted"
    await roll_back(log, task_id, len(await log.read(task_id, START)) - 1)
    await tasks.expect(task_id, -1)
    async with running_worker(settings, STUBBORN):
        await questions(pod, task_id)
        assert await answer(pod, task_id, "second") == 202
        task = await until_status(pod, task_id, "succeeded")
    assert task["result"]["items"] == ["first", "second"]


async def test_an_answer_outlives_the_worker_that_had_just_taken_it(
    pod: RunningPod, settings: Settings, log: EventLog, tasks: TaskStore
) -> None:
    """It died before the graph took the answer: the next attempt gives it again."""
    async with running_worker(settings, STUBBORN):
        task_id = await pod.submit("asking_after")
        await questions(pod, task_id)
    assert await answer(pod, task_id, "first") == 202
    owner = "dies"
    await log.claim(task_id, owner, worker=owner, lease_ms=60_000)
    await log.redis.delete(log.keys.lease(task_id))
    await tasks.expect(task_id, -1)
    async with running_worker(settings, STUBBORN):
        assert await questions(pod, task_id) != {}
        assert await answer(pod, task_id, "second") == 202
        task = await until_status(pod, task_id, "succeeded")
    assert task["result"]["items"] == ["first", "second"]


@pytest.mark.usefixtures("worker")
async def test_an_answer_that_comes_late_is_not_taken_for_the_next_question(
    pod: RunningPod, tasks: TaskStore
) -> None:
    """Two people saw the first question and both answered; the second answer met the next question."""
    task_id = await pod.submit("asking_after")
    await questions(pod, task_id)
    seen = await tasks.get(task_id)
    assert await answer(pod, task_id, "first") == 202
    await wait_until(lambda: _asks(pod, task_id, "other"))
    with pytest.raises(NotWaiting):
        await pod.pod.control.answer(seen, None, "late")
    assert await questions(pod, task_id) != {}
    assert await answer(pod, task_id, "second") == 202
    assert (await until_status(pod, task_id, "succeeded"))["result"]["items"] == ["first", "second"]


@pytest.mark.usefixtures("worker")
async def test_an_answer_to_a_question_that_is_asked_again_meanwhile_is_taken(
    pod: RunningPod, tasks: TaskStore
) -> None:
    """Another of the open questions was answered just before; this one is still open, in a new entry."""
    task_id = await pod.submit("asking_both")
    asked = await questions(pod, task_id)
    seen = await tasks.get(task_id)
    assert await answer(pod, task_id, 2, asked["other"]) == 202
    await wait_until(lambda: _asks(pod, task_id, "one"))
    await pod.pod.control.answer(seen, asked["one"], 1)
    assert (await until_status(pod, task_id, "succeeded"))["result"]["items"] == [1, 2]


async def _asks(pod: RunningPod, task_id: str, *values: str) -> bool:
    """Whether those are the questions that are open now."""
    return tuple(await questions(pod, task_id)) == values


@pytest.mark.usefixtures("worker")
async def test_a_waiting_task_holds_no_lease_and_no_worker(
    pod: RunningPod, log: EventLog, worker: Runner
) -> None:
    """Nothing is expected of it either, so no sweeper looks at it, for days if need be."""
    task_id = await pod.submit("asking_after")
    await questions(pod, task_id)
    await wait_until(lambda: not worker.running)

    async def unexpected() -> bool:  # a worker that has just begun may look at it once
        return await log.redis.zscore(log.keys.deadlines, task_id) is None

    await wait_until(unexpected)
    assert await log.redis.exists(log.keys.lease(task_id)) == 0
    assert await log.redis.ttl(log.keys.log(task_id)) == -1
    await pod.client.post(f"/tasks/{task_id}/cancel")
    await until_status(pod, task_id, "cancelled")


@pytest.mark.usefixtures("worker")
async def test_a_question_that_cannot_be_stored_fails_its_task(pod: RunningPod, log: EventLog) -> None:
    """Nobody could see it, so nobody could answer it."""
    task_id = await pod.submit("asking_too_much")
    task = await until_status(pod, task_id, "failed")
    assert task["error"]["code"] == "bad_output"
    assert task["error"]["message"].startswith("the question cannot be stored: ")
    await assert_whole(log, task_id)
