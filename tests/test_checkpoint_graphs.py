"""Real graphs go on from what another worker's saver has kept, and do nothing twice."""

from __future__ import annotations

import asyncio
import operator
from collections import Counter
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt
from redis.asyncio import Redis

from events.connect import connect
from events.keys import Keys
from events.settings import Settings
from tests.support.waiting import wait_until
from worker.checkpoint import RedisSaver

HERE: Any = {"configurable": {"thread_id": "t"}}
SYNC: Any = {"durability": "sync"}


class State(TypedDict):
    """Words, in the order in which nodes said them."""

    words: Annotated[list[str], operator.add]


class Ran(Counter[str]):
    """How often each node ran, over all workers of a test, and what is wrong with one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.trouble: str | None = None

    def node(self, name: str) -> Any:
        """A node that counts its runs; in trouble, "second" fails or hangs."""

        async def run(_: State) -> dict[str, list[str]]:
            self[name] += 1
            if name == "second" and self.trouble == "fails":
                raise ValueError("broken")
            if name == "second" and self.trouble == "hangs":
                await asyncio.Event().wait()
            return {"words": [name]}

        return run


class Workers:
    """Each worker has its own client, saver and graph; they share only what is in Redis."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clients: list[Redis] = []

    def graph(self, builder: StateGraph[Any]) -> Any:
        """A graph as a newly started worker compiles it."""
        self._clients.append(connect(self._settings.redis_url))
        saver = RedisSaver(self._clients[-1], Keys(self._settings.key_prefix), ttl_seconds=60)
        return builder.compile(checkpointer=saver)

    async def close(self) -> None:
        """Close all clients."""
        for client in self._clients:
            await client.aclose()


@pytest.fixture
async def workers(settings: Settings) -> Any:
    """Workers for one test."""
    it = Workers(settings)
    yield it
    await it.close()


def three(ran: Ran) -> StateGraph[Any]:
    """Three nodes in a row."""
    builder = StateGraph(State)
    for before, name in ((START, "first"), ("first", "second"), ("second", "third")):
        builder.add_node(name, ran.node(name))
        builder.add_edge(before, name)
    return builder


async def test_a_graph_that_failed_goes_on_where_it_failed(workers: Workers) -> None:
    """The second of three nodes fails; another worker runs it again, and the third, but not the first."""
    ran = Ran()
    ran.trouble = "fails"
    with pytest.raises(ValueError, match="broken"):
        await workers.graph(three(ran)).ainvoke({"words": ["go"]}, HERE, **SYNC)
    ran.trouble = None
    other = workers.graph(three(ran))
    assert (await other.aget_state(HERE)).next == ("second",)
    assert await other.ainvoke(None, HERE, **SYNC) == {"words": ["go", "first", "second", "third"]}
    assert ran == {"first": 1, "second": 2, "third": 1}


async def test_a_graph_whose_worker_died_goes_on_where_it_was(workers: Workers) -> None:
    """As before, but the worker vanishes within the second node and can't say so."""
    ran = Ran()
    ran.trouble = "hangs"
    running = asyncio.create_task(workers.graph(three(ran)).ainvoke({"words": ["go"]}, HERE, **SYNC))
    await wait_until(lambda: ran["second"] == 1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    ran.trouble = None
    result = await workers.graph(three(ran)).ainvoke(None, HERE, **SYNC)
    assert result == {"words": ["go", "first", "second", "third"]}
    assert ran == {"first": 1, "second": 2, "third": 1}


async def test_another_worker_takes_the_answer_to_a_question(workers: Workers) -> None:
    """One worker asks and is gone; another shows what was asked, and goes on with the answer."""
    ran = Ran()

    async def ask(_: State) -> dict[str, list[str]]:
        ran["ask"] += 1
        return {"words": [interrupt({"question": "why?"})]}

    builder: Any = StateGraph(State)
    builder.add_node("first", ran.node("first"))
    builder.add_node("ask", ask)
    builder.add_edge(START, "first")
    builder.add_edge("first", "ask")
    asked = await workers.graph(builder).ainvoke({"words": []}, HERE, **SYNC)
    assert asked["__interrupt__"][0].value == {"question": "why?"}
    other = workers.graph(builder)
    assert (await other.aget_state(HERE)).interrupts[0].value == {"question": "why?"}
    answered = await workers.graph(builder).ainvoke(Command(resume="because"), HERE, **SYNC)
    assert answered == {"words": ["first", "because"]}
    assert ran == {"first": 1, "ask": 2}


async def test_finished_branches_are_not_run_again(workers: Workers) -> None:
    """Of four parallel branches one fails when the others are done; only that one runs again."""
    ran = Ran()
    ran.trouble = "2"

    async def branch(number: str) -> dict[str, list[str]]:
        ran[number] += 1
        if number == ran.trouble:
            await wait_until(lambda: len(ran) == 4)
            await asyncio.sleep(0)
            raise ValueError("broken")
        return {"words": [number]}

    def fan(_: State) -> list[Send]:
        return [Send("branch", str(number)) for number in range(4)]

    builder: Any = StateGraph(State)
    builder.add_node("branch", branch)
    builder.add_conditional_edges(START, fan, ["branch"])
    with pytest.raises(ValueError, match="broken"):
        await workers.graph(builder).ainvoke({"words": []}, HERE, **SYNC)
    ran.trouble = None
    assert await workers.graph(builder).ainvoke(None, HERE, **SYNC) == {"words": ["0", "1", "2", "3"]}
    assert ran == {"0": 1, "1": 1, "2": 2, "3": 1}


async def test_a_question_within_a_graph_within_a_graph(workers: Workers) -> None:
    """The inner graph's checkpoints lie in a namespace of their own, and are found again as well."""
    ran = Ran()
    inner: Any = three(ran)

    async def ask(_: State) -> dict[str, list[str]]:
        return {"words": [interrupt("really?")]}

    inner.add_node("ask", ask)
    inner.add_edge("third", "ask")
    outer: StateGraph[Any] = StateGraph(State)
    outer.add_node("before", ran.node("before"))
    outer.add_node("inner", inner.compile())
    outer.add_edge(START, "before")
    outer.add_edge("before", "inner")
    await workers.graph(outer).ainvoke({"words": []}, HERE, **SYNC)
    result = await workers.graph(outer).ainvoke(Command(resume="yes"), HERE, **SYNC)
    assert result["words"][-4:] == ["first", "second", "third", "yes"]
    assert ran == {"before": 1, "first": 1, "second": 1, "third": 1}


async def test_a_fork_leaves_the_past_as_it_was(workers: Workers) -> None:
    """Two futures of one checkpoint have versions of the same number, and don't share a value."""
    graph = workers.graph(three(Ran()))
    await graph.ainvoke({"words": []}, HERE, **SYNC)
    past = [state async for state in graph.aget_state_history(HERE)]
    fork = await graph.aupdate_state(past[2].config, {"words": ["other"]}, as_node="second")
    assert (await graph.ainvoke(None, fork, **SYNC))["words"] == ["first", "other", "third"]
    assert (await graph.aget_state(past[0].config)).values["words"] == ["first", "second", "third"]
