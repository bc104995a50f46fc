"""How soon a running graph is ended by POST /cancel: a pod, a worker, and one task at a time."""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
import time
from http import HTTPStatus
from pathlib import Path

from bench.figures import median, nearest_rank
from events.model import START, EventType
from tests.chaos import processes
from tests.chaos.endings import SPEC, TICK_SECONDS
from tests.chaos.outcome import Outcome
from tests.chaos.tasks import Tasks, tasks
from tests.chaos.verdict import wrong_with
from tests.support.waiting import wait_until

ROUNDS = 200
SHORT = 30

MEDIAN_MS = 200.0
"""The median may be that much."""

RUNNING_SECONDS = 20.0
END_SECONDS = 30.0
TICKS = round(END_SECONDS / TICK_SECONDS)


async def run(rounds: int, seed: int) -> list[Outcome]:
    """Cancel so many running tasks."""
    began, rng = time.monotonic(), random.Random(seed)
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        server = await stack.enter_async_context(processes.valkey(Path(folder)))
        its = await stack.enter_async_context(tasks(server.url))
        await stack.enter_async_context(processes.workers(server.url, 1, [SPEC]))
        pod = await stack.enter_async_context(processes.pod(server.url))
        found = [await _cancelled(pod, its, rng) for _ in range(rounds)]
        failures = [wrong for task_id, _ in found for wrong in await wrong_with(its, task_id)]
    milliseconds = [seconds * 1000 for _, seconds in found]
    if rounds > SHORT and median(milliseconds) > MEDIAN_MS:  # the short form is a test
        failures.append(f"the median is over {MEDIAN_MS:g} ms")
    figures = {
        "POST to task.cancelled, median": f"{median(milliseconds):.1f} ms",
        "p99": f"{nearest_rank(milliseconds, 99):.1f} ms",
        "longest": f"{max(milliseconds):.1f} ms",
    }
    fault = "a running task is cancelled"
    seconds = time.monotonic() - began
    return [Outcome(fault, rounds, seconds, figures, [f"{failure} (seed {seed})" for failure in failures])]


async def _cancelled(pod: processes.Pod, its: Tasks, rng: random.Random) -> tuple[str, float]:
    """Cancel a task that runs; gives it, and the seconds from the POST to `task.cancelled` in the log."""
    task_id = await pod.submit("ending", input={"ticks": TICKS})
    await wait_until(lambda: _runs(its, task_id), RUNNING_SECONDS)
    await asyncio.sleep(rng.random() * TICK_SECONDS)
    began = time.monotonic()
    cancelling = asyncio.create_task(pod.client.post(f"/tasks/{task_id}/cancel"))
    await wait_until(lambda: its.ended(task_id), END_SECONDS)
    seconds = time.monotonic() - began
    answer = await cancelling
    if answer.status_code != HTTPStatus.ACCEPTED:
        raise AssertionError(f"the cancellation of task {task_id} was answered by {answer.status_code}")
    await wait_until(lambda: _is_settled(its, task_id), END_SECONDS)
    return task_id, seconds


async def _runs(its: Tasks, task_id: str) -> bool:
    return any(entry.type is EventType.PROGRESS for entry in await its.log.read(task_id, START))


async def _is_settled(its: Tasks, task_id: str) -> bool:
    return await its.log.redis.zscore(its.log.keys.deadlines, task_id) is None
