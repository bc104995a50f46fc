"""What every answer carries, whoever gives it and whatever it is."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from events.graphs import GraphDirectory
from events.keys import Keys
from events.log import EventLog
from events.settings import Settings
from events.tasks import TaskStore
from tests.support.answers import POLICY, Answer, parse, read_answer
from tests.support.asking import JSON, Fields, ask
from tests.support.http import ECHO
from tests.support.logs import ids, plant, seal
from tests.support.pod_process import pod_process
from tests.support.pods import RunningPod
from tests.support.sockets import begin

PAGES = ("/", "/console/main.js", "/docs", "/docs/files/swagger-ui.css", "/favicon.ico")


@pytest.fixture
async def sealed(log: EventLog, tasks: TaskStore, task_id: str) -> str:
    """A task that has ended."""
    await plant(log, task_id, ids("1-2", "1-5"))
    await seal(tasks, task_id, "1-6")
    return task_id


def check(answer: Answer, status: int) -> None:
    """All the manners, and the policy of what is no page."""
    assert answer.status == status
    answer.check_manners()
    assert answer.one(b"content-security-policy") == POLICY


async def test_every_answer_has_manners(pod: RunningPod, redis: Redis, keys: Keys, sealed: str) -> None:
    """JSON, lines, streams, no content, not modified, problems of ours and of the framework, and HEAD."""
    await GraphDirectory(redis, keys).announce([ECHO])
    task = f"/tasks/{sealed}"
    wanted: list[tuple[int, str, str, Fields]] = [
        (200, "GET", "/tasks", {}), (200, "GET", "/healthz", {}), (200, "GET", "/openapi.json", {}),
        (200, "GET", f"{task}/events", {}), (200, "GET", f"{task}/stream", {}),
        (200, "HEAD", f"{task}/stream", {}),
        (200, "GET", f"{task}/events", {b"Accept": b"application/x-ndjson"}),
        (204, "GET", f"{task}/stream", {b"Last-Event-ID": b"1-6"}),
        (304, "GET", f"{task}/events", {b"If-None-Match": b"*"}),
        (400, "GET", f"{task}/stream", {b"Last-Event-ID": b"x"}), (404, "GET", "/nowhere", {}),
        (404, "GET", "/console/nowhere.js", {}), (405, "PUT", "/tasks", {}),
        (406, "GET", task, {b"Accept": b"a/b"}), (409, "POST", f"{task}/cancel", {}),
        (422, "GET", "/tasks?limit=0", {}),
    ]  # fmt: skip
    for status, method, target, headers in wanted:
        check(await ask(pod, method, target, headers), status)
    check(await ask(pod, "POST", "/tasks", JSON, b'{"graph":"echo"}'), 202)


async def test_a_live_stream_has_manners(pod: RunningPod, task_id: str) -> None:
    """Its head is the last thing that the application sends; a client that only asks what it says stays."""
    client = await begin(pod.url, f"GET /tasks/{task_id}/stream HTTP/1.1\r\nHost: pod\r\n\r\n".encode())
    [answer] = parse(await client.until(b"\r\n\r\n") + b"0\r\n\r\n")
    check(answer, 200)
    await client.leave()


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_has_its_own_policy(pod: RunningPod, path: str) -> None:
    """One, which lets it load what is the pod's and run no script but that."""
    for headers in ({}, {b"If-None-Match": b"*"}):
        answer = await ask(pod, "GET", path, headers)
        answer.check_manners()
        policy = answer.one(b"content-security-policy")
        assert b"script-src 'self';" in policy
        assert b"frame-ancestors 'none'" in policy
        assert b"unsafe" not in policy


async def test_a_fault_of_ours_has_manners(
    pod: RunningPod, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A 500 is a problem like any other, and says nothing about the fault but where to look it up."""

    async def broken(*_: object) -> None:
        raise RuntimeError("CANARY")

    monkeypatch.setattr(pod.pod, "check_ready", broken)
    monkeypatch.setattr(pod.pod.access, "task", broken)
    for path in ("/readyz", f"/tasks/{uuid4()}", f"/tasks/{uuid4()}/stream"):
        answer = await ask(pod, "GET", path)
        assert answer.code() == (500, "internal_error")
        check(answer, 500)
        assert b"CANARY" not in answer.body
        assert answer.one(b"x-request-id").decode() in caplog.text


async def test_no_redirect_repeats_the_host(pod: RunningPod) -> None:
    """A path with a slash too many is another path, and no way to have a browser sent elsewhere."""
    for path in ("/tasks/", "/graphs/", "/docs/", "/console", "//evil.example/", "/healthz/"):
        answer = await ask(pod, "GET", path, {b"Host": b"evil.example"})
        assert answer.code() == (404, "not_found"), path
        assert b"evil" not in b"".join(value for _, value in answer.headers) + answer.body


async def test_a_pod_as_deployed_has_manners_and_limits(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what the environment sets, on the event loop it's deployed on."""
    monkeypatch.setenv("TASKREEL_MAX_HEADER_BYTES", "2048")
    monkeypatch.setenv("TASKREEL_HEADER_SECONDS", "0.5")
    monkeypatch.setenv("TASKREEL_BODY_SECONDS", "0.5")
    request = b"GET /tasks HTTP/1.1\r\nHost: "
    async with pod_process(settings) as pod:
        client = await begin(pod.url, request + b"localhost\r\n\r\n")
        check(await read_answer(client), 200)
        await client.leave()
        wanted = {
            request + b"evil.example\r\n\r\n": (421, "misdirected_request"),
            request + b"localhost\r\nX-A: " + b"a" * 2048: (431, "headers_too_large"),
            request: (408, "request_timeout"),
            b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 5\r\n\r\n": (408, "request_timeout"),
            b"nonsense\r\n": (400, "bad_request"),
        }
        for raw, expected in wanted.items():
            client = await begin(pod.url, raw)
            [answer] = parse(await client.rest())
            await client.leave()
            assert answer.code() == expected


@pytest.mark.parametrize(("hosts", "taken"), [("api.example.com", False), ("localhost,127.0.0.1", True)])
async def test_a_pod_goes_by_the_names_it_was_given(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, hosts: str, taken: bool
) -> None:
    """And by no other, not even those of this machine."""
    monkeypatch.setenv("TASKREEL_HOSTS", hosts)
    async with pod_process(settings) as pod, asyncio.timeout(30):
        for name, expected in ((b"localhost", taken), (b"api.example.com", not taken)):
            client = await begin(pod.url, b"GET /tasks HTTP/1.0\r\nHost: " + name + b"\r\n\r\n")
            [answer] = parse(await client.rest())
            await client.leave()
            assert (answer.status == 200) is expected
