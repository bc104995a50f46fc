"""GET /tasks/{id}/stream when Redis has lost or rolled back what a client has seen: it is told, exactly."""

from __future__ import annotations

import logging

import pytest

from events.log import EventLog
from events.settings import Settings
from events.tasks import TaskStore
from tests.support.logs import ids, lose, plant, seal
from tests.support.pods import RunningPod, running_pod
from tests.support.proxy import gate
from tests.support.waiting import wait_until
from tests.support.wire import after_retry, listen


@pytest.fixture
async def ten(log: EventLog, task_id: str) -> str:
    """A live task with the log 0-1, 1-2 … 1-10."""
    await plant(log, task_id, ids("1-2", "1-10"))
    return task_id


async def roll_back(log: EventLog, task_id: str) -> None:
    """What a failover leaves of 1-10: the tail was lost, and another attempt went on from 1-5."""
    await lose(log, task_id, ids("1-6", "1-10"))
    await plant(log, task_id, ids("2-6", "2-8"))


async def test_a_gap_is_told_first(pod: RunningPod, log: EventLog, ten: str) -> None:
    """The frame says what was asked, what there is and how many are missing; it has no id."""
    await lose(log, ten, ids("1-4", "1-7"))
    async with listen(pod, ten, "1-4") as wire:
        body = after_retry(await wire.until(b"id: 1-10\n"))
    gap = b'event: stream.gap\ndata: {"requested":"1-4","first_available":"1-8","missing":3}\n\n'
    assert body.startswith(gap + b"id: 1-8\nevent: progress\n")


async def test_a_gap_at_the_start_is_told(pod: RunningPod, log: EventLog, ten: str) -> None:
    """A client without a cursor asked for everything, and everything isn't there."""
    await lose(log, ten, ["0-1", "1-2"])
    async with listen(pod, ten) as wire:
        body = after_retry(await wire.until(b"id: 1-10\n"))
    gap = b'event: stream.gap\ndata: {"requested":"0-0","first_available":"1-3","missing":2}\n\n'
    assert body.startswith(gap + b"id: 1-3\n")


async def test_a_gap_within_history_is_told_where_it_is(pod: RunningPod, log: EventLog, ten: str) -> None:
    """The entries before it come first, then the notice, then those after it."""
    await lose(log, ten, ids("1-4", "1-7"))
    async with listen(pod, ten) as wire:
        body = await wire.until(b"id: 1-10\n")
    before, _, after = body.partition(
        b'event: stream.gap\ndata: {"requested":"1-3","first_available":"1-8","missing":4}\n\n'
    )
    assert b"id: 1-3\n" in before
    assert after.startswith(b"id: 1-8\n")
    assert body.count(b"stream.gap") == 1


async def test_a_gap_in_mid_stream_is_told(pod: RunningPod, log: EventLog, ten: str) -> None:
    """A client that was live learns of it as one that comes back does."""
    async with listen(pod, ten, "1-9") as wire:
        await wire.until(b"id: 1-10\n")
        await plant(log, ten, ["1-14"])
        body = await wire.until(b"id: 1-14\n")
    gap = b'event: stream.gap\ndata: {"requested":"1-10","first_available":"1-14","missing":3}\n\n'
    assert gap + b"id: 1-14\n" in body


async def test_a_cursor_ahead_of_the_end_is_put_right(pod: RunningPod, log: EventLog, ten: str) -> None:
    """The notice bears the id of the last entry both have, and the stream goes on from there."""
    async with listen(pod, ten, "3-25") as wire:
        await wire.until(b"stream.rewound")
        await plant(log, ten, ["1-11"])
        body = after_retry(await wire.until(b"id: 1-11\n"))
    rewound = b'id: 1-10\nevent: stream.rewound\ndata: {"requested":"3-25","last":"1-10"}\n\n'
    assert body.startswith(rewound + b"id: 1-11\nevent: progress\n")


async def test_a_log_that_was_rolled_back_is_told(pod: RunningPod, log: EventLog, ten: str) -> None:
    """The next entry's seq doesn't exceed the cursor's: what the client has of it never was."""
    await roll_back(log, ten)
    async with listen(pod, ten, "1-10") as wire:
        body = after_retry(await wire.until(b"id: 2-8\n"))
    rewound = b'id: 1-5\nevent: stream.rewound\ndata: {"requested":"1-10","last":"1-5"}\n\n'
    assert body.startswith(rewound + b"id: 2-6\nevent: progress\n")


async def test_a_cursor_that_was_put_right_stays_right(pod: RunningPod, log: EventLog, ten: str) -> None:
    """A client that comes back with the id of the notice isn't told again."""
    await roll_back(log, ten)
    async with listen(pod, ten, "1-5") as wire:
        body = after_retry(await wire.until(b"id: 2-8\n"))
    assert body.startswith(b"id: 2-6\nevent: progress\n")


async def test_a_rewind_in_mid_stream_is_told(pod: RunningPod, log: EventLog, ten: str) -> None:
    """The entry that shows it is sent after the notice, and once."""
    async with listen(pod, ten, "1-9") as wire:
        await wire.until(b"id: 1-10\n")
        await roll_back(log, ten)
        body = await wire.until(b"id: 2-8\n")
    rewound = b'id: 1-5\nevent: stream.rewound\ndata: {"requested":"1-10","last":"1-5"}\n\n'
    assert rewound + b"id: 2-6\nevent: progress\n" in body
    assert body.count(b"id: 2-6\n") == 1


async def test_a_rewind_behind_an_outage_is_told(
    settings: Settings, redis_port: int, log: EventLog, ten: str
) -> None:
    """A failover shows as a lost connection; the pod looks again at what its clients have."""
    async with gate(redis_port) as redis:
        behind = settings.model_copy(update={"redis_url": redis.url})
        async with running_pod(behind) as pod, listen(pod, ten) as wire:
            await wire.until(b"id: 1-10\n")
            redis.close()
            await lose(log, ten, ids("1-6", "1-10"))
            await wait_until(lambda: redis.refused > 0)
            redis.shut = False
            body = await wire.until(b'"last":"1-5"}\n\n')
    assert body.endswith(b'id: 1-5\nevent: stream.rewound\ndata: {"requested":"1-10","last":"1-5"}\n\n')


async def test_a_pod_says_once_that_redis_is_away(
    settings: Settings, redis_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    """And once that it's back, also if nobody listens to anything."""
    caplog.set_level(logging.INFO, "events.pump")
    async with gate(redis_port) as redis, running_pod(settings.model_copy(update={"redis_url": redis.url})):
        await wait_until(lambda: redis.connections > 0)
        redis.close()
        await wait_until(lambda: redis.refused > 3)
        redis.shut = False
        await wait_until(lambda: "logs can be read again" in caplog.text)
    assert caplog.text.count("logs can't be read") == 1


async def test_a_cursor_ahead_of_a_sealed_log_is_put_right_and_the_stream_ends(
    pod: RunningPod, tasks: TaskStore, ten: str
) -> None:
    """Nothing can come after the terminal event, so there is nothing to wait for."""
    await seal(tasks, ten, "1-11")
    async with listen(pod, ten, "1-30") as wire:
        body = after_retry(await wire.rest(seconds=2))
    assert body == b'id: 1-11\nevent: stream.rewound\ndata: {"requested":"1-30","last":"1-11"}\n\n'


async def test_the_largest_cursor_is_a_cursor_like_any_other(pod: RunningPod, ten: str) -> None:
    """Two numbers of 2^64 - 1 are valid, and ahead of every log."""
    largest = f"{2**64 - 1}-{2**64 - 1}"
    async with listen(pod, ten, largest) as wire:
        assert wire.response.status_code == 200
        body = after_retry(await wire.until(b"}\n\n"))
    assert body.startswith(b"id: 1-10\nevent: stream.rewound\n")


async def test_every_reader_of_a_log_is_told(pod: RunningPod, log: EventLog, ten: str) -> None:
    """Readers that share the reading of a log share its notices, each whatever it had."""
    async with listen(pod, ten, "1-9") as one, listen(pod, ten) as two:
        await one.until(b"id: 1-10\n")
        await two.until(b"id: 1-10\n")
        await roll_back(log, ten)
        for body in (await one.until(b"id: 2-8\n"), await two.until(b"id: 2-8\n")):
            assert body.count(b"event: stream.rewound\n") == 1
            assert body.index(b"event: stream.rewound\n") < body.index(b"id: 2-6\n")
