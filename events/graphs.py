"""The directory of graphs: workers write what they serve, pods read it and never import a graph."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, cast

import orjson
from redis.asyncio import Redis

from events.keys import Keys
from events.memory import insist
from events.model import JSON, now_ms

FORGET_AFTER_MS = 3_600_000
"""A graph that no worker has announced for an hour is not listed; in shorter outages its tasks queue."""

CACHE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class GraphDescriptor:
    """What a pod must know of a graph.

    Attributes:
        name: under which it's submitted.
        description: one paragraph for people.
        input_schema: JSON Schema of the input.
        mermaid: the drawing, in Mermaid's language.
        pool: whose workers serve it.
        nodes, edges: what it consists of, as `GET /graphs/{name}` shows it; empty from an older worker.
        drawing: where they are, in px; None if it can't be drawn.
    """

    name: str
    description: str
    input_schema: dict[str, JSON]
    mermaid: str
    pool: str
    nodes: Sequence[Mapping[str, JSON]] = field(default_factory=list[Mapping[str, JSON]])
    edges: Sequence[Mapping[str, JSON]] = field(default_factory=list[Mapping[str, JSON]])
    drawing: Mapping[str, JSON] | None = None


class GraphDirectory:
    """All graphs under one key prefix. Reads are cached for two seconds."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._key = keys.graphs
        self._cached: dict[str, GraphDescriptor] = {}
        self._fresh_until = 0.0

    async def announce(self, descriptors: Sequence[GraphDescriptor]) -> None:
        """Write what this worker serves; to be repeated with its heartbeat."""
        seen = now_ms()
        fields = {item.name: orjson.dumps({**asdict(item), "seen": seen}) for item in descriptors}
        pipe = self._redis.pipeline(transaction=False)
        pipe.hset(self._key, mapping=cast("dict[Any, Any]", fields))
        pipe.pexpire(self._key, FORGET_AFTER_MS)
        await insist(pipe)

    async def all(self) -> dict[str, GraphDescriptor]:
        """The graphs by name, in alphabetical order."""
        if time.monotonic() >= self._fresh_until:
            await self._refresh()
        return self._cached

    async def get(self, name: str) -> GraphDescriptor | None:
        """One graph; a name that isn't in the cache is looked up at once."""
        if name not in await self.all():
            await self._refresh()
        return self._cached.get(name)

    async def _refresh(self) -> None:
        raw = await cast("Awaitable[dict[bytes, bytes]]", self._redis.hgetall(self._key))
        oldest = now_ms() - FORGET_AFTER_MS
        found = [cast("dict[str, Any]", orjson.loads(value)) for value in raw.values()]
        live = [item for item in found if item["seen"] > oldest]
        self._cached = {item["name"]: _descriptor(item) for item in sorted(live, key=lambda i: i["name"])}
        self._fresh_until = time.monotonic() + CACHE_SECONDS


def _descriptor(item: dict[str, Any]) -> GraphDescriptor:
    """What a newer worker tells besides is for newer pods."""
    known = {it.name for it in fields(GraphDescriptor)}
    return GraphDescriptor(**{name: value for name, value in item.items() if name in known})
