"""What writers no longer remember when Redis loses it: it is on the disk as a rule; else it is missing."""

from __future__ import annotations

import pytest

from events.append import Appender
from events.log import EventLog
from tests.support.attempts import open_attempt, progress, restart_with, write
from tests.support.logs import entries
from tests.support.waiting import wait_until


async def test_what_is_beyond_memory_shows_as_a_gap(
    log: EventLog, appender: Appender, task_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer goes on, and readers see by the seqs what is missing."""
    monkeypatch.setattr("events.unconfirmed.MAX_BYTES", 1000)
    writer = await open_attempt(log, appender, task_id)
    for number in range(20):
        await writer.append(progress(number))
        await writer.flush()
    await restart_with(log, task_id, 3)
    await write(writer, 1)
    seqs = [entry.id.seq for entry in await entries(log, task_id)]
    assert seqs[:3] == [1, 2, 3]
    assert seqs[3] > 4
    assert seqs[3:] == list(range(seqs[3], 24))


async def test_what_is_on_the_disk_is_forgotten(
    log: EventLog, appender: Appender, task_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at the connection, later than Redis syncs, tells that it's there."""
    writer = await open_attempt(log, appender, task_id)
    await write(writer, 3)

    async def is_forgotten() -> bool:
        before = [entry.id.seq for entry in await entries(log, task_id)]
        await restart_with(log, task_id, len(before) - 1)
        await write(writer, 1)
        return [entry.id.seq for entry in await entries(log, task_id)] == [*before[:-1], before[-1] + 1]

    assert not await is_forgotten()
    monkeypatch.setattr("events.link.UNSAFE_SECONDS", -60.0)
    await wait_until(is_forgotten)
