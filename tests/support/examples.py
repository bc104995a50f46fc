"""Running the example graphs as LangGraph runs them, streamed as a worker does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph.state import CompiledStateGraph

Graph = CompiledStateGraph[Any, Any, Any, Any]
Part = dict[str, Any]
MODES: Any = ["tasks", "custom", "messages", "checkpoints"]


def kept(graph: Graph) -> Graph:
    """The graph with checkpoints of its own."""
    return graph.copy(update={"checkpointer": InMemorySaver()})


def thread() -> RunnableConfig:
    """A new thread."""
    return {"configurable": {"thread_id": uuid4().hex}}


async def parts_of(graph: Graph, given: Any, config: RunnableConfig, **more: Any) -> list[Part]:
    """All stream parts of a run."""
    stream: Any = graph.astream(
        given, config, stream_mode=MODES, subgraphs=True, version="v2", durability="sync", **more
    )
    return [part async for part in stream]


def of_type(parts: Sequence[Part], kind: str) -> list[Any]:
    """The data of the parts of one kind."""
    return [part["data"] for part in parts if part["type"] == kind]


def runs_of(parts: Sequence[Part]) -> list[str]:
    """The names of the nodes that were run, in the order in which they began."""
    return [task["name"] for task in of_type(parts, "tasks") if "result" not in task]


async def in_pieces(graph: Graph, given: Any) -> tuple[dict[str, Any], int]:
    """Run a graph that stops before every node and goes on from its checkpoint: the state, and the stops."""
    kept_graph, config = kept(graph), thread()
    state = await kept_graph.ainvoke(given, config, interrupt_before="*", durability="sync")
    stops = 0
    while (await kept_graph.aget_state(config)).next:
        state = await kept_graph.ainvoke(None, config, interrupt_before="*", durability="sync")
        stops += 1
    return state, stops
