"""Appending as a worker does: how many events a second from many tasks, and how soon a lone one is seen."""

from __future__ import annotations

import asyncio
import time

import uvloop

from bench import system
from bench.figures import Figure, at_least, at_most, median, nearest_rank
from bench.logs import Bench, open_bench, progress
from events.bells import Bells
from events.reads import Reads
from events.routes import routes
from events.writer import AttemptWriter

TASKS = 50
EVENTS_PER_TASK = 2_000
ROUNDS = 3
RATE_BAR = at_least(50_000)
LONE_EVENTS = 500
LONE_PAUSE_SECONDS = 0.005
LONE_BAR_MS = at_most(1)


def measure(quick: bool) -> list[Figure]:
    """First the throughput, then the lone event."""
    return uvloop.run(_measure(4 if quick else 1))


async def _measure(divisor: int) -> list[Figure]:
    events, lone = EVENTS_PER_TASK // divisor, LONE_EVENTS // divisor
    with system.valkey() as valkey:
        async with open_bench(valkey) as bench:
            rates = [await _throughput(bench, events) for _ in range(ROUNDS)]
            bells, reads = await _lone_events(bench, lone)
    rounds = ", ".join(f"{rate / 1000:.0f}k" for rate in rates)
    note = f"{events} each; rounds {rounds}"
    return [
        Figure(f"append: {TASKS} tasks at once", median(rates), "events/s", RATE_BAR, note),
        Figure("append: a lone event, to its bell, median", median(bells), "ms", LONE_BAR_MS, _spread(bells)),
        Figure("append: a lone event, read after it, median", median(reads), "ms", None, _spread(reads)),
    ]


def _spread(times: list[float]) -> str:
    return f"{len(times)} events, p99 {nearest_rank(times, 99):.2f} ms"


async def _throughput(bench: Bench, events: int) -> float:
    """Events a second, from the first append to the last acknowledgement; then Redis is asked for them."""
    writers = [await bench.claim() for _ in range(TASKS)]
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for writer in writers:
            group.create_task(_append_all(writer, events))
    elapsed = time.perf_counter() - began
    lasts = [(await bench.log.last(writer.claim.task_id))[0].id for writer in writers]
    if any(last.seq != events + 2 for last in lasts):
        raise ValueError(f"events are missing: {lasts}")
    return TASKS * events / elapsed


async def _append_all(writer: AttemptWriter, events: int) -> None:
    for number in range(1, events + 1):
        await writer.append(progress(number, events))
    await writer.flush()


async def _lone_events(bench: Bench, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds from each append to its bell, and to its entry read after the bell, as a pod reads it."""
    writer = await bench.claim()
    task_id = writer.claim.task_id
    rung = asyncio.Event()
    bells = Bells(bench.redis, lambda _: rung.set())
    bells.listen(bench.log.keys.bell(task_id))
    listening = asyncio.create_task(bells.run())
    await rung.wait()  # the subscription holds
    times: list[tuple[float, float]] = []
    reads = Reads(bench.redis, routes(bench.redis), bench.log.keys, lambda: None)
    await reads.open()
    for number in range(1, count + 1):
        await asyncio.sleep(LONE_PAUSE_SECONDS)
        rung.clear()
        times.append(await _lone_event(reads, writer, rung, number))
    await reads.close()
    listening.cancel()
    await asyncio.wait([listening])
    return [bell for bell, _ in times], [read for _, read in times]


async def _lone_event(
    reads: Reads, writer: AttemptWriter, rung: asyncio.Event, number: int
) -> tuple[float, float]:
    before = writer.last
    began = time.perf_counter()
    await writer.append(progress(number, LONE_EVENTS))
    async with asyncio.timeout(5):
        await rung.wait()
    bell = time.perf_counter()
    found, _ = await reads.after({writer.claim.task_id: before})
    read = time.perf_counter()
    if found[writer.claim.task_id][-1].id != writer.last:
        raise ValueError(f"{writer.last} rang but is not there")
    return (bell - began) * 1000, (read - began) * 1000
