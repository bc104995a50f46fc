"""The last entries of logs that readers come to just now, so that many who come at once share one read.

After a pod or a network has failed, thousands of clients come back within a second, each with a cursor a few
entries old. The first one to a task has its end read; where the others go on is found here, without Redis.
What is kept holds nothing that the log didn't hold at that moment, and is only ever followed by the log: what
came later is read after it. It is forgotten within seconds of the last reader's coming.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from events.background import stop
from events.log import EventLog
from events.model import START, SUBMITTED_ID, Entry, EventId
from events.position import Located, Page, Stride, is_dense

ENTRIES = 128
"""How many entries of a log's end are read: a client that was away for a moment lacks fewer."""

MAX_BYTES = 32 * 1024 * 1024
"""What may be kept for all logs together; beyond it all is forgotten, and read again when it's asked for."""


class _End:
    __slots__ = ("entries", "size", "used")

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = list[Entry]()
        self.size = 0
        self.used = True
        self.add(entries)

    def add(self, entries: Sequence[Entry]) -> None:
        self.entries += entries
        self.size += sum([len(entry.document) for entry in entries])
        if len(self.entries) > 2 * ENTRIES or self.size > Stride.PAGE_BYTES:
            self._shorten()

    def _shorten(self) -> None:
        """Keep the last entries that make up no more than a page, but one at least."""
        kept, size = 0, 0
        for entry in reversed(self.entries[-ENTRIES:]):
            size += len(entry.document)
            if kept and size > Stride.PAGE_BYTES:
                size -= len(entry.document)
                break
            kept += 1
        del self.entries[:-kept]
        self.size = size

    def after(self, position: EventId) -> list[Entry] | None:
        """The entries after a position; None if it isn't that of an entry here, nor just before the log."""
        first = self.entries[0].id
        place = position.seq - first.seq
        if 0 <= place < len(self.entries):
            known = self.entries[place].id == position
        else:
            known = position == START and first == SUBMITTED_ID
        return self.entries[place + 1 :] if known else None


class Recent:
    """The ends of some logs.

    Args:
        log: where to read them.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._ends: dict[str, _End] = {}
        self._size = 0
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._arrived: dict[str, list[Entry]] = {}

    async def locate(self, task_id: str, position: EventId) -> Located | None:
        """Where a reader at a position goes on, if that is near the end; None if the log must be asked.

        However many ask at once, a log is read once. Raises what a read raises.
        """
        if task_id not in self._ends:
            await self._read_once(task_id)
        rest = self._after(task_id, position)
        if rest is None:
            return None
        return Located(position, ended=not rest and self._ends[task_id].entries[-1].terminal)

    def page(self, task_id: str, position: EventId) -> Page | None:
        """What a reader at a position gets next, as `EventLog.page` has it; None if that isn't known here."""
        rest = self._after(task_id, position)
        if rest is None:
            return None
        return Page(rest, rest[-1].id if rest else position, drained=True)

    def add(self, task_id: str, entries: Sequence[Entry]) -> None:
        """Take note of what comes next in a log, if its end is kept."""
        if task_id in self._arrived:
            self._arrived[task_id] += entries
        end = self._ends.get(task_id)
        if end is None:
            return
        if entries[0].id.seq != end.entries[-1].id.seq + 1:
            self.forget(task_id)  # nobody followed the log for a while
        else:
            before = end.size
            end.add(entries)
            self._size += end.size - before

    def forget(self, task_id: str) -> None:
        """Nothing that was read of that log counts any more."""
        self._arrived.pop(task_id, None)
        end = self._ends.pop(task_id, None)
        if end is not None:
            self._size -= end.size

    async def close(self) -> None:
        """Stop reading."""
        await stop(self._reading.values())

    def clear(self) -> None:
        """Nothing counts any more: Redis may have lost some of it."""
        self._ends.clear()
        self._arrived.clear()
        self._size = 0

    def sweep(self, followed: Collection[str]) -> None:
        """Forget what nobody has asked for since the last time, and what isn't followed."""
        for task_id, end in list(self._ends.items()):
            if not end.used or task_id not in followed:
                self.forget(task_id)
            end.used = False

    def _after(self, task_id: str, position: EventId) -> list[Entry] | None:
        end = self._ends.get(task_id)
        if end is None:
            return None
        end.used = True
        return end.after(position)

    async def _read_once(self, task_id: str) -> None:
        reading = self._reading.get(task_id)
        if reading is None:
            reading = self._reading[task_id] = asyncio.create_task(self._read(task_id), name="recent")
            reading.add_done_callback(lambda _: self._reading.pop(task_id, None))
        await asyncio.shield(reading)

    async def _read(self, task_id: str) -> None:
        self._arrived[task_id] = []
        try:
            entries = (await self._log.last(task_id, ENTRIES))[::-1]
        finally:
            arrived = self._arrived.pop(task_id, None)
        if arrived is None:
            return  # it was forgotten meanwhile, and may have been read before that
        if arrived:
            entries = [entry for entry in entries if entry.id.seq < arrived[0].id.seq] + arrived
        if entries and is_dense(EventId(0, entries[0].id.seq - 1), entries):
            self._keep(task_id, _End(entries))

    def _keep(self, task_id: str, end: _End) -> None:
        self.forget(task_id)
        if self._size + end.size > MAX_BYTES:
            self.clear()
        self._ends[task_id] = end
        self._size += end.size
