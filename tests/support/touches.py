"""Proof that Redis wasn't asked: a server of the test's own counts its commands."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any, cast

from redis.asyncio import Redis


class Touches:
    """A server that nobody but the test and its pod uses.

    Args:
        redis: a client of it.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def count(self) -> int:
        """How many commands it has executed so far, but for this one."""
        found = cast("dict[str, dict[str, Any]]", await self._redis.info("commandstats"))
        return sum(int(numbers["calls"]) for name, numbers in found.items() if name != "cmdstat_info")

    @contextlib.asynccontextmanager
    async def none(self) -> AsyncGenerator[None]:
        """Fails if anything is asked of it meanwhile."""
        before = await self.count()
        yield
        assert await self.count() == before, "Redis was asked"
