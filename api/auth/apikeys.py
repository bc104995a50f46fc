"""ApiKeys: whose API key that is. A pod asks Redis for a key's record once in a few seconds at most."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping

from api.auth.cache import Cache
from api.auth.principal import Principal
from events.apikeys import KeyDirectory, KeyRecord, Role, new_key, split_key
from events.background import stop
from events.bells import Bells
from events.connect import RedisError

CACHE_SECONDS = 5.0
"""How late a revocation is noticed whose bell wasn't heard."""

MOST_CACHED = 10_000

log = logging.getLogger(__name__)

_NO_KEY = new_key("default", "nobody", Role.READ)[1]
"""Stands for what isn't there: comparing with it takes as long as with a record, and nothing matches it."""


class ApiKeys:
    """Knows the keys in Redis, and those that a setting declares.

    Args:
        directory: the keys in Redis.
        declared: more of them, by id. These can't be revoked but by another setting.
        cache_seconds: for how long a record is taken for true.
        most_cached: records that are kept, and as many ids of which there is none.
    """

    def __init__(
        self,
        directory: KeyDirectory,
        declared: Mapping[str, KeyRecord] | None = None,
        *,
        cache_seconds: float = CACHE_SECONDS,
        most_cached: int = MOST_CACHED,
    ) -> None:
        self._directory = directory
        self._declared = declared or {}
        self._known = Cache[KeyRecord](most_cached, cache_seconds)
        # Apart, so that who tries one id after the other drives out nobody's record.
        self._unknown = Cache[KeyRecord](most_cached, cache_seconds)
        self._asking: dict[str, asyncio.Task[KeyRecord]] = {}
        self._asked: set[asyncio.Task[KeyRecord]] = set()

    async def authenticate(self, token: str) -> Principal | None:
        """Whose key that is; None if it's none, or has expired or was revoked.

        Raises:
            redis.exceptions.RedisError, OSError: Redis is away, and nothing is known of the key.
        """
        parts = split_key(token)
        if parts is None:
            return None
        key_id, secret = parts
        record = await self._record(key_id)
        if not record.matches(secret) or record.is_expired(time.time()):
            return None
        expires_at = record.expires_at and record.expires_at.timestamp()
        return Principal(record.tenant, record.name, record.role, record.id, expires_at)

    async def still_valid(self, ids: Collection[str]) -> set[str]:
        """Those of the ids whose keys hold, as Redis says now, in one round trip.

        Raises:
            redis.exceptions.RedisError, OSError: Redis is away.
        """
        found = await self._directory.find_all([key_id for key_id in ids if key_id not in self._declared])
        records = {**found, **self._declared}
        now = time.time()
        return {key_id for key_id in ids if key_id in records and not records[key_id].is_expired(now)}

    async def run(self, in_use: Callable[[], Collection[str]], revoked: Callable[[str], None]) -> None:
        """Hear of revocations until cancelled: `revoked` is told those of the ids in use that hold no more.

        A bell can be missed, so whoever has ids in use asks `still_valid` at times as well.
        """
        rung = asyncio.Event()

        def hear(_: str) -> None:
            self.forget()
            rung.set()

        bells = Bells(self._directory.redis, hear)
        bells.listen(self._directory.keys.api_keys_bell)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(bells.run())
                while True:
                    await rung.wait()
                    rung.clear()
                    await self._tell(set(in_use()), revoked)
        finally:
            await stop(self._asked)

    def forget(self) -> None:
        """Ask Redis anew for every key, also for those it is being asked for now."""
        self._known.clear()
        self._unknown.clear()
        self._asking.clear()

    async def _tell(self, ids: set[str], revoked: Callable[[str], None]) -> None:
        try:
            valid = await self.still_valid(ids)
        except (RedisError, OSError) as error:
            log.warning("an API key was revoked, and it can't be read which: %s", error)
            return
        for key_id in ids - valid:
            revoked(key_id)

    async def _record(self, key_id: str) -> KeyRecord:
        """What is known of a key; those who ask for one at the same time share the answer."""
        found = self._declared.get(key_id) or self._known.get(key_id) or self._unknown.get(key_id)
        if found is not None:
            return found
        asking = self._asking.get(key_id)
        if asking is None:
            asking = asyncio.create_task(self._ask(key_id))
            self._asking[key_id] = asking
            self._asked.add(asking)
            asking.add_done_callback(lambda done: self._answered(key_id, done))
        return await asyncio.shield(asking)  # others may wait for it

    async def _ask(self, key_id: str) -> KeyRecord:
        return await self._directory.find(key_id) or _NO_KEY

    def _answered(self, key_id: str, done: asyncio.Task[KeyRecord]) -> None:
        self._asked.discard(done)
        failed = done.cancelled() or done.exception() is not None
        if self._asking.get(key_id) is not done:
            return  # a revocation has come in between
        del self._asking[key_id]
        if not failed:
            record = done.result()
            (self._unknown if record is _NO_KEY else self._known).put(key_id, record)
