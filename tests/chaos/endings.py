"""The graph that the races end: it works for a while, and then succeeds, fails or asks, as its input says."""

from __future__ import annotations

import asyncio
from typing import Any, Literal, cast

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel

TICK_SECONDS = 0.02

SPEC = "ending=tests.chaos.endings:ending"


class State(BaseModel):
    """What the graph works on.

    Attributes:
        ticks: how long it works, in fiftieths of a second; it reports each.
        then: whether it succeeds, fails, or waits for an answer in the end.
    """

    ticks: int = 1
    then: Literal["succeed", "fail", "ask"] = "succeed"


async def work(state: State) -> dict[str, Any]:
    """Work, and end as wished."""
    for tick in range(state.ticks):
        await asyncio.sleep(TICK_SECONDS)
        get_stream_writer()({"tick": tick})
    if state.then == "ask":
        interrupt("Shall it go on?")
    if state.then == "fail":
        raise ValueError("this is how it was to end")
    return {"ticks": 0}


def ending() -> StateGraph[State]:
    """One node."""
    builder = StateGraph(State)
    builder.add_node("work", cast("Any", work))
    builder.add_edge(START, "work")
    builder.add_edge("work", END)
    return builder
