"""The graph that first-byte submits: one node, one line of progress, no work."""

from __future__ import annotations

from typing import Any

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel


class State(BaseModel):
    """What the graph works on."""

    name: str = "world"


async def greet(state: State) -> dict[str, Any]:
    """Say one thing and be done."""
    get_stream_writer()({"message": f"hello {state.name}"})
    return {"name": state.name}


def _compiled() -> Any:
    builder = StateGraph(State)
    builder.add_node("greet", greet)
    builder.add_edge(START, "greet")
    builder.add_edge("greet", END)
    return builder.compile()


hello = _compiled()
