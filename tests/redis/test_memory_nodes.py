"""Memory that is used up on some node of a Cluster."""

from __future__ import annotations

from typing import Any

from events.connect import connect
from events.memory import LOOK_SECONDS, Headroom, insist
from tests.support.cluster import cluster
from tests.support.waiting import wait_until


async def test_new_tasks_are_refused_when_any_primary_is_short() -> None:
    """Nobody knows whose the next task is. One that says nothing is no hindrance; what runs is written on."""
    with cluster(replicas=0) as it:
        client: Any = connect(it.url)
        headroom = Headroom(client)
        assert not await headroom.is_short()
        full, silent, _ = it.nodes
        key = next(str(number) for number in range(1000) if it.owner_of(str(number)) is full)
        full.call("CONFIG", "SET", "maxmemory", "1mb")
        await wait_until(headroom.is_short)
        pipe = client.pipeline(transaction=False)
        pipe.zadd(key, {"x": 1})
        pipe.zcard(key)
        assert await insist(pipe) == [1, 0]  # what was refused is done at last, after the others
        full.call("CONFIG", "SET", "maxmemory", 0)
        silent.freeze()
        try:
            await wait_until(lambda: _has_room(headroom), LOOK_SECONDS * 20)
        finally:
            silent.thaw()
        await client.aclose()


async def _has_room(headroom: Headroom) -> bool:
    return not await headroom.is_short()
