"""Canary secrets through a real pod and a real worker: found in no log, no answer and no entry."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from events.log import EventLog
from events.model import START
from events.patterns import MARK
from events.settings import Settings
from events.tasks import TaskStore
from tests.secrets.graphs import STEPS, digest
from tests.secrets.samples import SAMPLES
from tests.support.server import free_port
from tests.support.system import command
from tests.support.waiting import wait_until
from tests.support.workers import WorkerProcess, worker_process

ONE = SAMPLES["anthropic"]
INPUT = {"keys": {f"{kind} {key[:4]}": key for kind, key in SAMPLES.items()}}


def assert_untold(where: str, text: str) -> None:
    """No secret is in the text, by its last letters, which no prefix is in."""
    for kind, secret in SAMPLES.items():
        tail = secret.splitlines()[-2 if "END" in secret else -1][-16:]
        assert tail not in text, f"{kind} in {where}"
    assert "0penSesame" not in text, where


@contextlib.asynccontextmanager
async def pod_process(settings: Settings, errors: Path) -> AsyncGenerator[httpx.AsyncClient]:
    """A pod that is ready, whose stderr goes to that file."""
    url = f"http://127.0.0.1:{free_port()}"
    given = {"REDIS_URL": settings.redis_url, "KEY_PREFIX": settings.key_prefix, "POD_DRAIN_SECONDS": "0"}
    environment = {**os.environ, **{f"TASKREEL_{name}": value for name, value in given.items()}}
    port = url.rpartition(":")[2]
    with errors.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *command("api", "--port", port), env=environment, stderr=stderr
        )
    try:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
            await wait_until(lambda: _ready(client))
            yield client
    finally:
        process.terminate()
        assert await process.wait() == 0


async def _ready(client: httpx.AsyncClient) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return (await client.get("/readyz")).status_code == 200
    return False


async def status(client: httpx.AsyncClient, task_id: str, *wanted: str) -> dict[str, Any]:
    """The task, once it has one of those states."""
    found: dict[str, Any] = {}

    async def reached() -> bool:
        found.update((await client.get(f"/tasks/{task_id}")).json())
        return found["status"] in wanted

    await wait_until(reached)
    return found


async def run(client: httpx.AsyncClient, thread: str, **more: Any) -> str:
    """A task with secrets wherever a user can put them, answered with one; gives its id."""
    body = {"graph": "steps", "input": {**INPUT, **more}, "metadata": {"keys": INPUT["keys"], ONE: 1}}
    headers = {"Idempotency-Key": f"{ONE}-{thread}", "Authorization": f"Bearer {ONE}"}
    taken = await client.post(f"/tasks?token={ONE}", json={**body, "thread_id": thread}, headers=headers)
    assert taken.status_code == 202, taken.text
    task_id = taken.json()["task_id"]
    await status(client, task_id, "waiting")
    assert_untold("a waiting task", (await client.get(f"/tasks/{task_id}")).text)
    answer = await client.post(f"/tasks/{task_id}/resume", json={"value": INPUT["keys"]})
    assert answer.status_code == 202, answer.text
    await status(client, task_id, "succeeded", "failed")
    return task_id


async def all_answers(client: httpx.AsyncClient, task_id: str) -> list[str]:
    """What every route tells of a task."""
    paths = ("", "/events?limit=1000", "/stream")
    answers = [await client.get(f"/tasks/{task_id}{path}") for path in paths]
    lines = {"Accept": "application/x-ndjson"}
    answers += [
        await client.get(path) for path in ("/tasks", "/tasks?graph=steps", "/graphs", "/graphs/steps")
    ]
    answers.append(await client.get(f"/tasks/{task_id}/events", headers=lines))
    assert {answer.status_code for answer in answers} == {200}
    return [answer.text for answer in answers]


async def wrong_requests(client: httpx.AsyncClient, task_id: str) -> list[str]:
    """What is told of requests that are wrong, and hold a secret."""
    stream, json = f"/tasks/{task_id}/stream", {"Content-Type": "application/json"}
    answers = [
        await client.post("/tasks", content=f'{{"graph": "{ONE}", oops', headers=json),
        await client.post("/tasks", json={"graph": ONE, "input": {}}),
        await client.post("/tasks", json={"graph": "steps", "input": {"keys": ONE, ONE: ONE}}),
        await client.post("/tasks", json={"graph": "steps", "input": {}, ONE: ONE}),
        await client.post(f"/tasks/{task_id}/resume", json={"value": ONE, "interrupt_id": ONE}),
        await client.get(stream, headers={"Last-Event-ID": ONE}),
        await client.get(f"{stream}?last_event_id={ONE}&from={ONE}"),
        await client.get(f"/tasks?cursor={ONE}&status={ONE}"),
        await client.get(f"/tasks/{ONE}"),
        await client.get(f"/{ONE}"),
        await client.request(ONE.upper().replace("_", "-"), "/tasks"),
    ]
    assert all(400 <= answer.status_code < 500 for answer in answers)
    return [answer.text for answer in answers]


async def metrics(client: httpx.AsyncClient, worker_port: int) -> list[str]:
    """What a pod and the worker tell a scraper."""
    answers = [await client.get(f"{url}/metrics") for url in ("", f"http://127.0.0.1:{worker_port}")]
    assert all("taskreel_task_duration_seconds" in answer.text for answer in answers)
    return [answer.text for answer in answers]


@pytest.fixture
def port() -> int:
    """Where the worker listens for scrapers."""
    return free_port()


@pytest.fixture
async def worker(settings: Settings, port: int, tmp_path: Path) -> AsyncGenerator[WorkerProcess]:
    """A worker with the graph that tells everything, and a port for scrapers."""
    async with worker_process(settings, tmp_path, STEPS, metrics_port=port) as it:
        yield it


async def test_no_secret_is_told_anywhere(
    settings: Settings, worker: WorkerProcess, port: int, log: EventLog, tmp_path: Path
) -> None:
    """The graph has it all, and says it all; whoever looks from outside finds none of it."""
    errors = tmp_path / "pod.log"
    async with pod_process(settings, errors) as client:
        done, failed = await run(client, ONE), await run(client, "plain", fail=True)
        task = await status(client, done, "succeeded")
        assert task["result"]["given"] == task["result"]["answered"] == digest(INPUT["keys"])
        assert (await status(client, failed, "failed"))["error"]["message"].startswith(
            f"RuntimeError: no use: {MARK}"
        )
        for task_id in (done, failed):
            for answer in await all_answers(client, task_id):
                assert_untold("an answer", answer)
            entries = await log.read(task_id, START)
            assert_untold("the log", repr([entry.document for entry in entries]))
            record: dict[bytes, bytes] = await cast("Any", log.redis).hgetall(log.keys.task(task_id))
            assert not {b"input", b"answer"} & record.keys()
        for answer in await wrong_requests(client, done):
            assert_untold("a refusal", answer)
        for answer in await metrics(client, port):
            assert_untold("the metrics", answer)
            assert done not in answer
            assert "plain" not in answer, "a thread's name"
    assert "no use" in worker.said
    assert "the cause" in worker.said
    assert "UserWarning" in worker.said
    assert_untold("the worker's log", worker.said)
    assert_untold("the pod's log", errors.read_text())


async def test_a_takeover_has_the_raw_input(
    settings: Settings, log: EventLog, tasks: TaskStore, tmp_path: Path
) -> None:
    """Whoever begins anew, after a worker that died at once, gives the graph what its user gave."""
    async with pod_process(settings, tmp_path / "pod.log") as client:
        async with worker_process(settings, tmp_path, STEPS) as first:
            first.signal(19)  # SIGSTOP: it has announced the graph, and takes nothing
            taken = await client.post("/tasks", json={"graph": "steps", "input": INPUT})
            task_id = taken.json()["task_id"]
            await log.claim(task_id, "gone", worker="gone", lease_ms=100)
        async with worker_process(settings, tmp_path, STEPS):
            await status(client, task_id, "waiting")
            await client.post(f"/tasks/{task_id}/resume", json={"value": ONE})
            task = await status(client, task_id, "succeeded")
    assert task["attempt"] >= 2
    assert task["result"]["given"] == digest(INPUT["keys"])
    assert task["result"]["answered"] == digest(ONE)
    assert (await tasks.get(task_id)).first.event["data"]["input"]["keys"] != INPUT["keys"]
