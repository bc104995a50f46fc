"""GET /tasks and GET /tasks/{id}: what there is, what became of it, and what is not there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
from redis.asyncio import Redis
from uuid_utils import uuid4, uuid7

from events.append import Appender
from events.graphs import GraphDirectory
from events.keys import Keys
from events.log import EventLog
from events.model import Event, EventType
from events.state import Submission
from events.tasks import TaskStore
from tests.support.http import ECHO, code
from tests.support.logs import SUCCEEDED, attempt, numbered, seal
from tests.support.pods import RunningPod
from tests.support.waiting import wait_until

FAILED = Event(EventType.TASK_FAILED, {"code": "graph_error", "message": "ValueError: no", "node": "plan"})
ASKED = Event(EventType.TASK_INTERRUPTED, {"interrupts": [{"id": "i1", "value": {"question": "Enough?"}}]})


async def make(tasks: TaskStore, graph: str = "echo", **metadata: Any) -> str:
    """A task that was just submitted."""
    new = str(uuid7())
    await tasks.submit(Submission(new, graph, "default", {}, new, metadata, "2026-11-21T00:00:00.000Z"))
    return new


async def page(pod: RunningPod, **params: Any) -> tuple[list[str], str | None]:
    """The ids on a page of the list, and the next page's cursor."""
    answer = await pod.client.get("/tasks", params=params)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return [task["task_id"] for task in body["tasks"]], body["next"]


async def pages(pod: RunningPod, **params: Any) -> list[list[str]]:
    """All pages of the list."""
    found, cursor = await page(pod, **params)
    all_pages = [found]
    while cursor is not None:
        found, cursor = await page(pod, **params, cursor=cursor)
        all_pages.append(found)
    return all_pages


async def test_tasks_are_listed_newest_first_page_by_page(pod: RunningPod, tasks: TaskStore) -> None:
    """Every task once, however it's paged; a task that comes meanwhile moves no page."""
    made = [await make(tasks) for _ in range(25)]
    newest_first = made[::-1]
    assert await pages(pod) == [newest_first]
    assert await pages(pod, limit=10) == [newest_first[:10], newest_first[10:20], newest_first[20:]]
    assert await pages(pod, limit=25) == [newest_first]
    first, cursor = await page(pod, limit=10)
    newer = await make(tasks)
    second, _ = await page(pod, limit=10, cursor=cursor)
    assert first + second == newest_first[:20]
    assert (await page(pod, limit=1))[0] == [newer]


async def test_tasks_are_listed_by_status_and_graph(
    pod: RunningPod, tasks: TaskStore, appender: Appender
) -> None:
    """A filtered list is paged as the whole is, over all that doesn't match."""
    made = [await make(tasks, "echo" if number % 3 else "digest") for number in range(12)]
    ended, running = made[1], made[4]
    await attempt(tasks, appender, ended, [SUCCEEDED])
    await attempt(tasks, appender, running)
    await tasks.expect(running, 5_000)  # as a worker does after its claim
    assert await pages(pod, graph="digest", limit=3) == [made[9::-3][:3], [made[0]]]
    assert await pages(pod, status="succeeded") == [[ended]]
    assert await pages(pod, status="running", graph="echo") == [[running]]
    assert await pages(pod, status="running", graph="digest") == [[]]
    assert await pages(pod, graph="none") == [[]]
    queued = [task for task in made[::-1] if task not in (ended, running)]
    assert [found for one in await pages(pod, status="queued", limit=1) for found in one] == queued


async def test_a_list_takes_only_what_it_says(pod: RunningPod, tasks: TaskStore) -> None:
    """A wrong limit or status is a 422, a cursor that isn't ours a 400; neither is repeated."""
    await make(tasks)
    for params in (
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "abc"},
        {"limit": "-1"},
        {"status": "CANARY"},
    ):
        answer = await pod.client.get("/tasks", params=params)
        assert code(answer) == (422, "invalid_request"), params
        assert "CANARY" not in answer.text
    for cursor in ("CANARY", "1-57", "é", "=", "AAAA", "\x00", str(uuid7()), "x" * 10_000):
        answer = await pod.client.get("/tasks", params={"cursor": cursor})
        assert code(answer) == (400, "invalid_cursor"), cursor
        assert "CANARY" not in answer.text
    assert (await pod.client.get("/tasks", params={"limit": "1000"})).status_code == 200


async def test_a_task_is_shown_through_its_life(
    pod: RunningPod, tasks: TaskStore, appender: Appender
) -> None:
    """Queued, running, waiting, running again, succeeded: always what the log's end says."""
    task_id = await make(tasks, colour="red")

    async def shown() -> dict[str, Any]:
        return (await pod.client.get(f"/tasks/{task_id}")).json()

    task = await shown()
    assert {"task_id": task_id, "graph": "echo", "status": "queued", "attempt": 0}.items() <= task.items()
    assert (task["first_event_id"], task["last_event_id"]) == ("0-1", "0-1")
    assert (task["started_at"], task["ended_at"]) == (None, None)
    assert task["metadata"] == {"colour": "red"}
    assert task.keys().isdisjoint({"result", "error", "interrupts", "worker"})

    await attempt(tasks, appender, task_id, numbered(2))
    task = await shown()
    assert (task["status"], task["attempt"], task["last_event_id"]) == ("running", 1, "1-4")
    assert task["worker"] == "w1"
    started = task["started_at"]
    assert started

    await attempt(tasks, appender, task_id, [ASKED])
    task = await shown()
    assert (task["status"], task["attempt"]) == ("waiting", 2)
    assert task["interrupts"] == [{"id": "i1", "value": {"question": "Enough?"}}]

    record = tasks.log.keys.task(task_id)
    await tasks.log.redis.execute_command("HSET", record, "answered", task["last_event_id"])
    await attempt(tasks, appender, task_id, [SUCCEEDED])
    task = await shown()
    assert (task["status"], task["last_event_id"]) == ("succeeded", "3-8")
    assert task["result"] == {"answer": 42}
    assert task["started_at"] == started
    assert task["ended_at"] >= started
    assert "interrupts" not in task


async def test_a_failed_task_shows_why(pod: RunningPod, tasks: TaskStore, appender: Appender) -> None:
    """The terminal event's data is the task's error."""
    task_id = await make(tasks)
    await attempt(tasks, appender, task_id, [FAILED])
    task = (await pod.client.get(f"/tasks/{task_id}")).json()
    assert task["status"] == "failed"
    assert task["error"] == {"code": "graph_error", "message": "ValueError: no", "node": "plan"}
    assert "result" not in task


async def test_a_list_has_what_tells_tasks_apart_and_no_results(
    pod: RunningPod, tasks: TaskStore, appender: Appender
) -> None:
    """A result may have 1 MiB; why a task failed and what one asks are told as the task itself does."""
    made = [await make(tasks, colour="red") for _ in range(3)]
    for task_id, last in zip(made, (SUCCEEDED, FAILED, ASKED), strict=True):
        await attempt(tasks, appender, task_id, [last])
    shown = [(await pod.client.get(f"/tasks/{task_id}")).json() for task_id in reversed(made)]
    assert [task.pop("result", None) for task in shown] == [None, None, {"answer": 42}]
    assert (await pod.client.get("/tasks")).json() == {"tasks": shown, "next": None}


async def ask_all(
    pod: RunningPod, task_id: str, headers: Sequence[tuple[str, str]] = ()
) -> list[httpx.Response]:
    """A task asked for in every way."""
    paths = [
        "",
        "/stream",
        "/events",
        "/events?attempts=final&limit=1",
        "/stream?from=now",
        "/stream?from=-5",
    ]
    answers = [await pod.client.get(f"/tasks/{task_id}{path}", headers=[*headers]) for path in paths]
    lines = [*headers, ("Accept", "application/x-ndjson")]
    cursor = [*headers, ("Last-Event-ID", "1-3"), ("Accept", "text/event-stream")]
    return [
        *answers,
        await pod.client.get(f"/tasks/{task_id}/events", headers=lines),
        await pod.client.get(f"/tasks/{task_id}/stream", headers=cursor),
    ]


async def test_what_never_was_is_not_found(pod: RunningPod, task_id: str) -> None:
    """Whatever the id looks like and however it's asked for, the answers are alike to the byte."""
    strange = [
        str(uuid7()), str(uuid4()), task_id.upper(), "CANARY", task_id.replace("-", ""), f"{{{task_id}}}",
        f"{task_id}%0A", "%00", "é", "..%2e", task_id[:-1], "x" * 5000,
    ]  # fmt: skip
    bodies: set[bytes] = set()
    for unknown in strange:
        for answer in await ask_all(pod, unknown, [("X-Request-ID", "same")]):
            assert code(answer) == (404, "task_not_found"), unknown
            bodies.add(answer.content)
    assert len(bodies) == 1
    assert b"CANARY" not in bodies.pop()


async def test_a_log_past_its_retention_is_gone(
    pod: RunningPod, log: EventLog, tasks: TaskStore, task_id: str
) -> None:
    """410, in every way it's asked for: somebody who had the id learns that it isn't a mistake of theirs."""
    await seal(TaskStore(log, retention_seconds=1), task_id, "1-2")

    async def expired() -> bool:
        return not await log.redis.exists(log.keys.log(task_id))

    await wait_until(expired)
    for answer in await ask_all(pod, task_id):
        assert code(answer) == (410, "log_expired"), answer.url
    assert await page(pod) == ([], None)


async def test_graphs_are_listed_and_shown(pod: RunningPod, redis: Redis, keys: Keys) -> None:
    """With their input's schema and drawing; one that isn't there is a 404."""
    assert (await pod.client.get("/graphs")).json() == {"graphs": []}
    await GraphDirectory(redis, keys).announce([ECHO])
    shown = (await pod.client.get("/graphs/echo")).json()
    assert shown["input_schema"] == ECHO.input_schema
    assert shown["mermaid"] == "graph TD;"
    assert (shown["nodes"], shown["edges"], shown["drawing"]) == ([], [], None)
    assert (await pod.client.get("/graphs")).json() == {"graphs": [shown]}
    answer = await pod.client.get("/graphs/CANARY")
    assert code(answer) == (404, "graph_not_found")
    assert "CANARY" not in answer.text


async def test_json_is_all_there_is(pod: RunningPod, redis: Redis, keys: Keys, task_id: str) -> None:
    """An Accept that excludes JSON is answered by 406, whatever was asked for."""
    await GraphDirectory(redis, keys).announce([ECHO])
    paths = ["/tasks", f"/tasks/{task_id}", "/graphs", "/graphs/echo"]

    async def statuses(accept: str) -> dict[str, int]:
        return {path: (await pod.client.get(path, headers={"Accept": accept})).status_code for path in paths}

    for accept in ("application/json", "*/*", "text/html, application/*;q=0.1"):
        assert await statuses(accept) == dict.fromkeys(paths, 200), accept
    for accept in ("text/html", "application/json;q=0", "image/*"):
        assert await statuses(accept) == dict.fromkeys(paths, 406), accept
