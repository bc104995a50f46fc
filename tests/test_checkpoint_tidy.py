"""After a task's end no more is left of its checkpoints than what later tasks on the thread need."""

from __future__ import annotations

import asyncio
import operator
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from redis.asyncio import Redis

from events.connect import connect
from events.keys import Keys
from events.settings import Settings
from tests.support.checkpoints import ids, names, put, thread
from worker.checkpoint import RedisSaver

SYNC: Any = {"durability": "sync"}


class State(TypedDict):
    """A number that nodes raise."""

    count: int


class Inner(State):
    """What a subgraph has of its own: how often it has run, if it has a memory."""

    seen: Annotated[int, operator.add]


@pytest.fixture
def saver(redis: Redis, keys: Keys) -> RedisSaver:
    """A saver whose threads live for a minute."""
    return RedisSaver(redis, keys, ttl_seconds=60)


async def _before(state: State) -> dict[str, int]:
    return {"count": state["count"] + 1}


async def _one(_: Inner) -> dict[str, int]:
    return {"seen": 1}


async def _two(state: Inner) -> dict[str, int]:
    return {"count": state["count"] + 100 * state["seen"]}


def _talking(memory: bool | None) -> StateGraph[Any]:
    """A node, and a subgraph of two more that may have a memory of its own."""
    inner: Any = StateGraph(Inner)
    inner.add_node("one", _one)
    inner.add_node("two", _two)
    inner.add_edge(START, "one")
    inner.add_edge("one", "two")
    outer: Any = StateGraph(State)
    outer.add_node("before", _before)
    outer.add_node("inner", inner.compile(checkpointer=memory))
    outer.add_edge(START, "before")
    outer.add_edge("before", "inner")
    return outer


@pytest.mark.parametrize("memory", [None, True])
async def test_a_conversation_goes_on_and_does_not_grow(
    saver: RedisSaver, redis: Redis, keys: Keys, memory: bool | None
) -> None:
    """Thinned out after each of its tasks, it has the same history as one that never was."""
    graph: Any = _talking(memory).compile(checkpointer=saver)
    client: Any = redis
    sizes: list[tuple[int, int]] = []
    for run in range(4):
        for thread_id in ("thin", "whole"):
            await graph.ainvoke({} if run else {"count": 0}, thread(thread_id), **SYNC)
        await saver.tidy("thin")
        points = len(await ids(saver, thread("thin")))
        sizes.append((points, await client.hlen(keys.checkpoints("thin").values)))
    assert len(set(sizes[1:])) == 1
    assert sizes[-1][0] == (2 if memory else 1)
    thin, whole = [(await graph.aget_state(thread(thread_id))).values for thread_id in ("thin", "whole")]
    assert thin == whole == {"count": 1004 if memory else 404}


async def test_the_next_task_may_begin_meanwhile(saver: RedisSaver, settings: Settings, keys: Keys) -> None:
    """Whatever it has written by then is kept; one worker ends the old task while another has the new one."""
    client = connect(settings.redis_url)
    graph: Any = _talking(None).compile(checkpointer=RedisSaver(client, keys, ttl_seconds=60))
    for run in range(1, 26):
        task = asyncio.create_task(graph.ainvoke({"count": 101 * (run - 1)}, thread("t"), **SYNC))
        while not task.done():
            await saver.tidy("t")
        assert task.result() == {"count": 101 * run}
        assert (await graph.aget_state(thread("t"))).values == {"count": 101 * run}
    await client.aclose()


async def test_what_a_task_left_without_a_checkpoint_stays(
    saver: RedisSaver, redis: Redis, keys: Keys
) -> None:
    """A thread on which nothing was stored has nothing to thin out, and keeps its fence."""
    await saver.open("t", "task", 1)
    await saver.tidy("t")
    assert await redis.exists(keys.checkpoints("t").fence)
    await put(saver, "t", value=1)
    kept = await names(redis, keys)
    await saver.tidy("t")
    assert sorted(await names(redis, keys)) == sorted(kept)
