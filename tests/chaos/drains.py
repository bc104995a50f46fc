"""Worker after worker is told to go: what each has under way goes on elsewhere at once, and only once."""

from __future__ import annotations

import random
import signal
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from bench.figures import median, nearest_rank
from events.model import Entry, EventType, parse_timestamp
from tests.chaos.graphs import NODES, SPECS
from tests.chaos.history import History, read_history
from tests.chaos.outcome import Outcome
from tests.chaos.process import Process
from tests.chaos.processes import valkey, workers, workers_ready
from tests.chaos.tasks import Tasks, tasks
from tests.support.waiting import wait_until

ROUNDS = 30
"""Workers that go."""

SHORT = 2

WORKERS = 2
TASKS = 6
"""Under way in each round, fewer than one worker can run."""

DRAINED_SECONDS = 30.0
HAND_BACK_SECONDS = 1.0
"""Within what time another worker shall go on with a task that was handed back."""


async def run(rounds: int, seed: int) -> list[Outcome]:
    """Each round stops a worker while tasks run, and starts it again for the next."""
    chance, began = random.Random(seed), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            valkey(Path(folder)) as server,
            workers(server.url, WORKERS, SPECS) as processes,
            tasks(server.url) as its,
        ):
            ids: list[str] = []
            for number in range(rounds):
                ids += [await its.submit("steps", seed=chance.randrange(2**32)) for _ in range(TASKS)]
                await _drain(processes[number % WORKERS], its, ids)
                await workers_ready(server.url, processes)
            lost = await its.unfinished(ids, 60)
            histories = [await read_history(its, task_id) for task_id in ids if task_id not in lost]
    return [_outcome(rounds, time.monotonic() - began, lost, histories)]


async def _drain(worker: Process, its: Tasks, ids: Sequence[str]) -> None:
    async def begun() -> bool:
        return all([len(await its.log.last(task_id, 4)) == 4 for task_id in ids[-TASKS:]])

    await wait_until(begun, DRAINED_SECONDS)
    worker.send(signal.SIGTERM)
    await wait_until(lambda: not worker.running, DRAINED_SECONDS)
    worker.restart()


def _outcome(rounds: int, seconds: float, lost: Sequence[str], histories: Sequence[History]) -> Outcome:
    pauses = [pause for history in histories for pause in _pauses(history.entries)]
    cut_off = [sentence for history in histories for sentence in _cut_off(history)]
    longest = max(pauses, default=0.0)
    failures = [f"task {task_id} has not ended" for task_id in lost] + cut_off
    failures += [sentence for history in histories for sentence in history.wrong(NODES)]
    if not pauses:
        failures.append("no task was handed back")
    if rounds > SHORT and longest > HAND_BACK_SECONDS:  # the short form is a test, which measures no time
        failures.append(f"a task lay idle for {longest:.2f} s, above {HAND_BACK_SECONDS:g} s")
    figures = {
        "handed back": str(len(pauses)),
        "idle median": f"{median(pauses) * 1000 if pauses else 0:.0f} ms",
        "idle p99": f"{nearest_rank(pauses, 99) * 1000 if pauses else 0:.0f} ms",
        "idle max": f"{longest * 1000:.0f} ms",
        "lost": str(len(lost)),
        "nodes cut off": str(len(cut_off)),
        "finished nodes run again": str(sum(len(history.run_again) for history in histories)),
    }
    return Outcome("SIGTERM to a worker with tasks under way", rounds, seconds, figures, failures)


def _pauses(entries: Sequence[Entry]) -> list[float]:
    """Seconds from each attempt's last entry to the start of the next attempt."""
    return [
        (parse_timestamp(after.event["ts"]) - parse_timestamp(before.event["ts"])) / 1000
        for before, after in pairwise(entries)
        if after.type is EventType.ATTEMPT_STARTED and before.type is not EventType.TASK_SUBMITTED
    ]


def _cut_off(history: History) -> list[str]:
    """A sentence for each attempt that has to do something again: its nodes had the time to finish."""
    started = (entry for entry in history.entries if entry.type is EventType.ATTEMPT_STARTED)
    return [
        f"task {history.task_id}: {entry.id} runs nodes again"
        for entry in started
        if entry.event["data"]["supersedes"]
    ]
