"""The client of a Cluster whose nodes are all there: commands find their keys."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import (
    ClusterCrossSlotError,
    ResponseError,
)

from events.routes import Routes
from tests.support.cluster import Cluster
from tests.support.nodes import apart


async def test_keys_are_found_wherever_they_are(
    servers: Cluster, client: Any, ways: Routes, tag: str
) -> None:
    """One by one and many at once; names are gathered from all primaries."""
    keys = apart(servers, tag, 60)
    for number, key in enumerate(keys):
        await client.set(key, number, ex=60)
    pipe = client.pipeline(transaction=False)
    for key in keys:
        pipe.get(key)
    pipe.publish("nobody", "hears")
    pipe.hgetall(f"{tag}:none")
    assert await pipe.execute() == [*(b"%d" % number for number in range(60)), 0, {}]
    names = {key.encode() for key in keys}
    assert set(await client.keys(f"{tag[1:-1]}:*")) == names
    assert {name async for name in client.scan_iter(match=f"{tag[1:-1]}:*")} == names
    assert await client.ping()
    assert len(ways.nodes()) == 3
    assert [await ways.node(key).exists(key) for key in keys] == [1] * 60


async def test_an_error_in_a_pipeline_stands_where_its_reply_would(
    servers: Cluster, client: Any, tag: str
) -> None:
    """Or is raised; the other commands are executed in either case."""
    one, *others = apart(servers, tag, 10)
    await client.set(one, "text")
    pipe = client.pipeline(transaction=False)
    for key in others:
        pipe.incr(key)
    pipe.lpush(one, "x")
    *counts, refused = await pipe.execute(raise_on_error=False)
    assert counts == [1] * 9
    assert isinstance(refused, ResponseError)
    pipe.lpush(one, "x")
    pipe.incr(others[0])
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await pipe.execute()
    assert await client.get(others[0]) == b"2"


async def test_a_transaction_is_in_one_slot(servers: Cluster, client: Any, tag: str) -> None:
    """Keys of several are refused before anything is done; so is what has no key, such as a PUBLISH."""
    pipe = client.pipeline(transaction=True)
    for key in apart(servers, tag, 20):
        pipe.set(key, 1)
    with pytest.raises(ClusterCrossSlotError):
        await pipe.execute()
    assert await client.keys(f"{tag[1:-1]}:*") == []
    for keys in ([], [f"{tag}:a"]):
        for key in keys:
            pipe.hset(key, "field", 1)
        pipe.publish("nobody", "hears")
        with pytest.raises(ClusterCrossSlotError):
            await pipe.execute()
    pipe.hset(f"{tag}:a", "field", 1)
    pipe.hgetall(f"{tag}:a")
    assert await pipe.execute() == [1, {b"field": b"1"}]
    assert await client.pipeline(transaction=True).execute() == []


async def test_a_script_goes_where_its_key_is(servers: Cluster, client: Any, tag: str) -> None:
    """Nodes that don't know it get it, also after they have forgotten it."""
    script = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    keys = apart(servers, tag, 10)
    assert [await script(keys=[key], args=[2]) for key in keys] == [2] * 10
    await client.script_flush()
    assert [await script(keys=[key], args=[2]) for key in keys] == [4] * 10
    assert await client.eval("return 1", 0) == 1
