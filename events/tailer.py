"""Tailer: one per process. Follows any number of tasks for any number of readers over two connections.

An append rings the task's bell. A rung bell leads to one non-blocking XREAD for all rung tasks; each entry is
encoded once and handed to every reader by a plain call. A bell is only a hint: all followed tasks are read
again every few seconds and after every reconnect, so a lost bell costs latency and never an event.

History and live are one loop over one store. A reader pages through history by itself until nothing more is
there, and joins the task's shared tail in the same step of the event loop, knowing exactly what it has.
"""

from __future__ import annotations

import asyncio
import time

from redis.asyncio import Redis

from events.background import stop
from events.bells import Bells
from events.connect import AWAY
from events.errors import LogExpired, TaskNotFound
from events.log import EventLog
from events.model import EventId
from events.position import PAGE, Gap, Located, Page, Stride, dense_part
from events.reads import Reads
from events.recent import Recent
from events.scripts import SETTLING_MS
from events.tail import Codec, Reader, Tail

RESYNC_SECONDS = 5.0
"""How often all followed tasks are read whether or not their bells rang."""

AWAY_SECONDS = 30.0
"""How long readers are kept while Redis is away."""

UNAVAILABLE = b": the log is unavailable, come back\n\n"


class Tailer:
    """Delivers logs to readers.

    Args:
        log: whose tasks to follow.
        redis: where the logs are and the bells ring; two more connections are made to it.
        codec: how entries look to the readers.
    """

    def __init__(self, log: EventLog, redis: Redis, codec: Codec) -> None:
        self._log = log
        self._keys = log.keys
        self._codec = codec
        self._tails: dict[str, Tail] = {}
        self._rung: set[str] = set()
        self._doubtful: set[str] = set()
        self._recent = Recent(log)
        self._reads = Reads(redis, log.keys)
        self._wake = asyncio.Event()
        self._bells = Bells(redis, self._rang, self._reconnected)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to deliver."""
        self._tasks = [
            asyncio.create_task(self._bells.run(), name="bells"),
            asyncio.create_task(self._pump(), name="tail-pump"),
            asyncio.create_task(self._resync(), name="tail-resync"),
        ]

    async def close(self) -> None:
        """Stop delivering. Readers are left as they are."""
        await stop(self._tasks)
        await self._recent.close()
        await self._reads.close()

    @property
    def settling(self) -> bool:
        """Whether Redis was away until just now: writers may be putting back what it lost, whole logs too."""
        return time.monotonic() - self._bells.renewed_at < SETTLING_MS / 1000

    @property
    def watched(self) -> int:
        """How many tasks are being followed."""
        return len(self._tails)

    async def locate(self, task_id: str, position: EventId) -> Located:
        """Find where a reader that has everything up to `position` goes on; raises as `EventLog.locate`."""
        return await self._recent.locate(task_id, position) or await self._log.locate(task_id, position)

    async def follow(self, task_id: str, position: EventId, reader: Reader) -> None:
        """Deliver everything after `position` to a reader, until it leaves.

        Sends history as fast as the reader takes it, and returns when nothing more is there. From then on it
        gets what comes by `push`, up to and including `end`.
        """
        tail = self._tails.setdefault(task_id, Tail(self._codec, position))
        tail.coming.add(reader)
        self._bells.listen(self._keys.bell(task_id))
        page, stride = self._recent.page(task_id, position), Stride()
        while True:
            page = page or await self._page(task_id, position, stride.count)
            if page is None:
                return reader.end(UNAVAILABLE)
            position = page.position
            if await self._take(task_id, tail, page, reader):
                return None
            stride.took(page.entries)
            page = None

    def leave(self, task_id: str, reader: Reader) -> None:
        """Deliver nothing more to that reader, wherever it is."""
        tail = self._tails.get(task_id)
        if tail is None:
            return
        tail.leave(reader)
        if tail.deserted:
            del self._tails[task_id]
            self._recent.forget(task_id)
            self._bells.ignore(self._keys.bell(task_id))

    async def _take(self, task_id: str, tail: Tail, page: Page, reader: Reader) -> bool:
        """Send a page; whether the reader needs no other one, since it ends, joined or is gone."""
        data = self._codec.notice(page.notice) if page.notice else self._codec.entries(page.entries)
        if reader.gone:
            return True
        if page.last:
            await reader.send(data)
            reader.end()
            return True
        first = not tail.joined
        if page.drained and tail.join(reader, page.position):
            if first:
                self._ring(task_id)  # bells that rang while nobody had joined were for nobody
            if data:
                reader.push(data)  # it joined before it has these: what is pushed later comes after them
            return True
        return bool(data) and not await reader.send(data)

    async def _page(self, task_id: str, position: EventId, count: int) -> Page | None:
        """The next page; None when Redis stays away, or the log has gone."""
        patience = time.monotonic() + AWAY_SECONDS
        while time.monotonic() < patience:
            try:
                return await self._log.page(task_id, position, count)
            except AWAY:
                await asyncio.sleep(0.2)
            except (TaskNotFound, LogExpired):
                return None
        return None

    def _rang(self, channel: str) -> None:
        self._ring(self._keys.task_of_bell(channel))

    def _ring(self, *task_ids: str) -> None:
        self._rung.update(task_ids)
        self._wake.set()

    def _reconnected(self) -> None:
        """Redis was away and may have come back with less: every position is in doubt."""
        self._recent.clear()
        self._doubtful.update(self._tails)
        self._ring(*self._tails)

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(RESYNC_SECONDS)
            self._recent.sweep(self._tails.keys())
            self._ring(*self._tails)

    async def _pump(self) -> None:
        away_since: float | None = None
        while True:
            await self._wake.wait()
            self._wake.clear()
            rung, self._rung = self._rung, set()
            try:
                await self._read(rung)
                away_since = None
            except AWAY:
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > AWAY_SECONDS:
                    self._give_up()
                self._recent.clear()
                self._doubtful.update(self._tails)
                await asyncio.sleep(0.2)
                self._ring(*rung, *self._tails)

    async def _read(self, rung: set[str]) -> None:
        tails = {task_id: self._tails[task_id] for task_id in rung & self._tails.keys()}
        for task_id in self._doubtful & tails.keys():
            await self._relocate(task_id, tails[task_id])
        positions = {task_id: tail.position for task_id, tail in tails.items() if tail.joined}
        replies = await self._reads.after(positions) if positions else {}
        for task_id, entries in replies.items():
            tail = tails[task_id]
            if tail.position != positions[task_id]:
                self._ring(task_id)  # all its readers left and others came while it was being read
                continue
            dense = dense_part(tail.position, entries)
            if dense:
                self._recent.add(task_id, dense)
                tail.deliver(dense)
            if len(dense) < len(entries):
                await self._relocate(task_id, tail)
            if len(dense) < len(entries) or len(entries) == PAGE:
                self._ring(task_id)

    async def _relocate(self, task_id: str, tail: Tail) -> None:
        """Check a tail's position against the log, and tell its readers if it doesn't hold any more."""
        before = tail.position
        try:
            located = await self._log.locate(task_id, before)
        except (TaskNotFound, LogExpired):
            return tail.end(UNAVAILABLE)
        notice = located.notice
        if isinstance(notice, Gap) and not notice.missing:
            notice = None  # what is lost is the very entry that all of them have
        if notice is not None and tail.position == before:
            self._recent.forget(task_id)
            tail.move(located.position, notice)
            if located.ended:
                tail.end()
        self._doubtful.discard(task_id)
        return None

    def _give_up(self) -> None:
        for tail in self._tails.values():
            tail.end(UNAVAILABLE)
