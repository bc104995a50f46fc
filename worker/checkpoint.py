"""RedisSaver: LangGraph's checkpoints on plain Redis commands. Needs Redis 7.0 or Valkey, and no module.

What is under which key, and how a checkpoint is found, is in `worker/points`; what may be read back as an
object, in `worker/serde`.
"""

from __future__ import annotations

import asyncio
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

from events.connect import AWAY
from events.keys import CheckpointKeys, Keys
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

_THREAD = b"thread"


class RedisSaver(BaseCheckpointSaver[str]):
    """Keeps checkpoints in Redis, for graphs that are run with `ainvoke` or `astream`.

    What a call writes is one transaction. While Redis is away, calls wait for it and don't fail. A thread's
    keys live for `ttl_seconds` after its last write, and for twice as long at most.

    Args:
        redis: a plain client; redis-py 5's for a Cluster has no transactions.
        keys: what its keys are called.
        ttl_seconds: how long a thread is kept after its last write.
        modules: imported, and their data classes may be rebuilt for every graph; see `data_classes`. What one
            graph alone needs, its loader adds by `with_allowlist`.
    """

    def __init__(self, redis: Redis, keys: Keys, *, ttl_seconds: int, modules: Collection[str] = ()) -> None:
        for name in modules:
            importlib.import_module(name)
        super().__init__(serde=StrictSerializer(data_classes(*modules)))
        self._redis: Any = redis  # redis-py's annotations know of no bytes
        self._names_of = keys
        self._ttl = ttl_seconds

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
        keys = self._keys(thread_id)
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
        for thread in [thread_id] if config else await self._thread_ids():
            low, high = span(ns)
            while left > 0 and (page := await self._page(self._keys(thread), low, high, PAGE)):
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
        ns, keys = ns or "", self._keys(thread_id)
        member = stored_point(self.serde, ns, checkpoint, get_checkpoint_metadata(config, metadata), parent)
        values = stored_values(self.serde, ns, checkpoint, new_versions)
        pipe = self._redis.pipeline(transaction=True)
        pipe.zremrangebylex(keys.points, *span(ns, checkpoint["id"]))
        pipe.zadd(keys.points, {member: 0})
        pipe.hset(keys.values, mapping={_THREAD: thread_id, **values})
        await self._commit(pipe, keys)
        return config_of(thread_id, ns, checkpoint["id"])

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store what a task wrote; when it wrote that before, the first counts. Takes one round trip."""
        if not writes:
            return
        thread_id, ns, checkpoint_id = address(config)
        keys, head = self._keys(thread_id), head_of(ns or "", checkpoint_id or "")
        pipe = self._redis.pipeline(transaction=True)
        for once, name, packed in stored_writes(self.serde, writes, task_id, task_path):
            (pipe.hsetnx if once else pipe.hset)(keys.writes(head), name, packed)
        pipe.sadd(keys.written, head)
        pipe.expire(keys.writes(head), 2 * self._ttl)
        await self._commit(pipe, keys)

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete all that there is of a thread."""
        await self._ask("unlink", *await self._names(self._keys(thread_id)))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints of those runs, of idle threads. Looks through every thread there is."""
        for keys in map(self._keys, await self._thread_ids()):
            points = await self._page(keys, *span(None))
            await self._keep(keys, points, [it for it in points if it.metadata.get("run_id") not in run_ids])

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep of those threads, which must be idle, what their newest checkpoints need; or `delete` them.

        Raises:
            ValueError: no such strategy.
        """
        if strategy not in ("keep_latest", "delete"):
            raise ValueError(f"strategy {strategy!r} is neither 'keep_latest' nor 'delete'")
        for keys in map(self._keys, thread_ids):
            points = await self._page(keys, *span(None))
            stored = set(await self._ask("hkeys", keys.values))
            await self._keep(keys, points, needed(points, stored) if strategy == "keep_latest" else [])

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Add all checkpoints of an idle thread to another."""
        source, target = self._keys(source_thread_id), self._keys(target_thread_id)
        if not (points := await self._ask("zrange", source.points, 0, -1)):
            return
        pipe = self._redis.pipeline(transaction=True)
        pipe.zadd(target.points, dict.fromkeys(points, 0))
        values: dict[bytes, bytes] = await self._ask("hgetall", source.values)
        pipe.hset(target.values, mapping={**values, _THREAD: target_thread_id})
        for head in await self._ask("smembers", source.written):
            pipe.hset(target.writes(head), mapping=await self._ask("hgetall", source.writes(head)))
            pipe.expire(target.writes(head), 2 * self._ttl)
            pipe.sadd(target.written, head)
        await self._commit(pipe, target)

    def _keys(self, thread_id: str) -> CheckpointKeys:
        return self._names_of.checkpoints(thread_id)

    async def _page(self, keys: CheckpointKeys, low: bytes, high: bytes, count: int = -1) -> list[Point]:
        """The newest points of a range, or all of them, newest first."""
        members: list[bytes] = await self._ask("zrevrangebylex", keys.points, high, low, 0, count)
        return [point_of(self.serde, member) for member in members]

    async def _load(self, thread_id: str, points: Sequence[Point]) -> list[CheckpointTuple]:
        """The points with their values and writes, all in one round trip."""
        keys = self._keys(thread_id)
        pipe = self._redis.pipeline(transaction=False)
        for point in points:
            pipe.hgetall(keys.writes(point.head))
            # With the thread's id, since HMGET wants at least one field.
            pipe.hmget(keys.values, [_THREAD, *point.fields().values()])
        replies = await self._execute(pipe)
        found = zip(points, replies[::2], replies[1::2], strict=True)
        return [whole(self.serde, thread_id, point, writes, values[1:]) for point, writes, values in found]

    async def _ask(self, command: str, *args: Any) -> Any:
        """The reply to one command."""
        pipe = self._redis.pipeline(transaction=False)
        getattr(pipe, command)(*args)
        return (await self._execute(pipe))[0]

    async def _execute(self, pipe: Any) -> list[Any]:
        """The replies, as soon as Redis is there: no command here does harm when it runs twice."""
        commands, delay = list(pipe.command_stack), 0.01
        while True:
            try:
                return await pipe.execute()
            except AWAY:
                await asyncio.sleep(delay)
                delay = min(delay * 2, 0.5)
                pipe.command_stack = list(commands)

    async def _commit(self, pipe: Any, keys: CheckpointKeys) -> None:
        """Execute, and put off the end of the whole thread if it comes too near.

        A key ends at twice the TTL from when it was made or put off last, and all are put off together. So no
        key ends before the points, and a write needn't touch what older ones left.
        """
        for name in (keys.points, keys.values, keys.written):
            pipe.expire(name, 2 * self._ttl, nx=True)
        pipe.ttl(keys.points)
        left: int = (await self._execute(pipe))[-1]
        if 0 <= left < self._ttl:
            names = await self._names(keys)
            pipe = self._redis.pipeline(transaction=True)
            for name in names:
                pipe.expire(name, 2 * self._ttl)
            await self._execute(pipe)

    async def _keep(self, keys: CheckpointKeys, points: Sequence[Point], kept: Sequence[Point]) -> None:
        """Delete the other points, and what only they had."""
        if not kept:
            await self._ask("unlink", *await self._names(keys))
            return
        heads = {point.head for point in kept}
        used = {_THREAD}.union(*(point.fields().values() for point in kept))
        stale: set[bytes] = set(await self._ask("hkeys", keys.values)) - used
        pipe = self._redis.pipeline(transaction=True)
        for point in points:
            if point.head not in heads:
                pipe.zrem(keys.points, point.member)
                pipe.srem(keys.written, point.head)
                pipe.unlink(keys.writes(point.head))
        if stale:
            pipe.hdel(keys.values, *stale)
        await self._execute(pipe)

    async def _names(self, keys: CheckpointKeys) -> list[str]:
        """Every key that the thread may have."""
        heads: set[bytes] = await self._ask("smembers", keys.written)
        return [keys.points, keys.values, keys.written, *map(keys.writes, heads)]

    async def _thread_ids(self) -> list[str]:
        """Every thread under the prefix. Redis is asked for all its keys."""
        pipe = self._redis.pipeline(transaction=False)
        async for name in self._redis.scan_iter(self._names_of.every_checkpoints, count=1000, _type="zset"):
            pipe.hget(CheckpointKeys(name.decode()).values, _THREAD)
        ids: set[bytes | None] = set(await self._execute(pipe))
        return sorted(thread_id.decode() for thread_id in ids if thread_id)
