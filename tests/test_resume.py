"""Resuming is exact: what one pod sent and what another sends after it are together the whole log."""

from __future__ import annotations

import asyncio
import random
import re

from events.append import Appender
from events.log import EventLog
from events.tasks import TaskStore
from tests.support.attempts import open_attempt, write
from tests.support.pods import RunningPod

FRAME = re.compile(rb"id: ([^\n]+)\nevent: [^\n]+\ndata: [^\n]+\n\n")


def frames(body: bytes) -> list[bytes]:
    """The frames with an id, as bytes; whatever else there is must be retry fields and comments."""
    found = [match[0] for match in FRAME.finditer(body)]
    rest = FRAME.sub(b"", body)
    assert re.fullmatch(rb"(retry: \d+\n\n|: [^\n]*\n\n)*", rest), rest
    return found


def last_id(sent: list[bytes]) -> str | None:
    """The id of the last frame, as a browser would remember it."""
    match = FRAME.match(sent[-1]) if sent else None
    return match[1].decode() if match else None


async def whole_log(log: EventLog, task_id: str) -> list[bytes]:
    """What a perfect client would have been sent, made here from what Redis holds."""
    raw = await log.redis.xrange(log.keys.log(task_id))
    return [b"id: " + i + b"\nevent: " + f[1] + b"\ndata: " + f[3] + b"\n\n" for i, f in raw]


async def test_every_cut_of_a_sealed_log_is_made_whole_by_another_pod(
    pod: RunningPod, other_pod: RunningPod, log: EventLog, tasks: TaskStore, appender: Appender, task_id: str
) -> None:
    """300 events over three attempts, cut at every place there is."""
    for count in (90, 120):
        await write(await open_attempt(log, appender, task_id), count)
    await write(await open_attempt(log, appender, task_id), 85, seal=True)
    await tasks.settle(task_id)
    whole = await whole_log(log, task_id)
    assert len(whole) == 300
    assert frames(await pod.raw(task_id)) == whole
    for cut in range(301):
        rest = await other_pod.raw(task_id, last_id(whole[:cut]))
        assert whole[:cut] + frames(rest) == whole


async def read_some(pod: RunningPod, task_id: str, after: str | None, most: int) -> list[bytes]:
    """Break off a stream after some bytes, wherever that is in a frame; the whole frames count."""
    headers = {} if after is None else {"Last-Event-ID": after}
    body = b""
    async with pod.client.stream("GET", f"/tasks/{task_id}/stream", headers=headers) as answer:
        async for chunk in answer.aiter_raw():
            body += chunk
            if len(body) >= most:
                body = body[: most + random.randrange(-50, 1)]
                break
    return [match[0] for match in FRAME.finditer(body)]


async def hop(pods: list[RunningPod], task_id: str) -> list[bytes]:
    """A client that breaks off ten times at random and goes on at a random pod."""
    got: list[bytes] = []
    for _ in range(10):
        await asyncio.sleep(random.random() * 0.2)
        got += await read_some(random.choice(pods), task_id, last_id(got), random.randrange(100, 6000))
    got += frames(await random.choice(pods).raw(task_id, last_id(got)))
    return got


async def test_twenty_clients_that_break_off_ten_times_get_a_running_task_whole(
    pod: RunningPod, other_pod: RunningPod, log: EventLog, tasks: TaskStore, appender: Appender, task_id: str
) -> None:
    """While the task runs, over two pods and a takeover in the middle."""
    clients = [asyncio.create_task(hop([pod, other_pod], task_id)) for _ in range(20)]
    for attempt in (1, 2):
        writer = await open_attempt(log, appender, task_id)
        for _ in range(100):
            await write(writer, random.randrange(1, 6))
            await asyncio.sleep(0.01)
        await write(writer, 1, seal=attempt == 2)
    await tasks.settle(task_id)
    whole = await whole_log(log, task_id)
    for got in await asyncio.gather(*clients):
        assert got == whole
