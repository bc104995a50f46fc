"""A worker is stopped past its lease, another one takes its tasks over, and it goes on as if nothing were."""

from __future__ import annotations

import asyncio
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from events.background import stop
from events.model import EventType
from tests.chaos.graphs import NODES, SPECS
from tests.chaos.history import History, read_history
from tests.chaos.outcome import Outcome
from tests.chaos.process import Process
from tests.chaos.processes import valkey, workers
from tests.chaos.tasks import Tasks, tasks
from tests.support.waiting import wait_until
from worker.checkpoint import RedisSaver

ROUNDS = 100
"""Pauses of a worker that has tasks."""

SHORT = 3

PAIRS = 2
"""Of each pair of workers, one is stopped at a time."""

LEASE_SECONDS = 1.0
TASKS = 12
"""Under way at any time."""

MAX_ATTEMPTS = 20
TAKEOVER_SECONDS = 20.0
WATCH_SECONDS = 0.5
"""How long the leases are watched after the worker goes on: more than the time between two renewals."""


@dataclass(slots=True)
class Scene:
    """What is going on, and what was seen.

    Attributes:
        under_way: tasks that may not have ended.
        left: rounds to be done.
        stopped_after: by type, the last entries of the logs whose worker was stopped.
    """

    its: Tasks
    chance: random.Random
    left: int
    submitted: list[str] = field(default_factory=list[str])
    under_way: list[str] = field(default_factory=list[str])
    stopped_after: Counter[EventType] = field(default_factory=Counter[EventType])
    failures: list[str] = field(default_factory=list[str])


async def run(rounds: int, seed: int) -> list[Outcome]:
    """So many pauses at random moments, two at a time."""
    began = time.monotonic()
    settings: dict[str, Any] = {
        "lease_seconds": LEASE_SECONDS,
        "max_attempts": MAX_ATTEMPTS,
        "concurrency": TASKS,
    }
    with tempfile.TemporaryDirectory() as folder:
        async with (
            valkey(Path(folder)) as server,
            workers(server.url, 2 * PAIRS, SPECS, **settings) as processes,
            tasks(server.url) as its,
        ):
            scene = Scene(its, random.Random(seed), rounds)
            feeding = asyncio.create_task(_feed(scene))
            try:
                await asyncio.gather(*(_pause_in_turn(scene, processes[n::PAIRS]) for n in range(PAIRS)))
            finally:
                await stop([feeding])
            lost = await its.unfinished(scene.submitted, 60)
            await asyncio.sleep(2 * LEASE_SECONDS)  # nothing tells that a worker has nothing more to say
            ended = [task_id for task_id in scene.submitted if task_id not in lost]
            histories = [await read_history(its, task_id) for task_id in ended]
            scene.failures += [f"task {task_id} has not ended" for task_id in lost]
            scene.failures += await _stale_checkpoints(its, histories)
    return [_outcome(rounds, time.monotonic() - began, scene, histories)]


async def _feed(scene: Scene) -> None:
    """Keep tasks under way."""
    while True:
        scene.under_way = [task_id for task_id in scene.under_way if not await scene.its.ended(task_id)]
        while len(scene.under_way) < TASKS:
            seed = scene.chance.randrange(2**32)
            task_id = await scene.its.submit("steps", seed=seed, low=0.05, high=0.3, words=5)
            scene.submitted.append(task_id)
            scene.under_way.append(task_id)
        await asyncio.sleep(0.05)


async def _pause_in_turn(scene: Scene, processes: Sequence[Process]) -> None:
    while scene.left > 0:
        victim = scene.chance.choice(processes)
        await _moment(scene, victim)
        victim.send(signal.SIGSTOP)
        try:
            held = await _held_by(scene, victim)
            if not held:
                continue
            scene.left -= 1
            await _note_ends(scene, held)
            await _wait_for_successors(scene, held)
            await asyncio.sleep(scene.chance.uniform(0, LEASE_SECONDS))
        finally:
            victim.send(signal.SIGCONT)
        await _watch_leases(scene, held)
        victim.check()


async def _moment(scene: Scene, victim: Process) -> None:
    """Wait for a random time, or for the next entry, or for the end of a node: its checkpoint follows."""
    await asyncio.sleep(scene.chance.uniform(0.1, 1))
    held = await _held_by(scene, victim)
    wanted = scene.chance.choice((None, EventType.PROGRESS, EventType.NODE_COMPLETED))
    if not held or wanted is None:
        return
    task_id, log = scene.chance.choice(sorted(held)), scene.its.log
    until = time.monotonic() + LEASE_SECONDS
    async with log.redis.pubsub() as bell:
        await bell.subscribe(log.keys.bell(task_id))
        while time.monotonic() < until:
            await bell.get_message(timeout=LEASE_SECONDS)
            if (await log.last(task_id))[0].type is wanted:
                return


async def _held_by(scene: Scene, victim: Process) -> dict[str, bytes]:
    """The tasks whose lease a worker has, and the owner that the lease names."""
    found: dict[str, bytes] = {}
    for task_id in scene.under_way:
        owner = await scene.its.log.redis.get(scene.its.log.keys.lease(task_id))
        if owner is not None and int(owner.split(b":")[1]) == victim.pid:
            found[task_id] = owner
    return found


async def _note_ends(scene: Scene, held: Mapping[str, bytes]) -> None:
    for task_id in held:
        scene.stopped_after[(await scene.its.log.last(task_id))[0].type] += 1


async def _wait_for_successors(scene: Scene, held: Mapping[str, bytes]) -> None:
    """Wait until each task is another worker's, or has ended."""
    log = scene.its.log
    for task_id, owner in held.items():

        async def passed_on(task_id: str = task_id, owner: bytes = owner) -> bool:
            now = await log.redis.get(log.keys.lease(task_id))
            return (now is not None and now != owner) or await scene.its.ended(task_id)

        await wait_until(passed_on, TAKEOVER_SECONDS)


async def _watch_leases(scene: Scene, held: Mapping[str, bytes]) -> None:
    log, until = scene.its.log, time.monotonic() + WATCH_SECONDS
    while time.monotonic() < until:
        for task_id, owner in held.items():
            if await log.redis.get(log.keys.lease(task_id)) == owner:
                scene.failures.append(f"task {task_id}: the lease went back to {owner.decode()}")
                return
        await asyncio.sleep(0.01)


async def _stale_checkpoints(its: Tasks, histories: Sequence[History]) -> list[str]:
    """A sentence for each task whose newest checkpoint isn't the one its result was read from."""
    saver = RedisSaver(its.log.redis, its.log.keys, ttl_seconds=its.store.retention_seconds)
    found: list[str] = []
    for history in histories:
        newest = await saver.aget_tuple({"configurable": {"thread_id": history.task_id, "checkpoint_ns": ""}})
        items = newest.checkpoint["channel_values"].get("items") if newest else None
        if history.result is not None and items != history.result["items"]:
            found.append(f"task {history.task_id}: its newest checkpoint holds {items}, not its result")
    return found


def _outcome(rounds: int, seconds: float, scene: Scene, histories: Sequence[History]) -> Outcome:
    zombies = [
        f"task {history.task_id}: a zombie wrote {entry}"
        for history in histories
        for entry in history.foreign
    ]
    wrong = [sentence for history in histories for sentence in history.wrong(NODES)]
    moments = (f"{kind} {count}" for kind, count in scene.stopped_after.most_common())
    figures = {
        "tasks": str(len(scene.submitted)),
        "takeovers": str(sum(len(history.turns) - 1 for history in histories)),
        "stopped after": ", ".join(moments),
        "zombie entries": str(len(zombies)),
        "nodes begun by a zombie": str(sum(len(history.zombie_starts) for history in histories)),
        "finished nodes run again": str(sum(len(history.run_again) for history in histories)),
    }
    fault = f"SIGSTOP of a worker past its lease of {LEASE_SECONDS:g} s, successor, SIGCONT"
    return Outcome(fault, rounds, seconds, figures, [*scene.failures, *zombies, *wrong])
