"""GET /tasks/{id}/events: a task's history as JSON pages, or as one stream of NDJSON."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson

from events.errors import LogExpired
from events.log import EventLog
from events.model import Entry, EventId, EventType
from events.position import Stride


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events are wanted.

    Attributes:
        after: those after this id.
        types: only these; None for all.
        final: leave out what a later attempt has superseded.
    """

    after: EventId
    types: frozenset[EventType] | None = None
    final: bool = False


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some events' JSON documents; `next` is where to go on, None at the end."""

    documents: list[bytes]
    next: EventId | None
    sealed: bool
    etag: str | None

    def body(self) -> bytes:
        """The page as JSON, each document as the log holds it."""
        following = orjson.dumps(str(self.next) if self.next else None)
        sealed = b"true" if self.sealed else b"false"
        return b'{"events":[%b],"next":%b,"sealed":%b}' % (b",".join(self.documents), following, sealed)


class History:
    """Reads logs from the past."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    async def page(self, task_id: str, wanted: Selection, limit: int) -> HistoryPage:
        """At most `limit` of the wanted events.

        Raises:
            TaskNotFound, LogExpired: there is no log to read.
        """
        await self._log.locate(task_id, wanted.after)
        superseded = await self._superseded(task_id, wanted)
        found: list[Entry] = []
        position = wanted.after
        while len(found) <= limit and (entries := await self._log.read(task_id, position, limit + 1)):
            position = entries[-1].id
            found += [entry for entry in entries if _is_wanted(entry, wanted, superseded)]
        documents = [entry.document for entry in found[:limit]]
        following = found[limit - 1].id if len(found) > limit else None
        last = await self._last(task_id)
        etag = _etag(task_id, wanted, limit, last.id) if last.terminal else None
        return HistoryPage(documents, following, last.terminal, etag)

    async def lines(self, task_id: str, wanted: Selection) -> AsyncIterator[bytes]:
        """All wanted events there are now, one a line, near a megabyte a chunk."""
        superseded = await self._superseded(task_id, wanted)
        everything = wanted.types is None and not superseded
        position, stride = wanted.after, Stride()
        while entries := await self._log.read(task_id, position, stride.count):
            position = entries[-1].id
            stride.took(entries)
            lines = [
                entry.document for entry in entries if everything or _is_wanted(entry, wanted, superseded)
            ]
            if lines:
                yield b"\n".join(lines) + b"\n"

    async def _last(self, task_id: str) -> Entry:
        """The log's last entry; raises LogExpired if its time has run out since it was located."""
        found = await self._log.last(task_id)
        if not found:
            raise LogExpired
        return found[0]

    async def _superseded(self, task_id: str, wanted: Selection) -> frozenset[int]:
        """The seqs that later attempts have named as done again, from each attempt's first entry."""
        if not wanted.final:
            return frozenset()
        seqs: set[int] = set()
        last = (await self._last(task_id)).id
        for attempt in range(2, last.attempt + 1):
            for entry in await self._log.read(task_id, EventId(attempt, 0), 1):
                if entry.type is EventType.ATTEMPT_STARTED:
                    seqs.update(entry.event["data"]["supersedes"])
        return frozenset(seqs)


def _is_wanted(entry: Entry, wanted: Selection, superseded: frozenset[int]) -> bool:
    return (wanted.types is None or entry.type in wanted.types) and entry.id.seq not in superseded


def _etag(task_id: str, wanted: Selection, limit: int, last: EventId) -> str:
    """A sealed log never changes, so its end and the question name the answer."""
    question = f"{task_id} {wanted.after} {sorted(wanted.types or ())} {wanted.final} {limit} {last}"
    return f'"{hashlib.sha256(question.encode()).hexdigest()[:32]}"'
