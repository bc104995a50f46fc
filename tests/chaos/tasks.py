"""Tasks of a scenario: submitted without a pod, waited for, and their logs looked through."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass

from uuid_utils import uuid7

from events.connect import connect
from events.durability import OFF, Durability
from events.keys import Keys
from events.log import EventLog
from events.model import START, SUBMITTED_ID, Entry, now_ms, timestamp
from events.queue import Dispatcher, arq_client
from events.state import Submission
from events.tasks import TaskStore

LOOK_SECONDS = 0.1
MOST_ENTRIES = 100_000


@dataclass(frozen=True, slots=True)
class Tasks:
    """The tasks in a Redis, reached directly."""

    log: EventLog
    store: TaskStore
    dispatcher: Dispatcher

    async def submit(self, graph: str, **given: object) -> str:
        """Submit a task with that input, as a pod does; gives its id."""
        task_id = str(uuid7())
        created_at = timestamp(now_ms())
        await self.store.submit(Submission(task_id, graph, "default", given, task_id, {}, created_at))
        await self.dispatcher.dispatch(task_id, "default")
        return task_id

    async def unfinished(self, task_ids: Collection[str], seconds: float) -> list[str]:
        """Wait until all have ended, and at most so long; gives those that have not."""
        left, deadline = list(task_ids), time.monotonic() + seconds
        while left and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
            left = [task_id for task_id in left if not await self.ended(task_id)]
        return left

    async def begun(self, task_id: str) -> bool:
        """Whether a worker has taken it."""
        return (await self.log.last(task_id))[0].id > SUBMITTED_ID

    async def ended(self, task_id: str) -> bool:
        """Whether its log is sealed."""
        last = await self.log.last(task_id)
        return bool(last) and last[0].terminal

    async def entries(self, task_id: str) -> list[Entry]:
        """All of its log."""
        return await self.log.read(task_id, START, MOST_ENTRIES)


@contextlib.asynccontextmanager
async def tasks(
    url: str, queue_url: str | None = None, durability: Durability = OFF
) -> AsyncGenerator[Tasks]:
    """The tasks in that Redis, whose queue may be in another one."""
    keys, redis = Keys("taskreel"), connect(url)
    dispatcher = Dispatcher(redis, keys, arq_client(queue_url or url, keys.queue("default")))
    log = EventLog(redis, keys, durability)
    try:
        yield Tasks(log, TaskStore(log, retention_seconds=86_400), dispatcher)
    finally:
        await dispatcher.close()
        await redis.aclose()


def check_log(entries: Sequence[Entry]) -> list[str]:
    """What is wrong with the log of a task that should have ended; a sentence each.

    Its seqs are dense from 1, its attempts never go back, and it has one terminal entry, which is the last.
    """
    wrong: list[str] = []
    seqs = [entry.id.seq for entry in entries]
    if seqs != list(range(1, len(seqs) + 1)):
        wrong.append(f"its seqs aren't dense: {seqs}")
    attempts = [entry.id.attempt for entry in entries]
    if attempts != sorted(attempts):
        wrong.append(f"its attempts go back: {attempts}")
    terminals = [str(entry.id) for entry in entries if entry.terminal]
    if len(terminals) != 1:
        wrong.append(f"it has {len(terminals)} terminal entries: {terminals}")
    if entries and not entries[-1].terminal:
        wrong.append(f"its last entry is {entries[-1].id} {entries[-1].type}")
    documents = [(entry.event["attempt"], entry.event["seq"]) for entry in entries]
    if documents != [tuple(entry.id) for entry in entries]:
        wrong.append("its documents tell other ids than its entries have")
    return wrong
