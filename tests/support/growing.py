"""Logs that grow as fast as they can, in bursts of any length."""

from __future__ import annotations

import random
from dataclasses import dataclass

from uuid_utils import uuid7

from events.append import Appender
from events.model import Entry, Event, EventType
from events.state import Submission
from events.tasks import TaskStore
from events.writer import AttemptWriter
from tests.support.attempts import SUCCESS, open_attempt, progress
from tests.support.logs import entries

LARGE = Event(EventType.PROGRESS, {"message": "x" * 200_000})


@dataclass
class Growing:
    """A task whose attempt is being written.

    Attributes:
        tasks: the store it's in.
        writer: of its newest attempt.
    """

    tasks: TaskStore
    writer: AttemptWriter

    @property
    def task_id(self) -> str:
        """The task's id."""
        return self.writer.claim.task_id

    async def burst(self, count: int, *, large: bool = False) -> None:
        """So many events at once, perhaps with one of 200 kB among them; waits until they are in the log."""
        for number in range(count):
            await self.writer.append(progress(number))
            if large and number == 0:
                await self.writer.append(LARGE)
        await self.writer.flush()

    async def grow(self, bursts: int) -> None:
        """So many bursts."""
        for _ in range(bursts):
            await self.burst(random.choice([1, 2, 3, 10, 50]))

    async def seal(self) -> None:
        """Append the terminal event."""
        await self.writer.append(SUCCESS)
        await self.writer.flush()
        await self.tasks.settle(self.task_id)

    async def whole(self) -> list[Entry]:
        """The log."""
        return await entries(self.tasks.log, self.task_id)


async def growing(tasks: TaskStore, appender: Appender, count: int) -> list[Growing]:
    """So many new tasks, each with its first attempt."""
    found: list[Growing] = []
    for _ in range(count):
        new = str(uuid7())
        await tasks.submit(Submission(new, "echo", "default", {}, new, {}, "2026-11-21T00:00:00.000Z"))
        found.append(Growing(tasks, await open_attempt(tasks.log, appender, new)))
    return found


async def seal_all(logs: list[Growing]) -> None:
    """Append all the terminal events."""
    for log in logs:
        await log.seal()
