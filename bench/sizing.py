"""What an operator has to make room for: an event and a task in Redis, a pod and a worker."""

from __future__ import annotations

import asyncio
import time
from typing import cast

from redis import Redis

from bench import system
from bench.client import Request
from bench.figures import Figure
from bench.logs import Bench, open_bench
from events.keys import Keys
from events.model import Event, EventType

EVENTS = 4_000
TEXTS = (100, 1_000, 10_000)
"""Bytes of a message; the envelope comes on top."""

TASKS = 400
_BODY = b'{"graph":"hello","input":{"name":"bench"}}'


def measure(quick: bool) -> list[Figure]:
    """First Redis, then the processes."""
    divisor = 4 if quick else 1
    return [*asyncio.run(_events(EVENTS // divisor)), *_system(TASKS // divisor)]


async def _events(count: int) -> list[Figure]:
    with system.valkey() as valkey, Redis(port=valkey) as client:
        async with open_bench(valkey) as bench:
            return [await _event(bench, client, size, count) for size in TEXTS]


async def _event(bench: Bench, client: Redis, size: int, count: int) -> Figure:
    writer = await bench.claim()
    before = _used(client)
    for number in range(count):
        await writer.append(Event(EventType.PROGRESS, {"message": f"{number:08d}".ljust(size, ".")}))
    await writer.flush()
    each = (_used(client) - before) / count
    what = f"sizing: an event with {size:,} bytes of text, in Redis"
    return Figure(what, each, "bytes", None, f"{count} events")


def _system(count: int) -> list[Figure]:
    with (
        system.valkey() as valkey,
        Redis(port=valkey) as client,
        system.pod(valkey) as (port, pod),
        system.worker(valkey) as worker,
    ):
        ready = [system.resident_mib(pid, "VmRSS") for pid in (pod, worker)]
        _run(client, port, 20)  # what the first tasks take is no other's
        before = _used(client)
        _run(client, port, count)
        each = (_used(client) - before) / count
        worked = [system.resident_mib(pid, "VmRSS") for pid in (pod, worker)]
    note = f"{count} tasks of one node and 6 events, ended"
    return [
        Figure("sizing: a small task, all that is kept of it", each / 1000, "kB", None, note),
        Figure("sizing: a pod, ready", ready[0], "MiB", None, f"resident; {worked[0]:.0f} after these tasks"),
        Figure(
            "sizing: a worker with one small graph, ready",
            ready[1],
            "MiB",
            None,
            f"resident; {worked[1]:.0f} after",
        ),
    ]


def _run(client: Redis, port: int, count: int) -> None:
    """Submit so many tasks, and wait until nothing is expected of any."""
    for _ in range(count):
        request = Request(port, "POST", "/tasks", "application/json", _BODY)
        request.wait_for(b"HTTP/1.1 202")
        request.finish()
    deadline = time.monotonic() + 60
    while client.zcard(Keys().deadlines):
        if time.monotonic() > deadline:
            raise TimeoutError("the tasks haven't ended in 60 s")
        time.sleep(0.05)


def _used(client: Redis) -> int:
    told = cast("dict[str, int]", client.info("memory"))
    return told["used_memory"]
