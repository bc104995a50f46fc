"""EventLog: one Redis Stream a task. Create, claim, read. (Appending is `events/append`.)

Order, fencing and idempotence all come from one rule of Redis: XADD refuses an id that isn't above the last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import Redis

from events import milestones, scripts
from events.codec import document, to_json
from events.connect import AWAY
from events.durability import OFF, Durability
from events.errors import Held, LogExpired, Moved, Sealed, TaskExists, TaskNotFound, Waiting
from events.keys import Keys
from events.memory import at_one_moment
from events.model import (
    JSON,
    MAX_PART,
    START,
    SUBMITTED_ID,
    Entry,
    Event,
    EventId,
    EventType,
    now_ms,
    timestamp,
)
from events.position import PAGE, Located, Page, dense_part, place

RawEntry = tuple[bytes, list[bytes]]


@dataclass(frozen=True, slots=True)
class Claim:
    """A won attempt: the right to append, until a later claim.

    Attributes:
        task_id: the task.
        owner: the token that holds the lease.
        started: the id of its `attempt.started`.
        document: of that entry.
        submitted: the document of the log's first entry.
        record: the task's hash, as fields and values.
    """

    task_id: str
    owner: str
    started: EventId
    document: bytes
    submitted: bytes
    record: Sequence[bytes]

    @property
    def running_since(self) -> str:
        """RFC 3339: when the task began to run, or went on after its last answer."""
        return self.field(b"running_since")

    @property
    def subject(self) -> str:
        """Who submitted the task."""
        return self.field(b"subject")

    @property
    def fields(self) -> dict[str, str]:
        """The record, by the fields' names."""
        words = [word.decode() for word in self.record]
        return dict(zip(words[::2], words[1::2], strict=True))

    def field(self, name: bytes) -> str:
        """A field of the record, which must have it."""
        return self.fields[name.decode()]


def decode(raw: Sequence[RawEntry] | None) -> list[Entry]:
    """Entries from the raw reply of XRANGE, or of one stream of XREAD."""
    return [Entry(raw_id, fields[1], fields[3]) for raw_id, fields in raw or ()]


def submitted(data: Mapping[str, JSON]) -> bytes:
    """The document of a log's first entry.

    Raises:
        NotStorable: it is over 1 MiB or isn't JSON.
    """
    return document(Event(EventType.TASK_SUBMITTED, data), SUBMITTED_ID, now_ms())


def after(position: EventId) -> str:
    """The start of a range that excludes the position; Redis refuses to exclude the highest id there is."""
    return f"({min(position, EventId(MAX_PART, MAX_PART - 1))}"


class EventLog:
    """The logs of all tasks under one key prefix.

    Args:
        redis: a client of their servers.
        keys: what they are called.
        durability: what a new log waits for.

    Every method raises `redis.exceptions.RedisError` when Redis can't be reached or refuses.
    """

    def __init__(self, redis: Redis, keys: Keys, durability: Durability = OFF) -> None:
        self.redis = redis
        self.keys = keys
        self._durability = durability
        self._create = redis.register_script(scripts.CREATE)
        self._claim = redis.register_script(scripts.CLAIM)
        self._claim_to_end = redis.register_script(scripts.CLAIM_TO_END)
        self._release = redis.register_script(scripts.RELEASE)

    async def create(self, task_id: str, entry: bytes, record: Mapping[str, str]) -> None:
        """Open a log with its `task.submitted` entry, and the task's hash beside it, at once.

        Args:
            task_id: of a new task.
            entry: the document that `submitted` has made.
            record: the hash's first fields.

        Raises:
            TaskExists: the log is there already; nothing of it was changed.
            NotCopied: see `secure`.
        """
        keys = [self.keys.log(task_id), self.keys.task(task_id)]
        args = [entry, *(part for field in record.items() for part in field)]
        if self._durability:
            made = await milestones.create(self.redis, keys, args, self._durability)
        else:
            made = cast("int", await self._create(keys=keys, args=args))
        if not made:
            raise TaskExists(f"task {task_id} was created before")

    async def secure(self, task_id: str) -> None:
        """See that a log's beginning is as durable as milestones must be; NotCopied if not in 5 s."""
        if self._durability:
            keys = [self.keys.log(task_id), self.keys.task(task_id)]
            await milestones.secure(self.redis, keys, self._durability)

    async def claim(
        self,
        task_id: str,
        owner: str,
        *,
        worker: str,
        lease_ms: int,
        started: Mapping[str, JSON] | None = None,
        after: EventId | None = None,
        to_end: bool = False,
    ) -> Claim:
        """Open the next attempt. Of any number of concurrent callers one wins.

        Args:
            task_id: the task.
            owner: a token that no other claim uses; a repeated claim with it (its reply was lost) wins again.
            worker: a name for people.
            lease_ms: how long the claim holds unless it is renewed.
            started: more fields for the data of `attempt.started`.
            after: the last id the caller has seen; the claim is refused when the log has grown since.
            to_end: the task won't be run but ended, so it may be claimed though Redis's memory is used up.

        Raises:
            TaskNotFound, Sealed, Held, Waiting, Moved: why it can't be had now.
        """
        data = to_json({"worker": worker, "resumed_from": None, "supersedes": [], **(started or {})})
        keys = [self.keys.log(task_id), self.keys.task(task_id), self.keys.lease(task_id)]
        expected = "" if after is None else str(after)
        args = [owner, lease_ms, timestamp(now_ms()), worker, data, expected, self.keys.bell(task_id)]
        answer = await self._claim_patiently(self._claim_to_end if to_end else self._claim, keys, args)
        match answer[0]:
            case b"claimed":
                _, first, *rest = cast("Any", answer)
                return Claim(task_id, owner, EventId.parse(first), *rest)
            case b"absent":
                raise TaskNotFound
            case b"held":
                raise Held(int(answer[1]))
            case b"waiting":
                raise Waiting(Waiting.__doc__)
            case b"moved":
                raise Moved(Moved.__doc__)
            case _:
                raise Sealed(Sealed.__doc__)

    async def _claim_patiently(self, claim: Any, keys: list[str], args: list[Any]) -> list[bytes]:
        """A claim whose reply was lost holds until its lease ends, so it's worth asking once more who won."""
        for pause in (0.02, 0.2, None):
            try:
                return await claim(keys=keys, args=args)
            except AWAY:
                if pause is None:
                    raise
                await asyncio.sleep(pause)
        raise AssertionError("unreachable")  # pragma: no cover

    async def read(self, task_id: str, position: EventId, count: int = PAGE) -> list[Entry]:
        """The entries after an id, oldest first, at most `count` of them."""
        return decode(await self.redis.xrange(self.keys.log(task_id), after(position), "+", count=count))

    async def page(self, task_id: str, position: EventId, count: int = PAGE) -> Page:
        """What a reader at `position` gets next, holes and roll-backs found and told.

        Raises:
            TaskNotFound, LogExpired: the log went away while it was being read.
        """
        entries = await self.read(task_id, position, count)
        dense = dense_part(position, entries)
        if dense:
            return Page(dense, dense[-1].id, drained=len(dense) == len(entries) < count)
        if not entries:
            return Page([], position, drained=True)
        located = await self.locate(task_id, position)
        return Page([], located.position, located.notice, ended=located.ended)

    async def last(self, task_id: str, count: int = 1) -> list[Entry]:
        """The last entries, newest first."""
        return decode(await self.redis.xrevrange(self.keys.log(task_id), count=count))

    async def from_end(self, task_id: str, count: int) -> EventId:
        """The position `count` entries before the end of the log, or its start."""
        entries = await self.last(task_id, count + 1)
        return entries[-1].id if len(entries) > count else START

    async def is_held(self, task_id: str) -> bool:
        """Whether some worker's lease on the task is alive."""
        return bool(await self.redis.exists(self.keys.lease(task_id)))

    async def release(self, claim: Claim) -> None:
        """Give a claim's lease back, if it is still held."""
        await self._release(keys=[self.keys.lease(claim.task_id)], args=[claim.owner])

    async def locate(self, task_id: str, position: EventId) -> Located:
        """Find where a reader that has everything up to `position` goes on.

        Raises:
            LogExpired: the log has passed its retention.
            TaskNotFound: there has never been such a log.
        """
        log = self.keys.log(task_id)

        def ask(pipe: Any) -> None:
            pipe.xrange(log, str(position), str(position))
            pipe.xrange(log, after(position), "+", count=1)
            if position > START:
                pipe.xrevrange(log, f"({position}", "-", count=1)
            pipe.exists(self.keys.tombstone(task_id))

        own, following, *before, gone = await at_one_moment(self.redis, ask)
        own, following, before = decode(own), decode(following), decode(before[0] if before else None)
        if not (own or following or before):
            raise LogExpired if gone else TaskNotFound
        return place(position, own, following, before)
