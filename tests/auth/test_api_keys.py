"""API keys: what is kept of them, who they let in, and how little Redis is asked for that."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from api.auth.apikeys import ApiKeys
from api.auth.cache import Cache
from api.auth.principal import Principal
from events.apikeys import KeyDirectory, Role, new_key, split_key
from events.connect import connect
from events.keys import Keys
from tests.support.credentials import made
from tests.support.waiting import wait_until

AGES = 3600.0
"""Seconds that no test takes."""

UNKNOWN = f"tr_{'0' * 12}_{'s' * 43}"


@pytest.fixture
async def nowhere() -> AsyncGenerator[KeyDirectory]:
    """Keys in a Redis that isn't there: whoever asks for one finds out."""
    client = connect("redis://127.0.0.1:1/0")
    yield KeyDirectory(client, Keys())
    await client.aclose()


async def _asked(redis: Redis) -> int:
    """How often Redis was asked for keys."""
    stats: dict[str, Any] = await redis.info("commandstats")
    return stats.get("cmdstat_hmget", {"calls": 0})["calls"]


async def test_nothing_that_is_kept_could_be_used(directory: KeyDirectory, redis: Redis) -> None:
    """A key has 256 random bits behind its id, and its record none of them."""
    key, record = await made(directory)
    assert re.fullmatch(r"tr_[a-z0-9]{12}_[A-Za-z0-9_-]{43}", key)
    _, secret = split_key(key) or ("", "")
    kept = b"".join(await cast("Any", redis).hvals(directory.keys.api_keys))
    assert record.hash.encode() in kept
    assert secret.encode() not in kept
    assert record.hash not in repr(record)
    assert len({new_key("acme", "ada", Role.READ)[0] for _ in range(100)}) == 100


async def test_a_key_lets_its_bearer_in(directory: KeyDirectory) -> None:
    """As the subject it names, in its tenant, with its role, until it expires."""
    end = datetime.now(UTC) + timedelta(days=1)
    key, record = await made(directory, expires_at=end)
    principal = await ApiKeys(directory).authenticate(key)
    assert principal == Principal("acme", "ada", Role.SUBMIT, record.id, end.timestamp())


async def test_another_secret_lets_nobody_in(directory: KeyDirectory) -> None:
    """Neither a wrong one nor that of another key, nor an id that there is none of."""
    api_keys = ApiKeys(directory)
    (key, record), (other, _) = await made(directory), await made(directory)
    other_secret = other.split("_", 2)[2]
    for wrong in (f"tr_{record.id}_{other_secret}", f"{key[:-1]}{'a' if key[-1] != 'a' else 'b'}", UNKNOWN):
        assert await api_keys.authenticate(wrong) is None
    assert await api_keys.authenticate(key) is not None


@pytest.mark.parametrize(
    "token",
    [
        *("", "tr_", "x", UNKNOWN[:-1], f"{UNKNOWN}s", f"{UNKNOWN}\n", UNKNOWN.upper(), "é" * 59),
        *(UNKNOWN.replace("s", "\0"), UNKNOWN.replace("0", "*"), f"Bearer {UNKNOWN}"),
        pytest.param("tr_" * 100_000, id="long"),
    ],
)
async def test_what_can_be_no_key_never_reaches_redis(nowhere: KeyDirectory, token: str) -> None:
    """There is none in this test, and what can be one fails for that."""
    assert await ApiKeys(nowhere).authenticate(token) is None
    with pytest.raises(RedisConnectionError):
        await ApiKeys(nowhere).authenticate(UNKNOWN)


async def test_a_key_expires_while_its_record_is_remembered(directory: KeyDirectory) -> None:
    """The clock is looked at each time, and so it is for the keys of open streams."""
    end = datetime.now(UTC) + timedelta(seconds=1)
    key, record = await made(directory, expires_at=end)
    api_keys = ApiKeys(directory, cache_seconds=AGES)

    async def refused() -> bool:
        return await api_keys.authenticate(key) is None

    await wait_until(refused)
    assert time.time() >= end.timestamp()
    assert await api_keys.still_valid([record.id]) == set()


async def test_redis_is_asked_once_for_a_key(directory: KeyDirectory, redis: Redis) -> None:
    """However many come with it at a time; and for an id that is none as well."""
    api_keys = ApiKeys(directory, cache_seconds=AGES)
    key, _ = await made(directory)
    before = await _asked(redis)
    async with asyncio.TaskGroup() as group:
        found = [group.create_task(api_keys.authenticate(each)) for each in [key, UNKNOWN] * 50]
    assert [task.result() is not None for task in found] == [True, False] * 50
    assert await _asked(redis) - before == 2


async def test_trying_ids_drives_out_no_key(directory: KeyDirectory, redis: Redis) -> None:
    """Ids that are none fill a room of their own, which is bounded."""
    api_keys = ApiKeys(directory, cache_seconds=AGES, most_cached=10)
    key, _ = await made(directory)
    assert await api_keys.authenticate(key)
    for number in range(50):
        assert await api_keys.authenticate(f"tr_{number:012}_{'s' * 43}") is None
    before = await _asked(redis)
    assert await api_keys.authenticate(key)
    assert await _asked(redis) == before


def test_a_cache_is_bounded() -> None:
    """In number, where the oldest goes, and in time."""
    cache, brief = Cache[int](3), Cache[int](3, seconds=0)
    for number in range(5):
        cache.put(str(number), number)
        brief.put(str(number), number)
    cache.put("2", 20)
    cache.put("5", 5)
    assert [cache.get(str(number)) for number in range(6)] == [None, None, 20, None, 4, 5]
    assert (len(cache), len(brief), brief.get("4")) == (3, 3, None)


async def test_a_lost_redis_is_not_taken_for_no_key(directory: KeyDirectory, redis: Redis) -> None:
    """What fails is told, and asked again the next time."""
    key, _ = await made(directory)
    name = directory.keys.api_keys
    await redis.rename(name, f"{name}-away")
    await redis.set(name, "another type", ex=60)
    api_keys = ApiKeys(directory, cache_seconds=AGES)
    with pytest.raises(Exception, match="WRONGTYPE"):
        await api_keys.authenticate(key)
    await redis.rename(f"{name}-away", name)
    assert await api_keys.authenticate(key) is not None


async def test_who_leaves_takes_no_answer_from_others(directory: KeyDirectory) -> None:
    """Several wait for the same answer, and the one that asked for it is cancelled."""
    api_keys = ApiKeys(directory, cache_seconds=AGES)
    key, _ = await made(directory)
    first, other = (asyncio.create_task(api_keys.authenticate(key)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await other is not None
    assert (await asyncio.gather(first, return_exceptions=True))[0].__class__ is asyncio.CancelledError


@pytest.mark.parametrize("tampered", ["{}", "no JSON", '{"id": "' + "1" * 12 + '", "role": "ops"}', None])
async def test_a_record_that_is_none_lets_nobody_in(
    directory: KeyDirectory, redis: Redis, tampered: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does another key's under this one's id; what was read is not repeated."""
    key, record = await made(directory)
    value = tampered or new_key("acme", "eve", Role.OPS)[1].model_dump_json()
    await redis.hset(directory.keys.api_keys, record.id, value)  # pyright: ignore[reportGeneralTypeIssues]
    assert await ApiKeys(directory).authenticate(key) is None
    assert await directory.all() == []
    assert record.id in caplog.text
    assert "role" not in caplog.text


async def test_keys_are_listed_by_tenant(directory: KeyDirectory) -> None:
    """With all that is known of them; those of an id are found by it."""
    records = [(await made(directory, tenant=tenant))[1] for tenant in ("b", "a", "b")]
    assert [record.tenant for record in await directory.all()] == ["a", "b", "b"]
    assert await directory.find(records[1].id) == records[1]
    assert await directory.find(uuid4().hex[:12]) is None
