"""GET /tasks/{id}/stream: what a client sees of a healthy log, byte for byte."""

from __future__ import annotations

import asyncio

import pytest
from uuid_utils import uuid7

from events.append import Appender
from events.log import EventLog
from events.settings import Settings
from events.tasks import TaskStore
from tests.support.logs import SUCCEEDED, attempt, entries, frames, ids, numbered, plant, seal
from tests.support.pods import RunningPod, running_pod
from tests.support.waiting import wait_until
from tests.support.wire import EVENT_STREAM, after_retry, exchange, listen

SPEC_DOCUMENT = (
    b'{"seq":7,"attempt":1,"type":"node.completed","ts":"2026-11-21T02:46:38.123Z",'
    b'"node":"plan","run":"cb7a5eab","data":{}}'
)


def seen(body: bytes) -> list[str]:
    """The ids in a stream's body."""
    return [line[4:].decode() for line in body.split(b"\n") if line.startswith(b"id: ")]


@pytest.fixture
async def sealed(tasks: TaskStore, log: EventLog, task_id: str) -> str:
    """A task with the log 0-1, 1-2 … 1-11, sealed by 1-12."""
    await plant(log, task_id, ids("1-2", "1-11"))
    await seal(tasks, task_id, "1-12")
    return task_id


async def test_a_stream_has_the_headers_that_keep_proxies_out_of_its_way(
    pod: RunningPod, sealed: str
) -> None:
    """The type is SSE; it is neither stored by a cache nor buffered by nginx."""
    answer = await pod.client.get(f"/tasks/{sealed}/stream")
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == "text/event-stream"
    assert answer.headers.get_list("cache-control") == ["no-store"]
    assert answer.headers.get_list("x-accel-buffering") == ["no"]
    assert answer.headers.get_list("connection") == ["close"]


async def test_a_whole_log_is_streamed_byte_for_byte(pod: RunningPod, log: EventLog, sealed: str) -> None:
    """One `retry:` within 1 to 3 s, then each entry as the log holds it, and the end after the terminal."""
    assert after_retry(await pod.raw(sealed)) == frames(await entries(log, sealed))


async def test_a_frame_looks_as_in_the_protocol(pod: RunningPod, log: EventLog, task_id: str) -> None:
    """The example of the protocol's own page, whole."""
    await plant(log, task_id, ids("1-2", "1-6"))
    fields = {"type": b"node.completed", "event": SPEC_DOCUMENT}
    await log.redis.xadd(log.keys.log(task_id), {**fields}, id="1-7")
    async with listen(pod, task_id, "1-6") as wire:
        body = after_retry(await wire.until(b"}\n\n"))
    assert body == b"id: 1-7\nevent: node.completed\ndata: " + SPEC_DOCUMENT + b"\n\n"


async def test_history_and_live_are_one_stream(
    pod: RunningPod, tasks: TaskStore, log: EventLog, task_id: str
) -> None:
    """What was there, what comes, each once and in order; the terminal event ends it."""
    await plant(log, task_id, ids("1-2", "1-3"))
    async with listen(pod, task_id) as wire:
        await wire.until(b"id: 1-3\n")
        await plant(log, task_id, ids("1-4", "1-6"))
        await wire.until(b"id: 1-6\n")
        await plant(log, task_id, ids("2-7", "2-8"))
        await seal(tasks, task_id, "2-9")
        body = after_retry(await wire.rest())
    assert body == frames(await entries(log, task_id))


async def test_a_long_history_comes_whole(
    pod: RunningPod, tasks: TaskStore, log: EventLog, task_id: str
) -> None:
    """More than the pod reads at a time, with nothing lost or doubled where the reads meet."""
    await plant(log, task_id, ids("1-2", "1-2500"))
    await seal(tasks, task_id, "1-2501")
    assert after_retry(await pod.raw(task_id)) == frames(await entries(log, task_id))


async def test_every_pod_tells_the_same(pod: RunningPod, other_pod: RunningPod, sealed: str) -> None:
    """A client may go on at another pod."""
    assert after_retry(await pod.raw(sealed, "1-7")) == after_retry(await other_pod.raw(sealed, "1-7"))


async def test_a_workers_attempts_are_streamed(
    pod: RunningPod, tasks: TaskStore, appender: Appender, task_id: str
) -> None:
    """Ids name the attempt and go on densely over the joint of two."""
    await attempt(tasks, appender, task_id, numbered(2))
    await attempt(tasks, appender, task_id, [*numbered(1), SUCCEEDED], supersedes=[3, 4])
    events = await pod.stream(task_id)
    assert [event.id for event in events] == ["0-1", "1-2", "1-3", "1-4", "2-5", "2-6", "2-7"]
    assert events[4].event == "attempt.started"
    assert events[4].json()["data"]["supersedes"] == [3, 4]


async def test_the_cursor_comes_by_header_or_query_and_the_header_wins(pod: RunningPod, sealed: str) -> None:
    """EventSource sends the header on its own; a page that opens one anew has only the query."""
    everything = ["0-1", *ids("1-2", "1-12")]

    async def rest(header: str | None, query: str | None) -> list[str]:
        headers = {} if header is None else {"Last-Event-ID": header}
        params = {} if query is None else {"last_event_id": query}
        answer = await pod.client.get(f"/tasks/{sealed}/stream", headers=headers, params=params)
        return seen(answer.content)

    assert await rest(None, None) == everything
    assert await rest("", None) == everything
    assert await rest(None, "") == everything
    assert await rest("1-10", None) == ["1-11", "1-12"]
    assert await rest(None, "1-10") == ["1-11", "1-12"]
    assert await rest("1-10", "1-3") == ["1-11", "1-12"]
    assert await rest("", "1-10") == ["1-11", "1-12"]


async def test_cursors_compare_as_numbers(pod: RunningPod, sealed: str) -> None:
    """As text 1-10 lies before 1-9."""
    assert seen(await pod.raw(sealed, "1-9")) == ["1-10", "1-11", "1-12"]


async def test_from_now_skips_history(pod: RunningPod, log: EventLog, task_id: str) -> None:
    """Only what comes later is sent."""
    await plant(log, task_id, ids("1-2", "1-5"))
    async with listen(pod, task_id, params={"from": "now"}) as wire:
        await wire.until(b"retry:")
        await plant(log, task_id, ["1-6"])
        assert seen(await wire.until(b"id: 1-6\n")) == ["1-6"]


async def test_from_counts_back_from_the_end(pod: RunningPod, sealed: str) -> None:
    """So many events before the end, or all there are."""
    path = f"/tasks/{sealed}/stream"
    assert seen((await pod.client.get(path, params={"from": "-3"})).content) == ids("1-10", "1-12")
    assert seen((await pod.client.get(path, params={"from": "-20"})).content) == ["0-1", *ids("1-2", "1-12")]


async def test_from_takes_nothing_else(pod: RunningPod, sealed: str) -> None:
    """A wrong `from` is refused with what it takes, and isn't repeated."""
    wrong = ["", "yesterday", "NOW", "-0", "3", "+3", "-1.5", "- 3", "-9999999", "٣", "-٣"]
    path = f"/tasks/{sealed}/stream"
    answers = {word: await pod.client.get(path, params={"from": word}) for word in wrong}
    assert {word: answer.status_code for word, answer in answers.items()} == dict.fromkeys(wrong, 422)
    assert answers["yesterday"].json()["code"] == "invalid_request"
    assert "yesterday" not in answers["yesterday"].text


async def test_a_client_that_has_the_terminal_event_gets_204(pod: RunningPod, sealed: str) -> None:
    """Which makes an EventSource stop; also for one that wants only what comes after the end."""
    path = f"/tasks/{sealed}/stream"
    for headers, params in (
        ({"Last-Event-ID": "1-12"}, {}),
        ({}, {"last_event_id": "1-12"}),
        ({}, {"from": "now"}),
        ({"Last-Event-ID": "1-12", **EVENT_STREAM}, {}),
    ):
        answer = await pod.client.get(path, headers=headers, params=params)
        assert (answer.status_code, answer.content) == (204, b""), (headers, params)


async def test_an_idle_stream_gets_heartbeats(settings: Settings, log: EventLog, task_id: str) -> None:
    """A comment that no client shows keeps proxies from closing an idle connection, and bears no id."""
    quick = settings.model_copy(update={"heartbeat_seconds": 0.3})
    async with running_pod(quick) as pod, listen(pod, task_id) as wire:
        body = after_retry(await wire.until(b"\n\n: hb\n\n: hb\n\n"))
    assert body == frames(await entries(log, task_id)) + b": hb\n\n: hb\n\n"


async def test_head_gets_the_headers_and_no_body(pod: RunningPod, sealed: str, tasks: TaskStore) -> None:
    """It answers at once, on a live log as well, and opens no stream."""
    answer = await pod.client.head(f"/tasks/{sealed}/stream")
    assert answer.headers["content-type"].startswith("text/event-stream")
    head = f"HEAD /tasks/{sealed}/stream HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n"
    raw = await exchange(pod, head.encode())
    assert raw.startswith(b"HTTP/1.1 200")
    assert raw.endswith(b"\r\n\r\n")
    assert raw.count(b"\r\n\r\n") == 1
    assert len(pod.pod.streams) == 0


async def test_head_of_a_live_stream_returns_at_once(pod: RunningPod, task_id: str) -> None:
    """It waits for nothing to happen."""
    async with asyncio.timeout(30):
        answer = await pod.client.head(f"/tasks/{task_id}/stream")
    assert (answer.status_code, answer.content) == (200, b"")
    assert (await pod.client.head(f"/tasks/{uuid7()}/stream")).status_code == 404


async def test_other_methods_get_a_problem(pod: RunningPod, task_id: str) -> None:
    """A stream is only for reading."""
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        answer = await pod.client.request(method, f"/tasks/{task_id}/stream")
        assert answer.status_code in (404, 405), method
        assert answer.headers["content-type"] == "application/problem+json", method


async def test_a_client_that_goes_is_forgotten(pod: RunningPod, task_id: str) -> None:
    """A pod keeps nothing for a connection that is gone."""
    async with listen(pod, task_id) as wire:
        await wire.until(b"id: 0-1\n")
        assert len(pod.pod.streams) == 1
    await wait_until(lambda: len(pod.pod.streams) == 0)
