"""Pump: the shared reading of the logs that lie on one server.

A rung task leads to one read for all who follow it, together with all others that have rung meanwhile. Each
tail knows in which history its position was last right. Wherever another one may have taken its place (the
connection was lost, a replica was promoted, the log lies on another server now), the position is looked up,
and readers are told what they have that the log has not.

What keeps one log from being read keeps no other one waiting.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence

from redis.asyncio import Redis
from redis.exceptions import AskError, RedisError, TryAgainError

from events.background import stop
from events.errors import LogExpired, TaskNotFound
from events.log import EventLog
from events.model import Entry, EventId
from events.position import PAGE, Gap, dense_part
from events.reads import Reads
from events.recent import Recent
from events.routes import Routes
from events.scripts import SETTLING_MS
from events.tail import Tail

log = logging.getLogger(__name__)

AWAY_SECONDS = 30.0
"""How long readers are kept while their log can't be read."""

RETRY_SECONDS = 0.2
"""How soon what couldn't be read is tried again."""

UNAVAILABLE = b": the log is unavailable, come back\n\n"


class Pump:
    """Reads for the tails of one server.

    Args:
        node: the server.
        routes: to be told what the server refuses.
        log: looks up positions, and reads what another server has to be asked for.
        recent: what it must not keep once the server's history may have changed.
        move: has a tail go to another pump if its log lies on another server now; says whether it does.
        settling: whether writers may be putting back what the server lacks, from the beginning.

    Attributes:
        tails: those of the logs that lie on the server, by task.
    """

    def __init__(
        self,
        node: Redis,
        routes: Routes,
        log: EventLog,
        recent: Recent,
        move: Callable[[str], bool],
        *,
        settling: bool,
    ) -> None:
        self.tails: dict[str, Tail] = {}
        self._routes = routes
        self._log = log
        self._recent = recent
        self._move = move
        self._reads = Reads(node, routes, log.keys, self._lost)
        self._history: object = None
        self._settles_at = math.inf if settling else -math.inf
        self._rung: set[str] = set()
        self._looks = False
        self._troubled = False
        self._wake = asyncio.Event()
        self._wake.set()  # it connects though nothing has rung, so as to notice when its server fails
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to read."""
        self._tasks = [asyncio.create_task(self._run(), name="tail-pump")]

    async def close(self) -> None:
        """Stop reading."""
        await stop(self._tasks)
        await self._reads.close()

    @property
    def settling(self) -> bool:
        """Whether the server was away until just now, or is new: writers may be putting back its loss."""
        return time.monotonic() < self._settles_at

    @property
    def history(self) -> object:
        """Which history is being read: that object's or, once it's another object, another one."""
        return self._history

    def ring(self, *task_ids: str) -> None:
        """Have those read."""
        self._rung.update(task_ids)
        self._wake.set()

    def look(self) -> None:
        """Have all tails read, and the server looked at."""
        self._looks = True
        self.ring(*self.tails)

    def take(self, task_id: str, tail: Tail) -> None:
        """Read for a tail from now on."""
        self.tails[task_id] = tail
        self.ring(task_id)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            rung, self._rung = self._rung, set()
            try:
                await self._read(rung)
                self._tell(None)
            except (RedisError, OSError) as error:
                self._tell(error)
                if not self._reads.connected:
                    self._lost()
                await self._routes.heed(error)
                self._put_off(list(self.tails), error)
                await asyncio.sleep(RETRY_SECONDS)

    def _tell(self, trouble: Exception | None) -> None:
        if trouble is not None and not self._troubled:
            log.warning("logs can't be read, and are tried again until they can: %s", trouble)
        elif trouble is None and self._troubled:
            log.info("logs can be read again")
        self._troubled = trouble is not None

    def _lost(self) -> None:
        """The server was away, and may come back with less, or another one in its place."""
        self._settles_at = math.inf
        self._recent.clear()
        self.ring(*self.tails)

    async def _read(self, rung: set[str]) -> None:
        await self._connect()
        tails = {task_id: self.tails[task_id] for task_id in rung & self.tails.keys()}
        for task_id, tail in tails.items():
            if tail.history is not self._history and tail.joined:
                await self._relocate(task_id, tail)
        positions = {task_id: tail.position for task_id, tail in tails.items() if tail.joined}
        if not positions:
            return
        found, refused = await self._reads.after(positions)
        for task_id, entries in found.items():
            await self._hand_on(task_id, tails[task_id], positions[task_id], entries)
        for task_id in positions.keys() - refused.keys():
            tails[task_id].away_since = None
        if refused:
            await self._heed(refused)

    async def _connect(self) -> None:
        await self._reads.open()
        if self._looks:
            self._looks = False
            await self._reads.look()
        if self._history is not self._reads.history:
            if self._history is not None or self._settles_at == math.inf:
                self._settles_at = time.monotonic() + SETTLING_MS / 1000
            self._recent.clear()
            self._history = self._reads.history
            self.ring(*self.tails)

    async def _hand_on(self, task_id: str, tail: Tail, asked: EventId, entries: list[Entry]) -> None:
        if tail.position != asked or self.tails.get(task_id) is not tail:
            self.ring(task_id)  # all its readers left and others came while it was being read
            return
        dense = dense_part(asked, entries)
        if dense:
            self._recent.add(task_id, dense)
            tail.deliver(dense)
        if len(dense) < len(entries):
            await self._relocate(task_id, tail)
        if len(dense) < len(entries) or len(entries) == PAGE:
            self.ring(task_id)

    async def _relocate(self, task_id: str, tail: Tail) -> None:
        """Check a tail's position against the log, and tell its readers if it doesn't hold any more."""
        before, history = tail.position, self._history
        try:
            located = await self._log.locate(task_id, before)
        except (TaskNotFound, LogExpired):
            return tail.end(UNAVAILABLE)
        if tail.position != before:
            return self.ring(task_id)
        tail.history = history
        notice = located.notice
        if isinstance(notice, Gap) and not notice.missing:
            notice = None  # what is lost is the very entry that all of them have
        if notice is not None:
            self._recent.forget(task_id)
            tail.move(located.position, notice)
            if located.ended:
                tail.end()
        return None

    async def _heed(self, refused: Mapping[str, Exception]) -> None:
        """Have logs read where they lie now; and others, which nobody can read just now, a little later."""
        later = dict[str, Exception]()
        for task_id, error in refused.items():
            if isinstance(error, AskError | TryAgainError):  # MOVED is an AskError
                await self._routes.heed(error)
                if not self._move(task_id):
                    await self._read_apart(task_id)
            else:
                later[task_id] = error
        if later:
            error = next(iter(later.values()))
            await self._routes.heed(error)
            self._put_off(list(later), error)

    async def _read_apart(self, task_id: str) -> None:
        """Read a log that is on its way to another server as its history is read: the client follows it."""
        tail = self.tails.get(task_id)
        if tail is None:
            return
        asked = tail.position
        try:
            entries = await self._log.read(task_id, asked)
        except (RedisError, OSError) as error:
            return self._put_off([task_id], error)
        tail.away_since = None
        if entries:
            await self._hand_on(task_id, tail, asked, entries)

    def _put_off(self, task_ids: Sequence[str], error: Exception) -> None:
        """Try again soon to read logs; but their readers needn't wait for ever."""
        now = time.monotonic()
        for task_id in task_ids:
            tail = self.tails.get(task_id)
            if tail is None or self._move(task_id):
                continue
            tail.away_since = tail.away_since or now
            if now - tail.away_since > AWAY_SECONDS:
                log.warning("the log of task %s can't be read, its readers are sent home: %s", task_id, error)
                tail.end(UNAVAILABLE)
        asyncio.get_running_loop().call_later(RETRY_SECONDS, self.ring, *task_ids)
