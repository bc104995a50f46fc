"""The graphs of the chaos scenarios. Each node's executions are recorded in Redis, outside the task's log."""

from __future__ import annotations

import asyncio
import operator
import os
import random
import time
from collections.abc import Awaitable
from typing import Annotated, Any, cast

from langgraph.config import get_config, get_stream_writer
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, Field
from redis.asyncio import Redis

from events.connect import connect
from events.keys import Keys
from events.settings import load

NODES = ("one", "two", "three", "four", "five", "six", "seven", "eight")
"""Three to five run side by side, the others one after the other."""

SPECS = tuple(f"{name}=tests.chaos.graphs:{name}" for name in ("steps", "blocking"))

RECORD = """
-- KEYS: log, executions  ARGV: node, process id.  Notes that it starts now, and how far the log is.
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
redis.call('RPUSH', KEYS[2], ARGV[1] .. ' ' .. last[1][1] .. ' ' .. ARGV[2])
"""

_clients: list[Redis] = []


class State(BaseModel):
    """What the graphs work on.

    Attributes:
        seed: the nodes' pauses come from it.
        low, high: between which they lie, in seconds.
        words: how many progress events a node writes meanwhile.
        items: `[node, process id]` of each finished node.
    """

    seed: int = 0
    low: float = 0.1
    high: float = 0.4
    words: int = 1
    items: Annotated[list[Any], operator.add] = Field(default_factory=list[Any])


def executions(task_id: str) -> str:
    """List: `<node> <last id of the log> <process id>`, one for each start of a node."""
    return f"chaos:{task_id}:executions"


async def step(state: State) -> dict[str, Any]:
    """Pause, and say which process it is that does."""
    node = await _record()
    pause = random.Random(f"{state.seed} {node}").uniform(state.low, state.high)
    for _ in range(state.words):
        get_stream_writer()({"pid": os.getpid()})
        await asyncio.sleep(pause / state.words)
    return {"items": [[node, os.getpid()]]}


async def block(state: State) -> dict[str, Any]:
    """What nobody should write: keep the worker's event loop for `low` seconds."""
    node = await _record()
    time.sleep(state.low)  # noqa: ASYNC251
    return {"items": [[node, os.getpid()]]}


async def _record() -> str:
    """Record the start of the node that this is called from; gives its name."""
    configurable = get_config().get("configurable", {})
    node = str(configurable["checkpoint_ns"]).rpartition("|")[2].partition(":")[0]
    task_id = str(configurable["thread_id"])
    settings = load()
    if not _clients:
        _clients.append(connect(settings.redis_url))
    keys = [Keys(settings.key_prefix).log(task_id), executions(task_id)]
    await cast("Awaitable[None]", _clients[0].eval(RECORD, 2, *keys, node, str(os.getpid())))
    return node


def steps() -> StateGraph[State]:
    """Eight nodes, of which three run side by side."""
    builder = StateGraph(State)
    for node in NODES:
        builder.add_node(node, cast("Any", step))
    first, second, sixth, seventh, eighth = *NODES[:2], *NODES[5:]
    beside: list[str] = [*NODES[2:5]]
    builder.add_edge(START, first)
    builder.add_edge(first, second)
    for node in beside:
        builder.add_edge(second, node)
    builder.add_edge(beside, sixth)
    builder.add_edge(sixth, seventh)
    builder.add_edge(seventh, eighth)
    builder.add_edge(eighth, END)
    return builder


def blocking() -> StateGraph[State]:
    """One node that blocks the event loop."""
    builder = StateGraph(State)
    builder.add_node("block", cast("Any", block))
    builder.add_edge(START, "block")
    builder.add_edge("block", END)
    return builder
