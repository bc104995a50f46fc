"""Housekeeping of LangGraph threads: how their keys are written, kept, thinned out, copied and deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from langgraph.checkpoint.serde.base import SerializerProtocol
from redis.asyncio import Redis

from events.durability import Durability
from events.keys import CheckpointKeys, Keys
from worker.commands import Command, Commands, split
from worker.fence import Fence
from worker.journal import Journal
from worker.points import Point, point_of

THREAD = b"thread"
"""The field of a thread's values that holds its id."""


def set_fields(name: str, fields: Mapping[bytes, Any]) -> Iterator[Command]:
    """What sets those fields of a hash."""
    return split(("HSET", name), list(chain.from_iterable(fields.items())))


class Threads:
    """The threads of checkpoints under one prefix.

    Args:
        redis: a client of the log's servers.
        keys: what their keys are called.
        ttl_seconds: how long a thread is kept after its last write.
        journal: where writes are remembered.
        durability: what writes wait for.
    """

    def __init__(
        self, redis: Redis, keys: Keys, ttl_seconds: int, journal: Journal, durability: Durability
    ) -> None:
        self.commands = Commands(redis, journal, 2 * ttl_seconds, durability)
        self.ttl_seconds = ttl_seconds
        self._names = keys

    def keys(self, thread_id: str) -> CheckpointKeys:
        """The keys of a thread."""
        return self._names.checkpoints(thread_id)

    async def write(
        self, keys: CheckpointKeys, commands: Sequence[Command], fence: Fence | None = None
    ) -> None:
        """Write, and put off the end of the whole thread if it comes too near.

        A key ends at twice the TTL from when it was made or put off last, and all are put off together. So no
        key ends before the points, and a write needn't touch what older ones left.

        Raises:
            Fenced: a newer attempt has opened, or a newer task has the thread.
        """
        own, end = (keys.points, keys.values, keys.written), 2 * self.ttl_seconds
        last = [*(("EXPIRE", name, end, "NX") for name in own), ("TTL", keys.points)]
        left: int = await self.commands.write(keys, [*commands, *last], fence)
        if 0 <= left < self.ttl_seconds:
            put_off = [("EXPIRE", name, end) for name in await self._every(keys)]
            await self.commands.run(put_off, together=True)

    async def read(self, keys: CheckpointKeys, serde: SerializerProtocol) -> tuple[list[Point], set[bytes]]:
        """All points of a thread, newest first, and in which fields it has a value at that moment."""
        commands = [("ZREVRANGEBYLEX", keys.points, "+", "-"), ("HKEYS", keys.values)]
        members, fields = await self.commands.run(commands, together=True)
        return [point_of(serde, member) for member in members], set(fields)

    async def keep(
        self, keys: CheckpointKeys, kept: Sequence[Point], points: Sequence[Point], stored: set[bytes]
    ) -> None:
        """Of what was read, delete the points that aren't kept, and what only they had.

        A thread of which nothing is kept is deleted.
        """
        if not points:
            return
        if not kept:
            await self.delete(keys)
            return
        heads = {point.head for point in kept}
        used = {THREAD}.union(*(point.fields().values() for point in kept))
        stale = [point for point in points if point.head not in heads]
        commands = [
            *split(("ZREM", keys.points), [point.member for point in stale]),
            *split(("SREM", keys.written), [point.head for point in stale]),
            *(("UNLINK", keys.writes(point.head)) for point in stale),
            *split(("HDEL", keys.values), list(stored - used)),
        ]
        if commands:
            await self.commands.write(keys, commands, None)

    async def copy(self, source: CheckpointKeys, target: CheckpointKeys, target_id: str) -> None:
        """Add all that an idle thread has to another, but for its fence."""
        ask = self.commands.ask
        if not (points := await ask("ZRANGE", source.points, 0, -1)):
            return
        values: dict[bytes, bytes] = await ask("HGETALL", source.values)
        commands = [
            *split(("ZADD", target.points), [word for point in points for word in (0, point)]),
            *set_fields(target.values, {**values, THREAD: target_id}),
        ]
        for head in await ask("SMEMBERS", source.written):
            name = target.writes(head)
            commands += set_fields(name, await ask("HGETALL", source.writes(head)))
            commands += [("EXPIRE", name, 2 * self.ttl_seconds), ("SADD", target.written, head)]
        await self.write(target, commands)

    async def delete(self, keys: CheckpointKeys) -> None:
        """Delete all that there is of a thread."""
        await self.commands.unlink(keys, await self._every(keys))

    async def ids(self) -> list[str]:
        """Every thread under the prefix. Redis is asked for all its keys."""
        names = await self.commands.names(self._names.every_checkpoints)
        commands = [("HGET", CheckpointKeys(name).values, THREAD) for name in names]
        ids: set[bytes | None] = set(await self.commands.run(commands))
        return sorted(thread_id.decode() for thread_id in ids if thread_id)

    async def _every(self, keys: CheckpointKeys) -> list[str]:
        heads: set[bytes] = await self.commands.ask("SMEMBERS", keys.written)
        return [keys.points, keys.values, keys.written, keys.fence, *map(keys.writes, heads)]
