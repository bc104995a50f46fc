"""Abandonment: ending a task from a thread when a node blocks the event loop that should end it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from events.append import Appender
from events.connect import connect
from events.durability import OFF, Durability
from events.keys import Keys
from events.log import Claim, EventLog
from events.sealing import CANCELLED, seal
from events.tasks import TaskStore
from worker.execution import Stop
from worker.failures import timed_out

SECONDS = 10.0
"""How long ending a task may take before it is tried again."""


@dataclass(frozen=True, slots=True)
class Abandonment:
    """Ends tasks on connections of its own, in a loop of its own.

    Attributes:
        url: of the log's Redis.
        keys: where the tasks are.
        retention_seconds: how long a sealed log is kept.
        task_timeout_seconds: how long a task may run.
        worker: who does it, for people.
        durability: what a task's end waits for.
    """

    url: str
    keys: Keys
    retention_seconds: int
    task_timeout_seconds: float
    worker: str
    durability: Durability = OFF

    def end(self, claim: Claim, why: Stop) -> None:
        """Give a claim's lease up, fence the claim off by a new one, and seal the task. Blocks.

        Raises:
            TaskreelError: another worker was faster, or it has ended already.
            TimeoutError: it could not be done in 10 s; it may be tried again.
            redis.exceptions.RedisError: Redis can't be reached.
        """
        asyncio.run(self._end(claim, why))

    async def _end(self, claim: Claim, why: Stop) -> None:
        redis = connect(self.url, connections=2)
        log = EventLog(redis, self.keys)
        appender = Appender(redis, self.keys, durability=self.durability)
        tasks = TaskStore(log, retention_seconds=self.retention_seconds)
        ending = CANCELLED if why is Stop.CANCEL else (timed_out(self.task_timeout_seconds),)
        try:
            async with asyncio.timeout(SECONDS):
                await log.release(claim)
                record = claim.fields
                await seal(tasks, appender, claim.task_id, ending, worker=self.worker, record=record)
        finally:
            await appender.close()
            await redis.aclose()
