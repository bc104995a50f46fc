"""The benchmarks' clients: what they count must be what a server sent, or no figure means anything."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from bench import load
from bench.load import Received, clients
from events.append import Appender
from events.tasks import TaskStore
from tests.support.growing import growing
from tests.support.listening import listening, port_of
from tests.support.pods import RunningPod

pytestmark = pytest.mark.skipif(load.missing() is not None, reason=load.missing() or "")

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def receive(port: int, count: int, targets: Sequence[str], until: int) -> Received:
    """What so many clients got."""

    def run() -> Received:
        with clients("stream", port, count, targets, until=until, seconds=20) as crowd:
            crowd.wait_until_ready()
            return crowd.wait_for_the_end()

    return await asyncio.to_thread(run)


async def answered_with(frames: Sequence[bytes], until: int) -> Received:
    """What one client makes of a stream, whose chunks end anywhere in its lines."""
    body = b"".join(frames)
    parts = [body[at : at + 7] for at in range(0, len(body), 7)]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with listening(answer) as server:
        return await receive(port_of(server), 1, ["/"], until)


def frame(seq: int) -> bytes:
    """An event as any of the servers sends it."""
    return b'id: 1-%d\nevent: progress\ndata: {"seq":%d,"data":{"sent":1,"text":"x"}}\n\n' % (seq, seq)


async def test_all_that_a_pod_sends_is_counted_once(
    pod: RunningPod, tasks: TaskStore, appender: Appender
) -> None:
    """Fifty clients of two tasks, from the start or behind a cursor."""
    logs = await growing(tasks, appender, 2)
    for log in logs:
        await log.burst(100)
    port = int(pod.url.rpartition(":")[2])
    targets = [f"/tasks/{logs[0].task_id}/stream", f"/tasks/{logs[1].task_id}/stream\t1-52"]
    received = await receive(port, 50, targets, until=102)
    assert (received.complete, received.closed, received.disordered) == (50, 0, 0)
    assert received.deliveries == 25 * 102 + 25 * 50


@pytest.mark.parametrize(
    ("seqs", "disordered"), [([1, 2, 3, 4], 0), ([1, 3, 4], 1), ([1, 2, 2, 3, 4], 1), ([1, 3, 2, 4], 3)]
)
async def test_what_is_lost_doubled_or_exchanged_is_noticed(seqs: list[int], disordered: int) -> None:
    """An event that isn't the last one's successor counts, wherever the chunks end."""
    received = await answered_with([b"retry: 1000\n\n", *map(frame, seqs)], until=4)
    assert (received.deliveries, received.disordered, received.complete) == (len(seqs), disordered, 1)
    assert received.timed == len(seqs)
