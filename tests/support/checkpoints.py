"""Checkpoints as LangGraph puts them, without a graph."""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, empty_checkpoint
from redis.asyncio import Redis

from events.keys import Keys
from worker.checkpoint import RedisSaver
from worker.fence import FENCE_KEY, Fence


def checkpoint(**values: Any) -> Checkpoint:
    """A checkpoint in which all those channels have their first value."""
    return {**empty_checkpoint(), "channel_values": values, "channel_versions": dict.fromkeys(values, "1")}


def thread(thread_id: str, **more: str) -> RunnableConfig:
    """A config that names a thread."""
    return {"configurable": {"thread_id": thread_id, **more}}


def fenced(thread_id: str, task_id: str, attempt: int, **more: str) -> RunnableConfig:
    """A config that names a thread and the attempt that writes there."""
    named = thread(thread_id, checkpoint_ns="", **more)["configurable"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
    return {"configurable": {**named, FENCE_KEY: Fence(task_id, attempt)}}


async def put(saver: RedisSaver, thread_id: str, ns: str = "", **values: Any) -> RunnableConfig:
    """Put a checkpoint and one write to it."""
    return await put_at(saver, thread(thread_id, checkpoint_ns=ns), **values)


async def put_at(saver: RedisSaver, where: RunnableConfig, **values: Any) -> RunnableConfig:
    """Put a checkpoint as the child of that, and one write to it, for the same attempt if there is one."""
    new = checkpoint(**values)
    stored = await saver.aput(where, new, {"source": "loop"}, new["channel_versions"])
    named = {**where.get("configurable", {}), **stored.get("configurable", {})}
    await saver.aput_writes({"configurable": named}, [("answer", 42)], "task")
    return {"configurable": named}


async def newest(saver: RedisSaver, thread_id: str = "t") -> dict[str, Any] | None:
    """The values of a thread's newest checkpoint, if there is one."""
    found = await saver.aget_tuple(thread(thread_id))
    return found.checkpoint["channel_values"] if found else None


async def ids(saver: RedisSaver, config: RunnableConfig | None, **narrowing: Any) -> list[str]:
    """The ids of the listed checkpoints."""
    return [found.checkpoint["id"] async for found in saver.alist(config, **narrowing)]


async def dumps(redis: Redis, keys: Keys) -> dict[bytes, bytes]:
    """Everything under the prefix, as Redis would write it to a file; without the TTLs."""
    client: Any = redis
    return {name: await client.dump(name) for name in await names(redis, keys)}


async def roll_back(redis: Redis, keys: Keys, older: dict[bytes, bytes]) -> None:
    """Put everything under the prefix back to what it was, as a restart does that lost the newest writes."""
    client: Any = redis
    for name in await names(redis, keys):
        await client.delete(name)
    for name, dump in older.items():
        await client.restore(name, 60_000, dump)


async def names(redis: Redis, keys: Keys) -> list[bytes]:
    """All keys under the prefix."""
    return list(await redis.keys(f"{keys.prefix}:*"))
