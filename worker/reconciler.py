"""Reconciler: has sweepers look after every unfinished log, whatever has become of its deadline.

On a Cluster the deadlines lie on one server and the logs on all. A replica that takes over from that server
may lack the newest deadlines, while the tasks' logs are all there; if a worker or a dispatch is lost as well,
nobody would look after those tasks. So once the deadlines have another history of writes, some worker goes
through all logs and makes the unfinished ones due that have no deadline, and lists them. It does so once an
hour in any case.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from events import scripts
from events.connect import RedisError
from events.tasks import TaskStore

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
"""How often the history of the deadlines is looked at."""

TAKEN_MS = 20_000
"""How long others leave a search to the worker that has taken it, unless that says that it goes on."""

GOES_ON_SECONDS = 5.0
"""How often it says so."""

ANEW_MS = 3_600_000
"""When a history's search is made once more, for what came about while it was made."""

PAGE = 500
"""Tasks that are looked at together."""

_TAKE = (
    scripts.ALLOW_OOM
    + scripts.SERVER
    + """
-- KEYS: reconciled  ARGV: for how long (ms).  The history to reconcile; nil if that is done, or another's.
local history = server() or 'unknown'
if redis.call('GET', KEYS[1]) == history then return nil end
redis.call('SET', KEYS[1], history, 'PX', ARGV[1])
return history
"""
)

_KEEP = """
-- KEYS: reconciled  ARGV: history, for how long (ms).
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
"""


class Reconciler:
    """One per worker; that several search at once does no harm.

    Args:
        tasks: all tasks.
    """

    def __init__(self, tasks: TaskStore) -> None:
        self._tasks = tasks
        self._redis: Any = tasks.log.redis
        self._keys = tasks.log.keys
        self._take = self._redis.register_script(_TAKE)
        self._keep = self._redis.register_script(_KEEP)
        self._history: Any = None
        self._kept_at = 0.0

    async def run(self) -> None:
        """Reconcile whenever that is due, until cancelled."""
        while True:
            try:
                await self.look()
            except (RedisError, OSError) as error:  # nothing else of the worker's depends on it
                log.warning("deadlines cannot be reconciled now: %s", error)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> bool:
        """Reconcile if that is due, or was begun and broken off; gives whether it was.

        Raises:
            redis.exceptions.RedisError: it is to be tried again.
        """
        if self._history is None:
            self._history = await self._take(keys=[self._keys.reconciled], args=[TAKEN_MS])
        if self._history is None:
            return False
        put_back = await self._search()
        await self._say(ANEW_MS)
        self._history = None
        if put_back:
            log.info("%d tasks had no deadline, and are due now", put_back)
        return True

    async def _search(self) -> int:
        put_back, page = 0, list[str]()
        async for name in self._redis.scan_iter(match=self._keys.every_log, count=1000):
            task_id = self._keys.task_of_log(name)
            if task_id is not None:
                page.append(task_id)
            if len(page) == PAGE:
                put_back += await self._tasks.reconcile(page)
                page.clear()
            if time.monotonic() >= self._kept_at + GOES_ON_SECONDS:
                await self._say(TAKEN_MS)
        return put_back + await self._tasks.reconcile(page)

    async def _say(self, ms: int) -> None:
        self._kept_at = time.monotonic()
        await self._keep(keys=[self._keys.reconciled], args=[self._history, ms])
