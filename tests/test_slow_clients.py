"""Clients that read slowly or not at all: bounded, cut off beyond the bound, and no burden on the others."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from api.connection import MAX_KEPT_BYTES, MAX_KEPT_CHUNKS
from events.append import Appender
from events.model import Event, EventType
from events.settings import Settings
from events.tasks import TaskStore
from tests.support.clients import Client, all_over, ask, assert_holds, crowd
from tests.support.followers import Follower
from tests.support.growing import Growing, growing
from tests.support.pods import RunningPod, running_pod
from tests.support.waiting import wait_until

BUFFER = 4096
IN_SOCKETS = 256 * 1024
"""More than the kernel and the transport take at both ends together, with buffers of that size asked for."""


@pytest.fixture
async def narrow(settings: Settings) -> AsyncGenerator[RunningPod]:
    """A pod whose sockets take little before they are full."""
    async with running_pod(settings, send_buffer=BUFFER) as it:
        yield it


@pytest.fixture
async def log(tasks: TaskStore, appender: Appender) -> Growing:
    """A log that grows."""
    (it,) = await growing(tasks, appender, 1)
    return it


@pytest.fixture
async def long(log: Growing) -> Growing:
    """A log whose history is longer than all buffers on its way together."""
    for _ in range(100):
        await log.burst(1, large=True)
    return log


async def ask_and_stop(pod: RunningPod, log: Growing) -> Client:
    """A client that reads the head, and then nothing."""
    client = await ask(pod.url, log.task_id, window=BUFFER)
    client.stop_reading()
    return client


async def write_one_by_one(log: Growing, size: int, count: int, witness: Client) -> None:
    """Each event is a delivery of its own."""
    for _ in range(count):
        await log.writer.append(Event(EventType.PROGRESS, {"message": "x" * size}))
        await log.writer.flush()
        await witness.gets(log.writer.last)


async def test_a_client_that_pauses_gets_everything_when_it_reads_on(
    narrow: RunningPod, log: Growing
) -> None:
    """Within the bound, what came while its socket was full follows in order, the end included."""
    async with crowd() as clients:
        clients += [await ask(narrow.url, log.task_id), await ask_and_stop(narrow, log)]
        await write_one_by_one(log, 3000, MAX_KEPT_CHUNKS - 10, clients[0])
        await log.seal()
        clients[1].read_on()
        await all_over(clients)
    for client in clients:
        assert_holds(client, await log.whole())
    assert narrow.pod.streams.slow_clients == 0


@pytest.mark.parametrize(
    ("size", "most"),
    [
        pytest.param(3000, MAX_KEPT_CHUNKS + IN_SOCKETS // 3000, id="by number"),
        pytest.param(100_000, (MAX_KEPT_BYTES + IN_SOCKETS) // 100_000 + 1, id="by size"),
    ],
)
async def test_a_client_that_does_not_read_is_cut_off_and_misses_nothing_when_it_is_back(
    narrow: RunningPod, log: Growing, size: int, most: int
) -> None:
    """Ten clients beside it get everything meanwhile; the slow one resumes by its cursor."""
    async with crowd() as fast, crowd() as slow:
        fast += [await ask(narrow.url, log.task_id) for _ in range(10)]
        slow += [await ask_and_stop(narrow, log)]
        await wait_until(lambda: len(narrow.pod.streams) == 11)
        await write_one_by_one(log, size, most, fast[0])
        assert narrow.pod.streams.slow_clients == 1
        await wait_until(lambda: len(narrow.pod.streams) == 10)
        await log.burst(1000)
        await log.seal()
        slow[0].read_on()
        await all_over(fast + slow)
    whole = await log.whole()
    for client in fast:
        assert_holds(client, whole)
    assert not slow[0].whole
    again = Follower()
    again.take(bytes(slow[0].body))
    assert len(again.held) < most
    await again.follow(narrow.url, task_id=log.task_id)
    assert again.held == whole


async def test_a_client_that_stops_reading_is_cut_off_in_time(
    narrow: RunningPod, log: Growing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It isn't kept for ever, though it's within the bound; one that reads stays, however little comes."""
    monkeypatch.setattr("api.connection.STALLED_SECONDS", 0.5)
    async with crowd() as clients:
        clients += [await ask(narrow.url, log.task_id), await ask_and_stop(narrow, log)]
        await wait_until(lambda: len(narrow.pod.streams) == 2)
        await write_one_by_one(log, 3000, 100, clients[0])
        await wait_until(lambda: len(narrow.pod.streams) == 1)
        await log.seal()
        await clients[0].over.wait()
        assert_holds(clients[0], await log.whole())


async def test_a_client_that_stops_in_history_is_cut_off_in_time(
    pod: RunningPod, long: Growing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It isn't kept for ever either."""
    monkeypatch.setattr("api.connection.STALLED_SECONDS", 0.5)
    async with crowd() as clients:
        clients += [await ask_and_stop(pod, long) for _ in range(5)]
        await wait_until(lambda: len(pod.pod.streams) == 5)
        await wait_until(lambda: len(pod.pod.streams) == 0)
    await long.seal()


async def test_a_client_that_stops_in_history_holds_nobody_up_and_goes_on_where_it_was(
    pod: RunningPod, long: Growing
) -> None:
    """What it doesn't take isn't read from Redis, so there is nothing to cut off; the others get theirs."""
    async with crowd() as clients:
        clients += [await ask(pod.url, long.task_id) for _ in range(3)]
        for client in clients[:2]:
            client.stop_reading()
        await clients[2].gets(long.writer.last)
        await long.seal()
        await clients[2].over.wait()
        clients[0].read_on()
        await clients[0].over.wait()
    whole = await long.whole()
    assert_holds(clients[0], whole)
    assert_holds(clients[2], whole)
    assert pod.pod.streams.slow_clients == 0
