"""Bad input, row by row of the protocol's table: what a request brings along."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from events import writer
from events.graphs import GraphDirectory
from events.keys import Keys
from events.settings import Settings
from tests.edge.conftest import Watched
from tests.edge.test_bad_input_requests import check
from tests.support.asking import JSON, ask
from tests.support.graphs import SPECS
from tests.support.http import ECHO
from tests.support.pods import RunningPod, running_pod, running_worker

MIB = 2**20

NOT_JSON = [
    b"", b" ", b"{", b'{"graph":"echo"', b"CANARY", b"'echo'", b'{"graph":"echo"}CANARY',
    b'{"graph":"echo",}',
    b"\xef\xbb\xbf{}", b'{"graph":"echo","input":{"x":NaN}}', b'{"graph":"echo","input":{"x":-Infinity}}',
    b'{"graph":"echo","input":{"x":1e999}}', b'{"graph":"echo","input":{"x":"\\ud800"}}',
    b'{"graph":"echo","input":{"\\udc00":1}}', b'{"graph":"echo","input":{"x":"\xff"}}',
    b'{"graph":"echo","input":{"x":"\xed\xa0\x80"}}', '{"graph":"echo"}'.encode("utf-16"),
    b'{"graph":"echo","input":{"x":"CANARY\n"}}', b"{" * 1000,
]  # fmt: skip

WRONG_SHAPES: list[tuple[Any, str]] = [
    ([], ""), ("CANARY", ""), (None, ""), (1, ""), ({}, "/graph"), ({"graph": None}, "/graph"),
    ({"graph": 7}, "/graph"), ({"graph": ["CANARY"]}, "/graph"), ({"graph": "x" * 201}, "/graph"),
    ({"graph": "echo", "CANARY": 1}, ""), ({"graph": "echo", "thread_id": 5}, "/thread_id"),
    ({"graph": "echo", "thread_id": ""}, "/thread_id"),
    ({"graph": "echo", "thread_id": "C" * 256}, "/thread_id"),
    ({"graph": "echo", "metadata": "CANARY"}, "/metadata"),
    ({"graph": "echo", "metadata": None}, "/metadata"),
]  # fmt: skip


def nested(levels: int, kind: str) -> bytes:
    """A submit's body with so many levels, its own two included."""
    inner = levels - 2
    box = (b"[" * inner + b"]" * inner) if kind == "list" else (b'{"a":' * inner + b"1" + b"}" * inner)
    return b'{"graph":"echo","input":{"tree":' + box + b"}}"


async def test_a_body_over_a_mebibyte(watched: Watched) -> None:
    """413 before it's read; one byte less is."""
    async with watched.redis.none():
        for size in (MIB + 1, 3 * MIB):
            check(await ask(watched.pod, "POST", "/tasks", JSON, b"x" * size), 413, "too_large")
        check(await ask(watched.pod, "POST", "/tasks", JSON, b"x" * MIB), 400, "invalid_json")


async def test_a_body_that_is_not_json(watched: Watched) -> None:
    """Strictly RFC 8259 in UTF-8: what one parser takes and another doesn't can't be replayed."""
    async with watched.redis.none():
        for raw in NOT_JSON:
            answer = await ask(watched.pod, "POST", "/tasks", JSON, raw)
            assert answer.status == 400, raw
            check(answer, 400, "invalid_json")


async def test_a_body_over_64_levels_deep(watched: Watched) -> None:
    """The 65th is one too many, and so is any number beyond."""
    for kind in ("list", "dict"):
        async with watched.redis.none():
            for levels in (65, 66, 500, 2000, 100_000):
                check(await ask(watched.pod, "POST", "/tasks", JSON, nested(levels, kind)), 400, "too_deep")
        assert (await ask(watched.pod, "POST", "/tasks", JSON, nested(64, kind))).status == 202


WRONG_TYPES = [
    None, b"", b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data", b"json",
    b"CANARY", b"application/json; charset=utf-16",
]  # fmt: skip


async def test_a_wrong_content_type(watched: Watched) -> None:
    """A form that a foreign page can send without asking is no JSON request."""
    async with watched.redis.none():
        for kind in WRONG_TYPES:
            headers = {} if kind is None else {b"Content-Type": kind}
            answer = await ask(watched.pod, "POST", "/tasks", headers, b'{"graph":"echo"}')
            check(answer, 415, "unsupported_media_type")


async def test_a_right_content_type(watched: Watched) -> None:
    """In whatever case, and with a parameter."""
    for kind in (b"Application/JSON; charset=utf-8", b"application/json;charset=UTF-8"):
        answer = await ask(watched.pod, "POST", "/tasks", {b"Content-Type": kind}, b'{"graph":"echo"}')
        assert answer.status == 202


async def test_a_body_of_another_shape(watched: Watched) -> None:
    """An extra field or a wrong type is told by its path; a name the client made up isn't repeated."""
    async with watched.redis.none():
        for body, path in WRONG_SHAPES:
            answer = await ask(watched.pod, "POST", "/tasks", JSON, orjson.dumps(body))
            check(answer, 422, "invalid_request")
            assert [item["path"] for item in answer.problem()["errors"]] == [path], body


async def test_an_unknown_graph(watched: Watched) -> None:
    """404 with the names there are."""
    answer = await ask(watched.pod, "POST", "/tasks", JSON, b'{"graph":"CANARY"}')
    check(answer, 404, "graph_not_found")
    assert answer.problem()["graphs"] == ["echo"]


async def test_an_input_that_fails_its_schema(watched: Watched) -> None:
    """422 with the paths that fail."""
    body = b'{"graph":"echo","input":{"count":-1,"text":["CANARY"],"rows":[{"name":1},{"CANARY":2}]}}'
    answer = await ask(watched.pod, "POST", "/tasks", JSON, body)
    check(answer, 422, "invalid_input")
    assert {item["path"] for item in answer.problem()["errors"]} == {"/count", "/text", "/rows/1"}


async def test_an_idempotency_key_again(watched: Watched) -> None:
    """With the same body 202, the same task and a header that says so; with another body 422."""
    headers = {**JSON, b"Idempotency-Key": b"CANARY"}
    answers = [await ask(watched.pod, "POST", "/tasks", headers, b'{"graph":"echo"}') for _ in range(2)]
    assert [answer.status for answer in answers] == [202, 202]
    assert [answer.all(b"idempotent-replayed") for answer in answers] == [[], [b"true"]]
    assert answers[0].one(b"location") == answers[1].one(b"location")
    other = await ask(watched.pod, "POST", "/tasks", headers, b'{"graph":"echo","input":{"count":1}}')
    check(other, 422, "key_reused")


async def test_a_wrong_idempotency_key(watched: Watched) -> None:
    """It has 1 to 255 printable characters of ASCII."""
    for key in (b"", b"CANARY" * 50, b"\xff\xfe", b"a\tb"):
        headers = {**JSON, b"Idempotency-Key": key}
        check(await ask(watched.pod, "POST", "/tasks", headers, b'{"graph":"echo"}'), 422, "invalid_key")
    two = [(b"Idempotency-Key", b"a"), (b"Idempotency-Key", b"b")]
    both = await watched.pod.client.post("/tasks", headers=two, json={"graph": "echo"})
    assert (both.status_code, both.json()["code"]) == (422, "invalid_key")
    assert (await watched.pod.client.get("/tasks")).json()["tasks"] == [], "nothing was made"


async def test_a_full_queue(settings: Settings, redis: Redis, keys: Keys) -> None:
    """503 with the time to try again at, or for a browser's stream 200, `retry:` and the end."""
    await GraphDirectory(redis, keys).announce([ECHO])
    async with running_pod(settings.model_copy(update={"max_queued": 1})) as pod:
        body = b'{"graph":"echo"}'
        assert (await ask(pod, "POST", "/tasks", JSON, body)).status == 202
        answer = await ask(pod, "POST", "/tasks", JSON, body)
        check(answer, 503, "queue_full", frozenset({b"retry-after"}))
        assert int(answer.one(b"retry-after")) > 0
        browser = await ask(pod, "POST", "/tasks", {**JSON, b"Accept": b"text/event-stream"}, body)
        assert browser.status == 200
        assert browser.body.startswith(b"retry: ")


async def history(pod: RunningPod, graph: str, **given: Any) -> list[dict[str, Any]]:
    """What a task told until it ended."""
    task_id = await pod.submit(graph, **given)
    return [event.json() for event in await pod.stream(task_id)]


async def test_an_event_that_no_log_takes(pod: RunningPod, settings: Settings) -> None:
    """Over 256 KiB, NaN or a lone surrogate: it becomes `progress {dropped: true …}`; the task goes on."""
    async with running_worker(settings, SPECS):
        events = await history(pod, "spilling")
    dropped = [event["data"] for event in events if event["data"].get("dropped")]
    assert len(dropped) == 3
    assert all({"dropped", "dropped_type", "reason", "bytes"} <= data.keys() for data in dropped)
    assert dropped[0]["bytes"] > 300_000
    assert events[-1]["type"] == "task.succeeded"


@pytest.mark.parametrize(("limit", "few"), [("MAX_EVENTS", 20), ("MAX_LOG_BYTES", 2000)])
async def test_a_task_that_writes_too_much(
    pod: RunningPod, settings: Settings, monkeypatch: pytest.MonkeyPatch, limit: str, few: int
) -> None:
    """Over 100,000 events or 64 MiB: `task.failed {code: quota_exceeded}`; here fewer, to be done sooner."""
    assert (writer.MAX_EVENTS, writer.MAX_LOG_BYTES) == (100_000, 64 * MIB)
    monkeypatch.setattr(writer, limit, few)
    async with running_worker(settings, SPECS):
        events = await history(pod, "counting", input={"count": 100})
    assert events[-1]["type"] == "task.failed"
    assert events[-1]["data"]["code"] == "quota_exceeded"
    assert len(events) < 100
