"""Parties: what a pod or a worker has of the log, each over connections of its own, without its process."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from uuid_utils import uuid7

from events.append import Appender
from events.control import TaskControl
from events.durability import OFF, Durability
from events.log import EventLog
from events.model import now_ms, timestamp
from events.state import Submission
from events.tasks import TaskStore
from tests.chaos.tasks import Tasks, tasks


@dataclass(frozen=True, slots=True)
class Party:
    """One of those that work with the same tasks."""

    tasks: Tasks
    appender: Appender
    control: TaskControl

    @property
    def log(self) -> EventLog:
        """The logs."""
        return self.tasks.log

    @property
    def store(self) -> TaskStore:
        """What lies beside them."""
        return self.tasks.store


@contextlib.asynccontextmanager
async def party(
    url: str, queue_url: str | None = None, durability: Durability = OFF
) -> AsyncGenerator[Party]:
    """A party that reaches the log there, and the queue; its milestones wait for what `durability` says."""
    async with tasks(url, queue_url, durability) as found:
        appender = Appender(found.log.redis, found.log.keys, durability=durability)
        try:
            yield Party(found, appender, TaskControl(found.store, found.dispatcher))
        finally:
            await appender.close()


def submission(pool: str = "default") -> Submission:
    """A new task that no worker will be told of."""
    task_id = str(uuid7())
    return Submission(task_id, "none", pool, {}, task_id, {}, timestamp(now_ms()))
