"""Leases: what a worker does to them after the claim, on connections of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, cast

from redis.asyncio import Redis

from events import scripts
from events.connect import AWAY, connect
from events.keys import Keys
from events.log import Claim
from events.model import now_ms
from events.routes import routes
from worker.watch import Watched

HELD = 1
"""The reply to a renewal as a rule."""

HELD_AND_CANCELLED = 2
"""The reply to a renewal when somebody wants the task cancelled."""


class Leases:
    """The leases that a worker holds. Made anywhere; used in one event loop.

    Args:
        url: of the log's Redis.
        keys: what they are called.
        lease_ms: how long a lease holds without renewal.
    """

    def __init__(self, url: str, keys: Keys, lease_ms: int) -> None:
        self._redis = connect(url, timeout=lease_ms / 2000)
        self._routes = routes(self._redis)
        self._keys = keys
        self._lease_ms = lease_ms
        self._renew = self._redis.register_script(scripts.RENEW)
        self._essential = self._redis.register_script(scripts.ESSENTIAL)
        self._release = self._redis.register_script(scripts.RELEASE)
        self._renewing: dict[str, asyncio.Event] = {}
        self._due: dict[str, int] = {}
        self._postponing: asyncio.Task[None] | None = None

    def by_server(self, kept: Iterable[Watched]) -> dict[Redis, list[Watched]]:
        """Which of them lie together."""
        found = dict[Redis, list[Watched]]()
        for watched in kept:
            found.setdefault(self._routes.node(self._keys.lease(watched.claim.task_id)), []).append(watched)
        return found

    async def renew(self, claim: Claim) -> int:
        """Renew a lease; 0 if another has it, 1 if it's held, 2 if besides the task is to be cancelled.

        Raises:
            redis.exceptions.RedisError: its server can't be reached.
        """
        if claim.owner in self._renewing:
            return HELD  # a round that began before its server was replaced is at it; what it hears counts
        keys = [self._keys.lease(claim.task_id), self._keys.task(claim.task_id)]
        args = [claim.owner, self._lease_ms, claim.started.attempt]
        done = self._renewing[claim.owner] = asyncio.Event()
        try:
            held = cast("int", await self._renew(keys=keys, args=args))
        finally:
            done.set()
            del self._renewing[claim.owner]
        if held:
            self._postpone(claim.task_id)
        return held

    async def release(self, claim: Claim) -> None:
        """Give a lease back, if it is still held; it must not be renewed from now on.

        Raises:
            redis.exceptions.RedisError: its server can't be reached.
        """
        if claim.owner in self._renewing:  # it would take the lease again, were it to come after this
            await self._renewing[claim.owner].wait()
        await self._release(keys=[self._keys.lease(claim.task_id)], args=[claim.owner])

    async def close(self) -> None:
        """Close all connections."""
        if self._postponing is not None:
            self._postponing.cancel()
            await asyncio.wait([self._postponing])
        await self._redis.aclose()

    def _postpone(self, task_id: str) -> None:
        """Put a task's deadline off, with others': they lie on another server, which holds up no renewal."""
        self._due[task_id] = now_ms() + self._lease_ms
        if self._postponing is None or self._postponing.done():
            self._postponing = asyncio.create_task(self._postpone_all(), name="deadlines")

    async def _postpone_all(self) -> None:
        while self._due:
            due, self._due = self._due, {}
            words: list[Any] = [word for task_id, at in due.items() for word in (at, task_id)]
            try:
                await self._essential(keys=[self._keys.deadlines], args=["ZADD", "XX", *words])
            except AWAY:
                return  # a sweeper that finds it overdue sees that the lease is held
