"""Bad input: each row of the protocol's table. No answer repeats what was sent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from redis.asyncio import Redis
from uuid_utils import uuid7

from events.graphs import GraphDirectory
from events.keys import Keys
from events.settings import Settings
from tests.support.http import ECHO, code, submit
from tests.support.pods import RunningPod, running_pod
from tests.support.server import free_port
from tests.support.wire import EVENT_STREAM, exchange

MIB = 2**20

CURSORS = [
    "abc", "1-", "-1", "-", "1", "0", "1-2-3", "1--2", "+1-2", "1-+2", "1_0-2", "1.0-2", "0x1-2", "1e3-2",
    "01-2", "1-02", "1-2\t3", "1 -2", "*", "$", "+", "(1-2", "CANARY", "٣-٤", "1\u20112", "é",
    f"{2**64}-1", f"1-{2**64}", f"{2**64 + 1}-0", "9" * 20 + "-1", "1-" + "1" * 63, "1" * 65,
    "1-2" + " " * 65 + "3",
]  # fmt: skip

NOT_JSON = [
    b"", b" ", b"{", b'{"graph":"echo"', b"CANARY", b"'echo'", b'{"graph":"echo"}CANARY',
    b'{"graph":"echo",}',
    b"\xef\xbb\xbf{}", b'{"graph":"echo","input":{"x":NaN}}', b'{"graph":"echo","input":{"x":-Infinity}}',
    b'{"graph":"echo","input":{"x":1e999}}', b'{"graph":"echo","input":{"x":"\\ud800"}}',
    b'{"graph":"echo","input":{"\\udc00":1}}', b'{"graph":"echo","input":{"x":"\xff"}}',
    b'{"graph":"echo","input":{"x":"\xed\xa0\x80"}}', '{"graph":"echo"}'.encode("utf-16"),
    b'{"graph":"echo","input":{"x":"CANARY\n"}}', b"{" * 1000,
]  # fmt: skip


@pytest.fixture(autouse=True)
async def graphs(redis: Redis, keys: Keys) -> None:
    """One graph that some worker has announced, and no worker."""
    await GraphDirectory(redis, keys).announce([ECHO])


@pytest.fixture
async def stranded(settings: Settings) -> AsyncGenerator[RunningPod]:
    """A pod that can't ask Redis anything: whatever isn't a 503 was decided without it."""
    nowhere = settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"})
    async with running_pod(nowhere) as pod:
        yield pod


async def test_a_wrong_cursor_is_refused_without_redis(stranded: RunningPod) -> None:
    """By header, by query and as `after` of history, for clients of every kind."""
    task = f"/tasks/{uuid7()}"
    client = stranded.client
    for cursor in CURSORS:
        sent = {b"Last-Event-ID": cursor.encode()}
        answers = [
            await client.get(f"{task}/stream", headers=sent),
            await client.head(f"{task}/stream", headers=sent),
            await client.get(f"{task}/stream", headers={**sent, b"Accept": b"text/event-stream"}),
            await client.get(f"{task}/stream", headers=sent, params={"last_event_id": "1-2"}),
            await client.get(f"{task}/stream", params={"last_event_id": cursor}, headers=EVENT_STREAM),
            await client.get(f"{task}/events", params={"after": cursor}),
        ]
        assert [answer.status_code for answer in answers] == [400] * 6, cursor
        assert code(answers[0]) == (400, "invalid_cursor")
        assert len({_without_id(answer) for answer in answers if answer.content}) == 1, "one answer for all"
        assert b"CANARY" not in answers[0].content


async def test_a_right_cursor_needs_redis(stranded: RunningPod) -> None:
    """So that the test above is one: a cursor that is none of the wrong ones gets as far as the log."""
    for cursor in ("0-0", "1-57", f"{2**64 - 1}-{2**64 - 1}"):
        answer = await stranded.client.get(f"/tasks/{uuid7()}/stream", headers={"Last-Event-ID": cursor})
        assert code(answer) == (503, "log_unavailable")


async def test_bytes_that_are_no_text_are_no_cursor(stranded: RunningPod) -> None:
    """A header may hold any byte but a line break; NUL and control bytes end at the server itself."""
    head = f"GET /tasks/{uuid7()}/stream HTTP/1.1\r\nHost: pod\r\nConnection: close\r\nLast-Event-ID: "
    for raw in (b"\xff\xfe", b"1-\xb2", b"\xc3\xa9", b"\xd9\xa3-\xd9\xa4", b"1-2\xa0", b"1\x002", b"1-2\x7f"):
        answer = await exchange(stranded, head.encode() + raw + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 "), raw
        assert raw not in answer


async def test_a_wrong_submit_is_refused_without_redis(stranded: RunningPod) -> None:
    """What the body alone decides is decided before anything is asked of the log."""
    for raw, expected in (
        (b"{", (400, "invalid_json")),
        (b"x" * (MIB + 1), (413, "too_large")),
        (b'{"graph":1}', (422, "invalid_request")),
    ):
        assert code(await submit(stranded, raw=raw)) == expected


async def test_what_is_not_json_is_refused(pod: RunningPod) -> None:
    """Strictly RFC 8259 in UTF-8: what one parser takes and another doesn't can't be replayed."""
    for raw in NOT_JSON:
        answer = await submit(pod, raw=raw)
        assert code(answer) == (400, "invalid_json"), raw
        assert "CANARY" not in answer.text


def nested(levels: int, kind: str = "list") -> bytes:
    """A submit's body with so many levels, its own two included."""
    inner = levels - 2
    box = (b"[" * inner + b"]" * inner) if kind == "list" else (b'{"a":' * inner + b"1" + b"}" * inner)
    return b'{"graph":"echo","input":{"tree":' + box + b"}}"


async def test_a_body_has_at_most_64_levels(pod: RunningPod) -> None:
    """The 65th is one too many, and so is any number beyond."""
    for kind in ("list", "dict"):
        assert (await submit(pod, raw=nested(64, kind))).status_code == 202, kind
        for levels in (65, 66, 500, 2000, 100_000):
            assert code(await submit(pod, raw=nested(levels, kind))) == (400, "too_deep"), (kind, levels)


async def test_a_body_has_at_most_a_mebibyte(pod: RunningPod) -> None:
    """With a length declared or not; one byte less is read."""
    for size, expected in ((MIB, 400), (MIB + 1, 413), (3 * MIB, 413)):
        assert (await submit(pod, raw=b"x" * size)).status_code == expected, size

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 32_768

    answer = await pod.client.post("/tasks", content=chunks(), headers={"Content-Type": "application/json"})
    assert code(answer) == (413, "too_large")


async def test_a_body_is_declared_as_json(pod: RunningPod) -> None:
    """A form that a foreign page can send without asking is no JSON request."""
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "json",
        "CANARY",
        "",
    ):
        answer = await submit(pod, headers={"Content-Type": kind})
        assert code(answer) == (415, "unsupported_media_type"), kind
        assert "CANARY" not in answer.text
    assert code(await pod.client.post("/tasks", content=b'{"graph":"echo"}')) == (
        415,
        "unsupported_media_type",
    )
    for kind in ("application/json", "Application/JSON; charset=utf-8", "application/json;charset=UTF-8"):
        assert (await submit(pod, headers={"Content-Type": kind})).status_code == 202, kind


async def test_a_submit_has_the_fields_it_has(pod: RunningPod) -> None:
    """An extra field or a wrong type is told by its path; a name the client made up isn't repeated."""
    bodies: list[tuple[Any, str]] = [
        ([], ""), ("CANARY", ""), (None, ""), (1, ""), ({}, "/graph"), ({"graph": None}, "/graph"),
        ({"graph": 7}, "/graph"), ({"graph": ["CANARY"]}, "/graph"), ({"graph": "x" * 201}, "/graph"),
        ({"graph": "echo", "CANARY": 1}, ""), ({"graph": "echo", "thread_id": 5}, "/thread_id"),
        ({"graph": "echo", "thread_id": ""}, "/thread_id"),
        ({"graph": "echo", "thread_id": "C" * 256}, "/thread_id"),
        ({"graph": "echo", "metadata": "CANARY"}, "/metadata"),
        ({"graph": "echo", "metadata": None}, "/metadata"),
    ]  # fmt: skip
    for body, path in bodies:
        answer = await submit(pod, raw=orjson.dumps(body))
        assert code(answer) == (422, "invalid_request"), body
        assert [item["path"] for item in answer.json()["errors"]] == [path], body
        assert "CANARY" not in answer.text


async def test_an_idempotency_key_is_short_and_printable(pod: RunningPod) -> None:
    """Anything else is refused and not repeated."""
    for key in ("", "CANARY" * 50):
        answer = await submit(pod, key)
        assert code(answer) == (422, "invalid_key")
        assert "CANARY" not in answer.text
    sent = {b"Content-Type": b"application/json", b"Idempotency-Key": b"\xff\xfe"}
    answer = await pod.client.post("/tasks", content=b'{"graph":"echo"}', headers=sent)
    assert code(answer) == (422, "invalid_key")
    assert (await submit(pod, "k" * 255)).status_code == 202


async def test_a_client_that_takes_nothing_offered_gets_406(pod: RunningPod, task_id: str) -> None:
    """A submit comes as JSON or SSE, a stream as SSE alone."""
    for accept in ("text/html", "application/xml, image/*", "text/event-stream;q=0"):
        assert code(await submit(pod, headers={"Accept": accept})) == (406, "not_acceptable"), accept
        answer = await pod.client.get(f"/tasks/{task_id}/stream", headers={"Accept": accept})
        assert code(answer) == (406, "not_acceptable"), accept
    stream = await pod.client.get(f"/tasks/{task_id}/stream", headers={"Accept": "application/json"})
    assert code(stream) == (406, "not_acceptable")
    assert (await pod.client.get("/tasks")).json()["tasks"][0]["task_id"] == task_id, "nothing was made"


def _without_id(answer: httpx.Response) -> bytes:
    document = answer.json()
    del document["request_id"]
    return orjson.dumps(document)
