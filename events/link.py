"""Link: a courier's one connection to its server, and what must hold before anything is written on it.

A Redis that restarts may have lost its last second, claims among it; a replica that takes over may lack as
much. So entries are remembered until they must be on its disk, and what comes first on any connection but the
one that has acknowledged them is to see that they're there: no entry can follow a loss unseen. WAITAOF would
tell when they are, but from Redis 7.4 on, and in Valkey, it answers before an everysec disk has anything
(https://github.com/redis/redis/issues/13793). So time has to do.

A server may also have been a replica for a while, with the connection up all along: the id of what it
replicates tells, for it's another one after each promotion.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.exceptions import ReadOnlyError, ResponseError

from events.cargo import Cargo, Parcel
from events.connect import NOT_THERE, UNSAFE_SECONDS, sibling
from events.durability import PAUSE_SECONDS, Durability
from events.keys import Keys
from events.log import Claim
from events.restoring import put_right
from events.routes import Routes
from events.servers.connections import exchange
from events.servers.history import history_of
from events.servers.refusals import REFUSED
from events.writer import AttemptWriter, Write

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
"""How often the connection is looked at while something is unsafe and nothing is written."""


class Office(Protocol):
    """What couriers have in common."""

    @property
    def keys(self) -> Keys:
        """Where logs are."""
        ...

    @property
    def routes(self) -> Routes:
        """Which server has which."""
        ...

    @property
    def durability(self) -> Durability:
        """What milestones wait for."""
        ...

    def move(self, parcel: Parcel, node: Redis, *, asking: bool) -> None:
        """Hand a writer to that server's courier."""
        ...

    def restored(self, claims: Sequence[Claim]) -> None:
        """Take note that a server had lost entries of those tasks, and has them again."""
        ...


class Link:
    """A connection, made when it's needed.

    Args:
        node: a client of the server.
        office: what all couriers have.
        cargo: what the courier has of its writers.
        wake: set when the courier should look at its cargo.

    Attributes:
        doubted: whether something went wrong, so that other servers may have some of the logs.
    """

    def __init__(self, node: Redis, office: Office, cargo: Cargo, wake: asyncio.Event) -> None:
        self.doubted = False
        self._redis: Any = sibling(node, self._greet)
        self._office = office
        self._cargo = cargo
        self._wake = wake
        self._unsafe = asyncio.Event()
        self._history: bytes | None = None
        self._copied = 0.0
        self._count_at = 0.0
        self._short = False
        self._uncounted = False

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncGenerator[tuple[Any, dict[AttemptWriter, Exception]]]:
        """The connection of redis-py's, and of which writers the server takes nothing just then, and why.

        Raises:
            redis.exceptions.ConnectionError, redis.exceptions.TimeoutError: the server can't be reached.
        """
        pool = self._redis.connection_pool
        connection = await pool.get_connection()
        try:
            yield connection, await self._meet(connection)
        finally:
            await pool.release(connection)

    def acknowledged(self, written: Sequence[Write]) -> None:
        """Remember what the server has had."""
        self._cargo.unconfirmed.add(written)
        self._unsafe.set()

    async def close(self) -> None:
        """Close it."""
        await self._redis.aclose()

    async def watch(self) -> None:
        """As long as Redis may lose something, see that the connection is the one it was written on."""
        while True:
            await self._unsafe.wait()
            while self._cargo.unconfirmed:
                try:
                    await self._look()
                except NOT_THERE as error:
                    await self._office.routes.heed(error)
                    self.doubted = True
                    self._wake.set()
                await asyncio.sleep(LOOK_SECONDS)
            self._unsafe.clear()

    async def _look(self) -> None:
        looked, history = time.monotonic(), self._history
        async with self.connection() as (connection, _):
            if await _history(connection) != self._history:
                await connection.disconnect(nowait=True)
                raise ReadOnlyError("the server was a replica, or is one")
        if history != self._history:
            return  # the connection is a new one
        safe = looked - UNSAFE_SECONDS
        if self._office.durability:
            safe = min(safe, self._copied)
            self._uncounted = True
            self._wake.set()
        self._cargo.unconfirmed.confirm(safe)

    async def _greet(self, connection: Any) -> None:
        """See, before anything else, that the server has what any has acknowledged."""
        self._cargo.estrange()
        self._history = await _history(connection)
        await self._meet(connection)

    async def _meet(self, connection: Any) -> dict[AttemptWriter, Exception]:
        """See that the server has what strangers have written; gives whom it refuses, and why."""
        refused, lost = dict[AttemptWriter, Exception](), list[Claim]()
        if not (strangers := self._cargo.waiting):
            return refused
        remembered = self._cargo.remembered(strangers)
        look = not self._office.durability  # WAIT is about what this very connection has written
        outcomes = await put_right(connection, self._office.keys, remembered, look=look)
        for it, outcome in zip(remembered, outcomes, strict=True):
            if isinstance(outcome, REFUSED):
                refused[it.writer] = outcome
            elif isinstance(outcome, Exception):
                it.writer.fail(outcome)
            elif outcome:
                lost.append(it.writer.claim)
        self._cargo.met(set(strangers) - refused.keys())
        if lost:
            log.warning("Redis had lost the ends of %d logs; they were put back", len(lost))
            self._office.restored(lost)
        return refused

    @property
    def must_count(self) -> bool:
        """Whether it's time to see how many copies there are."""
        wanted = self._cargo.securing or self._uncounted
        return bool(wanted) and time.monotonic() >= self._count_at

    async def count_copies(self) -> None:
        """Tell writers whose milestones have their copies; others are looked after again soon."""
        asked, durability = dict(self._cargo.securing), self._office.durability
        self._uncounted = False
        async with self.connection() as (connection, refused):
            began = time.monotonic()
            (reply,) = await exchange(connection, [durability.command])
            if isinstance(reply, ResponseError):  # it has become a replica meanwhile
                await connection.disconnect(nowait=True)
        if isinstance(reply, ResponseError) or not durability.reached(reply):
            self._wait_for_copies(reply)
            return
        self._copied, self._short = began, False
        for writer, upto in asked.items():
            if writer not in refused and self._cargo.securing.get(writer) == upto:
                del self._cargo.securing[writer]
                writer.secured(upto)

    def _wait_for_copies(self, reply: Any) -> None:
        if self._cargo.securing and not self._short:
            self._short = True
            log.warning("milestones wait for %s: %s", self._office.durability.wanted, reply)
        self._count_at = time.monotonic() + PAUSE_SECONDS
        asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._wake.set)


async def _history(connection: Any) -> bytes | None:
    """The id of what the server replicates; None if it's a replica, or the user may not see it."""
    (reply,) = await exchange(connection, [("INFO", "replication")])
    return history_of(reply) if isinstance(reply, bytes) else None
