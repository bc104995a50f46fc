"""Checkpoints as LangGraph puts them, without a graph."""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, empty_checkpoint
from redis.asyncio import Redis

from events.keys import Keys
from worker.checkpoint import RedisSaver


def checkpoint(**values: Any) -> Checkpoint:
    """A checkpoint in which all those channels have their first value."""
    return {**empty_checkpoint(), "channel_values": values, "channel_versions": dict.fromkeys(values, "1")}


def thread(thread_id: str, **more: str) -> RunnableConfig:
    """A config that names a thread."""
    return {"configurable": {"thread_id": thread_id, **more}}


async def put(saver: RedisSaver, thread_id: str, ns: str = "", **values: Any) -> RunnableConfig:
    """Put a checkpoint and one write to it."""
    new = checkpoint(**values)
    where = thread(thread_id, checkpoint_ns=ns)
    stored = await saver.aput(where, new, {"source": "loop"}, new["channel_versions"])
    await saver.aput_writes(stored, [("answer", 42)], "task")
    return stored


async def ids(saver: RedisSaver, config: RunnableConfig | None, **narrowing: Any) -> list[str]:
    """The ids of the listed checkpoints."""
    return [found.checkpoint["id"] async for found in saver.alist(config, **narrowing)]


async def names(redis: Redis, keys: Keys) -> list[bytes]:
    """All keys under the prefix."""
    return list(await redis.keys(f"{keys.prefix}:*"))
