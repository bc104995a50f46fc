"""Bad input, row by row of the protocol's table: what a request asks for, and whether Redis was asked."""

from __future__ import annotations

from urllib.parse import quote

from uuid_utils import uuid7

from events.log import EventLog
from events.model import EventType
from events.settings import Auth, Settings
from events.tasks import TaskStore
from tests.edge.conftest import Watched
from tests.support.answers import Answer
from tests.support.asking import JSON, ask
from tests.support.logs import ids, plant, seal
from tests.support.pods import RunningPod, running_pod

TASK = "/tasks/0190b3a0-0000-7000-8000-000000000000"
BROWSER = {b"Accept": b"text/event-stream"}

CURSORS = [
    "abc", "1-", "-1", "-", "1", "0", "1-2-3", "1--2", "+1-2", "1-+2", "1_0-2", "1.0-2", "0x1-2", "1e3-2",
    "01-2", "1-02", "1-2\t3", "1 -2", "*", "$", "+", "(1-2", "CANARY", "٣-٤", "1\u20112", "é",
    f"{2**64}-1", f"1-{2**64}", f"{2**64 + 1}-0", "9" * 20 + "-1", "1-" + "1" * 63, "1" * 65,
    "1-2" + " " * 65 + "3",
]  # fmt: skip
RAW_CURSORS = [b"\xff\xfe", b"1-\xb2", b"\xc3\xa9", b"\xd9\xa3-\xd9\xa4", b"1-2\xa0"]

NO_TASKS = [
    "none", "1", "0190b3a0", "0190b3a0-0000-7000-8000-00000000000", "0190b3a0-0000-7000-8000-0000000000000",
    "0190B3A0-0000-7000-8000-000000000000", "0190b3a0000070008000000000000000",
    "%7B0190b3a0-0000-7000-8000-000000000000%7D", "urn:uuid:0190b3a0-0000-7000-8000-000000000000",
    "0190b3a0-0000-7000-8000-00000000000g", "0190b3a0-0000-7000-8000-000000000000%00",
    "0190b3a0-0000-7000-8000-000000000000%0a", "%20", "CANARY", "%F0%9F%92%A9", "..",
]  # fmt: skip


def check(answer: Answer, status: int, code: str, more: frozenset[bytes] = frozenset()) -> None:
    """The problem with exactly the headers that every one has, and these."""
    assert answer.code() == (status, code), answer
    assert {name for name, _ in answer.headers} == more | {
        b"date", b"content-type", b"content-length", b"connection", b"x-request-id",
        b"x-content-type-options", b"referrer-policy", b"cross-origin-resource-policy",
        b"content-security-policy",
    }  # fmt: skip
    assert b"CANARY" not in answer.body


async def test_a_wrong_cursor(watched: Watched) -> None:
    """By header, by query and as `after` of history, for clients of every kind: one answer for all."""
    async with watched.redis.none():
        for cursor in CURSORS:
            answers = await _tried(watched.pod, cursor)
            for answer in answers:
                check(answer, 400, "invalid_cursor")
            assert len({answer.problem()["detail"] for answer in answers}) == 1
            head = await ask(watched.pod, "HEAD", f"{TASK}/stream", {b"Last-Event-ID": cursor.encode()})
            assert head.status == 400, cursor


async def _tried(pod: RunningPod, cursor: str) -> list[Answer]:
    header, query = {b"Last-Event-ID": cursor.encode()}, quote(cursor, safe="")
    lines = {b"Accept": b"application/x-ndjson"}
    return [
        await ask(pod, "GET", f"{TASK}/stream", header),
        await ask(pod, "GET", f"{TASK}/stream", {**header, **BROWSER}),
        await ask(pod, "GET", f"{TASK}/stream?last_event_id=1-2", header),
        await ask(pod, "GET", f"{TASK}/stream?last_event_id={query}", BROWSER),
        await ask(pod, "GET", f"{TASK}/events?after={query}"),
        await ask(pod, "GET", f"{TASK}/events?after={query}", lines),
    ]


async def test_a_cursor_that_is_no_text(watched: Watched) -> None:
    """A header may hold any byte but control characters; those end at the server itself."""
    async with watched.redis.none():
        for cursor in RAW_CURSORS:
            answer = await ask(watched.pod, "GET", f"{TASK}/stream", {b"Last-Event-ID": cursor})
            check(answer, 400, "invalid_cursor")
        for control in (b"\x00", b"\x7f", b"\x1b"):
            answer = await ask(watched.pod, "GET", f"{TASK}/stream", {b"Last-Event-ID": b"1-2" + control})
            check(answer, 400, "bad_request")


async def test_a_right_cursor_asks_redis(watched: Watched) -> None:
    """So that the tests above are some: what isn't refused gets as far as the log."""
    for cursor in (b"0-0", b"1-57", b"%d-%d" % (2**64 - 1, 2**64 - 1), b""):
        before = await watched.redis.count()
        answer = await ask(watched.pod, "GET", f"{TASK}/stream", {b"Last-Event-ID": cursor})
        check(answer, 404, "task_not_found")
        assert await watched.redis.count() > before


async def test_header_and_query_differ(
    pod: RunningPod, log: EventLog, tasks: TaskStore, task_id: str
) -> None:
    """The header wins; an empty one is none, and without a query the stream is from the start."""
    await plant(log, task_id, ids("1-2", "1-5"))
    await seal(tasks, task_id, "1-6")
    everything = ["0-1", *ids("1-2", "1-6")]
    for header, query, expected in (
        (b"1-5", "1-3", ["1-6"]),
        (b"1-5", "abc", ["1-6"]),
        (b"", "1-5", ["1-6"]),
        (b"", "", everything),
    ):
        target = f"/tasks/{task_id}/stream" + (f"?last_event_id={query}" if query else "")
        answer = await ask(pod, "GET", target, {b"Last-Event-ID": header})
        assert answer.status == 200
        found = [line[4:].decode() for line in answer.body.split(b"\n") if line.startswith(b"id: ")]
        assert found == expected, (header, query)


async def test_a_task_id_that_is_no_uuid(watched: Watched) -> None:
    """404, as for a task that never was; no other string was ever a task's id."""
    async with watched.redis.none():
        for task_id in NO_TASKS:
            for method, path in (("GET", ""), ("GET", "/events"), ("GET", "/stream"), ("POST", "/cancel")):
                check(await ask(watched.pod, method, f"/tasks/{task_id}{path}"), 404, "task_not_found")
            answer = await ask(watched.pod, "POST", f"/tasks/{task_id}/resume", JSON, b'{"value":1}')
            check(answer, 404, "task_not_found")


OUT_OF_BOUNDS = [
    *(f"/tasks?limit={limit}" for limit in ("0", "1001", "-1", "1.5", "CANARY", "", "1e2", "9" * 30, "x٣")),
    *(f"{TASK}/events?limit={limit}" for limit in ("0", "1001", "-1", "1.5", "CANARY", "", "9" * 30)),
    *(f"{TASK}/events?types={types}" for types in ("", "CANARY", "progress,", "PROGRESS", "progress;x")),
    *(f"{TASK}/events?attempts={attempts}" for attempts in ("", "CANARY", "1", "FINAL")),
    *(f"/tasks?status={status}" for status in ("", "CANARY", "QUEUED", "queued,running")),
    *(f"{TASK}/stream?from={start}" for start in ("", "CANARY", "NOW", "-0", "3", "+3", "-1.5", "-9999999")),
    *(f"{TASK}/stream?on_disconnect={what}" for what in ("", "CANARY", "CANCEL")),
]


async def test_a_query_that_is_out_of_bounds(watched: Watched) -> None:
    """`limit` outside 1 to 1000, unknown `types`, and their like: 422."""
    async with watched.redis.none():
        for target in OUT_OF_BOUNDS:
            answer = await ask(watched.pod, "GET", quote(target, safe="/?=&+,;"))
            assert answer.status == 422, target
            check(answer, 422, "invalid_request")


async def test_a_query_within_bounds(pod: RunningPod, task_id: str) -> None:
    """The outermost values there are."""
    types = ",".join(EventType)
    for query in ("limit=1", "limit=1000", f"types={types}", "attempts=final", "attempts=all"):
        assert (await ask(pod, "GET", f"/tasks/{task_id}/events?{query}")).status == 200, query


async def test_an_accept_that_excludes_what_is_offered(watched: Watched) -> None:
    """406 with what there is, on every route that has a choice, and the submit makes nothing."""
    pod = watched.pod
    async with watched.redis.none():
        for accept in (b"text/html", b"application/xml, image/*", b"*/*;q=0", b"CANARY"):
            header = {b"Accept": accept}
            for target in ("/tasks", TASK, f"{TASK}/events", f"{TASK}/stream", "/graphs", "/graphs/echo"):
                check(await ask(pod, "GET", target, header), 406, "not_acceptable")
            check(await ask(pod, "POST", "/tasks", {**JSON, **header}, b"{}"), 406, "not_acceptable")
        for target, kind in ((f"{TASK}/stream", b"application/json"), ("/tasks", b"text/event-stream")):
            check(await ask(pod, "GET", target, {b"Accept": kind}), 406, "not_acceptable")


async def test_head_on_a_stream(pod: RunningPod, task_id: str) -> None:
    """200 and the headers of the stream, at once, on a live log as well; and no stream is opened."""
    answer = await ask(pod, "HEAD", f"/tasks/{task_id}/stream")
    assert answer.status == 200
    assert answer.one(b"content-type").startswith(b"text/event-stream")
    assert answer.one(b"cache-control") == b"no-store"
    assert answer.one(b"x-accel-buffering") == b"no"
    answer.check_manners()
    assert len(pod.pod.streams) == 0
    assert (await ask(pod, "HEAD", f"/tasks/{uuid7()}/stream")).status == 404


async def test_a_missing_or_wrong_credential(settings: Settings) -> None:
    """401 with the challenge, for browsers' streams too, before anything else about the request counts."""
    realm = b'Bearer realm="taskreel"'
    async with running_pod(settings.model_copy(update={"auth": Auth.KEYS})) as pod:
        for credential in (None, b"Bearer CANARY", b"Bearer", b"Basic Q0FOQVJZ", b""):
            headers = BROWSER if credential is None else {**BROWSER, b"Authorization": credential}
            for method, target in (
                ("GET", "/tasks"),
                ("POST", "/tasks"),
                ("GET", f"{TASK}/stream"),
                ("PUT", "/x"),
            ):
                answer = await ask(pod, method, target, headers)
                check(answer, 401, "unauthenticated", frozenset({b"www-authenticate"}))
                wrong = b"" if credential is None else b', error="invalid_token"'
                assert answer.one(b"www-authenticate") == realm + wrong
