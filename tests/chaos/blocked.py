"""A node that blocks its worker's event loop, for longer than a lease, beside other tasks of that worker."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from events.model import parse_timestamp
from tests.chaos.graphs import NODES, SPECS
from tests.chaos.history import History, read_history
from tests.chaos.outcome import Outcome
from tests.chaos.processes import valkey, workers
from tests.chaos.tasks import Tasks, tasks
from tests.support.waiting import wait_until

ROUNDS = 3
"""Blocks."""

SHORT = 1

WORKERS = 2
BESIDE = 10
"""Tasks that the workers have when one of them is blocked."""

PLACES = 6
"""Of each worker: too few for all tasks beside, so the blocked one has some of them."""

FULL = (30.0, 10.0)
QUICK = (4.0, 1.0)
"""How long the node blocks and how long a lease holds, in seconds."""

BEGUN_SECONDS = 20.0

BLOCKING = ("block",)


async def run(rounds: int, seed: int) -> list[Outcome]:
    """So many blocks, one after the other; the short form has shorter ones and a shorter lease."""
    seconds, lease = FULL if rounds > SHORT else QUICK
    began, chance, late, failures = time.monotonic(), random.Random(seed), list[float](), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            valkey(Path(folder)) as server,
            workers(server.url, WORKERS, SPECS, lease_seconds=lease, concurrency=PLACES),
            tasks(server.url) as its,
        ):
            for _ in range(rounds):
                blocked, *beside = await _block(its, chance, seconds)
                failures += _failures(blocked, beside)
                late += _late(blocked, beside, seconds)
    if len(late) < rounds:
        failures.append(f"only {len(late)} other tasks were under way on a blocked worker, seed {seed}")
    figures = {
        "other tasks that came late": str(len(late)),
        "the latest came late by": f"{max(late, default=0):.1f} s",
        "attempts opened meanwhile": str(sum("attempt" in failure for failure in failures)),
    }
    fault = f"an async node calls time.sleep({seconds:g}), lease {lease:g} s"
    return [Outcome(fault, rounds, time.monotonic() - began, figures, failures)]


async def _block(its: Tasks, chance: random.Random, seconds: float) -> list[History]:
    """The history of the task that blocks, and of those beside it."""
    beside = [
        await its.submit("steps", seed=chance.randrange(2**32), low=0.2, high=0.6) for _ in range(BESIDE)
    ]
    for task_id in beside:
        await wait_until(lambda task_id=task_id: its.begun(task_id), BEGUN_SECONDS)
    ids = [await its.submit("blocking", low=seconds), *beside]
    left = await its.unfinished(ids, 60 + 2 * seconds)
    if left:
        raise TimeoutError(f"tasks that have not ended: {', '.join(left)}")
    return [await read_history(its, task_id) for task_id in ids]


def _failures(blocked: History, beside: Sequence[History]) -> list[str]:
    failures = blocked.wrong(BLOCKING) + [sentence for history in beside for sentence in history.wrong(NODES)]
    for history in (blocked, *beside):
        if len(history.turns) > 1:
            failures.append(f"task {history.task_id}: attempt {len(history.turns)} opened")
        nodes = [start.node for start in history.starts]
        if len(nodes) != len(set(nodes)):
            failures.append(f"task {history.task_id}: a node ran twice: {nodes}")
    return failures


def _late(blocked: History, beside: Sequence[History], seconds: float) -> list[float]:
    """How long the tasks took, in seconds, that the blocked worker had: those which waited for it."""
    pid, began = blocked.turns[0].pid, blocked.turns[0].started_ms
    took = [
        (parse_timestamp(history.entries[-1].event["ts"]) - began) / 1000
        for history in beside
        if history.turns[0].pid == pid
    ]
    return [each for each in took if each >= seconds]
