"""Lists of tasks by status and graph: quick by hints, and true by the logs."""

from __future__ import annotations

import pytest
from uuid_utils import uuid7

from events.append import Appender
from events.control import TaskControl
from events.hints import hints_key
from events.index import TaskIndex, Wanted
from events.log import EventLog
from events.model import Event, EventType, Status
from events.queue import Dispatcher
from events.state import Submission
from events.tasks import TaskStore
from events.tenancy import DEFAULT
from tests.support.attempts import SUCCESS, open_attempt
from tests.support.logs import attempt
from worker.sweeper import Sweeper

FAILED = Event(EventType.TASK_FAILED, {"code": "graph_error", "message": "no"})
CANCELLED = Event(EventType.TASK_CANCELLED)
ASKED = Event(EventType.TASK_INTERRUPTED, {"interrupts": [{"id": "i1", "value": "?"}]})
LEASE_MS = 60_000


@pytest.fixture
def index(log: EventLog) -> TaskIndex:
    """The list of tasks."""
    return TaskIndex(log)


@pytest.fixture
def sweeper(tasks: TaskStore, appender: Appender, dispatcher: Dispatcher) -> Sweeper:
    """What puts in order what others were cut off from."""
    return Sweeper(tasks, appender, dispatcher, "sweeper")


async def make(tasks: TaskStore, graph: str = "echo") -> str:
    """A task that was just submitted."""
    new = str(uuid7())
    await tasks.submit(Submission(new, graph, "default", {}, new, {}, "2026-11-21T00:00:00.000Z"))
    return new


async def claim(tasks: TaskStore, appender: Appender, task_id: str) -> None:
    """Begin to run a task as a worker does."""
    await open_attempt(tasks.log, appender, task_id)
    await tasks.expect(task_id, LEASE_MS)


async def wait(tasks: TaskStore, appender: Appender, task_id: str) -> None:
    """Have a task wait for a person as a worker does."""
    await claim(tasks, appender, task_id)
    await attempt(tasks, appender, task_id, [ASKED])
    await tasks.let_wait(task_id)


async def listed(index: TaskIndex, status: Status | None = None, graph: str | None = None) -> list[str]:
    """All tasks that a filter lets through, from pages of three."""
    wanted = Wanted(DEFAULT, status=status, graph=graph)
    found: list[str] = []
    cursor: str | None = None
    while True:
        page, cursor = await index.list(wanted, limit=3, before=cursor)
        found += [state.task_id for state in page]
        if cursor is None:
            return found


async def where(index: TaskIndex, task_id: str, graph: str = "echo") -> set[Status]:
    """The statuses under which a task is listed, with its graph's name and without."""
    alone = {status for status in Status if task_id in await listed(index, status)}
    assert alone == {status for status in Status if task_id in await listed(index, status, graph)}
    assert task_id in await listed(index)
    assert task_id in await listed(index, graph=graph)
    return alone


async def test_a_task_is_listed_under_its_status_through_its_life(
    index: TaskIndex, tasks: TaskStore, appender: Appender, dispatcher: Dispatcher
) -> None:
    """Queued, running, waiting, queued with its answer, running, being cancelled, cancelled."""
    task_id, control = await make(tasks), TaskControl(tasks, dispatcher)
    assert await where(index, task_id) == {Status.QUEUED}
    await claim(tasks, appender, task_id)
    assert await where(index, task_id) == {Status.RUNNING}
    await wait(tasks, appender, task_id)
    assert await where(index, task_id) == {Status.WAITING}
    await control.answer(await tasks.get(task_id), None, 1)
    assert await where(index, task_id) == {Status.QUEUED}
    await claim(tasks, appender, task_id)
    assert await where(index, task_id) == {Status.RUNNING}
    await control.cancel(task_id)
    assert await where(index, task_id) == {Status.CANCELLING}
    await attempt(tasks, appender, task_id, [CANCELLED])
    assert await where(index, task_id) == {Status.CANCELLED}


@pytest.mark.parametrize(
    ("last", "status"),
    [(SUCCESS, Status.SUCCEEDED), (FAILED, Status.FAILED), (CANCELLED, Status.CANCELLED)],
)
async def test_a_task_that_has_ended_is_looked_for_nowhere_else(
    index: TaskIndex, tasks: TaskStore, appender: Appender, last: Event, status: Status
) -> None:
    """So that lists of what is under way stay short, however many tasks there have been."""
    task_id = await make(tasks)
    await wait(tasks, appender, task_id)
    redis, keys = tasks.log.redis, tasks.log.keys
    question = (await tasks.get(task_id)).last.id
    await redis.execute_command("HSET", keys.task(task_id), "answered", str(question))
    await attempt(tasks, appender, task_id, [last])
    assert await where(index, task_id) == {status}
    left = [
        (unfinished, graph)
        for unfinished in (Status.QUEUED, Status.RUNNING, Status.WAITING, Status.CANCELLING)
        for graph in (None, "echo")
        if await redis.zscore(hints_key(keys, DEFAULT, unfinished, graph), task_id) is not None
    ]
    assert left == []


async def test_pages_lead_over_all_that_does_not_match(
    index: TaskIndex, tasks: TaskStore, appender: Appender
) -> None:
    """Each filter, and both together, give each task that matches once, newest first."""
    made: list[tuple[str, str, Status]] = []
    for number in range(40):
        graph = "echo" if number % 3 else "digest"
        task_id, status = await make(tasks, graph), Status.QUEUED
        if number % 4 == 1:
            await attempt(tasks, appender, task_id, [FAILED if number % 8 == 1 else SUCCESS])
            status = Status.FAILED if number % 8 == 1 else Status.SUCCEEDED
        elif number % 10 == 0:
            await wait(tasks, appender, task_id)
            status = Status.WAITING
        made.insert(0, (task_id, graph, status))
    for status in (None, *Status):
        for graph in (None, "echo", "digest", "none"):
            expected = [it[0] for it in made if graph in (None, it[1]) and status in (None, it[2])]
            assert await listed(index, status, graph) == expected, (status, graph)


async def test_a_wrong_hint_is_not_believed(index: TaskIndex, tasks: TaskStore, appender: Appender) -> None:
    """The log's end decides; a page is filled from beyond any number of wrong hints."""
    ended = [await make(tasks) for _ in range(2)]
    others = [await make(tasks) for _ in range(7)]
    for task_id in ended:
        await attempt(tasks, appender, task_id, [FAILED])
    key = hints_key(tasks.log.keys, DEFAULT, Status.FAILED, None)
    await tasks.log.redis.zadd(key, dict.fromkeys(others, 0))
    assert await listed(index, Status.FAILED) == ended[::-1]
    page, cursor = await index.list(Wanted(DEFAULT, status=Status.FAILED), limit=1)
    assert ([state.task_id for state in page], cursor) == ([ended[1]], ended[1])


async def test_a_sealed_task_that_nobody_settled_is_found_by_a_sweeper(
    index: TaskIndex, tasks: TaskStore, appender: Appender, sweeper: Sweeper
) -> None:
    """Until then it's only in the list of all, under the status that it has."""
    task_id = await make(tasks)
    writer = await open_attempt(tasks.log, appender, task_id)
    await writer.append(FAILED)
    await writer.flush()
    page, _ = await index.list(Wanted(DEFAULT), limit=1)
    assert [(state.task_id, state.status) for state in page] == [(task_id, Status.FAILED)]
    assert await listed(index, Status.QUEUED) == []
    await sweeper.look_after(task_id)
    assert await where(index, task_id) == {Status.FAILED}


@pytest.mark.parametrize("status", [Status.RUNNING, Status.WAITING])
async def test_hints_that_are_lost_are_written_again(
    index: TaskIndex, tasks: TaskStore, appender: Appender, sweeper: Sweeper, status: Status
) -> None:
    """A Redis that lost its last second has the log put back, with a deadline that is over."""
    task_id = await make(tasks)
    await claim(tasks, appender, task_id)
    if status is Status.WAITING:
        await attempt(tasks, appender, task_id, [ASKED])
    redis, keys = tasks.log.redis, tasks.log.keys
    for lost in (None, *Status):
        await redis.zrem(hints_key(keys, DEFAULT, lost, "echo"), task_id)
        if lost is not None:
            await redis.zrem(hints_key(keys, DEFAULT, lost, None), task_id)
    assert await listed(index, status) == []
    await sweeper.look_after(task_id)
    assert await where(index, task_id) == {status}


async def test_what_has_expired_leaves_each_list_that_is_read(
    index: TaskIndex, tasks: TaskStore, appender: Appender
) -> None:
    """A task without a log is in no list, and each list forgets it as it's read; one being made stays."""
    gone, making = await make(tasks), await make(tasks)
    await attempt(tasks, appender, gone, [FAILED])
    redis, keys = tasks.log.redis, tasks.log.keys
    for task_id in (gone, making):
        await redis.delete(keys.log(task_id), keys.task(task_id))
    for status in (None, Status.FAILED, Status.QUEUED):
        for graph in (None, "echo"):
            assert await listed(index, status, graph) == []
            key = hints_key(keys, DEFAULT, status, graph)
            assert await redis.zscore(key, gone) is None
            if status is not Status.FAILED:
                assert await redis.zscore(key, making) == 0


async def test_every_list_expires(tasks: TaskStore, appender: Appender) -> None:
    """A system that is left alone leaves nothing behind."""
    await wait(tasks, appender, await make(tasks))
    await attempt(tasks, appender, await make(tasks), [FAILED])
    redis, keys = tasks.log.redis, tasks.log.keys
    names = [
        hints_key(keys, DEFAULT, status, graph)
        for status in (None, Status.QUEUED, Status.RUNNING, Status.WAITING, Status.FAILED)
        for graph in (None, "echo")
    ]
    there = [name for name in names if await redis.exists(name)]
    assert len(there) >= 6
    assert all([await redis.ttl(name) > 0 for name in there])
