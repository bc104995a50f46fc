"""Claims and the fence: who may write, and who may not any more."""

from __future__ import annotations

import asyncio

import pytest

from events.append import Appender
from events.errors import (
    Fenced,
    Held,
    Moved,
    NotStorable,
    QuotaExceeded,
    Sealed,
    TaskExists,
    TaskNotFound,
    Waiting,
)
from events.log import Claim, EventLog, submitted
from events.model import START, Event, EventId, EventType
from events.state import Submission
from events.tasks import TaskStore

SUCCESS = Event(EventType.TASK_SUCCEEDED, {"result": None})


async def claim(log: EventLog, task_id: str, owner: str, lease_ms: int = 60_000) -> Claim:
    """A plain claim."""
    return await log.claim(task_id, owner, worker="test", lease_ms=lease_ms)


async def expire_lease(log: EventLog, task_id: str) -> None:
    """What time does to a worker that was killed."""
    await log.redis.delete(log.keys.lease(task_id))


async def test_one_of_eight_concurrent_claims_wins_a_thousand_times(log: EventLog, tasks: TaskStore) -> None:
    """Whatever the interleaving, one claim opens the attempt and seven are told who has it."""
    for number in range(1000):
        task_id = f"00000000-0000-7000-8000-{number:012}"
        await log.create(task_id, submitted({}), {"status": "queued"})
        claims = (claim(log, task_id, f"owner-{rival}") for rival in range(8))
        outcomes = await asyncio.gather(*claims, return_exceptions=True)
        won = [outcome for outcome in outcomes if isinstance(outcome, Claim)]
        assert [outcome.started for outcome in won] == [EventId(1, 2)]
        assert sum(isinstance(outcome, Held) for outcome in outcomes) == 7
        assert len(await log.read(task_id, START)) == 2


async def test_a_paused_attempt_that_wakes_up_is_fenced(
    log: EventLog, appender: Appender, task_id: str
) -> None:
    """After a newer attempt opened, the older one's next append is refused and writes nothing."""
    old = appender.writer(await claim(log, task_id, "old"))
    await old.append(Event(EventType.PROGRESS, {"message": "before"}))
    await old.flush()
    await expire_lease(log, task_id)
    new = appender.writer(await claim(log, task_id, "new"))
    await old.append(Event(EventType.PROGRESS, {"message": "zombie"}))
    with pytest.raises(Fenced):
        await old.flush()
    with pytest.raises(Fenced):
        await old.append(Event(EventType.PROGRESS))
    await new.append(SUCCESS)
    await new.flush()
    ids = [str(entry.id) for entry in await log.read(task_id, START)]
    assert ids == ["0-1", "1-2", "1-3", "2-4", "2-5"]


async def test_a_zombie_cannot_seal_a_log(log: EventLog, appender: Appender, task_id: str) -> None:
    """A terminal event of an older attempt is refused like any other of its events."""
    old = appender.writer(await claim(log, task_id, "old"))
    await expire_lease(log, task_id)
    await claim(log, task_id, "new")
    await old.append(SUCCESS)
    with pytest.raises(Fenced):
        await old.flush()
    assert not (await log.last(task_id))[0].terminal


async def test_a_claim_whose_reply_was_lost_can_be_repeated(log: EventLog, task_id: str) -> None:
    """The same owner's second call finds the attempt that its first one opened."""
    first = await claim(log, task_id, "me")
    assert await claim(log, task_id, "me") == first


async def test_a_sealed_log_takes_nothing_more(log: EventLog, appender: Appender, task_id: str) -> None:
    """Neither its own writer nor a claim can add to it."""
    writer = appender.writer(await claim(log, task_id, "me"))
    await writer.append(SUCCESS)
    with pytest.raises(Sealed):
        await writer.append(Event(EventType.PROGRESS))
    await writer.flush()
    with pytest.raises(Sealed):
        await claim(log, task_id, "other")
    assert (await log.last(task_id))[0].terminal


async def test_a_held_task_says_for_how_long(log: EventLog, task_id: str) -> None:
    """A rival learns when it might try again."""
    await claim(log, task_id, "me", lease_ms=5000)
    with pytest.raises(Held) as caught:
        await claim(log, task_id, "other")
    assert 0 < caught.value.remaining_ms <= 5000


async def test_a_claim_on_an_older_view_is_refused(log: EventLog, task_id: str) -> None:
    """What a claimant looked at must still be the end of the log."""
    await claim(log, task_id, "me")
    await expire_lease(log, task_id)
    with pytest.raises(Moved):
        await log.claim(task_id, "other", worker="w", lease_ms=1000, after=EventId(0, 1))
    won = await log.claim(task_id, "other", worker="w", lease_ms=1000, after=EventId(1, 2))
    assert won.started == EventId(2, 3)


async def test_a_waiting_task_is_not_run_without_an_answer(
    log: EventLog, appender: Appender, task_id: str
) -> None:
    """A stray dispatch of a task that waits for a person starts nothing."""
    writer = appender.writer(await claim(log, task_id, "me"))
    await writer.append(Event(EventType.TASK_INTERRUPTED, {"interrupts": []}))
    await writer.flush()
    await expire_lease(log, task_id)
    with pytest.raises(Waiting):
        await claim(log, task_id, "other")


async def test_there_is_no_claim_on_nothing(log: EventLog) -> None:
    """A task that was never made can't be claimed into being."""
    with pytest.raises(TaskNotFound):
        await claim(log, "00000000-0000-7000-8000-000000000000", "me")


async def test_a_log_is_created_once(log: EventLog, task_id: str) -> None:
    """The second create changes nothing of the first."""
    with pytest.raises(TaskExists):
        await log.create(task_id, submitted({"input": "other"}), {"graph": "other"})
    assert (await log.last(task_id))[0].event["data"]["graph"] == "echo"
    assert await log.redis.hget(log.keys.task(task_id), "graph") == b"echo"  # pyright: ignore[reportGeneralTypeIssues]


async def test_an_input_too_large_makes_no_task(tasks: TaskStore) -> None:
    """A submission over 1 MiB is refused before anything is written to the log."""
    big = Submission("00000000-0000-7000-8000-000000000000", "g", "p", "x" * 2**20, "t", {}, "")
    with pytest.raises(NotStorable):
        await tasks.submit(big)


async def test_a_runaway_task_can_still_be_sealed(
    log: EventLog, appender: Appender, task_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past its quota a task can write its end and nothing else."""
    monkeypatch.setattr("events.writer.MAX_EVENTS", 10)
    writer = appender.writer(await claim(log, task_id, "me"))
    for _ in range(7):
        await writer.append(Event(EventType.PROGRESS))
    with pytest.raises(QuotaExceeded):
        await writer.append(Event(EventType.PROGRESS))
    await writer.append(SUCCESS)
    await writer.flush()
    assert (await log.last(task_id))[0].id == EventId(1, 10)


async def test_bytes_count_towards_the_quota(
    log: EventLog, appender: Appender, task_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What earlier attempts wrote is counted as well."""
    monkeypatch.setattr("events.writer.MAX_LOG_BYTES", 1000)
    writer = appender.writer(await claim(log, task_id, "me"), size=900)
    with pytest.raises(QuotaExceeded):
        await writer.append(Event(EventType.PROGRESS, {"message": "x" * 100}))
    await writer.append(SUCCESS)
    await writer.flush()
