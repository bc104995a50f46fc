"""LeaseKeeper: renews this worker's leases from a thread of its own.

A graph may block the event loop for longer than a lease; the thread keeps the lease all the same. It alone
touches the leases after the claim, so a renewal can never follow a release. What the loop must do and can't,
since a node blocks it, the thread does in its place: it ends tasks that are cancelled or have run too long.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from events import scripts
from events.errors import TaskreelError
from events.log import Claim
from events.model import now_ms
from worker.abandonment import Abandonment
from worker.execution import Stop
from worker.watch import Pulse, Watched

log = logging.getLogger(__name__)

RENEWALS = 3.3
"""Renewals in the time of a lease: two may be lost and it still holds."""

RENEW_SECONDS = 3.0
"""The longest time between two renewals, each of which also tells of a cancellation."""

LOOK_SECONDS = 1.0
"""The longest time between two looks at what is overdue."""

HELD_AND_CANCELLED = 2
"""The reply to a renewal when somebody wants the task cancelled."""


class LeaseKeeper:
    """Keeps leases alive, and tells who has lost one or is to be cancelled.

    Args:
        abandonment: what ends a task in place of a blocked loop, and where leases are.
        lease_seconds: how long a lease holds without renewal.
        stop_seconds: how long a node may ignore its cancellation.
    """

    def __init__(self, abandonment: Abandonment, lease_seconds: float, stop_seconds: float) -> None:
        self.lease_ms = round(lease_seconds * 1000)
        self._interval = min(lease_seconds / RENEWALS, RENEW_SECONDS)
        self._stop_seconds = stop_seconds
        self._abandonment = abandonment
        self._keys = abandonment.keys
        self._redis = Redis.from_url(
            abandonment.url, socket_timeout=lease_seconds / 2, socket_connect_timeout=2
        )
        self._renew = self._redis.register_script(scripts.RENEW)
        self._release = self._redis.register_script(scripts.RELEASE)
        self._kept: dict[str, Watched] = {}
        self._releases: queue.SimpleQueue[tuple[Claim, Future[None]] | None] = queue.SimpleQueue()
        self._ended: Future[None] = Future()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        """Begin to renew, and to watch the running event loop."""
        self._pulse = Pulse(asyncio.get_running_loop())
        self._look_at = self._renew_at = time.monotonic() + min(self._interval, LOOK_SECONDS)
        self._thread.start()

    async def close(self) -> None:
        """Stop; leases that are still kept run out by themselves."""
        self._closed = True
        self._releases.put(None)
        await asyncio.wrap_future(self._ended)
        self._redis.close()

    def keep(self, claim: Claim, stop: Callable[[Stop], None], limit_seconds: float) -> None:
        """Renew a claim's lease from now on.

        Args:
            claim: whose.
            stop: called in the loop once another owns the lease, or the task is to be cancelled.
            limit_seconds: how long the task may run from now on.
        """
        self._kept[claim.task_id] = Watched(claim, stop, time.monotonic() + limit_seconds)

    async def release(self, claim: Claim) -> None:
        """Give a lease back, if it is still ours; once all is closed it runs out by itself."""
        if self._closed:
            return
        done: Future[None] = Future()
        self._releases.put((claim, done))
        await asyncio.wrap_future(done)

    def _run(self) -> None:
        while True:
            self._do_what_is_due()
            try:
                request = self._releases.get(timeout=max(0.0, self._look_at - time.monotonic()))
            except queue.Empty:
                continue
            if request is None:
                self._ended.set_result(None)
                return
            self._let_go(*request)

    def _do_what_is_due(self) -> None:
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + min(self._interval, LOOK_SECONDS)
        self._pulse.feel(self._kept)
        if now >= self._renew_at:
            self._renew_at = now + self._interval
            self._renew_all()
        self._end_overdue()

    def _renew_all(self) -> None:
        for watched in list(self._kept.values()):
            try:
                held = self._renew_one(watched.claim)
            except (RedisError, OSError) as error:
                log.warning("leases cannot be renewed: %s", error)
                return
            if not held:
                self._drop(watched)
            elif held == HELD_AND_CANCELLED and watched.cancelled is None:
                watched.cancelled = time.monotonic()
                self._tell(watched, Stop.CANCEL)

    def _renew_one(self, claim: Claim) -> int:
        keys = [self._keys.lease(claim.task_id), self._keys.task(claim.task_id)]
        held = cast("int", self._renew(keys=keys, args=[claim.owner, self.lease_ms, claim.started.attempt]))
        if held:
            deadline = now_ms() + self.lease_ms
            self._redis.zadd(self._keys.deadlines, {claim.task_id: deadline}, xx=True)
        return held

    def _end_overdue(self) -> None:
        for watched in list(self._kept.values()):
            why = watched.overdue(self._stop_seconds)
            if why is not None:
                log.error("task %s is ended (%s) while its node goes on", watched.claim.task_id, why.name)
                self._forget(watched.claim)
                arguments = (watched, why)  # a thread of its own: other leases must be renewed meanwhile
                threading.Thread(target=self._end, args=arguments, name="abandonment", daemon=True).start()

    def _end(self, watched: Watched, why: Stop) -> None:
        claim = watched.claim
        try:
            self._abandonment.end(claim, why)
        except (RedisError, OSError) as error:
            log.warning("task %s cannot be ended now: %s", claim.task_id, error)
            self._kept.setdefault(claim.task_id, watched)
            return
        except TaskreelError as error:
            log.warning("task %s was ended by others: %s", claim.task_id, error)
        self._tell(watched, Stop.LOST)

    def _drop(self, watched: Watched) -> None:
        self._forget(watched.claim)
        self._tell(watched, Stop.LOST)

    def _forget(self, claim: Claim) -> None:
        """A later claim of this worker's on the same task stays."""
        watched = self._kept.get(claim.task_id)
        if watched is not None and watched.claim.owner == claim.owner:
            del self._kept[claim.task_id]

    def _tell(self, watched: Watched, why: Stop) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            self._pulse.loop.call_soon_threadsafe(watched.stop, why)

    def _let_go(self, claim: Claim, done: Future[None]) -> None:
        self._forget(claim)
        try:
            self._release(keys=[self._keys.lease(claim.task_id)], args=[claim.owner])
        except RedisError as error:
            log.warning("the lease of task %s runs out by itself: %s", claim.task_id, error)
        finally:
            done.set_result(None)
