"""A pod's own manners: probes, paths that aren't there, request ids, the OpenAPI document."""

from __future__ import annotations

import re
from typing import Any

from events.settings import Settings
from events.tasks import TaskStore
from tests.support.http import code
from tests.support.logs import seal
from tests.support.pods import RunningPod, running_pod
from tests.support.proxy import gate
from tests.support.wire import exchange

GENERATED = re.compile(r"[0-9a-f]{32}")


async def test_a_pod_is_alive_and_ready(pod: RunningPod) -> None:
    """Alive as long as it answers; ready while it should get clients."""
    assert (await pod.client.get("/healthz")).status_code == 200
    assert (await pod.client.get("/readyz")).status_code == 200


async def test_a_draining_pod_is_alive_and_not_ready(pod: RunningPod) -> None:
    """So that no new client is sent to it and nobody kills it."""
    pod.pod.streams.draining = True
    answer = await pod.client.get("/readyz")
    assert code(answer) == (503, "draining")
    assert int(answer.headers["retry-after"]) > 0
    assert (await pod.client.get("/healthz")).status_code == 200


async def test_a_pod_without_redis_is_alive_and_not_ready(settings: Settings, redis_port: int) -> None:
    """And ready again as soon as the log answers."""
    async with (
        gate(redis_port) as redis,
        running_pod(settings.model_copy(update={"redis_url": redis.url})) as pod,
    ):
        assert (await pod.client.get("/readyz")).status_code == 200
        redis.close()
        assert code(await pod.client.get("/readyz")) == (503, "log_unavailable")
        assert (await pod.client.get("/healthz")).status_code == 200
        redis.shut = False
        assert (await pod.client.get("/readyz")).status_code == 200


async def test_probes_are_no_pages(pod: RunningPod) -> None:
    """A load balancer's probe needs no Accept."""
    for path in ("/healthz", "/readyz"):
        assert (await pod.client.get(path, headers={"Accept": "text/plain"})).status_code == 200


async def test_what_is_not_there_is_a_problem(pod: RunningPod, task_id: str) -> None:
    """An unknown path is a 404 and a wrong method a 405 that says which there are; neither is repeated."""
    for path in (
        "/CANARY",
        "/tasks/x/y/CANARY",
        f"/tasks/{task_id}/CANARY",
        f"/tasks/{task_id}/stream/CANARY",
    ):
        answer = await pod.client.get(path)
        assert code(answer) == (404, "not_found"), path
        assert "CANARY" not in answer.text
    for method, path in (
        ("DELETE", "/tasks"),
        ("POST", f"/tasks/{task_id}"),
        ("PUT", "/graphs"),
        ("PATCH", "/healthz"),
    ):
        answer = await pod.client.request(method, path)
        assert code(answer) == (405, "method_not_allowed"), path
        assert answer.headers["allow"], path


async def test_a_request_has_an_id(pod: RunningPod) -> None:
    """Given back in the header and in problems: the client's own, or a new one for each request."""
    ids = {(await pod.client.get("/healthz")).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(GENERATED.fullmatch(it) for it in ids)
    for given in ("abc", "A-b_c.9", "x" * 64):
        answer = await pod.client.get("/tasks/none", headers={"X-Request-ID": given})
        assert answer.headers["x-request-id"] == answer.json()["request_id"] == given


async def test_a_hostile_request_id_is_replaced(pod: RunningPod) -> None:
    """It would end up in logs and in other people's terminals."""
    for given in (b"", b"a b", b"x" * 65, b"<script>", b'"', b"\xff", b"a\x1b[31m", b"%0a", "é".encode()):
        head = b"GET /tasks/none HTTP/1.1\r\nHost: pod\r\nConnection: close\r\nX-Request-ID: " + given
        answer = await exchange(pod, head + b"\r\n\r\n")
        if answer.startswith(b"HTTP/1.1 400"):
            continue  # the server itself has refused it
        header = re.search(rb"\r\nx-request-id: ([0-9a-f]{32})\r\n", answer)
        assert header is not None, given
        assert b'"request_id":"' + header[1] + b'"' in answer


async def test_a_streams_problems_have_an_id_as_well(pod: RunningPod, tasks: TaskStore, task_id: str) -> None:
    """Streams pass the framework by; their answers' ids don't get lost on the way."""
    answer = await pod.client.get("/tasks/none/stream", headers={"X-Request-ID": "mine"})
    assert answer.json()["request_id"] == "mine"
    await seal(tasks, task_id, "1-2")
    answer = await pod.client.get(f"/tasks/{task_id}/stream", headers={"Last-Event-ID": "x"})
    assert GENERATED.fullmatch(answer.json()["request_id"])


async def test_the_api_describes_itself(pod: RunningPod) -> None:
    """Every route that there is, and its page."""
    document: dict[str, Any] = (await pod.client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.")
    paths = document["paths"]
    assert {
        "/tasks",
        "/tasks/{task_id}",
        "/tasks/{task_id}/events",
        "/graphs",
        "/graphs/{name}",
    } <= paths.keys()
    assert set(paths["/tasks"]) == {"get", "post"}
    body = paths["/tasks"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["properties"]) == {"graph", "input", "thread_id", "metadata"}
    assert (await pod.client.get("/docs")).status_code == 200
