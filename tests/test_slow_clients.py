"""Clients that read slowly or not at all: bounded, cut off beyond the bound, and no burden on the others."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest

from api.connection import MAX_BUFFERED_CHUNKS
from events.append import Appender
from events.log import EventLog
from events.model import Event, EventType
from events.settings import Settings
from events.tasks import TaskStore
from events.writer import AttemptWriter
from tests.support.attempts import open_attempt, write
from tests.support.pods import RunningPod, running_pod
from tests.support.waiting import wait_until

ID = re.compile(rb"id: 1-(\d+)\nevent: [^\n]+\ndata: [^\n]+\n\n")


@pytest.fixture
async def narrow(settings: Settings) -> AsyncGenerator[RunningPod]:
    """A pod whose sockets take little before they are full."""
    async with running_pod(settings, send_buffer=4096) as it:
        yield it


@dataclass
class Slow:
    """A client that reads when it's told to."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    body: bytes = field(default=b"", init=False)

    async def read_all(self) -> None:
        """Read to the end, or until the server cuts it off; chunk sizes are left out."""
        try:
            while line := await self.reader.readline():
                size = int(line, 16)
                self.body += (await self.reader.readexactly(size + 2))[:-2]
                if size == 0:
                    return
        except (OSError, asyncio.IncompleteReadError):
            return

    @property
    def seqs(self) -> list[int]:
        """The seqs of the whole frames it got."""
        return [int(match[1]) for match in ID.finditer(self.body)]


async def connect(pod: RunningPod, task_id: str) -> Slow:
    """Open a stream and read its headers, with as small a window as can be."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    host, port = pod.url.removeprefix("http://").split(":")
    await asyncio.get_running_loop().sock_connect(client, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=client, limit=4096)
    writer.write(f"GET /tasks/{task_id}/stream?from=now HTTP/1.1\r\nHost: test\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    return Slow(reader, writer)


async def write_one_by_one(writer: AttemptWriter, count: int, size: int) -> None:
    """Each event is a delivery of its own."""
    for _ in range(count):
        await writer.append(Event(EventType.PROGRESS, {"message": "x" * size}))
        await writer.flush()
        await asyncio.sleep(0.001)


async def test_a_client_that_pauses_gets_everything_when_it_reads_on(
    narrow: RunningPod, log: EventLog, tasks: TaskStore, appender: Appender, task_id: str
) -> None:
    """Within the bound, what came while its socket was full follows in order, the end included."""
    writer = await open_attempt(log, appender, task_id)
    slow = await connect(narrow, task_id)
    await wait_until(lambda: len(narrow.pod.streams) == 1)
    await write_one_by_one(writer, MAX_BUFFERED_CHUNKS - 50, 3000)
    await write(writer, 1, seal=True)
    await slow.read_all()
    assert slow.seqs == list(range(3, writer.last.seq + 1))
    slow.writer.close()
    await tasks.settle(task_id)


async def test_a_client_that_does_not_read_is_cut_off_and_misses_nothing_when_it_is_back(
    narrow: RunningPod, log: EventLog, tasks: TaskStore, appender: Appender, task_id: str
) -> None:
    """The one beside it gets everything meanwhile; the slow one resumes by its cursor."""
    writer = await open_attempt(log, appender, task_id)
    slow = await connect(narrow, task_id)
    fast = asyncio.create_task(narrow.stream(task_id))
    await wait_until(lambda: len(narrow.pod.streams) == 2)
    await write_one_by_one(writer, MAX_BUFFERED_CHUNKS * 2, 3000)
    await wait_until(lambda: len(narrow.pod.streams) == 1)
    await write(writer, 1, seal=True)
    assert [event.id for event in await fast][-1] == str(writer.last)
    await slow.read_all()
    got = slow.seqs
    assert got == list(range(3, 3 + len(got)))
    assert len(got) < MAX_BUFFERED_CHUNKS
    rest = await narrow.stream(task_id, after=f"1-{got[-1]}")
    assert [int(event.id.partition("-")[2]) for event in rest] == list(
        range(got[-1] + 1, writer.last.seq + 1)
    )
    slow.writer.close()
    await tasks.settle(task_id)
