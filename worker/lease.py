"""LeaseKeeper: renews this worker's leases from a thread of its own.

A graph may block the event loop for longer than a lease; the thread keeps the lease all the same. It alone
touches the leases after the claim, so a renewal can never follow a release.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError

from events import scripts
from events.connect import AWAY
from events.keys import Keys
from events.log import Claim
from events.model import now_ms

log = logging.getLogger(__name__)

RENEWALS = 3.3
"""Renewals in the time of a lease: two may be lost and it still holds."""


@dataclass(frozen=True, slots=True)
class _Kept:
    claim: Claim
    loop: asyncio.AbstractEventLoop
    lost: Callable[[], None]


class LeaseKeeper:
    """Keeps leases alive, and tells who has lost one.

    Args:
        url: of the log's Redis.
        keys: where leases and deadlines are.
        lease_seconds: how long a lease holds without renewal.
    """

    def __init__(self, url: str, keys: Keys, lease_seconds: float) -> None:
        self.lease_ms = round(lease_seconds * 1000)
        self._interval = lease_seconds / RENEWALS
        self._keys = keys
        self._redis = Redis.from_url(url, socket_timeout=lease_seconds / 2, socket_connect_timeout=2)
        self._renew = self._redis.register_script(scripts.RENEW)
        self._release = self._redis.register_script(scripts.RELEASE)
        self._kept: dict[str, _Kept] = {}
        self._releases: queue.SimpleQueue[tuple[Claim, Future[None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        """Begin to renew."""
        self._thread.start()

    async def close(self) -> None:
        """Stop; leases that are still kept run out by themselves."""
        self._releases.put(None)
        await asyncio.to_thread(self._thread.join)
        self._redis.close()

    def keep(self, claim: Claim, lost: Callable[[], None]) -> None:
        """Renew a claim's lease from now on; `lost` is called in this loop once another owns it."""
        self._kept[claim.task_id] = _Kept(claim, asyncio.get_running_loop(), lost)

    async def release(self, claim: Claim) -> None:
        """Give a lease back, if it is still ours."""
        done: Future[None] = Future()
        self._releases.put((claim, done))
        await asyncio.wrap_future(done)

    def _run(self) -> None:
        due = time.monotonic() + self._interval
        while True:
            try:
                request = self._releases.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                self._renew_all()
                due = time.monotonic() + self._interval
                continue
            if request is None:
                return
            self._let_go(*request)

    def _renew_all(self) -> None:
        for kept in list(self._kept.values()):
            try:
                if not self._renew_one(kept.claim):
                    self._kept.pop(kept.claim.task_id, None)
                    kept.loop.call_soon_threadsafe(kept.lost)
            except AWAY as error:
                log.warning("leases cannot be renewed: %s", error)
                return

    def _renew_one(self, claim: Claim) -> bool:
        keys = [self._keys.lease(claim.task_id), self._keys.task(claim.task_id)]
        held = self._renew(keys=keys, args=[claim.owner, self.lease_ms, claim.started.attempt])
        if held:
            deadline = now_ms() + self.lease_ms
            self._redis.zadd(self._keys.deadlines, {claim.task_id: deadline}, xx=True)
        return bool(held)

    def _let_go(self, claim: Claim, done: Future[None]) -> None:
        self._kept.pop(claim.task_id, None)
        try:
            self._release(keys=[self._keys.lease(claim.task_id)], args=[claim.owner])
        except RedisError as error:
            log.warning("the lease of task %s runs out by itself: %s", claim.task_id, error)
        finally:
            done.set_result(None)
