"""Where a reader goes on: after what it has, or told truly what it can't have."""

from __future__ import annotations

import pytest

from events.append import Appender
from events.errors import LogExpired, TaskNotFound
from events.log import EventLog
from events.model import START, Entry, EventId
from events.position import Gap, Located, Rewound, Stride
from events.tasks import TaskStore
from tests.support.attempts import open_attempt, roll_back, write
from tests.support.logs import lose

I = EventId  # noqa: E741 - a table of ids reads better so


@pytest.fixture
async def ten(log: EventLog, appender: Appender, task_id: str) -> str:
    """A live log 0-1, 1-2 … 1-10."""
    await write(await open_attempt(log, appender, task_id), 8)
    return task_id


@pytest.mark.parametrize("position", [START, I(0, 1), I(1, 2), I(1, 9), I(1, 10)])
async def test_a_position_that_is_there_is_exact(log: EventLog, ten: str, position: EventId) -> None:
    """The start, any entry, and the last one: reading goes on after it."""
    assert await log.locate(ten, position) == Located(position)


async def test_a_lost_stretch_is_a_gap(log: EventLog, ten: str) -> None:
    """The reader's own entry is there, the next ones aren't: it learns how many are missing."""
    await lose(log, ten, ["1-5", "1-6", "1-7"])
    assert await log.locate(ten, I(1, 4)) == Located(I(1, 7), Gap(I(1, 4), I(1, 8), 3))


async def test_a_lost_cursor_is_a_gap(log: EventLog, ten: str) -> None:
    """The reader's own entry is gone as well."""
    await lose(log, ten, ["1-5", "1-6", "1-7"])
    assert await log.locate(ten, I(1, 6)) == Located(I(1, 7), Gap(I(1, 6), I(1, 8), 1))


async def test_a_lost_beginning_is_a_gap_from_the_start(log: EventLog, ten: str) -> None:
    """Reading from the start tells when the start is gone."""
    await lose(log, ten, ["0-1", "1-2"])
    assert await log.locate(ten, START) == Located(I(1, 2), Gap(START, I(1, 3), 2))


async def test_a_cursor_ahead_of_the_end_is_rewound(log: EventLog, ten: str) -> None:
    """The log was rolled back and nothing was written since: go on from its end."""
    assert await log.locate(ten, I(1, 57)) == Located(I(1, 10), Rewound(I(1, 57), I(1, 10)))


async def test_a_rewritten_tail_is_rewound_to_the_last_common_entry(
    log: EventLog, appender: Appender, ten: str
) -> None:
    """Attempt 2 wrote other entries 6 and 7 after a failover had lost the first ones."""
    await roll_back(log, ten, keep=5)
    await write(await open_attempt(log, appender, ten), 1)
    located = await log.locate(ten, I(1, 9))
    assert located == Located(I(1, 5), Rewound(I(1, 9), I(1, 5)))
    assert [str(entry.id) for entry in await log.read(ten, located.position)] == ["2-6", "2-7"]


async def test_a_repeated_seq_behind_an_entry_that_is_there_is_told_once(log: EventLog, ten: str) -> None:
    """Even a log that no writer of ours makes can't hold a reader in a loop."""
    key = log.keys.log(ten)
    await log.redis.xadd(key, {"type": "progress", "event": '{"seq":10}'}, id="2-10")
    located = await log.locate(ten, I(1, 10))
    assert located == Located(I(2, 9), Rewound(I(1, 10), I(1, 10)))
    page = await log.page(ten, located.position)
    assert [str(entry.id) for entry in page.entries] == ["2-10"]


async def test_the_terminal_event_ends_a_reader(
    log: EventLog, tasks: TaskStore, appender: Appender, task_id: str
) -> None:
    """Who has the terminal event has everything."""
    await write(await open_attempt(log, appender, task_id), 1, seal=True)
    assert await log.locate(task_id, I(1, 4)) == Located(I(1, 4), ended=True)
    assert not (await log.locate(task_id, I(1, 3))).ended
    await tasks.settle(task_id)


async def test_unknown_and_expired_are_told_apart(
    log: EventLog, tasks: TaskStore, appender: Appender, task_id: str
) -> None:
    """A tombstone outlives the log."""
    with pytest.raises(TaskNotFound):
        await log.locate("00000000-0000-7000-8000-000000000000", START)
    await write(await open_attempt(log, appender, task_id), 0, seal=True)
    await tasks.settle(task_id)
    await log.redis.delete(log.keys.log(task_id))
    with pytest.raises(LogExpired):
        await log.locate(task_id, START)


async def test_pages_are_dense_or_say_why_not(log: EventLog, ten: str) -> None:
    """A page ends before a hole; the next one tells of it; the one after goes on behind it."""
    await lose(log, ten, ["1-5", "1-8"])
    told: list[object] = []
    position = START
    while not (page := await log.page(ten, position)).drained:
        told.append(page.notice or [entry.id.seq for entry in page.entries])
        position = page.position
    told.append([entry.id.seq for entry in page.entries])
    assert told == [
        [1, 2, 3, 4], Gap(I(1, 4), I(1, 6), 1), [6, 7], Gap(I(1, 7), I(1, 9), 1), [9, 10],
    ]  # fmt: skip


def test_pages_stay_near_a_megabyte() -> None:
    """Few large entries at a time, or many small ones; never none, and never over a thousand."""
    stride = Stride()
    for size, count in ((100, 1000), (200_000, 5), (3_000_000, 1), (10_000, 104)):
        stride.took([Entry(b"1-2", b"progress", b"x" * size)] * 3)
        assert stride.count == count
    stride.took([])
    assert stride.count == 104


async def test_positions_from_the_end(log: EventLog, ten: str) -> None:
    """So many entries before the end, or the start if there aren't as many."""
    assert await log.from_end(ten, 3) == I(1, 7)
    assert await log.from_end(ten, 0) == I(1, 10)
    assert await log.from_end(ten, 10) == START
    assert await log.from_end(ten, 500) == START
