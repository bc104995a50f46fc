"""What tests of credentials use."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from redis.asyncio import Redis

from events.apikeys import KeyDirectory
from events.keys import Keys


@pytest.fixture
async def directory(redis: Redis, keys: Keys) -> AsyncGenerator[KeyDirectory]:
    """The API keys under this test's prefix, which are gone afterwards."""
    yield KeyDirectory(redis, keys)
    await redis.delete(keys.api_keys)
