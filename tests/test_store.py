"""The records beside the logs: threads, idempotency keys, graphs, the queue, and settling."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import cast

import pytest
from uuid_utils import uuid7

from events.append import Appender
from events.errors import KeyReused, LogExpired, SettingsError, TaskNotFound, ThreadBusy
from events.graphs import FORGET_AFTER_MS, GraphDescriptor, GraphDirectory
from events.index import TaskIndex, Wanted
from events.log import EventLog
from events.model import START, Status, now_ms
from events.queue import Dispatcher
from events.settings import load
from events.state import Submission
from events.tasks import TaskStore
from events.tenancy import ANYBODY, DEFAULT
from tests.support.attempts import open_attempt, write


def submission(thread_id: str | None = None, graph: str = "echo") -> Submission:
    """A new task's."""
    task_id = str(uuid7())
    return Submission(task_id, graph, "default", {}, thread_id or task_id, {}, "2026-11-21T00:00:00.000Z")


async def expires_at(log: EventLog, task_id: str) -> int:
    """When a log expires, in Unix seconds."""
    return await cast("Awaitable[int]", log.redis.expiretime(log.keys.log(task_id)))


async def test_a_thread_has_one_unfinished_task(tasks: TaskStore, log: EventLog, appender: Appender) -> None:
    """The second is refused with the first one's id, until the first has ended."""
    first, second = submission("thread"), submission("thread")
    await tasks.submit(first)
    with pytest.raises(ThreadBusy) as caught:
        await tasks.submit(second)
    assert caught.value.task_id == first.task_id
    await write(await open_attempt(log, appender, first.task_id), 0, seal=True)
    await tasks.submit(second)
    await tasks.settle(first.task_id)
    with pytest.raises(ThreadBusy):
        await tasks.submit(submission("thread"))
    await write(await open_attempt(log, appender, second.task_id), 0, seal=True)
    await tasks.settle(second.task_id)
    assert not await log.redis.exists(log.keys.thread(DEFAULT, ANYBODY, "thread"))


async def test_one_of_many_tasks_gets_the_thread(tasks: TaskStore) -> None:
    """Twenty at once: one is made, and each of the others is told so."""
    outcomes = await asyncio.gather(
        *(tasks.submit(submission("thread")) for _ in range(20)), return_exceptions=True
    )
    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, ThreadBusy) for outcome in outcomes) == 19


async def test_a_thread_whose_submit_was_cut_off_is_free(tasks: TaskStore, log: EventLog) -> None:
    """A holder that was never made gives way."""
    await log.redis.set(
        log.keys.thread(DEFAULT, ANYBODY, "thread"), "00000000-0000-7000-8000-000000000000", ex=60
    )
    await tasks.submit(submission("thread"))


async def test_the_own_thread_of_an_unfinished_task_is_busy(tasks: TaskStore) -> None:
    """It's called as the task is; for another subject that is the name of another thread."""
    holder = submission()
    await tasks.submit(holder)
    with pytest.raises(ThreadBusy):
        await tasks.submit(submission(holder.task_id))
    await tasks.submit(replace(submission(holder.task_id), subject="ada"))


async def test_a_submit_may_be_repeated(tasks: TaskStore, log: EventLog) -> None:
    """A second submit of the same task changes nothing."""
    one = submission("thread")
    await tasks.submit(one)
    await tasks.submit(one)
    assert len(await log.read(one.task_id, START)) == 1


async def test_an_idempotency_key_stands_for_one_request(tasks: TaskStore) -> None:
    """The same request finds the first task; another one is refused."""
    assert await tasks.reserve(ANYBODY, "key", "digest", "task-1") == "task-1"
    assert await tasks.reserve(ANYBODY, "key", "digest", "task-2") == "task-1"
    with pytest.raises(KeyReused):
        await tasks.reserve(ANYBODY, "key", "other", "task-3")


async def test_settling_may_be_repeated(tasks: TaskStore, log: EventLog, appender: Appender) -> None:
    """Retention counts from the seal and not from the settling; everything of the task expires."""
    one = submission()
    await tasks.submit(one)
    await write(await open_attempt(log, appender, one.task_id), 1, seal=True)
    await tasks.settle(one.task_id)
    first = await expires_at(log, one.task_id)
    await asyncio.sleep(1.1)
    await tasks.settle(one.task_id)
    assert await expires_at(log, one.task_id) == first
    assert await log.redis.ttl(log.keys.tombstone(one.task_id)) > 60
    assert await log.redis.zscore(log.keys.deadlines, one.task_id) is None
    assert (await tasks.get(one.task_id)).status is Status.SUCCEEDED


async def test_an_expired_task_is_not_listed(tasks: TaskStore, log: EventLog, appender: Appender) -> None:
    """The index forgets what has expired and keeps what is just being made."""
    gone, making = submission(), submission()
    await tasks.submit(gone)
    await write(await open_attempt(log, appender, gone.task_id), 0, seal=True)
    await tasks.settle(gone.task_id)
    await log.redis.delete(log.keys.log(gone.task_id), log.keys.task(gone.task_id))
    await tasks.submit(making)
    await log.redis.delete(log.keys.log(making.task_id))
    assert await TaskIndex(log).list(Wanted(DEFAULT), limit=10) == ([], None)
    assert await log.redis.zrange(log.keys.index(DEFAULT), 0, -1) == [making.task_id.encode()]
    assert await tasks.exists(gone.task_id)
    assert not await tasks.exists(making.task_id)
    with pytest.raises(LogExpired):
        await log.locate(gone.task_id, START)
    with pytest.raises(TaskNotFound):
        await tasks.get(gone.task_id)


async def test_pages_of_tasks_are_complete_and_end(tasks: TaskStore, log: EventLog) -> None:
    """Every page size gives every task once, newest first, filtered or not."""
    made = [submission(graph="even" if number % 2 == 0 else "odd") for number in range(23)]
    for one in made:
        await tasks.submit(one)
    for graph in (None, "odd"):
        expected = [one.task_id for one in reversed(made) if graph in (None, one.graph)]
        wanted = Wanted(DEFAULT, graph=graph)
        for limit in (1, 5, 11, 12, 23, 50):
            found: list[str] = []
            cursor: str | None = None
            while True:
                page, cursor = await TaskIndex(log).list(wanted, limit=limit, before=cursor)
                found += [state.task_id for state in page]
                if cursor is None:
                    break
            assert found == expected
    assert (await TaskIndex(log).list(Wanted(DEFAULT, status=Status.FAILED), limit=5))[0] == []


def descriptor(name: str) -> GraphDescriptor:
    """A graph's."""
    return GraphDescriptor(name, "does something", {"type": "object"}, "graph TD;", "default")


async def test_graphs_are_announced_and_forgotten(log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that isn't cached is looked up; one that nobody has announced for a day is gone."""
    directory = GraphDirectory(log.redis, log.keys)
    assert await directory.all() == {}
    await directory.announce([descriptor("zebra"), descriptor("ape")])
    assert await directory.all() == {}
    assert await directory.get("ape") == descriptor("ape")
    assert list(await directory.all()) == ["ape", "zebra"]
    monkeypatch.setattr("events.graphs.FORGET_AFTER_MS", -1)
    assert await GraphDirectory(log.redis, log.keys).all() == {}
    assert FORGET_AFTER_MS > 0


async def test_graphs_of_other_versions_are_read(log: EventLog) -> None:
    """What an older worker doesn't tell isn't there; what a newer one tells besides is left aside."""
    old = b'"description":"","input_schema":{},"mermaid":"","pool":"default","seen":%d' % now_ms()
    new = old + b',"nodes":[],"edges":[],"drawing":null,"sound":"moo"'
    for name, told in (b"old", old), (b"new", new):
        document = (b'{"name":"%s",%s}' % (name, told)).decode()
        await cast("Awaitable[int]", log.redis.hset(log.keys.graphs, name.decode(), document))
    await log.redis.expire(log.keys.graphs, 60)
    found = await GraphDirectory(log.redis, log.keys).all()
    assert list(found) == ["new", "old"]
    assert [(it.nodes, it.edges, it.drawing) for it in found.values()] == [([], [], None)] * 2


async def test_every_dispatch_is_a_job_of_its_own(dispatcher: Dispatcher, task_id: str) -> None:
    """arq takes a job id once, so each dispatch has a new one; a lost one can be told."""
    assert await dispatcher.dispatch(task_id, "default")
    assert await dispatcher.dispatch(task_id, "default")
    assert await dispatcher.depth("default") == 2
    assert await dispatcher.is_queued(task_id, 2, "default")
    assert not await dispatcher.is_queued(task_id, 3, "default")
    assert not await dispatcher.is_queued(task_id, 1, "other")


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("TASKREEL_REDIS_URL", "localhost:6379", "redis://HOST:PORT/DB"),
        ("TASKREEL_LEASE_SECONDS", "soon", "number"),
        ("TASKREEL_RETENTION_SECONDS", "0", "greater than or equal to 1"),
        ("TASKREEL_KEY_PREFIX", "a{b}", "pattern"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, takes: str
) -> None:
    """The line names the variable, what it held and what it takes."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load()
    message = str(caught.value)
    assert name in message
    assert repr(value) in message
    assert takes in message
    assert "\n" not in message


def test_a_password_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong URL is shown without its secret."""
    monkeypatch.setenv("TASKREEL_REDIS_URL", "redsi://user:hunter2@redis:6379/0")
    with pytest.raises(SettingsError) as caught:
        load()
    assert "redsi://user:***@redis" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists are comma separated."""
    monkeypatch.setenv("TASKREEL_GRAPHS", "a=b:c, d=e:f,")
    monkeypatch.setenv("TASKREEL_QUEUE_URL", "unix:///tmp/q.sock?db=0")
    assert load().graphs == ["a=b:c", "d=e:f"]
    assert load().queue_url == "unix:///tmp/q.sock?db=0"
