"""Points: what a thread's checkpoints are called in Redis and how they are told apart. Pure.

A point is a checkpoint without its channels' values, which are stored once for every version they have had.
It is a member of the thread's sorted set, `head NUL type NUL document`, all at score 0: Redis then keeps them
in the order of their heads, which is by namespace and then by time, since checkpoint ids are UUIDv6. So one
range read finds the newest and brings it along.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    PendingWrite,
    writes_sort_key,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

NS_END = ":"
"""Between a node's name and the id of its run, in the namespaces of LangGraph's subgraphs."""

as_json = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Point:
    """A checkpoint without its values, as it is stored."""

    member: bytes
    head: bytes
    ns: str
    id: str
    checkpoint: Checkpoint
    metadata: CheckpointMetadata
    parent: str | None

    def fields(self) -> dict[str, bytes]:
        """For each channel, in which field of the thread's values its value is, if it has one."""
        versions = self.checkpoint["channel_versions"].items()
        return {channel: field(self.ns, channel, version) for channel, version in versions}

    def lasting(self) -> bool:
        """Whether it's for more than one run of a node: those have its id in their name."""
        return NS_END not in self.ns

    def matches(self, checkpoint_id: str | None, before: str | None, wanted: Mapping[str, Any]) -> bool:
        """Whether it has that id, is older than that id, and has all that in its metadata."""
        return (
            checkpoint_id in (None, self.id)
            and (before is None or self.id < before)
            and all(self.metadata.get(name) == value for name, value in wanted.items())
        )


def address(config: RunnableConfig) -> tuple[str, str | None, str | None]:
    """The thread, the namespace and the checkpoint that a config names."""
    named = config.get("configurable", {})
    return str(named["thread_id"]), named.get("checkpoint_ns"), named.get("checkpoint_id")


def config_of(thread_id: str, ns: str, checkpoint_id: str) -> RunnableConfig:
    """A config that names a checkpoint."""
    return {
        "configurable": {"thread_id": thread_id, "checkpoint_ns": ns, "checkpoint_id": checkpoint_id},
    }


def head_of(ns: str, checkpoint_id: str) -> bytes:
    """What a point's member begins with. The quotes keep one namespace from being another's beginning."""
    return (as_json(ns) + checkpoint_id).encode()


def span(ns: str | None, checkpoint_id: str | None = None) -> tuple[bytes, bytes]:
    """The range of a thread's points, of a namespace's, or of the one with that id."""
    if ns is None:
        return b"-", b"+"
    if checkpoint_id is None:
        start = as_json(ns).encode()
        return b"[" + start, b"(" + start + b"\xff"
    head = head_of(ns, checkpoint_id)
    return b"[" + head + b"\0", b"(" + head + b"\1"


def field(ns: str, channel: str, version: str | float) -> bytes:
    """In which field of the thread's values that version of a channel's value is."""
    return as_json([ns, channel, version]).encode()


def needed(points: Sequence[Point], stored: Collection[bytes]) -> list[Point]:
    """Of points, newest first, each namespace's first, and what a DeltaChannel there is rebuilt from.

    LangGraph stores such a channel now and then only, and names in the metadata those that it did not. They
    need the writes of all ancestors down to one at which they are stored.
    """
    by_id = {(point.ns, point.id): point for point in points}
    kept: list[Point] = []
    for newest in {point.ns: point for point in reversed(points)}.values():
        point, missing = newest, set(newest.metadata.get("counters_since_delta_snapshot", ()))
        while point:
            kept.append(point)
            missing -= {channel for channel, name in point.fields().items() if name in stored}
            point = by_id.get((point.ns, point.parent or "")) if missing else None
    return kept


def pack(serde: SerializerProtocol, value: Any, about: bytes = b"") -> bytes:
    """A value as it is stored, behind what is to be known without reading it."""
    kind, data = serde.dumps_typed(value)
    return b"\0".join((about, kind.encode(), data))


def unpack(serde: SerializerProtocol, packed: bytes) -> tuple[bytes, Any]:
    """What stands before the value, and the value."""
    about, kind, data = packed.split(b"\0", 2)
    return about, serde.loads_typed((kind.decode(), data))


def stored_point(
    serde: SerializerProtocol,
    ns: str,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    parent: str | None,
) -> bytes:
    """A checkpoint as a member of the sorted set."""
    bare = {name: part for name, part in checkpoint.items() if name != "channel_values"}
    return pack(serde, [bare, metadata, parent], head_of(ns, checkpoint["id"]))


def point_of(serde: SerializerProtocol, member: bytes) -> Point:
    """The point that is stored so."""
    head, (checkpoint, metadata, parent) = unpack(serde, member)
    text = head.decode()
    ns, end = json.JSONDecoder().raw_decode(text)
    return Point(member, head, ns, text[end:], checkpoint, metadata, parent)


def stored_values(
    serde: SerializerProtocol, ns: str, checkpoint: Checkpoint, new_versions: ChannelVersions
) -> dict[bytes, bytes]:
    """The fields for those of a checkpoint's values that are new."""
    values = checkpoint["channel_values"]
    new = [(channel, version) for channel, version in new_versions.items() if channel in values]
    return {field(ns, channel, version): pack(serde, values[channel]) for channel, version in new}


def stored_writes(
    serde: SerializerProtocol, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
) -> Iterator[tuple[bool, bytes, bytes]]:
    """For each write: whether the first of its name counts, not the last; its field's name, and the field."""
    for position, (channel, value) in enumerate(writes):
        index = WRITES_IDX_MAP.get(channel, position)
        about = as_json([task_path, channel]).encode()
        yield index >= 0, as_json([task_id, index]).encode(), pack(serde, value, about)


def writes_of(serde: SerializerProtocol, stored: Mapping[bytes, bytes]) -> list[PendingWrite]:
    """What tasks wrote to a checkpoint, in the order in which it is applied."""
    found: list[tuple[tuple[str, str, int], PendingWrite]] = []
    for name, packed in stored.items():
        task_id, index = json.loads(name)
        about, value = unpack(serde, packed)
        path, channel = json.loads(about)
        found.append((writes_sort_key(path, task_id, index), (task_id, channel, value)))
    return [write for _, write in sorted(found, key=itemgetter(0))]


def whole(
    serde: SerializerProtocol,
    thread_id: str,
    point: Point,
    writes: Mapping[bytes, bytes],
    values: Iterable[bytes | None],
) -> CheckpointTuple:
    """A checkpoint as LangGraph knows it: the point, what tasks wrote to it, and its channels' values."""
    stored = zip(point.fields(), values, strict=True)
    found = {channel: unpack(serde, packed)[1] for channel, packed in stored if packed is not None}
    return CheckpointTuple(
        config_of(thread_id, point.ns, point.id),
        {**point.checkpoint, "channel_values": found},
        point.metadata,
        config_of(thread_id, point.ns, point.parent) if point.parent else None,
        writes_of(serde, writes),
    )
