"""A worker that dies between any two of the saver's writes: nothing is lost, and nothing is done again."""

from __future__ import annotations

import asyncio
import operator
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, cast

import pytest
from langgraph.errors import GraphDrained
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, Field

from events.append import Appender
from events.keys import Keys
from events.log import EventLog
from events.model import START as BEGINNING
from events.model import Entry, EventType
from events.tasks import TaskStore
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
    """A saver whose process dies before, or just after, one of its writes; a late one lands all the same."""

    left = 0
    after = False
    late = False
    dying = asyncio.Event()
    buried = asyncio.Event()
    looked = asyncio.Event()
    landed = asyncio.Event()

    @classmethod
    def at(cls, cut: int, *, after: bool = False, late: bool = False) -> None:
        """Have the next process die at that write."""
        Mortal.left, Mortal.after, Mortal.late = cut, after, late
        Mortal.dying, Mortal.buried, Mortal.looked, Mortal.landed = (asyncio.Event() for _ in range(4))

    async def aput(self, *args: Any, **more: Any) -> Any:
        """Store a checkpoint."""
        return await self._outlive(super().aput(*args, **more))

    async def aput_writes(self, *args: Any, **more: Any) -> None:
        """Store a node's writes."""
        await self._outlive(super().aput_writes(*args, **more))

    async def _outlive(self, write: Any) -> Any:
        Mortal.left -= 1
        if Mortal.left == 0 and self.late:
            self.dying.set()
            await self.looked.wait()
            await write
            self.landed.set()
            await self._die()
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


@dataclass
class Trial:
    """An attempt as a worker makes it, from its look at the checkpoints on."""

    log: EventLog
    tasks: TaskStore
    appender: Appender
    saver: RedisSaver
    task_id: str

    async def look(self) -> None:
        """See where it would start."""
        state, lookback = await self.tasks.get(self.task_id), Lookback()
        lookback.read(await self.log.read(self.task_id, BEGINNING))
        runnable = shape().compile(checkpointer=telling(self.saver))
        graph = Graph(name="cut", runnable=runnable, descriptor=cast("Any", None))
        self.attempt = Attempt(graph, self.task_id, self.task_id)
        self.beginning = await self.attempt.begin(state, lookback)
        from_scratch = self.beginning.checkpoint_id is None
        self.again = lookback.supersedes(self.beginning.stored, from_scratch=from_scratch)

    async def run(self) -> EventType | None:
        """Run it; None if it died, as a process that is killed does, or has to begin anew."""
        writer = await open_attempt(self.log, self.appender, self.task_id, supersedes=self.again)
        self.running = asyncio.create_task(self.attempt.run(self.beginning, writer, RunControl()))
        dying = asyncio.create_task(Mortal.dying.wait())
        await asyncio.wait([self.running, dying], return_when=asyncio.FIRST_COMPLETED)
        dying.cancel()
        if not self.running.done():
            await asyncio.sleep(0.1)  # what is told all the same would be told by now
            return None
        try:
            event = self.running.result()
        except GraphDrained:
            return None
        await writer.append(event)
        await writer.flush()
        return event.type

    async def bury(self) -> None:
        """Its process is gone."""
        self.running.cancel()
        Mortal.buried.set()
        await asyncio.wait([self.running])


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


async def assert_told_once(log: EventLog, task_id: str) -> None:
    """The result is whole, and each node's start and end are told once."""
    entries = await log.read(task_id, BEGINNING)
    result = entries[-1].event["data"]["result"]["items"]
    assert sorted(set(result)) == ["a", "b", "c", "deep", "deeper", "e"]
    ends = Counter(node for kind, node in final(entries) if kind == "node.completed")
    assert ends == Counter(["a", "b", "c", "d", "deep", "deeper", "e"])
    assert ends == Counter(node for kind, node in final(entries) if kind == "node.started")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("cut", range(1, 20))
async def test_it_goes_on_wherever_it_was_cut_off(
    log: EventLog, tasks: TaskStore, appender: Appender, keys: Keys, task_id: str, cut: int, after: bool
) -> None:
    """A node that ended doesn't run again."""
    RAN.clear()
    Mortal.at(cut, after=after)
    first = Trial(log, tasks, appender, Mortal(log.redis, keys, ttl_seconds=60), task_id)
    await first.look()
    ended = await first.run()
    told = {node for kind, node in final(await log.read(task_id, BEGINNING)) if kind == "node.completed"}
    before = Counter(RAN)
    if ended is None:
        await first.bury()
        Mortal.dying = asyncio.Event()
        second = Trial(log, tasks, appender, RedisSaver(log.redis, keys, ttl_seconds=60), task_id)
        await second.look()
        assert await second.run() is EventType.TASK_SUCCEEDED
    await assert_told_once(log, task_id)
    assert [name for name in told if RAN[name] > before[name]] == []
    await first.saver.adelete_thread(task_id)


@pytest.mark.parametrize("cut", range(1, 20))
async def test_what_lands_after_the_next_attempt_has_looked_is_gone_on_from(
    log: EventLog, tasks: TaskStore, appender: Appender, keys: Keys, task_id: str, cut: int
) -> None:
    """The log doesn't tell of it, so that the claim isn't refused; what it began from is known to be old."""
    Mortal.at(cut, late=True)
    first = Trial(log, tasks, appender, Mortal(log.redis, keys, ttl_seconds=60), task_id)
    await first.look()
    ended = await first.run()
    if ended is None:
        second = Trial(log, tasks, appender, RedisSaver(log.redis, keys, ttl_seconds=60), task_id)
        await second.look()
        Mortal.looked.set()
        await Mortal.landed.wait()
        await first.bury()
        Mortal.dying = asyncio.Event()
        if await second.run() is None:
            third = Trial(log, tasks, appender, RedisSaver(log.redis, keys, ttl_seconds=60), task_id)
            await third.look()
            assert await third.run() is EventType.TASK_SUCCEEDED
    await assert_told_once(log, task_id)
    await first.saver.adelete_thread(task_id)
