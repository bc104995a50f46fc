"""GET /tasks/{id}/stream when a pod can't serve for now: it must not end a browser's EventSource for good."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import httpx
import pytest

from events.log import EventLog
from events.settings import Settings
from events.tasks import TaskStore
from tests.support.logs import entries, frames, ids, plant, seal
from tests.support.pods import RunningPod, running_pod
from tests.support.proxy import gate
from tests.support.server import free_port
from tests.support.waiting import wait_until
from tests.support.wire import EVENT_STREAM, after_retry, assert_farewell, assert_passing, listen

UNKNOWN = "/tasks/01938e5e-0000-7000-8000-000000000000/stream"


@pytest.fixture
async def stranded(settings: Settings) -> AsyncGenerator[RunningPod]:
    """A pod whose Redis is away."""
    nowhere = settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"})
    async with running_pod(nowhere) as pod:
        yield pod


async def assert_both_manners(
    pod: RunningPod, path: str, status: int, code: str, method: str = "GET", **request: Any
) -> None:
    """A client that asks for SSE is told to come back by SSE; others get the status and `Retry-After`."""

    async def ask(headers: Mapping[str, str]) -> httpx.Response:
        return await pod.client.request(method, path, headers=headers, **request)

    eager = await ask(EVENT_STREAM)
    assert eager.status_code == 200
    assert eager.headers["content-type"].partition(";")[0] == "text/event-stream"
    assert eager.headers["cache-control"] == "no-store"
    (assert_farewell if code == "draining" else assert_passing)(eager.content)
    for accept in ("*/*", "text/*"):
        plain = await ask({"Accept": accept})
        assert plain.status_code == status, accept
        assert plain.headers["content-type"] == "application/problem+json"
        assert int(plain.headers["retry-after"]) > 0
        assert plain.json()["code"] == code


async def test_a_draining_pod_sends_clients_elsewhere(pod: RunningPod, task_id: str) -> None:
    """In each client's own manner."""
    pod.pod.streams.draining = True
    await assert_both_manners(pod, f"/tasks/{task_id}/stream", 503, "draining")


async def test_draining_ends_open_streams_with_the_time_to_come_back(
    pod: RunningPod, log: EventLog, task_id: str
) -> None:
    """The client's cursor is left alone: it goes on elsewhere after what it has."""
    async with listen(pod, task_id) as wire:
        await wire.until(b"id: 0-1\n")
        pod.pod.streams.drain()
        body = await wire.rest()
    first = frames(await entries(log, task_id))
    before, _, farewell = body.partition(first)
    assert after_retry(before) == b""
    assert_farewell(farewell)


async def test_a_full_pod_sends_clients_elsewhere(settings: Settings, task_id: str) -> None:
    """Over the cap a stream is refused until another one ends."""
    async with running_pod(settings.model_copy(update={"max_streams": 1})) as pod:
        async with listen(pod, task_id) as wire:
            await wire.until(b"id: 0-1\n")
            await assert_both_manners(pod, f"/tasks/{task_id}/stream", 429, "too_many_streams")
        await wait_until(lambda: len(pod.pod.streams) == 0)
        async with listen(pod, task_id) as wire:
            assert after_retry(await wire.until(b"id: 0-1\n"))


async def test_without_redis_clients_come_back(stranded: RunningPod) -> None:
    """Whether the task is there can't be known; that must not end an EventSource."""
    await assert_both_manners(stranded, UNKNOWN, 503, "log_unavailable")


async def test_a_submit_that_asks_for_its_stream_has_the_same_manners(
    pod: RunningPod, stranded: RunningPod
) -> None:
    """Without Redis, and at a pod that is going away, which makes no task whose stream it can't give."""
    await assert_both_manners(stranded, "/tasks", 503, "log_unavailable", "POST", json={"graph": "echo"})
    pod.pod.streams.draining = True
    answer = await pod.client.post("/tasks", json={"graph": "echo"}, headers=EVENT_STREAM)
    assert answer.status_code == 200
    assert_farewell(answer.content)
    assert (await pod.client.get("/tasks")).json()["tasks"] == []


async def test_without_redis_everything_else_is_a_503(stranded: RunningPod) -> None:
    """Each route that needs the log says when to try again."""
    task = UNKNOWN.removesuffix("/stream")
    for method, path in (
        ("GET", "/tasks"), ("GET", task), ("GET", f"{task}/events"), ("GET", "/graphs"),
        ("GET", "/readyz"), ("POST", "/tasks"),
    ):  # fmt: skip
        answer = await stranded.client.request(
            method, path, json={"graph": "echo"} if method == "POST" else None
        )
        assert answer.status_code == 503, path
        assert int(answer.headers["retry-after"]) > 0, path
        assert answer.json()["code"] == "log_unavailable", path


async def test_a_stream_survives_an_outage(
    settings: Settings, redis_port: int, tasks: TaskStore, task_id: str
) -> None:
    """What was written while the pod had no Redis comes when it is back, on the same connection, once."""
    log = tasks.log
    await plant(log, task_id, ids("1-2", "1-5"))
    async with gate(redis_port) as redis:
        behind = settings.model_copy(update={"redis_url": redis.url})
        async with running_pod(behind) as pod, listen(pod, task_id) as wire:
            await wire.until(b"id: 1-5\n")
            redis.close()
            await plant(log, task_id, ids("1-6", "1-8"))
            await wait_until(lambda: redis.refused >= 10)
            await assert_both_manners(pod, f"/tasks/{task_id}/stream", 503, "log_unavailable")
            redis.shut = False
            await wire.until(b"id: 1-8\n")
            await plant(log, task_id, ids("2-9", "2-10"))
            await seal(tasks, task_id, "2-11")
            body = after_retry(await wire.rest())
    assert body == frames(await entries(log, task_id))


async def test_an_outage_during_catch_up_is_survived(
    settings: Settings, redis_port: int, tasks: TaskStore, task_id: str
) -> None:
    """A connection that breaks between two reads of history costs nothing either."""
    log = tasks.log
    await plant(log, task_id, ids("1-2", "1-3000"))
    await seal(tasks, task_id, "1-3001")
    async with gate(redis_port) as redis:
        behind = settings.model_copy(update={"redis_url": redis.url})
        async with running_pod(behind) as pod, listen(pod, task_id) as wire:
            await wire.until(b"id: 1-2\n")
            redis.cut()
            body = after_retry(await wire.rest())
    assert body == frames(await entries(log, task_id))


async def test_a_log_that_redis_may_have_lost_is_asked_for_again(settings: Settings, redis_port: int) -> None:
    """Writers put back what a restart lost, whole logs too: a 404 just then would end an EventSource."""
    async with gate(redis_port) as between:
        away = settings.model_copy(update={"redis_url": between.url})
        async with running_pod(away) as pod:
            assert (await pod.client.get(UNKNOWN)).status_code == 404
            between.close()
            await wait_until(lambda: between.refused > 0)
            between.shut = False
            await wait_until(lambda: _answers(pod))
            await assert_both_manners(pod, UNKNOWN, 503, "settling")
            await wait_until(lambda: _is_not_found(pod))


async def _answers(pod: RunningPod) -> bool:
    return (await pod.client.get("/readyz")).status_code == 200


async def _is_not_found(pod: RunningPod) -> bool:
    return (await pod.client.get(UNKNOWN)).status_code == 404
