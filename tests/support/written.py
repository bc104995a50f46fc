"""A task whose log the test writes itself, and what the console's page of it shows."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Any

from playwright.async_api import Locator, Page
from uuid_utils import uuid7

from events.append import Appender
from events.model import Event, EventType, now_ms, timestamp
from events.state import Submission
from events.writer import AttemptWriter
from tests.support.attempts import open_attempt
from tests.support.console import ConsoleSystem


class WrittenTask:
    """A task that no worker has.

    Attributes:
        task_id: its id.
        path: of its page in the console.
    """

    def __init__(self, system: ConsoleSystem, appender: Appender, task_id: str) -> None:
        self.task_id = task_id
        self.path = f"/?task={task_id}"
        self._system = system
        self._appender = appender
        self._writer: AttemptWriter | None = None

    async def attempt(self, supersedes: Sequence[int] = ()) -> int:
        """Begin the next attempt, which does these events again; gives the seq of its first event."""
        self._writer = await open_attempt(
            self._system.log, self._appender, self.task_id, supersedes=supersedes
        )
        return self._writer.last.seq

    async def add(self, kind: str, run: str = "", **data: Any) -> str:
        """Append an event, of a node if `run` is given as `node:run`; gives its id."""
        return (await self.add_all([(kind, run, data)]))[0]

    async def add_all(self, events: Iterable[tuple[str, str, dict[str, Any]]]) -> list[str]:
        """Append events, each of type, `node:run` or nothing, and data; gives their ids."""
        assert self._writer is not None, "begin an attempt first"
        ids: list[str] = []
        for kind, run, data in events:
            node, _, run_id = run.partition(":")
            event = Event(EventType(kind), data, node or None, run_id or None)
            ids.append(str(await self._writer.append(event)))
        await self._writer.flush()
        return ids

    async def steps(self, count: int, start: int = 1) -> list[str]:
        """Append numbered progress of one node; gives the ids."""
        return await self.add_all(
            ("progress", "work:aa000001", {"message": f"step {number}"})
            for number in range(start, start + count)
        )

    async def deltas(self, message: str, run: str, *pieces: str) -> list[str]:
        """Append pieces of a message; gives the ids."""
        return await self.add_all(
            ("message.delta", run, {"message_id": message, "text": piece}) for piece in pieces
        )

    async def finish(self, message: str, run: str, text: str, role: str = "ai") -> str:
        """Append the end of a message; gives the id."""
        return await self.add("message.completed", run, message_id=message, role=role, text=text)


@contextlib.asynccontextmanager
async def written_task(system: ConsoleSystem) -> AsyncGenerator[WrittenTask]:
    """A task of which the first attempt has begun."""
    appender = Appender(system.log.redis, system.log.keys)
    try:
        task = WrittenTask(system, appender, await _submitted(system))
        await task.attempt()
        yield task
    finally:
        await appender.close()


async def _submitted(system: ConsoleSystem) -> str:
    """Of a pool that no worker takes from, so that not even an answer brings one."""
    task_id = str(uuid7())
    await system.tasks.submit(Submission(task_id, "counting", "nobody", {}, task_id, {}, timestamp(now_ms())))
    await system.log.redis.zadd(system.log.keys.deadlines, {task_id: now_ms() + 3_600_000})
    return task_id


def region(page: Page, name: str) -> Locator:
    """A part of the page by its name."""
    return page.get_by_role("region", name=name, exact=True)


def options(page: Page) -> Locator:
    """The rows of the list of events that are in the page."""
    return page.get_by_role("listbox", name="Events").get_by_role("option")


async def row_ids(page: Page) -> list[str]:
    """The ids of those rows."""
    return await options(page).locator(".events-id").all_text_contents()
