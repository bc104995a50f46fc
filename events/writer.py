"""AttemptWriter: what one attempt appends, from an event to an id and a document."""

from __future__ import annotations

import asyncio
from typing import NamedTuple, Protocol

from events.codec import document, dropped
from events.errors import Fenced, NotStorable, QuotaExceeded, Sealed
from events.log import Claim
from events.model import TERMINAL, Event, EventId, EventType, now_ms
from events.redaction import Redactor

MAX_UNWRITTEN = 1000
MAX_UNWRITTEN_BYTES = 4 * 1024 * 1024
"""What an attempt may have on the way before its graph has to wait."""

MAX_EVENTS = 100_000
MAX_LOG_BYTES = 64 * 1024 * 1024
BEYOND_QUOTA = frozenset({*TERMINAL, EventType.TASK_CANCEL_REQUESTED})
"""What may be written when the quota is used up: the end, and why it comes."""

INDISPENSABLE = frozenset({*TERMINAL, EventType.TASK_INTERRUPTED})
"""What nothing can stand in for: without its question, a task would wait for ever."""


class Write(NamedTuple):
    """One entry, on its way or acknowledged.

    Attributes:
        writer: whose it is.
        raw_id: `b"1-57"`; bytes, since the garbage collector would look at each remembered `EventId`.
        kind: the event's type.
        document: the entry's JSON.
    """

    writer: AttemptWriter
    raw_id: bytes
    kind: str
    document: bytes


class Carrier(Protocol):
    """Brings entries to Redis. A writer has one at a time."""

    def put(self, write: Write) -> None:
        """Send an entry on its way; a writer's arrive in order."""
        ...

    def secure(self, writer: AttemptWriter) -> None:
        """See that what the writer has in its log is as durable as milestones must be; it is told when."""
        ...


class AttemptWriter:
    """Appends the events of one attempt. Ids are given out here, dense and ascending.

    `append` returns before Redis has answered; an error is raised by the next `append` or `flush`.

    Args:
        carrier: brings its entries to Redis.
        claim: the attempt to write for.
        size: bytes of the documents that the log holds already.
        redactor: takes secrets out of what is appended.

    Attributes:
        carrier: the same; changes when the log's server does.
        claim: the attempt it writes for.
        last: the id given to the last event.
        newest: the entry of that id; None before the first.
        sealed: whether the terminal event was appended.
    """

    def __init__(self, carrier: Carrier, claim: Claim, size: int, redactor: Redactor) -> None:
        self.carrier = carrier
        self.claim = claim
        self.last = claim.started
        self.newest: Write | None = None
        self.sealed = False
        self._redactor = redactor
        self._unwritten = 0
        self._unwritten_bytes = 0
        self._bytes = size
        self._secured = claim.started
        self._error: Exception | None = None
        self._progress = asyncio.Event()

    @property
    def fenced(self) -> bool:
        """Whether a newer attempt has opened, as far as is known."""
        return isinstance(self._error, Fenced)

    async def append(self, event: Event) -> EventId:
        """Give the event an id and send it on its way; waits only if over 1,000 or 4 MiB are on theirs.

        A task's end doesn't wait: when Redis's memory is used up, it alone is written.

        An event of a graph's that can't be stored becomes `progress {dropped: true, reason, bytes}`.

        Raises:
            Fenced: a newer attempt has opened.
            Sealed: the terminal event was appended before.
            QuotaExceeded: the log has reached 100,000 events or 64 MiB.
            NotStorable: a terminal event, or a question, isn't JSON or exceeds 1 MiB.
        """
        while self._is_full() and event.type not in BEYOND_QUOTA and self._error is None:
            await self._until_progress()
        self._check()
        terminal = event.type in TERMINAL
        event_id = EventId(self.claim.started.attempt, self.last.seq + 1)
        raw = self._document(event, event_id)
        if event.type not in BEYOND_QUOTA:
            self._check_quota(event_id, len(raw))
        self._bytes += len(raw)
        self.last, self.sealed = event_id, terminal
        self._unwritten += 1
        self._unwritten_bytes += len(raw)
        self.newest = Write(self, bytes(event_id), event.type, raw)
        self.carrier.put(self.newest)
        return event_id

    async def flush(self) -> None:
        """Wait until all that was appended is in the log, and as durable as milestones must be.

        Raises:
            Fenced: it is not, because a newer attempt has opened.
        """
        wanted = self.last
        while self._unwritten and self._error is None:
            await self._until_progress()
        if self._secured < wanted and self._error is None:
            self.carrier.secure(self)
        while self._secured < wanted and self._error is None:
            await self._until_progress()
        if self._error is not None:
            raise self._error

    def wrote(self, size: int, result: bytes | Exception) -> None:
        """Take what became of the oldest unwritten entry, which is so large."""
        self._unwritten -= 1
        self._unwritten_bytes -= size
        if isinstance(result, Exception):
            self.fail(result)
        self._progress.set()

    def secured(self, upto: EventId) -> None:
        """Take note that what was appended up to an id is as durable as milestones must be."""
        self._secured = max(self._secured, upto)
        self._progress.set()

    def fail(self, error: Exception) -> None:
        """Take nothing more, for that reason; the first one stands."""
        self._error = self._error or error
        self._progress.set()

    async def _until_progress(self) -> None:
        self._progress.clear()
        await self._progress.wait()

    def _is_full(self) -> bool:
        return self._unwritten >= MAX_UNWRITTEN or self._unwritten_bytes >= MAX_UNWRITTEN_BYTES

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
        if self.sealed:
            raise Sealed(Sealed.__doc__)

    def _document(self, event: Event, event_id: EventId) -> bytes:
        try:
            return document(event, event_id, now_ms(), self._redactor)
        except NotStorable as error:
            if event.type in INDISPENSABLE:
                raise
            return document(dropped(event, error), event_id, now_ms())

    def _check_quota(self, event_id: EventId, size: int) -> None:
        if event_id.seq >= MAX_EVENTS:
            raise QuotaExceeded(f"a task may write {MAX_EVENTS} events")
        if self._bytes + size > MAX_LOG_BYTES:
            raise QuotaExceeded(f"a task may write {MAX_LOG_BYTES // 2**20} MiB of events")
