"""LeaseKeeper: renews this worker's leases from a thread of its own.

A graph may block the event loop for longer than a lease; the thread keeps the lease all the same. It alone
touches the leases after the claim, so a renewal can never follow a release. What the loop must do and can't,
since a node blocks it, the thread does in its place: it ends tasks that are cancelled or have run too long.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from redis.asyncio import Redis
from redis.exceptions import RedisError

from events.background import stop
from events.errors import TaskreelError
from events.log import Claim
from events.tracing import told
from worker import metrics
from worker.abandonment import Abandonment
from worker.execution import Stop
from worker.renewal import HELD_AND_CANCELLED, Leases
from worker.watch import Pulse, Watched

log = logging.getLogger(__name__)

RENEWALS = 3.3
"""Renewals in the time of a lease: two may be lost and it still holds."""

RENEW_SECONDS = 3.0
"""The longest time between two renewals, each of which also tells of a cancellation."""

LOOK_SECONDS = 1.0
"""The longest time between two looks at what is overdue."""


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
        self._leases = Leases(abandonment.url, abandonment.keys, self.lease_ms)
        self._kept: dict[str, Watched] = {}
        self._rounds: dict[Redis, asyncio.Task[None]] = {}
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._ended: Future[None] = Future()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        """Begin to renew, and to watch the running event loop."""
        self._pulse = Pulse(asyncio.get_running_loop())
        self._thread.start()

    async def close(self) -> None:
        """Stop; leases that are still kept run out by themselves."""
        self._closed = True
        self._loop.call_soon_threadsafe(self._closing.set)
        await asyncio.wrap_future(self._ended)

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
        if not self._closed:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._let_go(claim), self._loop))

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._watch())
        self._ended.set_result(None)

    async def _watch(self) -> None:
        renew_at = time.monotonic() + self._interval
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(self._interval, LOOK_SECONDS)):
                    await self._closing.wait()
            self._pulse.feel(self._kept)
            if time.monotonic() >= renew_at:
                renew_at = time.monotonic() + self._interval
                self._begin_rounds()
            self._end_overdue()
        await stop(self._rounds.values())
        await self._leases.close()

    def _begin_rounds(self) -> None:
        """Renew all leases, those of each server by themselves: one that is away holds up no other's."""
        for server, kept in self._leases.by_server(self._kept.values()).items():
            last = self._rounds.get(server)
            if last is None or last.done():
                self._rounds[server] = asyncio.create_task(self._renew_all(kept), name="renewals")

    async def _renew_all(self, kept: Sequence[Watched]) -> None:
        for watched in kept:
            if self._kept.get(watched.claim.task_id) is not watched:
                continue
            try:
                held = await self._leases.renew(watched.claim)
            except (RedisError, OSError) as error:
                metrics.RENEWALS_FAILED.inc()
                log.warning("leases cannot be renewed: %s", error)
                return
            if not held:
                self._drop(watched)
            elif held == HELD_AND_CANCELLED and watched.cancelled is None:
                watched.cancelled = time.monotonic()
                self._tell(watched, Stop.CANCEL)

    def _end_overdue(self) -> None:
        for watched in list(self._kept.values()):
            why = watched.overdue(self._stop_seconds)
            if why is not None:
                _log(logging.ERROR, watched.claim, f"task %s is ended ({why.name}) while its node goes on")
                self._forget(watched.claim)
                arguments = (watched, why)  # a thread of its own: other leases must be renewed meanwhile
                threading.Thread(target=self._end, args=arguments, name="abandonment", daemon=True).start()

    def _end(self, watched: Watched, why: Stop) -> None:
        claim = watched.claim
        try:
            self._abandonment.end(claim, why)
        except (RedisError, OSError) as error:
            _log(logging.WARNING, claim, "task %s cannot be ended now: %s", error)
            self._kept.setdefault(claim.task_id, watched)
            return
        except TaskreelError as error:
            _log(logging.WARNING, claim, "task %s was ended by others: %s", error)
        self._tell(watched, Stop.LOST)

    def _drop(self, watched: Watched) -> None:
        metrics.LEASES_LOST.inc()
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

    async def _let_go(self, claim: Claim) -> None:
        """A renewal that is under way would take the lease again if it came after this."""
        self._forget(claim)
        try:
            await self._leases.release(claim)
        except (RedisError, OSError) as error:
            _log(logging.WARNING, claim, "the lease of task %s runs out by itself: %s", error)


def _log(level: int, claim: Claim, message: str, *more: object) -> None:
    """The thread knows no context, so the line's fields come from the claim."""
    about = {"task": claim.task_id, "attempt": claim.started.attempt, **told(claim.fields)}
    log.log(level, message, claim.task_id, *more, extra=about)
