"""Appending: plain XADDs with explicit ids, gathered while the last write was under way.

An idle appender writes at once; a busy one writes what has gathered meanwhile in one MULTI/EXEC, for all
tasks of the process together. So batching comes by itself and costs a lone event nothing. MULTI makes a batch
land whole or not at all, even if the connection breaks in the middle of it or memory runs out half-way: no
entry can be missing before one that is there.

A write whose reply was lost is sent again. Redis refuses the ids it has, and a look at the first refused id
tells which: it's there, so it was ours and is done; or it isn't, so a newer attempt has opened.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from events.background import stop
from events.codec import document, dropped
from events.connect import AWAY
from events.errors import Fenced, NotStorable, QuotaExceeded, Sealed
from events.keys import Keys
from events.log import Claim
from events.model import TERMINAL, Event, EventId, EventType, now_ms

MAX_BATCH = 500
MAX_BATCH_BYTES = 1024 * 1024
"""One write's most: large enough that the round trip vanishes, small enough that readers see it soon."""

MAX_UNWRITTEN = 1000
MAX_UNWRITTEN_BYTES = 4 * 1024 * 1024
"""What an attempt may have on the way before its graph has to wait."""

MAX_EVENTS = 100_000
MAX_LOG_BYTES = 64 * 1024 * 1024
BEYOND_QUOTA = frozenset({*TERMINAL, EventType.TASK_CANCEL_REQUESTED})
"""What may be written when the quota is used up: the end, and why it comes."""


@dataclass(frozen=True, slots=True)
class _Write:
    """One entry on its way."""

    writer: AttemptWriter
    id: EventId
    kind: str
    document: bytes


class Appender:
    """One per process: sends what all its writers append, in order, through one connection at a time."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._queue: deque[_Write] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def writer(self, claim: Claim, size: int = 0) -> AttemptWriter:
        """The writer of a claimed attempt on a log that holds `size` bytes of documents already."""
        return AttemptWriter(self, claim, size)

    def put(self, write: _Write) -> None:
        """Take one entry; it's sent as soon as the write before it is done."""
        self._queue.append(write)
        self._wake.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="appender")

    async def close(self) -> None:
        """Stop sending. Entries not yet acknowledged may or may not be in the log."""
        if self._task is not None:
            await stop([self._task])

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await self._write(self._take())

    def _take(self) -> list[_Write]:
        batch, size = list[_Write](), 0
        while self._queue and len(batch) < MAX_BATCH and size < MAX_BATCH_BYTES:
            batch.append(self._queue.popleft())
            size += len(batch[-1].document)
        return batch

    async def _write(self, batch: list[_Write]) -> None:
        for write, result in zip(batch, await self._send(batch), strict=True):
            if isinstance(result, ResponseError) and "equal or smaller" in str(result):
                result = await self._was_written(write)
            write.writer.wrote(len(write.document), result)

    async def _send(self, batch: list[_Write]) -> list[Any]:
        """The reply to each entry of a batch; sends it until there is one."""
        delay = 0.01
        while True:
            try:
                return await self._execute(batch)
            except AWAY:
                await asyncio.sleep(delay)
                delay = min(delay * 2, 0.5)
            except ResponseError as error:  # EXECABORT, such as for OOM: nothing of the batch was written
                return [error] * len(batch)

    async def _execute(self, batch: list[_Write]) -> list[Any]:
        pipe = self._redis.pipeline(transaction=True)
        rung: dict[str, EventId] = {}
        for write in batch:
            task_id = write.writer.claim.task_id
            fields = {"type": write.kind, "event": write.document}
            pipe.xadd(self._keys.log(task_id), fields, id=str(write.id))  # pyright: ignore[reportArgumentType]
            rung[task_id] = write.id
        for task_id, last in rung.items():
            pipe.publish(self._keys.bell(task_id), str(last))
        results: list[Any] = await pipe.execute(raise_on_error=False)
        return results[: len(batch)]

    async def _was_written(self, write: _Write) -> bytes | Fenced:
        key, own = self._keys.log(write.writer.claim.task_id), str(write.id)
        while True:
            try:
                found = await self._redis.xrange(key, own, own)
            except AWAY:
                await asyncio.sleep(0.1)
                continue
            return found[0][0] if found else Fenced(Fenced.__doc__)


class AttemptWriter:
    """Appends the events of one attempt. Ids are given out here, dense and ascending.

    `append` returns before Redis has answered; an error is raised by the next `append` or `flush`.

    Attributes:
        claim: the attempt it writes for.
        last: the id given to the last event.
        sealed: whether the terminal event was appended.
    """

    def __init__(self, appender: Appender, claim: Claim, size: int) -> None:
        self.claim = claim
        self.last = claim.started
        self.sealed = False
        self._appender = appender
        self._unwritten = 0
        self._unwritten_bytes = 0
        self._bytes = size
        self._error: Exception | None = None
        self._progress = asyncio.Event()

    async def append(self, event: Event) -> EventId:
        """Give the event an id and send it on its way; waits only if over 1,000 or 4 MiB are on theirs.

        An event of a graph's that can't be stored becomes `progress {dropped: true, reason, bytes}`.

        Raises:
            Fenced: a newer attempt has opened.
            Sealed: the terminal event was appended before.
            QuotaExceeded: the log has reached 100,000 events or 64 MiB.
            NotStorable: a terminal event isn't JSON or exceeds 1 MiB.
        """
        while self._is_full() and self._error is None:
            self._progress.clear()
            await self._progress.wait()
        self._check()
        terminal = event.type in TERMINAL
        event_id = EventId(self.claim.started.attempt, self.last.seq + 1)
        raw = self._document(event, event_id, terminal)
        if event.type not in BEYOND_QUOTA:
            self._check_quota(event_id, len(raw))
        self._bytes += len(raw)
        self.last, self.sealed = event_id, terminal
        self._unwritten += 1
        self._unwritten_bytes += len(raw)
        self._appender.put(_Write(self, event_id, event.type, raw))
        return event_id

    async def flush(self) -> None:
        """Wait until all that was appended is in the log.

        Raises:
            Fenced: it is not, because a newer attempt has opened.
        """
        while self._unwritten and self._error is None:
            self._progress.clear()
            await self._progress.wait()
        if self._error is not None:
            raise self._error

    def wrote(self, size: int, result: bytes | Exception) -> None:
        """Take what became of the oldest unwritten entry, which is so large."""
        self._unwritten -= 1
        self._unwritten_bytes -= size
        if isinstance(result, Exception) and self._error is None:
            self._error = result
        self._progress.set()

    def _is_full(self) -> bool:
        return self._unwritten >= MAX_UNWRITTEN or self._unwritten_bytes >= MAX_UNWRITTEN_BYTES

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
        if self.sealed:
            raise Sealed(Sealed.__doc__)

    def _document(self, event: Event, event_id: EventId, terminal: bool) -> bytes:
        try:
            return document(event, event_id, now_ms())
        except NotStorable as error:
            if terminal:
                raise
            return document(dropped(event, error), event_id, now_ms())

    def _check_quota(self, event_id: EventId, size: int) -> None:
        if event_id.seq >= MAX_EVENTS:
            raise QuotaExceeded(f"a task may write {MAX_EVENTS} events")
        if self._bytes + size > MAX_LOG_BYTES:
            raise QuotaExceeded(f"a task may write {MAX_LOG_BYTES // 2**20} MiB of events")
