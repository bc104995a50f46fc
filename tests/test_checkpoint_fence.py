"""A worker that was thought dead and wakes up can't write a checkpoint once another one has its task."""

from __future__ import annotations

import asyncio
import operator
from collections import Counter
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from redis.asyncio import Redis

from events.connect import connect
from events.errors import Fenced
from events.keys import Keys
from events.settings import Settings
from tests.support.checkpoints import checkpoint, dumps, fenced, ids, names, newest, put_at, thread
from tests.support.waiting import wait_until
from worker.checkpoint import RedisSaver
from worker.fence import FENCE_KEY, Fence


@pytest.fixture
def saver(redis: Redis, keys: Keys) -> RedisSaver:
    """A saver whose threads live for a minute."""
    return RedisSaver(redis, keys, ttl_seconds=60)


async def test_a_zombie_leaves_no_trace(saver: RedisSaver, redis: Redis, keys: Keys) -> None:
    """Neither a checkpoint of its nor what its tasks wrote is there once a newer attempt has opened."""
    stored = await put_at(saver, fenced("t", "task", 1), value=1)
    await saver.open("t", "task", 2)
    before, new = await dumps(redis, keys), checkpoint(value=2)
    with pytest.raises(Fenced):
        await saver.aput(stored, new, {}, new["channel_versions"])
    with pytest.raises(Fenced):
        await saver.aput_writes(stored, [("answer", 43)], "another")
    with pytest.raises(Fenced):
        await saver.open("t", "task", 1)
    assert await dumps(redis, keys) == before
    assert await newest(saver) == {"value": 1}


async def test_the_first_write_of_a_newer_attempt_is_enough(saver: RedisSaver) -> None:
    """It raises the fence by itself; attempts are compared as numbers."""
    await put_at(saver, fenced("t", "task", 9), value=9)
    await put_at(saver, fenced("t", "task", 10), value=10)
    with pytest.raises(Fenced):
        await put_at(saver, fenced("t", "task", 9), value=11)
    await put_at(saver, fenced("t", "task", 10), value=12)
    assert await newest(saver) == {"value": 12}


async def test_a_later_task_on_the_thread_fences_off_an_earlier_one(saver: RedisSaver) -> None:
    """Task ids sort by time: a worker of a task that has long ended is as dead as one of an older attempt."""
    await put_at(saver, fenced("t", "0199-a", 3), value=1)
    await put_at(saver, fenced("t", "0199-b", 1), value=2)
    with pytest.raises(Fenced):
        await put_at(saver, fenced("t", "0199-a", 3), value=3)
    await saver.open("t", "0199-a", 4)
    await put_at(saver, fenced("t", "0199-a", 4), value=4)
    assert await newest(saver) == {"value": 4}


async def test_a_write_without_an_attempt_is_not_guarded(saver: RedisSaver, redis: Redis, keys: Keys) -> None:
    """It passes the fence and leaves it where it is."""
    await saver.open("t", "task", 2)
    await put_at(saver, thread("t", checkpoint_ns=""), value=1)
    assert await newest(saver) == {"value": 1}
    assert await redis.get(keys.checkpoints("t").fence) == b"task 2"


async def test_nothing_of_a_zombie_lands_after_another_attempt_has_opened(
    saver: RedisSaver, settings: Settings, keys: Keys
) -> None:
    """Twenty zombies write as fast as they can while they are fenced off by another worker."""
    client, threads = connect(settings.redis_url, connections=20), [f"t{number}" for number in range(20)]
    zombie, landed = RedisSaver(client, keys, ttl_seconds=60), Counter[str]()

    async def write_on(thread_id: str) -> None:
        while True:
            await put_at(zombie, fenced(thread_id, "task", 1), value=1)
            landed[thread_id] += 1

    async def take(thread_id: str) -> list[str]:
        await wait_until(lambda: landed[thread_id] >= 5)
        await saver.open(thread_id, "task", 2)
        return await ids(saver, thread(thread_id))

    zombies = [asyncio.create_task(write_on(thread_id)) for thread_id in threads]
    seen = await asyncio.gather(*map(take, threads))
    ends = await asyncio.gather(*zombies, return_exceptions=True)
    assert {type(end) for end in ends} == {Fenced}
    assert [await ids(saver, thread(thread_id)) for thread_id in threads] == seen
    await client.aclose()


async def test_the_fence_lives_as_long_as_the_thread(saver: RedisSaver, redis: Redis, keys: Keys) -> None:
    """Each write puts off its end, and so does a write that puts off the whole thread's."""
    fence = keys.checkpoints("t").fence
    await saver.open("t", "task", 1)
    assert 60 < await redis.ttl(fence) <= 120
    await redis.expire(fence, 10)
    stored = await put_at(saver, fenced("t", "task", 1), value=1)
    assert 60 < await redis.ttl(fence) <= 120
    for name in await names(redis, keys):
        await redis.expire(name, 10)
    await saver.aput_writes(thread("t", **_place(stored)), [("answer", 43)], "unguarded")
    assert min([await redis.ttl(name) for name in await names(redis, keys)]) > 60


def _place(config: Any) -> dict[str, str]:
    return {name: config["configurable"][name] for name in ("checkpoint_ns", "checkpoint_id")}


async def test_what_becomes_of_the_fence(saver: RedisSaver, redis: Redis, keys: Keys) -> None:
    """A pruned thread keeps it, a copy doesn't have it, and it goes with the thread."""
    await put_at(saver, fenced("t", "task", 2), value=1)
    await put_at(saver, fenced("t", "task", 2), value=2)
    await saver.aprune(["t"])
    with pytest.raises(Fenced):
        await put_at(saver, fenced("t", "task", 1), value=3)
    await saver.acopy_thread("t", "u")
    await put_at(saver, fenced("u", "task", 1), value=4)
    await saver.aprune(["u"], strategy="delete")
    await saver.adelete_thread("t")
    assert await names(redis, keys) == []


async def test_a_checkpoint_with_more_than_a_script_can_pass_on(saver: RedisSaver) -> None:
    """Thousands of channels, of writes and of checkpoints are written, copied, thinned out and fenced."""
    many = {f"c{number}": number for number in range(9_000)}
    stored = await put_at(saver, fenced("t", "task", 1), **many)
    await saver.aput_writes(stored, [(name, name) for name in many], "wide")
    await saver.acopy_thread("t", "u")
    found = await saver.aget_tuple(thread("u"))
    assert found is not None
    assert found.checkpoint["channel_values"] == many
    assert len(found.pending_writes or ()) == len(many) + 1
    await put_at(saver, fenced("u", "task", 1), last=1)
    await saver.aprune(["u"])
    assert await newest(saver, "u") == {"last": 1}


async def test_a_server_that_has_forgotten_the_script(saver: RedisSaver, redis: Redis) -> None:
    """A restart forgets it; the write is made all the same."""
    await put_at(saver, fenced("t", "task", 1), value=1)
    await redis.script_flush()
    await put_at(saver, fenced("t", "task", 1), value=2)
    assert await newest(saver) == {"value": 2}


class State(TypedDict):
    """Words, in the order in which nodes said them."""

    words: Annotated[list[str], operator.add]


async def test_a_graph_hands_its_attempt_on_into_subgraphs(
    saver: RedisSaver, redis: Redis, keys: Keys
) -> None:
    """Taken over within a subgraph's node, a run can't store what that node returns nor what follows."""

    async def first(_: State) -> dict[str, list[str]]:
        return {"words": ["first"]}

    async def taken(_: State) -> dict[str, list[str]]:
        await saver.open("t", "task", 2)
        return {"words": ["zombie"]}

    inner: Any = StateGraph(State)
    inner.add_node("taken", taken)
    inner.add_edge(START, "taken")
    builder: Any = StateGraph(State)
    builder.add_node("first", first)
    builder.add_node("inner", inner.compile())
    builder.add_edge(START, "first")
    builder.add_edge("first", "inner")
    graph: Any = builder.compile(checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "t", FENCE_KEY: Fence("task", 1)}}
    with pytest.raises(Fenced):
        await graph.ainvoke({"words": []}, config, durability="sync")
    state = await graph.aget_state(thread("t"))
    assert (state.values, state.next) == ({"words": ["first"]}, ("inner",))
    assert not [dump for dump in (await dumps(redis, keys)).values() if b"zombie" in dump]
    assert FENCE_KEY not in state.metadata
