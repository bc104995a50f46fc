"""Tailer: one per process. Follows any number of tasks for any number of readers.

An append rings the task's bell. A rung bell leads to one non-blocking XREAD for all rung tasks of a server
(`events/pump`); each entry is encoded once and handed to every reader by a plain call. A bell is only a
hint: all followed tasks are read again every few seconds and after every reconnect, so a lost bell costs
latency and never an event. It takes one connection for the bells, and one to each server that has logs.

History and live are one loop over one store. A reader pages through history by itself until nothing more is
there, and joins the task's shared tail in the same step of the event loop, knowing exactly what it has.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

from redis.asyncio import Redis

from events import metrics, pump
from events.background import stop
from events.bells import Bells
from events.connect import AWAY
from events.errors import LogExpired, TaskNotFound
from events.log import EventLog
from events.model import EventId
from events.position import Located, Page, Stride
from events.pump import UNAVAILABLE, Pump
from events.recent import Recent
from events.routes import routes
from events.tail import Codec, Reader, Tail

RESYNC_SECONDS = 5.0
"""How often all followed tasks are read whether or not their bells rang, and their servers looked at."""


class Tailer:
    """Delivers logs to readers.

    Args:
        log: whose tasks to follow.
        redis: where the logs are and the bells ring; connections of its own are made to it.
        codec: how entries look to the readers.
    """

    def __init__(self, log: EventLog, redis: Redis, codec: Codec) -> None:
        self._log = log
        self._keys = log.keys
        self._codec = codec
        self._routes = routes(redis)
        self._version = -1
        self._pumps: dict[Redis, Pump] = {}
        self._pump_of: dict[str, Pump] = {}
        self._recent = Recent(log)
        self._bells = Bells(redis, self._rang)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to deliver, whether or not Redis is there."""
        with contextlib.suppress(*AWAY):
            await self._routes.ready()
        for node in self._routes.nodes():
            self._pump_at(node)
        for it in self._pumps.values():
            it.start()
        self._tasks = [
            asyncio.create_task(self._bells.run(), name="bells"),
            asyncio.create_task(self._resync(), name="tail-resync"),
        ]

    async def close(self) -> None:
        """Stop delivering. Readers are left as they are."""
        await stop(self._tasks)
        for it in self._pumps.values():
            await it.close()
        await self._recent.close()

    def settling(self, task_id: str) -> bool:
        """Whether its server was away until just now: writers may be putting back even whole logs."""
        return self._pump_for(task_id).settling

    @property
    def watched(self) -> int:
        """How many tasks are being followed."""
        return len(self._pump_of)

    async def locate(self, task_id: str, position: EventId) -> Located:
        """Find where a reader that has everything up to `position` goes on; raises as `EventLog.locate`."""
        return await self._recent.locate(task_id, position) or await self._log.locate(task_id, position)

    async def follow(self, task_id: str, position: EventId, reader: Reader) -> None:
        """Deliver everything after `position` to a reader, until it leaves.

        Sends history as fast as the reader takes it, and returns when nothing more is there. From then on it
        gets what comes by `push`, up to and including `end`.
        """
        tail = self._tail(task_id, position)
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
        reading = self._pump_of.get(task_id)
        if reading is None:
            return
        tail = reading.tails[task_id]
        tail.leave(reader)
        if tail.deserted:
            del self._pump_of[task_id], reading.tails[task_id]
            self._recent.forget(task_id)
            self._bells.ignore(self._keys.bell(task_id))

    async def _take(self, task_id: str, tail: Tail, page: Page, reader: Reader) -> bool:
        """Send a page; whether the reader needs no other one, since it ends, joined or is gone."""
        data = self._codec.notice(page.notice) if page.notice else self._codec.entries(page.entries)
        if reader.gone:
            return True
        metrics.caught_up(page)
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
        patience = time.monotonic() + pump.AWAY_SECONDS
        while time.monotonic() < patience:
            try:
                return await self._log.page(task_id, position, count)
            except AWAY:
                await asyncio.sleep(pump.RETRY_SECONDS)
            except (TaskNotFound, LogExpired):
                return None
        return None

    def _tail(self, task_id: str, position: EventId) -> Tail:
        """The tail of a task that is followed from now on, or was before."""
        reading = self._pump_of.get(task_id)
        if reading is None:
            reading = self._pump_of[task_id] = self._pump_for(task_id)
            reading.tails[task_id] = Tail(self._codec, position, history=reading.history)
        return reading.tails[task_id]

    def _rang(self, channel: str) -> None:
        self._ring(self._keys.task_of_bell(channel))

    def _ring(self, task_id: str) -> None:
        reading = self._pump_of.get(task_id)
        if reading is not None:
            reading.ring(task_id)

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(RESYNC_SECONDS)
            self._recent.sweep(self._pump_of.keys())
            await self._follow_routes()
            for it in self._pumps.values():
                it.look()

    async def _follow_routes(self) -> None:
        """Have each log read on the server that it lies on, and no server watched that has none any more."""
        if self._version == self._routes.version:
            return
        self._version = self._routes.version
        for task_id in self._pump_of:
            self._move(task_id)
        nodes = self._routes.nodes()
        for node in nodes:
            self._pump_at(node)
        for node in [node for node, it in self._pumps.items() if not it.tails and node not in nodes]:
            await self._pumps.pop(node).close()

    def _move(self, task_id: str) -> bool:
        """Have a followed log read on the server that it lies on now; whether that wasn't so."""
        before, now = self._pump_of.get(task_id), self._pump_for(task_id)
        if before in (None, now):
            return False
        self._recent.forget(task_id)
        self._pump_of[task_id] = now
        now.take(task_id, before.tails.pop(task_id))
        return True

    def _pump_for(self, task_id: str) -> Pump:
        return self._pump_at(self._routes.node(self._keys.log(task_id)))

    def _pump_at(self, node: Redis) -> Pump:
        found = self._pumps.get(node)
        if found is None:
            # A server that turns up later may have taken another one's place, and lack what that one had.
            started = bool(self._tasks)
            found = Pump(node, self._routes, self._log, self._recent, self._move, settling=started)
            self._pumps[node] = found
            if started:
                found.start()
        return found
