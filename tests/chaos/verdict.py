"""What must hold of every task that has ended, whatever befell it."""

from __future__ import annotations

from collections.abc import Mapping

from events.model import JSON, TERMINAL, Entry, EventType
from tests.chaos.parties import Party
from tests.chaos.tasks import Tasks, check_log
from worker.sweeper import Sweeper

ENDINGS = ("success", "failure", "timeout", "cancel")
"""What may end a task in a race."""


async def wrong_with(its: Tasks, task_id: str) -> list[str]:
    """What is wrong with a task that should have ended and be settled; a sentence each.

    Its log keeps the log's promises, its status is what the last entry says, and nothing beside the log
    stays for ever or waits for anything.
    """
    entries = await its.entries(task_id)
    if wrong := check_log(entries):
        return [f"task {task_id}: {what}" for what in wrong]
    status, end = (await its.store.get(task_id)).status, entries[-1].type
    if status is not TERMINAL[end]:
        wrong.append(f"it is {status} and its log ends with {end}")
    redis, keys = its.log.redis, its.log.keys
    for key in (keys.log(task_id), keys.task(task_id), keys.tombstone(task_id)):
        if (left := await redis.ttl(key)) < 0:
            wrong.append(f"{key} has the TTL {left}")
    if await redis.ttl(keys.lease(task_id)) == -1:
        wrong.append("its lease never ends")
    if await redis.zscore(keys.deadlines, task_id) is not None:
        wrong.append("something is still expected of it")
    return [f"task {task_id}: {what}" for what in wrong]


def ending(last: Entry) -> str:
    """Which of `ENDINGS` a log's last entry is."""
    return ending_of(last.type, last.event["data"])


def ending_of(kind: EventType, data: Mapping[str, JSON]) -> str:
    """The same of an event; empty if it isn't terminal."""
    match kind:
        case EventType.TASK_SUCCEEDED:
            return "success"
        case EventType.TASK_CANCELLED:
            return "cancel"
        case EventType.TASK_FAILED:
            return "timeout" if data["code"] == "timeout" else "failure"
        case _:
            return ""


async def sweep(it: Party) -> int:
    """Look after what is still expected, before it's overdue; gives of how many tasks that was."""
    sweeper = Sweeper(it.store, it.appender, it.tasks.dispatcher, "sweeper")
    left = await it.log.redis.zrange(it.log.keys.deadlines, 0, -1)
    for task_id in left:
        await sweeper.look_after(task_id.decode())
    return len(left)
