"""POST /tasks: one request makes one task that will run, or none and says why."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from events.append import Appender
from events.graphs import GraphDirectory
from events.keys import Keys
from events.model import START
from events.settings import Settings
from events.tasks import TaskStore
from events.tenancy import ANYBODY, DEFAULT
from tests.support.http import ECHO, code, submit
from tests.support.logs import SUCCEEDED, attempt, entries, frames, plant
from tests.support.pods import RunningPod, running_pod
from tests.support.wire import EVENT_STREAM, Wire, after_retry


@pytest.fixture(autouse=True)
async def graphs(redis: Redis, keys: Keys) -> None:
    """One graph that some worker has announced, and no worker."""
    await GraphDirectory(redis, keys).announce([ECHO])


async def test_a_task_is_accepted(pod: RunningPod, tasks: TaskStore) -> None:
    """202, where it is, and links to all that can be done with it; the log has its first entry."""
    answer = await submit(pod, input={"count": 3}, metadata={"from": "test"})
    task = answer.json()
    here = f"/tasks/{task['task_id']}"
    assert answer.status_code == 202
    assert answer.headers["location"] == here
    assert "idempotent-replayed" not in answer.headers
    links = {"self": here, "stream": f"{here}/stream", "events": f"{here}/events", "cancel": f"{here}/cancel"}
    created = task.pop("created_at")
    assert task == {"task_id": task["task_id"], "status": "queued", "graph": "echo", "links": links}
    assert (await pod.client.get(here)).json()["created_at"] == created
    first = (await entries(tasks.log, task["task_id"]))[0]
    assert (first.raw_id, first.type) == (b"0-1", "task.submitted")
    assert first.event["data"]["input"] == {"count": 3}
    assert task["task_id"][14] == "7", "a UUIDv7"


async def test_a_submit_may_ask_for_the_stream_itself(
    pod: RunningPod, tasks: TaskStore, appender: Appender
) -> None:
    """200 with `Location`, and the stream from the first entry to the last."""
    body = {"graph": "echo", "input": {"count": 1}}
    async with pod.client.stream("POST", "/tasks", json=body, headers=EVENT_STREAM) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].partition(";")[0] == "text/event-stream"
        wire, task_id = Wire(response), response.headers["location"].removeprefix("/tasks/")
        await wire.until(b"id: 0-1\n")
        await attempt(tasks, appender, task_id, [SUCCEEDED])
        assert after_retry(await wire.rest()) == frames(await entries(tasks.log, task_id))


async def test_an_idempotency_key_makes_one_task(pod: RunningPod) -> None:
    """The same JSON, whatever its white space and the order of its names, is the same request."""
    first = await submit(pod, "key-1", b'{"graph":"echo","metadata":{"a":1,"b":2}}')
    again = await submit(pod, "key-1", b'{ "metadata": {"b": 2,\n "a": 1},  "graph": "echo" }')
    other = await submit(pod, "key-2", b'{"graph":"echo","metadata":{"a":1,"b":2}}')
    assert [first.status_code, again.status_code, other.status_code] == [202, 202, 202]
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert other.json()["task_id"] != first.json()["task_id"]


async def test_a_key_is_for_one_request(pod: RunningPod) -> None:
    """Another body under the same key is a mistake of the client's."""
    await submit(pod, "key", b'{"graph":"echo","input":{"count":1}}')
    answer = await submit(pod, "key", b'{"graph":"echo","input":{"count":2}}')
    assert code(answer) == (422, "key_reused")


async def test_a_replayed_submit_streams_the_first_ones_task(
    pod: RunningPod, tasks: TaskStore, appender: Appender
) -> None:
    """A client whose connection broke gets the same stream by the same request, from its start."""
    first = await submit(pod, "key")
    task_id = first.json()["task_id"]
    await attempt(tasks, appender, task_id, [SUCCEEDED])
    answer = await submit(pod, "key", headers=EVENT_STREAM)
    assert answer.headers["idempotent-replayed"] == "true"
    assert answer.headers["location"] == f"/tasks/{task_id}"
    assert after_retry(answer.content) == frames(await entries(tasks.log, task_id))


async def test_concurrent_submits_with_one_key_make_one_task(
    pod: RunningPod, other_pod: RunningPod, tasks: TaskStore
) -> None:
    """Twenty at once, at two pods."""
    answers = await asyncio.gather(
        *[submit(at, "key", metadata={"n": 1}) for at in (pod, other_pod) for _ in range(10)]
    )
    assert {answer.status_code for answer in answers} == {202}
    (task_id,) = {answer.json()["task_id"] for answer in answers}
    listed = (await pod.client.get("/tasks")).json()["tasks"]
    assert [task["task_id"] for task in listed] == [task_id]
    assert len(await tasks.log.read(task_id, START)) == 1


async def test_a_submit_that_was_cut_off_is_finished_by_the_next(
    pod: RunningPod, keys: Keys, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key was reserved and no log was made: the client's second try makes that very task."""

    async def cut_off(_: object) -> None:
        raise RedisConnectionError("cut off")

    with monkeypatch.context() as broken:
        broken.setattr(pod.pod.tasks, "submit", cut_off)
        answer = await submit(pod, "key")
        assert answer.status_code == 503
    reserved = await redis.get(keys.idempotency(DEFAULT, ANYBODY, "key"))
    answer = await submit(pod, "key")
    assert answer.status_code == 202
    assert answer.json()["task_id"] in reserved.decode()
    assert (await pod.client.get(answer.headers["location"])).json()["status"] == "queued"


async def test_a_thread_has_one_unfinished_task(
    pod: RunningPod, tasks: TaskStore, appender: Appender
) -> None:
    """A second one gets 409 with a link to the first, until the first is sealed; other threads are free."""
    first = await submit(pod, thread_id="t-1")
    busy = await submit(pod, thread_id="t-1")
    assert code(busy) == (409, "thread_busy")
    assert busy.json()["task"] == first.headers["location"]
    assert "t-1" not in busy.json()["detail"]
    assert (await submit(pod, thread_id="t-2")).status_code == 202
    await attempt(tasks, appender, first.json()["task_id"], [SUCCEEDED])
    assert (await submit(pod, thread_id="t-1")).status_code == 202


async def test_a_sealed_task_that_nobody_settled_holds_no_thread(pod: RunningPod, tasks: TaskStore) -> None:
    """The log decides, not the record beside it."""
    first = (await submit(pod, thread_id="t")).json()["task_id"]
    await plant(tasks.log, first, ["1-2"], SUCCEEDED)
    assert (await submit(pod, thread_id="t")).status_code == 202
    await tasks.settle(first)


async def test_a_refused_submit_holds_no_thread(pod: RunningPod) -> None:
    """An input that no log entry can hold is refused, and the thread is free for the next task."""
    large = b'{"graph":"echo","thread_id":"t","input":{"text":"' + b"x" * (2**20 - 60) + b'"}}'
    assert len(large) < 2**20
    assert (await submit(pod, None, large)).status_code == 422
    assert (await submit(pod, thread_id="t")).status_code == 202


async def test_a_graph_that_is_not_there_is_named_not(pod: RunningPod) -> None:
    """404 with the names there are, and without the one asked for."""
    answer = await submit(pod, graph="CANARY")
    assert code(answer) == (404, "graph_not_found")
    assert answer.json()["graphs"] == ["echo"]
    assert "echo" in answer.json()["detail"]
    assert "CANARY" not in answer.text


async def test_a_full_queue_takes_no_more(settings: Settings) -> None:
    """503 with the time to try again; nothing of the task is left, and the same key works later."""
    async with running_pod(settings.model_copy(update={"max_queued": 1})) as pod:
        assert (await submit(pod)).status_code == 202
        answer = await submit(pod, "key")
        assert code(answer) == (503, "queue_full")
        assert int(answer.headers["retry-after"]) > 0
        assert len((await pod.client.get("/tasks")).json()["tasks"]) == 1
    async with running_pod(settings) as pod:
        assert (await submit(pod, "key")).status_code == 202


async def test_a_lost_queue_does_not_lose_the_task(
    pod: RunningPod, tasks: TaskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the task is in the log but couldn't be dispatched it's accepted: a sweeper finds it."""

    async def away(*_: object) -> bool:
        raise RedisConnectionError("away")

    monkeypatch.setattr(pod.pod.dispatcher, "dispatch", away)
    answer = await submit(pod)
    assert answer.status_code == 202
    deadlines = tasks.log.keys.deadlines
    assert await tasks.log.redis.zscore(deadlines, answer.json()["task_id"]) is not None
