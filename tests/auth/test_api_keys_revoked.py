"""API keys that end: pods hear of it, streams are told, and a name goes on with another key."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

import pytest
from redis.asyncio import Redis

from api.auth.apikeys import ApiKeys
from events.apikeys import KeyDirectory, Role, new_key
from events.background import stop
from tests.support.credentials import made
from tests.support.waiting import wait_until

AGES = 3600.0
"""Seconds that no test takes."""


@contextlib.asynccontextmanager
async def listening(api_keys: ApiKeys, in_use: list[str]) -> AsyncGenerator[list[str]]:
    """Hears of revocations; gives the ids in use that it was told of."""
    told: list[str] = []
    task = asyncio.create_task(api_keys.run(lambda: in_use, told.append))
    try:
        yield told
    finally:
        await stop([task])


async def _hears(redis: Redis, directory: KeyDirectory) -> bool:
    found: Any = await redis.pubsub_numsub(directory.keys.api_keys_bell)
    return found[0][1] > 0


async def _asked(redis: Redis) -> int:
    stats: dict[str, Any] = await redis.info("commandstats")
    return stats.get("cmdstat_hmget", {"calls": 0})["calls"]


async def test_a_revoked_key_is_refused_at_once_and_its_streams_are_told(
    directory: KeyDirectory, redis: Redis
) -> None:
    """Though its record was remembered for an hour; others aren't touched."""
    api_keys = ApiKeys(directory, cache_seconds=AGES)
    (key, record), (other, kept) = await made(directory), await made(directory)
    async with listening(api_keys, [record.id, kept.id]) as told:
        await wait_until(lambda: _hears(redis, directory))
        assert await api_keys.authenticate(key)
        assert await api_keys.authenticate(other)
        assert await directory.revoke(record.id)
        await wait_until(lambda: bool(told))
        assert await api_keys.authenticate(key) is None
        assert await api_keys.authenticate(other)
        assert told == [record.id]
    assert not await directory.revoke(record.id)


async def test_a_revocation_that_no_bell_told_is_noticed(directory: KeyDirectory) -> None:
    """When what is remembered has aged, which is 5 s else."""
    api_keys = ApiKeys(directory, cache_seconds=0.05)
    key, record = await made(directory)
    assert await api_keys.authenticate(key)
    await directory.revoke(record.id)

    async def refused() -> bool:
        return await api_keys.authenticate(key) is None

    await wait_until(refused)


async def test_an_answer_from_before_a_revocation_is_not_remembered(directory: KeyDirectory) -> None:
    """The bell came while Redis was being asked."""
    api_keys = ApiKeys(directory, cache_seconds=AGES)
    key, record = await made(directory)
    asking = asyncio.create_task(api_keys.authenticate(key))
    await asyncio.sleep(0)  # now it waits for Redis
    api_keys.forget()
    await asking
    await directory.revoke(record.id)
    assert await api_keys.authenticate(key) is None


async def test_which_keys_hold_is_one_question(directory: KeyDirectory, redis: Redis) -> None:
    """Not those that were revoked, have expired, or never were; those that a setting declares do."""
    _, good = await made(directory)
    _, revoked = await made(directory)
    _, brief = await made(directory, expires_at=datetime.fromtimestamp(time.time() - 1, UTC))
    _, declared = new_key("acme", "ci", Role.OPS)
    await directory.revoke(revoked.id)
    api_keys = ApiKeys(directory, {declared.id: declared})
    before = await _asked(redis)
    ids = [good.id, revoked.id, brief.id, declared.id, "0" * 12]
    assert await api_keys.still_valid(ids) == {good.id, declared.id}
    assert await _asked(redis) == before + 1
    assert await api_keys.still_valid([]) == set()


async def test_a_key_is_replaced_under_the_same_name(directory: KeyDirectory) -> None:
    """Both hold until the old one is revoked, and are one subject: what it has submitted stays its own."""
    api_keys = ApiKeys(directory, cache_seconds=0)
    old, old_record = await made(directory)
    new, _ = await made(directory)
    first, second = await api_keys.authenticate(old), await api_keys.authenticate(new)
    assert first
    assert second
    assert (first.tenant, first.subject) == (second.tenant, second.subject)
    await directory.revoke(old_record.id)
    assert [await api_keys.authenticate(key) is not None for key in (old, new)] == [False, True]


async def test_who_listens_survives_an_answer_that_is_none(
    directory: KeyDirectory, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """What one bell led to failed; the next one tells."""
    _, record = await made(directory)
    name = directory.keys.api_keys
    async with listening(ApiKeys(directory), [record.id]) as told:
        await wait_until(lambda: _hears(redis, directory))
        await redis.set(name, "another type", ex=60)
        await redis.publish(directory.keys.api_keys_bell, record.id)
        await wait_until(lambda: "WRONGTYPE" in caplog.text)
        await redis.delete(name)
        await redis.publish(directory.keys.api_keys_bell, record.id)
        await wait_until(lambda: told == [record.id])
