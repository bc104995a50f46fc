"""A Redis that restarts without its last second: the writer puts back what it lost, or says so."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from events.append import Appender
from events.connect import connect
from events.delivery import Answer, Terms, looked_up
from events.errors import Fenced, Held
from events.keys import Keys
from events.log import EventLog
from events.model import Entry, EventId
from events.position import Rewound
from events.scripts import LOST_ATTEMPTS
from events.tasks import TaskStore
from events.tenancy import DEFAULT
from events.writer import AttemptWriter
from tests.support.attempts import open_attempt, progress, restart_with, server_of, write
from tests.support.logs import entries
from tests.support.proxy import proxy
from tests.support.waiting import wait_until


@pytest.fixture
async def other_appender(log: EventLog) -> AsyncGenerator[Appender]:
    """Another process's appender."""
    it = Appender(log.redis, log.keys)
    yield it
    await it.close()


@pytest.fixture
async def writer(log: EventLog, appender: Appender, task_id: str) -> AttemptWriter:
    """An attempt that has written ten events."""
    it = await open_attempt(log, appender, task_id)
    await write(it, 10)
    return it


@pytest.mark.parametrize("keep", [1, 2, 5, 11, 12])
async def test_what_was_lost_is_there_again_before_the_next_event(
    log: EventLog, writer: AttemptWriter, task_id: str, keep: int
) -> None:
    """The same bytes under the same ids, the attempt's first entry among them, and then what is new."""
    before = await entries(log, task_id)
    await restart_with(log, task_id, keep)
    await write(writer, 1)
    after = await entries(log, task_id)
    assert after[:-1] == before
    assert after[-1].id == EventId(1, 13)
    record = cast("dict[bytes, bytes]", await log.redis.hgetall(log.keys.task(task_id)))  # pyright: ignore[reportGeneralTypeIssues]
    assert record[b"attempt"] == b"1"


async def test_a_writer_with_nothing_to_say_puts_back_too(
    log: EventLog, writer: AttemptWriter, task_id: str
) -> None:
    """A graph may be silent for an hour: as long as something isn't safe, the connection is looked at."""
    before = await entries(log, task_id)
    await restart_with(log, task_id, 4)
    await wait_until(lambda: _holds(log, task_id, before))
    assert not writer.fenced


async def test_a_lost_end_is_put_back_and_settled(
    log: EventLog, tasks: TaskStore, writer: AttemptWriter, task_id: str
) -> None:
    """An attempt that has ended is remembered as well; a sweeper is told to look."""
    await write(writer, 0, seal=True)
    await log.release(writer.claim)
    await tasks.settle(task_id)
    before = await entries(log, task_id)
    await restart_with(log, task_id, 6)
    await wait_until(lambda: _holds(log, task_id, before))
    await wait_until(lambda: _is_expected(log, task_id))
    await tasks.settle(task_id)
    assert await log.redis.ttl(log.keys.log(task_id)) > 0


async def test_an_attempt_that_opened_after_the_loss_fences_the_writer(
    log: EventLog, other_appender: Appender, writer: AttemptWriter, task_id: str
) -> None:
    """Nothing is put back under the feet of a successor."""
    await restart_with(log, task_id, 5)
    other = await open_attempt(log, other_appender, task_id)
    with pytest.raises(Fenced):
        await write(writer, 1)
    assert [entry.id for entry in await entries(log, task_id)][-2:] == [EventId(1, 5), other.claim.started]


async def test_an_attempt_of_the_same_number_is_told_by_its_content(
    log: EventLog, other_appender: Appender, writer: AttemptWriter, task_id: str
) -> None:
    """The claim itself was lost and its number given out again: ids alone would not tell."""
    await restart_with(log, task_id, 1)
    other = await open_attempt(log, other_appender, task_id, worker="other")
    assert other.claim.started == writer.claim.started
    with pytest.raises(Fenced):
        await write(writer, 1)
    assert [entry.document for entry in await entries(log, task_id)][1:] == [other.claim.document]


async def test_a_lease_of_another_fences_the_writer(
    log: EventLog, writer: AttemptWriter, task_id: str
) -> None:
    """Who holds the lease decides, also when the log has lost its attempt."""
    await restart_with(log, task_id, 5)
    await log.redis.set(log.keys.lease(task_id), "another", px=5000)
    with pytest.raises(Fenced):
        await write(writer, 1)
    assert len(await entries(log, task_id)) == 5


async def test_a_log_that_is_gone_is_not_made_again(
    log: EventLog, writer: AttemptWriter, task_id: str
) -> None:
    """A log without its submit would be no task."""
    await log.redis.delete(log.keys.log(task_id))
    await server_of(log, task_id).client_kill_filter(_type="normal")
    with pytest.raises(Fenced):
        await write(writer, 1)
    assert not await log.redis.exists(log.keys.log(task_id))


async def test_a_task_that_began_in_the_lost_second_is_whole_again(
    log: EventLog, tasks: TaskStore, writer: AttemptWriter, task_id: str
) -> None:
    """Its log, its record and its place in the list; on another server than that of the claim alone."""
    before, state = await entries(log, task_id), await tasks.get(task_id)
    await log.redis.delete(log.keys.log(task_id), log.keys.task(task_id), log.keys.lease(task_id))
    await log.redis.zrem(log.keys.index(DEFAULT), task_id)
    record = list(writer.claim.record)
    record[record.index(b"server") + 1] = b"the one before"
    object.__setattr__(writer.claim, "record", record)
    await server_of(log, task_id).client_kill_filter(_type="normal")
    await write(writer, 1)
    assert (await entries(log, task_id))[:-1] == before
    again = await tasks.get(task_id)
    assert again.record == state.record
    assert await log.redis.zscore(log.keys.index(DEFAULT), task_id) == 0
    await log.redis.expire(log.keys.index(DEFAULT), 60)  # as the next submit does


async def test_several_writers_are_put_right_at_once(
    log: EventLog, appender: Appender, other_appender: Appender, task_id: str
) -> None:
    """One of them fenced; what it has on its way doesn't keep the others from writing."""
    first = await open_attempt(log, appender, task_id)
    await write(first, 3)
    second = await open_attempt(log, other_appender, task_id)
    await write(second, 1)
    await restart_with(log, task_id, 2)
    again = await open_attempt(log, appender, task_id)
    await first.append(progress(9))
    await again.append(progress(10))
    await again.flush()
    with pytest.raises(Fenced):
        await first.flush()
    assert [str(entry.id) for entry in await entries(log, task_id)] == ["0-1", "1-2", "2-3", "2-4"]


async def test_a_fence_found_while_a_refusal_is_looked_up_holds_nobody_up(
    redis_port: int,
    log: EventLog,
    other_appender: Appender,
    task_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The connection breaks as a refused entry is looked for: its writer is fenced, and others go on."""
    async with proxy(redis_port) as between:
        client = connect(f"redis://127.0.0.1:{between.port}/0")
        appender = Appender(client, log.keys)
        first = await open_attempt(log, appender, task_id)
        await write(first, 1)
        again = await open_attempt(log, other_appender, task_id)

        async def broken(connection: Any, answers: list[Answer], terms: Terms) -> list[Answer]:
            if any(isinstance(reply, Exception) for _, reply in answers):
                between.cut()
            return await looked_up(connection, answers, terms)

        monkeypatch.setattr("events.courier.looked_up", broken)
        with pytest.raises(Fenced):
            await write(first, 1)
        await log.redis.delete(log.keys.lease(task_id))
        third = await open_attempt(log, appender, task_id)
        await write(third, 1)
        assert third.claim.started.attempt == again.claim.started.attempt + 1
        await appender.close()
        await client.aclose()


async def test_claims_wait_for_writers_after_a_restart_and_skip_numbers(
    redis: Redis, log: EventLog, keys: Keys, task_id: str
) -> None:
    """An id that a reader may have seen before the loss never comes again with another content."""
    await redis.hset(keys.task(task_id), "server", "the one before")  # pyright: ignore[reportGeneralTypeIssues]
    with pytest.raises(Held) as held:
        await log.claim(task_id, "me", worker="me", lease_ms=1000)
    assert 0 < held.value.remaining_ms <= 3000
    info = cast("dict[str, str]", await server_of(log, task_id).info("replication"))
    await redis.hset(keys.task(task_id), "settling", f"{info['master_replid']}:1")  # pyright: ignore[reportGeneralTypeIssues]
    claim = await log.claim(task_id, "me", worker="me", lease_ms=1000)
    assert claim.started == EventId(1 + LOST_ATTEMPTS, 2)
    located = await log.locate(task_id, EventId(1, 6))
    assert located.notice == Rewound(EventId(1, 6), EventId(0, 1))
    assert re.fullmatch(r"[0-9a-f]{40}", info["master_replid"])


async def _holds(log: EventLog, task_id: str, wanted: list[Entry]) -> bool:
    return await entries(log, task_id) == wanted


async def _is_expected(log: EventLog, task_id: str) -> bool:
    return await log.redis.zscore(log.keys.deadlines, task_id) is not None
