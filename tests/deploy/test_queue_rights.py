"""Several workers on one queue, as Redis users: whoever comes second lets go of what it watched."""

from __future__ import annotations

from pathlib import Path

import pytest

from events.queue import arq_client
from tests.redis.servers import guarded_server


@pytest.mark.parametrize("user", ["api", "worker", "queue"])
async def test_who_comes_second_may_let_go(user: str, tmp_path: Path) -> None:
    """arq watches a job's key, sees that another one has it, and takes the watch back."""
    with guarded_server("valkey", tmp_path) as server:
        client = arq_client(server.url(user), "taskreel:queue:default")
        async with client.pipeline(transaction=True) as pipe:
            await pipe.watch("arq:job:one")
            assert await pipe.exists("arq:job:one") == 0
        await client.aclose(close_connection_pool=True)
