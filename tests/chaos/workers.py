"""A random worker is killed every two seconds and started again at once, until all tasks have ended."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from bench.figures import median, nearest_rank
from events.background import stop
from tests.chaos.graphs import NODES, SPECS
from tests.chaos.history import History, read_history
from tests.chaos.outcome import Outcome
from tests.chaos.process import Process
from tests.chaos.processes import valkey, workers
from tests.chaos.tasks import check_log, tasks

ROUNDS = 300
"""Tasks."""

SHORT = 12

WORKERS = 4
KILL_SECONDS = 2.0
TAKEOVER_SECONDS = {10.0: 15.0, 3.0: 4.0}
"""The lease, and within what time a killed worker's tasks shall be in other hands (99 in 100 of them)."""

MAX_ATTEMPTS = 10
"""Some task is killed three times before a node of its ends; this isn't about poison."""

LEAST_SECONDS = 60.0
"""How long tasks are waited for, and half a second more for each."""

CLOCK_MS = 5
"""How far the timestamp of an attempt, taken before its claim, may lie before the kill that led to it."""


Kills = dict[int, float]
"""When which process was killed: Unix milliseconds by process id."""


async def run(rounds: int, seed: int) -> list[Outcome]:
    """`rounds` tasks with each lease; the short form has the shorter one only."""
    leases = TAKEOVER_SECONDS if rounds > SHORT else [3.0]
    return [await _run(rounds, seed, lease) for lease in leases]


async def _run(count: int, seed: int, lease: float) -> Outcome:
    chance, began, kills = random.Random(seed), time.monotonic(), Kills()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            valkey(Path(folder)) as server,
            workers(server.url, WORKERS, SPECS, lease_seconds=lease, max_attempts=MAX_ATTEMPTS) as processes,
            tasks(server.url) as its,
        ):
            ids = [await its.submit("steps", seed=chance.randrange(2**32)) for _ in range(count)]
            killing = asyncio.create_task(_kill(processes, chance, kills))
            lost = await its.unfinished(ids, LEAST_SECONDS + count / 2)
            await stop([killing])
            histories = [await read_history(its, task_id) for task_id in ids if task_id not in lost]
    return _outcome(count, time.monotonic() - began, lease, kills, lost, histories)


async def _kill(processes: Sequence[Process], chance: random.Random, kills: Kills) -> None:
    await asyncio.sleep(chance.uniform(0, 0.5) * KILL_SECONDS)
    while True:
        victim = chance.choice(processes)
        victim.check()
        kills[victim.pid] = time.time() * 1000
        victim.restart()
        await asyncio.sleep(KILL_SECONDS)


def _outcome(
    count: int, seconds: float, lease: float, kills: Kills, lost: Sequence[str], histories: Sequence[History]
) -> Outcome:
    takeovers, failures = _takeovers(histories, kills)
    failures += [f"task {task_id} has not ended" for task_id in lost]
    failures += [sentence for history in histories for sentence in history.wrong(NODES)]
    took = [each for each, _ in takeovers] or [0.0]
    p99, most = nearest_rank(took, 99), TAKEOVER_SECONDS[lease]
    if count > SHORT and p99 > most:  # the short form is a test, which measures no time
        slowest = ", ".join(f"{each:.1f} s {what}" for each, what in sorted(takeovers)[:-4:-1])
        failures.append(f"takeover p99 is {p99:.1f} s, above {most:g} s; slowest: {slowest}")
    figures = {
        "kills": str(len(kills)),
        "takeovers": str(len(takeovers)),
        "takeover median": f"{median(took):.1f} s",
        "takeover p99": f"{p99:.1f} s",
        "tasks lost": str(len(lost)),
        "logs with a hole, a double or no one end": str(sum(bool(check_log(it.entries)) for it in histories)),
        "finished nodes run again": str(sum(len(history.run_again) for history in histories)),
    }
    fault = f"kill -9 of a random worker every {KILL_SECONDS:g} s, lease {lease:g} s"
    return Outcome(fault, count, seconds, figures, failures)


def _takeovers(histories: Sequence[History], kills: Kills) -> tuple[list[tuple[float, str]], list[str]]:
    """Seconds from each kill to the next attempt, and which; a sentence for each without a kill."""
    takeovers: list[tuple[float, str]] = []
    unprovoked: list[str] = []
    for history in histories:
        for before, after in pairwise(history.turns):
            killed = kills.get(before.pid)
            if killed is None or after.started_ms < killed - CLOCK_MS:
                unprovoked.append(f"task {history.task_id}: attempt {before.attempt} was superseded alive")
            else:
                took = max(0.0, after.started_ms - killed) / 1000
                takeovers.append((took, f"to attempt {after.attempt} of task {history.task_id}"))
    return takeovers, unprovoked
