"""Doing something where a slot is, though that may change meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import Redis
from redis.exceptions import (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    ReadOnlyError,
    RedisError,
    TryAgainError,
)

from events.servers.topology import Redirect, Topology

MISSED = (AskError, BusyLoadingError, ClusterDownError, ReadOnlyError, TryAgainError)
"""What a node says that isn't the one to execute a command now, and has done nothing."""

TRIES = 6
PAUSE_SECONDS = 0.02
"""Before the first try that no redirection has led to; before each further one it's twice as long."""

T = TypeVar("T")


async def persist(topology: Topology, slot: int, do: Callable[[Redis, bool], Awaitable[T]]) -> T:
    """Do something at the node that has a slot, wherever that is; some times, if nodes refuse it.

    Args:
        topology: who knows where.
        slot: whose node.
        do: given the node, and whether ASKING must precede it there. If it raises `MISSED`, nothing was done.

    Raises:
        redis.exceptions.RedisError: as `do`, the last time.
    """
    await topology.ready()
    redirect: Redirect | None = None
    for tried in range(1, TRIES + 1):
        place = redirect or Redirect(topology.node_of_slot(slot), asking=False)
        try:
            return await do(place.node, place.asking)
        except MISSED as error:
            redirect = await topology.heed(error)
            if tried == TRIES:
                raise
        except (RedisError, OSError) as error:
            topology.suspect(error)
            raise
        await pause(tried, redirected=redirect is not None)
    raise AssertionError("the last try returns or raises")


async def pause(tried: int, *, redirected: bool) -> None:
    """Wait before the next try, unless a first or second redirection leads to it: more go in a circle."""
    if not redirected or tried > 2:
        await asyncio.sleep(PAUSE_SECONDS * 2 ** (tried - 1))
