"""A whole system beside a Redis that is to fail: two pods, two workers, two scribes, and a load on them."""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from events.apikeys import KeyDirectory, Role
from events.durability import Durability, Level
from events.tenancy import DEFAULT
from tests.chaos.load import GRAPH, Load, Size
from tests.chaos.parties import party
from tests.chaos.process import Process
from tests.chaos.processes import pod, workers
from tests.chaos.scribe import scribe
from tests.support.credentials import made
from tests.support.server import HERE, Place

SETTINGS: dict[str, Any] = {
    "max_attempts": 20,  # this isn't about poison
    "submits_per_minute": 0,
    "max_streams_per_principal": 0,
    "max_unfinished": 0,
}


@dataclass(frozen=True, slots=True)
class Redis:
    """Where the log is, and what milestones wait for.

    Attributes:
        url: of the log.
        queue_url: of the queue, None if it's the same.
        level: what milestones wait for.
    """

    url: str
    queue_url: str | None = None
    level: Level = Level.OFF


@dataclass(frozen=True, slots=True)
class Places:
    """Where they run: two pods, and two workers with a scribe each."""

    pods: Sequence[Place] = (HERE, HERE)
    workers: Sequence[Place] = (HERE, HERE)


HOME = Places()


@dataclass(frozen=True, slots=True)
class Stand:
    """What runs.

    Attributes:
        load: what goes on.
        workers: run tasks.
        scribes: write tasks.
        pods: serve streams.
    """

    load: Load
    workers: Sequence[Process]
    scribes: Sequence[Process]
    pods: Sequence[Process]

    async def finish(self) -> list[str]:
        """Have all come to its end; what hasn't, and who has exited, a sentence each."""
        failures = await self.load.finish()
        living = (*self.workers, *self.scribes, *self.pods)
        return failures + [f"{process.name} has exited" for process in living if not process.running]


@contextlib.asynccontextmanager
async def stand(
    redis: Redis, size: Size, seed: int, places: Places | None = None, **settings: Any
) -> AsyncGenerator[Stand]:
    """All of it; the load goes on as long as the context lasts.

    Args:
        redis: what it's all about.
        size: of the load.
        seed: of what is random about it.
        places: where they run; here, and pods ask for no key, if there are none.
        settings: more of them, for pods and workers.
    """
    where: dict[str, Any] = {"queue_url": redis.queue_url, "durability": redis.level}
    given = {**SETTINGS, "concurrency": size.run or 1, **where, **settings}
    async with contextlib.AsyncExitStack() as stack:
        enter, key = stack.enter_async_context, ""
        its = await enter(party(redis.url, redis.queue_url, Durability(redis.level)))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if places is not None:
            key, _ = await made(KeyDirectory(its.log.redis, its.log.keys), DEFAULT, role=Role.OPS)
            given["auth"] = "keys"
        for_pods, for_workers = (places or HOME).pods, (places or HOME).workers
        pods = [await enter(pod(redis.url, at, key, **given)) for at in for_pods]
        running = [await enter(workers(redis.url, 1, [GRAPH], at, **given)) for at in for_workers]
        scribes = [await enter(scribe(folder, redis.url, size.pause, at, **where)) for at in for_workers]
        load = Load(its, pods, scribes, size, random.Random(seed), key)
        await enter(load.going_on())
        processes = [it.process for it in scribes], [it.process for it in pods]
        yield Stand(load, [worker for (worker,) in running], *processes)
