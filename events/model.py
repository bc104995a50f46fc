"""The words of the log: event ids, event types, events, and the entries they become.

An entry is one JSON document, written once by the appender and handed on byte for byte by everything after
it: history pages, NDJSON, SSE and the console all show the same bytes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from events.errors import InvalidCursor

JSON = Any  # a value that orjson can encode: what users put in, which we never look into

_ID = re.compile(rb"(0|[1-9][0-9]{0,19})-(0|[1-9][0-9]{0,19})")
MAX_PART = 2**64 - 1
"""Redis Stream ids are two unsigned 64-bit numbers."""


class EventId(NamedTuple):
    """`<attempt>-<seq>`: the Redis Stream id, the SSE `id:` and the client's cursor. Compares numerically.

    `seq` is dense from 1 over the whole task, so two ids tell how many events lie between them.
    """

    attempt: int
    seq: int

    @classmethod
    def parse(cls, text: str | bytes) -> EventId:
        """Read an id that came from outside.

        Raises:
            InvalidCursor: it is not two canonical decimal numbers below 2^64 joined by one dash.
        """
        raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        match = _ID.fullmatch(raw)
        if match is None:
            raise InvalidCursor
        attempt, seq = int(match[1]), int(match[2])
        if attempt > MAX_PART or seq > MAX_PART:
            raise InvalidCursor
        return cls(attempt, seq)

    def __str__(self) -> str:
        return f"{self.attempt}-{self.seq}"

    def __bytes__(self) -> bytes:
        return b"%d-%d" % self


START = EventId(0, 0)
"""The position before the first entry of any log."""

SUBMITTED_ID = EventId(0, 1)
"""The id of every log's first entry, `task.submitted`."""


class EventType(StrEnum):
    """Every type of event that a log can hold."""

    TASK_SUBMITTED = "task.submitted"
    ATTEMPT_STARTED = "attempt.started"
    NODE_STARTED = "node.started"
    NODE_COMPLETED = "node.completed"
    NODE_FAILED = "node.failed"
    MESSAGE_DELTA = "message.delta"
    MESSAGE_COMPLETED = "message.completed"
    PROGRESS = "progress"
    TASK_INTERRUPTED = "task.interrupted"
    TASK_RESUMED = "task.resumed"
    TASK_CANCEL_REQUESTED = "task.cancel_requested"
    TASK_SUCCEEDED = "task.succeeded"
    TASK_FAILED = "task.failed"
    TASK_CANCELLED = "task.cancelled"


class Status(StrEnum):
    """Where a task is in its life. The last three are final: its log is sealed."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL: Mapping[str, Status] = {
    EventType.TASK_SUCCEEDED: Status.SUCCEEDED,
    EventType.TASK_FAILED: Status.FAILED,
    EventType.TASK_CANCELLED: Status.CANCELLED,
}
"""The types that seal a log, and the status each leaves the task in."""

TERMINAL_BYTES = frozenset(kind.encode() for kind in TERMINAL)


@dataclass(frozen=True, slots=True)
class Event:
    """What a writer wants to say; the log gives it an id and a time.

    Attributes:
        type: one of `EventType`.
        data: the JSON object that belongs to the type.
        node: name of the graph's node it came from, if any.
        run: the first 8 hex digits of that node execution's id, stable across attempts.
    """

    type: EventType
    data: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    node: str | None = None
    run: str | None = None


class Entry(NamedTuple):
    """One entry as Redis holds it; nothing is decoded until somebody asks.

    Attributes:
        raw_id: `b"1-57"`.
        raw_type: `b"progress"`.
        document: the event as one JSON object in UTF-8, without a line break.
    """

    raw_id: bytes
    raw_type: bytes
    document: bytes

    @property
    def id(self) -> EventId:
        """The id, decoded."""
        attempt, _, seq = self.raw_id.partition(b"-")
        return EventId(int(attempt), int(seq))

    @property
    def type(self) -> EventType:
        """The type, decoded."""
        return EventType(self.raw_type.decode())

    @property
    def terminal(self) -> bool:
        """Whether this entry seals its log."""
        return self.raw_type in TERMINAL_BYTES

    @property
    def event(self) -> dict[str, JSON]:
        """The document, decoded: `{seq, attempt, type, ts, node?, run?, data}`."""
        return orjson.loads(self.document)


def now_ms() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


def timestamp(ms: int) -> str:
    """Unix milliseconds as RFC 3339 in UTC with milliseconds: `2026-11-21T02:46:38.123Z`."""
    return f"{_to_the_second(ms // 1000)}.{ms % 1000:03d}Z"


@lru_cache(maxsize=4)  # formatting is most of the cost of an event, and a second has thousands of them
def _to_the_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def parse_timestamp(text: str) -> int:
    """The reverse of `timestamp`."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)
