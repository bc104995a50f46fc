"""RedisSaver: LangGraph's checkpoints on plain Redis commands. Needs Redis 7.0 or Valkey, and no module.

What is under which key, and how a checkpoint is found, is in `worker/points`; what may be read back as an
object, in `worker/serde`; who may write, in `worker/fence`; what is written again, in `worker/journal`.
"""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_metadata,
)
from redis.asyncio import Redis

from events.durability import OFF, Durability
from events.keys import CheckpointKeys, Keys
from worker.commands import Command
from worker.fence import Fence, fence_of
from worker.housekeeping import THREAD, Threads, set_fields
from worker.journal import Journal
from worker.points import (
    Point,
    address,
    config_of,
    head_of,
    needed,
    point_of,
    span,
    stored_point,
    stored_values,
    stored_writes,
    whole,
)
from worker.serde import StrictSerializer, data_classes

PAGE = 50
"""Checkpoints that one read of a list brings."""


class RedisSaver(BaseCheckpointSaver[str]):
    """Keeps checkpoints in Redis, for graphs that are run with `ainvoke` or `astream`.

    What a call writes is written together or not at all. While Redis is away, calls wait for it and don't
    fail. A thread's keys live for `ttl_seconds` after its last write, and for twice as long at most.

    With a Fence in its config, a write raises `Fenced` once a newer attempt has the thread.

    Args:
        redis: a client of the log's servers.
        keys: what its keys are called.
        ttl_seconds: how long a thread is kept after its last write.
        modules: imported, and their data classes may be rebuilt for every graph; see `data_classes`. What one
            graph alone needs, its loader adds by `with_allowlist`.
        journal: remembers writes; its `redo` is for the client's new connections.
        durability: what writes wait for.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        *,
        ttl_seconds: int,
        modules: Collection[str] = (),
        journal: Journal | None = None,
        durability: Durability = OFF,
    ) -> None:
        for name in modules:
            importlib.import_module(name)
        super().__init__(serde=StrictSerializer(data_classes(*modules)))
        self._threads = Threads(redis, keys, ttl_seconds, journal or Journal(), durability)

    async def open(self, thread_id: str, task_id: str, attempt: int) -> None:
        """Take a thread for an attempt that has just been claimed: from now on no older one writes there.

        Raises:
            Fenced: a newer attempt has opened.
        """
        await self._threads.commands.take(self._threads.keys(thread_id), Fence(task_id, attempt))

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Nothing here is synchronous."""
        raise NotImplementedError("RedisSaver is asynchronous: run the graph with ainvoke or astream")

    def get_next_version(self, current: str | None, channel: None) -> str:
        """Its random part keeps the forks of a thread from sharing a version, and with it a value."""
        number = int(str(current).partition(".")[0]) if current else 0
        return f"{number + 1:032}.{random.random():016}"

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that the config names, or the newest of its namespace. Takes two round trips."""
        thread_id, ns, checkpoint_id = address(config)
        keys = self._threads.keys(thread_id)
        page = await self._page(keys, *span(ns or "", checkpoint_id), 1)
        return (await self._load(thread_id, page))[0] if page else None

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  # LangGraph's name for it
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Checkpoints, newest first within a namespace; without a config, those of every thread."""
        thread_id, ns, checkpoint_id = address(config) if config else ("", None, None)
        before_id = address(before)[2] if before else None
        left = sys.maxsize if limit is None else limit
        for thread in [thread_id] if config else await self._threads.ids():
            low, high = span(ns)
            while left > 0 and (page := await self._page(self._threads.keys(thread), low, high, PAGE)):
                high = b"(" + page[-1].member
                matching = [point for point in page if point.matches(checkpoint_id, before_id, filter or {})]
                for found in await self._load(thread, matching[:left]):
                    left -= 1
                    yield found

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint, and of its values those that are new. Takes one round trip."""
        thread_id, ns, parent = address(config)
        ns, keys = ns or "", self._threads.keys(thread_id)
        member = stored_point(self.serde, ns, checkpoint, get_checkpoint_metadata(config, metadata), parent)
        values = stored_values(self.serde, ns, checkpoint, new_versions)
        commands = [
            ("ZREMRANGEBYLEX", keys.points, *span(ns, checkpoint["id"])),
            ("ZADD", keys.points, 0, member),
            *set_fields(keys.values, {THREAD: thread_id, **values}),
        ]
        await self._threads.write(keys, commands, fence_of(config))
        return config_of(thread_id, ns, checkpoint["id"])

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store what a task wrote; when it wrote that before, the first counts. Takes one round trip."""
        if not writes:
            return
        thread_id, ns, checkpoint_id = address(config)
        keys, head = self._threads.keys(thread_id), head_of(ns or "", checkpoint_id or "")
        name = keys.writes(head)
        commands: list[Command] = [
            ("HSETNX" if once else "HSET", name, *stored)
            for once, *stored in stored_writes(self.serde, writes, task_id, task_path)
        ]
        commands += [("SADD", keys.written, head), ("EXPIRE", name, 2 * self._threads.ttl_seconds)]
        await self._threads.write(keys, commands, fence_of(config))

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete all that there is of a thread."""
        await self._threads.delete(self._threads.keys(thread_id))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints of those runs, of idle threads. Looks through every thread there is."""
        for thread_id in await self._threads.ids():
            keys = self._threads.keys(thread_id)
            points, stored = await self._threads.read(keys, self.serde)
            kept = [point for point in points if point.metadata.get("run_id") not in run_ids]
            await self._threads.keep(keys, kept, points, stored)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep of those threads what their newest checkpoints need; or `delete` them.

        What is written meanwhile is kept as well.

        Raises:
            ValueError: no such strategy.
        """
        if strategy not in ("keep_latest", "delete"):
            raise ValueError(f"strategy {strategy!r} is neither 'keep_latest' nor 'delete'")
        for keys in map(self._threads.keys, thread_ids):
            if strategy == "delete":
                await self._threads.delete(keys)
                continue
            points, stored = await self._threads.read(keys, self.serde)
            await self._threads.keep(keys, needed(points, stored), points, stored)

    async def tidy(self, thread_id: str) -> None:
        """Keep of a thread, whose task has ended, what later tasks on it need. Takes two round trips.

        That is less than what `aprune` keeps: the checkpoints of a subgraph without a memory of its own are
        for the run of the node that called it, and nobody reads them after that.
        """
        keys = self._threads.keys(thread_id)
        points, stored = await self._threads.read(keys, self.serde)
        lasting = [point for point in points if point.lasting()]
        await self._threads.keep(keys, needed(lasting, stored), points, stored)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Add all checkpoints of an idle thread to another."""
        source, target = self._threads.keys(source_thread_id), self._threads.keys(target_thread_id)
        await self._threads.copy(source, target, target_thread_id)

    async def _page(self, keys: CheckpointKeys, low: bytes, high: bytes, count: int) -> list[Point]:
        """The newest points of a range, newest first."""
        members = await self._threads.commands.ask(
            "ZREVRANGEBYLEX", keys.points, high, low, "LIMIT", 0, count
        )
        return [point_of(self.serde, member) for member in members]

    async def _load(self, thread_id: str, points: Sequence[Point]) -> list[CheckpointTuple]:
        """The points with their values and writes, all in one round trip."""
        keys = self._threads.keys(thread_id)
        commands: list[Command] = []
        for point in points:
            commands.append(("HGETALL", keys.writes(point.head)))
            # With the thread's id, since HMGET wants at least one field.
            commands.append(("HMGET", keys.values, THREAD, *point.fields().values()))
        replies = await self._threads.commands.run(commands)
        found = zip(points, replies[::2], replies[1::2], strict=True)
        return [whole(self.serde, thread_id, point, writes, values[1:]) for point, writes, values in found]
