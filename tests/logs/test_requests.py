"""One line a request, and what it doesn't tell."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from cli.logs import as_json
from events.apikeys import KeyDirectory, Role
from events.keys import Keys
from events.settings import Settings
from events.tasks import TaskStore
from tests.logs.lines import formatter
from tests.support.credentials import made
from tests.support.http import submit
from tests.support.logs import seal
from tests.support.pods import RunningPod, running_pod
from tests.support.secured import bearer, ended_task_of, secured_pod, ticket_for

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What the pods of this test have told since it was last asked."""
    said = io.StringIO()
    handler, log = logging.StreamHandler(said), logging.getLogger("api")
    handler.setFormatter(formatter(as_json))
    level = log.level
    log.setLevel(logging.INFO)
    log.addHandler(handler)

    def take() -> list[dict[str, Any]]:
        told = [orjson.loads(line) for line in said.getvalue().splitlines()]
        said.seek(0)
        said.truncate()
        return told

    yield take
    log.removeHandler(handler)
    log.setLevel(level)


async def test_what_a_line_tells(pod: RunningPod, tasks: TaskStore, task_id: str, lines: Lines) -> None:
    """The method, the route and never the path, the status, the time, and the request's id."""
    await seal(tasks, task_id, "1-2")
    answer = await pod.client.get(f"/tasks/{task_id}?token=hidden", headers={"X-Request-ID": "mine-1"})
    assert answer.status_code == 200
    [line] = lines()
    assert 0 < line.pop("seconds") < 60
    del line["timestamp"]
    assert line == {
        "level": "info", "logger": "api.requests", "message": "GET /tasks/{task_id} 200",
        "request_id": "mine-1", "method": "GET", "route": "/tasks/{task_id}", "status": 200,
    }  # fmt: skip
    await pod.stream(task_id)
    assert [it["message"] for it in lines()] == ["GET /tasks/{task_id}/stream 200"]


async def test_what_no_line_tells(pod: RunningPod, lines: Lines) -> None:
    """Probes that succeed have none, and what a client makes up is in none."""
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await pod.client.get(path)).status_code == 200
    assert lines() == []
    await pod.client.request("PATCH", "/hidden/path?hidden=1", headers={"X-Request-ID": "hidden !"})
    await submit(pod, raw=b'{"graph": "hidden"}')
    told = lines()
    assert [it["message"] for it in told] == ["PATCH other 404", "POST /tasks 404"]
    assert "hidden" not in str(told).lower()


async def test_a_subject_is_told_by_its_digest(
    settings: Settings, directory: KeyDirectory, tasks: TaskStore, lines: Lines
) -> None:
    """Neither its name nor its key nor a ticket is told."""
    subject = "ada@example.com"
    key, _ = await made(directory, "default", subject, Role.SUBMIT)
    async with secured_pod(settings) as pod:
        task_id = await ended_task_of(tasks, subject)
        ticket = await ticket_for(pod, key, task_id)
        await pod.client.get(f"/tasks/{task_id}/stream", params={"ticket": ticket})
        await pod.client.get("/whoami", headers=bearer("wrong"))
        told = lines()
    digest = hashlib.sha256(subject.encode()).hexdigest()[:12]
    assert [(it["status"], it.get("tenant"), it.get("subject")) for it in told] == [
        (201, "default", digest), (200, "default", digest), (401, None, None),
    ]  # fmt: skip
    for hidden in (subject, key, ticket, task_id):
        assert hidden not in str(told)


async def test_lines_can_be_switched_off(settings: Settings, lines: Lines) -> None:
    """Faults of ours are told all the same, with the request's id."""
    async with running_pod(settings.model_copy(update={"access_log": False})) as pod:
        assert (await pod.client.get("/whoami")).status_code == 200
        assert lines() == []
        await pod.pod.redis.set(pod.pod.log.keys.graphs, "no hash")
        answer = await pod.client.get("/graphs", headers={"X-Request-ID": "mine-2"})
        assert answer.status_code == 500
        [line] = lines()
        await pod.pod.redis.delete(pod.pod.log.keys.graphs)
    assert (line["level"], line["request_id"]) == ("error", "mine-2")
    assert "WRONGTYPE" in line["exception"]["message"]


@pytest.fixture
async def directory(redis: Redis, keys: Keys) -> Any:
    """The API keys under this test's prefix, which are gone afterwards."""
    yield KeyDirectory(redis, keys)
    await redis.delete(keys.api_keys)
