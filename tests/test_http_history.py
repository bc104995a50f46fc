"""GET /tasks/{id}/events: history in pages and in lines, the same bytes in both."""

from __future__ import annotations

from typing import Any

import pytest

from events.append import Appender
from events.model import Event, EventId, EventType
from events.position import Located
from events.tasks import TaskStore
from tests.support.http import code
from tests.support.logs import SUCCEEDED, attempt, entries, ids, lose, numbered, plant, seal
from tests.support.pods import RunningPod

LINES = {"Accept": "application/x-ndjson"}


@pytest.fixture
async def sealed(tasks: TaskStore, task_id: str) -> str:
    """A task with the log 0-1, 1-2 … 1-11, sealed by 1-12."""
    await plant(tasks.log, task_id, ids("1-2", "1-11"))
    await seal(tasks, task_id, "1-12")
    return task_id


@pytest.fixture
async def twice(tasks: TaskStore, appender: Appender, task_id: str) -> str:
    """A task whose second attempt did the unfinished node of the first one again.

    0-1, 1-2 started, 1-3 1-4 a finished node, 1-5 1-6 an unfinished one, 2-7 started, 2-8 2-9 it again, 2-10.
    """
    one, two = [Event(EventType.NODE_STARTED, {}, node, 8 * node) for node in ("a", "b")]
    done = [Event(EventType.NODE_COMPLETED, {"update": {}}, node) for node in ("a", "b")]
    await attempt(
        tasks, appender, task_id, [one, done[0], two, Event(EventType.MESSAGE_DELTA, {"text": "he"})]
    )
    await attempt(tasks, appender, task_id, [two, done[1], SUCCEEDED], supersedes=[5, 6])
    return task_id


async def page(pod: RunningPod, task_id: str, **params: Any) -> dict[str, Any]:
    """A page of history."""
    answer = await pod.client.get(f"/tasks/{task_id}/events", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def seqs(pod: RunningPod, task_id: str, **params: Any) -> list[int]:
    """The seqs on a page of history."""
    return [event["seq"] for event in (await page(pod, task_id, **params))["events"]]


async def test_history_is_paged(pod: RunningPod, sealed: str) -> None:
    """`next` of a page is the next one's `after`; it's null when there is no more."""
    found: list[int] = []
    after, ends = "", list[str | None]()
    while True:
        body = await page(pod, sealed, after=after, limit=5)
        assert body["sealed"] is True
        found += [event["seq"] for event in body["events"]]
        ends.append(body["next"])
        if body["next"] is None:
            break
        after = body["next"]
    assert found == list(range(1, 13))
    assert ends == ["1-5", "1-10", None]


async def test_a_page_that_ends_with_the_log_is_the_last(pod: RunningPod, sealed: str) -> None:
    """Nobody is sent for an empty page; after the end there is one."""
    assert (await page(pod, sealed, limit=12))["next"] is None
    assert (await page(pod, sealed, limit=11))["next"] == "1-11"
    assert await page(pod, sealed, after="1-12") == {"events": [], "next": None, "sealed": True}


async def test_a_live_log_is_not_sealed(pod: RunningPod, task_id: str) -> None:
    """It may grow, so its pages have no ETag and no cache may keep them."""
    answer = await pod.client.get(f"/tasks/{task_id}/events", headers={"If-None-Match": "*"})
    assert answer.status_code == 200
    assert answer.json()["sealed"] is False
    assert "etag" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


async def test_a_sealed_page_is_sent_once(pod: RunningPod, other_pod: RunningPod, sealed: str) -> None:
    """Its ETag is the same at every pod, differs by page, and saves the body the next time."""
    path = f"/tasks/{sealed}/events"
    first = await pod.client.get(path, params={"limit": 5})
    etag = first.headers["etag"]
    assert etag[0] == etag[-1] == '"'
    for known in (etag, f'"other", {etag}', f"W/{etag}"):
        again = await other_pod.client.get(path, params={"limit": 5}, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b""), known
        assert again.headers["etag"] == etag
    for other in ({"limit": 6}, {"limit": 5, "after": "1-2"}, {"limit": 5, "types": "progress"}):
        answer = await pod.client.get(path, params=other, headers={"If-None-Match": etag})
        assert answer.status_code == 200, other
    fresh = await pod.client.get(path, params={"limit": 5}, headers={"If-None-Match": '"other"'})
    assert fresh.content == first.content


async def test_a_page_holds_the_logs_own_bytes(pod: RunningPod, tasks: TaskStore, sealed: str) -> None:
    """Nothing is decoded and encoded again on the way."""
    answer = await pod.client.get(f"/tasks/{sealed}/events", params={"limit": 1000})
    documents = [entry.document for entry in await entries(tasks.log, sealed)]
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == b'{"events":[' + b",".join(documents) + b'],"next":null,"sealed":true}'


async def test_lines_are_the_pages_bytes(pod: RunningPod, tasks: TaskStore, task_id: str) -> None:
    """One event a line, the whole rest, over as many reads as it takes; `limit` is for pages."""
    await plant(tasks.log, task_id, ids("1-2", "1-2200"))
    answer = await pod.client.get(f"/tasks/{task_id}/events?limit=1", headers=LINES)
    assert answer.headers["content-type"].partition(";")[0] == "application/x-ndjson"
    assert answer.content.endswith(b"}\n")
    lines, pages, after = answer.content.splitlines(), list[bytes](), ""
    while after is not None:
        params = {"after": after, "limit": 1000}
        body = await pod.client.get(f"/tasks/{task_id}/events", params=params)
        taken = lines[len(pages) :][:1000]
        assert body.content.startswith(b'{"events":[' + b",".join(taken) + b'],"next":')
        pages += taken
        after = body.json()["next"]
    assert pages == lines == [entry.document for entry in await entries(tasks.log, task_id)]


async def test_lines_take_the_same_questions(pod: RunningPod, twice: str) -> None:
    """Where to start, which types, which attempts."""

    async def lines(**params: Any) -> bytes:
        return (await pod.client.get(f"/tasks/{twice}/events", params=params, headers=LINES)).content

    everything = (await lines()).splitlines(keepends=True)
    assert len(everything) == 10
    assert await lines(after="1-6") == b"".join(everything[6:])
    assert await lines(after="2-10") == b""
    assert await lines(types="task.succeeded") == everything[9]
    assert await lines(attempts="final") == b"".join(everything[:4] + everything[6:])
    assert await lines(attempts="final", after="1-4", types="node.started") == everything[7]


async def test_only_some_types(pod: RunningPod, twice: str) -> None:
    """Pages are filled with what is wanted, however much lies between."""
    assert await seqs(pod, twice, types="node.started") == [3, 5, 8]
    assert await seqs(pod, twice, types="attempt.started,task.succeeded") == [2, 7, 10]
    assert await seqs(pod, twice, types="task.failed") == []
    first = await page(pod, twice, types="node.started", limit=2)
    assert first["next"] == "1-5"
    last = await page(pod, twice, types="node.started", limit=2, after=first["next"])
    assert ([event["seq"] for event in last["events"]], last["next"]) == ([8], None)


async def test_only_what_holds(pod: RunningPod, twice: str) -> None:
    """`attempts=final` leaves out what a later attempt did again, and nothing else."""
    assert await seqs(pod, twice) == list(range(1, 11))
    assert await seqs(pod, twice, attempts="all") == list(range(1, 11))
    assert await seqs(pod, twice, attempts="final") == [1, 2, 3, 4, 7, 8, 9, 10]
    assert await seqs(pod, twice, attempts="final", after="1-4", limit=2) == [7, 8]
    assert await seqs(pod, twice, attempts="final", types="node.started") == [3, 8]


async def test_a_superseded_event_stays_superseded(
    pod: RunningPod, tasks: TaskStore, appender: Appender, task_id: str
) -> None:
    """Each of several attempts names what it does again; all of them count."""
    await attempt(tasks, appender, task_id, numbered(2))
    await attempt(tasks, appender, task_id, numbered(1), supersedes=[3, 4])
    await attempt(tasks, appender, task_id, [*numbered(1), SUCCEEDED], supersedes=[6])
    assert await seqs(pod, task_id, attempts="final") == [1, 2, 5, 7, 8, 9]


async def test_history_takes_only_what_it_says(pod: RunningPod, sealed: str) -> None:
    """A wrong limit, type or choice is a 422 that doesn't repeat it."""
    for params in (
        {"limit": "0"}, {"limit": "1001"}, {"limit": "abc"}, {"limit": "1.5"}, {"limit": ""},
        {"types": "CANARY"}, {"types": ""}, {"types": "progress,"}, {"types": "progress,CANARY"},
        {"attempts": "CANARY"}, {"attempts": ""},
    ):  # fmt: skip
        answer = await pod.client.get(f"/tasks/{sealed}/events", params=params)
        assert code(answer) == (422, "invalid_request"), params
        assert "CANARY" not in answer.text


async def test_history_comes_as_json_or_lines(pod: RunningPod, sealed: str) -> None:
    """The client chooses; what it can't have is a 406."""
    for accept, kind in (
        ("application/json", "application/json"),
        ("application/x-ndjson;q=0.5, application/json;q=0.4", "application/x-ndjson"),
        ("application/x-ndjson;q=0.4, */*;q=0.5", "application/json"),
    ):
        answer = await pod.client.get(f"/tasks/{sealed}/events", headers={"Accept": accept})
        assert answer.headers["content-type"].partition(";")[0] == kind, accept
    for accept in ("text/event-stream", "text/html", "application/json;q=0, application/x-ndjson;q=0"):
        answer = await pod.client.get(f"/tasks/{sealed}/events", headers={"Accept": accept})
        assert code(answer) == (406, "not_acceptable"), accept


async def test_history_goes_over_holes(pod: RunningPod, tasks: TaskStore, sealed: str) -> None:
    """What Redis lost can't be shown; seq tells a reader that it's missing."""
    await lose(tasks.log, sealed, ids("1-4", "1-7"))
    assert await seqs(pod, sealed, limit=5) == [1, 2, 3, 8, 9]
    assert await seqs(pod, sealed, after="1-5") == [8, 9, 10, 11, 12]


async def test_a_cursor_ahead_of_the_end_has_nothing_after_it(pod: RunningPod, sealed: str) -> None:
    """Up to the largest there is."""
    for after in ("7-7", f"{2**64 - 1}-{2**64 - 1}"):
        assert await page(pod, sealed, after=after) == {"events": [], "next": None, "sealed": True}
        answer = await pod.client.get(f"/tasks/{sealed}/events", params={"after": after}, headers=LINES)
        assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("attempts", ["final", "all"])
async def test_a_log_that_expires_while_it_is_read_is_gone(
    pod: RunningPod, sealed: str, monkeypatch: pytest.MonkeyPatch, attempts: str
) -> None:
    """It was there a moment ago; that's no fault of the pod's."""
    log = pod.pod.log
    locate = log.locate

    async def late(task_id: str, position: EventId) -> Located:
        located = await locate(task_id, position)
        await log.redis.delete(log.keys.log(task_id))
        return located

    monkeypatch.setattr(log, "locate", late)
    answer = await pod.client.get(f"/tasks/{sealed}/events", params={"attempts": attempts})
    assert (answer.status_code, code(answer)[1]) == (410, "log_expired")
