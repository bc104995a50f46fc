"""A worker that dies between any two of the saver's writes: nothing is lost, and nothing is done again."""

from __future__ import annotations

import asyncio
import contextlib
import operator
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, cast

import pytest
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, Field

from events.append import Appender
from events.keys import Keys
from events.log import EventLog
from events.model import START as BEGINNING
from events.model import Entry, EventType
from events.tasks import TaskStore
from events.writer import AttemptWriter
from tests.support.attempts import open_attempt
from worker.attempt import Attempt
from worker.checkpoint import RedisSaver
from worker.execution import RunControl
from worker.graphs import Graph
from worker.lookback import Lookback
from worker.stored import telling


class State(BaseModel):
    """What the nodes have left."""

    items: Annotated[list[str], operator.add] = Field(default_factory=list[str])


RAN: Counter[str] = Counter()


def node(name: str) -> Any:
    """A node that leaves its name, and counts how often it ran."""

    async def run(state: State) -> dict[str, Any]:
        RAN[name] += 1
        await asyncio.sleep(0)
        return {"items": [name]}

    return run


def inner() -> Any:
    """A subgraph of two nodes."""
    builder = StateGraph(State)
    builder.add_node("deep", node("deep"))
    builder.add_node("deeper", node("deeper"))
    builder.add_edge(START, "deep")
    builder.add_edge("deep", "deeper")
    return builder.compile()


def shape() -> Any:
    """One node, two beside each other, a subgraph and an end."""
    builder = StateGraph(State)
    for name in ("a", "b", "c", "e"):
        builder.add_node(name, node(name))
    builder.add_node("d", inner())
    builder.add_edge(START, "a")
    builder.add_edge("a", "b")
    builder.add_edge("a", "c")
    builder.add_edge("b", "d")
    builder.add_edge("c", "d")
    builder.add_edge("d", "e")
    builder.add_edge("e", END)
    return builder


class Mortal(RedisSaver):
    """A saver whose process dies before, or just after, one of its writes."""

    left = 0
    after = False
    dying = asyncio.Event()
    buried = asyncio.Event()

    async def aput(self, *args: Any, **more: Any) -> Any:
        """Store a checkpoint."""
        return await self._outlive(super().aput(*args, **more))

    async def aput_writes(self, *args: Any, **more: Any) -> None:
        """Store a node's writes."""
        await self._outlive(super().aput_writes(*args, **more))

    async def _outlive(self, write: Any) -> Any:
        Mortal.left -= 1
        if Mortal.left < 0 or (Mortal.left == 0 and not self.after):
            write.close()
            await self._die()
        done = await write
        if Mortal.left == 0:
            await self._die()
        return done

    async def _die(self) -> None:
        self.dying.set()
        await self.buried.wait()  # LangGraph would wait for a write that never ends
        raise ConnectionAbortedError


async def attempt_at(
    log: EventLog, tasks: TaskStore, appender: Appender, saver: RedisSaver, task_id: str
) -> EventType | None:
    """Run an attempt as a worker does; None if it died, as a process that is killed does."""
    state, lookback = await tasks.get(task_id), Lookback()
    lookback.read(await log.read(task_id, BEGINNING))
    runnable = shape().compile(checkpointer=telling(saver))
    attempt = Attempt(Graph(name="cut", runnable=runnable, descriptor=cast("Any", None)), task_id, task_id)
    beginning = await attempt.begin(state, lookback)
    stored = [str(event.run) for event in beginning.finished]
    again = lookback.supersedes(stored, from_scratch=beginning.checkpoint_id is None)
    writer: AttemptWriter = await open_attempt(log, appender, task_id, supersedes=again)
    running = asyncio.create_task(attempt.run(beginning, writer, RunControl()))
    dying = asyncio.create_task(Mortal.dying.wait())
    await asyncio.wait([running, dying], return_when=asyncio.FIRST_COMPLETED)
    dying.cancel()
    if not running.done():
        await asyncio.sleep(0.1)  # what is told all the same would be told by now
        running.cancel()
        Mortal.buried.set()
        await asyncio.wait([running])
        return None
    event = running.result()
    await writer.append(event)
    await writer.flush()
    return event.type


def final(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """Type and node of what no later attempt does again."""
    gone = {
        seq
        for it in entries
        if it.type == EventType.ATTEMPT_STARTED
        for seq in it.event["data"]["supersedes"]
    }
    kept = [entry.event for entry in entries if entry.id.seq not in gone]
    return [(event["type"], event["node"]) for event in kept if event["type"].startswith("node.")]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("cut", range(1, 20))
async def test_it_goes_on_wherever_it_was_cut_off(
    log: EventLog, tasks: TaskStore, appender: Appender, keys: Keys, task_id: str, cut: int, after: bool
) -> None:
    """The result is whole; each node's start and end are told once, and one that ended doesn't run again."""
    RAN.clear()
    Mortal.left, Mortal.after = cut, after
    Mortal.dying, Mortal.buried = asyncio.Event(), asyncio.Event()
    saver = Mortal(log.redis, keys, ttl_seconds=60)
    first = await attempt_at(log, tasks, appender, saver, task_id)
    told = {node for kind, node in final(await log.read(task_id, BEGINNING)) if kind == "node.completed"}
    before = Counter(RAN)
    if first is None:
        Mortal.dying = asyncio.Event()
        saver = RedisSaver(log.redis, keys, ttl_seconds=60)
        assert await attempt_at(log, tasks, appender, saver, task_id) is EventType.TASK_SUCCEEDED
    entries = await log.read(task_id, BEGINNING)
    result = entries[-1].event["data"]["result"]["items"]
    assert sorted(set(result)) == ["a", "b", "c", "deep", "deeper", "e"]
    assert [name for name in told if RAN[name] > before[name]] == []
    ends = Counter(node for kind, node in final(entries) if kind == "node.completed")
    assert ends == Counter(["a", "b", "c", "d", "deep", "deeper", "e"])
    assert ends == Counter(node for kind, node in final(entries) if kind == "node.started")
    with contextlib.suppress(Exception):
        await saver.adelete_thread(task_id)
