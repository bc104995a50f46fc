"""Secret: what tickets are signed with. All pods of a system have the same one, and nobody else has it."""

from __future__ import annotations

import math
import secrets
import time
from typing import Any

from redis.asyncio import Redis

from events.keys import Keys

FRESH_SECONDS = 5.0
"""How soon pods agree again after Redis has lost the one they share."""

KEPT_SECONDS = 86_400
"""How long it's kept there unused. By then nothing holds any more that was signed with it."""


class Secret:
    """The secret of a setting, or else one that the pods share in Redis.

    Args:
        redis: where they share it.
        keys: what it's called there.
        given: the setting's.
        fresh_seconds: for how long the one in Redis is taken for true.
    """

    def __init__(
        self, redis: Redis, keys: Keys, given: str | None, *, fresh_seconds: float = FRESH_SECONDS
    ) -> None:
        self._redis = redis
        self._name = keys.secret
        self._given = given.encode() if given else None
        self._fresh_seconds = fresh_seconds
        self._known = secrets.token_bytes(32)
        self._until = -math.inf

    async def get(self) -> bytes:
        """The secret.

        Raises:
            redis.exceptions.RedisError, OSError: Redis is away.
        """
        if self._given is not None:
            return self._given
        if time.monotonic() >= self._until:
            self._known = await self._agree()
            self._until = time.monotonic() + self._fresh_seconds
        return self._known

    async def _agree(self) -> bytes:
        """The first pod's is everybody's; when Redis has lost it, it's the first one's that notices."""
        pipe: Any = self._redis.pipeline(transaction=False)
        pipe.set(self._name, self._known, nx=True, ex=KEPT_SECONDS)
        pipe.getex(self._name, ex=KEPT_SECONDS)
        return (await pipe.execute())[1]
