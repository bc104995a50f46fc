"""Everything that is in Redis once all tasks have ended, held against what may be."""

from __future__ import annotations

import orjson

from events.tenancy import DEFAULT
from tests.chaos.tasks import Tasks
from tests.chaos.verdict import wrong_with


async def orphans(its: Tasks) -> list[str]:
    """What is there and should not be, or lacks its counterpart; a sentence each."""
    redis, keys = its.log.redis, its.log.keys
    written, recorded = await logs(its), await _tasks_with(its, keys.task("*"))
    listed = {raw.decode() for raw in await redis.zrange(keys.index(DEFAULT), 0, -1)}
    wrong = [f"task {task_id} has a record and no log" for task_id in recorded - written]
    wrong += [f"task {task_id} has a log and no record" for task_id in written - recorded]
    wrong += [f"task {task_id} is listed and has no log" for task_id in listed - written]
    wrong += [f"task {task_id} has a log and isn't listed" for task_id in written - listed]
    for task_id in written & recorded:
        wrong += await wrong_with(its, task_id)
    for raw in await redis.zrange(keys.deadlines, 0, -1):
        wrong.append(f"something is still expected of task {raw.decode()}")
    if waiting := await redis.zcard(keys.queue("default")):
        wrong.append(f"{waiting} dispatches are in the queue")
    wrong += [f"{name} is held" for name in await held_threads(its)]
    return [*wrong, *await _empty_keys(its, written)]


async def logs(its: Tasks) -> set[str]:
    """The tasks that have a log."""
    return await _tasks_with(its, its.log.keys.log("*"))


async def held_threads(its: Tasks) -> list[str]:
    """The keys of the threads on which a task is unfinished."""
    return await _names(its, f"{its.log.keys.prefix}:thread:*")


async def _tasks_with(its: Tasks, pattern: str) -> set[str]:
    names = await _names(its, pattern)
    return {name.partition("{")[2].partition("}")[0] for name in names}


async def _empty_keys(its: Tasks, written: set[str]) -> list[str]:
    """Idempotency keys that lead to nothing."""
    wrong: list[str] = []
    for name in await _names(its, f"{its.log.keys.prefix}:idempotency:*"):
        task_id, _ = orjson.loads(await its.log.redis.get(name) or b"[null, null]")
        if task_id not in written:
            wrong.append(f"{name} leads to task {task_id}, which has no log")
    return wrong


async def _names(its: Tasks, pattern: str) -> list[str]:
    return [name.decode() for name in await its.log.redis.keys(pattern)]
